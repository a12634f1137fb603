"""Find when a foot stands: its ankle or its ball is low and hardly moves."""

import numpy as np

from inference.motion.skeleton import ANKLE_HEIGHT, FOOT_HEIGHT, INDEX

CONTACTS = ("left_ankle", "left_foot", "right_ankle", "right_foot")
CONTACT_JOINTS = tuple(INDEX[name] for name in CONTACTS)
# Where each of them is over the floor while it stands.
STANDING = np.array([ANKLE_HEIGHT if name.endswith("ankle") else FOOT_HEIGHT for name in CONTACTS], np.float32)

LIFT = 0.04  # metres above that
SPEED = 0.3  # metres a second
SPAN = 1 / 30  # seconds on either side over which speed is taken


def contacts(positions: np.ndarray, fps: int) -> np.ndarray:
    """Tell which of `CONTACTS` stand in each frame, bool [T, 4]; positions [T, 24, 3] in metres, the floor at y = 0."""
    feet = positions[:, CONTACT_JOINTS]
    low = feet[..., 1] < STANDING + LIFT
    return _steady(low & (_speeds(feet, fps) < SPEED))


def _speeds(points: np.ndarray, fps: int) -> np.ndarray:
    """Give metres a second [T, K] of points [T, K, 3], over the frames `SPAN` before and after."""
    count = len(points)
    step = max(1, round(SPAN * fps))
    before = np.maximum(np.arange(count) - step, 0)
    after = np.minimum(np.arange(count) + step, count - 1)
    seconds = np.maximum(after - before, 1) / fps
    return np.linalg.norm(points[after] - points[before], axis=-1) / seconds[:, None]


def _steady(found: np.ndarray) -> np.ndarray:
    """Go by the majority of each frame and its two neighbours."""
    padded = np.pad(found, ((1, 1), (0, 0)), mode="edge").astype(int)
    return padded[:-2] + padded[1:-1] + padded[2:] >= 2
