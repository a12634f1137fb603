import numpy as np
import pytest

from inference import paste, tracks

BOX = (40.0, 30.0, 140.0, 150.0)


@pytest.fixture
def picture() -> np.ndarray:
    y, x = np.mgrid[:200, :180]
    return np.stack([x, y, 255 - x], axis=2).astype(np.uint8)


def test_what_was_cut_and_laid_in_again_changes_nothing_to_be_seen(picture):
    before = tracks.crop(picture, BOX)
    pasted = paste.paste(picture, BOX, before, before)
    assert np.abs(pasted.astype(int) - picture).max() <= 1


def test_only_the_mouth_is_laid_in_and_the_picture_itself_stays_as_it_was(picture):
    kept, before = picture.copy(), tracks.crop(picture, BOX)
    drawn = before.copy()
    drawn[64:82, 36:60] = 0
    pasted = paste.paste(picture, BOX, before, drawn)
    changed = np.argwhere(np.abs(pasted.astype(int) - picture).max(2) > 2)
    assert (picture == kept).all()
    assert changed[:, 0].min() > 90
    assert (changed.min(0) >= (30, 40)).all()
    assert (changed.max(0) < (150, 140)).all()
    assert pasted[30 + 90, 90].max() < 40


def test_a_drawn_face_of_other_colours_leaves_no_seam(picture):
    before = tracks.crop(picture, BOX)
    tinted = np.clip(np.add(before, (25, -10, 15)), 0, 255).astype(np.uint8)
    assert np.abs(paste.paste(picture, BOX, before, tinted).astype(int) - picture).max() < 6


@pytest.mark.parametrize("box", [(-30.0, -20.0, 60.0, 80.0), (120.0, 120.0, 230.0, 260.0), (300.0, 0.0, 400.0, 90.0)])
def test_a_face_beyond_the_edge_of_the_picture_is_drawn_as_far_as_it_is_seen(picture, box):
    before = tracks.crop(picture, box)
    pasted = paste.paste(picture, box, before, 255 - before)
    assert before.shape == (96, 96, 3)
    assert pasted.shape == picture.shape


def test_small_faces_are_laid_in_as_large_ones_are(picture):
    small = (60.0, 60.0, 100.0, 108.0)
    before = tracks.crop(picture, small)
    pasted = paste.paste(picture, small, before, before)
    assert np.abs(pasted.astype(int) - picture).max() <= 2
