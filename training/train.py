"""Train one run on one corpus: data/processed -> data/runs.

    python -m training.train run=stylegan2 corpus=portrait                   # on whatever device there is
    python -m training.train run=stylegan2 corpus=portrait profile=gpu trainer.devices=4
    python -m training.train -m corpus=portrait train.gamma=0.5,2            # a sweep: one run each

A killed training goes on from its last checkpoint when it is started again.
"""

import ctypes
import dataclasses
import json
import os
import platform
import shlex
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from pydantic import Field
from pytorch_lightning.strategies import DDPStrategy
from safetensors.torch import save_file

from inference.errors import UserError
from inference.networks.stylegan2 import GeneratorConfig
from preprocessing import packing
from preprocessing.packing import Pack
from scraping import stage
from training import callbacks
from training.stylegan2 import data, module, transfer

DATA = Path("data")
SCHEMA = 1
PACKAGE_FILES = ("generator", "ema", "discriminator")


class SampleSettings(stage.Settings):
    """Grids drawn while training."""

    count: int = Field(ge=1)
    columns: int = Field(ge=1)
    kimg: float = Field(gt=0)
    psi: float = Field(ge=0, le=1)


class Settings(module.Settings):
    """A training: the algorithm, and what is around it."""

    name: str = Field(pattern=r"^[\w.=,+-]+$")
    start: str | None
    seed: int = Field(ge=0)
    max_kimg: float = Field(gt=0)
    tick_kimg: float = Field(gt=0)
    checkpoint_seconds: float = Field(gt=0)
    mirror: bool
    samples: SampleSettings


class TrainerSettings(stage.Settings):
    """Where a training runs."""

    accelerator: str
    devices: int | str
    threads: int | None = Field(ge=1)
    workers: int = Field(ge=0)


class InStep(DDPStrategy):
    """Processes that agree on gradients by themselves: the module averages them before each step.

    DistributedDataParallel would hook into backward passes, of which a step of ours has four kinds, some of them twice
    differentiated.
    """

    def configure_ddp(self) -> None:
        pass


