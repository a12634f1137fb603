"""Whether the beats of a motion fall on those of its music.

A motion's beat is where its joints are slowest: a minimum of their mean speed. Two scores are published under one name:
of `exp(-t^2 / 2 s^2)`, t being the time to the nearest other beat and s = 3 frames of 60 a second,

    precision  (FACT, EDGE, POPDG)             the mean over the beats of the motion,
    recall     (Bailando, Lodge, Danceba ...)  the mean over the beats of the music, which rises with every further
                                               beat of the motion, wherever it falls.

Neither is 0 for a dance that hears nothing: precision is then s sqrt(2 pi) / T for a beat every T frames, 0.22 over
AIST++'s test songs, of which ground truth scores 0.24. So each stands beside its chance: the same two lists of beats,
the one turned against the other by every part of the clip in turn.

`legacy` is as published, minima of unsmoothed (precision) or smoothed (recall) speed in whole frames. `corrected` takes
one list of minima for both: hardly smoothed, but of some depth, so that jitter makes no beats; the middle of a plateau
too; timed between the two frames whose difference the speed is. The Gaussian of 83 ms of `legacy` recall moves sharp
stops that a slower movement follows: of the demo's dances, which stop on the beat, by 85 ms, and leaves them near
chance. Beats less than s from an end of the clip, whose partner may lie beyond, are not scored. F1 is the harmonic mean
of the two. s is 50 ms everywhere.
"""

from dataclasses import dataclass

import numpy as np

from training.dance.metrics import sampling

SIGMA = 0.05  # seconds: 3 frames of 60 a second
FPS = sampling.AIST_FPS
ORDER = 10  # frames to either side of which a legacy minimum is the least
LEGACY_SMOOTHING = 5.0  # frames, of the Gaussian that speed is smoothed by for recall
REACH = 4  # deviations after which a Gaussian ends
SMOOTHING = 2.0  # frames: 33 ms
DEPTH = 0.2  # of the mean speed: how far a corrected minimum lies below the lower of the crests around it
WITHIN = 0.07  # seconds by which a beat may be off and is found, as beat trackers are measured
TURNS = 48  # by which one list of beats is turned against the other to learn what chance gives


@dataclass(frozen=True)
class Legacy:
    """The published scores, and what they are of the same music turned against the same motion."""

    precision: float
    recall: float
    chance: tuple[float, float]


@dataclass(frozen=True)
class Alignment:
    """How well beats fall together, and how well those of the same two rhythms would by chance."""

    precision: float
    recall: float
    f1: float
    chance: tuple[float, float, float]  # precision, recall, F1 of the turned beats
    spread: float  # standard deviation of the turned F1
    density: float  # beats of the motion a second
    late: float | None  # seconds by which the motion's beats follow the nearest of the music's, median


