"""Train a StyleGAN2-ADA on the pack of a corpus: what of `python -m training.train run=stylegan2` is its own."""

import dataclasses
import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pydantic import Field
from pytorch_lightning.utilities import rank_zero_only

from inference.errors import UserError
from inference.networks.stylegan2 import GeneratorConfig
from preprocessing import packing
from preprocessing.packing import Pack
from scraping import stage
from training import checkpoints, machine, record, runs, watching
from training.machine import TrainerSettings
from training.runs import DATA
from training.stylegan2 import callbacks, data, module, presets, transfer

if TYPE_CHECKING:
    import wandb

NETWORKS = ("generator", "ema", "discriminator")


class SampleSettings(stage.Settings):
    """Grids drawn while training."""

    count: int = Field(ge=1)
    columns: int = Field(ge=1)
    kimg: float = Field(gt=0)
    psi: float = Field(ge=0, le=1)


class Settings(module.Settings):
    """A training: the algorithm, and what is around it."""

    name: str = Field(pattern=r"^[\w=,+-][\w.=,+-]*$")  # never .., which is a folder too
    start: str | None
    seed: int = Field(ge=0)
    max_kimg: float = Field(gt=0)
    tick_kimg: float = Field(gt=0)
    checkpoint_seconds: float = Field(gt=0)
    mirror: bool
    alpha: bool  # whether transparency is kept and generated
    samples: SampleSettings


