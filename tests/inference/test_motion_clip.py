"""A motion is one thing wherever it goes: whole, finite, the same after saving, mirroring twice and resampling back."""

import zipfile

import numpy as np
import pytest
import torch

from inference.errors import UserError
from inference.motion import clip, contacts, rotations
from inference.motion.clip import Motion
from inference.motion.skeleton import HEIGHT, INDEX, JOINTS


def swaying(frames: int = 31, fps: int = 30) -> Motion:
    """Give somebody who lifts the left arm slowly while the pelvis goes to +x and turns."""
    vectors = np.zeros((frames, len(JOINTS), 3), np.float32)
    vectors[:, INDEX["left_shoulder"], 2] = np.linspace(0, 1.5, frames)
    vectors[:, 0, 1] = np.linspace(0, 0.5, frames)
    root = np.stack((np.linspace(0, 1, frames), np.full(frames, HEIGHT), np.zeros(frames)), 1)
    matrices = rotations.matrix_from_axis_angle(torch.from_numpy(vectors)).numpy()
    return Motion.from_matrices(matrices, root, fps)


def same(one: Motion, other: Motion, apart: float = 1e-6) -> bool:
    return one.fps == other.fps and np.allclose(one.to_vector(), other.to_vector(), atol=apart)


def test_a_vector_holds_contacts_then_root_then_rotations():
    motion = swaying()
    vector = motion.to_vector()
    assert vector.shape == (31, clip.VECTOR) == (31, 151)
    assert np.array_equal(vector[:, 4:7], motion.root)
    assert np.array_equal(vector[:, 7:13], motion.rotations[:, INDEX["pelvis"]])
    assert same(Motion.from_vector(vector), motion)


def test_what_a_network_makes_becomes_whole_rotations_and_contacts_between_0_and_1():
    vector = 3 * np.random.default_rng(0).standard_normal((4, clip.VECTOR)).astype(np.float32)
    motion = Motion.from_vector(vector)
    matrices = motion.matrices()
    assert np.allclose(matrices @ matrices.swapaxes(-1, -2), np.eye(3), atol=1e-5)
    assert motion.contacts.min() == 0
    assert motion.contacts.max() == 1


def test_a_saved_motion_comes_back_to_the_bit(tmp_path):
    motion = swaying(fps=25)
    motion.save(tmp_path / "dance")
    back = Motion.load(tmp_path / "dance")
    assert back.fps == 25
    assert np.array_equal(back.to_vector(), motion.to_vector())


def test_the_mirror_lifts_the_right_arm_and_goes_the_other_way():
    motion = swaying()
    mirrored = motion.mirrored()
    shown = mirrored.positions()
    reflected = motion.positions() * (-1, 1, 1)
    assert np.allclose(shown[:, INDEX["right_hand"]], reflected[:, INDEX["left_hand"]], atol=1e-5)
    assert shown[-1, INDEX["right_hand"], 1] > shown[-1, INDEX["left_hand"], 1] + 0.5
    assert same(mirrored.mirrored(), motion)


def test_the_mirror_swaps_the_contacts_of_the_feet():
    motion = Motion(*(getattr(swaying(3), name) for name in ("rotations", "root")), np.tile([1, 0, 0, 1], (3, 1)))
    assert motion.mirrored().contacts[0].tolist() == [0, 1, 1, 0]


def test_half_the_rate_keeps_every_second_frame_as_it_is():
    motion = swaying(31, 60)
    half = motion.resampled(30)
    assert len(half) == 16
    assert np.allclose(half.to_vector(), motion.to_vector()[::2], atol=1e-6)


def test_another_rate_keeps_time_and_goes_evenly_between():
    motion = swaying(26, 25).resampled(30)
    assert len(motion) == 31
    assert np.allclose(motion.root[:, 0], np.linspace(0, 1, 31), atol=1e-5)
    turned = rotations.axis_angle_from_matrix(torch.from_numpy(motion.matrices()))[:, 0, 1]
    assert np.allclose(turned, np.linspace(0, 0.5, 31), atol=1e-4)


def test_a_slice_is_part_of_the_motion():
    motion = swaying()
    assert np.array_equal(motion.slice(5, 9).root, motion.root[5:9])
    assert motion.slice(30).seconds == pytest.approx(1 / 30)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"root": np.full((3, 3), np.nan)}, "root are not finite from frame 0"),
        ({"rotations": np.zeros((3, 23, 6))}, r"rotations are \[3, 23, 6\], expected \[3, 24, 6\]"),
        ({"contacts": np.zeros((2, 4))}, "contacts are"),
        ({"root": np.zeros((0, 3))}, "has 0 frames"),
        ({"fps": 0}, "runs at 0 frames a second"),
    ],
)
def test_what_is_no_motion_is_refused_in_one_line(change, said):
    motion = swaying(3)
    parts = {"rotations": motion.rotations, "root": motion.root, "contacts": motion.contacts, "fps": 30}
    with pytest.raises(UserError, match=said):
        Motion(**(parts | change))


def test_files_that_hold_something_else_are_refused_in_one_line(tmp_path):
    path = tmp_path / "it.npz"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match=r"it\.npz: not a motion"):
        Motion.load(path)
    np.savez(path, rotations=np.zeros((1, 24, 6)))
    with pytest.raises(UserError, match=r"it\.npz: no motion.*root"):
        Motion.load(path)
    np.savez(path, rotations=np.array([object()]), root=np.zeros((1, 3)), contacts=np.zeros((1, 4)), fps=30)
    with pytest.raises(UserError, match=r"it\.npz: not a motion"):
        Motion.load(path)
    with pytest.raises(UserError, match=r"none\.npz"):
        Motion.load(tmp_path / "none.npz")


def test_a_file_that_would_unpack_to_gigabytes_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(clip, "MOST_FRAMES", 10)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("root.npy", bytes(100_000))
    with pytest.raises(UserError, match="100000 bytes of motion"):
        Motion.load(tmp_path / "bomb.npz")


def test_a_foot_stands_where_it_is_low_and_still():
    motion = swaying(40)
    placed = np.repeat(motion.positions()[:1], 40, 0)
    assert contacts.contacts(placed, 30).all()
    placed[:20, INDEX["left_foot"], 1] += 0.1  # the ball of the left foot is up
    placed[:, INDEX["right_foot"], 2] += np.linspace(0, 1, 40)  # that of the right slides
    found = contacts.contacts(placed, 30)
    assert found[:, (0, 2)].all()
    assert found[5, 1] == 0
    assert found[30, 1] == 1
    assert not found[:, 3].any()
