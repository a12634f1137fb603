"""Lip-sync error by an expert's features: LSE-D, LSE-C and the offset (Prajwal et al. 2020, arXiv:2008.10010).

An expert gives a vector for what is seen and one for what is heard, at every frame. Moved against each other by up to
`SPAN` frames, their mean distance has a valley where they belong together: its depth is the confidence.
The numbers depend on the expert: those of two experts are never set side by side.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SPAN = 15  # frames to either side
WINDOW = 5  # frames that one vector looks at


@dataclass(frozen=True)
class Score:
    """What a clip's distances say of its sync."""

    distance: float  # LSE-D: the least mean distance; less is better
    confidence: float  # LSE-C: how far that lies under the median; more is better
    offset: int  # frames by which the sound is later than the picture; SyncNet's own code prints the opposite sign


def windows(frames: int, heard: int) -> int:
    """Count the windows of a clip of so many frames, whose sound lasts `heard` whole frames, as SyncNet's code does."""
    return max(0, min(frames, heard) - WINDOW)


def distances(seen: Tensor, heard: Tensor, span: int = SPAN) -> np.ndarray:
    """Give the mean distance between seen [N, D] and heard [N, D] at every offset: float32 [2 * span + 1].

    Entry i compares frame f with the sound of frame f + i - span; beyond the ends there are zero vectors.
    """
    if len(seen) != len(heard) or not len(seen):
        raise ValueError(f"{len(seen)} windows are seen and {len(heard)} heard: as many of both are needed, at least 1")
    padded = F.pad(heard, (0, 0, span, span))
    moved = torch.stack([padded[shift : shift + len(seen)] for shift in range(2 * span + 1)])
    return F.pairwise_distance(seen[None], moved).mean(dim=1).numpy()


def score(mean: np.ndarray) -> Score:
    """Read a clip's mean distances [2 * span + 1]: the paper's LSE-D and LSE-C, and the offset."""
    least = int(np.argmin(mean))
    return Score(
        distance=float(mean[least]),
        confidence=float(np.median(mean) - mean[least]),
        offset=least - len(mean) // 2,
    )
