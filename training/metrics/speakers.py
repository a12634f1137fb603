"""Figures over several speakers, with how far they would move had other speakers been drawn.

Frames and clips of one person are alike, so it is speakers that are drawn anew (Efron 1979): the interval holds the
middle 95 % of what the draws give. With two or three speakers it is little more than their range; their number stands
beside.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LEAST = 2  # speakers: of fewer there is no interval


@dataclass(frozen=True)
class Share:
    """A part of a figure, of one clip: the figure is the sum of parts over the sum of weights."""

    speaker: str
    part: float
    weight: float = 1.0


def mean(shares: Sequence[Share], draws: int, seed: int, digits: int = 4) -> dict:
    """Put the shares of clips together: value, interval_95, n (the weights' sum) and speakers; None where n is 0."""
    names = sorted({share.speaker for share in shares})
    parts, weights = np.zeros(len(names)), np.zeros(len(names))
    for share in shares:
        parts[names.index(share.speaker)] += share.part
        weights[names.index(share.speaker)] += share.weight
    drawn = _drawn(len(names), draws, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = parts[drawn].sum(1) / weights[drawn].sum(1)
    total = weights.sum()
    return _figure(parts.sum() / total if total else None, values, total, int((weights > 0).sum()), digits)


def statistic(
    groups: Mapping[str, np.ndarray],
    of: Callable[[np.ndarray], float],
    draws: int,
    seed: int,
    digits: int = 4,
) -> dict:
    """Put together what is no mean: `of` all rows of the speakers' arrays [n, ...], and of those of each draw."""
    names = sorted(name for name, rows in groups.items() if len(rows))
    if not names:
        return _figure(None, np.zeros(0), 0, 0, digits)
    arrays = [groups[name] for name in names]
    values = [of(np.concatenate([arrays[number] for number in row])) for row in _drawn(len(names), draws, seed)]
    rows = np.concatenate(arrays)
    return _figure(of(rows), np.array(values), len(rows), len(names), digits)


def auc(matching: np.ndarray, other: np.ndarray) -> float:
    """Give the share of pairs in which the matching one scores higher, ties counting half (Mann and Whitney 1947)."""
    if not len(matching) or not len(other):
        return float("nan")
    ordered = np.sort(other)
    below, up_to = (np.searchsorted(ordered, matching, side) for side in ("left", "right"))
    return float((below + up_to).mean() / 2 / len(other))


def _drawn(count: int, draws: int, seed: int) -> np.ndarray:
    """Draw speakers with replacement, as many as there are: int [draws, count]."""
    if count < LEAST:
        return np.zeros((0, count), int)
    return np.random.default_rng(seed).integers(0, count, (draws, count))


def _figure(value: float | None, drawn: np.ndarray, n: float, speakers: int, digits: int) -> dict:
    drawn = drawn[np.isfinite(drawn)]
    known = value is not None and np.isfinite(value)
    ends = [round(float(end), digits) for end in np.percentile(drawn, [2.5, 97.5])] if known and len(drawn) else None
    return {
        "value": round(float(value), digits) if known else None,
        "interval_95": ends,
        "n": int(n) if float(n).is_integer() else round(float(n), 2),
        "speakers": speakers,
    }
