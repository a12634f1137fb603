"""What happens beside the steps of a training: a row of history every so many of them, and its end."""

import time
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl
from torch.utils.data import DataLoader
from tqdm import tqdm

from inference.errors import UserError
from training.history import History

CLOCK = ("step", "seconds", "steps_per_second")


class Ticks(pl.Callback):
    """Write a row of history every so many steps, before the first and after the last: figures of the steps since, and
    of what was never trained on.

    The held-out figures are the first process's, and every process hears the same: a schedule may hang on them.
    """

    def __init__(
        self,
        folder: Path,
        columns: Sequence[str],
        told: Sequence[str],
        every: int,
        total: int,
        held_out: DataLoader | None,
    ) -> None:
        self.history = History(folder / "history.csv", columns)
        self.told, self.every, self.total, self.held_out = told, every, total, held_out
        self.seconds = 0.0  # of training, over all its runs
        self.last = -1  # step of the last row
        self.figures: dict[str, float] = {}  # of the last row

    def state_dict(self) -> dict:
        return {"seconds": self.seconds + time.monotonic() - self.started, "last": self.last}

    def load_state_dict(self, state: dict) -> None:
        self.seconds, self.last = state["seconds"], state["last"]

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.started = self.last_time = time.monotonic()
        self.first = module.steps
        hidden = None if trainer.is_global_zero else True  # None: where there is no terminal
        self.bar = tqdm(total=self.total, initial=self.first, unit="step", disable=hidden)
        if trainer.is_global_zero:
            self.history.forget_after(self.last)
        if self.last < 0:
            self.tick(trainer, module)

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        self.bar.update(module.steps - self.bar.n)
        if module.steps % self.every == 0 or module.steps == self.total:
            self.tick(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.bar.close()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        if hasattr(self, "bar"):
            self.bar.close()

    def tick(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        module.stop_if_diverged()
        clock = time.monotonic()
        row = {"step": module.steps, "seconds": self.seconds + clock - self.started}
        if done := module.steps - max(self.last, self.first, 0):
            row["steps_per_second"] = done / max(clock - self.last_time, 1e-9)
        row |= module.take_seen() | module.said()
        if self.held_out:
            figures = module.held_out(self.held_out) if trainer.is_global_zero else None
            row |= trainer.strategy.broadcast(figures)
            module.observe(row)
        self.last, self.last_time, self.figures = module.steps, time.monotonic(), row
        if trainer.is_global_zero:
            self.history.append(row)
            for logger in trainer.loggers:
                logger.log_metrics(row, step=module.steps)
            self._tell(row)

    def _tell(self, row: dict) -> None:
        figures = {name: f"{row[name]:.3f}" for name in self.told if name in row}
        if not self.bar.disable:
            self.bar.set_postfix(figures)
            return
        pace = row.get("steps_per_second")
        left = f", {pace:.2f} steps/s, {(self.total - row['step']) / pace:.0f} s left" if pace else ""
        said = ", ".join(f"{name.replace('_', ' ')} {figure}" for name, figure in figures.items())
        print(f"step {row['step']}/{self.total}{left}: {said}", flush=True)


class StopAt(pl.Callback):
    """End the training after so many steps: at once where a resumed one has done them.

    One that has done more is a `UserError`: what it would publish is not what was asked for.
    """

    def __init__(self, steps: int, checkpoint: Path, key: str) -> None:
        self.steps, self.checkpoint, self.key = steps, checkpoint, key

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if module.steps > self.steps:
            line = f"{self.key}.steps={self.steps}, and this training stands at {module.steps} already"
            raise UserError(f"{line}: give more, or delete {self.checkpoint} to start over")
        self.on_train_batch_end(trainer, module)

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        if module.steps >= self.steps:
            trainer.should_stop = True
