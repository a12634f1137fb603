"""Joint positions at the rate and place that a measure asks for.

Every measure takes positions [T, 24, 3] in metres, y up, joints in SMPL's order, and the rate that they stand at.
"""

import numpy as np

LEAST = 4  # frames: a third difference needs as many
AIST_FPS = 60  # of AIST++: the published features and beat scores are of this rate


def checked(positions: np.ndarray) -> np.ndarray:
    """Give positions [T, J, 3] as float64; raises ValueError for what no measure is defined on."""
    positions = np.asarray(positions, np.float64)
    if positions.ndim != 3 or positions.shape[2] != 3 or len(positions) < LEAST:
        raise ValueError(f"positions are [T, joints, 3] of at least {LEAST} frames, not {list(positions.shape)}")
    if not np.isfinite(positions).all():
        raise ValueError("a position is not a number")
    return positions


def resampled(positions: np.ndarray, fps: float, wanted: float) -> np.ndarray:
    """Give positions at another rate, from the first frame to the last, by cubics through all of them (Catmull, Rom).

    A straight line between two frames would put all acceleration into the frames themselves.
    """
    positions = checked(positions)
    if fps == wanted:
        return positions
    count = int(np.floor((len(positions) - 1) * wanted / fps + 1e-9)) + 1
    at = np.arange(count) * fps / wanted
    before = np.minimum(at.astype(int), len(positions) - 2)
    part = (at - before)[:, None, None]
    ends = np.concatenate([2 * positions[:1] - positions[1:2], positions, 2 * positions[-1:] - positions[-2:-1]])
    a, b, c, d = (ends[before + k] for k in range(4))
    return b + part / 2 * (c - a + part * (2 * a - 5 * b + 4 * c - d + part * (3 * (b - c) + d - a)))


def zero_start(positions: np.ndarray) -> np.ndarray:
    """Move a clip so that its root starts at the origin, as Bailando does before it computes features."""
    return positions - positions[:1, :1]


def windows(positions: np.ndarray, length: int) -> list[np.ndarray]:
    """Cut a clip into as many windows of `length` frames as fit side by side: features of clips of one length."""
    return [positions[first : first + length] for first in range(0, len(positions) - length + 1, length)]
