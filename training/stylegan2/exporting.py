"""Export a StyleGAN2-ADA: the averaged generator, its principal directions and golden pictures.

Everything in the bundle is made with the weights as they are stored, read back from disk, and the finished bundle must
show its golden pictures to the bit. The same run gives the same bytes.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic
import torch
from omegaconf import DictConfig
from pydantic import Field
from torch import Tensor

from inference import bundle
from inference.avatars import grid
from inference.errors import UserError
from inference.networks.stylegan2 import Generator, latents, to_uint8
from preprocessing import packing
from scraping import stage
from training import card, finished, provenance, shipping, watching
from training.stylegan2 import naming
from training.stylegan2.directions import closed_form_directions, moments, principal_directions, spread
from training.stylegan2.transfer import opened

STARTER_KIMG = 200
MEASURED = (
    "measured",
    "avatars",
    "truncation",
    "seeds",
    "reals",
    "rows",
    "detector",
)  # what a bundle repeats of the metrics
BATCH = 8  # pictures at a time


class Directions(stage.Settings):
    count: int = Field(ge=1)
    samples: int = Field(ge=2)
    batch: int = Field(ge=1)
    seed: int = Field(ge=0)
    named: naming.Settings


class Preview(stage.Settings):
    first_seed: int = Field(ge=0)
    avatars: int = Field(ge=1)
    columns: int = Field(ge=1)


class Settings(stage.Settings):
    run: str
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    version: str
    starter: bool
    people: str | None
    truncation: float
    golden: list[int] = Field(min_length=1)
    directions: Directions
    preview: Preview


class Data(pydantic.BaseModel):
    """What a run says of the pictures it saw."""

    fingerprint: str
    count: int
    width: int
    height: int
    train: int
    held_out: int


class Brought(pydantic.BaseModel):
    """What the export reads of the run.json of a published snapshot, which keeps quiet about its pictures."""

    brought: dict
    network: dict
    licence: str
    kimg: None
    data: None
    command: str
    git: Any = None
    finished: str = ""


class Run(finished.Told):
    """What the export reads of run.json."""

    kimg: float
    data: Data


def main(config: DictConfig) -> None:
    """Run the stage on a composed config: data/runs, metrics, processed and raw -> data/exported or data/starters."""
    settings = stage.settings(config, "export", Settings)
    if config.init is not None:
        raise UserError(f"init={config.init} is for run=syncnet and run=wav2lip: a StyleGAN2 is exported from its run")
    data, corpus = Path("data"), config.corpus
    run = read_run(data / "runs" / settings.run, config.world)
    _refuse_what_is_no_export(settings, run)
    print_of = stage.fingerprint(settings.model_dump(), run.model_dump(), stage.code_version())
    with stage.work("export", corpus, config.world, print_of) as work:
        built = build(work / settings.name, data, run, config.images.subject, settings)
        target, megabytes = shipping.ship(built, data, settings.starter)
        watch = stage.settings(config, "wandb", watching.Settings)
        shipping.watch(watch, target, work, {"kimg": run.kimg}, run.data.model_dump() if run.data else run.brought)
    trained = f"{run.kimg:g} kimg" if isinstance(run, Run) else f"brought, {run.licence}"
    print(f"{target}: {megabytes:.1f} MB, {trained}, golden pictures the same to the bit")


def _refuse_what_is_no_export(settings: Settings, run: Run | Brought) -> None:
    if not settings.starter:
        return
    if isinstance(run, Brought):
        raise UserError(f"{settings.run} was brought ({run.licence}): a starter is of this project's own training")
    if run.kimg < STARTER_KIMG:
        raise UserError(f"{run.corpus} was trained for {run.kimg:g} kimg, a starter for at least {STARTER_KIMG}: go on")


def read_run(folder: Path, world: str) -> Run | Brought:
    """Read what a training, or what was brought, says of itself."""
    path = folder / "run.json"
    if not path.exists():
        raise UserError(f"{path} is not there: run python -m training.train run=stylegan2 corpus={folder.name} first")
    told = path.read_bytes()
    try:
        run = (Brought if _was_brought(told) else Run).model_validate_json(told)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(f"{path}: {where}: {first['msg'].lower()}: train anew") from None
    if isinstance(run, Run) and run.world != world:
        raise UserError(f"{path} was trained in world={run.world}, not in {world}: train anew or export with its world")
    return run


def _was_brought(told: bytes) -> bool:
    try:
        return "brought" in json.loads(told)
    except (ValueError, TypeError):
        return False  # and the reading says what is wrong


def build(folder: Path, data: Path, run: Run | Brought, subject: str, settings: Settings) -> bundle.Bundle:
    """Write the bundle into a new folder and read it back; `data` is the folder of that name.

    `subject` is what the cleaning looked for: face, body or matte.
    """
    source = data / "runs" / settings.run
    weights = read_weights(source / "ema.safetensors")
    manifest = describe(data, run, subject, settings)
    # A draft, only to read the weights back as they will be read: rounded, where a starter halves them.
    generator = bundle.write(folder, manifest, {bundle.MODEL: weights}).generator()
    known = isinstance(run, Run) and generator.config.image_channels == 3  # whose pictures are like the pack's
    people = naming.read_people(data / "processed" / run.corpus, data / "truth" / run.corpus) if known else None
    directions, manifest["directions"] = find_directions(generator, people, settings.directions)
    tensors = {
        bundle.MODEL: weights,
        bundle.DIRECTIONS: directions,
        bundle.GOLDEN: golden(generator, settings.golden),
    }
    if settings.starter:
        tensors[bundle.DISCRIMINATOR] = read_weights(source / bundle.DISCRIMINATOR)
    built = bundle.write(folder, manifest, tensors, files(generator, manifest, data, run, subject, settings))
    difference = built.check()
    if difference:
        raise RuntimeError(f"{folder}: read back, the bundle's golden pictures differ by {difference} of 255")
    return built


def find_directions(
    generator: Generator, people: naming.People | None, asked: Directions
) -> tuple[dict[str, Tensor], dict]:
    """Give the rows that the bundle holds and what its manifest says of them: principal ones, then by name the others.

    The others are those of the closed form, sefa:0 to sefa:N-1, and what was found of `people`; all in sigmas of w.
    """
    mean, covariance = moments(generator, asked.samples, asked.batch, asked.seed)
    principal, share = principal_directions(covariance, asked.count)
    closed = closed_form_directions(generator, asked.count)
    traits, measured = naming.named_directions(generator, people, lambda rows: spread(covariance, rows), asked.named)
    rows = torch.cat([principal, closed, traits])
    names = [*(f"sefa:{number}" for number in range(len(closed))), *measured["named"]]
    sigmas = spread(covariance, rows)
    tensors = {"components": rows.float().contiguous(), "sigmas": sigmas.float(), "mean": mean.float()}
    return tensors, {
        "file": bundle.DIRECTIONS,
        "count": len(principal),
        "sigmas": [round(float(sigma), 4) for sigma in sigmas[: len(principal)]],
        "share": round(float(share.sum()), 4),  # of the variance of w
        "samples": asked.samples,
        "seed": asked.seed,
        "names": {name: len(principal) + place for place, name in enumerate(names)},
        "traits": measured,
    }


def read_weights(file: Path) -> dict[str, Tensor]:
    """Read a state dict; a damaged file and values that are not finite are a `UserError`."""
    if not file.exists():
        raise UserError(f"{file} is not there: train anew")
    with opened(file) as stream:
        state = {name: stream.get_tensor(name) for name in sorted(stream.keys())}
    for name, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise UserError(f"{file}: {name} holds values that are not finite: this training failed, start it anew")
    return state


def describe(data: Path, run: Run | Brought, subject: str, settings: Settings) -> dict:
    """Put the manifest together, but for the directions and the hashes."""
    of_its_own = _of_training(data, run, settings) if isinstance(run, Run) else _of_what_was_brought(run)
    return {
        "name": settings.name,
        "version": settings.version,
        "task": "avatar",
        "network": {"kind": "stylegan2", **run.network},
        "precision": "float16" if settings.starter else "float32",
        "inputs": {"z": ["N", run.network["z_dim"]], "truncation": "0 to 1", "noise": ["const", "random", "none"]},
        "outputs": {"image": ["N", run.network["height"], run.network["width"], 3], "type": "uint8", "colours": "sRGB"},
        "subject": "face" if subject == "face" else "body",
        "created": run.finished,  # the clock of the export is no input
        **of_its_own,
    }


def _of_training(data: Path, run: Run, settings: Settings) -> dict:
    """Say what a training's pictures allow, how it went, and how good it is."""
    pack = data / "processed" / run.corpus
    if packing.read_pack(pack).fingerprint != run.data.fingerprint:
        raise UserError(f"{pack} is not the pack that {run.corpus} was trained on: train anew, or make that pack again")
    licences, sources = provenance.origins(pack, data / "raw" / run.corpus)
    terms, commercial = provenance.terms(licences, run.world, run.started_from)
    started = run.started_from and {key: run.started_from[key] for key in ("kind", "name", "sha256")}
    return {
        "licences": terms,
        "commercial": commercial,
        "demo": run.world == "demo",
        "provenance": {
            "git": provenance.revision(),
            "trained_at": run.git,
            "data_fingerprint": run.data.fingerprint,
            "sources": sources,
            "kimg": run.kimg,
            "seconds": run.seconds,
            "device": run.device,
            "started_from": started,
            "command": run.command,
        },
        "metrics": digest(data / "metrics" / run.corpus / "avatars.json", settings.run),
    }


