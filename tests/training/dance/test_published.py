"""The measures on what is published of AIST++: features of 30 sequences, and four others as rotations."""

import numpy as np
import pytest
import torch

from inference.motion import kinematics, rotations, skeleton
from preprocessing.dances import pickles
from training.dance.metrics import beats, feet, geometric, kinetic

FRAMES = 480  # of each of the four


def published(assets, kind: str) -> np.ndarray:
    files = sorted((assets / f"dance/aistpp_gt_features/{kind}_features").glob("*.npy"))
    return np.array([np.load(file) for file in files], np.float64)


@pytest.fixture(scope="module")
def danced(assets) -> list[np.ndarray]:
    """The four sequences as joints of the canonical skeleton at 60 fps, their floor at 0."""
    found = []
    for path in sorted((assets / "dance/aistpp/annotation/motions").glob("*.pkl")):
        read = pickles.read(path)
        turned = rotations.matrix_from_axis_angle(torch.tensor(read["smpl_poses"][:FRAMES]).float().view(-1, 24, 3))
        root = read["smpl_trans"][:FRAMES] / float(np.ravel(read["smpl_scaling"])[0]) + skeleton.SMPL_PELVIS
        positions = kinematics.forward(turned, torch.tensor(root).float()).double().numpy()
        found.append(positions - [0, kinematics.floor(positions), 0])
    return found


def test_published_forces_differ_between_joints_by_no_more_than_their_distance_times_3540(assets):
    force = published(assets, "kinetic").reshape(-1, 24, 3)[:, :, 2]
    reach = np.zeros(24)
    for joint, parent in enumerate(skeleton.PARENTS[1:], 1):
        reach[joint] = reach[parent] + np.linalg.norm(skeleton.OFFSETS[joint])
    apart = np.abs(force - force[:, :1]) / (60**2 - 60)
    assert (apart <= reach).all()
    assert (apart.max(0)[1:] > 0.6 * reach[1:]).all()  # and some sequences come near it, for every joint


def test_legacy_features_of_other_sequences_lie_where_the_published_ones_do(assets, danced):
    for kind, of in (("kinetic", kinetic), ("manual", geometric)):
        there = published(assets, kind)
        ours = np.array([of.features(positions, 60, "legacy") for positions in danced])
        within = (ours >= there.min(0) - 1e-9) & (ours <= there.max(0) + 1e-9)
        assert within.mean() > 0.9
    forces = [kinetic.features(positions, 60, "corrected").reshape(24, 3)[:, 2].mean() for positions in danced]
    assert max(forces) < 30 < published(assets, "kinetic").reshape(-1, 24, 3)[:, :, 2].min()


def test_the_published_features_ask_for_feet_apart_as_legacy_does_and_not_as_facts_code(assets, danced):
    there = published(assets, "manual").mean(0)[18]
    modes = ("legacy", "legacy-fact")
    ours = {mode: np.mean([geometric.features(each, 60, mode)[18] for each in danced]) for mode in modes}
    assert abs(ours["legacy"] - there) < 0.25
    assert ours["legacy-fact"] < there / 4


def test_the_published_features_never_look_at_the_hand_and_ask_the_left_foot_the_opposite(assets):
    there = published(assets, "manual")
    np.testing.assert_array_equal(there[:, 4], there[:, 5])  # "hand moves up", right and left: both the chest's
    assert there[:, 15].mean() > 2 * there[:, 14].mean()  # "in front" of the right, "behind" of the left


def test_real_dancers_slide_less_than_they_move_and_have_a_beat_or_two_a_second(danced):
    for positions in danced:
        found = feet.footing(positions, 60)
        assert found.penetration < 0.5
        assert 0.3 < len(beats.kinematic(positions, 60)) / (len(positions) / 60) < 3
    calm = danced[2]  # street jazz on the spot; the first two are floor work, whose feet fly over the floor
    assert feet.footing(calm, 60).skate < 20
