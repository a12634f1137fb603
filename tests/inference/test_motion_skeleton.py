"""The skeleton stands in a T-pose, facing +z with its left towards +x, and its joints turn as they do in life."""

import numpy as np
import pytest
import torch

from inference.motion import kinematics, rotations
from inference.motion.skeleton import (
    ANKLE_HEIGHT,
    FACE,
    FOOT_HEIGHT,
    HEIGHT,
    INDEX,
    JOINTS,
    MIRROR,
    OFFSETS,
    PARENTS,
    REST,
    other_side,
)

LEFT, UP, AHEAD = 0, 1, 2


def posed(**degrees: tuple[float, float, float]) -> dict[str, np.ndarray]:
    """Turn some joints by rotation vectors in degrees and give where every joint is, the pelvis at its height."""
    vectors = torch.zeros(len(JOINTS), 3)
    for name, turn in degrees.items():
        vectors[INDEX[name]] = torch.deg2rad(torch.tensor(turn))
    placed = kinematics.forward(rotations.matrix_from_axis_angle(vectors), torch.tensor([0.0, HEIGHT, 0.0]))
    return dict(zip(JOINTS, placed.numpy(), strict=True))


def test_joints_come_in_the_order_of_smpl_and_parents_before_children():
    assert len(JOINTS) == len(set(JOINTS)) == 24
    assert (JOINTS[4], JOINTS[10], JOINTS[16], JOINTS[23]) == ("left_knee", "left_foot", "left_shoulder", "right_hand")
    assert PARENTS == (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)


def test_at_rest_the_left_is_at_plus_x_and_toes_and_nose_point_to_plus_z():
    at = posed()
    for name in ("hip", "knee", "ankle", "foot", "shoulder", "elbow", "wrist", "hand"):
        assert at[f"left_{name}"][LEFT] > 0 > at[f"right_{name}"][LEFT]
    assert at["left_foot"][AHEAD] > at["left_ankle"][AHEAD] + 0.1
    assert FACE["nose"][AHEAD] > FACE["left_ear"][AHEAD]
    assert FACE["left_ear"][LEFT] > 0


def test_at_rest_it_stands_on_the_floor_as_tall_as_an_adult():
    at = posed()
    assert at["left_foot"][UP] == pytest.approx(FOOT_HEIGHT)
    assert at["right_ankle"][UP] == pytest.approx(ANKLE_HEIGHT)
    assert 1.5 < at["head"][UP] < 1.7
    assert np.allclose(np.stack(list(at.values())), REST, atol=1e-6)


def test_the_mirror_swaps_sides_and_nothing_else():
    assert MIRROR[INDEX["left_knee"]] == INDEX["right_knee"]
    assert MIRROR[INDEX["neck"]] == INDEX["neck"]
    assert other_side("left_eye") == "right_eye"
    assert other_side("nose") == "nose"
    assert np.array_equal(OFFSETS[list(MIRROR)] * (-1, 1, 1), OFFSETS)


def test_a_knee_bent_about_x_takes_the_foot_back():
    at = posed(left_knee=(90, 0, 0))
    assert at["left_ankle"][AHEAD] < at["left_knee"][AHEAD] - 0.35
    assert at["left_ankle"][UP] == pytest.approx(at["left_knee"][UP], abs=0.05)
    assert np.allclose(at["right_ankle"], REST[INDEX["right_ankle"]], atol=1e-6)


def test_a_thigh_turned_about_minus_x_lifts_the_knee_in_front():
    at = posed(right_hip=(-90, 0, 0))
    assert at["right_knee"][AHEAD] > 0.35
    assert at["right_knee"][LEFT] < 0


@pytest.mark.parametrize(("side", "sign"), [("left", 1), ("right", -1)])
def test_arms_rise_about_z_and_elbows_bend_forward_about_y(side, sign):
    raised = posed(**{f"{side}_shoulder": (0, 0, 90 * sign)})
    assert raised[f"{side}_wrist"][UP] > raised["head"][UP] + 0.2
    bent = posed(**{f"{side}_elbow": (0, -90 * sign, 0)})
    assert bent[f"{side}_wrist"][AHEAD] > bent[f"{side}_elbow"][AHEAD] + 0.2
    assert bent[f"{side}_wrist"][LEFT] * sign > 0.3


def test_a_quarter_turn_of_the_pelvis_to_its_left_faces_plus_x():
    at = posed(pelvis=(0, 90, 0))
    assert at["left_foot"][LEFT] > at["left_ankle"][LEFT] + 0.1
    assert at["left_hip"][AHEAD] < 0 < at["right_hip"][AHEAD]


def test_local_rotations_come_back_from_those_in_the_world():
    local = rotations.matrix_from_axis_angle(torch.randn(5, 24, 3, generator=torch.Generator().manual_seed(1)))
    world, _ = kinematics.pose(local, torch.zeros(5, 3))
    assert torch.allclose(kinematics.local_from_world(world), local, atol=1e-5)


def test_every_rotation_on_the_way_to_a_joint_has_a_gradient():
    local = torch.eye(3).repeat(24, 1, 1).requires_grad_()
    kinematics.forward(local, torch.zeros(3))[INDEX["left_hand"]].sum().backward()
    moved = {JOINTS[joint] for joint in range(24) if local.grad[joint].abs().sum() > 0}
    assert moved == {"pelvis", "spine1", "spine2", "spine3"} | {
        f"left_{name}" for name in ("collar", "shoulder", "elbow", "wrist")
    }


def test_the_floor_is_found_below_jumps_and_above_a_glitch():
    clip = np.tile(REST, (100, 1, 1)) + np.array([0, 0.4, 0])
    clip[30:60, :, 1] += 0.5
    clip[70, :, 1] -= 1
    assert kinematics.floor(clip) == pytest.approx(0.4, abs=1e-5)
