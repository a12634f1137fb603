import numpy as np
import pytest

from inference import offsets
from inference.networks import wav2lip
from tests.experts import Reader


def clip(count: int, later: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Make frames of random brightness and a mel of the same levels, heard `later` frames later."""
    values = np.random.default_rng(seed).integers(0, 256, count + 40).astype(np.uint8)
    seen = values[20 : 20 + count]
    frames = np.broadcast_to(seen[:, None, None, None], (count, 96, 96, 3)).copy()
    columns = np.arange(round(count * 3.2) + 1)
    heard = values[np.floor(columns / 3.2).astype(int) - later + 20] / 255
    return frames, np.broadcast_to(heard, (80, len(columns))).astype(np.float32)


@pytest.mark.parametrize("later", [-15, -7, -1, 0, 1, 7, 15])
def test_a_planted_offset_is_found_with_its_sign(later):
    found = offsets.sweep(Reader(), *clip(75, later))
    offset, confidence = offsets.read(found)
    assert offset == later
    assert found[later + 15] == pytest.approx(0, abs=0.02)
    assert confidence > 0.3


def test_an_offset_moves_by_exactly_what_a_clip_is_shifted():
    frames, mel = clip(75, 2)
    moved = offsets.sweep(Reader(), frames[5:], mel[:, : -5 * 16 // 5])
    assert offsets.read(moved)[0] == offsets.read(offsets.sweep(Reader(), frames, mel))[0] + 5


def test_only_pairs_within_the_clip_are_counted():
    pairs = offsets.distances(Reader(), *clip(30, 0), span=6)
    assert pairs.shape == (26, 13)
    assert np.isnan(pairs[:6, 0]).all()
    assert not np.isnan(pairs[6:, 0]).any()
    assert np.isnan(pairs[-6:, 12]).all()
    assert not np.isnan(pairs[:, 6]).any()


def test_batches_do_not_show(monkeypatch):
    whole = offsets.distances(Reader(), *clip(75, 3))
    monkeypatch.setattr(offsets, "BATCH", 7)
    assert np.array_equal(whole, offsets.distances(Reader(), *clip(75, 3)), equal_nan=True)


def test_a_sound_longer_or_shorter_than_the_picture_is_compared_where_there_are_both():
    frames, mel = clip(60, -3)
    assert offsets.read(offsets.sweep(Reader(), frames[:40], mel))[0] == -3
    assert offsets.read(offsets.sweep(Reader(), frames, mel[:, :130]))[0] == -3


def test_a_clip_too_short_to_compare_has_no_offset():
    frames, mel = clip(75, 0)
    assert np.isnan(offsets.sweep(Reader(), frames[:4], mel)).all()
    assert offsets.read(offsets.sweep(Reader(), frames, mel[:, :10])) == (0, 0.0)


def test_an_expert_in_training_is_refused():
    with pytest.raises(ValueError, match="eval"):
        offsets.sweep(Reader().train(), *clip(20, 0))


def test_the_real_network_is_swept():
    expert = wav2lip.SyncNet(wav2lip.Wav2LipConfig(width=0.125)).eval()
    found = offsets.sweep(expert, *clip(20, 0), span=3)
    assert found.shape == (7,)
    assert np.isfinite(found).all()
