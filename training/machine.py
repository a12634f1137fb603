"""Where a training runs: its devices, processes that train in step, and what is set on the machine before it starts."""

import logging
import warnings
from typing import TYPE_CHECKING, Literal

import pytorch_lightning as pl
import torch
from pydantic import Field
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from inference.errors import UserError
from inference.memory import keep_freed_memory
from scraping import stage
from training import checkpoints

if TYPE_CHECKING:
    import wandb


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

    @property
    def processes(self) -> int:
        """Count the devices that are asked for, each of which has a process: of 2, "2", "0,3", -1 and auto."""
        asked = str(self.devices).strip("[] ")
        if asked in ("auto", "-1"):
            return max(1, torch.cuda.device_count()) if self.kind == "cuda" else 1
        return int(asked) if asked.isdigit() else len([each for each in asked.split(",") if each.strip()])


class InStep(DDPStrategy):
    """Processes that agree on gradients by themselves: the module averages them before each step.

    DistributedDataParallel would hook into backward passes, of which a step of ours has several kinds, some of them
    twice differentiated.
    """

    def configure_ddp(self) -> None:
        pass


def prepare(where: TrainerSettings) -> None:
    """Set this process up for a training, before anything is computed."""
    be_quiet()
    keep_freed_memory()
    if where.threads:
        torch.set_num_threads(where.threads)


def trainer(where: TrainerSettings, callbacks: list[pl.Callback], watched: "wandb.Run | None") -> pl.Trainer:
    """Give Lightning's trainer as all trainings use it: endless, with checkpoints and progress of our own."""
    try:
        return pl.Trainer(
            accelerator=where.kind,
            devices=where.devices,
            strategy=InStep() if where.many else "auto",
            callbacks=callbacks,
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


def be_quiet() -> None:
    """Keep Lightning's advice about what we do on purpose off the screen."""
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
