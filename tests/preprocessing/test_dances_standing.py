"""The floor is where feet stand, also where a capture holds them loosely, and what stands is marked."""

import numpy as np
import pytest

from inference.motion.clip import Motion
from inference.motion.skeleton import HEIGHT
from preprocessing.dances import standing

FRAMES = 120


def stood(height: np.ndarray) -> Motion:
    """Give somebody in the pose at rest, whose pelvis is so far above where it is when he stands."""
    root = np.zeros((FRAMES, 3), np.float32)
    root[:, 1] = HEIGHT + height
    return Motion.from_matrices(np.tile(np.eye(3, dtype=np.float32), (FRAMES, 24, 1, 1)), root, 60)


def test_feet_that_wander_by_centimetres_stand_on_a_floor_in_their_midst():
    wandering = 0.025 * np.sin(np.arange(FRAMES) / 9)
    found = standing.grounded(stood(0.4 + wandering))
    assert found.contacts.mean() > 0.95
    assert found.root[:, 1].mean() == pytest.approx(HEIGHT, abs=0.005)


def test_what_stands_exactly_is_left_where_it_is():
    made = stood(np.zeros(FRAMES))
    found = standing.grounded(made)
    assert np.abs(found.root - made.root).max() < 1e-5
    assert found.contacts.all()


def test_who_leaps_does_not_stand_meanwhile():
    leap = np.zeros(FRAMES)
    leap[40:70] = 0.6 * np.sin(np.arange(30) / 29 * np.pi)
    found = standing.grounded(stood(leap))
    assert found.contacts[:30].all()
    assert found.contacts[90:].all()
    assert not found.contacts[45:66].any()


def test_who_never_stands_is_on_the_lowest_that_his_soles_reach():
    found = standing.grounded(stood(0.5 + 0.5 * np.sin(np.arange(FRAMES))))
    assert found.root[:, 1].min() == pytest.approx(HEIGHT, abs=0.02)
    assert not found.contacts.any()
