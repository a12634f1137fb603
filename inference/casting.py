"""What the commands share: options of those that make people and how they are read; the recipe and the last word."""

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from inference import seeds as seed_lists
from inference.errors import UserError
from inference.options import numeric
from inference.outputs import Output
from inference.strangers import plain, shown_json

if TYPE_CHECKING:  # torch takes seconds to import: help and mistakes come before
    import numpy as np
    from torch import Tensor

    from inference.avatars import Avatars
    from inference.bundle import Bundle

Item = TypeVar("Item")

STEPS = 5  # of a strip
MAX_STEPS = 200
SECONDS = 2.0  # of a video, from one person to the next
MAX_SECONDS = 120
LEAST_FRAMES = 2  # from one person to the next
PROGRESS_FROM = 24  # fewer are drawn before a bar would be read
RANGE = re.compile(r"([0-9]{1,3})(?:-([0-9]{1,3}))?")
NUMBER = r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?)"
AMOUNTS = re.compile(rf"{NUMBER}(?:\.\.{NUMBER})?")

BundleName = Annotated[str, typer.Option("--bundle", "-b", help="A bundle's name (see `dramatis doctor`) or folder.")]
Truncation = Annotated[float, numeric("--truncation", "-t", help="Variety: 0 the average person, 1 everything.")]
Scale = Annotated[int, numeric("--scale", whole=(1, 16), help="Enlarge the picture so many times.")]
Resample = Annotated[str, typer.Option(help="How to enlarge: bicubic or nearest.")]
Visible = Annotated[bool, typer.Option("--visible", help="Write a small AI into the corner, too.")]
Label = Annotated[int | None, numeric("--label", whole=(0, 999), help="The class, where a bundle has classes.")]
Layers = Annotated[str | None, typer.Option(help="Style layers, like 4-9: 0 is pose and shape, the last ones colours.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


From = Annotated[
    str | None, typer.Option("--from", metavar="FILE", help="Begin with a person that `dramatis project` found (.npz).")
]


@dataclass(frozen=True)
class Cast:
    """People by their styles: the one who was found in a picture first, then those of seeds; how they are called."""

    styles: "list[Tensor]"
    recipe: dict[str, Any]
    title: str


def cast(avatars: "Avatars", people: list[seed_lists.Seed], truncation: float, file: str | None = None) -> Cast:
    """Gather people; truncation is for seeds, who was found in a picture stays as found."""
    styles = [avatars.w(seed.number, truncation) for seed in people]
    recipe = people_of(people) | {"truncation": truncation}
    if file is None:
        return Cast(styles, recipe, titles(people))
    import torch

    from inference import people as found_ones

    found = found_ones.load(Path(file), avatars.bundle)
    styles.insert(0, torch.from_numpy(found.ws))
    recipe |= {"found": {"picture_sha256": found.picture, "styles_sha256": found.sha256}}
    return Cast(styles, recipe, ", ".join([Path(file).name, *([titles(people)] if people else [])]))


def open_avatars(name: str, label: int | None) -> "Avatars":
    """Load a bundle of avatars, and say so where it is the shipped starter."""
    from inference import bundle as bundles

    bundle = bundles.load(name)
    greet(bundle, name)
    from inference.avatars import Avatars

    return Avatars(bundle, label)


def greet(bundle: "Bundle", asked: str) -> None:
    """Say so where who asked for a bundle by its name gets the shipped starter."""
    if bundle.is_starter and str(asked) == bundle.name:
        print(f"{asked} is the shipped starter: nothing was trained and exported here yet", file=sys.stderr)


# -- how options are read ----------------------------------------------------------------------------------------------


def whole_range(option: str, text: str) -> list[int] | None:
    """Read "4" or "4-9"; None for what is neither."""
    found = RANGE.fullmatch(text)
    if not found:
        return None
    first, last = int(found[1]), int(found[2] or found[1])
    if first > last:
        raise UserError(f"{option} {text!r} runs backwards: write {last}-{first}")
    return list(range(first, last + 1))


def layers_of(text: str | None) -> list[int] | None:
    """Read --layers; whether the bundle has them is the bundle's to say."""
    if text is None:
        return None
    if (found := whole_range("--layers", text)) is None:
        raise UserError(f"--layers {text[:60]!r} must be a layer or a range of layers, like 4-9")
    return found


def amounts(option: str, text: str, steps: int | None, like: str) -> list[float]:
    """Read a number, or a range like -2..2 in so many equal steps; `like` is an example of both."""
    found = AMOUNTS.fullmatch(text) if len(text) < 40 else None
    single, several = like.split()
    if not found:
        raise UserError(f"{option} {text[:60]!r} must be a number like {single}, or a range like {several}")
    first = float(found[1])
    if found[2] is None:
        if steps is not None:
            raise UserError(f"--steps {steps} goes with a strip: give {option} a range like {several}")
        return [first]
    steps = STEPS if steps is None else steps
    return [first + (float(found[2]) - first) * step / (steps - 1) for step in range(steps)]


def check_seconds(seconds: float | None, people: int) -> float:
    """Give the length of a video through people and back; refuse one that is too short or too long."""
    from inference.video import FPS  # without PyAV it tells so

    asked = min(SECONDS * people, MAX_SECONDS) if seconds is None else seconds
    if not 0.2 <= asked <= MAX_SECONDS:
        raise UserError(f"--seconds {asked:g} must be from 0.2 to {MAX_SECONDS}")
    least = LEAST_FRAMES * people / FPS
    if asked < least:
        raise UserError(f"--seconds {asked:g} is too short for {people} people: give {least:g} or more")
    return asked


def frames_in(seconds: float) -> int:
    """Give the number of frames of a video."""
    from inference.video import FPS

    return round(seconds * FPS)


# -- what is said of the work ------------------------------------------------------------------------------------------


def recipe_of(command: str, bundle: "Bundle", label: int | None = None) -> dict[str, Any]:
    """Begin the recipe that goes into the mark."""
    about = {key: bundle.manifest[key] for key in ("name", "version", "demo")} | {"sha256": bundle.sha256}
    return {"command": command, "bundle": about} | ({} if label is None else {"class": label})


def people_of(people: list[seed_lists.Seed]) -> dict[str, Any]:
    """Name seeds in a recipe."""
    names = {seed.name: seed.number for seed in people if seed.name}
    return {"seeds": [seed.number for seed in people]} | ({"names": names} if names else {})


def progress(items: Iterable[Item], total: int, label: str) -> Iterator[Item]:
    """Show a bar on a terminal where there are many."""
    if total < PROGRESS_FROM or not sys.stderr.isatty():
        yield from items
        return
    with typer.progressbar(items, length=total, label=label, file=sys.stderr) as bar:
        yield from bar


def encode(target: Output, frames: Iterable["np.ndarray"], count: int) -> bytes:
    """Draw and encode so many frames."""
    from inference import video  # brings PyAV, which stills do not need

    return video.encode(target.enlarge(frame) for frame in progress(frames, count, "drawing"))


def tell(target: Output, bundle: "Bundle", what: str, as_json: bool) -> None:
    """Say what was written, as a line or as JSON."""
    if as_json:
        print(shown_json({"bundle": named(bundle), "files": target.written}))
        return
    files = counted(len(target.written), "file") + " in " if target.is_folder else ""
    print(f"{files}{plain(target.path)}: {plain(what)}{toy(bundle)}, marked as made by AI")


def named(bundle: "Bundle") -> dict[str, str]:
    """Name a bundle for programs."""
    return {"name": bundle.name, "sha256": bundle.sha256}


def toy(bundle: "Bundle") -> str:
    """Say of a bundle of the demo world what it is; nothing of others."""
    return " (a toy, of the rendered demo world)" if bundle.manifest["demo"] else ""


def titles(people: list[seed_lists.Seed]) -> str:
    """Write people as one reads them: names, then numbers."""
    names = [seed.name for seed in people if seed.name]
    numbers = seed_lists.shorten([seed.number for seed in people if not seed.name])
    return ", ".join([*names, *([f"seed {numbers}"] if numbers else [])])


def counted(count: int, what: str) -> str:
    """Write "1 file", "2 files"."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
