"""When feet stand and where: cut contacts into stands of one place each, and fade what they ask for into the rest."""

from dataclasses import dataclass

import numpy as np

BLEND = 0.2  # seconds in which a foot goes into and out of its place
ASTRAY = 0.2  # metres off its place at which a foot has taken a step, whatever its contact says
LEAST_STAND = 0.06  # seconds


@dataclass(frozen=True)
class Stand:
    """Frames in which one point of a foot stands, where it is, and how high it is on the floor."""

    first: int
    end: int
    path: np.ndarray  # [T, 3]
    height: float


def stands_of(rows: np.ndarray, path: np.ndarray, fps: int) -> list[tuple[int, int]]:
    """Cut the frames in which a point stands into stands of one place each: first frame and the one after the last.

    Where its path [T, 3] goes further than it can be held, time is left for a step to the next place.
    """
    least, pause = max(1, round(LEAST_STAND * fps)), max(1, round(BLEND * fps / 2))
    stands, frame = [], 0
    while frame < len(rows):
        if not rows[frame]:
            frame += 1
            continue
        first = frame
        while frame < len(rows) and rows[frame] and np.linalg.norm((path[frame] - path[first])[[0, 2]]) < ASTRAY:
            frame += 1
        astray = frame < len(rows) and rows[frame]
        end = frame - pause if astray else frame
        frame += pause if astray else 0
        if end - first >= least:
            stands.append((first, end))
    return stands


def held(stands: list[Stand], frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Give how far each stand has to be moved to be in one place [T, 3], and which frames are of a stand, bool [T].

    A stand that follows on another, from heel to ball, begins where that one leaves the foot.
    """
    move, still = np.zeros((frames, 3)), np.zeros(frames, bool)
    for stand in sorted(stands, key=lambda stand: stand.first):
        path = stand.path[stand.first : stand.end]
        place = path.mean(0)
        if stand.first and still[stand.first - 1] and np.linalg.norm(move[stand.first - 1]) < ASTRAY / 2:
            place = path[0] + move[stand.first - 1]
        place[1] = stand.height
        move[stand.first : stand.end] = place - path
        still[stand.first : stand.end] = True
    return move, still


def spread(values: np.ndarray, known: np.ndarray, fps: int) -> np.ndarray:
    """Fade what is known of some frames [T, C] into the frames before and after, which are known of nothing."""
    places, blend = np.flatnonzero(known), max(1, round(BLEND * fps))
    if not len(places):
        return values
    whole = np.where(known[:, None], values, 0)
    for last, following in zip([None, *places], [*places, None], strict=True):
        start = 0 if last is None else last + 1
        end = len(values) if following is None else following
        gap = end - start
        if not gap:
            continue
        both = last is not None and following is not None
        span = min(blend, gap) + 1 if both else blend + 1
        steps = np.arange(1, gap + 1)
        if last is not None:
            whole[start:end] += _ease(steps / span)[:, None] * values[last]
        if following is not None:
            whole[start:end] += _ease(steps[::-1] / span)[:, None] * values[following]
    return whole


def _ease(share: np.ndarray) -> np.ndarray:
    """Go from 1 at 0 to 0 at 1 with no corner."""
    share = np.clip(share, 0, 1)
    return 1 - share * share * (3 - 2 * share)
