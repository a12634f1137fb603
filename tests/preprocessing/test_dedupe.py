import imagehash
import numpy as np
from PIL import Image, ImageEnhance

from preprocessing import dedupe


def codes(count: int, seed: int = 0) -> list[str]:
    return [f"{int(value):016x}" for value in np.random.default_rng(seed).integers(0, 2**63, count, dtype=np.uint64)]


def flipped(code: str, bits: list[int]) -> str:
    return f"{int(code, 16) ^ sum(1 << bit for bit in bits):016x}"


def test_bands_find_exactly_the_pairs_that_comparing_all_finds():
    rng = np.random.default_rng(1)
    some = codes(200)
    near = [flipped(code, rng.choice(64, rng.integers(1, 12), replace=False).tolist()) for code in some]
    hashes = some + near
    numbers = [int(code, 16) for code in hashes]
    brute = [
        (i, j)
        for i in range(len(hashes))
        for j in range(i + 1, len(hashes))
        if (numbers[i] ^ numbers[j]).bit_count() <= 6
    ]
    assert dedupe.similar_pairs(hashes, most_bits=6) == brute
    assert brute


def test_equal_hashes_are_a_pair_also_where_no_bit_may_differ():
    assert dedupe.similar_pairs(["00ff00ff00ff00ff"] * 3, most_bits=0) == [(0, 1), (0, 2), (1, 2)]


def test_the_same_picture_recompressed_rescaled_and_relit_looks_alike(figure):
    picture = figure(3)
    smaller = picture.resize((112, 224), Image.Resampling.LANCZOS)
    brighter = ImageEnhance.Brightness(picture).enhance(1.15)
    for other in (smaller, brighter):
        assert imagehash.phash(picture) - imagehash.phash(other) <= 8
        assert dedupe.alikeness(dedupe.look(picture), dedupe.look(other)) > 0.97


def test_two_people_of_one_shape_in_other_clothes_do_not_look_alike(figure):
    assert dedupe.alikeness(dedupe.look(figure(3)), dedupe.look(figure(4))) < 0.9


def test_the_best_leads_and_a_friend_of_a_friend_stays_out():
    rank = [(2,), (0,), (1,), (3,)].__getitem__  # 1 is best, then 2, 0, 3
    assert dedupe.clusters(4, [(0, 1), (0, 3)], rank) == [[1, 0], [2], [3]]
