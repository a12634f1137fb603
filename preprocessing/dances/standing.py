"""The floor under a captured dance, and when its feet stand on it.

Motions that cameras saw (AIST++) hold the feet loosely: a planted sole wanders by centimetres, and heel against ball
was never seen, for COCO's points end at the ankle. So the floor is where soles are while they hardly move, not the
lowest that they reach, and what hardly moves near it stands.
"""

import numpy as np

from inference.motion import kinematics
from inference.motion.clip import Motion
from inference.motion.contacts import CONTACT_JOINTS, STANDING

SLOW = 0.3  # metres a second
LIFTS = np.array([0.12, 0.06, 0.12, 0.06])  # metres over their height on the floor: ankle, ball, left, then right
FEWEST = 0.05  # share of the frames in which something must stand, or the lowest reach is the floor


def grounded(motion: Motion) -> Motion:
    """Put a motion on its floor at y = 0 and mark what stands."""
    positions = motion.positions()
    soles = positions[:, CONTACT_JOINTS, 1] - STANDING
    slow = _speeds(positions[:, CONTACT_JOINTS], motion.fps) < SLOW
    floor = _floor(soles, slow, kinematics.floor(positions))
    standing = _steady(slow & (soles - floor < LIFTS), round(motion.fps / 15))
    root = motion.root - np.array([0, floor, 0], np.float32)
    return Motion(motion.rotations, root, standing, motion.fps)


def _floor(soles: np.ndarray, slow: np.ndarray, lowest: float) -> float:
    """Give the height of the lowest sole that hardly moves, median of the frames in which there is one."""
    there = slow.any(axis=1)
    if there.mean() < FEWEST:
        return lowest
    return float(np.median(np.where(slow, soles, np.inf)[there].min(axis=1)))


def _speeds(points: np.ndarray, fps: int) -> np.ndarray:
    """Give metres a second [T, K] of points [T, K, 3], over a thirtieth of a second to either side."""
    step, last = max(1, round(fps / 30)), len(points) - 1
    after, before = np.minimum(np.arange(last + 1) + step, last), np.maximum(np.arange(last + 1) - step, 0)
    seconds = np.maximum(after - before, 1) / fps
    return np.linalg.norm(points[after] - points[before], axis=-1) / seconds[:, None]


def _steady(found: np.ndarray, span: int) -> np.ndarray:
    """Go by the majority of the frames around each."""
    padded = np.pad(found.astype(int), ((span, span), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * span + 1, axis=0)
    return windows.mean(axis=-1) > 0.5
