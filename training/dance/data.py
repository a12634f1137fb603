"""The windows of dances that the diffusion and the GAN are trained on, drawn from a dance pack without end.

What is drawn depends on the seed and the position alone: a resumed training is shown what an uninterrupted one would
have been shown. Each dance is moved so that it is danced about the origin.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from inference.errors import UserError
from inference.motion.clip import VECTOR
from preprocessing.dancepacks import Dance, Dances
from scraping import stage

X, Z = 4, 6  # of a vector: where on the floor the pelvis is
CONTACTS, ROOT = slice(0, 4), slice(4, 7)
LEAST = 0.1  # deviation that is divided by: what hardly moves is not blown up to noise. Metres, and parts of rotations


class Change(stage.Settings):
    """What is changed about a window."""

    mirror: float = Field(ge=0, le=1)  # share of them


class Sample(NamedTuple):
    """A window of a dance and what is heard to it; `other` is as much of another song."""

    motion: Tensor  # [W, 151]
    music: Tensor  # [W, 37]
    genre: Tensor  # int64: from 1 on, 0 where nobody says
    other: Tensor  # [W, 37]


@dataclass(frozen=True)
class Danced:
    """A dance that is long enough to draw windows from, and the middle of the floor that it takes."""

    dance: Dance
    windows: int
    middle: np.ndarray  # float32 [3], of which y is 0


def danced(dances: Dances, split: str, window: int) -> list[Danced]:
    """Give the dances of a split that are as long as a window."""
    found = []
    for dance in dances.of(split):
        if dance.frames >= window:
            middle = dances.motion(dance).root.mean(0) * np.float32([1, 0, 1])
            found.append(Danced(dance, dance.frames - window + 1, middle))
    return found


class Drawn(Dataset):
    """Windows by position, each by a random generator of its own; dances in proportion to their windows."""

    def __init__(self, dances: Dances, split: str, window: int, change: Change, seed: int) -> None:
        self.dances, self.window, self.change, self.seed = dances, window, change, seed
        self.found = danced(dances, split, window)
        if not self.found:
            line = f"none of the {len(dances.of(split))} dances to train on is {window} frames long"
            raise UserError(f"{line}: prepare longer ones, or make the window shorter")
        self.ends = np.cumsum([each.windows for each in self.found])

    def __getitem__(self, position: int) -> Sample:
        rng = np.random.default_rng([self.seed, position])
        place = int(rng.integers(self.ends[-1]))
        which = int(np.searchsorted(self.ends, place, side="right"))
        first = place - int(self.ends[which] - self.found[which].windows)
        mirror = bool(rng.random() < self.change.mirror)
        taken = sample(self.dances, self.found[which], first, self.window, mirror)
        return taken._replace(other=taken.music)


class HeldOut(Dataset):
    """The same windows of a split each time, spread evenly over its dances, each with what is danced to elsewhere."""

    def __init__(self, dances: Dances, split: str, window: int, count: int) -> None:
        self.dances, self.window = dances, window
        self.places = list(_in_turn(danced(dances, split, window), count))

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, item: int) -> Sample:
        each, first = self.places[item]
        taken = sample(self.dances, each, first, self.window)
        return taken._replace(other=torch.from_numpy(np.array(self._elsewhere(item))))

    def _elsewhere(self, item: int) -> np.ndarray:
        """Take the music of the next window of another song; where there is none, of half the dance away."""
        each, first = self.places[item]
        for other, start in self.places[item + 1 :] + self.places[:item]:
            if other.dance.song != each.dance.song:
                return self.dances.music(other.dance, start, self.window)
        return self.dances.music(each.dance, (first + each.windows // 2) % each.windows, self.window)


def sample(dances: Dances, each: Danced, first: int, window: int, mirror: bool = False) -> Sample:
    motion = dances.motion(each.dance, first, window)
    vector = (motion.mirrored() if mirror else motion).to_vector()
    vector[:, ROOT] -= each.middle * np.float32([-1 if mirror else 1, 1, 1])
    music = torch.from_numpy(np.array(dances.music(each.dance, first, window)))
    return Sample(torch.from_numpy(vector), music, torch.tensor(dances.label(each.dance)), music)


def _in_turn(found: Sequence[Danced], count: int) -> Iterator[tuple[Danced, int]]:
    """Go round the dances `count` times in all, each time to another place of them."""
    rounds = -(-count // max(1, len(found)))
    for number in range(count if found else 0):
        turn, which = divmod(number, len(found))
        yield found[which], int((turn + 0.5) / rounds * (found[which].windows - 1))


def batches(held: HeldOut, batch: int) -> DataLoader:
    return DataLoader(held, batch)


# -- units -------------------------------------------------------------------------------------------------------------


def measure(network: nn.Module, dances: Dances, found: Sequence[Danced], mirrored: bool) -> None:
    """Give a network the units of its motion and of its music, as the dances that it is trained on have them."""
    count, total, squares = 0, np.zeros(VECTOR), np.zeros(VECTOR)
    for each in found:
        motion = dances.motion(each.dance)
        for seen in (motion, motion.mirrored())[: 1 + mirrored]:
            vector = seen.to_vector().astype(np.float64)
            vector[:, [X, Z]] -= vector[:, [X, Z]].mean(0)
            count, total, squares = count + len(vector), total + vector.sum(0), squares + (vector**2).sum(0)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0)).clip(min=LEAST)
    heard = dances.about["music"]
    values = {"motion_mean": mean, "motion_std": std, "music_mean": heard["mean"], "music_std": heard["std"]}
    for name, value in values.items():
        getattr(network, name).copy_(torch.as_tensor(np.asarray(value, np.float32)))
