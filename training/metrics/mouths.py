"""How far a mouth is open in a face crop, read off its pixels without a network: a proxy, and called one.

A window that lies where the mouth is known to be, shrunk to 12 by 12 pixels and freed of light and contrast, is
multiplied with weights that least squares found on true frames, of which the exact opening is known. The frames of a
clip are read by weights that none of its own frames went into. How well these readings agree with the truth, and how
often they tell closed from open, stands beside every figure that they give.

The window keeps its extent through a clip and follows the head, not the lips: nothing of the true opening is in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SMOOTHED = 25  # frames over which the window's centre is averaged
WIDE, TALL = 0.7, 1.6  # extent of the window, of the median width of the mouth and of its greatest height
PATCH = 12  # pixels a side
RIDGE = 0.1  # of the least squares, in variances of a pixel
OWN = 4.0  # weight of the other clips of a speaker, beside those of other speakers


@dataclass(frozen=True)
class Moments:
    """The sums over frames from which least squares are solved; they add up."""

    weight: float
    looks: np.ndarray  # [D]
    products: np.ndarray  # [D, D]
    opening: float
    both: np.ndarray  # [D]

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(*(mine + theirs for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)))

    def times(self, weight: float) -> "Moments":
        return Moments(*(weight * value for value in vars(self).values()))


@dataclass(frozen=True)
class Reader:
    """Weights that read an opening off looks."""

    weights: np.ndarray  # [D]
    start: float

    def opening(self, looks: np.ndarray) -> np.ndarray:
        """Read the opening [F], about 0 closed to 1 wide open, off looks [F, D]."""
        return looks @ self.weights + self.start


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


def looks(crops: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Give what the windows of crops uint8 [F, H, W, 3] show, of mean 0 and deviation 1 each: float64 [F, D]."""
    seen = []
    for crop, (x0, y0, x1, y1) in zip(crops, where, strict=True):
        patch = cv2.resize(crop[y0:y1, x0:x1], (PATCH, PATCH), interpolation=cv2.INTER_AREA).astype(np.float64)
        seen.append((patch - patch.mean()).ravel() / (patch.std() + 1e-3))
    return np.array(seen)


def moments(seen: np.ndarray, opening: np.ndarray) -> Moments:
    """Sum up frames: looks [F, D] and their exact opening [F]."""
    opening = opening.astype(np.float64)
    return Moments(float(len(seen)), seen.sum(0), seen.T @ seen, float(opening.sum()), seen.T @ opening)


def fit(of: Moments) -> Reader:
    """Solve the least squares with a ridge (Hoerl and Kennard 1970)."""
    mean, middle = of.looks / of.weight, of.opening / of.weight
    covariance = of.products / of.weight - np.outer(mean, mean)
    weights = np.linalg.solve(covariance + RIDGE * np.eye(len(mean)), of.both / of.weight - middle * mean)
    return Reader(weights, float(middle - mean @ weights))


def border(read: np.ndarray, closed: np.ndarray) -> float:
    """Give the opening below which a mouth counts as closed: where that agrees best with the truth."""
    values = np.unique(read)
    between = np.concatenate([values[:1], (values[1:] + values[:-1]) / 2, [values[-1] + 1e-6]])
    return float(between[int(np.argmax([balanced(read < value, closed) for value in between]))])


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
