"""How far joints turn in life: what settles the twists and bends that observed points leave open."""

import math

import torch

from inference.motion.skeleton import JOINTS, other_side

# Degrees about x, y and z of the rotation vector against the parent, for the left side and the middle; the right side
# is the mirror image. Knees bend about x alone and elbows about y (and turn about the arm), which tells how thigh and
# upper arm are turned; the others are generous for dancers.
_RANGES = {
    "spine1": ((-25, 45), (-30, 30), (-30, 30)),
    "spine2": ((-25, 45), (-30, 30), (-30, 30)),
    "spine3": ((-25, 35), (-30, 30), (-25, 25)),
    "neck": ((-40, 40), (-50, 50), (-30, 30)),
    "head": ((-40, 40), (-40, 40), (-30, 30)),
    "left_hip": ((-130, 45), (-50, 50), (-40, 85)),
    "left_knee": ((-5, 150), (-12, 12), (-10, 10)),
    "left_ankle": ((-40, 60), (-30, 30), (-30, 30)),
    "left_foot": ((-45, 20), (-5, 5), (-5, 5)),
    "left_collar": ((-20, 20), (-35, 25), (-15, 40)),
    "left_shoulder": ((-90, 90), (-130, 70), (-100, 100)),
    "left_elbow": ((-90, 90), (-150, 5), (-15, 15)),
    "left_wrist": ((-30, 30), (-40, 40), (-80, 80)),
    "left_hand": ((-5, 5), (-20, 20), (-90, 30)),
}
# Radians of pull towards rest: how readily a joint takes part where the points do not say which one turned.
_EASE = {
    "spine1": 0.3,
    "spine2": 0.2,
    "spine3": 0.2,
    "neck": 0.4,
    "head": 0.4,
    "left_hip": 1.5,
    "left_knee": 2.0,
    "left_ankle": 0.4,
    "left_foot": 0.1,
    "left_collar": 0.3,
    "left_shoulder": 1.5,
    "left_elbow": 2.0,
    "left_wrist": 0.3,
    "left_hand": 0.05,
}
_WIDE = ((-720, 720),) * 3  # the pelvis turns as it likes


def _mirror(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    x, y, z = ranges
    return x, (-y[1], -y[0]), (-z[1], -z[0])


def _range(name: str) -> tuple[tuple[int, int], ...]:
    return _mirror(_RANGES[other_side(name)]) if name.startswith("right_") else _RANGES.get(name, _WIDE)


def _ease(name: str) -> float:
    return _EASE.get(other_side(name) if name.startswith("right_") else name, math.inf)


_DEGREES = torch.tensor([_range(name) for name in JOINTS], dtype=torch.float64)
LEAST = _DEGREES[..., 0].deg2rad()  # [24, 3], radians
MOST = _DEGREES[..., 1].deg2rad()
EASE = torch.tensor([_ease(name) for name in JOINTS], dtype=torch.float64)[:, None]  # [24, 1], radians


def excess(vectors: torch.Tensor) -> torch.Tensor:
    """Give by how much rotation vectors [..., 24, 3] leave their ranges, signed, in radians."""
    return vectors - torch.minimum(torch.maximum(vectors, LEAST.to(vectors)), MOST.to(vectors))
