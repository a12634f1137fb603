"""What happens beside the steps of a training: the average of the weights, ticks, samples, checkpoints, its end."""

import csv
import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image
from tqdm import tqdm

from inference.avatars import grid
from inference.errors import UserError
from inference.networks.stylegan2 import to_uint8

HISTORY = (
    *("kimg", "seconds", "kimg_per_second", "loss_g", "loss_d", "r1", "path_length", "p", "r_t"),
    *("scores_real", "scores_fake", "scores_held_out", "grad_g", "grad_d"),
)


class Average(pl.Callback):
    """Keep an exponential moving average of the generator: half-life `kimg`, shorter while little has been shown."""

    def __init__(self, kimg: float, ramp: float | None) -> None:
        self.kimg, self.ramp = kimg, ramp

    @torch.no_grad()
    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        half_life = self.kimg * 1000
        if self.ramp is not None:
            half_life = min(half_life, module.pictures_seen * self.ramp)
        beta = 0.5 ** (module.settings.batch / max(half_life, 1e-8))
        average, live = list(module.ema.parameters()), list(module.generator.parameters())
        torch._foreach_lerp_(average, live, 1 - beta)
        for kept, buffer in zip(module.ema.buffers(), module.generator.buffers(), strict=True):
            kept.copy_(buffer)


class Ticks(pl.Callback):
    """Write a row of history every `kimg` thousand pictures: to history.csv, to the loggers and to the terminal."""

    def __init__(self, folder: Path, kimg: float, total_kimg: float, held_out: torch.Tensor) -> None:
        self.path = folder / "history.csv"
        self.kimg, self.total_kimg = kimg, total_kimg
        self.held_out = held_out  # a batch of pictures never trained on, uint8 [N, 3, H, W]
        self.seconds = 0.0  # of training, over all its runs
        self.last_kimg = 0.0

    def state_dict(self) -> dict:
        return {"seconds": self.seconds + time.monotonic() - self.started, "last_kimg": self.last_kimg}

    def load_state_dict(self, state: dict) -> None:
        self.seconds, self.last_kimg = state["seconds"], state["last_kimg"]

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.started = self.last_time = time.monotonic()
        self.first_kimg = module.pictures_seen / 1000
        self.bar = tqdm(total=self.total_kimg, initial=self.first_kimg, unit="kimg", disable=None)
        if trainer.is_global_zero:
            self._forget_rows_after(self.last_kimg)

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        now = module.pictures_seen / 1000
        self.bar.update(now - self.bar.n)
        if now >= self.last_kimg + self.kimg or now >= self.total_kimg:
            self.tick(trainer, module, now)

    def tick(self, trainer: pl.Trainer, module: pl.LightningModule, now: float) -> None:
        clock = time.monotonic()
        rate = (now - max(self.last_kimg, self.first_kimg)) / max(clock - self.last_time, 1e-9)
        row = {
            "kimg": round(now, 3),
            "seconds": round(self.seconds + clock - self.started, 1),
            "kimg_per_second": rate,
            "p": float(module.augment.p),
            "scores_held_out": self._score_of_held_out(module),
        }
        row |= module.take_seen()
        if not all(np.isfinite(value) for value in row.values()):
            line = f"the training diverged before {now:.1f} kimg (a loss is no number)"
            raise UserError(f"{line}: raise train.gamma, lower the learning rates, or start from another starter")
        self.last_kimg, self.last_time = now, clock
        if trainer.is_global_zero:
            self._write(row)
            for logger in trainer.loggers:
                logger.log_metrics(row, step=module.steps)
            self._tell(row)

    @torch.no_grad()
    def _score_of_held_out(self, module: pl.LightningModule) -> float:
        """Score pictures never trained on: where they fall behind `scores_real`, the discriminator overfits."""
        pictures, labels = module.prepared((self.held_out.to(module.device), None))
        labels = torch.zeros(len(pictures), dtype=torch.long, device=module.device)
        classes = module.generator.config.classes
        return float(module.discriminator(pictures, labels if classes else None).mean())

    def _write(self, row: dict) -> None:
        new = not self.path.exists()
        with open(self.path, "a", newline="") as stream:
            writer = csv.DictWriter(stream, HISTORY, restval="")
            if new:
                writer.writeheader()
            writer.writerow({name: f"{row[name]:.6g}" for name in HISTORY if name in row})

    def _forget_rows_after(self, kimg: float) -> None:
        """Drop what a killed run wrote after its last checkpoint: it is about to happen again."""
        if not self.path.exists():
            return
        header, *rows = self.path.read_text().splitlines(keepends=True)
        kept = [row for row in rows if row.endswith("\n") and float(row.split(",")[0]) <= kimg + 1e-9]
        self.path.write_text("".join([header, *kept]))

    def _tell(self, row: dict) -> None:
        if not self.bar.disable:
            self.bar.set_postfix(G=f"{row['loss_g']:.2f}", D=f"{row['loss_d']:.2f}", p=f"{row['p']:.2f}")
            return
        left = (self.total_kimg - row["kimg"]) / row["kimg_per_second"]
        line = (
            f"kimg {row['kimg']:.1f}/{self.total_kimg:g}, {1000 * row['kimg_per_second']:.1f} img/s, {left:.0f} s left"
        )
        print(f"{line}: G {row['loss_g']:.2f}, D {row['loss_d']:.2f}, p {row['p']:.2f}", flush=True)


