"""Speakers' heads: adults, dressed, whose lips meet and part as told, whatever their shape."""

import numpy as np
import pytest

from inference.faces import FaceDetector
from inference.figure.body import ADULT_AGE
from scraping.demo.studio import Studio
from scraping.demo.talks.acting import act, manner, settled, widest
from scraping.demo.talks.heads import Head, Turn, sitter
from scraping.demo.talks.speech import Phone
from scraping.demo.talks.visemes import AIMS, Mouth, actions

EDGE = 96
SEEDS = (100000, 100001)  # thin lips that do not quite meet, and full ones that overlap


@pytest.fixture(scope="module")
def heads():
    studio = Studio("cpu")
    return {seed: Head(studio, sitter(seed), EDGE) for seed in SEEDS}


def spoken(letter: str) -> dict[str, float]:
    aim = AIMS[letter]
    still = [np.array([value]) for value in (aim.jaw, aim.round, aim.spread, aim.teeth)]
    return actions(Mouth(*still, np.zeros(1)), 0, 0.1, 1.0)


def drawn(head: Head, wanted: dict[str, float], turn: Turn = Turn()) -> np.ndarray:  # noqa: B008
    return head.picture(head.face(wanted, turn), turn, np.full((EDGE, EDGE, 3), 0.2), 0.02)


def test_speakers_are_adults_dressed_and_face_the_camera():
    for seed in range(100000, 100060):
        one = sitter(seed)
        assert dict(one.phenotype)["age"] >= ADULT_AGE
        one.outfit.check()
        assert abs(one.framing.turn) <= 14
        assert one.actions == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_lips_touch_when_shut_and_part_when_not(heads, seed):
    head = heads[seed]
    for letter in "ㅁㅏㅗㅣ":
        assert head.face(settled(head, spoken(letter), 1.0, 1.0)).touching
        assert head.face(settled(head, spoken(letter), 0.0, 1.0)).gap > 0.001
    assert head.face({}).touching


@pytest.mark.parametrize("seed", SEEDS)
def test_the_gap_is_that_of_the_mesh_and_largest_on_an_open_vowel(heads, seed):
    head = heads[seed]
    gaps = {letter: head.gap(settled(head, spoken(letter), 0.0, 1.0)) for letter in "ㅏㅗㅜㅣ"}
    assert gaps["ㅏ"] > 0.01
    assert gaps["ㅏ"] == max(gaps.values())
    assert widest(head, manner(seed)) > gaps["ㅏ"] * 0.8
    mouths = [head.boxes(head.face(spoken(letter)))[0] for letter in "ㅏㅜ"]
    assert mouths[0][3] > mouths[1][3]  # taller
    assert mouths[1][2] < 0.92 * mouths[0][2]  # round lips are narrower


def test_one_sees_the_mouth_open_and_the_eyes_close(heads):
    head = heads[SEEDS[0]]
    shut = drawn(head, {})
    x, y, width, height = (round(value) for value in head.boxes(head.face({}))[0])
    lips = (slice(y, y + height + 4), slice(x, x + width))
    opened = drawn(head, spoken("ㅏ"))
    assert np.abs(opened[lips].astype(int) - shut[lips]).mean() > 15
    blinking = drawn(head, {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0})
    assert np.abs(blinking[lips].astype(int) - shut[lips]).mean() < 2
    eyes = (slice(y - height - 28, y - height), slice(x - 10, x + width + 10))
    assert np.abs(blinking[eyes].astype(int) - shut[eyes]).mean() > 3


def test_a_turned_head_moves_its_face_and_leaves_its_clothes(heads):
    head = heads[SEEDS[1]]
    still, turned = drawn(head, {}), drawn(head, {}, Turn(turn=10.0))
    moved = np.abs(turned.astype(int) - still).mean(2)
    assert moved[30:70].mean() > 5 * moved[-6:].mean()
    assert head.boxes(head.face({}, Turn(turn=10.0)))[0][0] != head.boxes(head.face({}))[0][0]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_detector_finds_the_face_where_the_truth_says(heads, seed):
    head = heads[seed]
    detector = FaceDetector()
    for turn in (Turn(), Turn(8, 5, -4), Turn(-8, -5, 4)):
        (found,) = detector.detect(drawn(head, spoken("ㅏ"), turn))
        x, y, width, height = head.boxes(head.face(spoken("ㅏ"), turn))[1]
        assert found.score > 0.8
        assert 0.45 * EDGE < found.box[3] - found.box[1] < 0.75 * EDGE
        assert abs((found.box[0] + found.box[2]) / 2 - (x + width / 2)) < 0.06 * EDGE
        assert abs(found.box[3] - (y + height)) < 0.1 * EDGE


def test_the_same_seed_gives_the_same_bytes(heads):
    seed = SEEDS[0]
    again = Head(Studio("cpu"), sitter(seed), EDGE)
    assert drawn(again, spoken("ㅗ")).tobytes() == drawn(heads[seed], spoken("ㅗ")).tobytes()


def test_a_performance_blinks_moves_the_head_and_keeps_lips_shut_in_silence(heads):
    head = heads[SEEDS[0]]
    sounds = [Phone("ɐ", "ㅏ", 2.0, 2.6)]
    played = act(head, manner(SEEDS[0]), sounds, 6.0, 150, np.random.default_rng(3))
    assert max(moment.actions["eyeBlinkLeft"] for moment in played) > 0.8
    assert np.ptp([moment.turn.turn for moment in played]) > 1
    closed = [head.face(moment.actions).touching for moment in played]
    assert all(closed[:45])
    assert all(closed[75:])
    assert not any(closed[53:62])
