"""Solve bones from motion: where joints lie at rest follows from how they turn and where points of the body go.

Along a chain a point lies at the root plus, for each joint, how it is turned times its bone: linear in the bones. So a
body's skeleton is one least-squares fit of rotations to observed points, and needs no model of bodies.
"""

from dataclasses import dataclass

import numpy as np

from inference.motion.points import PointSet
from inference.motion.skeleton import INDEX, JOINTS, PARENTS, other_side

# An adult in round numbers, metres: what the observations leave open (how a straight spine is shared among its joints;
# toes and hands, for which AIST++ has no keypoint) stays as here.
ROUGH = {
    "pelvis": (0.0, -0.2, 0.0),
    "spine1": (0.0, 0.12, 0.0),
    "spine2": (0.0, 0.13, 0.0),
    "spine3": (0.0, 0.06, 0.0),
    "neck": (0.0, 0.2, 0.0),
    "head": (0.0, 0.1, 0.03),
    "left_hip": (0.07, -0.08, 0.0),
    "left_knee": (0.0, -0.4, 0.0),
    "left_ankle": (0.0, -0.42, -0.02),
    "left_foot": (0.02, -0.06, 0.13),
    "left_collar": (0.07, 0.12, 0.0),
    "left_shoulder": (0.12, 0.03, 0.0),
    "left_elbow": (0.26, 0.0, 0.0),
    "left_wrist": (0.26, 0.0, 0.0),
    "left_hand": (0.09, 0.0, 0.0),
}
STIFFNESS = 36.0  # frames of observation that the round numbers count as much as
_MIDDLE = 1e9  # the same, for the x of what lies in the middle of a body
_REFLECT = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Bones:
    """A symmetric skeleton in metres, and where the points lie in the frames of their joints."""

    offsets: np.ndarray  # float32 [24, 3], the first zero
    pelvis: np.ndarray  # float32 [3]: of the pelvis against what was given as the root
    points: np.ndarray  # float32 [K, 3]


def bone_offsets(turned: np.ndarray, root: np.ndarray, observed: np.ndarray, points: PointSet) -> Bones:
    """Solve a skeleton from rotations in the world [T, 24, 3, 3], its root [T, 3] and points [T, K, 3], in metres.

    Left and right are one unknown, mirrored. The root may be any point that keeps its place at rest, as SMPL's does.
    """
    columns = {name: 3 * place for place, name in enumerate(_unknowns(points))}
    normal, known = np.zeros((3 * len(columns), 3 * len(columns))), np.zeros(3 * len(columns))
    for place, name in enumerate(points.names):
        terms = _chain(name, points.joints[place])
        design = np.zeros((len(root), 3, 3 * len(columns)))
        for unknown, joint, reflected in terms:
            frame = np.eye(3) if joint is None else turned[:, joint].astype(float)
            column = columns[unknown]
            design[:, :, column : column + 3] += frame @ _REFLECT if reflected else frame
        flat = design.reshape(-1, design.shape[-1])
        normal += flat.T @ flat
        known += flat.T @ (observed[:, place] - root).reshape(-1)
    guess, weight = _prior(columns)
    solved = np.linalg.solve(normal + np.diag(weight), known + weight * guess)
    return _read(solved, columns, points)


def _unknowns(points: PointSet) -> list[str]:
    """Name what is solved: bones of the middle and the left, and points ("@name") likewise."""
    bones = [name for name in JOINTS if not name.startswith("right_")]
    return bones + sorted({f"@{_left(name)}" for name in points.names})


def _left(name: str) -> str:
    return other_side(name) if name.startswith("right_") else name


def _chain(name: str, joint: int) -> list[tuple[str, int | None, bool]]:
    """List what adds up to a point: the unknown, the joint whose frame it is in, and whether it is mirrored."""
    terms: list[tuple[str, int | None, bool]] = [(f"@{_left(name)}", joint, name.startswith("right_"))]
    while joint > 0:
        terms.append((_left(JOINTS[joint]), PARENTS[joint], JOINTS[joint].startswith("right_")))
        joint = PARENTS[joint]
    return [*terms, ("pelvis", None, False)]


def _prior(columns: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    guess, weight = np.zeros(3 * len(columns)), np.full(3 * len(columns), STIFFNESS)
    for name, column in columns.items():
        if not name.startswith("@"):
            guess[column : column + 3] = ROUGH[name]
        if not name.removeprefix("@").startswith("left_"):
            weight[column] = _MIDDLE
    return guess, weight


def _read(solved: np.ndarray, columns: dict[str, int], points: PointSet) -> Bones:
    def of(name: str, unknown: str) -> np.ndarray:
        found = solved[columns[unknown] : columns[unknown] + 3]
        return _REFLECT @ found if name.startswith("right_") else found

    offsets = np.array([of(name, _left(name)) for name in JOINTS], np.float32)
    pelvis = offsets[INDEX["pelvis"]].copy()
    offsets[INDEX["pelvis"]] = 0
    attached = np.array([of(name, f"@{_left(name)}") for name in points.names], np.float32)
    return Bones(offsets, pelvis, attached)
