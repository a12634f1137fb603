import numpy as np
import pytest
import torch

from training.metrics import lse


def waves(*shape: int) -> torch.Tensor:
    count = int(np.prod(shape))
    return torch.from_numpy(np.sin(np.arange(count) ** 1.5 * 0.37 + 1).reshape(shape).astype(np.float32))


def test_the_figures_are_those_of_syncnets_own_code():
    """Its calc_pdist and what follows it, run once on the same vectors; its offset is ours with the other sign."""
    seen = waves(20, 8)
    heard = torch.roll(seen, 3, 0) * 0.9 + 0.1 * waves(8, 20).T
    mean = lse.distances(seen, heard)
    assert mean[[0, 7, 15, 30]] == pytest.approx([2.1362636, 2.3654826, 2.5054395, 2.0000398], abs=1e-5)
    found = lse.score(mean)
    assert (found.distance, found.confidence) == pytest.approx((0.5173069, 1.8165243), abs=1e-5)
    assert found.offset == 3


@pytest.mark.parametrize("late", [-15, -4, 0, 7])
def test_sound_that_comes_later_than_its_picture_has_a_positive_offset(late):
    vectors = waves(60, 16)
    heard = torch.roll(vectors, late, 0)
    assert lse.score(lse.distances(vectors, heard)).offset == late


def test_beyond_the_clip_there_are_zero_vectors():
    mean = lse.distances(torch.tensor([[3.0, 4.0]]), torch.tensor([[3.0, 4.0]]))
    assert mean[[0, 14, 16, 30]] == pytest.approx(5, abs=1e-4)
    assert mean[15] == pytest.approx(0, abs=1e-4)


def test_a_clip_has_five_windows_less_than_whole_frames_of_both():
    assert lse.windows(75, 80) == 70
    assert lse.windows(75, 50) == 45
    assert lse.windows(4, 80) == 0


def test_as_many_windows_are_heard_as_seen():
    with pytest.raises(ValueError, match="3 windows are seen and 4 heard"):
        lse.distances(waves(3, 8), waves(4, 8))
