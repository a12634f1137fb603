"""What every training of ours does around its algorithm: counts its steps, averages over processes, is watched."""

from collections.abc import Sequence

import pytorch_lightning as pl
import torch
from torch import Tensor


class Steps(pl.LightningModule):
    """A training that optimises by hand and counts its own steps: Lightning counts those of each optimiser."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.steps = 0  # done so far
        self.seen: dict[str, list[Tensor]] = {}  # what is watched, since it was last asked for

    def mean_over_processes(self, value: Tensor) -> Tensor:
        return value if self.trainer.world_size == 1 else self.trainer.strategy.reduce(value, reduce_op="mean")

    def average(self, gradients: Sequence[Tensor]) -> None:
        """Replace gradients by their means over all processes, in one message."""
        if self.trainer.world_size == 1:
            return
        flat = self.mean_over_processes(torch.cat([each.flatten() for each in gradients]))
        for each, part in zip(gradients, flat.split([each.numel() for each in gradients]), strict=True):
            each.copy_(part.view_as(each))

    def watch(self, **values: Tensor) -> None:
        for name, value in values.items():
            self.seen.setdefault(name, []).append(value.detach())

    def take_seen(self) -> dict[str, float]:
        """Give the mean of each watched value since the last call."""
        means = {name: float(torch.stack(values).mean()) for name, values in self.seen.items()}
        self.seen = {}
        return means

    def diverged(self) -> bool:
        """Tell whether anything watched since it was last asked for is no number."""
        watched = [value.float() for values in self.seen.values() for value in values]
        return bool(watched) and not torch.stack(watched).isfinite().all()

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["steps"] = self.steps
        checkpoint["seen"] = {name: torch.stack(values) for name, values in self.seen.items()}

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self.steps = checkpoint["steps"]
        self.seen = {name: list(values) for name, values in checkpoint["seen"].items()}
