"""Settle what a network danced: take away what trembles faster than a body, and lead joints over where they leap.

A network that is unsure between two poses says their mean, whose rotation can turn about from one frame to the next;
and what few steps leave of the noise is finest. Neither is dance: of people's dances at 30 frames a second next to
nothing lies above 7.5 Hz, and no joint turns by a radian from frame to frame.
"""

import torch
from torch import Tensor

from inference.motion import rotations
from inference.motion.clip import Motion

HALF_BAND = (-1 / 32, 0.0, 9 / 32, 16 / 32, 9 / 32, 0.0, -1 / 32)  # maximally flat: 0.97 at 3 Hz, 0.5 at 7.5, 0 at 15
FASTEST = 30.0  # radians a second
REACH = 4 / 30  # seconds before and after a leap, in which it is made slowly


def calmed(vectors: Tensor) -> Tensor:
    """Leave the lower half of the frequencies of vectors [T, C]; beyond the ends they go on as they came."""
    away = torch.arange(1, len(HALF_BAND) // 2 + 1).clamp(max=len(vectors) - 1)
    before, after = 2 * vectors[:1] - vectors[away.flip(0)], 2 * vectors[-1:] - vectors[-1 - away]
    longer = torch.cat([before, vectors, after])
    return sum(tap * longer[place : place + len(vectors)] for place, tap in enumerate(HALF_BAND) if tap)


def bridged(motion: Motion) -> Motion:
    """Turn joints evenly over where they leap; a motion without leaps is returned as it is."""
    matrices = torch.as_tensor(motion.matrices())
    turned = rotations.axis_angle_from_matrix(matrices[:-1].transpose(-1, -2) @ matrices[1:]).norm(dim=-1)
    leaps = turned > FASTEST / motion.fps
    if not leaps.any():
        return motion
    reach, quaternions = round(REACH * motion.fps), rotations.quaternion_from_matrix(matrices)
    for joint in leaps.any(0).nonzero()[:, 0].tolist():
        for first, last in _spans(leaps[:, joint].nonzero()[:, 0].tolist(), reach, len(motion)):
            share = torch.linspace(0, 1, last - first + 1)
            way = rotations.slerp(quaternions[first, joint], quaternions[last, joint], share)
            matrices[first : last + 1, joint] = rotations.matrix_from_quaternion(way)
    return Motion.from_matrices(matrices.numpy(), motion.root, motion.fps, motion.contacts)


def _spans(leaps: list[int], reach: int, frames: int) -> list[tuple[int, int]]:
    """Give from which to which frame leaps after frames are led over; those that would touch are led over at once."""
    spans: list[tuple[int, int]] = []
    for leap in leaps:
        first, last = max(0, leap - reach), min(frames - 1, leap + 1 + reach)
        if spans and first <= spans[-1][1]:
            first = spans.pop()[0]
        spans.append((first, last))
    return spans
