import numpy as np
import pytest
from PIL import Image, ImageFilter

from preprocessing import quality

FULL = (0, 0, 100, 200)


def matte(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """Coverage of a rectangle in a matte of 200 rows and 100 columns."""
    coverage = np.zeros((200, 100), np.uint8)
    coverage[y0:y1, x0:x1] = 255
    return coverage


def grey(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L"))


def test_blur_grows_with_blurring(figure):
    blurs = [quality.blur(grey(figure(1).filter(ImageFilter.GaussianBlur(radius)))) for radius in (0, 2, 5)]
    assert blurs[0] < 0.3 < blurs[1] < blurs[2]


def test_blur_does_not_depend_on_contrast(figure):
    picture = grey(figure(1))
    faint = (100 + picture.astype(float) / 5).astype(np.uint8)
    assert quality.blur(faint) == pytest.approx(quality.blur(picture), abs=0.05)


def test_a_plain_picture_is_as_blurred_as_can_be():
    assert quality.blur(np.full((50, 50), 90, np.uint8)) == 1.0


def test_a_subject_in_the_middle_touches_no_edge():
    assert set(quality.contact(matte(30, 40, 70, 160), FULL, 100, 200).values()) == {0.0}


def test_a_subject_cut_by_the_picture_touches_its_edge():
    contact = quality.contact(matte(30, 40, 70, 200), FULL, 100, 200)
    assert contact == {"left": 0.0, "top": 0.0, "right": 0.0, "bottom": 0.4}


def test_the_edge_that_counts_is_the_pictures_not_the_crops():
    coverage = matte(30, 40, 70, 180)
    crop = (0, 0, 100, 200)
    assert quality.contact(coverage, crop, 100, 180)["bottom"] == 0.4  # the picture ends in the crop, at the feet
    assert quality.contact(matte(30, 40, 70, 200), crop, 100, 300)["bottom"] == 0.0  # it goes on below the crop


def test_the_extent_is_the_box_of_what_is_solid():
    coverage = matte(30, 40, 70, 160)
    coverage[0, 0] = 100
    assert quality.extent(coverage) == (0.3, 0.2, 0.7, 0.8)
    assert quality.extent(np.zeros((9, 9), np.uint8)) is None


def test_overlap_is_intersection_over_union():
    assert quality.overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert quality.overlap((0, 0, 1, 1), (2, 2, 3, 3)) == 0.0


def test_softness_counts_what_is_neither_here_nor_there():
    coverage = matte(0, 0, 50, 200)
    assert quality.softness(coverage) == 0.0
    coverage[:, 50:60] = 100
    assert quality.softness(coverage) == pytest.approx(0.2)
