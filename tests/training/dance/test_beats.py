import math

import numpy as np
import pytest

from tests.training.dance import swinging
from training.dance.metrics import beats

SECONDS = 20
PERIOD = 1.2  # of a swing: it turns round, and so has a beat, every 0.6 s


def music(late: float = 0.0, period: float = PERIOD) -> np.ndarray:
    found = np.arange(period / 2, SECONDS - 0.1, period / 2) + late
    return found[found < SECONDS]


def jitter(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.01, (SECONDS * 60 + 1, 24, 3)) + swinging.standing(1)


@pytest.mark.parametrize("fps", [30, 60])
def test_a_swing_has_its_beats_where_it_turns_round(fps):
    found = beats.kinematic(swinging.swaying(SECONDS, fps, PERIOD), fps)
    assert np.abs(found - music()[: len(found)]).max() < 0.009
    assert len(found) == len(music())


def test_a_motion_on_the_beat_scores_one_and_a_late_one_as_much_as_a_gaussian_says():
    for late in (0.0, 0.05, 0.1):
        found = beats.align(swinging.swaying(SECONDS, 60, PERIOD, late=late), 60, music())
        wanted = math.exp(-((late / beats.SIGMA) ** 2) / 2)
        assert (found.precision, found.recall) == pytest.approx((wanted, wanted), abs=0.04)
        assert found.late == pytest.approx(late, abs=0.009)


def test_chance_of_precision_is_sigma_root_two_pi_over_the_period():
    found = beats.align(swinging.swaying(SECONDS, 60, PERIOD), 60, music())
    assert found.chance[0] == pytest.approx(beats.SIGMA * math.sqrt(2 * math.pi) / (PERIOD / 2), abs=0.02)


def test_legacy_scores_of_a_swing_on_the_beat_are_near_one():
    there = swinging.swaying(SECONDS, 60, PERIOD, late=1 / 120)  # halfway between frames no two speeds are alike
    found = beats.legacy(there, 60, music())
    assert min(found.precision, found.recall) > 0.9
    assert found.chance == pytest.approx((0.21, 0.21), abs=0.02)  # 3 frames times the root of two pi, of 36


def test_jitter_outscores_in_legacy_recall_and_gains_nothing_by_f1():
    trembling, swinging_off = jitter(0), swinging.swaying(SECONDS, 60, PERIOD, late=0.15)
    published = [beats.legacy(positions, 60, music()) for positions in (trembling, swinging_off)]
    assert published[0].recall > 3 * published[1].recall
    assert published[0].chance[1] > published[0].chance[0] + 0.04  # the more beats, the more chance gives recall
    found = beats.align(trembling, 60, music())
    assert found.f1 <= found.chance[2] + 0.05


def test_a_sharp_stop_before_a_slow_movement_is_heard_where_it_is():
    since = (np.arange(SECONDS * 60) / 60) % 0.6  # the beat is at 0: fast before it, still on it, slow after it
    speed = np.where(since < 0.1, 0.05, np.where(since < 0.4, 0.3 + since, 0.7 + 20 * (since - 0.4)))
    positions = swinging.standing(len(since) + 1)
    positions[1:, :, 2] += np.cumsum(speed)[:, None] / 60
    stops = np.arange(1, 33) * 0.6 + 0.05
    assert beats.align(positions, 60, stops).f1 > 0.8
    assert beats.legacy(positions, 60, stops).recall < 0.5


def test_a_shallow_tremble_makes_no_beats():
    still = swinging.swaying(SECONDS, 60, PERIOD)
    speedy = still + 0.02 * np.arange(len(still))[:, None, None] * [0, 0, 1]  # 1.2 m/s, the swing hardly shows
    speedy[:, swinging.HANDS] -= 0.999 * (still - swinging.standing(len(still)))[:, swinging.HANDS]
    assert len(beats.kinematic(speedy, 60)) == 0


def test_a_frozen_dancer_has_no_beats_and_scores_nothing():
    frozen = swinging.standing(300)
    found = beats.align(frozen, 60, music()[:5])
    assert (found.precision, found.recall, found.f1, found.late) == (0, 0, 0, None)
    published = beats.legacy(frozen, 60, music())
    assert (published.precision, published.recall) == (0, 0)


def test_music_without_beats_cannot_be_missed():
    there = swinging.swaying(3, 60, PERIOD)
    assert beats.align(there, 60, np.zeros(0)) is None
    assert beats.legacy(there, 60, np.array([99.0])) is None


def test_a_beat_at_the_very_end_is_not_asked_for():
    there = swinging.swaying(SECONDS, 60, PERIOD)
    with_ends = np.concatenate([[0.01], music(), [SECONDS - 0.02]])
    assert beats.align(there, 60, with_ends).recall == pytest.approx(beats.align(there, 60, music()).recall)


def test_tracked_beats_are_found_within_seventy_milliseconds_once_each():
    true = np.array([1.0, 2.0, 3.0])
    assert beats.found(true + 0.06, true) == 1
    assert beats.found(true + 0.08, true) == 0
    assert beats.found(np.array([0.95, 1.0, 2.0, 3.0]), true) == pytest.approx(6 / 7)
    assert beats.found(np.zeros(0), true) == 0
