import numpy as np
import pytest

from training.metrics import speakers
from training.metrics.speakers import Share


def test_a_mean_weighs_clips_by_what_they_hold():
    found = speakers.mean([Share("a", 30, 10), Share("a", 0, 30), Share("b", 10, 10)], 200, 0)
    assert found["value"] == pytest.approx(40 / 50)
    assert (found["n"], found["speakers"]) == (50, 2)


def test_an_interval_spans_what_other_speakers_would_have_given():
    rng = np.random.default_rng(0)
    held = 0
    for trial in range(100):
        own = rng.normal(0, 1, 12)
        shares = [Share(f"{speaker}", own[speaker] + noise) for speaker in range(12) for noise in rng.normal(0, 0.1, 5)]
        low, high = speakers.mean(shares, 300, trial)["interval_95"]
        held += low < 0 < high
    assert 84 <= held <= 99  # drawing clips instead of speakers holds the truth in about 50


def test_one_speaker_has_no_interval_and_none_no_value():
    assert speakers.mean([Share("a", 1), Share("a", 0)], 200, 0)["interval_95"] is None
    assert speakers.mean([], 200, 0) == {"value": None, "interval_95": None, "n": 0, "speakers": 0}
    assert speakers.statistic({}, np.mean, 200, 0)["value"] is None


def test_the_same_seed_draws_the_same_speakers():
    shares = [Share(name, number) for number, name in enumerate("abcdef")]
    assert speakers.mean(shares, 200, 1) == speakers.mean(shares, 200, 1)
    assert speakers.mean(shares, 200, 1) != speakers.mean(shares, 200, 2)


def test_a_statistic_is_computed_over_all_rows_of_the_drawn_speakers():
    groups = {"a": np.array([0.0, 1.0]), "b": np.array([10.0]), "none": np.zeros(0)}
    found = speakers.statistic(groups, np.median, 200, 0)
    assert (found["value"], found["n"], found["speakers"]) == (1.0, 3, 2)
    assert found["interval_95"] == [0.5, 10.0]


def test_auc_counts_pairs_and_halves_ties():
    assert speakers.auc(np.array([3.0, 2.0]), np.array([1.0, 0.0])) == 1
    assert speakers.auc(np.array([1.0, 3.0]), np.array([1.0, 2.0])) == pytest.approx((0.5 + 2) / 4)
    assert np.isnan(speakers.auc(np.zeros(0), np.ones(3)))
