"""Train one run on one corpus: data/processed -> data/runs.

    python -m training.train run=stylegan2 corpus=portrait                   # on whatever device there is
    python -m training.train run=stylegan2 corpus=portrait profile=gpu trainer.devices=4
    python -m training.train -m corpus=portrait train.gamma=0.5,2            # a sweep: one run each

A killed training goes on from its last checkpoint when it is started again.
"""

import ctypes
import json
import logging
import platform
import re
import shutil
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from pydantic import Field
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from safetensors.torch import save

from inference.errors import UserError
from inference.networks.stylegan2 import GeneratorConfig
from preprocessing import packing
from preprocessing.packing import Pack
from scraping import stage
from training import callbacks, checkpoints, record, watching
from training.stylegan2 import data, module, transfer

if TYPE_CHECKING:
    import wandb

DATA = Path("data")
LONGEST_NAME = 200  # of a folder; file systems end at 255 bytes
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
    samples: SampleSettings


class TrainerSettings(stage.Settings):
    """Where a training runs."""

    accelerator: Literal["auto", "cpu", "gpu"]
    devices: int | str
    threads: int | None = Field(ge=1)
    workers: int = Field(ge=0)

    @property
    def kind(self) -> Literal["cpu", "cuda"]:
        """Lightning's own choice knows Apple's GPUs too, which lack the float64 that augmentation computes in."""
        there = self.accelerator == "auto" and torch.cuda.is_available()
        return "cuda" if self.accelerator == "gpu" or there else "cpu"

    @property
    def many(self) -> bool:
        if self.devices == "auto":
            return self.kind == "cuda" and torch.cuda.device_count() > 1
        return str(self.devices) != "1"


class InStep(DDPStrategy):
    """Processes that agree on gradients by themselves: the module averages them before each step.

    DistributedDataParallel would hook into backward passes, of which a step of ours has four kinds, some of them twice
    differentiated.
    """

    def configure_ddp(self) -> None:
        pass


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


@stage.command("training/train")
def main(config: DictConfig) -> None:
    if config.max_kimg is not None:
        config.train.max_kimg = config.max_kimg
    settings = stage.settings(config, "train", Settings)
    where = stage.settings(config, "trainer", TrainerSettings)
    watch = stage.settings(config, "wandb", watching.Settings)
    be_quiet()
    keep_freed_memory()
    if where.threads:
        torch.set_num_threads(where.threads)
    pack = packing.read_pack(DATA / "processed" / config.corpus)
    name = name_of(settings)
    print_of = fingerprint(settings, DATA / "processed" / config.corpus)
    follower = rank_zero_only.rank > 0  # of a leader that holds the lock
    joined = nullcontext(stage.WORK / "train" / name / config.world / print_of)
    with joined if follower else stage.work("train", name, config.world, print_of) as folder:
        composed = OmegaConf.to_container(config, resolve=True) | {"data": record.of_data(pack)}
        watched = None if follower else watching.opened(watch, name, "train", folder, composed)
        failed = True
        try:
            model, seconds = fit(settings, where, pack, folder, watched)
            if not follower:
                started_from = origin(folder)
                about = record.describe(model, pack, config, settings.model_dump(), seconds, started_from)
                publish(model, about, folder, DATA / "runs" / name)
                if watched:
                    refer(watched, name, config.corpus, about)
            failed = False
        finally:
            if watched:
                watching.close(watched, failed)


