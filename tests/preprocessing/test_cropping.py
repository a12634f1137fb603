import numpy as np
import pytest

from preprocessing import cropping


@pytest.mark.parametrize("box", [(10, 20, 40, 180), (0, 50, 300, 120), (100, 3, 130, 290)])
def test_a_body_is_in_the_middle_and_whole_in_a_crop_of_the_right_shape(box):
    x0, y0, x1, y1 = crop = cropping.around_body(box, tall=2, padding=0.05)
    assert (y1 - y0) == 2 * (x1 - x0)
    assert x0 < box[0] < box[2] < x1
    assert y0 < box[1] < box[3] < y1
    assert np.allclose(np.add(crop[:2], crop[2:]), np.add(box[:2], box[2:]), atol=2)


def test_a_matte_ends_where_the_picture_ends():
    kept = cropping.inside(np.full((10, 10), 255, np.uint8), (-50, 0, 50, 100), width=200, height=80)
    assert kept[:8, 5:].all()
    assert not kept[:, :5].any()
    assert not kept[8:].any()


def halves() -> tuple[np.ndarray, np.ndarray]:
    """A red left half that is the subject beside a green right half that is not."""
    colour = np.zeros((64, 64, 3), np.uint8)
    colour[:, :32, 0], colour[:, 32:, 1] = 255, 255
    coverage = np.zeros((64, 64), np.uint8)
    coverage[:, :32] = 255
    return colour, coverage


def test_the_background_is_white_clear_or_kept():
    colour, coverage = halves()
    white, clear, keep = (cropping.finish(colour, coverage, 8, 8, kind) for kind in ("white", "transparent", "keep"))
    assert white.shape == keep.shape == (8, 8, 3)
    assert clear.shape == (8, 8, 4)
    assert (white[:, 7] == 255).all()
    assert (clear[:, 7] == 0).all()
    assert (keep[:, 7] == (0, 255, 0)).all()


def test_what_is_cleared_does_not_bleed_into_the_subject():
    colour, coverage = halves()
    finished = cropping.finish(colour, coverage, 9, 9, "transparent")  # the middle column straddles the edge
    assert 0 < finished[4, 4, 3] < 255
    assert finished[4, 4, 1] < 8


def test_fine_stripes_average_out_in_the_resize():
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 255
    finished = cropping.finish(stripes, np.full((128, 128), 255, np.uint8), 16, 16, "keep")
    assert np.abs(finished[2:-2, 2:-2].astype(int) - 127).max() <= 2
