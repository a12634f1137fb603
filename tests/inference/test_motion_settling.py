import numpy as np
import pytest
import torch

from inference.motion import rotations, settling
from inference.motion.clip import Motion


def turning(angles) -> Motion:
    """The left shoulder at these angles about z, frame by frame."""
    about = torch.zeros(len(angles), 24, 3)
    about[:, 16, 2] = torch.as_tensor(angles, dtype=torch.float32)
    matrices = rotations.matrix_from_axis_angle(about)
    return Motion.from_matrices(matrices.numpy(), np.zeros((len(angles), 3), np.float32))


def angles_of(motion: Motion) -> np.ndarray:
    return rotations.axis_angle_from_matrix(torch.as_tensor(motion.matrices()))[:, 16, 2].numpy()


@pytest.mark.parametrize(("hertz", "least", "most"), [(0.0, 1.0, 1.0), (3.0, 0.96, 1.0), (12.0, 0.0, 0.03)])
def test_what_moves_as_a_body_does_stays_and_what_trembles_goes(hertz, least, most):
    waved = torch.cos(2 * np.pi * hertz * torch.arange(300) / 30)[:, None]
    kept = settling.calmed(waved)[30:-30].abs().max()
    assert least - 1e-5 <= kept <= most + 1e-5


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_motion_of_few_frames_is_calmed_to_as_many(frames):
    held = torch.full((frames, 4), 3.0)
    assert torch.allclose(settling.calmed(held), held)


def test_a_steady_way_is_kept_to_its_ends():
    way = torch.arange(20.0)[:, None]
    assert torch.allclose(settling.calmed(way), way, atol=1e-5)


def test_a_joint_that_leaps_is_led_over_evenly_and_what_is_around_stays():
    motion = turning(np.where(np.arange(40) < 20, 0.0, 2.7))
    found = angles_of(settling.bridged(motion))
    assert np.allclose(found[:16], 0, atol=1e-4)
    assert np.allclose(found[24:], 2.7, atol=1e-4)
    assert np.allclose(np.diff(found)[15:24], 2.7 / 9, atol=1e-3)


def test_a_leap_there_and_back_is_no_leap_at_all():
    angles = np.zeros(40)
    angles[20] = 2.0
    assert np.abs(angles_of(settling.bridged(turning(angles)))).max() < 1e-4


def test_a_fast_turn_of_a_dancer_is_left_alone():
    motion = turning(np.cumsum(np.full(40, 0.9)))
    assert settling.bridged(motion) is motion


def test_leaps_at_the_very_ends_are_led_over_as_far_as_there_are_frames():
    motion = turning(np.array([0.0, 2.0, 2.0]))
    assert np.allclose(angles_of(settling.bridged(motion)), [0, 1, 2], atol=1e-4)
