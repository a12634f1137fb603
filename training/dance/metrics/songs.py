"""Figures over several songs, with how far they would move had other songs been drawn.

Clips of one song, and dances of several seeds to it, are alike: it is songs that are drawn anew (Efron 1979). With two
or three songs an interval is little more than their range; their number stands beside.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from training.metrics import speakers


@dataclass(frozen=True)
class Part:
    """A figure of one clip: whose song, danced by which seed; value None where it is not defined."""

    song: str
    seed: int
    value: float | None


def mean(parts: Sequence[Part], draws: int, seed: int, digits: int = 4) -> dict:
    """Average over clips: value, interval_95 (None for one song), n clips, songs, and the value of each seed."""
    known = [part for part in parts if part.value is not None]
    figure = _by_song([speakers.Share(part.song, part.value) for part in known], draws, seed, digits)
    seeds = sorted({part.seed for part in parts})
    return figure | {"by_seed": [_average([part for part in known if part.seed == one], digits) for one in seeds]}


def difference(ours: Sequence[Part], theirs: Sequence[Part], draws: int, seed: int, digits: int = 4) -> dict:
    """Say by how much ours is more, song by song, averaged over the songs that both have: value, interval_95, songs."""
    first, second = _song_means(ours), _song_means(theirs)
    shares = [speakers.Share(song, first[song] - second[song]) for song in sorted(first.keys() & second.keys())]
    return _by_song(shares, draws, seed, digits)


def _by_song(shares: Sequence[speakers.Share], draws: int, seed: int, digits: int) -> dict:
    figure = speakers.mean(shares, draws, seed, digits)
    return {name: figure[name] for name in ("value", "interval_95", "n")} | {"songs": figure["speakers"]}


def _song_means(parts: Sequence[Part]) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for part in parts:
        if part.value is not None:
            values.setdefault(part.song, []).append(part.value)
    return {song: sum(of) / len(of) for song, of in values.items()}


def _average(parts: Sequence[Part], digits: int) -> float | None:
    return round(sum(part.value for part in parts) / len(parts), digits) if parts else None
