"""Directions of W by name: what is read off pictures of rendered people is looked for in the generator's own people.

A direction is named only where all of this was measured, and says it with its numbers:

- the trait is read off pictures of people the reader was not taught by: the correlation's 95 % interval lies above
  `least_read`;
- moved from -3 to 3 sigmas, people who had no part in finding it score higher with every step, on average;
- from -2 to 2 sigmas they move by `least_moved` standard deviations of the trait or more, and by more than in any other
  trait that is read.

With `apart`, a direction that holds the other traits constant is tried first, and one that takes along what goes with
its trait (grey hair with age) where the first is none; which of them it is stands beside the numbers.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import torch
from pydantic import Field
from torch import Tensor

from inference.errors import UserError
from inference.networks.stylegan2 import Generator, latents, to_uint8
from preprocessing import packing
from scraping import stage
from training.stylegan2 import data, traits

SIGMAS = (-3, -2, -1, 0, 1, 2, 3)
FEWEST = 30  # people to learn from: of fewer, nothing is read for sure

Score = Callable[[Tensor], np.ndarray]  # w [N, w_dim] -> scores [N, traits]


class Settings(stage.Settings):
    people: int = Field(ge=10)  # of the generator, in whom directions are looked for
    shown: int = Field(ge=2)  # others, on whom they are measured
    truncation: float
    batch: int = Field(ge=1)
    seed: int = Field(ge=0)
    apart: bool  # hold the other traits constant, where that leaves a direction enough to do
    least_read: float = Field(ge=0, lt=1)
    least_moved: float = Field(gt=0)


@dataclass(frozen=True)
class People:
    """Rendered people: pictures uint8 [N, H, W, 3], and the truth about each trait [N, traits]."""

    pictures: np.ndarray
    truth: np.ndarray
    names: tuple[str, ...]


def read_people(pack_folder: Path, truth_folder: Path) -> People | None:
    """Read the pictures of a pack with the truth about who is in them; None where nobody knows it (world=real)."""
    file = truth_folder / "truth.parquet"
    if not file.exists():
        return None
    if "traits" not in pl.read_parquet_schema(file):
        raise UserError(f"{file} says nothing of traits: render it anew, python -m scraping.demo")
    known = dict(pl.read_parquet(file, columns=["sha256", "traits"]).iter_rows())
    pack = packing.read_pack(pack_folder)
    places = [place for place, sha256 in enumerate(pack.index["sha256"]) if sha256 in known]
    if not places:
        return None
    rows = [json.loads(known[pack.index["sha256"][place]]) for place in places]
    names = tuple(rows[0])
    truth = np.array([[row[name] for name in names] for row in rows])
    return People(data.pictures(pack, "all")[places], truth, names)


def named_directions(
    generator: Generator, people: People | None, spread: Callable[[Tensor], Tensor], asked: Settings
) -> tuple[Tensor, dict]:
    """Give rows [named, w_dim] and what the manifest says of each, named or not; `spread` gives sigmas of w."""
    rows = torch.zeros(0, generator.config.w_dim, dtype=torch.float64)
    if people is None or len(people.pictures) < FEWEST:
        count = 0 if people is None else len(people.pictures)
        why = f"the truth is known of {count} people, {FEWEST} are needed" if count else "nobody knows the truth"
        return rows, {"named": {}, "unnamed": {}, "why": why}
    reader, left_out = traits.learn(people.pictures, people.truth, people.names)
    reads = {
        name: traits.correlation(left_out[:, place], people.truth[:, place]) for place, name in enumerate(people.names)
    }
    seen = [name for name in people.names if reads[name][1] >= asked.least_read]
    unnamed = {name: _said(reads[name]) for name in people.names if name not in seen}
    about = {"people": len(people.pictures), "generated": asked.people, "shown": asked.shown}
    if not seen:
        return rows, {"named": {}, "unnamed": unnamed, **about}
    named = {}
    for name, row, measured in _found(generator, reader, seen, spread, asked):
        if name in named:
            continue
        why = _refused(name, effect := measured(), asked)
        if why:
            unnamed[name] = why
            continue
        unnamed.pop(name, None)
        rows = torch.cat([rows, row[None]])
        named[name] = {"reads": [round(value, 2) for value in reads[name]], **effect}
    return rows, {"named": named, "unnamed": unnamed, **about}


def _found(
    generator: Generator, reader: traits.Reader, seen: list[str], spread: Callable[[Tensor], Tensor], asked: Settings
) -> Iterator[tuple[str, Tensor, Callable[[], dict]]]:
    """Give a unit row for each trait that is read, and what measures it: held apart first, then not."""
    places = [reader.names.index(name) for name in seen]
    w = _drawn(generator, range(asked.seed, asked.seed + asked.people), asked.truncation)
    first_other = asked.seed + asked.people
    others = _drawn(generator, range(first_other, first_other + asked.shown), asked.truncation)

    def score(some: Tensor) -> np.ndarray:
        return reader(_pictures(generator, some, asked.batch))[:, places]

    scores = score(w)
    units = (scores - scores.mean(axis=0)) / np.maximum(scores.std(axis=0), 1e-9)

    def measured(name: str, step: Tensor, apart: bool) -> dict:
        return {"apart": apart, **_described(name, seen, _effect(others, step, score, scores.std(axis=0)))}

    for apart in (True, False) if asked.apart else (False,):
        rows = regressed(w.double(), torch.from_numpy(units), apart)
        for name, row, sigma in zip(seen, rows, spread(rows), strict=True):
            yield name, row, partial(measured, name, row * sigma, apart)


def regressed(w: Tensor, units: Tensor, apart: bool) -> Tensor:
    """Regress w [N, w_dim] on scores [N, traits]: unit rows along which w changes with each score.

    With `apart`, on all at once: each row is what goes with its score where the others stay as they are.
    """
    centred = w - w.mean(dim=0)
    rows = torch.linalg.lstsq(units, centred, driver="gelsd").solution if apart else units.t() @ centred
    return rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-12)


def _effect(w: Tensor, step: Tensor, score: Score, units: np.ndarray) -> np.ndarray:
    """Move people along a direction: mean scores [7, traits] less those at 0, in deviations of generated people."""
    means = np.stack([score(w + sigma * step.float()).mean(axis=0) for sigma in SIGMAS])
    return (means - means[SIGMAS.index(0)]) / np.maximum(units, 1e-9)


def _described(name: str, seen: list[str], effect: np.ndarray) -> dict:
    """Put an effect into words of the manifest: score against slider, monotone or not, what else moves."""
    own = effect[:, seen.index(name)]
    across = effect[SIGMAS.index(2)] - effect[SIGMAS.index(-2)]
    return {
        "sigmas": list(SIGMAS),
        "score": [round(float(value), 2) for value in own],
        "monotone": bool((np.diff(own) > 0).all()),
        "moved": round(float(across[seen.index(name)]), 2),
        "else": {other: round(float(across[place]), 2) for place, other in enumerate(seen) if other != name},
    }


def _refused(name: str, effect: dict, asked: Settings) -> str | None:
    if not effect["monotone"]:
        return f"its score does not rise with every sigma: {effect['score']}"
    if effect["moved"] < asked.least_moved:
        return f"from -2 to 2 sigmas it moves by {effect['moved']} deviations, less than {asked.least_moved:g}"
    stronger = [other for other, moved in effect["else"].items() if abs(moved) >= effect["moved"]]
    return f"it moves {' and '.join(stronger)} as much or more" if stronger else None


def _said(read: tuple[float, float, float]) -> str:
    if read[0] <= 0:  # a reader that only knows the mean of the others is always off to the other side
        return "not read at all"
    return f"read with a correlation of {read[0]:.2f} ({read[1]:.2f} to {read[2]:.2f})"


@torch.inference_mode()
def _drawn(generator: Generator, seeds: range, psi: float) -> Tensor:
    """Map seeds to w [N, w_dim], truncated; each class in turn where there are any."""
    classes = generator.config.classes
    labels = torch.tensor(seeds) % classes if classes else None
    return generator.mapping.w_avg.lerp(generator.mapping(latents(seeds, generator.config.z_dim), labels), psi)


@torch.inference_mode()
def _pictures(generator: Generator, w: Tensor, batch: int) -> np.ndarray:
    """Draw w: uint8 [N, H, W, 3]."""
    parts = generator.broadcast(w).split(batch)
    return np.concatenate([to_uint8(generator.synthesis(part, "const")).numpy() for part in parts])
