"""Write a motion as BVH: what Blender, MotionBuilder and game engines read. Centimetres, degrees, y up."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from inference.motion import rotations
from inference.motion.clip import Motion
from inference.motion.skeleton import JOINTS, OFFSETS, PARENTS

ORDER = "ZXY"
CENTIMETRES = 100.0
# Where the last bones end, against their joints in metres.
ENDS = {
    "head": (0.0, 0.2, 0.0),
    "left_foot": (0.0, 0.0, 0.07),
    "right_foot": (0.0, 0.0, 0.07),
    "left_hand": (0.09, 0.0, 0.0),
    "right_hand": (-0.09, 0.0, 0.0),
}


def write(motion: Motion, path: Path, fps: int | None = None) -> None:
    """Write the motion at its own rate or another; the root's channels tell where the pelvis is over the floor."""
    motion = motion if fps is None else motion.resampled(fps)
    order = list(_depth_first(0))
    lines = ["HIERARCHY", *_joint(0, 0), "MOTION", f"Frames: {len(motion)}", f"Frame Time: {1 / motion.fps:.7f}"]
    angles = _angles(motion)[:, order].reshape(len(motion), -1)
    rows = np.concatenate((motion.root * CENTIMETRES, angles), 1)
    lines += [" ".join(f"{value:.4f}" for value in row) for row in rows.tolist()]
    path.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def _angles(motion: Motion) -> np.ndarray:
    """Give the Euler angles [T, 24, 3] in degrees, no full turn apart from frame to frame."""
    matrices = torch.from_numpy(motion.matrices()).double()
    return np.degrees(np.unwrap(rotations.euler_from_matrix(matrices, ORDER).numpy(), axis=0))


def _children(joint: int) -> list[int]:
    return [child for child, parent in enumerate(PARENTS) if parent == joint]


def _depth_first(joint: int) -> Iterator[int]:
    """Go through the joints as a BVH names them, which is also the order of its numbers."""
    yield joint
    for child in _children(joint):
        yield from _depth_first(child)


def _joint(joint: int, depth: int) -> list[str]:
    tab = "\t" * depth
    turns = " ".join(f"{axis}rotation" for axis in ORDER)
    # The root's offset is zero: programs disagree on whether its channels add to it.
    channels = f"3 {turns}" if joint else f"6 Xposition Yposition Zposition {turns}"
    lines = [f"{tab}{'JOINT' if joint else 'ROOT'} {JOINTS[joint]}", f"{tab}{{", _offset(OFFSETS[joint], depth + 1)]
    lines.append(f"{tab}\tCHANNELS {channels}")
    for child in _children(joint):
        lines += _joint(child, depth + 1)
    if JOINTS[joint] in ENDS:
        lines += [f"{tab}\tEnd Site", f"{tab}\t{{", _offset(np.array(ENDS[JOINTS[joint]]), depth + 2), f"{tab}\t}}"]
    return [*lines, f"{tab}}}"]


def _offset(bone: np.ndarray, depth: int) -> str:
    return "\t" * depth + "OFFSET " + " ".join(f"{value:.4f}" for value in (bone.astype(float) * CENTIMETRES).tolist())
