"""What trainings that take steps share: their rate, their precision, and one step down a gradient."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from inference.errors import UserError
from scraping import stage
from training.steps import Steps


class Rate(stage.Settings):
    """A learning rate: it rises to its peak over `warmup` steps, and falls as a cosine until `decay`."""

    peak: float = Field(gt=0)
    warmup: int = Field(ge=0)
    decay: int | None = Field(ge=1)  # the step at which it has fallen to its least; null: it stays
    least: float = Field(ge=0, le=1)  # of the peak

    def at(self, step: int) -> float:
        rate = self.peak * min(1.0, (step + 1) / (self.warmup + 1))
        if self.decay is None:
            return rate
        done = min(1.0, max(0, step - self.warmup) / max(1, self.decay - self.warmup))
        return rate * (self.least + (1 - self.least) * (1 + math.cos(math.pi * done)) / 2)


class Settings(stage.Settings):
    """What each algorithm is told."""

    batch: int = Field(ge=1)  # over all processes
    rate: Rate
    betas: tuple[float, float]  # of AdamW
    weight_decay: float = Field(ge=0)
    clip: float | None = Field(gt=0)  # the greatest norm of a gradient
    precision: Literal["float32", "bfloat16"]  # that the networks compute in; losses and weights are float32


class Descent(Steps):
    """A training whose rate and precision are those of its settings."""

    def __init__(self, settings: Settings, seed: int) -> None:
        super().__init__()
        self.settings, self.seed = settings, seed

    @property
    def progress(self) -> str:
        return f"step {self.steps}"

    def optimizer_of(self, network: nn.Module) -> torch.optim.AdamW:
        """Give an AdamW of what is trained of a network; only matrices and kernels decay."""
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        groups = [
            {"params": [each for each in trained if each.ndim > 1], "weight_decay": self.settings.weight_decay},
            {"params": [each for each in trained if each.ndim <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.settings.rate.at(0), betas=self.settings.betas)

    def optimizer(self, which: int) -> torch.optim.Optimizer:
        found = self.optimizers()
        return found[which] if isinstance(found, list) else found

    def autocast(self) -> AbstractContextManager:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bfloat16")

    @contextmanager
    def chance(self) -> Iterator[None]:
        """Draw at random within as every training of this seed does at this step, on this process."""
        devices = [] if self.device.type == "cpu" else [self.device]
        sequence = np.random.SeedSequence([self.seed, self.steps, self.global_rank])
        with torch.random.fork_rng(devices, device_type="cuda"):
            torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> 1))
            yield

    @contextmanager
    def without(self, network: nn.Module | None) -> Iterator[None]:
        """Let no gradient reach the parameters of a network: they would be computed in vain."""
        if network:
            network.requires_grad_(False)
        yield
        if network:
            network.requires_grad_(True)

    def descend(self, optimizer: torch.optim.Optimizer, value: Tensor) -> Tensor:
        """One step down the gradient, which is the mean over all processes; gives its norm."""
        optimizer.zero_grad()
        self.manual_backward(value)
        parameters = [each for group in optimizer.param_groups for each in group["params"] if each.grad is not None]
        self.average([each.grad for each in parameters])
        norm = nn.utils.clip_grad_norm_(parameters, self.settings.clip or math.inf)
        for group in optimizer.param_groups:
            group["lr"] = self.settings.rate.at(self.steps)
        optimizer.step()
        return norm

    def said(self) -> dict[str, float]:
        """Give what a row of history says beside what was watched."""
        return {"rate": self.settings.rate.at(self.steps)}

    def observe(self, figures: dict[str, float]) -> None:
        """Hear what was measured on what was never trained on."""

    def stop_if_diverged(self) -> None:
        """Raise where anything watched since the last tick is no number."""
        if self.diverged():
            line = f"the training diverged before step {self.steps} (a loss is no number)"
            raise UserError(f"{line}: lower rate.peak, set clip, or start from another training")
