"""The windows of talks that an expert and a generator are trained on, drawn from a talk pack without end.

What is drawn depends on the seed and the position alone: a resumed training is shown what an uninterrupted one would
have been shown. Frame f of a clip is heard from column int(3.2 f) of its mel on (arXiv 2008.10010 and its code).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from inference import audio
from inference.errors import UserError
from inference.networks.wav2lip import FRAMES
from preprocessing.talkpacks import EDGE, FPS, Clip, Talks
from scraping import stage


class Change(stage.Settings):
    """What is changed about a sample, alike in all its frames."""

    mirror: float = Field(ge=0, le=1)  # share of samples
    colour: float = Field(ge=0, lt=1)  # gain of each channel, to either side, and half as much of its level
    shift: int = Field(ge=0, lt=EDGE // 4)  # pixels to each side
    loudness: float = Field(ge=0, le=2)  # levels of the mel, to either side


class Apart(stage.Settings):
    """Frames between the windows of a group, which are each other's wrong sounds: from `first` to `last` in `steps`."""

    first: int = Field(ge=1)
    last: int = Field(ge=1)
    steps: int = Field(ge=0)

    def at(self, step: int) -> int:
        done = min(1.0, step / self.steps) if self.steps else 1.0
        return round(self.first + (self.last - self.first) * done)


@dataclass(frozen=True)
class Heard:
    """A clip whose windows are drawn from: window f shows the frames f .. f + 4."""

    clip: Clip
    windows: int
    audible: np.ndarray  # bool [windows]


class Group(NamedTuple):
    """Windows of one clip, each with its own sound."""

    frames: Tensor  # uint8 [K, 5, 96, 96, 3] RGB
    mels: Tensor  # [K, 1, 80, 16]
    audible: Tensor  # bool [K]


class Sample(NamedTuple):
    """What a generator draws from, and what it should have drawn."""

    target: Tensor  # uint8 [5, 96, 96, 3] RGB; the generator sees its upper half
    reference: Tensor  # uint8 [5, 96, 96, 3]
    mels: Tensor  # [5, 1, 80, 16]: of each frame
    mel: Tensor  # [1, 80, 16]: of all five, as the expert hears them


def heard(talks: Talks, split: str, silence: float, least: int = 1) -> list[Heard]:
    """Give the clips of a split with so many windows at least, and where a column is louder on average than a level."""
    found = []
    for clip in talks.of(split):
        windows = clip.frames - FRAMES + 1
        if windows < least:
            continue
        loud = np.concatenate([talks.mel(clip).mean(0), np.full(audio.WINDOW, audio.SILENCE)])
        first = (np.arange(windows) * audio.MEL_RATE / FPS).astype(int)
        at = np.minimum(first[:, None] + np.arange(audio.WINDOW), len(loud) - 1)
        found.append(Heard(clip, windows, loud[at].max(1) > silence))
    return found


class Drawn(Dataset):
    """Samples by position, each by a random generator of its own; clips in proportion to their windows."""

    def __init__(self, talks: Talks, clips: Sequence[Heard], weights: Sequence[int], change: Change, seed: int) -> None:
        if not sum(weights):
            raise UserError(f"none of the {len(talks.clips)} clips of the pack can be trained on: prepare more talks")
        self.talks, self.clips, self.change, self.seed = talks, clips, change, seed
        self.ends = np.cumsum(weights)

    def __getitem__(self, position: int) -> NamedTuple:
        rng = np.random.default_rng([self.seed, position])
        chosen = self.clips[int(np.searchsorted(self.ends, rng.integers(self.ends[-1]), side="right"))]
        return self.sample(chosen, position, rng)

    def sample(self, chosen: Heard, position: int, rng: np.random.Generator) -> NamedTuple:
        raise NotImplementedError