class Samples(pl.Callback):
    """Draw the same seeds every `kimg` thousand pictures with the average generator: a grid, as PNG."""

    def __init__(self, folder: Path, kimg: float, seeds: list[int], columns: int, psi: float) -> None:
        self.folder = folder / "samples"
        self.kimg, self.seeds, self.columns, self.psi = kimg, seeds, columns, psi
        self.next = 0.0

    def state_dict(self) -> dict:
        return {"next": self.next}

    def load_state_dict(self, state: dict) -> None:
        self.next = state["next"]

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._draw_if_due(trainer, module)

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        self._draw_if_due(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.next = 0.0
        self._draw_if_due(trainer, module)

    def _draw_if_due(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        now = module.pictures_seen / 1000
        if now < self.next or not trainer.is_global_zero:
            return
        while self.next <= now:
            self.next += self.kimg
        picture = Image.fromarray(grid(to_uint8(module.sample(self.seeds, self.psi)).cpu().numpy(), self.columns))
        picture.save(self.folder / f"kimg-{now:08.1f}.png")
        rows = [{"kimg": float(file.stem[5:]), "file": file.name, "psi": self.psi} for file in self._drawn(now)]
        (self.folder / "samples.json").write_text(json.dumps({"seeds": self.seeds, "samples": rows}, indent=1) + "\n")
        for logger in trainer.loggers:
            if hasattr(logger, "log_image"):
                logger.log_image("samples", [picture], step=module.steps)

    def _drawn(self, now: float) -> list[Path]:
        return [file for file in sorted(self.folder.glob("kimg-*.png")) if float(file.stem[5:]) <= now + 0.05]


class Checkpoints(pl.Callback):
    """Save all that a training is, every so many seconds and when it is told to stop (SIGTERM), whole or not at all."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.path, self.seconds = path, seconds
        self.told_to_stop = False

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.last = time.monotonic()
        signal.signal(signal.SIGTERM, self._tell_to_stop)

    def _tell_to_stop(self, *_: object) -> None:
        self.told_to_stop = True

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        due = trainer.strategy.broadcast(time.monotonic() - self.last >= self.seconds)
        if due or self.told_to_stop:
            self.save(trainer)
        if self.told_to_stop:
            raise SystemExit(128 + signal.SIGTERM)

    def save(self, trainer: pl.Trainer) -> None:
        part = self.path.with_suffix(".part")
        trainer.save_checkpoint(part)
        if trainer.is_global_zero:
            os.replace(part, self.path)
        self.last = time.monotonic()


class StopAt(pl.Callback):
    """End the training once `kimg` thousand pictures have been shown."""

    def __init__(self, kimg: float) -> None:
        self.kimg = kimg

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        if module.pictures_seen >= self.kimg * 1000:
            trainer.should_stop = True
