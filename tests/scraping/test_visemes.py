"""Mouths by sounds: closed, round and open where they must be, and running into each other."""

import numpy as np
import pytest

from scraping.demo.talks.speech import Phone
from scraping.demo.talks.visemes import actions, mouth, shut_spans, silent_spans

TIMES = np.arange(0, 2, 0.01)


def said(*sounds: tuple[str, float, float]) -> list[Phone]:
    return [Phone(letter, letter, start, end) for letter, start, end in sounds]


def pose(*sounds: tuple[str, float, float], times: np.ndarray = TIMES):
    return mouth(said(*sounds), 2.0, times, np.random.default_rng(0))


def at(values: np.ndarray, second: float) -> float:
    return float(values[np.searchsorted(TIMES, second)])


@pytest.mark.parametrize("letter", ["ㅁ", "ㅂ", "ㅃ", "ㅍ"])
def test_lips_shut_on_bilabials_between_vowels_and_part_on_the_vowels(letter):
    spoken = pose(("ㅏ", 0.4, 0.8), (letter, 0.8, 0.88), ("ㅏ", 0.88, 1.3))
    start, end = shut_spans(said((letter, 0.8, 0.88)))[0]
    assert (spoken.shut[(start + 0.005 <= TIMES) & (end - 0.005 >= TIMES)] > 0.99).all()
    assert at(spoken.shut, 0.55) == at(spoken.shut, 1.1) == 0


@pytest.mark.parametrize("phase", [0.0, 0.013, 0.027])
def test_at_25_frames_a_second_a_frame_shows_every_bilabial(phase):
    frames = np.arange(0, 2, 0.04) + phase
    for letter in "ㅁㅂㅃㅍ":
        shut = pose(("ㅏ", 0.4, 0.8), (letter, 0.8, 0.83), ("ㅏ", 0.83, 1.3), times=frames).shut
        assert shut[(frames > 0.7) & (frames < 0.86)].max() > 0.99


def test_a_stop_shuts_before_its_burst_and_a_nasal_through_its_sound():
    (stop,), (nasal,) = shut_spans(said(("ㅂ", 1.0, 1.1))), shut_spans(said(("ㅁ", 1.0, 1.1)))
    assert stop[0] == pytest.approx(0.948)
    assert stop[1] < 1.02
    assert nasal == (1.0, 1.09)
    assert shut_spans(said(("ㄴ", 1.0, 1.1), ("ㅏ", 1.1, 1.2))) == []


def test_vowels_open_round_and_spread():
    vowels = {letter: pose((letter, 0.6, 1.4)) for letter in "ㅏㅗㅜㅣ"}
    jaw = {letter: at(one.jaw, 1.0) for letter, one in vowels.items()}
    rounded = {letter: at(one.round, 1.0) for letter, one in vowels.items()}
    assert jaw["ㅏ"] > 1.5 * max(jaw["ㅗ"], jaw["ㅜ"], jaw["ㅣ"])
    assert min(rounded["ㅗ"], rounded["ㅜ"]) > 0.6 > 0.1 > max(rounded["ㅏ"], rounded["ㅣ"])
    assert at(vowels["ㅣ"].spread, 1.0) > 0.5


def test_lips_round_before_the_rounded_vowel_is_heard():
    before_round = pose(("ㅅ", 0.6, 0.8), ("ㅜ", 0.8, 1.2))
    before_open = pose(("ㅅ", 0.6, 0.8), ("ㅏ", 0.8, 1.2))
    assert at(before_round.round, 0.74) > 0.3 > at(before_open.round, 0.74)


def test_the_mouth_is_shut_in_silence_and_a_short_gap_is_none():
    spoken = pose(("ㅏ", 0.5, 0.7), ("ㅏ", 0.75, 0.9), ("ㅏ", 1.5, 1.8))
    assert silent_spans(said(("ㅏ", 0.5, 0.7), ("ㅏ", 0.75, 0.9)), 2.0) == [(0.0, 0.5), (0.9, 2.0)]
    assert at(spoken.shut, 0.2) == at(spoken.shut, 1.2) == at(spoken.shut, 1.99) == 1
    assert at(spoken.shut, 0.72) == 0
    assert (pose().shut == 1).all()


def test_the_mouth_moves_without_jumps():
    spoken = pose(("ㅂ", 0.5, 0.53), ("ㅏ", 0.53, 0.7), ("ㅁ", 0.7, 0.8), ("ㅗ", 0.8, 1.0))
    for values in vars(spoken).values():
        assert np.abs(np.diff(values)).max() < 0.35
        assert values.min() >= 0
        assert values.max() <= 1


def test_actions_are_those_of_the_channels():
    spoken = pose(("ㅏ", 0.5, 0.9), ("ㅜ", 0.9, 1.4))
    wide, rounded = (actions(spoken, int(np.searchsorted(TIMES, second)), 0.1, 1.0) for second in (0.7, 1.2))
    assert wide["jawOpen"] > 2 * rounded["jawOpen"]
    assert rounded["mouthPucker"] > 0.3 > wide["mouthPucker"]
    assert all(0 <= value <= 1 for value in (wide | rounded).values())
