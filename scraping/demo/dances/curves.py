"""Curves of motion over time: eased changes from pose to pose, smoothing, and the slow drift of a living body."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RECOVERY = 0.35  # beats in which an overshoot is taken back


@dataclass(frozen=True)
class Key:
    """A value that is reached at a time, having set out from the value before so much earlier."""

    at: float
    value: tuple[float, ...]
    over: float


def eased(share: np.ndarray) -> np.ndarray:
    """Go from 0 to 1 while `share` does, with neither speed nor acceleration at both ends (minimum jerk)."""
    u = np.clip(share, 0, 1)
    return u**3 * (10 - 15 * u + 6 * u**2)


def keyed(times: np.ndarray, start: Sequence[float], keys: Sequence[Key], recoil: float = 0.0) -> np.ndarray:
    """Go through keys in order, [T, D]; a change overshoots by the share `recoil` and then falls back."""
    values = np.array([start, *(key.value for key in keys)], float)
    if not keys:
        return np.repeat(values, len(times), 0)
    at, over = np.array([key.at for key in keys]), np.maximum([key.over for key in keys], 1e-3)
    share = (times[:, None] - at + over) / over
    gone = (1 + recoil) * eased(share) - recoil * eased((share - 1) * over / RECOVERY)
    return values[0] + gone @ np.diff(values, axis=0)


def smoothed(values: np.ndarray, sigma: float) -> np.ndarray:
    """Blur along the first axis by a Gaussian of so many frames; ends are held."""
    if sigma < 0.05:
        return values
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    flat = np.pad(values.reshape(len(values), -1), ((reach, reach), (0, 0)), mode="edge")
    blurred = np.stack([np.convolve(column, kernel, "valid") for column in flat.T], 1)
    return blurred.reshape(values.shape)


def lowest(values: np.ndarray, reach: int) -> np.ndarray:
    """Give the least of each value [T] and those up to `reach` frames away."""
    padded = np.pad(values, reach, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).min(1)


def window(times: np.ndarray, start: float, end: float, blend: float) -> np.ndarray:
    """Be 1 between two times and 0 outside, blended over so much around both."""
    return eased((times - start) / blend + 0.5) - eased((times - end) / blend + 0.5)


def drift(seconds: np.ndarray, width: int, rng: np.random.Generator) -> np.ndarray:
    """Wander about zero with a standard deviation of about 1, [T, width], in swings of 1.5 to 8 seconds."""
    hertz = rng.uniform(0.12, 0.66, (4, width))
    phase = rng.uniform(0, 2 * np.pi, (4, width))
    return np.sin(2 * np.pi * hertz * seconds[:, None, None] + phase).sum(1) / np.sqrt(2)
