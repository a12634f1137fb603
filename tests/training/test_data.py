"""What is trained on: the pictures that are not held out, in an order that a resumed training finds again."""

import hashlib
from itertools import islice

import numpy as np
import pytest

from inference.errors import UserError
from preprocessing import packing
from training.stylegan2 import data
from training.stylegan2.data import Endless, Portraits


def write_pack(folder, count: int, channels: int = 3, labels: list[str] | None = None) -> packing.Pack:
    rng = np.random.default_rng(0)
    pictures = list(rng.integers(0, 256, (count, 8, 8, channels), np.uint8))
    names = [hashlib.sha256(bytes([number])).hexdigest() for number in range(count)]
    labels = labels or [None] * count
    packing.write_pack(folder, pictures, list(zip(names, labels, strict=True)), "white", "f" * 16)
    return packing.read_pack(folder)


def test_a_fifth_is_held_out_by_name_and_never_trained_on(tmp_path):
    pack = write_pack(tmp_path / "pack", 100)
    train, held_out = (set(data.positions(pack, part)) for part in ("train", "held_out"))
    assert not train & held_out
    assert train | held_out == set(range(100))
    assert 10 <= len(held_out) <= 30
    assert all(data.held_out(pack.index["sha256"][position]) for position in held_out)


def test_mirrored_pictures_follow_the_others(tmp_path):
    dataset = Portraits(write_pack(tmp_path / "pack", 10), "train", mirror=True)
    once = len(dataset) // 2
    picture, mirrored = dataset[0][0], dataset[once][0]
    assert picture.shape == (3, 8, 8)
    assert (mirrored == picture.flip(2)).all()


def test_transparency_is_laid_on_white(tmp_path):
    pack = write_pack(tmp_path / "pack", 10, channels=4)
    pack.shards[0] = np.array(pack.shards[0])
    pack.shards[0][..., 3] = 0
    assert (Portraits(pack, "all")[0][0] == 255).all()
    assert (data.pictures(pack, "all") == 255).all()


def test_transparency_is_kept_where_it_is_asked_for(tmp_path):
    pack = write_pack(tmp_path / "pack", 10, channels=4)
    picture, _ = Portraits(pack, "all", alpha=True)[0]
    _, green, _, alpha = pack.image(0).transpose(2, 0, 1).astype(float)
    assert picture.shape == (4, 8, 8)
    assert (picture[3].numpy() == alpha).all()
    assert abs(picture[1].numpy() - green * alpha / 255).max() <= 0.5
    with pytest.raises(UserError, match=r"train\.alpha: .* 3 channels and no transparency: clean them with"):
        Portraits(write_pack(tmp_path / "other", 10), "all", alpha=True)


def test_labels_come_as_numbers(tmp_path):
    pack = write_pack(tmp_path / "pack", 4, labels=["b", "a", "c", "a"])
    assert [label for _, label in Portraits(pack, "all")] == [1, 0, 2, 0]


def test_a_pack_with_nothing_to_train_on_is_refused(tmp_path):
    pack = write_pack(tmp_path / "pack", 1)
    part = "train" if data.held_out(pack.index["sha256"][0]) else "held_out"
    with pytest.raises(UserError, match="of 1 pictures has none"):
        Portraits(pack, part)


def test_the_order_is_another_each_epoch_and_shows_everything_once():
    items = list(islice(Endless(7, seed=3), 21))
    epochs = [items[:7], items[7:14], items[14:]]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert items != list(islice(Endless(7, seed=4), 21))


@pytest.mark.parametrize("start", [0, 3, 7, 25])
def test_a_resumed_order_goes_on_where_it_stopped(start):
    whole = list(islice(Endless(7, seed=3), 40))
    assert list(islice(Endless(7, seed=3, start=start), 40 - start)) == whole[start:]


def test_processes_share_the_pictures_of_a_batch():
    whole = list(islice(Endless(7, seed=3, start=4), 20))
    shares = [list(islice(Endless(7, seed=3, start=4, rank=rank, world=2), 10)) for rank in range(2)]
    assert [item for pair in zip(*shares, strict=True) for item in pair] == whole
