"""Train a sync expert or a Wav2Lip generator on a talk pack: what `python -m training.train run=...` does for them."""

import dataclasses
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from pydantic import Field
from pytorch_lightning.utilities import rank_zero_only
from torch import nn
from torch.utils.data import DataLoader

from inference.errors import UserError
from inference.networks.wav2lip import SyncNet
from preprocessing import talkpacks
from preprocessing.talkpacks import SPLITS, Talks
from scraping import stage
from training import checkpoints, endless, machine, record, runs, sources, watching
from training.machine import TrainerSettings
from training.runs import DATA
from training.sources import Source
from training.ticks import Greeting, Pictures, StopAt, Ticks
from training.wav2lip import callbacks, data, generator, starting, syncnet

if TYPE_CHECKING:
    import wandb

STATISTICS = "the statistics of batch norm"
CHANCE = 0.6  # held-out accuracy below which an expert says little more than perhaps


class HeldOutSettings(stage.Settings):
    """What of the split `val` a row of history is measured on: the same each time."""

    count: int = Field(ge=0)  # groups of an expert, samples of a generator
    batch: int = Field(ge=1)


class Around(stage.Settings):
    """What is around both algorithms."""

    name: str = Field(pattern=r"^[\w=,+-][\w.=,+-]*$")  # never .., which is a folder too
    pack: Literal["interim", "processed"]  # processed: the expert has put the talks in sync
    start: str | None
    seed: int = Field(ge=0)
    steps: int = Field(ge=1)
    tick_steps: int = Field(ge=1)
    checkpoint_seconds: float = Field(gt=0)
    change: data.Change
    held_out: HeldOutSettings


class ExpertSettings(syncnet.Settings, Around):
    silence: float = Field(ge=-4, le=4)  # mel: windows whose columns all stay below say nothing
    held_out_apart: int = Field(ge=1)  # frames between the held-out windows of a group


class StripSettings(stage.Settings):
    steps: int = Field(ge=1)
    count: int = Field(ge=1)


class GeneratorSettings(generator.Settings, Around):
    expert: str | None
    hear: Literal["own", "expert"]  # how the audio encoder begins
    lead: int = Field(ge=-5, le=5)
    compat: bool
    strips: StripSettings


@dataclass
class Job:
    """What differs between the two: a module, its data, and what a run says of it."""

    what: str
    key: str
    corpus: str
    settings: ExpertSettings | GeneratorSettings
    model: pl.LightningModule
    drawn: data.Drawn
    batch: int  # samples of `drawn`, over all processes
    held_out: data.HeldOut
    said: dict  # in run.json
    sources: list[Source]  # that bind what is trained, beside its start
    more: Callable[[Path], list[pl.Callback]]

    @property
    def networks(self) -> dict[str, nn.Module]:
        return {name: getattr(self.model, name) for name in self.model.networks}


def main(config: DictConfig) -> None:
    key = config.run
    runs.refuse_settings_of_others(key)
    settings = stage.settings(config, key, {"syncnet": ExpertSettings, "wav2lip": GeneratorSettings}[key])
    where = stage.settings(config, "trainer", TrainerSettings)
    watch = stage.settings(config, "wandb", watching.Settings)
    machine.prepare(where)
    source = DATA / settings.pack / config.corpus
    talks = talkpacks.read(source)
    if not talks.of("train"):
        raise UserError(f"{source} holds no clip to train on ({len(talks.clips)} in all): prepare more talks")
    job = {"syncnet": expert_job, "wav2lip": generator_job}[key](settings, talks, config.corpus)
    name = runs.name_of(settings.name)
    print_of = fingerprint(settings, source, config.init, job)
    follower = rank_zero_only.rank > 0  # of a leader that holds the lock
    joined = nullcontext(stage.WORK / "train" / name / config.world / print_of)
    with joined if follower else stage.work("train", name, config.world, print_of) as folder:
        composed = OmegaConf.to_container(config, resolve=True) | {"data": about_of(talks)}
        watched = None if follower else watching.opened(watch, name, "train", folder, composed, "step")
        failed = True
        try:
            seconds = fit(job, where, talks, config.init, folder, watched)
            if not follower:
                about = describe(job, config, talks, seconds, sources.origin(folder))
                target = DATA / "runs" / name
                runs.publish(job.networks, about, folder, target)
                print(f"{target}: {about['steps']} steps in {about['seconds']:.0f} s", flush=True)
                if watched:
                    refer(watched, name, source, target, job.model.networks, about)
            failed = False
        finally:
            if watched:
                watching.close(watched, failed)


