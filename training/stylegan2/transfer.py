"""Start a training from what was trained before: a starter, an exported bundle, another run, of any resolution.

Tensors of the same name and shape are copied. As the names carry the resolution they belong to (b4, b8, ..), a network
of a higher resolution takes over all lower levels, and one of another aspect all but the constant and the noise.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from inference import bundle
from inference.errors import UserError, one_line
from training import provenance

HOMES = (Path("data/starters"), Path("data/exported"), Path("data/runs"))  # where a name is looked for, in this order
FROM_SCRATCH = "train.start=null trains from scratch"
GENERATOR = ("channel_base", "channel_max", "z_dim", "w_dim", "mapping_layers", "conv_clamp")
LEVEL = re.compile(r"b(\d+)\.(?:conv0|conv)\.weight")
FLOATING = ("F16", "BF16", "F32", "F64")  # as safetensors calls them


@dataclass(frozen=True)
class Source:
    """A folder of weights: what it is, and the file for each network."""

    kind: str  # starter | bundle | run
    name: str
    ema: Path
    generator: Path  # that of the EMA where the training generator was not kept
    discriminator: Path | None
    network: dict  # shape of its generator, as it says itself; empty where it does not
    licence: str | None  # of its weights, None where nobody says
    commercial: bool


@dataclass
class TransferReport:
    """What a training started from, and what of it; as a dict it is `started_from` of run.json.

    Names are those of the networks' tensors, as `ema.mapping.fc0.weight`.
    """

    kind: str
    name: str
    sha256: str  # of the file that the EMA generator was read from
    licence: str | None  # of the source's weights: what is trained on from them is no freer
    commercial: bool
    loaded: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # the networks have it, the source does not
    mismatched: list[str] = field(default_factory=list)  # `name: (shape) there, (shape) here`
    unused: list[str] = field(default_factory=list)  # the source has it, the networks do not

    def record(self) -> dict:
        return asdict(self)

    def summary(self) -> str:
        """Say it in one line, with the first name of each list of what was not loaded."""
        parts = [f"{len(self.loaded)} tensors loaded"]
        for what in ("missing", "mismatched", "unused"):
            names = getattr(self, what)
            if names:
                parts.append(f"{len(names)} {what} ({names[0]}{', ..' if len(names) > 1 else ''})")
        return f"started from the {self.kind} {self.name}: {', '.join(parts)}"


def load_into(generator: nn.Module, ema: nn.Module, discriminator: nn.Module, source: str | Path) -> TransferReport:
    """Copy a source's weights into the three networks, in place: all that fit, or, where anything is wrong, none.

    `source` is a name, looked for in data/starters, data/exported and data/runs, or the path of such a folder. Stored
    half precision becomes the networks' own. Raises `UserError` for an unknown source, a damaged file, values that are
    not finite, and a source of whose generator no weight fits.
    """
    found = locate(source)
    report = TransferReport(found.kind, found.name, _sha256(found.ema), found.licence, found.commercial)
    networks = {"ema": ema, "generator": generator, "discriminator": discriminator}
    # Everything is read before the first weight is changed.
    fitting = {
        name: _fitting(name, network.state_dict(), getattr(found, name), report) for name, network in networks.items()
    }
    # Filters, biases of the colours and strengths of the noise fit any generator.
    telling = {name for name, parameter in ema.named_parameters() if parameter.ndim > 1}
    if telling.isdisjoint(fitting["ema"]):
        why = report.mismatched[0] if report.mismatched else "no name is the same"
        raise UserError(f"{source}: no weight of its generator fits this network ({why}): start from another")
    with torch.no_grad():
        for name, network in networks.items():
            own = network.state_dict()
            for key, tensor in fitting[name].items():
                own[key].copy_(tensor)
    return report


def shape(source: str | Path) -> dict[str, dict]:
    """Give width and depth of a source's networks, as settings of `generator` and `discriminator`, where they are told.

    A generator's stand beside its weights. A discriminator's are read off its own: the number of channels on each level
    gives settings of which the same number comes on all of them.
    """
    found = locate(source)
    generator = {name: found.network[name] for name in GENERATOR if name in found.network}
    if found.discriminator is None:
        return {"generator": generator, "discriminator": {}}
    shared = {name: value for name, value in generator.items() if name == "conv_clamp"}
    return {"generator": generator, "discriminator": _width(found.discriminator) | shared}


def _width(file: Path) -> dict[str, int]:
    with opened(file) as stream:
        levels = {name: LEVEL.fullmatch(name) for name in set(stream.keys())}
        channels = {int(level[1]): stream.get_slice(name).get_shape()[0] for name, level in levels.items() if level}
    if not channels:
        return {}
    return {
        "channel_base": max(level * count for level, count in channels.items()),
        "channel_max": max(channels.values()),
    }


def locate(source: str | Path) -> Source:
    """Find the folder that a name or path means, and check what it holds."""
    if isinstance(source, Path) or "/" in source:
        return _source(Path(source).expanduser(), str(source))
    for home in HOMES:
        if (home / source).is_dir():
            return _source(home / source, str(home / source))
    known = sorted({about.parent.name for home in HOMES for about in home.glob("*/*.json") if _is_about(about)})
    places = ", ".join(map(str, HOMES))
    there = ", ".join(known) or "there are none"
    raise UserError(f"{source!r} is none of the trainings in {places} ({there}): {FROM_SCRATCH}")


def _is_about(path: Path) -> bool:
    return path.name in ("run.json", bundle.MANIFEST)


def _source(folder: Path, said: str) -> Source:
    name = folder.resolve().name  # records name no path of this machine
    if (folder / bundle.MANIFEST).is_file():
        return _bundle(folder, name)
    if not (folder / "run.json").is_file():
        missing = f"{said} is no folder to start from: expected a run.json or a {bundle.MANIFEST} in it"
        raise UserError(f"{missing}; {FROM_SCRATCH}")
    ema, generator, discriminator = (
        folder / f"{network}.safetensors" for network in ("ema", "generator", "discriminator")
    )
    if not ema.is_file():
        raise UserError(f"{said} holds no {ema.name}: train it anew or start from another")
    network, licence, commercial = _told_by_run(folder / "run.json")
    return Source(
        kind="run",
        name=name,
        ema=ema,
        generator=generator if generator.is_file() else ema,
        discriminator=discriminator if discriminator.is_file() else None,
        network=network,
        licence=licence,
        commercial=commercial,
    )


def _told_by_run(path: Path) -> tuple[dict, str | None, bool]:
    """Read the shape of a run's generator, and what its weights allow.

    A run states no licence, its export does; but one that was brought does, and binds what comes of it.
    One of rendered people alone has but one to have.
    """
    try:
        run = json.loads(path.read_bytes())
        network = dict(run.get("network") or {})
        if run.get("licence"):
            return network, run["licence"], run.get("commercial") is True
        start = run.get("started_from") or {"licence": provenance.RENDERED}
        if start.get("licence") != provenance.RENDERED:
            return network, start.get("licence"), False
        return (network, provenance.RENDERED, True) if run.get("world") == "demo" else (network, None, False)
    except (ValueError, AttributeError):
        raise UserError(f"{path} is no record of a training: train anew or start from another") from None


def _bundle(folder: Path, name: str) -> Source:
    """Check the hashes of a bundle; a starter is one that brings its discriminator."""
    opened = bundle.load(folder)
    model, discriminator = folder / bundle.MODEL, folder / bundle.DISCRIMINATOR
    told = asdict(opened.require("avatar").config), opened.manifest["licences"].get("weights")
    told = *told, opened.manifest["commercial"]
    if bundle.DISCRIMINATOR not in opened.manifest["files"]:
        return Source("bundle", name, model, model, None, *told)
    opened.read(bundle.DISCRIMINATOR)  # which load leaves unread
    return Source("starter", name, model, model, discriminator, *told)


def _fitting(network: str, own: Mapping[str, Tensor], file: Path | None, report: TransferReport) -> dict[str, Tensor]:
    """Read the tensors of a network's names and shapes, and list the others, which are never read."""
    if file is None:
        report.missing += [f"{network}.{name}" for name in own]
        return {}
    fitting = {}
    with opened(file) as stream:
        there = set(stream.keys())
        for name, tensor in own.items():
            if name not in there:
                report.missing.append(f"{network}.{name}")
                continue
            shape = tuple(stream.get_slice(name).get_shape())
            if shape != tuple(tensor.shape):
                report.mismatched.append(f"{network}.{name}: {shape} there, {tuple(tensor.shape)} here")
                continue
            fitting[name] = _weights(stream, name, file)
            report.loaded.append(f"{network}.{name}")
        report.unused += [f"{network}.{name}" for name in sorted(there - own.keys())]
    return fitting


@contextmanager
def opened(file: Path) -> Iterator[safe_open]:
    """Open a safetensors file; the library checks what the header says against the file's length."""
    try:
        with safe_open(file, framework="pt") as stream:
            yield stream
    except SafetensorError as error:
        said = one_line(error)
        raise UserError(f"{file} is no whole safetensors file ({said}): copy or make it anew") from None


def _weights(stream: safe_open, name: str, file: Path) -> Tensor:
    kind = stream.get_slice(name).get_dtype()
    if kind not in FLOATING:
        raise UserError(f"{file}: {name} is stored as {kind}, expected one of {', '.join(FLOATING)}: make it anew")
    tensor = stream.get_tensor(name)
    if not torch.isfinite(tensor).all():
        raise UserError(f"{file}: {name} holds values that are not finite: start from another source")
    return tensor


def _sha256(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
