"""From the rotations of the joints to where the joints are."""

from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from inference.motion.skeleton import ANKLE_HEIGHT, FOOT_HEIGHT, INDEX, JOINTS, OFFSETS, PARENTS

LOWEST = 5  # percent of the frames may lie below what is called the floor


def _depth(joint: int) -> int:
    return 0 if PARENTS[joint] < 0 else 1 + _depth(PARENTS[joint])


# Of each generation its parents' places; SMPL's order is by generation, so joining them restores it.
_GENERATIONS = [[PARENTS[joint] for joint in joints] for _, joints in groupby(range(len(JOINTS)), key=_depth)][1:]


def forward(matrices: Tensor, root: Tensor, offsets: Tensor | np.ndarray = OFFSETS) -> Tensor:
    """Give where the joints are [..., 24, 3], of local rotations [..., 24, 3, 3] and the pelvis [..., 3] in metres."""
    return pose(matrices, root, offsets)[1]


def pose(matrices: Tensor, root: Tensor, offsets: Tensor | np.ndarray = OFFSETS) -> tuple[Tensor, Tensor]:
    """Give how the joints are turned in the world [..., 24, 3, 3] and where they are [..., 24, 3].

    `offsets` [24, 3], or [..., 24, 3] with bones of their own for each, are the bones at rest.
    """
    bones = torch.as_tensor(np.array(offsets) if isinstance(offsets, np.ndarray) else offsets).to(matrices)
    turned, placed = [matrices[..., :1, :, :]], [root[..., None, :]]
    first, ahead = 1, 0  # of this generation, of its parents' generation
    for parents in _GENERATIONS:
        end = first + len(parents)
        of = [parent - ahead for parent in parents]
        above = turned[-1][..., of, :, :]
        step = (above @ bones[..., first:end, :, None])[..., 0]
        placed.append(placed[-1][..., of, :] + step)
        turned.append(above @ matrices[..., first:end, :, :])
        first, ahead = end, first
    return torch.cat(turned, -3), torch.cat(placed, -2)


def local_from_world(turned: Tensor) -> Tensor:
    """Give the rotations against each parent, of rotations in the world [..., 24, 3, 3]."""
    above = turned[..., [max(parent, 0) for parent in PARENTS], :, :]
    local = above.transpose(-1, -2) @ turned
    return torch.cat((turned[..., :1, :, :], local[..., 1:, :, :]), -3)


def floor(positions: np.ndarray) -> float:
    """Find the height of the floor that a clip [T, 24, 3] is danced on: what its soles stand on, jumps or not."""
    heights = [
        positions[:, INDEX[f"{side}_{joint}"], 1] - above
        for side in ("left", "right")
        for joint, above in (("foot", FOOT_HEIGHT), ("ankle", ANKLE_HEIGHT))
    ]
    return float(np.percentile(np.min(heights, 0), LOWEST))
