"""Fit the canonical skeleton to the points that others describe a body by: inverse kinematics of a whole clip.

Gauss-Newton on all frames at once: a point turns about every joint that carries it, so its derivative is a cross
product, and each frame is one small linear system. What points leave open is settled by how far a joint turns in life,
by a pull towards rest, and by what the frames before and after do.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inference.errors import UserError
from inference.motion import bones, feet, kinematics, limits, rotations
from inference.motion.clip import Motion
from inference.motion.points import PointSet
from inference.motion.skeleton import INDEX, JOINTS, OFFSETS, PARENTS

SIGMA = 0.015  # metres that a point may be off
ROBUST = 0.06  # metres from which on a point is believed less and less
BEYOND = 0.1  # radians beyond its range that a joint may go
AT_EASE = 60.0  # radians a second a second that joints are turned with
AT_EASE_ROOT = 15.0  # metres a second a second
STEP = 0.5  # radians in one round
DAMPING = 1.0
ROUNDS = 5  # of each frame by itself
SMOOTHING = 4  # rounds, then, in which frames also heed their neighbours
SAMPLE = 160  # frames that proportions are solved from
SURVEYS = 3
SURVEY_ROUNDS = 6
CHUNK = 256  # frames whose systems are set up together

_LENGTHS = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "shoulder"))
_LEG = [INDEX["left_knee"], INDEX["left_ankle"]]
_ROOT = 3 * len(JOINTS)  # of the unknowns of a frame: rotations first, then the root
# Joint a carries joint b: where b is a or stands below it.
_CARRIES = torch.zeros(len(JOINTS), len(JOINTS), dtype=torch.bool)
for _joint in range(len(JOINTS)):
    _above = _joint
    while _above >= 0:
        _CARRIES[_above, _joint] = True
        _above = PARENTS[_above]


@dataclass(frozen=True)
class _Body:
    """A body with its own proportions, and the points that it carries."""

    bones: Tensor  # [24, 3]
    joints: list[int]  # [K]
    points: Tensor  # [K, 3], in the joints' frames

    @classmethod
    def of(cls, points: PointSet, found: bones.Bones | None = None) -> "_Body":
        offsets, attached = (OFFSETS, points.offsets) if found is None else (found.offsets, found.points)
        return cls(
            torch.from_numpy(offsets.astype(np.float64)),
            list(points.joints),
            torch.from_numpy(attached.astype(np.float64)),
        )

    def pose(self, pose: "_Pose") -> tuple[Tensor, Tensor, Tensor]:
        """Give how joints are turned in the world, where they are, and where the points are."""
        turned, placed = kinematics.pose(pose.matrices, pose.root, self.bones)
        shown = placed[:, self.joints] + (turned[:, self.joints] @ self.points[..., None])[..., 0]
        return turned, placed, shown


@dataclass(frozen=True)
class _Pose:
    """Frames of a clip: local rotations float64 [T, 24, 3, 3] and the pelvis [T, 3]."""

    matrices: Tensor
    root: Tensor

    def at(self, frames: Tensor | slice) -> "_Pose":
        return _Pose(self.matrices[frames], self.root[frames])


def fit(positions: np.ndarray, points: PointSet, fps: int) -> tuple[Motion, np.ndarray]:
    """Find the motion of the canonical skeleton that points [T, K, 3] show, and how far off each is, metres [K].

    y is up; the unit is found by the length of limbs and trunk. What is off is the root mean square over the clip, on a
    body of the canonical size and this one's proportions. The motion is told by the canonical skeleton, its soles on
    the floor, its pelvis beginning over the origin. Points that do not show a body raise a UserError.
    """
    limbs = points.limbs()
    observed = _unswapped(_checked(positions, points), points, limbs)
    targets = torch.from_numpy(observed * _scale(observed, points, limbs))
    body = _survey(targets, points, limbs)
    # Held to neighbours from the start, all frames together would creep for dozens of rounds.
    pose = _solve(body, targets, _begin(targets, limbs), None, ROUNDS)
    pose = _solve(body, targets, pose, fps, SMOOTHING)
    off = (body.pose(pose)[2] - targets).square().sum(-1).mean(0).sqrt()
    return _tell(pose, body, points, fps), off.numpy().astype(np.float32)


def _checked(positions: np.ndarray, points: PointSet) -> np.ndarray:
    expected = [len(points.names), 3]
    if positions.ndim != 3 or list(positions.shape[1:]) != expected or len(positions) < 2:
        raise UserError(f"the points are {list(positions.shape)}; expected two frames or more of {expected}")
    broken = ~np.isfinite(positions).all((0, 2))
    if broken.any():
        raise UserError(f"the point {points.names[int(broken.argmax())]!r} is not finite in every frame")
    return positions * np.array((-1.0, 1, 1) if points.mirrored else (1.0, 1, 1))


def _unswapped(observed: np.ndarray, points: PointSet, limbs: dict[str, int]) -> np.ndarray:
    """Put left and right of the head where they belong in frames in which it would face backwards."""
    if points.swapped is None:
        return observed
    left, right = (points.names.index(name) for name in points.swapped)
    head = observed[:, left] - observed[:, right]
    shoulders = observed[:, limbs["left_shoulder"]] - observed[:, limbs["right_shoulder"]]
    backwards = (head * shoulders).sum(-1, keepdims=True) < 0
    put = observed.copy()
    put[:, left] = np.where(backwards, observed[:, right], observed[:, left])
    put[:, right] = np.where(backwards, observed[:, left], observed[:, right])
    return put


def _scale(observed: np.ndarray, points: PointSet, limbs: dict[str, int]) -> float:
    """Give metres of the canonical skeleton to one unit."""
    rest = points.rest()
    known = seen = 0.0
    for one, other in _LENGTHS:
        for side in ("left", "right"):
            ends = limbs[f"{side}_{one}"], limbs[f"{side}_{other}"]
            known += float(np.linalg.norm(rest[ends[0]] - rest[ends[1]]))
            seen += float(np.median(np.linalg.norm(observed[:, ends[0]] - observed[:, ends[1]], axis=-1)))
    if seen <= 0:
        raise UserError("the points all lie in one place; expected those of a body")
    return known / seen


def _begin(targets: Tensor, limbs: dict[str, int]) -> _Pose:
    """Start where the trunk stands upright in itself and each limb points from joint to joint."""
    at = {name: targets[:, place] for name, place in limbs.items()}
    hips, shoulders = (at["left_" + name] + at["right_" + name] for name in ("hip", "shoulder"))
    across = (at["left_hip"] - at["right_hip"]) + (at["left_shoulder"] - at["right_shoulder"])
    trunk = _frame(shoulders - hips, across)
    pelvis = trunk @ _frame(*torch.eye(3, dtype=torch.float64)[[1, 0]]).T
    turned = pelvis[:, None].repeat(1, len(JOINTS), 1, 1)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        # The hinge at rest: a knee bends about x; a left elbow about -y, a right one about y.
        for names, hinge in ((("hip", "knee", "ankle"), (1, 0, 0)), (("shoulder", "elbow", "wrist"), (0, -sign, 0))):
            first, second, end = (f"{side}_{name}" for name in names)
            upper, lower = at[second] - at[first], at[end] - at[second]
            axis = torch.tensor(hinge, dtype=torch.float64)
            bones_at_rest = [torch.from_numpy(OFFSETS[INDEX[name]].astype(np.float64)) for name in (second, end)]
            held = _hold(pelvis, bones_at_rest[0], axis, upper, lower)
            turned[:, INDEX[first]] = held
            bent = rotations.least_turn((held @ bones_at_rest[1]), lower) @ held
            below = [joint for joint in range(len(JOINTS)) if _CARRIES[INDEX[second], joint]]
            turned[:, below] = bent[:, None]
    root = hips / 2 - (pelvis @ torch.tensor([0.0, float(OFFSETS[1, 1]), 0.0], dtype=torch.float64))
    return _Pose(kinematics.local_from_world(turned), root)


def _hold(parent: Tensor, bone: Tensor, hinge: Tensor, upper: Tensor, lower: Tensor) -> Tensor:
    """Point a bone so that the next bends about its hinge; where both are straight, as the parent is turned."""
    straight = rotations.least_turn(parent @ bone, upper) @ parent
    bend = torch.linalg.cross(_unit(upper), _unit(lower)) + 0.15 * (straight @ hinge)
    return _frame(upper, bend) @ _frame(bone, hinge).T


def _frame(main: Tensor, other: Tensor) -> Tensor:
    """Make a rotation whose first column is along `main` and whose second leans to `other`, [..., 3, 3]."""
    return rotations.matrix_from_6d(torch.cat((main, other), -1))


def _unit(vector: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vector, dim=-1)


def _survey(targets: Tensor, points: PointSet, limbs: dict[str, int]) -> _Body:
    """Solve a body's proportions and poses in turns, on some frames spread over the clip."""
    some = targets[torch.linspace(0, len(targets) - 1, min(SAMPLE, len(targets))).round().long()]
    body, pose = _Body.of(points), _begin(some, limbs)
    for _ in range(SURVEYS):
        pose = _solve(body, some, pose, None, SURVEY_ROUNDS)
        turned = kinematics.pose(pose.matrices, pose.root)[0]
        body = _Body.of(points, bones.proportions(turned.numpy(), pose.root.numpy(), some.numpy(), points))
    return body


