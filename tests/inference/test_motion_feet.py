"""Feet that stand neither slide nor sink after the lock, and what needs nothing stays as it was."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from inference.motion import feet, kinematics, rotations
from inference.motion.clip import Motion
from inference.motion.contacts import CONTACT_JOINTS, STANDING
from inference.motion.skeleton import ANKLE_HEIGHT, HEIGHT, INDEX, JOINTS

FRAMES = 60
FEET = list(CONTACT_JOINTS)
LEFT_BALL, RIGHT_BALL = INDEX["left_foot"], INDEX["right_foot"]


def crouched(frames: int = FRAMES) -> Motion:
    """Give somebody who stands still with bent knees, soles flat on the floor."""
    vectors = np.zeros((frames, len(JOINTS), 3), np.float32)
    for side in ("left", "right"):
        for name, degrees in (("hip", -25), ("knee", 50), ("ankle", -25)):
            vectors[:, INDEX[f"{side}_{name}"], 0] = np.radians(degrees)
    matrices = rotations.matrix_from_axis_angle(torch.from_numpy(vectors))
    root = np.tile([0.0, HEIGHT, 0.0], (frames, 1)).astype(np.float32)
    low = kinematics.forward(matrices, torch.from_numpy(root))[0, LEFT_BALL, 1].item() - STANDING[1]
    root[:, 1] -= low
    return Motion.from_matrices(matrices.numpy(), root)


def skating() -> Motion:
    """Give one whose whole body slides to the side and up and down while both feet are said to stand."""
    motion = crouched()
    slide = np.zeros((FRAMES, 3), np.float32)
    slide[:, 0] = np.linspace(0, 0.15, FRAMES)
    slide[:, 1] = 0.03 * np.sin(np.arange(FRAMES) / 4)
    return replace(motion, root=motion.root + slide)


def travel(points: np.ndarray) -> float:
    """Give how far points [T, K, 3] come from where they were, at most."""
    return float(np.ptp(points, axis=0).max())


def test_feet_that_stand_flat_still_need_nothing_and_are_kept_to_the_bit():
    motion = crouched()
    assert motion.contacts.all()
    locked = feet.lock(motion)
    assert np.array_equal(locked.rotations, motion.rotations)
    assert np.array_equal(locked.root, motion.root)


def test_feet_that_slide_while_they_stand_are_held_on_the_floor():
    motion = skating()
    assert travel(motion.positions()[:, FEET]) > 0.14
    soles = feet.lock(motion).positions()[:, FEET]
    assert travel(soles) < 0.001
    assert np.allclose(soles[..., 1], STANDING, atol=0.001)


def test_the_body_goes_its_way_above_held_feet_and_legs_keep_their_lengths():
    motion = skating()
    locked = feet.lock(motion)
    at, was = locked.positions(), motion.positions()
    assert np.allclose(at[:, INDEX["head"]], was[:, INDEX["head"]], atol=0.02)
    assert np.array_equal(locked.rotations[:, INDEX["left_elbow"]], motion.rotations[:, INDEX["left_elbow"]])
    assert np.array_equal(locked.contacts, motion.contacts)


def test_a_knee_goes_on_bending_forward():
    at = feet.lock(skating()).positions()
    for side in ("left", "right"):
        hip, knee, ankle = (at[:, INDEX[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
        assert (knee - (hip + ankle) / 2)[:, 2].min() > 0.05


def test_a_knee_that_is_straight_and_a_little_past_it_bends_forward_in_every_frame():
    motion = crouched()
    vectors = np.zeros((FRAMES, len(JOINTS), 3), np.float32)
    past = 3 * np.sin(np.arange(FRAMES))  # degrees, to and fro, as captured legs tremble
    vectors[:, [INDEX["left_knee"], INDEX["right_knee"]], 0] = np.radians(past)[:, None]
    matrices = rotations.matrix_from_axis_angle(torch.from_numpy(vectors)).numpy()
    sunk = np.tile(np.float32([0, HEIGHT - 0.05, 0]), (FRAMES, 1))
    at = feet.lock(Motion.from_matrices(matrices, sunk, 30, motion.contacts)).positions()
    for side in ("left", "right"):
        hip, knee, ankle = (at[:, INDEX[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
        assert (knee - (hip + ankle) / 2)[:, 2].min() > 0.05
        assert np.abs(np.diff(knee, axis=0)).max() < 0.04


def test_a_knee_that_is_bent_keeps_the_plane_in_which_it_bends():
    motion = skating()
    matrices = motion.matrices()
    turn = rotations.matrix_from_axis_angle(torch.tensor([0.0, 2.0, 0.0])).numpy()
    for side in ("left", "right"):  # a thigh that was fitted with a twist, which its knee takes back
        hip, knee = INDEX[f"{side}_hip"], INDEX[f"{side}_knee"]
        matrices[:, hip], matrices[:, knee] = matrices[:, hip] @ turn, turn.T @ matrices[:, knee] @ turn
        matrices[:, INDEX[f"{side}_ankle"]] = turn.T @ matrices[:, INDEX[f"{side}_ankle"]]
    twisted = replace(Motion.from_matrices(matrices, motion.root), contacts=motion.contacts)
    was, at = (each.positions()[:, INDEX["left_knee"]] for each in (twisted, feet.lock(twisted)))
    assert np.abs(at - was)[:, 2].max() < 0.08


def test_the_pelvis_goes_down_where_a_leg_is_too_short():
    motion = crouched()
    motion = replace(motion, root=motion.root + np.array([0, 0.14, 0], np.float32))
    locked = feet.lock(motion)
    assert np.allclose(locked.positions()[:, FEET, 1], STANDING, atol=0.002)
    assert (locked.root[:, 1] < motion.root[:, 1] - 0.05).all()


def test_a_foot_goes_into_and_out_of_its_place_without_a_jump():
    motion = skating()
    standing = motion.contacts.copy()
    standing[:20] = 0
    standing[40:] = 0
    locked = feet.lock(replace(motion, contacts=standing))
    moved = np.linalg.norm(np.diff(locked.positions()[:, FEET], axis=0), axis=-1)
    assert moved.max() < 0.03
    assert np.allclose(locked.rotations[:10], motion.rotations[:10])
    assert travel(locked.positions()[20:40, FEET]) < 0.001


def test_a_foot_in_the_air_is_left_alone():
    motion = crouched()
    matrices = motion.matrices()
    lifted = rotations.matrix_from_axis_angle(torch.tensor([-0.8, 0.0, 0.0])).numpy()
    matrices[:, INDEX["left_hip"]] = lifted @ matrices[:, INDEX["left_hip"]]
    standing = motion.contacts * np.array([0, 0, 1, 1], np.float32)
    motion = Motion.from_matrices(matrices, motion.root, 30, standing)
    assert np.array_equal(feet.lock(motion).rotations, motion.rotations)


def test_feet_that_are_below_the_floor_come_up_though_they_do_not_stand():
    motion = crouched()
    sunk = replace(motion, root=motion.root - np.array([0, 0.06, 0], np.float32), contacts=0 * motion.contacts)
    at = feet.lock(sunk).positions()
    assert (at[:, FEET, 1] > STANDING - 0.001).all()


def test_toes_that_dip_are_raised_about_the_ankle():
    motion = crouched()
    matrices = motion.matrices()
    matrices[:, INDEX["left_ankle"]] = np.eye(3)  # the foot stays in line with a shin that leans forward
    at = feet.lock(Motion.from_matrices(matrices, motion.root, 30, 0 * motion.contacts)).positions()
    assert at[:, LEFT_BALL, 1].min() > STANDING[1] - 0.001
    assert np.allclose(at[:, INDEX["left_ankle"]], motion.positions()[:, INDEX["left_ankle"]], atol=0.001)


def test_a_contact_that_strays_too_far_is_a_step_and_not_a_stretched_leg():
    motion = crouched()
    slide = np.zeros((FRAMES, 3), np.float32)
    slide[:, 0] = np.linspace(0, 1.0, FRAMES)
    locked = feet.lock(replace(motion, root=motion.root + slide))
    at = locked.positions()
    assert np.abs(at[:, LEFT_BALL, 0] - at[:, 0, 0]).max() < 0.35


def test_a_jump_is_not_pulled_down_by_a_wrong_contact():
    motion = crouched()
    up = np.zeros((FRAMES, 3), np.float32)
    up[25:35, 1] = 0.4
    jump = replace(motion, root=motion.root + up)
    assert np.allclose(feet.lock(jump).root[28:32], jump.root[28:32], atol=0.01)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_whatever_a_network_makes_of_a_few_frames_stays_finite_and_above_the_floor(frames):
    noise = np.random.default_rng(frames).standard_normal((frames, 151)).astype(np.float32)
    locked = feet.lock(Motion.from_vector(noise))
    assert len(locked) == frames
    assert locked.positions()[:, FEET, 1].min() > -0.2


def test_a_motion_is_put_on_the_floor_by_its_soles():
    motion = crouched()
    lifted = replace(motion, root=motion.root + np.array([0, 1.3, 0], np.float32), contacts=0 * motion.contacts)
    settled = feet.on_floor(lifted)
    assert settled.positions()[:, FEET, 1].min() == pytest.approx(min(STANDING), abs=1e-4)
    assert settled.contacts.all()


def test_the_way_through_the_room_comes_back_from_the_foot_that_bears():
    motion = crouched()
    matrices = motion.matrices()
    # A step: the right foot is up while the body goes ahead over the left one, which turns back under it.
    turn = np.radians(np.linspace(0, 20, FRAMES))
    vectors = torch.zeros(FRAMES, 3)
    vectors[:, 0] = torch.from_numpy(turn)
    matrices[:, INDEX["left_hip"]] = rotations.matrix_from_axis_angle(vectors).numpy() @ matrices[:, INDEX["left_hip"]]
    matrices[:, INDEX["right_hip"]] = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    still = Motion.from_matrices(matrices, 0 * motion.root, 30, motion.contacts)
    ahead = feet.travelled(still)
    left = ahead.positions()[:, [INDEX["left_ankle"], LEFT_BALL]]
    assert ahead.root[-1, 2] > 0.2
    assert np.minimum(*(np.ptp(left[:, foot, 2]) for foot in (0, 1))) < 0.03
    assert np.abs(left[:, :, 1].min(1) - STANDING[:2].min()).max() < ANKLE_HEIGHT
