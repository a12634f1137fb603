"""Keep hands out of thighs: a body that is drawn is stouter than the skeleton that danced, and wears trousers.

Where a hand or a forearm would sink into a thigh, the whole arm is turned about its shoulder, as little as brings it
out. How deep it is, capsules tell, so that arms go out and come back without a jump.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from inference.dancefloor.retarget import about
from inference.figure.body import Body, Shape

# Bones between whose heads a thigh lies, and its radii there in metres, cloth included.
THIGHS = {end: (f"upperleg01.{end}", f"lowerleg01.{end}", 0.105, 0.07) for end in "LR"}
# What of an arm is kept out, and how thick it is.
POINTS = {"lowerarm02": 0.045, "wrist": 0.035, "finger3-1": 0.03, "finger3-3": 0.015}
OUTWARD = 0.5  # of a thigh's radius: how much the way out leans aside from the arm's own, ahead of the other
ROUNDS = 6
MOST = 15.0  # degrees
TINY = 1e-9


@dataclass(frozen=True)
class _Arm:
    end: str
    shoulder: int
    bones: np.ndarray  # that go along with it
    points: list[int]


class Clearance:
    """Turns the arms of one shape. J bones."""

    def __init__(self, body: Body, shape: Shape) -> None:
        self.heads = shape.heads
        self.thighs = {end: (body.bone[a], body.bone[b], *radii) for end, (a, b, *radii) in THIGHS.items()}
        self.hips = [body.bone[f"upperleg01.{end}"] for end in "RL"]
        self.thick = np.array(list(POINTS.values()))
        self.arms = []
        for end in "LR":
            shoulder = body.bone[f"upperarm01.{end}"]
            along = np.arange(len(body.bones)) == shoulder
            for bone, parent in enumerate(body.parents):  # parents come first
                along[bone] |= parent >= 0 and along[parent]
            points = [body.bone[f"{name}.{end}"] for name in POINTS]
            self.arms.append(_Arm(end, shoulder, np.flatnonzero(along), points))

    def __call__(self, moves: np.ndarray) -> np.ndarray:
        """Give how bones move [J, 3, 4] with the arms brought out."""
        moves = moves.copy()
        heads = np.einsum("jik,jk->ji", moves[:, :, :3], self.heads) + moves[:, :, 3]
        for arm in self.arms:
            turn, pivot = self._turn(arm, heads), heads[arm.shoulder]
            moves[arm.bones] = turn @ moves[arm.bones]
            moves[arm.bones, :, 3] += pivot - turn @ pivot
        return moves

    def _turn(self, arm: _Arm, heads: np.ndarray) -> np.ndarray:
        """Find the turn [3, 3] about the shoulder that brings an arm out."""
        levers = heads[arm.points] - heads[arm.shoulder]
        whole = np.eye(3)
        for _ in range(ROUNDS):
            turns, deep = (np.concatenate(each) for each in zip(*self._ways(arm, heads, levers @ whole.T), strict=True))
            if not deep.any():
                break
            # What is deeper counts for more, and what comes in counts for nothing at first: so nothing jumps.
            turn = (deep**2 @ turns) / deep.sum()
            whole = about(turn + TINY, np.degrees(np.linalg.norm(turn))) @ whole
        angle = np.degrees(np.arccos(np.clip((np.trace(whole) - 1) / 2, -1, 1)))
        if angle <= MOST:
            return whole
        return about(np.array([whole[2, 1] - whole[1, 2], whole[0, 2] - whole[2, 0], whole[1, 0] - whole[0, 1]]), MOST)

    def _ways(self, arm: _Arm, heads: np.ndarray, levers: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Tell for each thigh about what to turn the points of an arm, radians a metre [P, 3], and how deep [P]."""
        right, left = heads[self.hips]
        aside = (left - right) / np.linalg.norm(left - right)
        for end, (first, last, wide, narrow) in self.thighs.items():
            points, start, along = levers + heads[arm.shoulder], heads[first], heads[last] - heads[first]
            share = np.clip((points - start) @ along / (along @ along), 0, 1)
            off = points - start - share[:, None] * along
            radius = wide + share * (narrow - wide)
            deep = np.maximum(radius + self.thick - np.linalg.norm(off, axis=1), 0)
            ahead = np.cross(along, aside) / np.linalg.norm(along)
            lean = ahead if end != arm.end else aside if end == "L" else -aside
            out = off + OUTWARD * radius[:, None] * lean
            out /= np.linalg.norm(out, axis=1, keepdims=True)
            yield np.cross(levers, out) / np.square(levers).sum(1, keepdims=True), deep