def _solve(body: _Body, targets: Tensor, pose: _Pose, fps: int | None, rounds: int) -> _Pose:
    """Go some rounds of Gauss-Newton; without `fps` frames are not neighbours of each other."""
    for _ in range(rounds):
        between = pose if fps is None else _between(pose)
        steps = []
        for first in range(0, len(targets), CHUNK):
            frames = slice(first, first + CHUNK)
            steps.append(_step(body, targets[frames], pose.at(frames), between.at(frames), fps))
        step = torch.cat(steps)
        turns = step[:, :_ROOT].reshape(len(step), -1, 3)
        turns = turns * (STEP / turns.norm(dim=-1, keepdim=True).clamp(min=STEP))
        pose = _Pose(pose.matrices @ rotations.matrix_from_axis_angle(turns), pose.root + step[:, _ROOT:])
    return pose


def _between(pose: _Pose) -> _Pose:
    """Give for each frame what lies midway between those before and after it; the ends stay."""
    quaternions = rotations.quaternion_from_matrix(pose.matrices)
    before, after = quaternions[:-2], quaternions[2:]
    after = torch.where((before * after).sum(-1, keepdim=True) < 0, -after, after)
    middle = rotations.matrix_from_quaternion(before + after)
    root = (pose.root[:-2] + pose.root[2:]) / 2
    return _Pose(
        torch.cat((pose.matrices[:1], middle, pose.matrices[-1:])), torch.cat((pose.root[:1], root, pose.root[-1:]))
    )


