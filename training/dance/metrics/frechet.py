"""How far a set of dances lies from the true ones in feature space, and how far apart its dances lie.

FID is the Frechet distance of two Gaussians fitted to features that are z-scored by the true set; diversity ("Dist",
"Div") is the mean distance of two of its dances in the same space, and is best when it is that of the true ones.

Two things make the published figures hard to read. With fewer dances than features most of an FID is bias: 40 samples
of the very same Gaussian as 1363 in 72 dimensions are 48 away from them. And a feature that is the same in all true
dances is divided by 1e-10. `legacy` does as published; `corrected` leaves constant features out and sets beside the FID
its floor, which is what as many true dances score against the rest of the truth, and KID, which has no such bias.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.metrics import distances

Mode = Literal["legacy", "corrected"]
LEAST = 3  # dances: of fewer there is no covariance to speak of
LEGACY_EPSILON = 1e-10


@dataclass(frozen=True)
class Space:
    """Features z-scored by the true ones: by their mean and deviation, of those that are kept."""

    mean: np.ndarray  # [kept]
    deviation: np.ndarray  # [kept]
    kept: np.ndarray  # bool [D]

    def place(self, features: np.ndarray) -> np.ndarray:
        """Give features [N, D] as [N, kept]."""
        return (np.asarray(features, np.float64)[:, self.kept] - self.mean) / self.deviation


def space(true: np.ndarray, mode: Mode) -> Space:
    """Make the space of true features [N, D]."""
    true = np.asarray(true, np.float64)
    mean, deviation = true.mean(0), true.std(0)
    if mode == "legacy":
        return Space(mean, deviation + LEGACY_EPSILON, np.ones(true.shape[1], bool))
    kept = deviation > 1e-9 * (1 + np.abs(mean))  # of equal numbers, rounding leaves a deviation of 1e-16
    return Space(mean[kept], deviation[kept], kept)


def fid(placed: np.ndarray, true: np.ndarray) -> float | None:
    """Give the Frechet distance of placed features; None of fewer than three dances on either side."""
    return distances.frechet(placed, true) if min(len(placed), len(true)) >= LEAST else None


def kid(placed: np.ndarray, true: np.ndarray) -> float | None:
    """Give the kernel distance (Binkowski et al. 2018): about 0 for dances like the true ones, however few."""
    return distances.kid(placed, true).value if min(len(placed), len(true)) >= LEAST else None


def diversity(placed: np.ndarray) -> float | None:
    """Give the mean distance of two dances [N, D]; None of fewer than two."""
    if len(placed) < 2:
        return None
    squares = (placed**2).sum(1)
    apart = np.sqrt((squares[:, None] + squares - 2 * placed @ placed.T).clip(0))
    return float(apart[np.triu_indices(len(placed), 1)].mean())


def floor(true: np.ndarray, count: int, draws: int, seed: int) -> float | None:
    """Give the FID of `count` true dances against the other true ones, averaged over draws; None where too few remain.

    A generator that made nothing but true dances would score this: an FID is to be read against it.
    """
    if count < LEAST or len(true) - count < LEAST:
        return None
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(true)) for _ in range(draws)]
    return float(np.mean([distances.frechet(true[order[:count]], true[order[count:]]) for order in orders]))


def jackknife(
    groups: Mapping[str, np.ndarray], true: np.ndarray, measure: Callable[..., float | None] = fid
) -> tuple[float | None, list[float] | None]:
    """Measure placed features of several songs, and how far the value moves with other songs: value and 95 % interval.

    Each song is left out in turn (Tukey 1958). Songs are not drawn with replacement here, because a dance that is there
    twice narrows the covariance and raises every such distance.
    """
    names = sorted(groups)
    value = measure(np.concatenate([groups[name] for name in names]), true) if names else None
    without = [_without(groups, names, name) for name in names] if len(names) > 1 else []
    values = [measure(rest, true) for rest in without]
    if value is None or not values or any(left is None for left in values):
        return value, None
    half = distances.Z95 * float(np.sqrt((len(values) - 1) * np.var(values)))
    return value, [value - half, value + half]


def _without(groups: Mapping[str, np.ndarray], names: Sequence[str], name: str) -> np.ndarray:
    return np.concatenate([groups[other] for other in names if other != name])
