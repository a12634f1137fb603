"""What happens beside the steps of a training: its greeting, the average of the weights, ticks, samples, its end."""

import io
import json
import time
from pathlib import Path

import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from inference.avatars import grid
from inference.errors import UserError
from inference.networks.stylegan2 import to_uint8
from preprocessing.packing import Pack
from scraping import stage
from training import record
from training.history import History
from training.stylegan2 import data
from training.stylegan2.module import AdaSettings

HISTORY = (
    *("kimg", "seconds", "kimg_per_second", "loss_g", "loss_d", "r1", "path_length", "p", "r_t"),
    *("scores_real", "scores_fake", "scores_held_out", "r_v", "grad_g", "grad_d"),
)


class Greeting(pl.Callback):
    """Say what is trained on what, where, and from where on."""

    def __init__(self, pack: Pack, source: str | None) -> None:
        self.pack, self.source = pack, source

    def on_train_start(self, trainer: pl.Trainer, model: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        generator, discriminator = (
            sum(parameter.numel() for parameter in network.parameters()) / 1e6
            for network in (model.generator, model.discriminator)
        )
        about = data.about(self.pack)
        pictures = f"{about['train']} pictures of {about['width']}x{about['height']} ({about['held_out']} held out)"
        networks = f"a StyleGAN2 of {generator:.2f} M and {discriminator:.2f} M parameters"
        many = f"{trainer.world_size} x " if trainer.world_size > 1 else ""
        begun = f"from {self.source}" if self.source else "from scratch"
        resumed = f", resumed at {model.pictures_seen / 1000:g} kimg" if model.steps else ""
        device = f"{many}{record.device_name(model.device)}"
        print(f"training {networks} on {pictures}, {begun}{resumed}, on {device}", flush=True)


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

    def __init__(self, folder: Path, kimg: float, total_kimg: float, held_out: tuple[Tensor, Tensor] | None) -> None:
        self.history = History(folder / "history.csv", HISTORY)
        self.kimg, self.total_kimg = kimg, total_kimg
        self.held_out = held_out  # a batch never trained on: uint8 [N, 3, H, W], labels [N]
        self.seconds = 0.0  # of training, over all its runs
        self.last_kimg = 0.0
        self.warned = False

    def state_dict(self) -> dict:
        return {"seconds": self.seconds + time.monotonic() - self.started, "last_kimg": self.last_kimg}

    def load_state_dict(self, state: dict) -> None:
        self.seconds, self.last_kimg = state["seconds"], state["last_kimg"]

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.started = self.last_time = time.monotonic()
        self.first_kimg = module.pictures_seen / 1000
        hidden = None if trainer.is_global_zero else True  # None: where there is no terminal
        self.bar = tqdm(total=self.total_kimg, initial=self.first_kimg, unit="kimg", disable=hidden)
        if trainer.is_global_zero:
            self.history.forget_after(self.last_kimg)

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        now = module.pictures_seen / 1000
        self.bar.update(now - self.bar.n)
        if now >= self.last_kimg + self.kimg - 1e-9 or now >= self.total_kimg:
            self.tick(trainer, module, now)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.bar.close()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        if hasattr(self, "bar"):
            self.bar.close()

    def tick(self, trainer: pl.Trainer, module: pl.LightningModule, now: float) -> None:
        module.stop_if_diverged()
        clock = time.monotonic()
        rate = (now - max(self.last_kimg, self.first_kimg)) / max(clock - self.last_time, 1e-9)
        row = {
            "kimg": round(now, 3),
            "seconds": round(self.seconds + clock - self.started, 1),
            "kimg_per_second": rate,
            "p": float(module.augment.p),
        }
        row |= module.take_seen()
        if self.held_out:
            row["scores_held_out"] = self._score_of_held_out(module, *self.held_out)
            row |= overfitting(row["scores_real"], row["scores_held_out"], row["scores_fake"])
        self.last_kimg, self.last_time = now, clock
        if trainer.is_global_zero:
            self.history.append(row)
            for logger in trainer.loggers:
                logger.log_metrics(row, step=module.steps)
            self._tell(row)
            self._warn(row["p"], module.settings.ada)

    @torch.no_grad()
    def _score_of_held_out(self, module: pl.LightningModule, pictures: Tensor, labels: Tensor) -> float:
        """Score pictures never trained on: where they fall behind `scores_real`, the discriminator overfits.

        They are augmented as those are, by a generator of their own: the training draws nothing more for it.
        """
        pictures, labels = module.prepared((pictures.to(module.device), labels.to(module.device)))
        seen = module.augment(pictures, torch.Generator().manual_seed(module.steps))
        return float(module.discriminator(seen, labels if module.generator.config.classes else None).mean())

    def _tell(self, row: dict) -> None:
        figures = {"G": f"{row['loss_g']:.2f}", "D": f"{row['loss_d']:.2f}", "p": f"{row['p']:.2f}"}
        if not self.bar.disable:
            self.bar.set_postfix(figures)
            return
        left = (self.total_kimg - row["kimg"]) / row["kimg_per_second"]
        pace = f"{1000 * row['kimg_per_second']:.1f} img/s, {left:.0f} s left"
        said = ", ".join(f"{name} {figure}" for name, figure in figures.items())
        print(f"kimg {row['kimg']:g}/{self.total_kimg:g}, {pace}: {said}", flush=True)

    def _warn(self, p: float, ada: AdaSettings) -> None:
        """Say once that the controller would have p higher than it may be."""
        if ada.target is None or self.warned or p < ada.most - 1e-6:
            return
        self.warned = True
        line = (
            f"p has reached train.ada.most={ada.most:g}: the discriminator overfits by more than augmentation can mend"
        )
        tqdm.write(f"{line}; more pictures, a higher train.gamma or another train.start would")


def overfitting(reals: float, held_out: float, fakes: float) -> dict[str, float]:
    """Give r_v (2006.06676, equation 1), of mean scores: 0 where held-out pictures pass for trained ones, 1 for fakes.

    Where reals and fakes score alike there is none.
    """
    return {"r_v": (reals - held_out) / (reals - fakes)} if abs(reals - fakes) > 1e-6 else {}


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
        if not self._file(module.pictures_seen / 1000).exists():
            self.draw(trainer, module)

    def _draw_if_due(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        now = module.pictures_seen / 1000
        if now < self.next:
            return
        while self.next <= now:
            self.next += self.kimg
        self.draw(trainer, module)

    def draw(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        now = module.pictures_seen / 1000
        picture = Image.fromarray(grid(to_uint8(module.sample(self.seeds, self.psi)).cpu().numpy(), self.columns))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        stage.write_atomically(self._file(now), buffer.getvalue())
        rows = [{"kimg": float(file.stem[5:]), "file": file.name, "psi": self.psi} for file in self._drawn(now)]
        about = json.dumps({"seeds": self.seeds, "samples": rows}, indent=1) + "\n"
        stage.write_atomically(self.folder / "samples.json", about.encode())
        for logger in trainer.loggers:
            logger.log_image("samples", [picture], step=module.steps)

    def _file(self, kimg: float) -> Path:
        return self.folder / f"kimg-{kimg:010.3f}.png"

    def _drawn(self, now: float) -> list[Path]:
        return [file for file in sorted(self.folder.glob("kimg-*.png")) if float(file.stem[5:]) <= now + 1e-9]


class StopAt(pl.Callback):
    """End the training once `kimg` thousand pictures have been shown: at once where a resumed one has shown them.

    One that has shown more is a `UserError`: what it would publish is not what was asked for.
    """

    def __init__(self, kimg: float, checkpoint: Path) -> None:
        self.kimg, self.checkpoint = kimg, checkpoint

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if module.pictures_seen >= self.kimg * 1000 + module.settings.batch:
            line = f"max_kimg: {self.kimg:g}, and this training stands at {module.pictures_seen / 1000:g} already"
            raise UserError(f"{line}: give more, or delete {self.checkpoint} to start over")
        self.on_train_batch_end(trainer, module)

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        if module.pictures_seen >= self.kimg * 1000:
            trainer.should_stop = True