def _step(body: _Body, targets: Tensor, pose: _Pose, between: _Pose, fps: int | None) -> Tensor:
    """Solve one step of every frame, [T, 75]: rotation vectors in the joints' own frames, then the root."""
    turned, placed, shown = body.pose(pose)
    off = shown - targets
    trust = 1 / (1 + off.square().sum(-1) / ROBUST**2) / SIGMA**2
    arms = (shown[:, :, None] - placed[:, None]) * _CARRIES[:, body.joints].T[None, :, :, None]
    columns = turned.transpose(-1, -2)[:, None]  # [T, 1, 24, 3 axes, 3]
    slopes = torch.linalg.cross(columns, arms[..., None, :]).flatten(2, 3)  # [T, K, 72, 3]
    through = torch.eye(3, dtype=targets.dtype).expand(*slopes.shape[:2], 3, 3)
    slopes = torch.cat((slopes, through), 2).transpose(2, 3)  # [T, K, 3, 75]
    weighted = (slopes * trust[..., None, None]).flatten(1, 2)
    normal = weighted.transpose(1, 2) @ slopes.flatten(1, 2)
    gradient = (weighted.transpose(1, 2) @ off.flatten(1)[..., None])[..., 0]
    _add_life(normal, gradient, pose, between, fps)
    diagonal = torch.diagonal(normal, dim1=1, dim2=2)
    diagonal += DAMPING
    return -torch.linalg.solve(normal, gradient)


def _add_life(normal: Tensor, gradient: Tensor, pose: _Pose, between: _Pose, fps: int | None) -> None:
    """Add to the systems, in place, what is known of joints without the points."""
    vectors = rotations.axis_angle_from_matrix(pose.matrices)
    slopes = _slope_of_vector(vectors)
    beyond = limits.excess(vectors)
    pulls = [(vectors, 1 / limits.EASE.square().expand_as(vectors)), (beyond, (beyond != 0) / BEYOND**2)]
    blocks = torch.zeros(*vectors.shape, 3, dtype=vectors.dtype)
    for value, weight in pulls:
        weighted = slopes * weight[..., None]
        blocks += weighted.transpose(-1, -2) @ slopes
        gradient[:, :_ROOT] += (weighted.transpose(-1, -2) @ value[..., None]).flatten(1)
    if fps is not None:
        # Halfway off what lies between its neighbours is half the change of speed.
        weight = (2 * fps * fps / AT_EASE) ** 2
        off = rotations.axis_angle_from_matrix(between.matrices.transpose(-1, -2) @ pose.matrices)
        blocks += weight * torch.eye(3, dtype=vectors.dtype)
        gradient[:, :_ROOT] += weight * off.flatten(1)
        weight = (2 * fps * fps / AT_EASE_ROOT) ** 2
        gradient[:, _ROOT:] += weight * (pose.root - between.root)
        torch.diagonal(normal, dim1=1, dim2=2)[:, _ROOT:] += weight
    for joint in range(len(JOINTS)):
        here = slice(3 * joint, 3 * joint + 3)
        normal[:, here, here] += blocks[:, joint]


def _slope_of_vector(vectors: Tensor) -> Tensor:
    """Give how rotation vectors change as their joint turns further in its own frame: the inverse right Jacobian."""
    angle = vectors.norm(dim=-1).clamp(1e-4, 3.0)[..., None, None]
    zero = torch.zeros_like(vectors[..., 0])
    x, y, z = vectors.unbind(-1)
    crossed = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), -1).unflatten(-1, (3, 3))
    curve = 1 / angle.square() - (1 + angle.cos()) / (2 * angle * angle.sin())
    return torch.eye(3, dtype=vectors.dtype) + crossed / 2 + curve * crossed @ crossed


def _tell(pose: _Pose, body: _Body, points: PointSet, fps: int) -> Motion:
    """Tell a body's motion by the canonical skeleton, which goes its way with its own legs."""
    stride = float(np.linalg.norm(OFFSETS[_LEG], axis=1).sum()) / float(body.bones[_LEG].norm(dim=1).sum())
    root = (pose.root * stride).numpy()
    motion = Motion.from_matrices(pose.matrices.numpy(), root - root[0] * (1, 0, 1), fps)
    return feet.travelled(motion) if points.centred else feet.on_floor(motion)