def _of_what_was_brought(run: Brought) -> dict:
    """Say whose weights these are: of their pictures nothing is known, and nobody may sell what they make."""
    return {
        "licences": {"weights": run.licence, "code": provenance.CODE_LICENCE, "data": {}},
        "commercial": False,
        "demo": False,
        "provenance": {"git": provenance.revision(), "brought": run.brought, "command": run.command},
        "metrics": {"measured": False, "why": "it was brought, and its pictures are not here"},
    }


def digest(path: Path, run: str) -> dict:
    """Give the metrics that a bundle repeats, each with its N; where none were taken of this run, say so."""
    metrics = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    if metrics is None or metrics.get("run", run) != run:
        return {"measured": False, "why": "python -m training.evaluate has not run on it"}
    if not metrics["measured"]:
        return {"measured": False, "why": metrics.get("why", "the evaluation gave no reason")}
    return {key: metrics[key] for key in MEASURED if key in metrics}


def golden(generator: Generator, seeds: Sequence[int]) -> dict[str, Tensor]:
    """Give the pictures by which a bundle is checked, with what they are made of."""
    z, labels = asked(generator, seeds)
    made = {"z": z, "image": pictures(generator, z, labels, bundle.GOLDEN_PSI)}
    return made if labels is None else made | {"labels": labels}


