"""The rows of the table: each a way to dance to the held-out songs.

Beside what was trained stand dances that no training made and that say what a figure means: what was danced, noise,
a slow random sway, and the nearest training dance. All are joint positions of the canonical skeleton at 30 frames a
second.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import nn

from inference import dancing
from inference.motion import feet
from inference.motion.clip import FPS, Motion
from preprocessing.dancepacks import Dance, Dances
from training.dance.metrics import sampling
from training.dance.retrieval import Retriever

TRUE, NOISE, SWAY, RETRIEVED = "ground truth", "noise", "random sway", "retrieval"
SWAY_HZ = 2.0  # poses a second that the sway goes through


@dataclass(frozen=True)
class Clip:
    """A held-out dance, or its beginning, and what its music is."""

    dance: Dance
    frames: int
    music: np.ndarray  # float32 [frames, 37], as features are
    beats: np.ndarray  # seconds from the first frame
    others: tuple[np.ndarray, ...]  # beats of other songs

    @property
    def seconds(self) -> float:
        return (self.frames - 1) / FPS


@dataclass(frozen=True)
class Row:
    """One way to dance: `make` gives positions [frames, 24, 3] for a clip and a seed."""

    name: str
    about: str
    make: Callable[[Clip, int], np.ndarray]
    seeds: Sequence[int] = (0,)


@dataclass(frozen=True)
class Asked:
    """How networks are asked to dance."""

    steps: int
    guidance: float
    genre: Literal["none", "own"] = "none"  # own: they are told the genre of the true dance


def clips(dances: Dances, split: str, seconds: float, others: int, true_beats: dict[str, np.ndarray]) -> list[Clip]:
    """Give the dances of a split, cut to so many seconds, each with the beats of its song and of so many others.

    The beats are those that are known of a song, else those that the tracker heard.
    """
    heard = {song.song: np.array(song.beats) for song in dances.songs} | true_beats
    found = []
    for dance in dances.of(split):
        frames = min(dance.frames, round(seconds * FPS) + 1)
        if frames >= sampling.LEAST:
            names = _others(dances, dance, split, others)
            found.append(
                Clip(
                    dance,
                    frames,
                    np.array(dances.music(dance, 0, frames)),
                    _within(heard[dance.song], dance.start, frames),
                    tuple(_within(heard[name], dance.start, frames) for name in names),
                )
            )
    return found


def _others(dances: Dances, dance: Dance, split: str, count: int) -> list[str]:
    """Choose other songs that have music where the dance has, those of its own split first.

    Each song takes those that follow it, the last the first again, so that all are chosen equally often: over a split
    the beats of other songs lie as densely as their own, and chance is the same for both.
    """
    own = {other.song for other in dances.of(split)}
    end = dance.start + dance.frames
    fits = [song for song in dances.songs if song.song != dance.song and song.beats and song.frames >= end]
    ordered = sorted(fits, key=lambda song: (song.song not in own, song.song < dance.song, song.song))
    return [song.song for song in ordered[:count]]


def _within(beats: np.ndarray, start: int, frames: int) -> np.ndarray:
    beats = beats - start / FPS
    return beats[(beats >= 0) & (beats <= (frames - 1) / FPS)]


def unlearned(dances: Dances, seeds: Sequence[int]) -> list[Row]:
    """Give the rows that no training made."""
    retriever = Retriever(dances)

    def true(clip: Clip, seed: int) -> np.ndarray:
        return dances.motion(clip.dance, 0, clip.frames).positions()

    def retrieved(clip: Clip, seed: int) -> np.ndarray:
        found = retriever.find(clip.music)
        return dances.motion(found.dance, found.first, found.count).positions()

    return [
        Row(TRUE, "what was danced to them", true),
        Row(NOISE, "each number of each frame drawn for itself, as it is spread in training", _noise(dances), seeds),
        Row(SWAY, f"the same drawn {SWAY_HZ:g} times a second, smoothly from one to the next", _sway(dances), seeds),
        Row(RETRIEVED, "the nearest training dance by its music, from where its rhythm fits best", retrieved),
    ]


class Dancer:
    """A network and how it is asked; what it danced is kept, because two rows look at it."""

    def __init__(self, network: nn.Module, genres: Sequence[str], asked: Asked) -> None:
        self.network, self.genres, self.asked = network, genres, asked
        self.danced: dict[tuple[str, int], Motion] = {}

    def __call__(self, clip: Clip, seed: int) -> Motion:
        key = clip.dance.id, seed
        if key not in self.danced:
            asked, genre = self.asked, self.number(clip.dance.genre)
            self.danced[key] = dancing.sample(
                self.network, clip.music, seed, steps=asked.steps, guidance=asked.guidance, genre=genre
            )
        return self.danced[key]

    def number(self, genre: str | None) -> int:
        """Give the number by which the network is asked for a genre; 0 leaves it to the music."""
        told = self.asked.genre == "own" and self.network.config.genres and genre in self.genres
        return self.genres.index(genre) + 1 if told else 0


def danced(name: str, dancer: Dancer, seeds: Sequence[int], about: str = "as the network dances") -> Row:
    """Give the row of a network, as it dances."""
    return Row(name, about, lambda clip, seed: dancer(clip, seed).positions(), seeds)


def locked(name: str, dancer: Dancer, seeds: Sequence[int]) -> Row:
    """Give the row of a network whose feet are locked afterwards, as the command does unless told otherwise."""
    about = "the same dances, their feet locked to the floor afterwards"
    return Row(name, about, lambda clip, seed: feet.lock(dancer(clip, seed)).positions(), seeds)


def _noise(dances: Dances) -> Callable[[Clip, int], np.ndarray]:
    return lambda clip, seed: Motion.from_vector(_drawn(dances, clip, seed, clip.frames)).positions()


def _sway(dances: Dances) -> Callable[[Clip, int], np.ndarray]:
    def make(clip: Clip, seed: int) -> np.ndarray:
        poses = int(np.ceil(clip.seconds * SWAY_HZ)) + sampling.LEAST
        drawn = _drawn(dances, clip, seed, poses)[:, :, None].repeat(3, axis=2)  # as if each number were a point
        return Motion.from_vector(sampling.resampled(drawn, SWAY_HZ, FPS)[: clip.frames, :, 0]).positions()

    return make


def _drawn(dances: Dances, clip: Clip, seed: int, count: int) -> np.ndarray:
    """Draw vectors [count, 151] by mean and deviation of the training motion; each clip and seed has its own."""
    mean, deviation = (np.array(dances.about["motion"][name]) for name in ("mean", "std"))
    rng = np.random.default_rng([seed, zlib.crc32(clip.dance.id.encode())])
    return mean + deviation * rng.standard_normal((count, len(mean)))
