"""Train a dance, by diffusion or as a GAN, on a dance pack: what `python -m training.train run=dance` does."""

import dataclasses
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from pydantic import Field
from pytorch_lightning.utilities import rank_zero_only
from torch.utils.data import DataLoader

from inference.errors import UserError
from preprocessing import dancepacks
from preprocessing.dancepacks import SPLITS, Dances
from scraping import stage
from training import checkpoints, endless, machine, record, runs, sources, watching
from training.dance import callbacks, data, diffusion, gan, starting
from training.machine import TrainerSettings
from training.runs import DATA
from training.sources import Source
from training.ticks import Greeting, Pictures, StopAt, Ticks

if TYPE_CHECKING:
    import wandb

WHAT = {"dance": "a dance by diffusion", "dance_gan": "a dance as a GAN"}


class HeldOutSettings(stage.Settings):
    """What of the split `val` a row of history is measured on: the same each time."""

    count: int = Field(ge=0)  # windows
    batch: int = Field(ge=1)


class SheetSettings(stage.Settings):
    steps: int = Field(ge=1)
    count: int = Field(ge=1)  # windows danced to


class Around(stage.Settings):
    """What is around both algorithms."""

    name: str = Field(pattern=r"^[\w=,+-][\w.=,+-]*$")  # never .., which is a folder too
    start: str | None
    seed: int = Field(ge=0)
    steps: int = Field(ge=1)
    tick_steps: int = Field(ge=1)
    checkpoint_seconds: float = Field(gt=0)
    change: data.Change
    held_out: HeldOutSettings
    sheets: SheetSettings


class DiffusionSettings(diffusion.Settings, Around):
    """run=dance."""


class GanSettings(gan.Settings, Around):
    """run=dance_gan."""


SETTINGS = {"dance": DiffusionSettings, "dance_gan": GanSettings}
MODULES = {"dance": diffusion.Diffusion, "dance_gan": gan.Adversarial}


@dataclass
class Job:
    """A module, what it is trained on, and where it began."""

    key: str
    settings: DiffusionSettings | GanSettings
    dances: Dances
    model: diffusion.Diffusion | gan.Adversarial
    drawn: data.Drawn


def main(config: DictConfig) -> None:
    key = config.run
    runs.refuse_settings_of_others(key)
    settings = stage.settings(config, key, SETTINGS[key])
    where = stage.settings(config, "trainer", TrainerSettings)
    watch = stage.settings(config, "wandb", watching.Settings)
    machine.prepare(where)
    pack = DATA / "processed" / config.corpus
    job = prepared(key, settings, dancepacks.read(pack))
    name = runs.name_of(settings.name)
    print_of = fingerprint(settings, pack, key)
    follower = rank_zero_only.rank > 0  # of a leader that holds the lock
    joined = nullcontext(stage.WORK / "train" / name / config.world / print_of)
    with joined if follower else stage.work("train", name, config.world, print_of) as folder:
        composed = OmegaConf.to_container(config, resolve=True) | {"data": about_of(job.dances)}
        watched = None if follower else watching.opened(watch, name, "train", folder, composed, "step")
        failed = True
        try:
            seconds = fit(job, where, folder, watched)
            if not follower:
                about = describe(job, config, seconds, sources.origin(folder))
                target = DATA / "runs" / name
                runs.publish(job.model.kept, about, folder, target)
                print(f"{target}: {about['steps']} steps in {about['seconds']:.0f} s", flush=True)
                if watched:
                    refer(watched, name, pack, target, job, about)
            failed = False
        finally:
            if watched:
                watching.close(watched, failed)


def prepared(key: str, settings: DiffusionSettings | GanSettings, dances: Dances) -> Job:
    """Build the module of a run, in the units of the dances that it is trained on."""
    drawn = data.Drawn(dances, "train", settings.window, settings.change, settings.seed)
    try:
        model = MODULES[key](settings, len(dances.genres), settings.seed)
    except ValueError as error:  # of a network's config
        raise UserError(f"{key}: {error}") from None
    for network in (*model.trained.values(), *model.kept.values()):
        if hasattr(network, "motion_mean"):
            data.measure(network, dances, drawn.found, settings.change.mirror > 0)
    return Job(key, settings, dances, model, drawn)


