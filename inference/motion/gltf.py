"""Write a motion as binary glTF 2.0: a skeleton of 24 nodes, a plain figure bound to it, and its animation.

glTF and the canonical skeleton agree: metres, y up, facing +z. The figure is one spindle a bone, so that something is
seen wherever the file is opened; whoever has a character binds it to the nodes by their names.
"""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from inference.motion import rotations
from inference.motion.bvh import ENDS
from inference.motion.clip import Motion
from inference.motion.skeleton import INDEX, JOINTS, OFFSETS, PARENTS, REST

_MAGIC, _VERSION, _JSON, _BIN = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
_FLOAT, _USHORT, _UBYTE = 5126, 5123, 5121
_VERTICES, _INDICES = 34962, 34963  # what a view of the buffer is for
_TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
# How thick the figure is, in metres from the middle, along the bone that ends in a joint, or behind a last joint.
_RADII = {
    "spine": 0.1,
    "neck": 0.1,
    "head": 0.05,
    "collar": 0.05,
    "shoulder": 0.06,
    "elbow": 0.05,
    "wrist": 0.04,
    "hand": 0.03,
    "hip": 0.08,
    "knee": 0.085,
    "ankle": 0.06,
    "foot": 0.04,
}
_END_RADII = {"head": 0.09, "hand": 0.025, "foot": 0.018}
_COLOUR = (0.82, 0.45, 0.25, 1.0)


@dataclass
class _Buffer:
    """The binary part, and what the JSON part says of it."""

    data: bytearray = field(default_factory=bytearray)
    views: list[dict] = field(default_factory=list)
    accessors: list[dict] = field(default_factory=list)

    def add(self, array: np.ndarray, component: int, target: int | None = None, bounds: bool = False) -> int:
        """Append an array [N] or [N, C] and give its accessor."""
        self.data += b"\0" * (-len(self.data) % 4)
        raw = np.ascontiguousarray(array).tobytes()
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(raw)}
        self.views.append(view if target is None else {**view, "target": target})
        self.data += raw
        width = array.shape[1] if array.ndim == 2 else 1
        accessor = {
            "bufferView": len(self.views) - 1,
            "componentType": component,
            "count": len(array),
            "type": _TYPES[width],
        }
        if bounds:
            columns = array.reshape(len(array), width)
            accessor |= {"min": columns.min(0).tolist(), "max": columns.max(0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def write(motion: Motion, path: Path, fps: int | None = None) -> None:
    """Write a .glb of the motion at its own rate or another."""
    motion = motion if fps is None else motion.resampled(fps)
    buffer = _Buffer()
    figure = len(JOINTS)
    document = {
        "asset": {"version": "2.0", "generator": "Dramatis"},
        "scene": 0,
        "scenes": [{"nodes": [0, figure]}],
        "nodes": [*(_node(joint) for joint in range(len(JOINTS))), {"name": "figure", "mesh": 0, "skin": 0}],
        "meshes": [{"name": "figure", "primitives": [_figure(buffer)]}],
        "materials": [{"name": "figure", "pbrMetallicRoughness": {"baseColorFactor": _COLOUR, "metallicFactor": 0.0}}],
        "skins": [_skin(buffer)],
        "animations": [_animation(buffer, motion)],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
    }
    document["buffers"] = [{"byteLength": len(buffer.data)}]
    path.write_bytes(_glb(document, bytes(buffer.data)))


def _node(joint: int) -> dict:
    node = {"name": JOINTS[joint], "translation": (OFFSETS[joint] if joint else REST[0]).astype(float).tolist()}
    children = [child for child, parent in enumerate(PARENTS) if parent == joint]
    return {**node, "children": children} if children else node


def _skin(buffer: _Buffer) -> dict:
    # At rest no joint is turned, so what undoes a joint's place only moves; matrices are stored by columns.
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(JOINTS), 1, 1))
    inverse[:, 3, :3] = -REST
    return {
        "name": "skeleton",
        "skeleton": 0,
        "joints": list(range(len(JOINTS))),
        "inverseBindMatrices": buffer.add(inverse.reshape(-1, 16), _FLOAT),
    }


