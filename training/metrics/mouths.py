"""How far a mouth is open in a face crop, read off its pixels without a network: a proxy, and called one.

Between open lips it is dark. In a window that lies where the mouth is known to be, the reader measures how much darker
than the speaker's own lips and skin the pixels are. What that says is calibrated on the true pictures of each speaker
against the exact opening; how well the two agree there, and how often the reader tells closed from open, stands beside
every figure that it gives.

The window keeps its extent through a clip and follows the head, not the lips: nothing of the true opening is in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SMOOTHED = 25  # frames over which the window's centre is averaged
WIDE, TALL = 0.4, 1.4  # extent of the window, of the median width of the mouth and of its greatest height
REFERENCE = 60  # percentile of the luminance in the window, median over the clip: lips and skin
DARK = 0.6  # of that: what is darker lies between the lips


@dataclass(frozen=True)
class Reader:
    """What the darkness of one speaker's mouth means."""

    slope: float  # opening a unit of darkness
    start: float  # opening at none
    closed_below: float  # darkness

    def opening(self, darkness: np.ndarray) -> np.ndarray:
        return self.slope * darkness + self.start

    def closed(self, darkness: np.ndarray) -> np.ndarray:
        return darkness < self.closed_below


def windows(mouths: np.ndarray, crops: np.ndarray, edge: int) -> np.ndarray:
    """Place the window in each crop: int [F, 4] of x0, y0, x1, y1.

    `mouths` [F, 4] are x, y, width, height and `crops` [F, 4] x0, y0, x1, y1, both in pixels of the video.
    """
    scale = edge / (crops[:, 2:] - crops[:, :2])
    corner, extent = (mouths[:, :2] - crops[:, :2]) * scale, mouths[:, 2:] * scale
    centre = _smoothed(corner + extent / 2)
    sides = np.ceil([WIDE * np.median(extent[:, 0]), TALL * extent[:, 1].max()]).clip(1, edge)
    low = np.round(centre - sides / 2).clip(0, edge - sides)
    return np.concatenate([low, low + sides], axis=1).astype(int)


def _smoothed(path: np.ndarray) -> np.ndarray:
    """Average a path [F, 2] over time, its ends held."""
    reach = SMOOTHED // 2
    padded = np.pad(path, ((reach, reach), (0, 0)), mode="edge")
    kernel = np.full(SMOOTHED, 1 / SMOOTHED)
    return np.stack([np.convolve(padded[:, axis], kernel, "valid") for axis in (0, 1)], axis=1)


def darkness(crops: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Measure how much of each window lies in the dark between the lips: uint8 [F, H, W, 3] RGB -> float32 [F]."""
    planes = [
        cv2.cvtColor(np.ascontiguousarray(crop[y0:y1, x0:x1]), cv2.COLOR_RGB2GRAY).astype(np.float32)
        for crop, (x0, y0, x1, y1) in zip(crops, where, strict=True)
    ]
    level = DARK * np.median([np.percentile(plane, REFERENCE) for plane in planes])
    return np.array([np.clip(1 - plane / level, 0, 1).mean() for plane in planes], np.float32)


def calibrate(measured: np.ndarray, opening: np.ndarray, closed: np.ndarray) -> Reader:
    """Fit a reader to true pictures: least squares, and the border that best parts closed from open."""
    spread = measured - measured.mean()
    slope = float(spread @ (opening - opening.mean()) / max(float(spread @ spread), 1e-12))
    borders = np.unique(measured)
    middles = np.concatenate([borders[:1], (borders[1:] + borders[:-1]) / 2, [borders[-1] + 1e-6]])
    scores = [balanced(measured < border, closed) for border in middles]
    return Reader(slope, float(opening.mean() - slope * measured.mean()), float(middles[int(np.argmax(scores))]))


def balanced(said: np.ndarray, true: np.ndarray) -> float:
    """Give the mean of the shares of true and of false that are called so, as far as there are both."""
    rates = [float((said[true == kind] == kind).mean()) for kind in (True, False) if (true == kind).any()]
    return float(np.mean(rates))


def correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Give Pearson's correlation, or None where one of the two hardly moves."""
    first, second = (np.asarray(each, np.float64) for each in (first, second))
    if min(first.std(), second.std()) < 1e-6:
        return None
    return float(np.corrcoef(first, second)[0, 1])
