"""What a viewer notices first: a dancer who stops, repeats, jerks, or hardly moves."""

from dataclasses import dataclass

import numpy as np

from inference.motion.skeleton import INDEX
from training.dance.metrics import sampling

FPS = 30
STILL = 0.05  # m/s: mean speed of the joints of somebody who waits
STOP = 0.5  # seconds for which that is a freeze and no accent
WINDOW = 1.0  # seconds that are looked for again
APART = 1.5  # seconds between a window and what counts as its repetition
STRIDE = 0.2  # seconds between windows
SAME = 0.03  # metres: root mean square distance of the joints of a repetition; people repeat a step less exactly
LEGS = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("hip", "knee", "ankle", "foot")]
SIDES = [INDEX["left_hip"], INDEX["right_hip"]]


@dataclass(frozen=True)
class Faults:
    """Of one clip."""

    freeze: float  # share of time in which the whole body is still for half a second or more
    freeze_legs: float  # the same of the legs alone
    loop: float  # share of its seconds that come again: same poses in the same order, wherever and however turned
    jerk: float  # m/s^3: mean size of the third derivative of the joints' positions
    speed: float  # m/s: mean of the joints


def find(positions: np.ndarray, fps: float) -> Faults:
    """Look for the faults of a clip [T, 24, 3], at 30 frames a second."""
    positions = sampling.resampled(positions, fps, FPS)
    moved = np.linalg.norm(np.diff(positions, axis=0), axis=2) * FPS
    third = np.diff(positions, n=3, axis=0) * FPS**3
    return Faults(
        freeze=still(moved.mean(1)),
        freeze_legs=still(moved[:, LEGS].mean(1)),
        loop=loops(positions),
        jerk=float(np.linalg.norm(third, axis=2).mean()),
        speed=float(moved.mean()),
    )


def still(speed: np.ndarray) -> float:
    """Give the share of frames that lie in a stretch of at least `STOP` seconds slower than `STILL`."""
    slow = np.concatenate([[False], speed < STILL, [False]])
    edges = np.flatnonzero(np.diff(slow.astype(int)))
    lengths = edges[1::2] - edges[::2]
    return float(lengths[lengths >= round(STOP * FPS)].sum() / len(speed))


def loops(positions: np.ndarray) -> float:
    """Give the share of windows that are danced again at least `APART` seconds away; stillness repeats nothing."""
    length, stride, gap = round(WINDOW * FPS), round(STRIDE * FPS), round(APART * FPS)
    starts = np.arange(0, len(positions) - length + 1, stride)
    if not len(starts):
        return 0.0
    poses = facing_ahead(positions)
    seen = np.stack([poses[start : start + length].ravel() for start in starts])
    squares = (seen**2).sum(1)
    apart = np.sqrt((squares[:, None] + squares - 2 * seen @ seen.T).clip(0) / (length * positions.shape[1]))
    speed = np.linalg.norm(np.diff(positions, axis=0), axis=2).mean(1) * FPS
    moves = np.array([speed[start : start + length - 1].mean() >= STILL for start in starts])
    far = np.abs(starts[:, None] - starts) >= gap
    return float(((apart < SAME) & far).any(1)[moves].sum() / len(starts))


def facing_ahead(positions: np.ndarray) -> np.ndarray:
    """Move each frame's pelvis to the origin and turn it about the vertical until the hips lie along x."""
    poses = positions - positions[:, :1]
    across = poses[:, SIDES[0]] - poses[:, SIDES[1]]
    angle = np.arctan2(across[:, 2], across[:, 0])
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    turned = poses.copy()
    turned[:, :, 0] = cosine * poses[:, :, 0] + sine * poses[:, :, 2]
    turned[:, :, 2] = cosine * poses[:, :, 2] - sine * poses[:, :, 0]
    return turned
