"""Keep feet where they stand: put a motion on the floor, give back its way through the room, lock its soles."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from inference.motion import kinematics, rotations
from inference.motion.clip import Motion
from inference.motion.contacts import CONTACT_JOINTS, STANDING
from inference.motion.skeleton import ANKLE_HEIGHT, FOOT_HEIGHT, INDEX, OFFSETS
from inference.motion.stands import BLEND, Stand, held, spread, stands_of

LOWEST = 0.02  # metres over the lowest sole that still bears weight
FLYING = 0.15  # metres over the floor at which no foot stands, whatever its contact says
RAISED = 0.05  # metres of an ankle over where it stands
STRETCH = 0.99  # of a leg's length: nearer to straight, a knee jumps by degrees for millimetres
LITTLE = 0.01  # metres
STRAIGHT = 0.25  # radians: a knee bent less than about that much does not tell well in which plane it bends
FORWARD = 4.0  # how much further bending counts about the hinge, against the plane that there is
_TINY = 1e-5  # metres or radians that are nothing to mend


def on_floor(motion: Motion) -> Motion:
    """Shift a motion so that it stands on y = 0, and find its contacts anew."""
    down = kinematics.floor(motion.positions()) * np.array((0, 1, 0), np.float32)
    return Motion.from_matrices(motion.matrices(), motion.root - down, motion.fps)


def travelled(motion: Motion) -> Motion:
    """Give a motion its way through the room back, which was told in each frame from the middle of the body.

    The lowest sole of every frame is on the floor, so nobody jumps, and what bears the weight does not move.
    """
    soles = motion.positions()[:, CONTACT_JOINTS] - motion.root[:, None]
    heights = soles[..., 1] - STANDING
    over = (heights - heights.min(1, keepdims=True)) ** 2
    both = over[:-1] + over[1:]  # what is low before a step and after it bears the step
    bearing = np.exp((both.min(1, keepdims=True) - both) / LOWEST**2)
    bearing /= bearing.sum(1, keepdims=True)
    steps = -((soles[1:] - soles[:-1]) * bearing[..., None]).sum(1)
    root = np.concatenate((np.zeros((1, 3), np.float32), steps.cumsum(0)))
    root[:, 1] = -heights.min(1)
    return Motion.from_matrices(motion.matrices(), root, motion.fps)


def lock(motion: Motion) -> Motion:
    """Hold every foot still while it stands, and on the floor, by its leg and where that is too short by the pelvis.

    What stands is what the motion's contacts say. A foot of which ankle and ball stand is laid flat, one of which one
    stands keeps its angle; none goes below the floor. Frames and legs that need nothing stay as they are, to the bit.
    """
    matrices = torch.from_numpy(motion.matrices()).double()
    root = torch.tensor(motion.root).double()
    turned, placed = kinematics.pose(matrices, root)
    standing = motion.contacts > 0.5
    legs = [_Leg.of(side) for side in ("left", "right")]
    goals = [leg.goal(turned, placed, standing[:, leg.contacts], motion.fps) for leg in legs]
    down = _stoop(legs, goals, placed, motion.fps)
    drop = torch.zeros_like(root)
    drop[:, 1] = -torch.from_numpy(down)
    changed = motion.rotations.copy()
    for leg, goal in zip(legs, goals, strict=True):
        needed, mended = leg.reach(goal, turned, placed + drop[:, None], placed)
        for joint, matrix in mended.items():
            changed[needed, joint] = rotations.sixd_from_matrix(matrix).float().numpy()
    return replace(motion, rotations=changed, root=motion.root + drop.float().numpy())


@dataclass(frozen=True)
class _Goal:
    """Where an ankle is to be and how it is to be turned in the world, frame by frame."""

    place: Tensor  # [T, 3]
    turned: Tensor  # [T, 3, 3]


@dataclass(frozen=True)
class _Leg:
    """The joints of one leg, and the columns of its ankle and its ball among the contacts."""

    hip: int
    knee: int
    ankle: int
    foot: int
    contacts: list[int]
    sole: Tensor  # from the ankle to the ball, in the ankle's frame

    @classmethod
    def of(cls, side: str) -> "_Leg":
        hip, knee, ankle, foot = (INDEX[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "foot"))
        columns = [CONTACT_JOINTS.index(ankle), CONTACT_JOINTS.index(foot)]
        return cls(hip, knee, ankle, foot, columns, torch.from_numpy(OFFSETS[foot].astype(np.float64)))

    @property
    def length(self) -> float:
        return float(np.linalg.norm(OFFSETS[[self.knee, self.ankle]], axis=1).sum())

    def goal(self, turned: Tensor, placed: Tensor, standing: np.ndarray, fps: int) -> _Goal:
        """Say where the ankle has to go so that the foot stands where it stands, bool [T, 2] of ankle and ball."""
        turn, place = turned[:, self.ankle], placed[:, self.ankle].clone()
        # A heel that is marked while it is raised is one on its way: that foot stands on its ball, if on anything.
        heel = standing[:, 0] & (place[:, 1] < ANKLE_HEIGHT + RAISED).numpy()
        turn = _laid_flat(turn, heel & standing[:, 1], fps)
        place[:, 1].clamp_(min=ANKLE_HEIGHT)
        turn = _ball_up(turn, self.sole, place[:, 1])
        ball = (place + turn @ self.sole).numpy()
        balls = standing[:, 1] & (ball[:, 1] < FOOT_HEIGHT + FLYING)
        stands = [Stand(*frames, ball, FOOT_HEIGHT) for frames in stands_of(balls, ball, fps)]
        heels = heel & ~balls
        stands += [Stand(*frames, place.numpy(), ANKLE_HEIGHT) for frames in stands_of(heels, place.numpy(), fps)]
        goal = place + torch.from_numpy(spread(*held(stands, len(place)), fps))
        goal[:, 1].clamp_(min=ANKLE_HEIGHT)
        return _Goal(goal, _ball_up(turn, self.sole, goal[:, 1]))

    def reach(
        self, goal: _Goal, turned: Tensor, placed: Tensor, before: Tensor
    ) -> tuple[np.ndarray, dict[int, Tensor]]:
        """Bend the leg to its goal: in which frames that is needed, bool [T], and the new local rotations there."""
        apart = (goal.place - before[:, self.ankle]).norm(dim=-1) + (placed - before)[:, self.hip].norm(dim=-1)
        twist = (goal.turned - turned[:, self.ankle]).flatten(1).norm(dim=-1)
        needed = (apart > _TINY) | (twist > _TINY)
        hip, knee, ankle = (turned[needed, joint] for joint in (self.hip, self.knee, self.ankle))
        thigh = (placed[:, self.knee] - placed[:, self.hip])[needed]
        shin = (placed[:, self.ankle] - placed[:, self.knee])[needed]
        way = (goal.place - placed[:, self.hip])[needed]
        bend = _bend(thigh, shin, way, knee[..., 0])
        swing = rotations.least_turn(thigh + (bend @ shin[..., None])[..., 0], way)
        hip, knee, ankle = swing @ hip, swing @ bend @ knee, goal.turned[needed]
        above = turned[needed, 0]
        return needed.numpy(), {
            self.hip: above.mT @ hip,
            self.knee: hip.mT @ knee,
            self.ankle: knee.mT @ ankle,
        }


def _stoop(legs: list[_Leg], goals: list[_Goal], placed: Tensor, fps: int) -> np.ndarray:
    """Give how far the pelvis has to go down so that both legs reach, smoothly, metres [T]."""
    down = np.zeros(len(placed))
    for leg, goal in zip(legs, goals, strict=True):
        hip, ankle, wanted = (points.numpy() for points in (placed[:, leg.hip], placed[:, leg.ankle], goal.place))
        longest = STRETCH * leg.length
        # A leg that was straighter than that stays so as long as its foot stays.
        straight = np.maximum(np.linalg.norm(ankle - hip, axis=1) - longest, 0)
        longest = longest + straight * np.exp(-np.linalg.norm(wanted - ankle, axis=1) / LITTLE)
        way = wanted - hip
        room = np.sqrt(np.maximum(longest**2 - (way[:, (0, 2)] ** 2).sum(1), 0))
        down = np.maximum(down, -way[:, 1] - room)
    down[down < _TINY] = 0
    return _eased(down, max(1, round(BLEND * fps)))


def _eased(needs: np.ndarray, reach: int) -> np.ndarray:
    """Smooth needs [T] so that each is still met: their maxima nearby, averaged as far."""
    window = np.lib.stride_tricks.sliding_window_view
    highest = window(np.pad(needs, 2 * reach, mode="edge"), 2 * reach + 1).max(1)
    weights = np.hanning(2 * reach + 3)[1:-1]
    return window(highest, 2 * reach + 1) @ (weights / weights.sum())


def _bend(thigh: Tensor, shin: Tensor, way: Tensor, hinge: Tensor) -> Tensor:
    """Turn shins about their knees so that hip and ankle are as far apart as the way is long.

    A knee keeps the plane in which it bends, but for one that is nearly straight: that has none, or one that tells
    backwards by a degree or two, and what it bends further it bends about its hinge.
    """
    upper, lower = thigh.norm(dim=-1), shin.norm(dim=-1)
    reach = way.norm(dim=-1)
    wanted = np.pi - torch.acos(((upper**2 + lower**2 - reach**2) / (2 * upper * lower)).clamp(-1, 1))
    cross = torch.linalg.cross(thigh, shin)
    now = torch.atan2(cross.norm(dim=-1), (thigh * shin).sum(-1))
    ahead = thigh / upper[:, None]
    hinge = _unit(hinge - (hinge * ahead).sum(-1, keepdim=True) * ahead)
    more = (wanted - now).clamp(min=_TINY) * torch.exp(-((now / STRAIGHT) ** 2))
    axis = _unit(now[:, None] * _unit(cross) + FORWARD * more[:, None] * hinge)
    return rotations.least_turn(
        shin, (rotations.matrix_from_axis_angle(axis * wanted[:, None]) @ thigh[..., None])[..., 0]
    )


def _laid_flat(turn: Tensor, flat: np.ndarray, fps: int) -> Tensor:
    """Turn ankles [T, 3, 3] so that a sole that lies on the floor lies level and does not spin."""
    ahead = turn[..., 2].numpy()
    change, still = np.zeros((len(turn), 3)), np.zeros(len(turn), bool)
    for first, end in stands_of(flat, np.zeros((len(turn), 3)), fps):
        middle = ahead[first:end].mean(0)
        about = torch.tensor([0.0, np.arctan2(middle[0], middle[2]), 0.0], dtype=turn.dtype)
        level = rotations.matrix_from_axis_angle(about)
        change[first:end] = rotations.axis_angle_from_matrix(level @ turn[first:end].mT).numpy()
        still[first:end] = True
    faded = torch.from_numpy(spread(change, still, fps))
    return rotations.matrix_from_axis_angle(faded) @ turn


def _ball_up(turn: Tensor, sole: Tensor, height: Tensor) -> Tensor:
    """Raise toes about their ankles where the ball of the foot would be below the floor."""
    ball = turn @ sole
    lowest = FOOT_HEIGHT - height
    below = ball[:, 1] < lowest - _TINY
    length = sole.norm()
    across = torch.linalg.cross(ball, torch.tensor([0.0, 1, 0], dtype=ball.dtype).expand_as(ball))
    rise = torch.asin((lowest / length).clamp(-1, 1)) - torch.asin((ball[:, 1] / length).clamp(-1, 1))
    lifted = rotations.matrix_from_axis_angle(torch.nn.functional.normalize(across, dim=-1) * rise[:, None]) @ turn
    return torch.where(below[:, None, None], lifted, turn)


def _unit(vector: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vector, dim=-1)
