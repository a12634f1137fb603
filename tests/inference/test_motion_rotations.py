"""Rotations survive the way through every form, at the identity and at half turns too."""

import math

import pytest
import torch

from inference.motion import rotations

QUARTER = math.pi / 2


@pytest.fixture(scope="module")
def turns() -> torch.Tensor:
    """Rotations of all angles, with the identity, a tiny turn and half turns about each axis, float64 [N, 3, 3]."""
    vectors = 1.5 * torch.randn(200, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    special = [torch.zeros(1, 3), 1e-9 * torch.ones(1, 3), math.pi * torch.eye(3), QUARTER * torch.eye(3)]
    return rotations.matrix_from_axis_angle(torch.cat([vectors, *(part.double() for part in special)]))


def test_a_vector_turns_by_its_length_about_its_direction_by_the_right_hand():
    about_y = rotations.matrix_from_axis_angle(torch.tensor([0.0, QUARTER, 0.0]))
    assert torch.allclose(about_y @ torch.tensor([0.0, 0.0, 1.0]), torch.tensor([1.0, 0.0, 0.0]), atol=1e-6)


def test_six_numbers_are_the_first_column_and_then_the_second():
    matrix = rotations.matrix_from_axis_angle(torch.tensor([0.3, -0.7, 1.1]))
    assert torch.equal(rotations.sixd_from_matrix(matrix), torch.cat((matrix[:, 0], matrix[:, 1])))


def test_any_six_numbers_make_a_rotation():
    matrix = rotations.matrix_from_6d(torch.randn(50, 6, generator=torch.Generator().manual_seed(2)))
    assert torch.allclose(matrix.mT @ matrix, torch.eye(3).expand(50, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(matrix), torch.ones(50), atol=1e-5)
    assert rotations.matrix_from_6d(torch.zeros(6)).isfinite().all()


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (rotations.sixd_from_matrix, rotations.matrix_from_6d),
        (rotations.quaternion_from_matrix, rotations.matrix_from_quaternion),
        (rotations.axis_angle_from_matrix, rotations.matrix_from_axis_angle),
    ],
)
def test_every_form_comes_back(turns, there, back):
    assert torch.allclose(back(there(turns)), turns, atol=1e-6)


@pytest.mark.parametrize("order", ["ZXY", "XYZ", "YXZ", "ZYX", "XZY", "YZX"])
def test_euler_angles_come_back_in_every_order_also_at_their_poles(turns, order):
    assert torch.allclose(
        rotations.matrix_from_euler(rotations.euler_from_matrix(turns, order), order), turns, atol=2e-6
    )


def test_the_first_euler_axis_is_the_outermost():
    angles = torch.tensor([QUARTER, 0.0, QUARTER])
    turned = rotations.matrix_from_euler(angles, "ZXY") @ torch.tensor([0.0, 0.0, 1.0])
    assert torch.allclose(turned, torch.tensor([0.0, 1.0, 0.0]), atol=1e-6)  # about y to +x, then about z to +y


def test_quaternions_begin_with_w_and_are_on_its_positive_side(turns):
    assert (rotations.quaternion_from_matrix(turns)[:, 0] >= 0).all()
    assert torch.equal(rotations.quaternion_from_matrix(torch.eye(3)), torch.tensor([1.0, 0.0, 0.0, 0.0]))


def test_slerp_goes_evenly_by_the_shorter_way():
    start = rotations.quaternion_from_matrix(torch.eye(3))
    end = -rotations.quaternion_from_matrix(rotations.matrix_from_axis_angle(torch.tensor([0.0, 0.0, 1.2])))
    for share in (0.0, 0.25, 1.0):
        between = rotations.matrix_from_quaternion(rotations.slerp(start, end, torch.tensor(share)))
        assert rotations.axis_angle_from_matrix(between)[2] == pytest.approx(1.2 * share, abs=1e-5)


def test_the_least_turn_brings_one_direction_to_another_also_the_opposite():
    one = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0], [0.6, 0.8, 0]])
    other = torch.tensor([[0.0, 0, 1], [0, 1, 0], [0, 0, -1], [-1, 0, 0], [-0.6, -0.8, 0]])
    turned = (rotations.least_turn(5 * one, 3 * other) @ one[..., None])[..., 0]
    assert torch.allclose(turned, other, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda vector: rotations.axis_angle_from_matrix(rotations.matrix_from_axis_angle(vector)),
        lambda vector: rotations.quaternion_from_matrix(rotations.matrix_from_axis_angle(vector)),
    ],
)
def test_gradients_are_finite_at_the_identity(change):
    vector = torch.zeros(3, requires_grad=True)
    change(vector).sum().backward()
    assert vector.grad.isfinite().all()
    assert vector.grad.abs().sum() > 0.1
