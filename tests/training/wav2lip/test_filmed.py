import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from inference import tracks, video
from inference.soundtrack import Soundtrack
from preprocessing.talkpacks import Clip
from training.metrics import syncnet_v2
from training.wav2lip import filmed


class Flat(torch.nn.Module):
    """Not SyncNet, but what it is shown and told: the mean of each."""

    def see(self, frames):
        return frames.mean((1, 2, 3, 4))[:, None].repeat(1, 2)

    def hear(self, cepstra):
        return cepstra[:, 0, 0].mean(1)[:, None].repeat(1, 2)


@pytest.fixture
def published(monkeypatch, tmp_path):
    """Twenty frames that grow lighter, and a sound that begins with the tenth."""
    samples = np.zeros(20 * 640, np.float32)
    samples[10 * 640 :] = np.random.default_rng(0).normal(0, 0.2, 10 * 640)
    pcm = (samples * 32767).astype("<i2").tobytes()
    with wave.open(str(tmp_path / "speech.wav"), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(pcm)
    with video.Writer(tmp_path / "film.mp4", 64, 64, Fraction(25), Soundtrack(tmp_path / "speech.wav")) as writer:
        for level in range(20):
            writer.write(np.full((64, 64, 3), 40 + 10 * level, np.uint8))
    monkeypatch.setattr(syncnet_v2, "read", lambda path: Flat())
    return filmed.Published(Path("unread"), tmp_path)


def clip(first: int, frames: int, shifted: int = 0) -> Clip:
    return Clip(
        "a", "a", "test", "film.mp4", "ab" * 32, None, first / 25, frames, 99, 1.0, None, None, True,
        (8.0, 8.0, 40.0, 40.0), shifted=shifted,
    )  # fmt: skip


def test_the_published_expert_is_shown_the_frames_of_the_clip_and_told_its_sound(published):
    frames, samples = published.frames(clip(5, 12))
    assert [int(frame[32, 32].mean()) for frame in frames] == pytest.approx(
        [90 + 10 * each for each in range(12)], abs=4
    )
    assert len(samples) == 12 * 640
    loud = np.abs(samples).reshape(12, 640).mean(1)
    assert loud[:4].max() < 0.02 < 0.1 < loud[6:11].min()


def test_sound_that_the_pack_has_moved_is_moved_for_the_published_expert_too(published):
    loud = np.abs(published.frames(clip(5, 12, shifted=3))[1]).reshape(12, 640).mean(1)
    assert loud[:1].max() < 0.02 < 0.1 < loud[3:8].min()
    early = np.abs(published.frames(clip(0, 20, shifted=-4))[1]).reshape(20, 640).mean(1)
    assert early[:13].max() < 0.02 < 0.1 < early[15:19].min()


def test_boxes_of_all_extents_are_scored(published):
    boxes = np.linspace([8, 8, 40, 40], [10.3, 9.1, 45.7, 47.2], 12)
    score = published.score(clip(5, 12), np.zeros((12, 96, 96, 3), np.uint8), boxes)
    assert np.isfinite(score.distance)
    assert published.score(clip(5, 5), np.zeros((5, 96, 96, 3), np.uint8), boxes[:5]) is None


def test_a_crop_goes_back_to_where_it_was_cut_from():
    frame = np.zeros((60, 80, 3), np.uint8)
    pasted = filmed.paste(frame, np.full((96, 96, 3), 200, np.uint8), np.array([50.0, 10.0, 90.0, 40.0]))
    assert (pasted[10:40, 50:80] == 200).all()
    assert pasted.sum() == 30 * 30 * 200 * 3
    assert frame.sum() == 0


def test_a_crop_goes_back_to_fractions_of_pixels():
    y, x = np.mgrid[:80, :80].astype(np.float32)
    frame = np.stack([2 * x + 20, 2 * y + 20, x + y], axis=2).astype(np.uint8)
    box = np.array([20.4, 15.7, 58.9, 61.2])
    pasted = filmed.paste(frame, tracks.crop(frame, tuple(box)), box)
    assert np.abs(pasted[18:58, 23:56].astype(int) - frame[18:58, 23:56]).max() <= 2


def test_the_published_expert_sees_a_square_that_reaches_below_the_chin():
    frame = np.zeros((200, 200, 3), np.uint8)
    frame[80:120, 90:110] = 255
    cut = filmed.cut(frame, np.array([90.0, 80.0, 110.0, 120.0]))  # half side 20, so 56 pixels
    assert cut.shape == (56, 56, 3)
    rows, columns = np.nonzero(cut[..., 0])
    assert (rows.min(), rows.max()) == (0, 39)
    assert (columns.min(), columns.max()) == (18, 37)


def test_the_published_expert_sees_grey_beyond_the_picture():
    cut = filmed.cut(np.zeros((40, 40, 3), np.uint8), np.array([0.0, 0.0, 20.0, 20.0]))
    assert cut.shape == (28, 28, 3)
    assert (cut[:, :3] == filmed.BEYOND).all()
    assert (cut[5, 5:] == 0).all()
