"""Find the nearest training pictures: a generator that copies shows it here."""

from collections.abc import Callable, Sequence

import numpy as np


def euclidean(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Give the distance of every pair of rows, [N, M]."""
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    return np.sqrt(squares.clip(0))


def either_way_round(pictures: np.ndarray, others: np.ndarray, see: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Give the distance of every picture [N, H, W, 3], itself or mirrored, from what `see` made of others: [N, M]."""
    return np.minimum(euclidean(see(pictures), others), euclidean(see(pictures[:, :, ::-1]), others))


def pixels(pictures: np.ndarray) -> np.ndarray:
    """Lay out uint8 pictures so that `euclidean` is the root mean square difference of pixels, in 0..255."""
    rows = pictures.reshape(len(pictures), -1).astype(np.float32)
    return rows / np.sqrt(rows.shape[1])


def nearest(distances: np.ndarray, names: Sequence[str], count: int) -> list[list[dict]]:
    """Name for each row of [N, M] distances its nearest, the nearest first."""
    order = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return [
        [{"sha256": names[column], "distance": round(float(row[column]), 4)} for column in columns]
        for row, columns in zip(distances, order, strict=True)
    ]


def summary(avatars: np.ndarray, held_out: np.ndarray) -> dict:
    """Compare how near avatars come to the training pictures [N, M] with how near held-out pictures do [K, M]."""
    middle, other = _median(avatars), _median(held_out)
    measured = middle is not None and other is not None
    return {
        "avatars": {"median": middle, "n": len(avatars)},
        "held_out": {"median": other, "n": len(held_out)},
        "ratio": round(middle / other, 4) if measured and other else None,
        "nearer_than_any_held_out": int((avatars.min(1) < held_out.min()).sum()) if measured else None,
    }


def _median(distances: np.ndarray) -> float | None:
    return round(float(np.median(distances.min(1))), 4) if distances.size else None