def legacy(positions: np.ndarray, fps: float, beats: np.ndarray) -> Legacy | None:
    """Score as FACT and EDGE (precision) and as Bailando (recall) do; None for music without beats, given in seconds.

    A motion without beats scores 0, where Bailando's code stops.
    """
    positions = sampling.resampled(positions, fps, FPS)
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=2)
    sharp = _least_around(np.concatenate([[0.0], steps.sum(1)]), ORDER)  # of frame i: the way from i - 1; none before 0
    soft = _least_around(smoothed(steps.mean(1), LEGACY_SMOOTHING), 1)  # of frame i: the way to i + 1
    music = np.unique(np.round(np.asarray(beats, np.float64) * FPS).astype(int))
    music = music[(music >= 0) & (music < len(positions))]
    if not len(music):
        return None

    def scores(turn: int) -> tuple[float, float]:
        turned = (music + turn) % len(positions)
        return _mean_score(sharp, turned), _mean_score(turned[turned < len(steps)], soft)

    chance = np.mean([scores(turn * len(positions) // TURNS) for turn in range(TURNS)], axis=0)
    return Legacy(*scores(0), chance=(float(chance[0]), float(chance[1])))


def align(positions: np.ndarray, fps: float, beats: np.ndarray) -> Alignment | None:
    """Score a motion's beats against the music's, seconds from the clip's first frame; None for music without."""
    seconds = (len(positions) - 1) / fps
    music = np.asarray(beats, np.float64)
    music = music[(music >= 0) & (music <= seconds)]
    if not len(music):
        return None
    motion = kinematic(positions, fps)
    own = _scores(motion, music, seconds)
    turned = np.array([_scores(_turned(motion, turn, seconds), music, seconds) for turn in _turns(seconds)])
    nearest = _apart(motion, music) if len(motion) else np.zeros(0)
    return Alignment(
        *own,
        chance=tuple(turned.mean(0).tolist()),
        spread=float(turned[:, 2].std()),
        density=len(motion) / seconds,
        late=float(np.median(nearest)) if len(nearest) else None,
    )


def kinematic(positions: np.ndarray, fps: float) -> np.ndarray:
    """Find the beats of a motion: seconds from its first frame, ascending."""
    positions = sampling.resampled(positions, fps, FPS)
    speed = smoothed(np.linalg.norm(np.diff(positions, axis=0), axis=2).mean(1) * FPS, SMOOTHING)
    deep = [valley for valley in _valleys(speed) if _depth(speed, *valley) >= DEPTH * speed.mean()]
    return (np.array([(first + last) / 2 for first, last in deep]) + 0.5) / FPS


def found(heard: np.ndarray, true: np.ndarray) -> float:
    """Give the F1 of heard beats against true ones, both in seconds, ascending: each finds at most one."""
    hits = other = 0
    for beat in true:
        while other < len(heard) and heard[other] < beat - WITHIN:
            other += 1
        if other < len(heard) and heard[other] <= beat + WITHIN:
            hits, other = hits + 1, other + 1
    return 2 * hits / (len(heard) + len(true)) if len(heard) + len(true) else 1.0


def smoothed(speed: np.ndarray, frames: float) -> np.ndarray:
    """Smooth by a Gaussian whose deviation is so many frames, the curve mirrored at its ends."""
    reach = int(REACH * frames + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / frames) ** 2)
    return np.convolve(np.pad(speed, reach, mode="symmetric"), kernel / kernel.sum(), mode="valid")


def _least_around(curve: np.ndarray, order: int) -> np.ndarray:
    """Find where a curve lies below its neighbours up to `order` to either side; beyond an end lies the end itself."""
    indices = np.arange(len(curve))
    least = np.ones(len(curve), bool)
    for shift in range(1, order + 1):
        least &= curve < curve[np.maximum(indices - shift, 0)]
        least &= curve < curve[np.minimum(indices + shift, len(curve) - 1)]
    return np.flatnonzero(least)


def _mean_score(asked: np.ndarray, others: np.ndarray) -> float:
    """Average the score of frames by the nearest of the others."""
    if not len(asked) or not len(others):
        return 0.0
    apart = np.abs(asked[:, None] - others).min(1) / FPS
    return float(np.exp(-(apart**2) / (2 * SIGMA**2)).mean())


def _valleys(curve: np.ndarray) -> list[tuple[int, int]]:
    """Find the stretches of equal values with higher ones on both sides: first and last index of each."""
    changes = np.flatnonzero(np.diff(curve)) + 1
    starts, ends = np.concatenate([[0], changes]), np.concatenate([changes - 1, [len(curve) - 1]])
    level = curve[starts]
    inner = np.arange(1, len(starts) - 1)
    low = inner[(level[inner - 1] > level[inner]) & (level[inner + 1] > level[inner])]
    return [(int(starts[run]), int(ends[run])) for run in low]


def _depth(curve: np.ndarray, first: int, last: int) -> float:
    """Measure how far one climbs out of a valley, on the lower side, before it goes down below it."""
    lower = np.flatnonzero(curve < curve[first])
    left, right = lower[lower < first], lower[lower > last]
    before = curve[left.max() if len(left) else 0 : first]
    after = curve[last + 1 : right.min() + 1 if len(right) else None]
    return float(min(before.max(), after.max()) - curve[first])


def _turns(seconds: float) -> np.ndarray:
    return np.arange(TURNS) * seconds / TURNS


def _turned(motion: np.ndarray, turn: float, seconds: float) -> np.ndarray:
    return np.sort((motion + turn) % seconds)


def _scores(motion: np.ndarray, music: np.ndarray, seconds: float) -> tuple[float, float, float]:
    precision, recall = _near(motion, music, seconds), _near(music, motion, seconds)
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _near(asked: np.ndarray, others: np.ndarray, seconds: float) -> float:
    asked = asked[(asked >= SIGMA) & (asked <= seconds - SIGMA)]
    if not len(asked) or not len(others):
        return 0.0
    return float(np.exp(-(_apart(asked, others) ** 2) / (2 * SIGMA**2)).mean())


def _apart(asked: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Give the time from the nearest other beat to each, negative before it."""
    apart = asked[:, None] - others
    return apart[np.arange(len(asked)), np.abs(apart).argmin(1)]