def asked(generator: Generator, seeds: Sequence[int]) -> tuple[Tensor, Tensor | None]:
    """Give the z of each seed, and where there are classes one for each seed, in turn."""
    classes = generator.config.classes
    return latents(seeds, generator.config.z_dim), torch.tensor(seeds) % classes if classes else None


@torch.inference_mode()
def pictures(generator: Generator, z: Tensor, labels: Tensor | None, psi: float) -> Tensor:
    """Make the pictures of all z at once, with constant noise: uint8 [N, H, W, 3]."""
    return to_uint8(generator(z, labels, psi=psi, noise="const"))


def files(
    generator: Generator, manifest: dict, data: Path, run: Run | Brought, subject: str, settings: Settings
) -> dict[str, bytes]:
    """Make what people look at: preview.png and the card, and of the real world NOTICE, which names the authors."""
    shown = settings.preview
    seeds = range(shown.first_seed, shown.first_seed + shown.avatars)
    batches = [asked(generator, seeds[start : start + BATCH]) for start in range(0, len(seeds), BATCH)]
    avatars = torch.cat([pictures(generator, *batch, settings.truncation) for batch in batches])
    made = {"preview.png": packing.png(grid(avatars.numpy(), shown.columns))}
    if isinstance(run, Run) and not manifest["demo"]:
        made["NOTICE"] = (data / "raw" / run.corpus / "NOTICE").read_bytes()
    text = card.write(
        manifest,
        run.model_dump(),
        preview=shown,
        truncation=settings.truncation,
        parameters=f"{sum(parameter.numel() for parameter in generator.parameters()):,}",
        people=settings.people,
        seed=run.settings.get("seed", "not recorded") if isinstance(run, Run) else None,
        notice="NOTICE" in made,
        finder=card.FINDERS[subject],
    )
    return made | {"README.md": text.encode()}
