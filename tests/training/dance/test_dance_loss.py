"""The terms of the losses, on motion whose answers are known."""

import numpy as np
import pytest
import torch

from inference.motion.clip import FPS, Motion
from inference.motion.skeleton import HEIGHT
from training.dance import loss
from training.dance.discriminator import Discriminator


def standing(frames: int, speed: float = 0.0) -> torch.Tensor:
    """Vectors [1, T, 151] of a T-pose that is carried along x at so many metres a second."""
    matrices = np.tile(np.eye(3, dtype=np.float32), (frames, 24, 1, 1))
    root = np.stack([speed * np.arange(frames) / FPS, np.full(frames, HEIGHT), np.zeros(frames)], 1)
    return torch.from_numpy(Motion.from_matrices(matrices, root, standing=np.ones((frames, 4))).to_vector())[None]


def test_joints_are_where_the_motion_has_them():
    motion = standing(3, 1.0)
    assert np.allclose(loss.joints(motion)[0], Motion.from_vector(motion[0].numpy()).positions(), atol=1e-6)


def test_distances_are_square_metres():
    there, moved = loss.joints(standing(3)), loss.joints(standing(3) + torch.eye(151)[4] * 0.3)
    assert float(loss.distances(moved, there)) == pytest.approx(0.09, rel=1e-4)


def test_sliding_is_the_squared_speed_of_feet_that_should_stand():
    motion = standing(6, speed=2.0)
    assert float(loss.sliding(loss.joints(motion), motion[..., :4])) == pytest.approx(4.0, rel=1e-3)
    assert float(loss.sliding(loss.joints(motion), torch.zeros(1, 6, 4))) == 0
    once = torch.zeros(1, 6, 4)
    once[:, 2] = 1  # a foot that stands in one frame alone has no speed while it stands
    assert float(loss.sliding(loss.joints(motion), once)) == 0


def test_velocities_forgive_where_and_not_how_fast():
    first = standing(5)
    assert float(loss.velocities(first + 1, first)) == pytest.approx(0, abs=1e-10)
    assert float(loss.velocities(standing(5, 3.0), first)) == pytest.approx(0.01 / 151, rel=1e-3)


def test_geometry_teaches_rotations():
    motion = standing(4).requires_grad_()
    loss.distances(loss.joints(motion), torch.zeros(1, 4, 24, 3)).backward()
    assert motion.grad[..., 7:].abs().sum() > 0
    assert motion.grad.isfinite().all()


def test_a_discriminator_that_is_sure_has_nothing_to_learn():
    assert float(loss.hinge(torch.full((3,), 1.5), torch.full((3,), -1.5))) == 0
    assert float(loss.hinge(torch.zeros(3), torch.zeros(3))) == 2
    assert float(loss.persuasion(torch.full((3,), 2.0))) == -2


def test_the_penalty_is_the_squared_slope():
    real = torch.randn(2, 5, 3, requires_grad=True)
    assert float(loss.penalty(2 * real.sum((1, 2)), real)) == pytest.approx(4 * 15)


def test_a_discriminator_judges_stretches_by_motion_and_music():
    torch.manual_seed(0)
    network, motion, music = Discriminator(8), torch.randn(2, 64, 151), torch.randn(2, 64, 37)
    said = network(motion, music)
    assert said.shape == (2, 8)
    assert not torch.allclose(said, network(motion, music.flip(1)))
    late = motion.clone()
    late[:, 60:] += 1
    assert torch.equal(network(late, music)[:, :4], said[:, :4])
