"""Solve bones from motion: where joints lie at rest follows from how they turn and where points of the body go.

A point lies at the root plus, for each joint on the way, how it is turned times its bone: linear in the bones. So a
body's skeleton is one least-squares fit of rotations to observed points, and needs no model of bodies.
"""

from dataclasses import dataclass

import numpy as np

from inference.motion.points import PointSet
from inference.motion.skeleton import JOINTS, OFFSETS, PARENTS, other_side

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
PROPORTIONS = 0.1  # of the frames, likewise, for a body that is like the canonical one but for its lengths
_CERTAIN = 1e9

_REFLECT = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Bones:
    """A symmetric skeleton in metres, and where the points lie in the frames of their joints."""

    offsets: np.ndarray  # float32 [24, 3], the first zero
    pelvis: np.ndarray  # float32 [3]: of the pelvis against what was given as the root
    points: np.ndarray  # float32 [K, 3]


@dataclass(frozen=True)
class _Unknown:
    """A vector in the body's left half that is solved: basis @ solution, drawn to basis @ guess."""

    column: int
    basis: np.ndarray  # [3, n]
    guess: np.ndarray  # [n]
    weight: np.ndarray  # [n], in frames

    @property
    def columns(self) -> slice:
        return slice(self.column, self.column + self.basis.shape[1])


def bone_offsets(turned: np.ndarray, root: np.ndarray, observed: np.ndarray, points: PointSet) -> Bones:
    """Solve a skeleton from rotations in the world [T, 24, 3, 3], its root [T, 3] and points [T, K, 3], in metres.

    Left and right are one unknown, mirrored. The root may be any point that keeps its place at rest, as SMPL's does.
    """
    unknowns = {}
    for name in _left_half(points):
        middle = np.array([0.0 if name.removeprefix("@").startswith("left_") else _CERTAIN, 0, 0])
        _add(unknowns, name, np.eye(3), np.array(ROUGH.get(name, (0.0, 0.0, 0.0))), STIFFNESS + middle)
    return _solve(turned, root, observed, points, unknowns)


def proportions(turned: np.ndarray, root: np.ndarray, observed: np.ndarray, points: PointSet) -> Bones:
    """Solve how long each bone of the canonical skeleton is on a body, and where it carries the points.

    As `bone_offsets`, but bones keep their directions, so rotations mean the same on both, and the root is the pelvis.
    """
    stiff = PROPORTIONS * len(root)
    unknowns = {}
    for name in _left_half(points):
        if name == "pelvis":
            _add(unknowns, name, np.zeros((3, 1)), np.zeros(1), np.ones(1))
        elif name.startswith("@"):
            middle = np.array([0.0 if name.startswith("@left_") else _CERTAIN, 0, 0])
            guess = points.offsets[points.names.index(name[1:])].astype(float)
            _add(unknowns, name, np.eye(3), guess, stiff + middle)
        else:
            bone = OFFSETS[JOINTS.index(name)].astype(float)
            _add(unknowns, name, bone[:, None], np.ones(1), np.full(1, stiff * (bone @ bone)))
    return _solve(turned, root, observed, points, unknowns)


def _left_half(points: PointSet) -> list[str]:
    """Name what is solved: bones of the middle and the left, and points likewise, as "@name"."""
    bones = [name for name in JOINTS if not name.startswith("right_")]
    return bones + [f"@{name}" for name in points.names if not _known_from_left(name, points)]


def _known_from_left(name: str, points: PointSet) -> bool:
    return name.startswith("right_") and other_side(name) in points.names


def _add(unknowns: dict[str, _Unknown], name: str, basis: np.ndarray, guess: np.ndarray, weight: np.ndarray) -> None:
    column = max((other.columns.stop for other in unknowns.values()), default=0)
    unknowns[name] = _Unknown(column, basis, guess, weight)


def _chain(place: int, points: PointSet) -> list[tuple[str, int | None, bool]]:
    """List what adds up to a point: the unknown, the joint whose frame it is in, and whether it is mirrored."""
    name, joint = points.names[place], points.joints[place]
    mirrored = _known_from_left(name, points)
    terms: list[tuple[str, int | None, bool]] = [(f"@{other_side(name) if mirrored else name}", joint, mirrored)]
    while joint > 0:
        right = JOINTS[joint].startswith("right_")
        terms.append((other_side(JOINTS[joint]) if right else JOINTS[joint], PARENTS[joint], right))
        joint = PARENTS[joint]
    return [*terms, ("pelvis", None, False)]


def _solve(
    turned: np.ndarray, root: np.ndarray, observed: np.ndarray, points: PointSet, unknowns: dict[str, _Unknown]
) -> Bones:
    count = max(unknown.columns.stop for unknown in unknowns.values())
    weight, guess = np.zeros(count), np.zeros(count)
    for unknown in unknowns.values():
        weight[unknown.columns], guess[unknown.columns] = unknown.weight, unknown.guess
    normal, known = np.diag(weight), weight * guess
    for place in range(len(points.names)):
        design = np.zeros((len(root), 3, count))
        for name, joint, mirrored in _chain(place, points):
            frame = np.eye(3) if joint is None else turned[:, joint].astype(float)
            basis = _REFLECT @ unknowns[name].basis if mirrored else unknowns[name].basis
            design[:, :, unknowns[name].columns] += frame @ basis
        flat = design.reshape(-1, count)
        normal += flat.T @ flat
        known += flat.T @ (observed[:, place] - root).reshape(-1)
    solved = np.linalg.solve(normal, known)
    return _read({name: unknown.basis @ solved[unknown.columns] for name, unknown in unknowns.items()}, points)


def _read(vectors: dict[str, np.ndarray], points: PointSet) -> Bones:
    def of(name: str, mark: str = "") -> np.ndarray:
        found = vectors.get(mark + name)
        return _REFLECT @ vectors[mark + other_side(name)] if found is None else found

    offsets = np.array([of(name) for name in JOINTS], np.float32)
    pelvis = offsets[0].copy()
    offsets[0] = 0
    return Bones(offsets, pelvis, np.array([of(name, "@") for name in points.names], np.float32))
