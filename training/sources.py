"""What a training starts from, and what binds what comes of it.

A source is a starter, a bundle or a run of ours: a folder, or its name in data/.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from inference import bundle
from inference.errors import UserError, one_line
from scraping import stage
from training import provenance

HOMES = (Path("data/starters"), Path("data/exported"), Path("data/runs"))  # where a name is looked for, in this order
STARTED_FROM = "started_from.json"  # in the folder of a training


@dataclass(frozen=True)
class Source:
    """What weights came from: as a dict it is `started_from` of run.json."""

    kind: str  # starter | bundle | run | file
    name: str
    sha256: str  # of the file that the weights were read from
    licence: str  # of the weights: what is trained on from them is no freer
    commercial: bool

    @property
    def said(self) -> str:
        return f"the {self.kind} {self.name}"


@dataclass(frozen=True)
class Found:
    """Tensors of a source, and what it says of itself: its manifest or its run.json."""

    source: Source
    state: dict[str, Tensor]
    about: dict


def locate(source: str, key: str) -> Path:
    """Find the folder that a name or path means."""
    places = [Path(source).expanduser()] if "/" in source else [home / source for home in HOMES]
    for folder in places:
        if (folder / bundle.MANIFEST).is_file() or (folder / "run.json").is_file():
            return folder
    there = " or ".join(str(folder) for folder in places)
    raise UserError(f"{key}.start={source}: no bundle and no run at {there}; {key}.start=null trains from scratch")


def read(folder: Path, network: str, task: str | None) -> Found:
    """Read a network from a run, or from a bundle, whose model it is where a task is named; its hashes are checked."""
    if (folder / bundle.MANIFEST).is_file():
        return _of_bundle(folder, network, task)
    file = folder / f"{network}.safetensors"
    if not file.is_file():
        raise UserError(f"{folder} holds no {file.name}: train it anew, or start from another")
    try:
        about = json.loads((folder / "run.json").read_bytes())
        licence, commercial = about.get("licence") or provenance.UNSTATED, about.get("commercial") is True
        return Found(Source("run", folder.resolve().name, sha256(file), licence, commercial), load_file(file), about)
    except (OSError, ValueError, AttributeError, SafetensorError) as error:
        raise UserError(f"{folder} is no whole run ({one_line(error)}): train it anew") from None


def _of_bundle(folder: Path, network: str, task: str | None) -> Found:
    opened = bundle.load(folder)
    file = bundle.MODEL if task else f"{network}.safetensors"
    about = opened.require(task or opened.task).manifest
    licence = about["licences"].get("weights") or provenance.UNSTATED
    kind = "starter" if opened.is_starter else "bundle"
    source = Source(kind, opened.name, sha256(folder / file), licence, about["commercial"])
    return Found(source, opened.tensors(file), about)


def keep(source: Source, folder: Path) -> None:
    """Write down in a training's folder what it started from: its checkpoint does not say."""
    stage.write_atomically(folder / STARTED_FROM, json.dumps(asdict(source)).encode())


def origin(folder: Path) -> Source | None:
    """Read what a training started from; None from scratch."""
    kept = folder / STARTED_FROM
    return Source(**json.loads(kept.read_text())) if kept.exists() else None


def sha256(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def terms(
    what: str, licences: Iterable[str | None], commercial: bool, world: str, source: Source | None
) -> tuple[str, bool]:
    """Give the licence of what is trained, and whether it may be sold: no more freely than all that it was made of.

    `licences` are those of the data, which `what` names, and `commercial` whether all of them allow commerce.
    """
    if world == "demo" and (source is None or source.licence == provenance.RENDERED):
        return provenance.RENDERED, True
    said = [f"as the {what} allow: {', '.join(sorted({licence or provenance.UNSTATED for licence in licences}))}"]
    if source:
        said.append(f"as {source.said} allows: {source.licence}")
    return "; ".join(said), commercial and (source is None or source.commercial)
