import pytest

from training.dance.metrics import songs
from training.dance.metrics.songs import Part


def test_a_mean_gives_each_seed_and_leaves_out_what_is_not_defined():
    parts = [Part("a", 0, 1.0), Part("a", 1, 3.0), Part("b", 0, 5.0), Part("b", 1, None)]
    found = songs.mean(parts, 200, 0)
    assert (found["value"], found["n"], found["songs"]) == (3.0, 3, 2)
    assert found["by_seed"] == [3.0, 3.0]
    assert found["interval_95"] == [2.0, 5.0]


def test_a_figure_nowhere_defined_has_no_value():
    found = songs.mean([Part("a", 0, None)], 200, 0)
    assert (found["value"], found["interval_95"], found["by_seed"]) == (None, None, [None])


def test_a_difference_is_taken_song_by_song():
    ours = [Part(name, seed, level + 0.1) for level, name in enumerate("abcdef") for seed in (0, 1)]
    theirs = [Part(name, 0, float(level)) for level, name in enumerate("abcdef")]
    found = songs.difference(ours, theirs, 200, 0)
    assert found["value"] == pytest.approx(0.1)
    assert found["interval_95"] == pytest.approx([0.1, 0.1])  # songs differ by 5, the two ways to dance them do not
