"""Points of a body become the motion of the canonical skeleton: the right side on the right, in any unit and size."""

import pickle

import numpy as np
import pytest
import torch

from inference.errors import UserError
from inference.motion import bones, kinematics, limits, points, rotations, solving
from inference.motion.points import SETS, PointSet
from inference.motion.skeleton import HEIGHT, INDEX, JOINTS, OFFSETS, SMPL_PELVIS

COCO, MELODY = SETS["coco17"], SETS["melody23"]
FRAMES = 24
# Degrees that joints turn by in the course of the dance below.
DANCE = {
    "pelvis": (0, 60, 0),
    "left_shoulder": (0, 0, 70),
    "right_shoulder": (0, 20, 60),
    "left_elbow": (0, -80, 0),
    "right_elbow": (0, 30, 0),
    "left_hip": (-60, 0, 10),
    "left_knee": (80, 0, 0),
    "right_hip": (-10, 0, -5),
    "right_knee": (15, 0, 0),
    "spine2": (10, 0, 5),
}


def danced(frames: int = FRAMES) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn all that dances from rest to its degrees: local rotations [T, 24, 3, 3] and the pelvis [T, 3]."""
    vectors = torch.zeros(frames, len(JOINTS), 3)
    for name, degrees in DANCE.items():
        vectors[:, INDEX[name]] = torch.linspace(0, 1, frames)[:, None] * torch.deg2rad(torch.tensor(degrees).float())
    root = torch.tensor([[0.0, HEIGHT, 0.0]]) + torch.linspace(0, 0.4, frames)[:, None] * torch.tensor([1.0, 0, 0])
    return rotations.matrix_from_axis_angle(vectors), root


def shown(told: PointSet, matrices: torch.Tensor, root: torch.Tensor, offsets: np.ndarray = OFFSETS) -> np.ndarray:
    """Give where the points of a body are, [T, K, 3]."""
    turned, placed = kinematics.pose(matrices, root, offsets)
    carriers = list(told.joints)
    attached = torch.from_numpy(told.offsets)[None, :, :, None]
    return (placed[:, carriers] + (turned[:, carriers] @ attached)[..., 0]).numpy()


def test_coco_points_in_centimetres_become_the_dance_that_they_show():
    matrices, root = danced()
    seen = 100 * shown(COCO, matrices, root) + (30, 70, -200)  # nowhere near the origin or the floor
    motion, off = solving.fit(seen, COCO, 30)
    assert off.shape == (17,)
    assert off.max() < 0.01
    expected = kinematics.forward(matrices, root - root[0] * torch.tensor([1.0, 0, 1])).numpy()
    limbs = [INDEX[name] for name in points.LIMBS]
    assert np.linalg.norm(motion.positions() - expected, axis=-1)[:, limbs].max() < 0.03


def test_a_taller_body_with_longer_legs_dances_the_same_dance():
    matrices, root = danced()
    offsets = 1.2 * OFFSETS
    legs = [INDEX[f"{side}_{name}"] for side in ("left", "right") for name in ("knee", "ankle")]
    offsets[legs] *= 1.1
    motion, off = solving.fit(shown(COCO, matrices, root, offsets), COCO, 30)
    assert off.max() < 0.02
    between = rotations.axis_angle_from_matrix(torch.from_numpy(motion.matrices()).mT @ matrices).norm(dim=-1)
    bent = [INDEX[name] for name in ("left_knee", "left_elbow", "left_hip")]
    assert between[-1, bent].rad2deg().max() < 8
    feet = motion.positions()[:, [INDEX["right_ankle"], INDEX["right_foot"]], 1]
    assert abs(feet.min()) < 0.05


def test_knees_and_elbows_bend_as_in_life_and_joints_keep_to_their_ranges():
    motion, _ = solving.fit(shown(COCO, *danced()), COCO, 30)
    vectors = rotations.axis_angle_from_matrix(torch.from_numpy(motion.matrices()))
    assert limits.excess(vectors).abs().max().rad2deg() < 3
    assert vectors[-1, INDEX["left_knee"], 0].rad2deg() == pytest.approx(80, abs=8)
    assert vectors[-1, INDEX["left_elbow"], 1].rad2deg() == pytest.approx(-80, abs=8)


def test_the_mirrored_points_of_the_ballroom_takes_come_out_with_left_on_the_left():
    matrices, root = danced()
    seen = shown(MELODY, matrices, root) * (-1, 1, 1)
    motion, off = solving.fit(seen - seen.mean(1, keepdims=True), MELODY, 25)
    assert off.mean() < 0.01
    at = motion.positions()[-1]
    assert at[INDEX["left_knee"], 1] > at[INDEX["right_knee"], 1] + 0.1
    assert at[INDEX["left_wrist"], 1] > at[INDEX["right_wrist"], 1] + 0.1
    turned = rotations.axis_angle_from_matrix(torch.from_numpy(motion.matrices()[-1, 0]))
    assert turned[1].rad2deg() == pytest.approx(60, abs=6)


def test_a_head_whose_sides_are_swapped_in_some_frames_goes_on_facing_ahead():
    matrices, root = danced(12)
    seen = shown(MELODY, matrices, root) * (-1, 1, 1)
    jaws = [MELODY.names.index(name) for name in ("left_jaw", "right_jaw")]
    seen[4:7, jaws] = seen[4:7, jaws[::-1]]
    _, off = solving.fit(seen, MELODY, 25)
    assert off[jaws].max() < 0.01


def test_single_frames_gone_astray_do_not_shake_the_body():
    matrices, root = danced()
    seen = shown(COCO, matrices, root)
    seen[10, COCO.names.index("left_wrist")] += (0.5, 0.5, 0)
    at = solving.fit(seen, COCO, 30)[0].positions()[:, INDEX["left_wrist"]]
    assert np.linalg.norm(np.diff(at, n=2, axis=0), axis=-1).max() < 0.1


def test_points_that_miss_joints_are_refused_with_their_names():
    names = [name for name in JOINTS if name not in ("left_knee", "right_wrist", "right_hand")]
    with pytest.raises(UserError, match="has no left_knee, right_wrist; expected"):
        solving.fit(np.zeros((4, len(names), 3)), points.named(names), 30)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda seen: seen[:1], "two frames or more"),
        (lambda seen: seen[:, :16], r"expected two frames or more of \[17, 3\]"),
        (lambda seen: np.where(np.arange(17)[:, None] == 7, np.nan, seen), "'left_elbow' is not finite"),
        (lambda seen: 0 * seen, "all lie in one place"),
    ],
)
def test_points_that_show_no_body_are_refused_in_one_line(change, said):
    with pytest.raises(UserError, match=said):
        solving.fit(change(shown(COCO, *danced(3))), COCO, 30)


def test_points_of_a_user_are_known_by_their_names():
    assert points.named(COCO.names) is COCO
    assert points.named(JOINTS).limbs()["left_wrist"] == INDEX["left_wrist"]
    with pytest.raises(UserError, match="no point of a body is called 'tail'"):
        points.named(["pelvis", "tail"])
    with pytest.raises(UserError, match="'head' is named twice"):
        points.named(["head", "neck", "head"])


def test_every_set_carries_its_left_points_on_the_left():
    for told in SETS.values():
        for name, (x, _, _) in zip(told.names, told.rest(), strict=True):
            side = name.partition("_")[0]
            assert {"left": x > 0, "right": x < 0}.get(side, abs(x) < 1e-6), name


def test_bones_are_solved_from_rotations_and_points():
    generator = torch.Generator().manual_seed(5)
    matrices = rotations.matrix_from_axis_angle(0.5 * torch.randn(400, 24, 3, generator=generator))
    root = torch.randn(400, 3, generator=generator)
    seen = shown(COCO, matrices, root) + 0.02 * torch.randn(400, 17, 3, generator=generator).numpy()
    turned = kinematics.pose(matrices, root)[0].numpy()
    solved = bones.bone_offsets(turned, root.numpy() - SMPL_PELVIS, seen, COCO)
    known = [INDEX[name] for name in ("left_hip", "right_knee", "left_ankle", "right_elbow", "left_shoulder", "neck")]
    assert np.abs(solved.offsets - OFFSETS)[known].max() < 0.02
    assert np.abs(solved.pelvis - SMPL_PELVIS).max() < 0.01
    assert np.allclose(solved.offsets[INDEX["right_knee"]], solved.offsets[INDEX["left_knee"]] * (-1, 1, 1))


def official(assets, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the four official sequences: local rotations, root and COCO points, every so many frames, in metres."""
    local, root, seen = [], [], []
    folder = assets / "dance/aistpp/annotation"
    for path in sorted((folder / "motions").glob("*.pkl")):
        told = pickle.loads(path.read_bytes())
        keypoints = pickle.loads((folder / "keypoints3d" / path.name).read_bytes())["keypoints3d_optim"]
        vectors = torch.from_numpy(told["smpl_poses"][::step].reshape(-1, 24, 3))
        local.append(rotations.matrix_from_axis_angle(vectors))
        root.append(torch.from_numpy(told["smpl_trans"][::step] / told["smpl_scaling"]))
        seen.append(keypoints[::step] / told["smpl_scaling"])
    return torch.cat(local), torch.cat(root), np.concatenate(seen)