class Batches(pl.LightningDataModule):
    """Batches from the picture on at which the model stands."""

    def __init__(self, model: module.Stylegan2, dataset: data.Portraits, settings: Settings, workers: int) -> None:
        super().__init__()
        self.model, self.dataset, self.settings, self.workers = model, dataset, settings, workers

    def train_dataloader(self) -> torch.utils.data.DataLoader:
        world, rank, batch = self.trainer.world_size, self.trainer.global_rank, self.settings.batch
        group = self.settings.discriminator.mbstd_group
        if batch % world or (batch // world) % min(group, batch // world):
            line = f"train.batch: {batch} does not fall into {world} processes with groups of {group} pictures"
            raise UserError(f"{line}: make it a multiple of {world * group}")
        start = self.model.pictures_seen
        return data.loader(self.dataset, batch, self.settings.seed, start, rank, world, self.workers)


def main(config: DictConfig) -> None:
    if config.max_kimg is not None:
        config.train.max_kimg = config.max_kimg
    where = stage.settings(config, "trainer", TrainerSettings)
    watch = stage.settings(config, "wandb", watching.Settings)
    pack = packing.read_pack(DATA / "processed" / config.corpus)
    presets.settle(config.train, max(pack.width, pack.height), where.processes)
    settings = as_started(stage.settings(config, "train", Settings))
    machine.prepare(where)
    name = runs.name_of(settings.name)
    print_of = fingerprint(settings, DATA / "processed" / config.corpus)
    follower = rank_zero_only.rank > 0  # of a leader that holds the lock
    joined = nullcontext(stage.WORK / "train" / name / config.world / print_of)
    with joined if follower else stage.work("train", name, config.world, print_of) as folder:
        composed = OmegaConf.to_container(config, resolve=True) | {"data": data.about(pack)}
        watched = None if follower else watching.opened(watch, name, "train", folder, composed, "kimg")
        failed = True
        try:
            model, seconds = fit(settings, where, pack, folder, watched)
            if not follower:
                started_from = origin(folder)
                network, shown = dataclasses.asdict(model.generator.config), {"kimg": model.pictures_seen / 1000}
                about = record.describe(
                    config, network, shown, seconds, model.device, data.about(pack), started_from, settings.model_dump()
                )
                target = DATA / "runs" / name
                runs.publish({each: getattr(model, each) for each in NETWORKS}, about, folder, target)
                print(f"{target}: {about['kimg']:g} kimg in {about['seconds']:.0f} s", flush=True)
                if watched:
                    refer(watched, name, config.corpus, about)
            failed = False
        finally:
            if watched:
                watching.close(watched, failed)


def as_started(settings: Settings) -> Settings:
    """Take the networks' width and depth from what is started from: weights fit no others."""
    if settings.start is None:
        return settings
    there, changed = transfer.shape(settings.start), {}
    for part in ("generator", "discriminator"):
        own = getattr(settings, part)
        other = {name: value for name, value in there[part].items() if getattr(own, name) != value}
        changed |= {f"{part}.{name} {value} ({getattr(own, name)} here)": None for name, value in other.items()}
        settings = settings.model_copy(update={part: own.model_copy(update=other)})
    if changed and rank_zero_only.rank == 0:
        print(f"as {settings.start} has it: {', '.join(changed)}", flush=True)
    return settings


def fit(settings: Settings, where: TrainerSettings, pack: Pack, folder: Path, watched: "wandb.Run | None") -> tuple:
    """Train from where `folder` left off; returns the model and the seconds that all its runs took."""
    last = folder / "last.ckpt"
    live = folder / "live"
    live.mkdir(parents=True, exist_ok=True)
    model = module.Stylegan2(settings, generator_config(settings, pack), settings.seed)
    start(model, settings.start, folder, resumed=last.exists())
    dataset = data.Portraits(pack, "train", settings.mirror, settings.alpha)
    held_out = first_pictures(pack, settings.discriminator.mbstd_group, settings.alpha)
    ticks = callbacks.Ticks(live, settings.tick_kimg, settings.max_kimg, held_out)
    drawn = settings.samples
    steps = [
        callbacks.Greeting(pack, settings.start),
        callbacks.Average(settings.ema_kimg, settings.ema_ramp),
        ticks,
        callbacks.Samples(live, drawn.kimg, list(range(drawn.count)), drawn.columns, drawn.psi),
        callbacks.StopAt(settings.max_kimg, last),
        checkpoints.Checkpoints(last, settings.checkpoint_seconds),
    ]
    trainer = machine.trainer(where, steps, watched)
    batches = Batches(model, dataset, settings, where.workers)
    trainer.fit(model, datamodule=batches, ckpt_path=last if last.exists() else None, weights_only=True)
    return model, ticks.state_dict()["seconds"]


def fingerprint(settings: Settings, pack: Path) -> str:
    """Name what decides the bits of a training: how long it lasts and how often it is saved do not.

    The pack counts by its bytes: a changed cleaning makes other pixels of the same pictures.
    """
    lasting = settings.model_dump(exclude={"max_kimg", "tick_kimg", "checkpoint_seconds"})
    source = transfer.locate(settings.start) if settings.start else None
    files = {source.ema, source.generator, source.discriminator} - {None} if source else set()
    packed = stage.fingerprint(files=[file for file in pack.iterdir() if file.is_file()])
    return stage.fingerprint(lasting, packed, stage.code_version(), files=files)


def generator_config(settings: Settings, pack: Pack) -> GeneratorConfig:
    """Shape the generator after the pack's pictures."""
    longer, shorter = max(pack.width, pack.height), min(pack.width, pack.height)
    if longer & (longer - 1) or longer < 8 or longer % shorter or longer // shorter not in (1, 2, 4):
        line = f"the pack's pictures are {pack.width}x{pack.height}"
        raise UserError(f"{line}: a StyleGAN2 makes 8, 16, 32 ... pixels, the other side as many, half or a quarter")
    return GeneratorConfig(
        height=pack.height,
        width=pack.width,
        image_channels=4 if settings.alpha else 3,
        classes=len(pack.labels),
        **settings.generator.model_dump(),
    )


def start(model: module.Stylegan2, source: str | None, folder: Path, resumed: bool) -> None:
    """Start from another training's weights; a checkpoint holds them already."""
    if resumed:
        return
    report = transfer.load_into(model.generator, model.ema, model.discriminator, source) if source else None
    stays = {f"discriminator.{name}" for name, each in model.discriminator.named_parameters() if not each.requires_grad}
    if strange := sorted(stays - set(report.loaded if report else ())):
        line = f"train.discriminator.freeze: {strange[0]} would stay at random, as it comes from no other training"
        raise UserError(f"{line}: freeze 0, or start from a starter or run with a discriminator of this shape")
    if report and rank_zero_only.rank == 0:
        print(report.summary(), flush=True)
        stage.write_atomically(folder / "started_from.json", json.dumps(report.record()).encode())


def origin(folder: Path) -> dict | None:
    kept = folder / "started_from.json"
    return json.loads(kept.read_text()) if kept.exists() else None


def first_pictures(
    pack: Pack, group: int, alpha: bool = False, most: int = 64
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Give a batch of held-out pictures, in whole groups of the minibatch standard deviation; None of too few."""
    whole = min(len(data.positions(pack, "held_out")), most) // group * group
    if not whole:
        return None
    dataset = data.Portraits(pack, "held_out", alpha=alpha)
    pictures, labels = zip(*(dataset[item] for item in range(whole)), strict=True)
    return torch.stack(pictures), torch.tensor(labels)


def refer(watched: "wandb.Run", name: str, corpus: str, about: dict) -> None:
    """Have the run in W&B refer to the pack that it was trained on and to the networks that came of it."""
    pack, run = DATA / "processed" / corpus, DATA / "runs" / name
    watching.refer(watched, "dataset", f"pack-{corpus}", sorted(pack.iterdir()), about["data"])
    networks = [run / f"{network}.safetensors" for network in NETWORKS]
    watching.refer(watched, "model", f"run-{name}", [*networks, run / "run.json"], {"kimg": about["kimg"]})
