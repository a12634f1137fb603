"""A steady beat in place of a found one: of songs made to a click, in which a tracker wavers or leaves beats out."""

from dataclasses import replace

import numpy as np

from inference import music
from inference.errors import UserError
from inference.music import Features

FEWEST = 4  # beats of which a tempo is told
ROUNDS = 3
FAR = 0.2  # of a beat: so far off the grid a found beat does not count


def locked(found: Features) -> Features:
    """Lay beats evenly over the whole song, at the tempo and phase that fit the found ones best."""
    if len(found.beats) < FEWEST:
        raise UserError(f"--bpm-lock needs {FEWEST} beats, and {len(found.beats)} were heard in the song: leave it out")
    first, period = _grid(found.beats)
    numbers = np.arange(np.ceil(-first / period - 1e-9), np.floor((found.seconds - first) / period) + 1)
    beats = first + period * numbers
    array, frames = found.array.copy(), len(found.array)
    array[:, music.BEAT] = 0
    array[np.minimum(np.round(beats * found.fps).astype(int), frames - 1), music.BEAT] = 1
    array[:, music.PHASE] = music.phase(beats, np.arange(frames) / found.fps)
    return replace(found, array=array, beats=beats, tempo=60 / period)


def _grid(beats: np.ndarray) -> tuple[float, float]:
    """Fit a first beat and a period, in seconds, to beats of which some may be missing or wrong."""
    period = float(np.median(np.diff(beats)))
    numbers = np.concatenate([[0], np.cumsum(np.maximum(np.round(np.diff(beats) / period), 1))])
    kept = np.ones(len(beats), bool)
    for _ in range(ROUNDS):
        period, first = np.polyfit(numbers[kept], beats[kept], 1)
        numbers = np.round((beats - first) / period)
        close = np.abs(beats - first - period * numbers) < FAR * period
        kept = close if close.sum() >= FEWEST else kept
    return float(first), float(period)