def train(settings: Settings, where: TrainerSettings, config: DictConfig, folder: Path) -> Path:
    """Train from where `folder` left off and give the folder of what is to be published."""
    pack = packing.read_pack(DATA / "processed" / config.corpus)
    pictures = generator_config(settings, pack)
    model = module.Stylegan2(settings, pictures, settings.seed)
    started_from = start(model, settings.start, folder)
    dataset = data.Portraits(pack, "train", settings.mirror)
    held_out = first_pictures(pack, settings.discriminator.mbstd_group)
    built = folder / "out"
    built.mkdir(exist_ok=True)
    checkpoints = callbacks.Checkpoints(folder / "last.ckpt", settings.checkpoint_seconds)
    ticks = callbacks.Ticks(built, settings.tick_kimg, settings.max_kimg, held_out)
    samples = settings.samples
    trainer = pl.Trainer(
        accelerator=where.accelerator,
        devices=where.devices,
        strategy=InStep(static_graph=False) if many(where.devices) else "auto",
        callbacks=[
            callbacks.Average(settings.ema_kimg, settings.ema_ramp),
            ticks,
            callbacks.Samples(built, samples.kimg, list(range(samples.count)), samples.columns, samples.psi),
            callbacks.StopAt(settings.max_kimg),
            checkpoints,
        ],
        logger=False,
        max_epochs=-1,
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    batches = Batches(model, dataset, settings, where.workers)
    resumed = folder / "last.ckpt"
    trainer.fit(model, datamodule=batches, ckpt_path=resumed if resumed.exists() else None, weights_only=True)
    checkpoints.save(trainer)
    if trainer.is_global_zero:
        save_networks(model, built)
        about = describe(settings, config, pack, dataset, model, ticks, started_from)
        stage.write_atomically(built / "run.json", (json.dumps(about, indent=1) + "\n").encode())
    return built


class Batches(pl.LightningDataModule):
    """Batches from the picture on at which the model stands."""

    def __init__(self, model: module.Stylegan2, dataset: data.Portraits, settings: Settings, workers: int) -> None:
        super().__init__()
        self.model, self.dataset, self.settings, self.workers = model, dataset, settings, workers

    def train_dataloader(self) -> torch.utils.data.DataLoader:
        world, rank, batch = self.trainer.world_size, self.trainer.global_rank, self.settings.batch
        group = self.settings.discriminator.mbstd_group
        if batch % world or (batch // world) % min(group, batch // world):
            raise UserError(
                f"train.batch: {batch} does not fall into {world} processes with groups of {group} pictures"
            )
        start = self.model.pictures_seen
        return data.loader(self.dataset, batch, self.settings.seed, start, rank, world, self.workers)


def generator_config(settings: Settings, pack: Pack) -> GeneratorConfig:
    """Shape the generator after the pack's pictures."""
    longer, shorter = max(pack.width, pack.height), min(pack.width, pack.height)
    if longer & (longer - 1) or longer < 8 or longer % shorter or longer // shorter not in (1, 2, 4):
        line = f"the pack's pictures are {pack.width}x{pack.height}"
        raise UserError(f"{line}: a StyleGAN2 makes 8, 16, 32 ... pixels, the other side as many, half or a quarter")
    return GeneratorConfig(
        height=pack.height, width=pack.width, classes=len(pack.labels), **settings.generator.model_dump()
    )


def start(model: module.Stylegan2, source: str | None, folder: Path) -> dict | None:
    """Start from another training's weights; resumed, only tell what was loaded then."""
    kept = folder / "started_from.json"
    if source is None:
        return None
    if not kept.exists():
        report = transfer.load_into(model.generator, model.ema, model.discriminator, source)
        print(f"starting from {source}: {report.summary()}", flush=True)
        stage.write_atomically(kept, json.dumps(report.record()).encode())
    return json.loads(kept.read_text())


def first_pictures(pack: Pack, group: int, most: int = 64) -> torch.Tensor:
    """Give held-out pictures, as many as fall into groups for the minibatch standard deviation."""
    pictures = data.pictures(pack, "held_out")[:most]
    whole = len(pictures) // group * group
    if not whole:
        raise UserError(f"the pack holds out {len(pictures)} pictures, fewer than a group of {group}: scrape more")
    return torch.from_numpy(pictures[:whole]).permute(0, 3, 1, 2)


def save_networks(model: module.Stylegan2, built: Path) -> None:
    for name in PACKAGE_FILES:
        state = {key: value.detach().cpu().contiguous() for key, value in getattr(model, name).state_dict().items()}
        save_file(state, built / f"{name}.safetensors")


def describe(
    settings: Settings,
    config: DictConfig,
    pack: Pack,
    dataset: data.Portraits,
    model: module.Stylegan2,
    ticks: callbacks.Ticks,
    started_from: dict | None,
) -> dict:
    """Say what was trained on what, from what, with which command, where and for how long."""
    return {
        "schema": SCHEMA,
        "run": config.run,
        "corpus": config.corpus,
        "world": config.world,
        "profile": config.profile,
        "network": dataclasses.asdict(model.generator.config),
        "kimg": model.pictures_seen / 1000,
        "seconds": round(ticks.state_dict()["seconds"], 1),
        "device": device_name(model.device),
        "torch": torch.__version__,
        "data": {
            "fingerprint": pack.fingerprint,
            "count": len(pack),
            "width": pack.width,
            "height": pack.height,
            "background": pack.background,
            "train": len(dataset.positions),
            "held_out": len(pack) - len(dataset.positions),
        },
        "started_from": started_from,
        "command": command(),
        "settings": settings.model_dump(),
        "git": git_revision(),
    }


def command() -> str:
    return shlex.join(["python", "-m", "training.train", *sys.argv[1:]])


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def git_revision() -> str | None:
    """Name the commit, with a + where files differ from it; None outside a repository."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
        cwd=stage.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return found.stdout.strip() or None


def many(devices: int | str) -> bool:
    return str(devices) not in ("1", "auto") or (devices == "auto" and torch.cuda.device_count() > 1)


def keep_freed_memory() -> None:
    """Have glibc keep what is freed instead of giving it back and faulting it in again: a tenth of a CPU's time."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt") and platform.libc_ver()[0] == "glibc":
        m_trim_threshold, m_mmap_threshold, most = -1, -3, 2**31 - 1
        libc.mallopt(m_mmap_threshold, most)
        libc.mallopt(m_trim_threshold, most)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning's advice about what we do on purpose off the screen."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        yield


def name_of(settings: Settings) -> str:
    """Add the overrides to the name in a multirun: its runs lie side by side."""
    hydra = HydraConfig.get() if HydraConfig.initialized() else None
    if hydra is None or hydra.mode != RunMode.MULTIRUN:
        return settings.name
    return f"{settings.name}-{hydra.job.override_dirname.replace('/', '_')}"


@stage.command("training/train")
def main(config: DictConfig) -> None:
    if config.max_kimg is not None:
        config.train.max_kimg = config.max_kimg
    settings = stage.settings(config, "train", Settings)
    where = stage.settings(config, "trainer", TrainerSettings)
    keep_freed_memory()
    if where.threads:
        torch.set_num_threads(where.threads)
    pack = packing.read_pack(DATA / "processed" / config.corpus)
    lasting = settings.model_dump(exclude={"max_kimg", "tick_kimg", "checkpoint_seconds"})
    print_of = stage.fingerprint(lasting, pack.fingerprint, pack.index["sha256"].to_list(), stage.code_version())
    name = name_of(settings)
    follower = int(os.environ.get("LOCAL_RANK", 0)) > 0
    joined = nullcontext(stage.WORK / "train" / name / config.world / print_of)
    with quiet(), joined if follower else stage.work("train", name, config.world, print_of) as folder:
        built = train(settings, where, config, folder)
        if not follower:
            stage.publish(built, DATA / "runs" / name)


if __name__ == "__main__":
    main()
