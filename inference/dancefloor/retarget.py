"""Carry the canonical skeleton's rotations over to the bones of the parametric body.

Both turn bones against a pose of their own: the canonical skeleton against a T-pose, the body against its reference
pose, arms lowered and elbows bent. A bone that points along `r` in the body's reference pose and along `t` in the
T-pose first takes the turn that brings `r` to `t`, then the dance's. Axes: (x, y, z) here is (x, -z, y) there.
"""

import numpy as np

from inference.figure.body import Body, Shape
from inference.motion.skeleton import INDEX

AXES = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # from y up, facing +z, to z up, facing -y
SIDES = {"L": "left", "R": "right"}
# Bones that turn as a joint does, and share of the way from the joint before it; what is not named goes along.
TRUNK = {
    "root": ("pelvis", "pelvis", 1.0),
    "spine05": ("pelvis", "spine1", 0.5),
    "spine04": ("pelvis", "spine1", 1.0),
    "spine03": ("spine1", "spine2", 1.0),
    "spine02": ("spine2", "spine3", 0.5),
    "spine01": ("spine2", "spine3", 1.0),
    "neck01": ("spine3", "neck", 0.6),
    "neck02": ("spine3", "neck", 1.0),
    "neck03": ("neck", "head", 0.5),
    "head": ("neck", "head", 1.0),
}
LIMBS = {
    "clavicle": ("spine3", "collar", 1.0),
    "shoulder01": ("collar", "shoulder", 0.3),
    "upperarm01": ("collar", "shoulder", 1.0),
    "lowerarm01": ("shoulder", "elbow", 1.0),
    "lowerarm02": ("elbow", "wrist", 0.5),
    "wrist": ("elbow", "wrist", 1.0),
    "upperleg01": ("pelvis", "hip", 1.0),
    "lowerleg01": ("hip", "knee", 1.0),
    "foot": ("knee", "ankle", 1.0),
    "toes": ("ankle", "foot", 1.0),
}
TOES = [f"toe{toe}-1" for toe in range(1, 6)]
# A bone, the one after it, and the joints between which its like lies.
ALONG = {
    "upperarm01": ("lowerarm01", "shoulder", "elbow"),
    "lowerarm01": ("wrist", "elbow", "wrist"),
    "upperleg01": ("lowerleg01", "hip", "knee"),
    "lowerleg01": ("foot", "knee", "ankle"),
}


class Retarget:
    """Turns a body's bones as a dance does. Built once for a shape; J bones."""

    def __init__(self, body: Body, shape: Shape, offsets: np.ndarray, fingers: dict[str, np.ndarray]) -> None:
        self.body = body
        self.fingers = fingers  # rotations of bones of the hand, which canonical motions do not hold
        heads = body.pose(shape, {}, {}).heads
        self.ahead = {"": np.eye(3)} | _reaches(body, heads, offsets)
        self.bones = {bone: (*joints, "") for bone, joints in TRUNK.items()}
        for end, side in SIDES.items():
            for bone, (before, joint, share) in LIMBS.items():
                first = before if before in INDEX else f"{side}_{before}"
                for name in TOES if bone == "toes" else [bone]:
                    self.bones[f"{name}.{end}"] = (first, f"{side}_{joint}", share, _turned_with(bone, end))
        missing = self.bones.keys() - body.bone.keys()
        if missing:
            raise ValueError(f"the body has no bones {sorted(missing)}")

    def __call__(self, turned: np.ndarray) -> dict[str, np.ndarray]:
        """Give rotations of bones against the reference pose, of joints' rotations in the world [24, 3, 3]."""
        world: dict[str, np.ndarray] = {}
        local: dict[str, np.ndarray] = {}
        turns = AXES @ turned @ AXES.T
        for bone, parent in zip(self.body.bones, self.body.parents, strict=True):
            above = world[self.body.bones[parent]] if parent >= 0 else np.eye(3)
            if bone in self.bones:
                first, joint, share, reach = self.bones[bone]
                turn = turns[INDEX[joint]] if share == 1 else between(turns[INDEX[first]], turns[INDEX[joint]], share)
                world[bone] = turn @ self.ahead[reach]
                local[bone] = above.T @ world[bone]
            elif bone in self.fingers:
                local[bone] = self.fingers[bone]
                world[bone] = above @ local[bone]
            else:
                world[bone] = above
        return local


def about(axis: int | np.ndarray, degrees: float) -> np.ndarray:
    """The rotation [3, 3] about an axis: 0, 1, 2 for x, y, z, or a direction."""
    x, y, z = np.eye(3)[axis] if isinstance(axis, int) else _unit(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def between(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """The rotation [3, 3] so far on the shorter way from one to another."""
    step = first.T @ second
    angle = np.degrees(np.arccos(np.clip((np.trace(step) - 1) / 2, -1, 1)))
    axis = np.array([step[2, 1] - step[1, 2], step[0, 2] - step[2, 0], step[1, 0] - step[0, 1]])
    return first @ about(axis, angle * share) if np.linalg.norm(axis) > 1e-9 else first


def _turned_with(bone: str, end: str) -> str:
    """Whose reach a bone takes over: the hand goes with the forearm, foot and collar with nothing."""
    owner = {"lowerarm02": "lowerarm01", "wrist": "lowerarm01"}.get(bone, bone)
    return f"{owner}.{end}" if owner in ALONG else ""


def _reaches(body: Body, heads: np.ndarray, offsets: np.ndarray) -> dict[str, np.ndarray]:
    """The turn [3, 3] of each bone of arms and legs from the reference pose to the T-pose."""
    found = {}
    for end, side in SIDES.items():
        at = {bone: heads[body.bone[f"{bone}.{end}"]] for bone in ("upperarm01", "lowerarm01", "wrist")}
        hinge = _unit(np.cross(at["lowerarm01"] - at["upperarm01"], at["wrist"] - at["lowerarm01"]))
        for bone, (after, _, joint) in ALONG.items():
            reference = _unit(heads[body.bone[f"{after}.{end}"]] - heads[body.bone[f"{bone}.{end}"]])
            rest = _unit(AXES @ offsets[INDEX[f"{side}_{joint}"]])
            if "arm" in bone:
                # A T-pose elbow bends the forearm ahead: its hinge, upper arm x forearm, stands upright.
                upright = np.array([0.0, 0.0, -1.0 if end == "L" else 1.0])
                found[f"{bone}.{end}"] = _frame(rest, upright) @ _frame(reference, hinge).T
            else:
                found[f"{bone}.{end}"] = _shortest(reference, rest)
    return found


def _frame(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    second = _unit(second - (second @ first) * first)
    return np.column_stack([first, second, np.cross(first, second)])


def _shortest(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The smallest turn [3, 3] that brings one direction to another."""
    cross, cosine = np.cross(first, second), float(first @ second)
    x, y, z = cross
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + skew + skew @ skew / (1 + cosine)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
