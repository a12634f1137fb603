"""Export a sync expert or a lip-sync generator, of a run or of a file that somebody brought.

The weights are read back as they are stored, and everything else in the bundle is made with those: golden inputs and
answers, the ONNX file and how far it is from torch, the preview. The same run gives the same bytes.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic
import torch
from omegaconf import DictConfig
from pydantic import Field
from torch import nn

from inference import bundle
from inference import manifest as manifests
from inference.errors import UserError, one_line
from inference.networks.wav2lip import Wav2LipConfig
from preprocessing import talkpacks
from preprocessing.talkpacks import Clip, Talks
from scraping import stage
from training import card, finished, shipping, translating, watching
from training.wav2lip import describing, exhibits, graphs, reference, starting
from training.wav2lip.describing import KINDS, Kind, Run, Trained

DATA = Path("data")
MOST_APART = {"sync": 1e-4, "lipsync": 1}  # of the ONNX file: of an embedding, and levels of 255


class Parity(stage.Settings):
    """The inputs on which both back ends are compared."""

    inputs: int = Field(ge=1)
    batches: list[pydantic.PositiveInt] = Field(min_length=1)
    seed: int = Field(ge=0)


class Settings(stage.Settings):
    name: str | None = Field(pattern=f"^{manifests.NAME.pattern}$")
    run: str  # of the folder in data/runs
    version: str
    starter: bool
    onnx: bool
    golden: exhibits.Drawn
    parity: Parity
    preview: exhibits.Preview


def main(config: DictConfig) -> None:
    """Export by a composed config: data/runs or a file, packs and metrics -> data/exported or data/starters."""
    settings, kind = stage.settings(config, f"export_{config.run}", Settings), KINDS[config.run]
    if config.init is None:
        trained = of_run(kind, DATA / "runs" / settings.run, config.world)
        name = settings.name or kind.name
    else:
        trained = of_file(kind, Path(config.init).expanduser())
        name = settings.name or _slug(trained.file.name) or f"brought-{kind.name}"
    talks = talks_of(trained, DATA, config.corpus)
    known = trained.run and trained.run.model_dump(), trained.file.sha256, talks and talks.fingerprint, name
    print_of = stage.fingerprint(settings.model_dump(), known, stage.code_version())
    with stage.work("export", name, config.world, print_of) as work:
        built = build(work / name, trained, talks, config.corpus, settings)
        target, megabytes = shipping.ship(built, DATA, settings.starter)
        watch, run = stage.settings(config, "wandb", watching.Settings), trained.run
        data = run.data.model_dump() if run else {"file": trained.file.name}
        shipping.watch(watch, target, work, {"steps": run and run.steps}, data)
    print(f"{target}: {megabytes:.1f} MB, {trained.long}, {checked(built.manifest)}")


def of_run(kind: Kind, folder: Path, world: str) -> Trained:
    """Read what a training left: all of its network, finite, and of this world."""
    path = folder / "run.json"
    run = finished.about(path, Run, f"run={kind.kind} corpus=talks")
    try:
        network = kind.build(Wav2LipConfig(**run.network))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: network: {one_line(error, 120)}: train anew") from None
    if run.world != world:
        raise UserError(f"{path} was trained in world={run.world}, not in {world}: train anew or export with its world")
    source, state = starting.read(folder, kind.network)
    if trouble := reference.mismatch(state, network.state_dict()):
        raise UserError(f"{folder} holds a {kind.network} that is not of its run.json: {trouble}: train anew")
    judged = (folder / bundle.DISCRIMINATOR).is_file()
    discriminator = starting.read(folder, "discriminator")[1] if judged else None
    for name, tensor in (state | (discriminator or {})).items():
        if not torch.isfinite(tensor).all():
            raise UserError(f"{folder}: {name} holds values that are not finite: this training failed, start it anew")
    return Trained(kind, network.config.width, state, source, run, discriminator)


def of_file(kind: Kind, path: Path) -> Trained:
    """Read a checkpoint that somebody brought: a published one, or one of its names and shapes."""
    network = kind.build(Wav2LipConfig(starting.width_of(reference.read(path), kind.task)))
    reference.load(network, path)
    return Trained(kind, network.config.width, network.state_dict(), starting.of_file(path), run=None)


def talks_of(trained: Trained, data: Path, corpus: str) -> Talks | None:
    """Open the pack that a run was trained on; for a file that was brought the one that is there, if any."""
    if trained.run is None:
        folder = data / trained.kind.pack / corpus
        return talkpacks.read(folder) if (folder / "pack.json").exists() else None
    folder = data / trained.run.settings.get("pack", trained.kind.pack) / corpus
    talks = talkpacks.read(folder)
    if talks.fingerprint != trained.run.data.fingerprint:
        raise UserError(f"{folder} is not the pack that the {trained.kind.network} was trained on: train anew")
    return talks


def build(folder: Path, trained: Trained, talks: Talks | None, corpus: str, settings: Settings) -> bundle.Bundle:
    """Write the bundle into a new folder and read it back."""
    task, metrics = trained.kind.task, DATA / "metrics" / corpus / trained.kind.metrics
    manifest = describing.describe(folder.name, settings.version, settings.starter, trained, talks, metrics)
    # A draft, only to read the weights back as they will be read: rounded, where a starter halves them.
    draft = bundle.write(folder, manifest, {bundle.MODEL: trained.state})
    network = draft.network()
    tensors = {bundle.MODEL: trained.state, bundle.GOLDEN: exhibits.answered(task, network, settings.golden)}
    if settings.starter and trained.discriminator:  # to go on training from
        tensors[bundle.DISCRIMINATOR] = trained.discriminator
    files = {}
    if settings.onnx and not settings.starter:
        files[bundle.ONNX] = translating.write(network, draft)
        manifest["parity"] = parity(bundle.write(folder, manifest, tensors, files), network, talks, settings.parity)
    clips = shown(trained, talks)[: settings.preview.clips]
    if clips:
        lead = trained.mel.get("lead", 0)
        files["preview.png"] = exhibits.preview(task, network, clips, talks, settings.preview.pictures, lead)
    files |= notice(trained, DATA / "raw" / corpus)
    files["README.md"] = card.of_lips(
        manifest,
        trained.run and trained.run.model_dump(),
        shown=len(clips),
        pictures=settings.preview.pictures,
        parameters=f"{sum(parameter.numel() for parameter in network.parameters()):,}",
        notice="NOTICE" in files,
    ).encode()
    built = bundle.write(folder, manifest, tensors, files)
    if difference := built.check():
        raise RuntimeError(f"{folder}: read back, the bundle's golden answers differ by {difference}")
    return built


def parity(written: bundle.Bundle, network: nn.Module, talks: Talks | None, settings: Parity) -> dict:
    """State how far the ONNX file of a bundle is from torch, and on what."""
    lead = written.manifest["mel"].get("lead", 0)
    given, on = exhibits.inputs(written.task, talks, settings.inputs, settings.seed, lead)
    apart = graphs.parity(written, network, given, settings.batches) | {"on": on}
    most = apart["max_abs"] if written.task == "sync" else apart["levels"]
    if most > MOST_APART[written.task]:
        raise RuntimeError(f"the ONNX file is {most} from torch, at most {MOST_APART[written.task]} was expected")
    return apart


def shown(trained: Trained, talks: Talks | None) -> list[Clip]:
    """Give the clips that a preview may show: rendered heads, or people of whom a consent is stated."""
    if trained.run is None:
        return []
    return [clip for clip in exhibits.held_out(talks) if trained.demo or clip.consent]


def notice(trained: Trained, raw: Path) -> dict[str, bytes]:
    """Carry the notice of real talks along, which names whose they are."""
    there = trained.run is not None and not trained.demo and (raw / "NOTICE").is_file()
    return {"NOTICE": (raw / "NOTICE").read_bytes()} if there else {}


def checked(manifest: Mapping[str, Any]) -> str:
    """Say in a few words what was checked."""
    if "parity" not in manifest:
        return "golden answers the same to the bit, no ONNX file"
    apart = manifest["parity"]
    levels = f", {apart['levels']} of 255 levels" if "levels" in apart else ""
    return f"golden answers the same to the bit, ONNX within {apart['max_abs']:g}{levels} of torch on {apart['on']}"


def _slug(file: str) -> str:
    """Make a bundle's name of a file's."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", Path(file).stem).strip("-_")[:64]
