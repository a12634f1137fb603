"""What happens beside the steps of a training: the greeting, rows of history and pictures every so many, the end."""

import io
import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from inference.errors import UserError
from scraping import stage
from training import record
from training.history import History

CLOCK = ("step", "seconds", "steps_per_second")


class Greeting(pl.Callback):
    """Say what is trained on what, where, and from where on."""

    def __init__(self, what: str, networks: Iterable[nn.Module], data: str, begun: str) -> None:
        self.what, self.networks, self.data, self.begun = what, list(networks), data, begun

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        counts = (sum(each.numel() for each in network.parameters()) for network in self.networks)
        large = " and ".join(f"{count / 1e6:.2f} M" for count in counts)
        resumed = f", resumed at step {module.steps}" if module.steps else ""
        many = f"{trainer.world_size} x " if trainer.world_size > 1 else ""
        device = f"{many}{record.device_name(module.device)}"
        print(
            f"training {self.what} of {large} parameters on {self.data}, {self.begun}{resumed}, on {device}", flush=True
        )


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


class Pictures(pl.Callback):
    """Show what the module makes of the same held-out samples every so many steps, before the first and after the last.

    `drawn` makes one picture, uint8 [H, W, 3], of module and samples; `about` says what its rows or columns are.
    """

    def __init__(
        self,
        folder: Path,
        every: int,
        samples: Callable[[], Any],
        drawn: Callable[[pl.LightningModule, Any], np.ndarray],
        about: dict[str, list[str]],
    ) -> None:
        self.folder, self.every, self.samples = folder / "samples", every, samples
        self.drawn, self.about = drawn, about

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.shown = self.samples()
        if not module.steps:
            self.draw(trainer, module)

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        if module.steps % self.every == 0:
            self.draw(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if not self._file(module.steps).exists():
            self.draw(trainer, module)

    def draw(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        picture = Image.fromarray(self.drawn(module, self.shown))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        stage.write_atomically(self._file(module.steps), buffer.getvalue())
        drawn = [file.name for file in sorted(self.folder.glob("step-*.png")) if int(file.stem[5:]) <= module.steps]
        about = self.about | {"samples": drawn}
        stage.write_atomically(self.folder / "samples.json", (json.dumps(about, indent=1) + "\n").encode())
        for logger in trainer.loggers:
            logger.log_image("samples", [picture], step=module.steps)

    def _file(self, step: int) -> Path:
        return self.folder / f"step-{step:07d}.png"


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
