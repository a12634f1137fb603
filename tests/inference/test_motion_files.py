"""BVH and glTF say what the motion says: whoever reads them by their own rules finds the joints where they were."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.motion import bvh, gltf, rotations
from inference.motion.clip import Motion
from inference.motion.skeleton import HEIGHT, INDEX, JOINTS, OFFSETS, PARENTS, REST

WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}
KINDS = {5126: np.dtype("<f4"), 5123: np.dtype("<u2"), 5121: np.dtype("u1")}


@pytest.fixture(scope="module")
def motion() -> Motion:
    """Somebody who turns and swings every joint, 12 frames."""
    sway = np.random.default_rng(3).normal(0, 0.4, (2, 24, 3))
    share = np.linspace(0, 1, 12)[:, None, None]
    vectors = (sway[0] * share + sway[1] * (1 - share)).astype(np.float32)
    vectors[:, 0, 1] = np.linspace(0, 7, 12)  # more than a full turn
    root = np.stack((np.linspace(0, 0.5, 12), np.full(12, HEIGHT), np.linspace(0, -0.2, 12)), 1)
    return Motion.from_matrices(rotations.matrix_from_axis_angle(torch.from_numpy(vectors)).numpy(), root)


def read_bvh(path: Path) -> tuple[list[str], np.ndarray, float]:
    """Read a BVH by its own rules: names, where each joint is in centimetres [T, J, 3], and the frame time."""
    head, body = path.read_text().split("MOTION\n")
    names, parents, offsets, channels, open_joints, site = [], [], [], [], [], False
    for words in (line.split() for line in head.splitlines()):
        if words[0] in ("ROOT", "JOINT"):
            parents.append(open_joints[-1] if open_joints else -1)
            open_joints.append(len(names))
            names.append(words[1])
        elif words[0] == "End":
            site = True
            open_joints.append(-1)
        elif words[0] == "OFFSET" and not site:
            offsets.append([float(word) for word in words[1:]])
        elif words[0] == "CHANNELS":
            assert int(words[1]) == len(words) - 2
            channels.append(words[2:])
        elif words[0] == "}":
            site = False
            open_joints.pop()
    lines = body.splitlines()
    rows = np.array([[float(word) for word in line.split()] for line in lines[2:]])
    assert lines[0] == f"Frames: {len(rows)}"
    places = np.zeros((len(rows), len(names), 3))
    for frame, row in enumerate(rows):
        values, turned = iter(row), []
        for joint, own in enumerate(channels):
            moved, turn = np.zeros(3), np.eye(3)
            for channel in own:
                value = next(values)
                if channel.endswith("position"):
                    moved["XYZ".index(channel[0])] = value
                else:
                    axis = np.radians(value) * np.eye(3)["XYZ".index(channel[0])]
                    turn = turn @ rotations.matrix_from_axis_angle(torch.from_numpy(axis)).numpy()
            above, parent = (
                (np.eye(3), np.zeros(3)) if joint == 0 else (turned[parents[joint]], places[frame, parents[joint]])
            )
            places[frame, joint] = parent + above @ np.array(offsets[joint]) + moved
            turned.append(above @ turn)
    return names, places, float(lines[1].split(":")[1])


def test_a_bvh_puts_every_joint_where_the_motion_has_it_in_centimetres(motion, tmp_path):
    bvh.write(motion, tmp_path / "dance.bvh")
    names, places, seconds = read_bvh(tmp_path / "dance.bvh")
    assert sorted(names) == sorted(JOINTS)
    expected = 100 * motion.positions()[:, [INDEX[name] for name in names]]
    assert np.abs(places - expected).max() < 0.01
    assert seconds == pytest.approx(1 / 30, abs=1e-6)


def test_a_bvh_at_rest_is_the_t_pose_above_the_floor(tmp_path):
    still = Motion.from_matrices(np.tile(np.eye(3), (2, 24, 1, 1)), np.tile([0, HEIGHT, 0], (2, 1)))
    bvh.write(still, tmp_path / "rest.bvh")
    text = (tmp_path / "rest.bvh").read_text()
    assert "ROOT pelvis\n{\n\tOFFSET 0.0000 0.0000 0.0000" in text
    assert text.count("End Site") == 5
    last = [float(word) for word in text.splitlines()[-1].split()]
    assert last == pytest.approx([0, 100 * HEIGHT, 0] + [0] * 72)


def test_a_bvh_turns_on_where_a_dancer_turns_on(motion, tmp_path):
    bvh.write(motion, tmp_path / "dance.bvh", fps=60)
    body = (tmp_path / "dance.bvh").read_text().split("MOTION\n")[1].splitlines()
    assert body[0] == "Frames: 23"
    rows = np.array([[float(word) for word in line.split()] for line in body[2:]])
    assert np.abs(np.diff(rows[:, 3:], axis=0)).max() < 60


class Glb:
    """A binary glTF, read by the rules of the format."""

    def __init__(self, path: Path):
        raw = path.read_bytes()
        magic, version, length = struct.unpack_from("<4sII", raw)
        assert (magic, version, length) == (b"glTF", 2, len(raw))
        size, kind = struct.unpack_from("<I4s", raw, 12)
        assert (kind, size % 4) == (b"JSON", 0)
        self.json = json.loads(raw[20 : 20 + size])
        rest, kind = struct.unpack_from("<I4s", raw, 20 + size)
        assert (kind, rest % 4) == (b"BIN\0", 0)
        self.data = raw[28 + size : 28 + size + rest]

    def array(self, accessor: int) -> np.ndarray:
        what = self.json["accessors"][accessor]
        view = self.json["bufferViews"][what["bufferView"]]
        kind, width = KINDS[what["componentType"]], WIDTHS[what["type"]]
        assert view["byteOffset"] % 4 == 0
        assert what["count"] * width * kind.itemsize == view["byteLength"]
        assert view["byteOffset"] + view["byteLength"] <= self.json["buffers"][0]["byteLength"] <= len(self.data)
        array = np.frombuffer(self.data, kind, what["count"] * width, view["byteOffset"]).reshape(-1, width)
        if "min" in what:
            assert np.allclose(array.min(0), what["min"])
            assert np.allclose(array.max(0), what["max"])
        return array

    def animated(self) -> dict[tuple[str, str], np.ndarray]:
        """Give the values of each channel by the node's name and what it changes."""
        animation = self.json["animations"][0]
        found = {}
        for channel in animation["channels"]:
            sampler = animation["samplers"][channel["sampler"]]
            name = self.json["nodes"][channel["target"]["node"]]["name"]
            found[name, channel["target"]["path"]] = self.array(sampler["output"])
            assert len(found[name, channel["target"]["path"]]) == len(self.array(sampler["input"]))
        return found


