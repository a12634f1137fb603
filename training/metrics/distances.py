"""Distances between two sets of features: FID and KID, each with an interval.

FID is the Frechet distance of two Gaussians fitted to the sets (Heusel et al. 2017, arXiv:1706.08500). It falls as the
sets grow, so that only values of the same two N are to be compared. KID is the squared maximum mean discrepancy under
the kernel (x y / d + 1)^3, estimated without bias at any N (Binkowski et al. 2018, arXiv:1801.01401).

An interval of 95 % is 1.96 standard errors of a jackknife to both sides: how far the value would move with other
pictures drawn from the same two sources. Pictures are not drawn anew with replacement, because a repeated picture is
its own nearest neighbour and pushes both distances up.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Z95 = 1.959964
GROUPS = 32  # left out in turn; each picture for itself in sets that are smaller


@dataclass(frozen=True)
class Estimate:
    """A distance, the two N it was measured on, and its interval of 95 %."""

    value: float
    n: tuple[int, int]
    interval_95: tuple[float, float]

    def rounded(self, digits: int = 5) -> dict:
        """Give it as JSON holds it."""
        low, high = self.interval_95
        return {
            "value": round(self.value, digits),
            "n": list(self.n),
            "interval_95": [round(low, digits), round(high, digits)],
        }


def fid(first: np.ndarray, second: np.ndarray) -> Estimate:
    """Measure the Frechet distance of features [N, d] and [M, d], N and M at least 3."""
    value = frechet(first, second)
    groups = [np.arange(len(features)) % min(GROUPS, len(features)) for features in (first, second)]
    left_first = [frechet(first[groups[0] != group], second) for group in range(groups[0].max() + 1)]
    left_second = [frechet(first, second[groups[1] != group]) for group in range(groups[1].max() + 1)]
    return _estimate(value, (len(first), len(second)), left_first, left_second)


def frechet(first: np.ndarray, second: np.ndarray) -> float:
    """Give |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), whether or not there are fewer pictures than features.

    The trace of the root is the sum of singular values of A B', where A'A = C1 and B'B = C2: no root of a matrix that
    has no full rank is taken.
    """
    roots = [_root(features) for features in (first, second)]
    apart = first.mean(0, dtype=np.float64) - second.mean(0, dtype=np.float64)
    common = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    return float(apart @ apart + sum((root**2).sum() for root in roots) - 2 * common)


def _root(features: np.ndarray) -> np.ndarray:
    """Give A with A'A = the covariance: the centred features themselves, or d rows in their place."""
    centred = (features - features.mean(0, dtype=np.float64)) / math.sqrt(len(features) - 1)
    return np.linalg.qr(centred, mode="r") if len(centred) > centred.shape[1] else centred


def kid(first: np.ndarray, second: np.ndarray) -> Estimate:
    """Measure the squared MMD of features [N, d] and [M, d], N and M at least 3; 0 on average for sets alike."""
    within_first, within_second = (_off_diagonal(kernel(features, features)) for features in (first, second))
    between = kernel(first, second)
    n, m = between.shape
    sums = within_first.sum(), within_second.sum(), between.sum()
    value = _mmd(*sums, n, m)
    left_first = _mmd(sums[0] - 2 * within_first.sum(0), sums[1], sums[2] - between.sum(1), n - 1, m)
    left_second = _mmd(sums[0], sums[1] - 2 * within_second.sum(0), sums[2] - between.sum(0), n, m - 1)
    return _estimate(float(value), (n, m), left_first, left_second)


def kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Give (x y / d + 1)^3 for every pair."""
    return (np.asarray(first, np.float64) @ np.asarray(second, np.float64).T / first.shape[1] + 1) ** 3


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Give the interval of 95 % of a share (Wilson 1927); all of 0..1 for none of none."""
    if not n:
        return 0.0, 1.0
    share, square = successes / n, Z95**2 / n
    middle = (share + square / 2) / (1 + square)
    half = Z95 * math.sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def _off_diagonal(matrix: np.ndarray) -> np.ndarray:
    np.fill_diagonal(matrix, 0)
    return matrix


def _mmd(within_first: float, within_second: float, between: float, n: int, m: int) -> float:
    return within_first / (n * (n - 1)) + within_second / (m * (m - 1)) - 2 * between / (n * m)


def _estimate(value: float, n: tuple[int, int], *left_out: Sequence[float]) -> Estimate:
    """Add the two sources' variances, each by leaving out one part at a time (Arvesen 1969)."""
    variance = sum((len(values) - 1) * float(np.var(values)) for values in left_out)
    half = Z95 * math.sqrt(variance)
    return Estimate(value=value, n=n, interval_95=(value - half, value + half))
