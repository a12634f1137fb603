"""What the feet do wrong: forces without footing (PFC), feet that slide while they stand, sink or float.

PFC (physical foot contact, EDGE 2023) asks whether a body that accelerates has a foot at rest to do so from: mean of
a * v_left * v_right, where a is the root's acceleration, its fall left out, over the greatest of the clip, and v the
lesser horizontal speed of a foot's ankle and ball. `legacy` is that in metres a frame, times 10^4. It falls with the
square of the frame rate and of the dance's size, one jolt of the root divides the whole clip's score, and a frozen clip
is 0 / 0. `corrected` is taken at 30 frames a second whatever the clip's rate, so that it stays comparable with
published figures, and a is over its 95th percentile, held at 1, so that a jolt counts for its own frames alone.

The root stands in for the centre of mass in both. A dance that hardly moves scores well: speed and freezing belong
beside it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from inference.motion.contacts import CONTACT_JOINTS, STANDING
from training.dance.metrics import sampling

Mode = Literal["legacy", "corrected"]
FPS = 30  # of the published figures; the faster feet are looked at, the more of their trembling counts as sliding
PERCENTILE = 95
SCALE = 1e4
UP, FLAT = 1, [0, 2]
ROOT = 0
FEET = ((0, 1), (2, 3))  # of CONTACT_JOINTS: ankle and ball of the left foot, of the right
BEARS = 0.025  # metres over where it stands: half way to this a joint still bears most, at this nothing (Zhang 2018)
DEEP = 0.01  # metres into the floor that one sees


@dataclass(frozen=True)
class Footing:
    """How a clip stands on a floor at y = 0."""

    skate: float | None  # cm/s: how fast the feet move along the floor while they bear weight; None if they never do
    penetration: float  # cm: how deep the deeper foot is in the floor, mean over frames
    sunk: float  # share of frames in which that is more than a centimetre
    floating: float  # cm: how far the lowest joint is over the floor, mean over frames; jumps count, too


def pfc(positions: np.ndarray, fps: float, mode: Mode) -> float | None:
    """Give the PFC of a clip [T, 24, 3], y up; None where `legacy` divides by 0. `legacy` takes the clip's own rate."""
    if mode == "corrected":
        positions, fps = sampling.resampled(positions, fps, FPS), FPS
    positions = sampling.checked(positions)
    pushed = np.diff(positions[:, ROOT], n=2, axis=0) * fps**2
    pushed[:, UP] = pushed[:, UP].clip(0)
    pushed = np.linalg.norm(pushed, axis=1)
    most = pushed.max() if mode == "legacy" else np.percentile(pushed, PERCENTILE)
    if most == 0:
        return None if mode == "legacy" else 0.0
    share = (pushed / most).clip(max=1)
    feet = positions[1:, list(CONTACT_JOINTS)]
    moved = np.linalg.norm(np.diff(feet, axis=0)[:, :, FLAT], axis=2)  # of frame t: the way to t + 1
    left, right = (moved[:, list(foot)].min(1) for foot in FEET)
    return float((share * left * right).mean() * SCALE)


def footing(positions: np.ndarray, fps: float) -> Footing:
    """Say how a clip [T, 24, 3] stands on the floor at y = 0, at 30 frames a second."""
    positions = sampling.resampled(positions, fps, FPS)
    over = positions[:, list(CONTACT_JOINTS), UP] - STANDING
    deep = (-over.min(1)).clip(0)
    others = np.delete(positions[:, :, UP], CONTACT_JOINTS, axis=1).min(1)
    return Footing(
        skate=skate(positions),
        penetration=float(deep.mean() * 100),
        sunk=float((deep > DEEP).mean()),
        floating=float(np.minimum(over.min(1), others).clip(0).mean() * 100),
    )


def skate(positions: np.ndarray) -> float | None:
    """Give how fast feet slide, cm/s, averaged by the weight they seem to bear; None if they never touch the floor.

    Positions are at 30 frames a second. A joint bears 2 - 2^(height / `BEARS`), between 0 and 1. Of a foot the slower
    of the joints that bear counts: one turns on the ball, and rolls over the heel, without sliding.
    """
    feet = positions[:, list(CONTACT_JOINTS)]
    speed = np.linalg.norm(np.diff(feet, axis=0)[:, :, FLAT], axis=2) * FPS
    height = (feet[:, :, UP] - STANDING).clip(0)
    bears = (2 - 2 ** (height / BEARS)).clip(0, 1)
    bears = np.minimum(bears[1:], bears[:-1])
    slid = weight = 0.0
    for foot in FEET:
        joints = list(foot)
        on = bears[:, joints].max(1)
        slower = np.where(bears[:, joints] >= on[:, None] / 2, speed[:, joints], np.inf).min(1)
        slid, weight = slid + (on * slower).sum(), weight + on.sum()
    return float(slid / weight * 100) if weight else None
