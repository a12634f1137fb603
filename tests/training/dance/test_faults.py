import numpy as np
import pytest

from tests.training.dance import swinging
from training.dance.metrics import faults


def strolling(seconds: float, fps: float = 30, seed: int = 0) -> np.ndarray:
    """A body whose joints never do the same twice."""
    rng = np.random.default_rng(seed)
    at = np.arange(round(seconds * fps))[:, None, None] / fps
    waves = sum(np.sin(2 * np.pi * rng.uniform(0.1, 0.9, (24, 3)) * at + rng.uniform(0, 6, (24, 3))) for _ in range(3))
    return swinging.standing(len(at)) + 0.1 * waves


def turned(positions: np.ndarray, angle: float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    return positions @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]]) + np.array([1.0, 0, -2])


def test_a_dancer_who_stops_for_two_of_eight_seconds_freezes_a_quarter():
    positions = strolling(8)
    positions[120:180] = positions[120]
    assert faults.find(positions, 30).freeze == pytest.approx(0.25, abs=0.02)


def test_a_short_stop_is_an_accent():
    positions = strolling(8)
    positions[120:132] = positions[120]
    assert faults.find(positions, 30).freeze == 0


def test_legs_can_freeze_alone():
    positions = strolling(4)
    positions[:, faults.LEGS] = positions[:1, faults.LEGS]
    found = faults.find(positions, 30)
    assert (found.freeze, found.freeze_legs) == (0, 1)


def test_what_comes_again_is_a_loop_wherever_and_however_it_is_turned():
    first = strolling(4)
    assert faults.find(strolling(8), 30).loop == 0
    assert faults.find(np.concatenate([first, turned(first, 2.0)]), 30).loop > 0.7


def test_who_stands_still_repeats_nothing():
    found = faults.find(swinging.standing(240), 30)
    assert (found.freeze, found.loop, found.jerk, found.speed) == (1, 0, 0, 0)


def test_jerk_is_the_third_derivative_whatever_the_frame_rate():
    jerks = []
    for fps in (30, 60):
        at = np.arange(4 * fps) / fps
        positions = swinging.standing(len(at))
        positions[:, :, 0] += (5 * at**3 / 6)[:, None]  # 5 m/s^3
        jerks.append(faults.find(positions, fps).jerk)
    assert jerks == pytest.approx([5, 5], rel=0.05)


def test_trembling_shows_as_jerk_before_it_shows_as_speed():
    calm = strolling(4)
    trembling = calm + np.random.default_rng(0).normal(0, 0.003, calm.shape)
    quiet, loud = faults.find(calm, 30), faults.find(trembling, 30)
    assert loud.jerk > 10 * quiet.jerk
    assert loud.speed < 1.5 * quiet.speed
