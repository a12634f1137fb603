"""Kinetic features: how fast and how forcefully each joint moves (Onuma et al. 2008; fairmotion; AIST++).

For each of 24 joints: the mean square of its horizontal and of its vertical speed, (m/s)^2, and the mean size of its
acceleration, m/s^2, all of velocities and accelerations averaged over five frames of 1/60 s.

`legacy` is what is published: of the two velocities whose difference is the acceleration, the earlier is computed as
p[i] - p[i-1] / dt. The result is (1/dt^2 - 1/dt) = 3540 times the distance from the origin, and hardly depends on how
one moves: a third of the published vector tells where one stands. `corrected` divides both.
"""

from typing import Literal

import numpy as np

from training.dance.metrics import sampling

Mode = Literal["legacy", "corrected"]
JOINTS = 24
COUNT = 3 * JOINTS
HALF = 2  # frames to either side that a velocity is averaged over
STEP = 1 / sampling.AIST_FPS  # seconds
HORIZONTAL, VERTICAL = [0, 2], [1]


def features(positions: np.ndarray, fps: float, mode: Mode) -> np.ndarray:
    """Give the 72 features of a clip [T, 24, 3], joint after joint, after bringing it to 60 fps.

    For `legacy` the clip is first moved to a root that starts at the origin, as in every table since Bailando's;
    `corrected` features are the same wherever it stands.
    """
    positions = sampling.resampled(positions, fps, sampling.AIST_FPS)
    return of_frames(sampling.zero_start(positions) if mode == "legacy" else positions, mode)


def of_frames(positions: np.ndarray, mode: Mode) -> np.ndarray:
    """Give the 72 features of a clip that is at 60 fps and in place: float64 [72]."""
    velocity = np.diff(positions, axis=0) / STEP
    last = len(positions) - 1
    smooth = _averaged(velocity, first=1, last=last)
    if mode == "legacy":
        earlier = positions[1:-1] - positions[:-2] / STEP
        acceleration = (velocity[1:] - earlier) / STEP
    else:
        acceleration = np.diff(velocity, axis=0) / STEP
    force = np.linalg.norm(_averaged(acceleration, first=1, last=last), axis=2)
    energies = [(smooth[:, :, axes] ** 2).sum(2).mean(0) for axes in (HORIZONTAL, VERTICAL)]
    return np.stack([*energies, force.mean(0)], axis=1).ravel()


def _averaged(values: np.ndarray, first: int, last: int) -> np.ndarray:
    """Average what lies up to `HALF` frames around each of the frames first..last; values[0] belongs to frame 1.

    Near the ends there is less to average: the window is cut, as the published code cuts it.
    """
    sums = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
    frames = np.arange(first, last + 1)
    start = np.clip(frames - HALF - 1, 0, len(values))
    stop = np.clip(frames + HALF, 0, len(values))
    return (sums[stop] - sums[start]) / (stop - start)[:, None, None]