def test_the_table_of_bones_is_what_the_official_sequences_say(assets):
    local, root, seen = official(assets, 6)
    turned = kinematics.pose(local, root)[0].numpy()
    solved = bones.bone_offsets(turned, root.numpy(), seen, COCO)
    assert np.abs(solved.offsets - OFFSETS).max() < 0.01
    assert np.abs(solved.pelvis - SMPL_PELVIS).max() < 0.01


def test_official_points_are_fitted_to_where_the_official_rotations_have_them(assets):
    local, root, seen = official(assets, 2)
    some = slice(300, 340)
    motion, off = solving.fit(seen[some], COCO, 30)
    assert off.mean() < 0.025
    expected = kinematics.forward(local[some], root[some]).numpy()
    limbs = [INDEX[name] for name in points.LIMBS]
    apart = (motion.positions() - motion.root[:, None]) - (expected - expected[:, :1])
    assert np.sqrt(np.square(apart[:, limbs]).sum(-1).mean()) < 0.06


def test_a_waltz_is_danced_with_the_right_arm_stretched_out(assets):
    takes = np.load(assets / "dance/dance_with_melody/DANCE_W_22.npz")["joints"][200:240]
    motion, off = solving.fit(takes, MELODY, 25)
    assert off.mean() < 0.03
    at = motion.positions()
    reach = [
        np.linalg.norm(at[:, INDEX[f"{s}_wrist"]] - at[:, INDEX[f"{s}_shoulder"]], axis=-1) for s in ("left", "right")
    ]
    assert (reach[1] > reach[0] + 0.05).all()
    assert at[:, INDEX["left_foot"], 1].min() > -0.05
