"""Keep feet where they stand: put a motion on the floor, give back its way through the room, lock its soles."""

import numpy as np

from inference.motion import kinematics
from inference.motion.clip import Motion
from inference.motion.contacts import CONTACT_JOINTS, STANDING

LOWEST = 0.02  # metres over the lowest sole that still bears weight


def on_floor(motion: Motion) -> Motion:
    """Shift a motion so that it stands on y = 0, and find its contacts anew."""
    down = kinematics.floor(motion.positions()) * np.array((0, 1, 0), np.float32)
    return Motion.from_matrices(motion.matrices(), motion.root - down, motion.fps)


def travelled(motion: Motion) -> Motion:
    """Give a motion its way through the room back, which was told in each frame from the middle of the body.

    The lowest sole of every frame is on the floor, so nobody jumps, and what bears the weight does not move.
    """
    soles = motion.positions()[:, CONTACT_JOINTS] - motion.root[:, None]
    heights = soles[..., 1] - STANDING
    over = heights - heights.min(1, keepdims=True)
    bearing = np.exp(-((over / LOWEST) ** 2))
    bearing = bearing[:-1] * bearing[1:]
    bearing /= bearing.sum(1, keepdims=True)
    steps = -((soles[1:] - soles[:-1]) * bearing[..., None]).sum(1)
    root = np.concatenate((np.zeros((1, 3), np.float32), steps.cumsum(0)))
    root[:, 1] = -heights.min(1)
    return Motion.from_matrices(motion.matrices(), root, motion.fps)
