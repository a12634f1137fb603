"""Find duplicates without comparing all with all: exact ones by sha256, near ones by banded phash and a second look."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from PIL import Image

from inference import media

PHASH_BITS = 64
LOOK = 32  # pixels, the side of the small picture that settles a suspicion
FLAT = 1e-3


def similar_pairs(phashes: Sequence[str], most_bits: int) -> list[tuple[int, int]]:
    """Give all pairs i < j whose 64-bit hashes (16 hex digits) differ in at most `most_bits` bits.

    Two hashes that differ in at most d bits agree in one of d + 1 bands, so only those that share a band are compared.
    """
    codes = np.array([int(phash, 16) for phash in phashes], np.uint64)
    edges = np.linspace(0, PHASH_BITS, most_bits + 2).astype(int)
    pairs: set[tuple[int, int]] = set()
    for low, high in itertools.pairwise(edges):
        mask = np.uint64(((1 << int(high - low)) - 1) << int(low))
        for members in _buckets(codes & mask):
            for position, first in enumerate(members[:-1]):
                rest = members[position + 1 :]
                near = rest[np.bitwise_count(codes[rest] ^ codes[first]) <= most_bits]
                pairs.update((int(first), int(other)) for other in near)
    return sorted(pairs)


def _buckets(keys: np.ndarray) -> Iterable[np.ndarray]:
    """Group equal keys: arrays of ascending indices, of two at least."""
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=keys[order[:1]] ^ np.uint64(1)))
    return [group for group in np.split(order, starts[1:]) if len(group) > 1]


def look(image: Image.Image) -> np.ndarray:
    """Make the small picture by which two are compared: 32x32x3 float32, each channel freed of light and contrast."""
    small = np.asarray(media.flatten(image).resize((LOOK, LOOK), Image.Resampling.BILINEAR), np.float32)
    centred = small - small.mean(axis=(0, 1))
    return centred / np.maximum(small.std(axis=(0, 1)), FLAT)


def alikeness(first: np.ndarray, second: np.ndarray) -> float:
    """Correlate two looks: 1 for the same picture under another light, by the channel that agrees least."""
    return float((first * second).mean(axis=(0, 1)).min())


def clusters(count: int, pairs: Iterable[tuple[int, int]], rank: Callable[[int], tuple]) -> list[list[int]]:
    """Gather indices into clusters, the best (lowest rank) first in each; pairs hang on the best one they resemble.

    A picture joins the first better picture that it resembles, never a friend of a friend: chains do not grow.
    """
    friends = defaultdict(set)
    for first, second in pairs:
        friends[first].add(second)
        friends[second].add(first)
    leader: dict[int, int] = {}
    members: dict[int, list[int]] = {}
    for index in sorted(range(count), key=rank):
        lead = next((other for other in sorted(friends[index], key=rank) if leader.get(other) == other), index)
        leader[index] = lead
        members.setdefault(lead, []).append(index)
    return list(members.values())