def _figure(buffer: _Buffer) -> dict:
    corners, joints = _wedges()
    # Every face has corners of its own, so that edges stay sharp.
    sides = np.cross(corners[1::3] - corners[::3], corners[2::3] - corners[::3])
    normals = np.repeat(sides / np.linalg.norm(sides, axis=1, keepdims=True), 3, 0).astype(np.float32)
    bound = np.zeros((len(corners), 4), np.uint8)
    bound[:, 0] = joints
    weights = np.zeros((len(corners), 4), np.float32)
    weights[:, 0] = 1
    return {
        "attributes": {
            "POSITION": buffer.add(corners, _FLOAT, _VERTICES, bounds=True),
            "NORMAL": buffer.add(normals, _FLOAT, _VERTICES),
            "JOINTS_0": buffer.add(bound, _UBYTE, _VERTICES),
            "WEIGHTS_0": buffer.add(weights, _FLOAT, _VERTICES),
        },
        "indices": buffer.add(np.arange(len(corners), dtype=np.uint16), _USHORT, _INDICES),
        "material": 0,
    }


def _wedges() -> tuple[np.ndarray, np.ndarray]:
    """Give the corners [N, 3] of all triangles at rest, three a triangle, and the joint that moves each, [N]."""
    wedges, joints = [], []
    for joint in range(1, len(JOINTS)):
        parent = PARENTS[joint]
        wedges.append(_wedge(REST[parent], REST[joint], _RADII[_part(JOINTS[joint])]))
        joints.append(parent)
    for name, end in ENDS.items():
        start = REST[INDEX[name]]
        wedges.append(_wedge(start, start + np.array(end), _END_RADII[_part(name)]))
        joints.append(INDEX[name])
    return np.concatenate(wedges).astype(np.float32), np.repeat(joints, len(wedges[0]))


def _part(name: str) -> str:
    """Name a part of the body whatever its side or number."""
    return name.removeprefix("left_").removeprefix("right_").rstrip("123")


def _wedge(start: np.ndarray, end: np.ndarray, radius: float) -> np.ndarray:
    """Draw a bone as two pyramids on one square, the shorter one at its start, as triangles [24, 3]."""
    along = (end - start).astype(float)
    along /= np.linalg.norm(along)
    across = np.cross(along, np.eye(3)[np.abs(along).argmin()])
    across *= radius / np.linalg.norm(across)
    up = np.cross(along, across)
    middle = start + 0.3 * (end - start)
    ring = [middle + across, middle + up, middle - across, middle - up]
    corners = []
    for one, other in zip(ring, ring[1:] + ring[:1], strict=True):
        corners += [start, other, one, end, one, other]
    return np.array(corners)


def _animation(buffer: _Buffer, motion: Motion) -> dict:
    times = (np.arange(len(motion)) / motion.fps).astype(np.float32)
    clock = buffer.add(times, _FLOAT, bounds=True)
    values = {(0, "translation"): motion.root}
    values |= {(joint, "rotation"): turned for joint, turned in enumerate(_quaternions(motion).swapaxes(0, 1))}
    samplers, channels = [], []
    for (joint, what), array in values.items():
        channels.append({"sampler": len(samplers), "target": {"node": joint, "path": what}})
        samplers.append({"input": clock, "output": buffer.add(array, _FLOAT), "interpolation": "LINEAR"})
    return {"name": "dance", "samplers": samplers, "channels": channels}


def _quaternions(motion: Motion) -> np.ndarray:
    """Give x, y, z, w as glTF has them, float32 [T, 24, 4], each on the side of the one before it."""
    quaternions = rotations.quaternion_from_matrix(torch.from_numpy(motion.matrices())).numpy()
    same = (quaternions[1:] * quaternions[:-1]).sum(-1, keepdims=True) >= 0
    signs = np.concatenate((np.ones_like(quaternions[:1, :, :1]), np.where(same, 1, -1))).cumprod(0)
    return np.roll(quaternions * signs, -1, axis=-1).astype(np.float32)


def _glb(document: dict, data: bytes) -> bytes:
    text = json.dumps(document, separators=(",", ":")).encode()
    chunks = b""
    for kind, body, filler in ((_JSON, text, b" "), (_BIN, data, b"\0")):
        body += filler * (-len(body) % 4)
        chunks += struct.pack("<II", len(body), kind) + body
    return struct.pack("<III", _MAGIC, _VERSION, 12 + len(chunks)) + chunks
