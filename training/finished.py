"""A finished training, read back from data/runs: its network, and what its run.json says."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pydantic
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from inference.errors import UserError, one_line


class Data(pydantic.BaseModel, extra="allow"):
    fingerprint: str


class Told(pydantic.BaseModel):
    """What every run.json says; an algorithm adds what is its own."""

    corpus: str
    world: str
    profile: str
    network: dict
    seconds: float
    device: str
    torch: str | None = None
    data: Data
    started_from: dict | None
    command: str
    settings: dict
    git: Any = None  # of the code that trained
    finished: str = ""  # UTC


class About(Told):
    """What an export reads of the run.json of lips and dances."""

    steps: int
    licence: str
    commercial: bool

    @property
    def started(self) -> dict | None:
        """Name what the training started from."""
        keys = ("kind", "name", "sha256", "licence")
        return self.started_from and {key: self.started_from.get(key) for key in keys}


Kind = TypeVar("Kind", bound=About)


@dataclass(frozen=True)
class Run:
    """A network and what its run.json says."""

    network: nn.Module
    about: dict

    @property
    def trained_on(self) -> str:
        """The fingerprint of the pack."""
        return self.about["data"]["fingerprint"]

    @property
    def described(self) -> dict:
        """Say what a measure says of the run that it is of."""
        return {"run": self.about["run"], "steps": self.about["steps"], "trained_on": self.trained_on}


def about(path: Path, kind: type[Kind], words: str) -> Kind:
    """Read a run.json; `words` are those of the command that trains. `UserError` for one that is none."""
    try:
        return kind.model_validate(json.loads(path.read_bytes()))
    except OSError:
        raise UserError(f"{path} is not there: run python -m training.train {words} first") from None
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(f"{path}: {where}: {first['msg'].lower()}: train anew") from None
    except ValueError:
        raise UserError(f"{path} is no JSON: train anew") from None


def read(folder: Path, network: str, build: Callable[[dict], nn.Module], words: str) -> Run:
    """Read a run and the network of a name, which `build` makes of the shape that the run states."""
    about_path, weights_path = folder / "run.json", folder / f"{network}.safetensors"
    for path in (about_path, weights_path):
        if not path.exists():
            raise UserError(f"{path} is not there: run python -m training.train {words} first")
    try:
        told = json.loads(about_path.read_text())
        built = build(told["network"])
        built.load_state_dict(load_file(weights_path))
        run = Run(built, told)
        run.described  # noqa: B018 (what is missing is found here)
    except (ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        why = one_line(error)
        raise UserError(f"{folder} holds no whole run ({type(error).__name__}: {why}): train anew") from None
    return run