def fit(settings: Settings, where: TrainerSettings, pack: Pack, folder: Path, watched: "wandb.Run | None") -> tuple:
    """Train from where `folder` left off; returns the model and the seconds that all its runs took."""
    last = folder / "last.ckpt"
    live = folder / "live"
    live.mkdir(parents=True, exist_ok=True)
    model = module.Stylegan2(settings, generator_config(settings, pack), settings.seed)
    start(model, settings.start, folder, resumed=last.exists())
    dataset = data.Portraits(pack, "train", settings.mirror)
    held_out = first_pictures(pack, settings.discriminator.mbstd_group)
    ticks = callbacks.Ticks(live, settings.tick_kimg, settings.max_kimg, held_out)
    drawn = settings.samples
    try:
        trainer = pl.Trainer(
            accelerator=where.kind,
            devices=where.devices,
            strategy=InStep() if where.many else "auto",
            callbacks=[
                callbacks.Greeting(pack, settings.start),
                callbacks.Average(settings.ema_kimg, settings.ema_ramp),
                ticks,
                callbacks.Samples(live, drawn.kimg, list(range(drawn.count)), drawn.columns, drawn.psi),
                callbacks.StopAt(settings.max_kimg, last),
                checkpoints.Checkpoints(last, settings.checkpoint_seconds),
            ],
            plugins=[checkpoints.WholeFiles()],
            logger=WandbLogger(experiment=watched) if watched else False,
            max_epochs=-1,
            use_distributed_sampler=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    except (MisconfigurationException, TypeError, ValueError) as error:
        line = " ".join(str(error).split())
        raise UserError(f"trainer.accelerator={where.accelerator}, trainer.devices={where.devices}: {line}") from None
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
        height=pack.height, width=pack.width, classes=len(pack.labels), **settings.generator.model_dump()
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


def first_pictures(pack: Pack, group: int, most: int = 64) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Give a batch of held-out pictures, in whole groups of the minibatch standard deviation; None of too few."""
    whole = min(len(data.positions(pack, "held_out")), most) // group * group
    if not whole:
        return None
    dataset = data.Portraits(pack, "held_out")
    pictures, labels = zip(*(dataset[item] for item in range(whole)), strict=True)
    return torch.stack(pictures), torch.tensor(labels)


def publish(model: module.Stylegan2, about: dict, folder: Path, target: Path) -> None:
    """Publish a copy of what is watched, with the networks: what is live goes on where the training does."""
    built = folder / "out"
    shutil.rmtree(built, ignore_errors=True)
    shutil.copytree(folder / "live", built, ignore=shutil.ignore_patterns("*.part"))  # of a full disk
    for name in NETWORKS:
        state = {key: value.detach().cpu().contiguous() for key, value in getattr(model, name).state_dict().items()}
        (built / f"{name}.safetensors").write_bytes(save(state))  # save_file would hide it from other users
    (built / "run.json").write_text(json.dumps(about, indent=1) + "\n")
    stage.publish(built, target)
    print(f"{target}: {about['kimg']:g} kimg in {about['seconds']:.0f} s", flush=True)


def refer(watched: "wandb.Run", name: str, corpus: str, about: dict) -> None:
    """Have the run in W&B refer to the pack that it was trained on and to the networks that came of it."""
    pack, run = DATA / "processed" / corpus, DATA / "runs" / name
    watching.refer(watched, "dataset", f"pack-{corpus}", sorted(pack.iterdir()), about["data"])
    networks = [run / f"{network}.safetensors" for network in NETWORKS]
    watching.refer(watched, "model", f"run-{name}", [*networks, run / "run.json"], {"kimg": about["kimg"]})


def name_of(settings: Settings) -> str:
    """Add the overrides to the name in a multirun: its runs lie side by side."""
    hydra = HydraConfig.get() if HydraConfig.initialized() else None
    if hydra is None or hydra.mode != RunMode.MULTIRUN:
        return settings.name
    swept = re.sub(r"[^\w.=,+-]", "_", hydra.job.override_dirname)
    name = f"{settings.name}-{swept}" if swept else settings.name
    if len(name) > LONGEST_NAME:
        raise UserError(
            f"the run would be called {name}: put what is the same in all runs into conf/run or conf/profile"
        )
    return name


def be_quiet() -> None:
    """Keep Lightning's advice about what we do on purpose off the screen."""
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)


def keep_freed_memory() -> None:
    """Have glibc keep what is freed instead of giving it back and faulting it in again: a tenth of a CPU's time."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt") and platform.libc_ver()[0] == "glibc":
        m_trim_threshold, m_mmap_threshold, most = -1, -3, 2**31 - 1
        libc.mallopt(m_mmap_threshold, most)
        libc.mallopt(m_trim_threshold, most)


if __name__ == "__main__":
    main()