class Groups(Drawn):
    """Groups of windows for an expert: each window's sound is the wrong one for the faces of the others.

    Right and wrong come from the same clip, so that neither a voice nor a light gives the answer away. With groups of
    two, each face is heard once in sync and once out of sync, as in the paper; larger ones compare more pairs of the
    same windows. Windows of clips in proportion to what is heard in them.
    """

    def __init__(
        self,
        talks: Talks,
        split: str,
        group: int,
        apart: Callable[[int], int],
        silence: float,
        change: Change,
        seed: int,
    ) -> None:
        self.group, self.apart = group, apart
        clips = heard(talks, split, silence, group)
        super().__init__(talks, clips, [int(clip.audible.sum()) for clip in clips], change, seed)

    def sample(self, chosen: Heard, position: int, rng: np.random.Generator) -> Group:
        apart = min(self.apart(position), (chosen.windows - 1) // max(1, self.group - 1))
        return group(self.talks, chosen, spread(chosen.windows, self.group, apart, rng), self.change, rng)


class Samples(Drawn):
    """Samples for a generator: a target, and frames of the same clip as reference, none of them the target's own.

    `lead` is the frame, counted from a picture, at which its sound begins: -1 as published generators were trained.
    With `compat` the reference may show the target itself, and the first frame is drawn never, as in their training.
    """

    def __init__(self, talks: Talks, split: str, lead: int, compat: bool, change: Change, seed: int) -> None:
        self.lead, self.compat = lead, compat
        clips = heard(talks, split, audio.SILENCE, least=2 if compat else FRAMES + 1)
        super().__init__(talks, clips, [clip.windows for clip in clips], change, seed)

    def sample(self, chosen: Heard, position: int, rng: np.random.Generator) -> Sample:
        first, reference = pair(chosen.windows, self.compat, rng)
        return sample(self.talks, chosen.clip, first, reference, self.lead, self.change, rng)


def spread(windows: int, count: int, apart: int, rng: np.random.Generator) -> list[int]:
    """Draw first frames at least so far apart, in random order; all such sets are equally likely."""
    slack = windows - (count - 1) * (apart - 1)
    chosen = np.sort(rng.choice(slack, count, replace=False)) + np.arange(count) * (apart - 1)
    return rng.permutation(chosen).tolist()


def pair(windows: int, compat: bool, rng: np.random.Generator) -> tuple[int, int]:
    """Draw the first frames of a target and of its reference."""
    if compat:  # any other window
        first = int(rng.integers(1, windows))
        other = int(rng.integers(0, windows - 1))
        return first, other + (other >= first)
    while True:
        first = int(rng.integers(windows))
        if free := [other for other in range(windows) if abs(other - first) >= FRAMES]:
            return first, free[int(rng.integers(len(free)))]


def group(
    talks: Talks,
    chosen: Heard,
    firsts: Sequence[int],
    change: Change | None = None,
    rng: np.random.Generator | None = None,
) -> Group:
    frames = np.stack([talks.frames(chosen.clip, first, FRAMES) for first in firsts])
    mels = np.stack([talks.window(chosen.clip, first) for first in firsts])[:, None]
    if change:
        (frames,), (mels,) = changed(change, rng, [frames], [mels])
    return Group(torch.from_numpy(frames), torch.from_numpy(mels), torch.from_numpy(chosen.audible[list(firsts)]))


def sample(
    talks: Talks,
    clip: Clip,
    first: int,
    reference: int,
    lead: int,
    change: Change | None = None,
    rng: np.random.Generator | None = None,
) -> Sample:
    pictures = [np.array(talks.frames(clip, start, FRAMES)) for start in (first, reference)]
    single = np.stack([talks.window(clip, first + frame + lead) for frame in range(FRAMES)])[:, None]
    mels = [single, talks.window(clip, first)[None]]
    if change:
        pictures, mels = changed(change, rng, pictures, mels)
    return Sample(*(torch.from_numpy(np.array(each)) for each in (*pictures, *mels)))


def changed(
    change: Change, rng: np.random.Generator, pictures: list[np.ndarray], mels: list[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Mirror, move and tint pictures uint8 [.., 96, 96, 3], and make mels louder or softer: all of them alike."""
    mirror = rng.random() < change.mirror
    down, right = rng.integers(-change.shift, change.shift + 1, 2)
    gain, level = 1 + change.colour * rng.uniform(-1, 1, 3), change.colour / 2 * rng.uniform(-255, 255, 3)
    louder = np.float32(rng.uniform(-change.loudness, change.loudness))
    rows = np.clip(np.arange(EDGE) + down, 0, EDGE - 1)[:, None]
    columns = np.clip(np.arange(EDGE)[:: -1 if mirror else 1] + right, 0, EDGE - 1)
    if mirror or down or right:
        pictures = [each[..., rows, columns, :] for each in pictures]
    if change.colour:
        table = (np.arange(256)[:, None] * gain + level).clip(0, 255).astype(np.uint8)
        pictures = [np.stack([table[each[..., channel], channel] for channel in range(3)], -1) for each in pictures]
    if change.loudness:  # what is silent stays so
        mels = [np.where(each > audio.SILENCE, (each + louder).clip(-4, 4), each).astype(np.float32) for each in mels]
    return pictures, mels


# -- held out ----------------------------------------------------------------------------------------------------------


class HeldOut(Dataset):
    """The same samples of a split each time, spread evenly over its clips; unchanged."""

    def __init__(self, places: Sequence[tuple[Heard, list[int]]], take: Callable[..., NamedTuple]) -> None:
        self.places, self.take = places, take

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, item: int) -> NamedTuple:
        return self.take(*self.places[item])


def held_out_groups(talks: Talks, split: str, count: int, size_of: int, apart: int, silence: float) -> HeldOut:
    """Give up to `count` groups, in each of which the windows lie at even distances over their clip."""
    clips = [each for each in heard(talks, split, silence, (size_of - 1) * apart + 1) if each.audible.any()]
    places = []
    for clip, shift in _in_turn(clips, count):
        step = max(apart, clip.windows // size_of)
        slack = clip.windows - (size_of - 1) * step
        places.append((clip, [int(shift * max(0, slack - 1)) + number * step for number in range(size_of)]))
    return HeldOut(places, lambda clip, firsts: group(talks, clip, firsts))


def held_out_samples(talks: Talks, split: str, count: int, lead: int) -> HeldOut:
    """Give up to `count` targets with references half a clip away."""
    places = []
    for clip, shift in _in_turn(heard(talks, split, audio.SILENCE, 2 * FRAMES), count):
        first = int(shift * (clip.windows - 1))
        places.append((clip, [first, (first + clip.windows // 2) % clip.windows]))
    return HeldOut(places, lambda clip, both: sample(talks, clip.clip, *both, lead))


def _in_turn(clips: Sequence[Heard], count: int) -> Iterator[tuple[Heard, float]]:
    """Go round the clips `count` times in all, each time to another place 0..1 of them."""
    rounds = -(-count // max(1, len(clips)))
    for number in range(count if clips else 0):
        turn, clip = divmod(number, len(clips))
        yield clips[clip], (turn + 0.5) / rounds


# -- batches -----------------------------------------------------------------------------------------------------------


def batches(held: HeldOut, batch: int) -> DataLoader:
    return DataLoader(held, batch)
