import numpy as np
import pytest
from PIL import Image

from preprocessing import matting


@pytest.fixture(scope="module")
def onnx() -> matting.Matter:
    return matting.open_matter("onnx", "u2netp")


@pytest.fixture(scope="module")
def rembg() -> matting.Matter:
    pytest.importorskip("rembg")
    return matting.open_matter("rembg", "u2netp")


def test_a_figure_is_cut_out(onnx, figure):
    matte = onnx(figure(1))
    drawn = np.asarray(figure(1, ground=None).getchannel("A").resize((320, 320))) > 128
    found = matte.coverage > 128
    assert (drawn & found).sum() / (drawn | found).sum() > 0.9
    assert matte.confidence > 0.9


def test_an_empty_picture_has_a_stretched_matte_but_no_confidence(onnx):
    noise = np.random.default_rng(0).integers(0, 256, (200, 100, 3), np.uint8)
    for picture in (Image.new("RGB", (100, 200), (120, 120, 120)), Image.fromarray(noise)):
        matte = onnx(picture)
        assert matte.coverage.max() > 250
        assert matte.confidence < 0.5


@pytest.mark.parametrize("backend", ["openvino", "rembg"])
def test_all_backends_agree(onnx, backend, figure):
    other = matting.open_matter(backend, "u2netp")
    for seed in (1, 2):
        ours, theirs = onnx(figure(seed)), other(figure(seed))
        assert np.abs(ours.coverage.astype(int) - theirs.coverage).mean() < 1
        assert ours.confidence == pytest.approx(theirs.confidence, abs=0.01)


@pytest.mark.parametrize("backend", ["openvino", "onnx"])
def test_our_matte_is_that_of_rembg_itself_on_real_photographs(backend, rembg, assets):
    from rembg import remove

    ours_of = matting.open_matter(backend, "u2netp")
    for path in sorted((assets / "images/fashion_photos").iterdir())[::400]:
        picture = Image.open(path).convert("RGB")
        theirs = np.asarray(remove(picture, session=rembg.session, only_mask=True))
        ours = matting.spread(ours_of(picture).coverage, *picture.size)
        assert np.abs(ours.astype(int) - theirs).mean() < 1  # of 255


def rectangle(coverage: np.ndarray, x0: int, y0: int, x1: int, y1: int, value: int = 255) -> np.ndarray:
    coverage = coverage.copy()
    coverage[y0:y1, x0:x1] = value
    return coverage


SUBJECT = rectangle(np.zeros((100, 100), np.uint8), 40, 10, 60, 90)
BOX = (0.4, 0.1, 0.6, 0.9)


def test_a_clean_matte_is_left_alone():
    assert np.array_equal(matting.keep_subject(SUBJECT, BOX), SUBJECT)


@pytest.mark.parametrize(
    ("what", "ghost"),
    [
        ("a faint passer-by", (70, 10, 80, 90, 120)),
        ("a streak above the head", (40, 0, 60, 5, 255)),
        ("a solid thing apart", (80, 40, 95, 60, 255)),
    ],
)
def test_what_is_not_the_subject_is_cleared(what, ghost):
    kept = matting.keep_subject(rectangle(SUBJECT, *ghost), BOX)
    assert np.abs(kept.astype(int) - SUBJECT).mean() < 0.5, what


def test_a_bag_in_the_hand_stays_and_another_person_goes():
    with_bag = rectangle(SUBJECT, 60, 50, 75, 65)
    assert np.array_equal(matting.keep_subject(with_bag, BOX), with_bag)
    cleared = matting.keep_subject(with_bag, BOX, others=[(0.65, 0.1, 1.0, 0.9)])
    assert not cleared[:, 65:].any()


def test_a_part_inside_the_box_stays_though_it_stands_apart():
    feet_apart = rectangle(SUBJECT, 40, 70, 60, 74, value=0)
    assert np.array_equal(matting.keep_subject(feet_apart, BOX), feet_apart)
