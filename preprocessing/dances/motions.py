"""From what was delivered to the canonical motion, and the gates that it must pass."""

import numpy as np
import torch

from inference.errors import one_line
from inference.motion import rotations, solving
from inference.motion.clip import FPS, Motion
from inference.motion.skeleton import SMPL_PELVIS
from preprocessing.dances import standing
from preprocessing.dances.reading import Placed, Turned, Unusable
from preprocessing.dances.settings import Gates, Settings

STILL = 0.02  # metres a second, mean of all joints: slower is no movement
ACROSS = np.array([1, 0, 1], np.float32)


def motion_of(raw: Turned | Placed, settings: Settings) -> tuple[Motion, dict[str, float]]:
    """Bring a dance onto the canonical skeleton at 30 frames a second; give what is left of each joint, in metres.

    Rotations are taken as they are and leave nothing; positions are fitted. `Unusable` for what fails a gate.
    """
    if len(raw) / raw.fps < settings.seconds:
        raise Unusable("too-short", f"{len(raw) / raw.fps:.1f} s, {settings.seconds:g} needed")
    raw = raw.cut(round(settings.most_seconds * raw.fps))
    motion, residuals = (_turned(raw), {}) if isinstance(raw, Turned) else _fitted(raw, settings.gates)
    motion = motion.resampled(FPS)
    check(motion, settings.gates)
    return motion, residuals


def _turned(raw: Turned) -> Motion:
    matrices = rotations.matrix_from_axis_angle(torch.from_numpy(raw.vectors)).float().numpy()
    root = (raw.moved + SMPL_PELVIS).astype(np.float32)
    return standing.grounded(Motion.from_matrices(matrices, root - root[0] * ACROSS, round(raw.fps)))


def _fitted(raw: Placed, gates: Gates) -> tuple[Motion, dict[str, float]]:
    every = max(1, round(raw.fps / FPS)) if raw.fps % FPS == 0 else 1  # no frame is fitted that is not kept
    try:
        motion, off = solving.fit(raw.positions[::every], raw.points, round(raw.fps / every))
    except torch.linalg.LinAlgError as error:
        raise Unusable("residual", f"no body can be laid through the points: {one_line(error, 80)}") from None
    limbs = raw.points.limbs()
    worst = max(limbs, key=lambda limb: off[limbs[limb]])
    mean, most = float(np.mean(off)), float(off[limbs[worst]])
    if max(mean, most) > gates.residual:
        detail = f"the skeleton fits to {100 * mean:.1f} cm, at {worst} to {100 * most:.1f}"
        raise Unusable("residual", f"{detail}; {100 * gates.residual:.0f} are the most")
    # Where each frame is told from the middle of the body, the fit lays the way along what stands.
    motion = motion if raw.points.centred else standing.grounded(motion)
    return motion, dict(zip(raw.points.names, (float(metres) for metres in off), strict=True))


def check(motion: Motion, gates: Gates) -> None:
    """Refuse a motion in which hardly anything moves, or that leaps as no body does."""
    speeds = np.linalg.norm(np.diff(motion.positions(), axis=0), axis=-1).mean(axis=1) * motion.fps
    still = float((speeds < STILL).mean()) if len(speeds) else 1.0
    if still > gates.still:
        raise Unusable("frozen", f"nothing moves in {still:.0%} of it")
    leaps = np.linalg.norm(np.diff(motion.root, axis=0), axis=-1) * motion.fps
    if leaps.max() > gates.speed:
        at = int(leaps.argmax()) / motion.fps
        raise Unusable("jump", f"the pelvis goes {leaps.max():.1f} m/s at {at:.2f} s, {gates.speed:g} are the most")
