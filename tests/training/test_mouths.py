"""Reading a mouth's opening off its pixels, on faces drawn so that it is known."""

import json
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from inference import video
from preprocessing.talkpacks import Clip
from training.metrics import mouths, mouthtruth

OPENINGS = np.array([0, 0, 0.2, 0.5, 1, 0.7, 0.3, 0, 0.1, 0.9], np.float32)
CROPS = np.tile([20.0, 30.0, 212.0, 222.0], (len(OPENINGS), 1))  # of a video: crops show it at half its size
MOUTHS = np.stack([[96.0, 168 - 4 - 16 * opening, 40.0, 8 + 32 * opening] for opening in OPENINGS])


def face(opening: float, skin: int = 180) -> np.ndarray:
    """A crop whose mouth lies at (48, 69): lips 20 pixels wide, between them a gap of up to 16."""
    crop = np.full((96, 96, 3), (skin, int(0.8 * skin), int(0.7 * skin)), np.uint8)
    cv2.ellipse(crop, (48, 69), (10, round(2 + 8 * opening)), 0, 0, 360, (skin // 2 + 40, 60, 60), -1)
    if opening:
        cv2.ellipse(crop, (48, 69), (8, round(8 * opening)), 0, 0, 360, (skin // 9,) * 3, -1)
    return crop


def faces(skin: int = 180) -> np.ndarray:
    return np.stack([face(opening, skin) for opening in OPENINGS])


def where() -> np.ndarray:
    return mouths.windows(MOUTHS, CROPS, 96)


def test_a_window_lies_on_the_mouth_and_keeps_its_extent_whatever_the_lips_do():
    placed = where()
    assert len({(x1 - x0, y1 - y0) for x0, y0, x1, y1 in placed.tolist()}) == 1
    for x0, y0, x1, y1 in placed:
        assert x0 < 48 < x1
        assert y0 < 61
        assert y1 > 76
    assert np.ptp(placed[:, 1]) <= 1


def test_a_window_follows_the_head_and_stays_in_the_crop():
    drift = np.linspace(0, 20, len(CROPS))[:, None]
    assert np.array_equal(mouths.windows(MOUTHS + drift * [1, 1, 0, 0], CROPS + drift, 96), where())
    low = mouths.windows(MOUTHS + np.array([0, 50, 0, 0]), CROPS, 96)
    assert low.max() <= 96
    assert len(set((low[:, 3] - low[:, 1]).tolist())) == 1


def looks(skin: int = 180) -> np.ndarray:
    return mouths.looks(faces(skin), where())


def test_weights_that_others_gave_read_the_opening_of_somebody_new():
    seen = mouths.moments(looks(90), OPENINGS) + mouths.moments(looks(240), OPENINGS)
    read = mouths.fit(seen).opening(looks(180))
    assert mouths.correlation(read, OPENINGS) > 0.97
    assert read == pytest.approx(OPENINGS, abs=0.2)


def test_looks_are_free_of_light_and_contrast():
    dimmed = (faces() * 0.5 + 40).astype(np.uint8)
    assert mouths.looks(dimmed, where()) == pytest.approx(looks(), abs=0.05)
    assert looks().mean(1) == pytest.approx(0, abs=1e-6)
    assert looks().std(1) == pytest.approx(1, abs=1e-3)


def test_frames_weigh_as_much_as_they_are_many():
    first, second = mouths.moments(looks(90), OPENINGS), mouths.moments(looks(240), OPENINGS)
    twice = mouths.fit(first.times(2) + second)
    repeated = mouths.fit(first + first + second)
    assert twice.weights == pytest.approx(repeated.weights)
    assert twice.start == pytest.approx(repeated.start)


def test_pixels_that_say_nothing_are_read_as_the_mean():
    blank = np.zeros((4, 432))
    reader = mouths.fit(mouths.moments(blank, np.array([0.0, 1.0, 0.0, 1.0])))
    assert reader.opening(blank[:1])[0] == pytest.approx(0.5)


def test_the_border_parts_closed_from_open_where_it_can():
    read = np.array([0.3, 0.1, 0.5, 0.2])
    assert 0.2 < mouths.border(read, np.array([False, True, False, True])) < 0.3
    assert mouths.border(read, np.zeros(4, bool)) <= 0.1
    assert mouths.border(read, np.ones(4, bool)) > 0.5


def test_a_balanced_rate_does_not_reward_saying_always_the_same():
    true = np.array([True] + [False] * 9)
    assert mouths.balanced(np.zeros(10, bool), true) == 0.5
    assert mouths.balanced(true, true) == 1
    assert mouths.balanced(np.ones(3, bool), np.ones(3, bool)) == 1


def test_what_does_not_move_has_no_correlation():
    assert mouths.correlation([1, 1, 1], [1, 2, 3]) is None
    assert mouths.correlation([1, 2, 3], [2, 4, 7]) == pytest.approx(np.corrcoef([1, 2, 3], [2, 4, 7])[0, 1])


@pytest.fixture
def truth(tmp_path) -> mouthtruth.Truth:
    frames = 100  # 50 a second: two seconds
    about = {
        "sha256": "ab" * 32, "fps": 50, "frames": frames, "offset": 3,
        "opening": (np.arange(frames) / 100).tolist(), "closed": [frame < 40 for frame in range(frames)],
        "mouth": [[frame, 0, 1, 1] for frame in range(frames)], "phonemes": [], "face": [],
        "bilabials": [[0.1, 0.2], [0.61, 0.63], [1.0, 1.13]], "silences": [[0.0, 0.3], [0.5, 0.72]],
    }  # fmt: skip
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"clips": {"a/00001": about}}))
    return mouthtruth.read(path)["ab" * 32]


def clip(start: float, frames: int) -> Clip:
    return Clip(
        "a/00001", "a", "test", "main/a/00001.mp4", "ab" * 32, None, start, frames, 99, 1.0, None, None, True,
        (0.0, 0.0, 1.0, 1.0),
    )  # fmt: skip


def test_truth_is_taken_at_the_times_of_a_clips_frames(truth):
    aligned = mouthtruth.align(truth, clip(0.4, 25))
    assert aligned.opening[[0, 1, 24]] == pytest.approx([0.2, 0.22, 0.68])
    assert aligned.closed.tolist() == [True] * 10 + [False] * 15
    assert aligned.mouth[5, 0] == 30


@pytest.mark.parametrize("fps", [24, 25, 30, 50])
def test_truth_is_that_of_the_frame_that_the_pack_shows(truth, fps, tmp_path):
    with video.Writer(tmp_path / "x.mp4", 32, 32, Fraction(fps)) as writer:
        for number in range(fps):
            writer.write(np.full((32, 32, 3), 5 * number, np.uint8))
    shown = [round(float(picture.mean()) / 5) for picture in video.frames(tmp_path / "x.mp4", Fraction(25))]
    rows = mouthtruth.align(replace(truth, fps=fps, opening=np.arange(fps)), clip(0, 25)).opening
    assert rows.tolist() == shown


def test_sounds_that_are_not_wholly_in_a_clip_are_left_out(truth):
    aligned = mouthtruth.align(truth, clip(0.4, 16))
    assert aligned.bilabials == [slice(5, 6)]  # 0.21 to 0.23 s: within one frame
    assert mouthtruth.align(truth, clip(0.4, 25)).bilabials == [slice(5, 6), slice(15, 19)]


def test_a_frame_is_silent_when_nothing_is_said_around_it(truth):
    silent = mouthtruth.align(truth, clip(0.4, 10)).silent
    assert np.flatnonzero(silent).tolist() == []
    silent = mouthtruth.align(truth, clip(0.0, 10)).silent
    assert np.flatnonzero(silent).tolist() == [3]  # 0.12 to 0.16 s of 0 to 0.3


def test_where_nothing_is_known_there_is_no_truth(tmp_path):
    assert mouthtruth.read(tmp_path / "truth.json") == {}