def fit(job: Job, where: TrainerSettings, folder: Path, watched: "wandb.Run | None") -> float:
    """Train from where `folder` left off; gives the seconds that all its runs took."""
    last, live, settings, key = folder / "last.ckpt", folder / "live", job.settings, job.key
    live.mkdir(parents=True, exist_ok=True)
    begun = start(job, folder, resumed=last.exists())
    held_out = data.HeldOut(job.dances, "val", settings.window, settings.held_out.count)
    asked = data.batches(held_out, settings.held_out.batch) if len(held_out) else None
    ticks = Ticks(live, callbacks.HISTORY[key], callbacks.TOLD, settings.tick_steps, settings.steps, asked)
    steps = [
        Greeting(WHAT[key], job.model.trained.values(), said_of(job.dances), begun),
        ticks,
        *sheets(job, live),
        StopAt(settings.steps, last, key),
        checkpoints.Checkpoints(last, settings.checkpoint_seconds),
    ]
    trainer = machine.trainer(where, steps, watched)
    resumed = last if last.exists() else None
    trainer.fit(job.model, datamodule=Batches(job, where.workers), ckpt_path=resumed, weights_only=True)
    return ticks.state_dict()["seconds"]


def sheets(job: Job, live: Path) -> list[pl.Callback]:
    """Show dances to held-out music, where there is some."""
    asked = job.settings.sheets
    held_out = data.HeldOut(job.dances, "val", job.settings.window, asked.count)
    if not len(held_out):
        return []
    shown = lambda: next(iter(data.batches(held_out, asked.count)))  # noqa: E731
    return [Pictures(live, asked.steps, shown, callbacks.sheet, callbacks.SHOWN)]


class Batches(pl.LightningDataModule):
    """Batches from the step on at which the model stands."""

    def __init__(self, job: Job, workers: int) -> None:
        super().__init__()
        self.job, self.workers = job, workers

    def train_dataloader(self) -> DataLoader:
        world, rank, batch = self.trainer.world_size, self.trainer.global_rank, self.job.settings.batch
        if batch % world:
            raise UserError(f"{self.job.key}.batch: {batch} windows do not fall into {world} processes")
        return endless.loader(self.job.drawn, batch, self.job.model.steps * batch, rank, world, self.workers)


def start(job: Job, folder: Path, resumed: bool) -> str:
    """Start from another training's weights and say from which; a checkpoint holds them already."""
    if resumed:
        source = sources.origin(folder)
    else:
        source = starting.fill(job.model.trained, job.settings.start, job.key, job.dances.genres)
        for name, network in job.model.kept.items():
            network.load_state_dict(job.model.trained[name].state_dict())
        if source and rank_zero_only.rank == 0:
            sources.keep(source, folder)
    return f"from {source.said}" if source else "from scratch"


def fingerprint(settings: Around, pack: Path, key: str) -> str:
    """Name what decides the bits of a training: how long it lasts, and how often it is saved or looked at, do not."""
    lasting = settings.model_dump(
        exclude={"steps", "tick_steps", "checkpoint_seconds", "held_out", "sheets"},
    )
    stored = sorted((file.name, file.stat().st_size) for file in pack.glob("*.npy"))
    files = {pack / "pack.json", pack / "dances.parquet", pack / "songs.parquet"}
    if settings.start:
        files |= set(sources.locate(settings.start, key).glob("*.safetensors"))
    return stage.fingerprint(lasting, stored, stage.code_version(), files=files)


def about_of(dances: Dances) -> dict:
    """Say of a pack what a run says of it."""
    parts = {split: dances.of(split) for split in SPLITS}
    return {
        "fingerprint": dances.fingerprint,
        "dances": len(dances.dances),
        "songs": len(dances.songs),
        "frames": sum(dance.frames for dance in dances.dances),
        **{split: len(found) for split, found in parts.items()},
        **{f"{split}_songs": len({dance.song for dance in found}) for split, found in parts.items()},
    }


def said_of(dances: Dances) -> str:
    """Say of a pack what a greeting says of it."""
    about = about_of(dances)
    said = f"{about['train']} dances to {about['train_songs']} songs"
    return f"{said} ({about['val']} to validate, {about['test']} to test)"


def describe(job: Job, config: DictConfig, seconds: float, source: Source | None) -> dict:
    about = record.describe(
        config,
        dataclasses.asdict(job.settings.config(len(job.dances.genres))),
        {"steps": job.model.steps},
        seconds,
        job.model.device,
        about_of(job.dances),
        dataclasses.asdict(source) if source else None,
        job.settings.model_dump(),
    )
    licences = [dance.licence for dance in job.dances.dances]
    licence, commercial = sources.terms("dances", licences, job.dances.commercial, config.world, source)
    return about | {"genres": list(job.dances.genres), "licence": licence, "commercial": commercial}


def refer(watched: "wandb.Run", name: str, pack: Path, run: Path, job: Job, about: dict) -> None:
    """Have the run in W&B refer to the pack that it was trained on and to the networks that came of it."""
    watching.refer(watched, "dataset", f"pack-{pack.name}", sorted(pack.iterdir()), about["data"])
    files = [*(run / f"{network}.safetensors" for network in job.model.kept), run / "run.json"]
    watching.refer(watched, "model", f"run-{name}", files, {"steps": about["steps"]})
