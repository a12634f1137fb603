"""Read traits of people off their pictures (gender, age, light ...), learnt from rendered people whose truth is known.

What reads is a ridge regression on coarse colours and on histograms of edges by direction: it learns in a second from a
few hundred pictures, has one answer, and how well it reads each of them when all others taught it comes with it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ACROSS = 16  # cells, whatever the resolution
BINS = 8  # directions of edges
RIDGES = 10.0 ** np.arange(-3, 3.5, 0.5)
MIRRORED = ("light",)  # what changes its sign in a mirror


@dataclass(frozen=True)
class Reader:
    """Reads pictures, uint8 [N, H, W, 3]: float64 [N, traits], in standard deviations of those it was taught by."""

    names: tuple[str, ...]
    scales: tuple[np.ndarray, np.ndarray]  # of the features that stay the same in a mirror, and of those that change
    centre: np.ndarray
    weights: np.ndarray  # [traits, features]

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        same, turned = _features(pictures)
        return np.column_stack(
            [
                (turned * self.scales[1] if name in MIRRORED else (same - self.centre) * self.scales[0]) @ row
                for name, row in zip(self.names, self.weights, strict=True)
            ]
        )


def learn(pictures: np.ndarray, truth: np.ndarray, names: Sequence[str]) -> tuple[Reader, np.ndarray]:
    """Learn traits [N, traits] from pictures, uint8 [N, H, W, 3]; also give what all others read in each picture.

    Each picture teaches as its mirror would, too: most traits are looked for in what both have in common, light, which
    changes its side, in what they have not.
    """
    same, turned = _features(pictures)
    centre = same.mean(axis=0)
    scales = _scale(same - centre), _scale(turned)
    units = (truth - truth.mean(axis=0)) / np.maximum(truth.std(axis=0), 1e-9)
    fits = []
    for name, wanted in zip(names, units.T, strict=True):
        odd = name in MIRRORED
        fits.append(_ridge(turned * scales[1] if odd else (same - centre) * scales[0], wanted, centred=not odd))
    rows, left_out = (np.stack(parts) for parts in zip(*fits, strict=True))
    return Reader(tuple(names), scales, centre, rows), left_out.T


def correlation(found: np.ndarray, true: np.ndarray) -> tuple[float, float, float]:
    """Correlate what was read with the truth, with an interval of 95 % (Fisher): value, low, high."""
    if len(found) < 4 or min(found.std(), true.std()) < 1e-9:
        return 0.0, -1.0, 1.0
    value = float(np.corrcoef(found, true)[0, 1])
    middle, half = math.atanh(min(max(value, -0.9999), 0.9999)), 1.96 / math.sqrt(len(found) - 3)
    return value, math.tanh(middle - half), math.tanh(middle + half)


def _features(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give what pictures have in common with their mirrors and what they have not: each float64 [N, features]."""
    seen, mirrored = _seen(pictures), _seen(pictures[:, :, ::-1])
    return (seen + mirrored) / 2, (seen - mirrored) / 2


def _seen(pictures: np.ndarray) -> np.ndarray:
    """Give the mean colour of each cell, and how strong edges are in it by direction (their root: few are strong)."""
    colours = pictures.astype(np.float32) / 255
    grey = colours.mean(axis=3)
    down, across = np.zeros_like(grey), np.zeros_like(grey)
    down[:, 1:-1], across[:, :, 1:-1] = grey[:, 2:] - grey[:, :-2], grey[:, :, 2:] - grey[:, :, :-2]
    place = np.arctan2(down, across) % (2 * np.pi) / (2 * np.pi) * BINS
    first, share = place.astype(int) % BINS, place % 1
    strength, edges = np.hypot(down, across), []
    for direction in range(BINS):
        near = np.where(first == direction, 1 - share, 0) + np.where((first + 1) % BINS == direction, share, 0)
        edges.append(np.sqrt(_cells((strength * near)[..., None])))
    parts = [_cells(colours), *edges]
    return np.concatenate([part.reshape(len(pictures), -1) for part in parts], axis=1).astype(np.float64)


def _cells(planes: np.ndarray) -> np.ndarray:
    """Average [N, H, W, C] over square cells, 16 across."""
    side = max(1, planes.shape[2] // ACROSS)
    rows, columns = planes.shape[1] // side, planes.shape[2] // side
    whole = planes[:, : rows * side, : columns * side]
    return whole.reshape(len(planes), rows, side, columns, side, -1).mean(axis=(2, 4))


def _scale(centred: np.ndarray) -> np.ndarray:
    """Bring features to one spread; those that hardly change are left as small as they are."""
    spread = centred.std(axis=0)
    return 1 / np.maximum(spread, 0.1 * spread.max() + 1e-12) / math.sqrt(centred.shape[1])


def _ridge(seen: np.ndarray, wanted: np.ndarray, centred: bool) -> tuple[np.ndarray, np.ndarray]:
    """Fit a row of weights, with what a fit to all others gives for each picture (in closed form).

    The penalty is the one with which these come nearest to the truth. Where features were centred, each picture had
    its part in the mean, which the others alone do not know: an n-th of its leverage.
    """
    values, vectors = np.linalg.eigh(seen @ seen.T)
    best, least = (np.zeros(len(wanted)), np.zeros(len(wanted))), math.inf
    for ridge in RIDGES:
        inverse = (vectors / (values.clip(0) + ridge)) @ vectors.T
        dual = inverse @ wanted
        off = dual / (np.diag(inverse) - centred / (ridge * len(wanted)))
        if (error := float(np.square(off).mean())) < least:
            best, least = (dual, wanted - off), error
    return seen.T @ best[0], best[1]
