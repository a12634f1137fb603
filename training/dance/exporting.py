"""Export a generator of dances as a bundle.

The weights are read back as they are stored, and everything else in the bundle is made with those: golden inputs and
answers, the ONNX file and how far a dance by it is from torch's, the preview. The same run gives the same bytes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from pydantic import Field
from torch import nn

from inference import bundle, kinds
from inference import manifest as manifests
from inference.errors import UserError, one_line
from preprocessing import dancepacks
from preprocessing.dancepacks import Dances
from scraping import stage
from training import card, finished, shipping, sources, translating, watching
from training.dance import describing, exhibits
from training.dance.describing import Trained

DATA = Path("data")
WEIGHTS = {"dance": "denoiser", "dance_gan": "composer"}
MOST_APART, MOST_MM = 1e-3, 2.0  # of the ONNX file: deviations of the motion, and of a joint in a whole dance


class Settings(stage.Settings):
    name: str | None = Field(pattern=f"^{manifests.NAME.pattern}$")
    run: str  # of the folder in data/runs
    version: str
    starter: bool
    onnx: bool
    golden: exhibits.Drawn
    parity: exhibits.Parity
    preview: exhibits.Preview


def main(config: DictConfig) -> None:
    """Export by a composed config: data/runs, the pack and metrics -> data/exported or data/starters."""
    settings = stage.settings(config, f"export_{config.run}", Settings)
    if config.get("init") is not None:
        raise UserError(f"init={config.init} is for lips: a dance is exported from its run (export_{config.run}.run)")
    trained = of_run(config.run, DATA / "runs" / settings.run, config.world)
    dances = dances_of(trained, DATA / "processed" / config.corpus)
    name = settings.name or config.run
    known = trained.run.model_dump(), trained.sha256, dances.fingerprint, name
    print_of = stage.fingerprint(settings.model_dump(), known, stage.code_version())
    with stage.work("export", name, config.world, print_of) as work:
        built = build(work / name, trained, dances, config.corpus, settings)
        target, megabytes = shipping.ship(built, DATA, settings.starter)
        watch = stage.settings(config, "wandb", watching.Settings)
        shipping.watch(watch, target, work, {"steps": trained.run.steps}, trained.run.data.model_dump())
    print(f"{target}: {megabytes:.1f} MB, {trained.run.steps} steps, {checked(built.manifest)}")


def of_run(kind: str, folder: Path, world: str) -> Trained:
    """Read what a training left: all of its network, finite, and of this world."""
    run = finished.about(folder / "run.json", describing.Run, f"run={kind} corpus=dances")
    if run.run != kind:
        raise UserError(f"{folder} is of run={run.run}: export it with run={run.run}, or name a run of {kind}")
    if run.world != world:
        raise UserError(f"{folder} was trained in world={run.world}, not in {world}: train anew or export its world")
    network, sha256 = network_of(kind, folder)
    for name, tensor in network.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise UserError(f"{folder}: {name} holds values that are not finite: this training failed, start it anew")
    if len(run.genres) != network.config.genres:
        raise UserError(f"{folder} names {len(run.genres)} genres of {network.config.genres}: train anew")
    return Trained(network, run, sha256)


def network_of(kind: str, folder: Path) -> tuple[nn.Module, str]:
    """Build a run's network and fill it; also gives the sha256 of the file of its weights."""
    found = sources.read(folder, WEIGHTS[kind], None)
    try:
        built = kinds.build(kind, kinds.config({"kind": kind, **found.about["network"]}))
        built.load_state_dict(found.state)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{folder} holds no whole run ({one_line(error)}): train anew") from None
    return built.eval().requires_grad_(False), found.source.sha256


def dances_of(trained: Trained, folder: Path) -> Dances:
    """Open the pack that a run was trained on."""
    dances = dancepacks.read(folder)
    if dances.fingerprint != trained.run.data.fingerprint:
        raise UserError(f"{folder} is not the pack that the run was trained on: train anew")
    return dances


def build(folder: Path, trained: Trained, dances: Dances, corpus: str, settings: Settings) -> bundle.Bundle:
    """Write the bundle into a new folder and read it back."""
    metrics = DATA / "metrics" / corpus / f"{trained.run.run}.json"
    manifest = describing.describe(folder.name, settings.version, settings.starter, trained, dances, metrics)
    state = trained.network.state_dict()
    # A draft, only to read the weights back as they will be read: rounded, where a starter halves them.
    draft = bundle.write(folder, manifest, {bundle.MODEL: state})
    network = draft.network()
    tensors = {bundle.MODEL: state, bundle.GOLDEN: exhibits.answered(network, settings.golden)}
    files = {}
    if settings.onnx and not settings.starter and trained.run.run == "dance":
        files[bundle.ONNX] = translating.write(network, draft)
        manifest["parity"] = parity(bundle.write(folder, manifest, tensors, files), network, dances, settings.parity)
    shown = exhibits.held_out(dances)[: settings.preview.songs]
    if shown:
        files["preview.png"] = exhibits.preview(network, dances, shown, settings.preview)
    notice = DATA / "processed" / corpus / "NOTICE"
    if not trained.demo and notice.is_file():  # of real dances it names whose they are
        files["NOTICE"] = notice.read_bytes()
    files["README.md"] = card.of_dances(
        manifest,
        trained.run.model_dump(),
        shown=len(shown),
        preview=settings.preview.model_dump(),
        parameters=f"{sum(parameter.numel() for parameter in network.parameters()):,}",
        notice="NOTICE" in files,
    ).encode()
    built = bundle.write(folder, manifest, tensors, files)
    if difference := built.check():
        raise RuntimeError(f"{folder}: read back, the bundle's golden answers differ by {difference}")
    return built


def parity(written: bundle.Bundle, network: nn.Module, dances: Dances, settings: exhibits.Parity) -> dict:
    """State how far a dance by the ONNX file is from torch's, and refuse one that is another dance."""
    apart = exhibits.parity(written, network, dances, settings)
    if apart["max_abs"] > MOST_APART or apart["max_mm"] > MOST_MM:
        line = f"the ONNX file is {apart['max_abs']} from torch, a dance by it {apart['max_mm']} mm"
        raise RuntimeError(f"{line}: at most {MOST_APART} and {MOST_MM} were expected")
    return apart | {"opset": translating.OPSET}


def checked(manifest: Mapping[str, Any]) -> str:
    """Say in a few words what was checked."""
    if "parity" not in manifest:
        return "golden answers the same to the bit, no ONNX file"
    apart = manifest["parity"]
    dance = f"{apart['frames'] / 30:.0f} s of dance to {apart['on']}"
    return f"golden answers the same to the bit, ONNX within {apart['max_mm']:g} mm of torch over {dance}"
