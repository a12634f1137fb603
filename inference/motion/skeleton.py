"""The canonical skeleton: 24 joints in SMPL's order, metres, y up, facing +z, its left hand towards +x.

At rest it stands in a T-pose with every rotation the identity, so rotations fitted with SMPL (AIST++) mean the same
here. The table of bones is our own: solved by `inference.motion.bones` from the rotations and 3-D keypoints of
AIST++ (CC BY 4.0, Google LLC), in which no body model takes part.
"""

import numpy as np

JOINTS = (
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hand",
    "right_hand",
)
INDEX = {name: index for index, name in enumerate(JOINTS)}

_CHILDREN = {
    "pelvis": ("left_hip", "right_hip", "spine1"),
    "left_hip": ("left_knee",),
    "left_knee": ("left_ankle",),
    "left_ankle": ("left_foot",),
    "right_hip": ("right_knee",),
    "right_knee": ("right_ankle",),
    "right_ankle": ("right_foot",),
    "spine1": ("spine2",),
    "spine2": ("spine3",),
    "spine3": ("neck", "left_collar", "right_collar"),
    "neck": ("head",),
    "left_collar": ("left_shoulder",),
    "left_shoulder": ("left_elbow",),
    "left_elbow": ("left_wrist",),
    "left_wrist": ("left_hand",),
    "right_collar": ("right_shoulder",),
    "right_shoulder": ("right_elbow",),
    "right_elbow": ("right_wrist",),
    "right_wrist": ("right_hand",),
}
_PARENT = {child: parent for parent, children in _CHILDREN.items() for child in children}
PARENTS = tuple(INDEX[_PARENT[name]] if name in _PARENT else -1 for name in JOINTS)


def other_side(name: str) -> str:
    """Name what a mirror makes of a joint or point: left of right, right of left, itself in the middle."""
    side, _, rest = name.partition("_")
    return {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, name)


MIRROR = tuple(INDEX[other_side(name)] for name in JOINTS)

# From the parent, at rest, in metres; the right side is the left with x negated. Toes and hands have no keypoint in
# AIST++ and keep the round numbers that the solver starts from.
_BONES = {
    "spine1": (0.0, 0.128, -0.038),
    "spine2": (0.0, 0.132, 0.029),
    "spine3": (0.0, 0.063, -0.003),
    "neck": (0.0, 0.212, -0.037),
    "head": (0.0, 0.105, 0.061),
    "left_hip": (0.07, -0.083, -0.012),
    "left_knee": (0.036, -0.393, 0.0),
    "left_ankle": (-0.009, -0.415, -0.03),
    "left_foot": (0.02, -0.06, 0.13),
    "left_collar": (0.076, 0.107, -0.015),
    "left_shoulder": (0.112, 0.053, -0.017),
    "left_elbow": (0.266, -0.017, -0.026),
    "left_wrist": (0.257, 0.006, -0.002),
    "left_hand": (0.09, 0.0, 0.0),
}
# Of the face in the frame of the head joint, solved along with the bones.
_FACE = {
    "nose": (0.0, 0.042, 0.077),
    "left_eye": (0.035, 0.072, 0.055),
    "left_ear": (0.089, 0.04, -0.025),
}


def _both_sides(table: dict[str, tuple[float, float, float]]) -> dict[str, tuple[float, float, float]]:
    mirrored = {other_side(name): (-x, y, z) for name, (x, y, z) in table.items() if name.startswith("left_")}
    return {**table, **mirrored}


def _frozen(rows: list[tuple[float, float, float]]) -> np.ndarray:
    array = np.array(rows, np.float32)
    array.flags.writeable = False
    return array


OFFSETS = _frozen([_both_sides(_BONES).get(name, (0.0, 0.0, 0.0)) for name in JOINTS])  # [24, 3]
FACE = {name: _frozen([point])[0] for name, point in _both_sides(_FACE).items()}  # five points [3]

# Soles at y = 0: the ball of the foot lies so far above them, and at rest the ankle and the pelvis follow from it.
FOOT_HEIGHT = 0.02
ANKLE_HEIGHT = FOOT_HEIGHT - _BONES["left_foot"][1]
HEIGHT = ANKLE_HEIGHT - sum(_BONES[name][1] for name in ("left_hip", "left_knee", "left_ankle"))


def _rest() -> list[tuple[float, float, float]]:
    placed = np.zeros((len(JOINTS), 3))
    placed[0, 1] = HEIGHT
    for joint in range(1, len(JOINTS)):
        placed[joint] = placed[PARENTS[joint]] + OFFSETS[joint]
    return placed.tolist()


REST = _frozen(_rest())  # [24, 3]: the T-pose, its soles on the floor, its pelvis over the origin

# SMPL counts its translation from a point above the pelvis: root = smpl_trans / smpl_scaling + SMPL_PELVIS.
SMPL_PELVIS = _frozen([(0.0, -0.242, 0.028)])[0]