@pytest.fixture(scope="module")
def glb(motion, tmp_path_factory) -> Glb:
    path = tmp_path_factory.mktemp("gltf") / "dance.glb"
    gltf.write(motion, path)
    return Glb(path)


def test_every_accessor_lies_in_the_buffer_aligned_with_right_bounds(glb):
    for accessor in range(len(glb.json["accessors"])):
        assert np.isfinite(glb.array(accessor)).all()
    primitive = glb.json["meshes"][0]["primitives"][0]
    for needed in (primitive["attributes"]["POSITION"], glb.json["animations"][0]["samplers"][0]["input"]):
        assert "min" in glb.json["accessors"][needed]


def test_the_nodes_are_the_skeleton_in_metres(glb):
    nodes = glb.json["nodes"]
    assert [node["name"] for node in nodes[:24]] == list(JOINTS)
    for joint, parent in enumerate(PARENTS[1:], 1):
        assert joint in nodes[parent]["children"]
        assert nodes[joint]["translation"] == pytest.approx(OFFSETS[joint].tolist())
    assert nodes[0]["translation"] == pytest.approx([0, HEIGHT, 0])


def test_its_animation_puts_every_joint_where_the_motion_has_it(glb, motion):
    animated = glb.animated()
    turns = np.stack([animated[name, "rotation"] for name in JOINTS], 1)
    assert np.allclose(np.linalg.norm(turns, axis=-1), 1, atol=1e-5)
    matrices = rotations.matrix_from_quaternion(torch.from_numpy(turns[..., [3, 0, 1, 2]])).numpy()
    read = Motion.from_matrices(matrices, animated["pelvis", "translation"])
    assert np.abs(read.positions() - motion.positions()).max() < 1e-4
    assert np.array_equal(glb.array(glb.json["animations"][0]["samplers"][0]["input"])[1], np.float32([1 / 30]))


def test_rotations_never_flip_their_sign_between_frames(glb):
    turns = glb.animated()["pelvis", "rotation"]
    assert (np.sum(turns[1:] * turns[:-1], axis=-1) > 0).all()


def test_at_rest_the_skin_moves_nothing(glb):
    inverse = glb.array(glb.json["skins"][0]["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
    assert np.allclose(inverse[:, :3, 3], -REST)
    assert np.allclose(inverse[:, :3, :3], np.eye(3))
    assert glb.json["skins"][0]["joints"] == list(range(24))


def test_the_figure_is_closed_bound_to_joints_and_seen_from_outside(glb):
    attributes = glb.json["meshes"][0]["primitives"][0]["attributes"]
    corners, normals = (glb.array(attributes[name]) for name in ("POSITION", "NORMAL"))
    weights, joints = (glb.array(attributes[name]) for name in ("WEIGHTS_0", "JOINTS_0"))
    assert np.array_equal(weights.sum(1), np.ones(len(weights)))
    assert joints.max() == 23
    bones = corners.reshape(-1, 24, 3)  # eight triangles each
    middle = (bones.min(1) + bones.max(1)) / 2
    faces = corners.reshape(-1, 8, 3, 3).mean(2)
    outward = ((faces - middle[:, None]) * normals.reshape(-1, 8, 3, 3)[:, :, 0]).sum(-1)
    assert (outward > 0).mean() > 0.95
    assert corners[:, 1].min() > 0
    assert corners[:, 1].max() > 1.7