def expert_job(settings: ExpertSettings, talks: Talks, corpus: str) -> Job:
    if settings.batch % settings.group:
        line = f"syncnet.batch: {settings.batch} windows are no whole groups of {settings.group}"
        raise UserError(f"{line}: make it a multiple")
    groups = settings.batch // settings.group
    silence, count = settings.silence, settings.held_out.count
    drawn = data.Groups(
        talks,
        "train",
        settings.group,
        lambda position: settings.apart.at(position // groups),
        silence,
        settings.change,
        settings.seed,
    )
    return Job(
        what="a sync expert",
        key="syncnet",
        corpus=corpus,
        settings=settings,
        model=syncnet.Expert(settings, settings.seed),
        drawn=drawn,
        batch=groups,
        held_out=data.held_out_groups(talks, "val", count, settings.group, settings.held_out_apart, silence),
        said={"mel": {"padding": "reflect", "lead": 0}},
        sources=[],
        more=lambda folder: [],
    )


def generator_job(settings: GeneratorSettings, talks: Talks, corpus: str) -> Job:
    expert, source = judge(settings)
    model = generator.Wav2Lip(settings, expert, source and source.sha256, settings.seed)
    strips = data.held_out_samples(talks, "val", settings.strips.count, settings.lead)
    shown = lambda: next(iter(data.batches(strips, settings.strips.count)))  # noqa: E731
    return Job(
        what="a Wav2Lip",
        key="wav2lip",
        corpus=corpus,
        settings=settings,
        model=model,
        drawn=data.Samples(talks, "train", settings.lead, settings.compat, settings.change, settings.seed),
        batch=settings.batch,
        held_out=data.held_out_samples(talks, "val", settings.held_out.count, settings.lead),
        said={
            "mel": {"padding": "reflect", "lead": settings.lead},
            "expert": source and dataclasses.asdict(source),
            "frozen": settings.freeze,
        },
        sources=[source] if source else [],
        more=lambda folder: (
            [Pictures(folder, settings.strips.steps, shown, generator.Wav2Lip.strips, callbacks.SHOWN)]
            if len(strips)
            else []
        ),
    )


def judge(settings: GeneratorSettings) -> tuple[SyncNet | None, Source | None]:
    """Bring the expert that a generator is to be judged by; without one, no weight may ask for it."""
    if settings.expert is None and settings.weights.need_expert:
        raise UserError("wav2lip.expert: none is named, yet wav2lip.weights ask for one: name it, or weigh sync by 0")
    if settings.expert is None and settings.hear == "expert":
        raise UserError("wav2lip.expert: none is named, yet wav2lip.hear=expert begins with its ears: name it")
    return starting.expert(settings.expert) if settings.expert else (None, None)


def fit(
    job: Job, where: TrainerSettings, talks: Talks, init: str | None, folder: Path, watched: "wandb.Run | None"
) -> float:
    """Train from where `folder` left off; gives the seconds that all its runs took."""
    last, live, settings = folder / "last.ckpt", folder / "live", job.settings
    live.mkdir(parents=True, exist_ok=True)
    begun = start(job, init, folder, resumed=last.exists())
    held_out = data.batches(job.held_out, settings.held_out.batch) if len(job.held_out) else None
    ticks = Ticks(live, callbacks.HISTORY[job.key], callbacks.TOLD, settings.tick_steps, settings.steps, held_out)
    steps = [
        Greeting(job.what, job.networks.values(), said_of(talks), begun),
        ticks,
        *job.more(live),
        StopAt(settings.steps, last, job.key),
        checkpoints.Checkpoints(last, settings.checkpoint_seconds),
    ]
    trainer = machine.trainer(where, steps, watched)
    batches = Batches(job, where.workers)
    trainer.fit(job.model, datamodule=batches, ckpt_path=last if last.exists() else None, weights_only=True)
    if trainer.is_global_zero and ticks.figures.get("held_out_accuracy", 1.0) < CHANCE:
        why = f"python -m training.wav2lip.doctor corpus={job.corpus} says why"
        print(f"it tells little of what is in sync from what is not: {why}", flush=True)
    return ticks.state_dict()["seconds"]


class Batches(pl.LightningDataModule):
    """Batches from the step on at which the model stands."""

    def __init__(self, job: Job, workers: int) -> None:
        super().__init__()
        self.job, self.workers = job, workers

    def train_dataloader(self) -> DataLoader:
        world, rank, batch = self.trainer.world_size, self.trainer.global_rank, self.job.batch
        if batch % world:
            raise UserError(f"{self.job.key}.batch: {batch} groups or samples do not fall into {world} processes")
        return endless.loader(self.job.drawn, batch, self.job.model.steps * batch, rank, world, self.workers)


def start(job: Job, init: str | None, folder: Path, resumed: bool) -> str:
    """Start from another training's weights and say from which; a checkpoint holds them already."""
    if not resumed:
        source = starting.fill(job.networks, job.settings.start, init, job.key)
        if getattr(job.settings, "hear", "own") == "expert":
            starting.hear_as(job.model.expert, job.model.generator)
        refuse_frozen_chance(job, source)
        if source and rank_zero_only.rank == 0:
            sources.keep(source, folder)
    else:
        source = sources.origin(folder)
    if keeps_statistics(job.settings, source):
        job.model.freeze_statistics()
        job.said["frozen"] = [*job.said["frozen"], STATISTICS]
    begun, frozen = f"from {source.said}" if source else "from scratch", job.said.get("frozen")
    return f"{begun}, {', '.join(frozen)} frozen" if frozen else begun


def keeps_statistics(settings: Around, source: Source | None) -> bool:
    """Tell whether batch norm goes on by the statistics that came with the weights."""
    if isinstance(settings, ExpertSettings) or settings.statistics == "moving":
        return False
    return settings.statistics == "frozen" or source is not None


def refuse_frozen_chance(job: Job, source: Source | None) -> None:
    if source or isinstance(job.settings, ExpertSettings):
        return
    if job.settings.freeze:
        line = f"wav2lip.freeze: {job.settings.freeze[0]} would stay at random, as it comes from no other training"
        raise UserError(f"{line}: freeze nothing, or give wav2lip.start or init")
    if job.settings.statistics == "frozen":
        line = "wav2lip.statistics=frozen: from scratch there are none that anything was normalised by"
        raise UserError(f"{line}: leave it out, or give wav2lip.start or init")


def fingerprint(settings: Around, pack: Path, init: str | None, job: Job) -> str:
    """Name what decides the bits of a training: how long it lasts and how often it is saved do not.

    A pack may be larger than memory: it counts by what it says of itself and of each clip, and by its shards' lengths.
    """
    lasting = settings.model_dump(exclude={"steps", "checkpoint_seconds", "strips", *of_measuring(settings)})
    shards = sorted((file.name, file.stat().st_size) for file in pack.glob("*.npy"))
    files = {pack / "pack.json", pack / "clips.parquet"}
    if settings.start:
        files |= set(sources.locate(settings.start, job.key).glob("*.safetensors"))
    if init and Path(init).expanduser().is_file():
        files.add(Path(init).expanduser())
    judges = [source.sha256 for source in job.sources]
    return stage.fingerprint(lasting, shards, judges, stage.code_version(), files=files)


def of_measuring(settings: Around) -> set[str]:
    """Name what decides when something is measured, unless a weight waits for what is measured."""
    weights = getattr(settings, "weights", None)
    waits = weights and (weights.sync.below or weights.gan.below)
    return set() if waits else {"tick_steps", "held_out"}


def about_of(talks: Talks) -> dict:
    """Say of a pack what a run says of it."""
    parts = {split: talks.of(split) for split in SPLITS}
    return {
        "fingerprint": talks.fingerprint,
        "clips": len(talks.clips),
        "speakers": len({clip.speaker for clip in talks.clips}),
        "frames": sum(clip.frames for clip in talks.clips),
        **{split: len(clips) for split, clips in parts.items()},
        **{f"{split}_speakers": len({clip.speaker for clip in clips}) for split, clips in parts.items()},
    }


def said_of(talks: Talks) -> str:
    """Say of a pack what a greeting says of it."""
    about = about_of(talks)
    said = f"{about['train']} clips of {about['train_speakers']} speakers"
    return f"{said} ({about['val']} to validate, {about['test']} to test)"


def describe(job: Job, config: DictConfig, talks: Talks, seconds: float, source: Source | None) -> dict:
    about = record.describe(
        config,
        dataclasses.asdict(job.settings.config),
        {"steps": job.model.steps},
        seconds,
        job.model.device,
        about_of(talks),
        dataclasses.asdict(source) if source else None,
        job.settings.model_dump(),
    )
    licence, commercial = starting.terms(talks, config.world, [source, *job.sources])
    return about | job.said | {"licence": licence, "commercial": commercial}


def refer(watched: "wandb.Run", name: str, pack: Path, run: Path, networks: tuple[str, ...], about: dict) -> None:
    """Have the run in W&B refer to the pack that it was trained on and to the networks that came of it."""
    watching.refer(watched, "dataset", f"pack-{pack.name}", sorted(pack.iterdir()), about["data"])
    files = [*(run / f"{network}.safetensors" for network in networks), run / "run.json"]
    watching.refer(watched, "model", f"run-{name}", files, {"steps": about["steps"]})
