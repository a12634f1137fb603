"""What happens beside the steps of an expert's or a generator's training: greeting, and strips."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytorch_lightning as pl
from PIL import Image

from scraping import stage
from training import record
from training.ticks import CLOCK
from training.wav2lip.data import Sample

HISTORY = {
    "syncnet": (
        *(*CLOCK, "loss", "accuracy", "rate", "gradient"),
        *("held_out_loss", "held_out_accuracy", "held_out_auc"),
    ),
    "wav2lip": (
        *(*CLOCK, "loss", "pictures", "sync", "adversarial", "discriminator", "weight_sync", "weight_gan"),
        *("rate", "gradient", "held_out_pictures", "held_out_mouths", "held_out_sync"),
    ),
}
TOLD = ("loss", "accuracy", "sync", "held_out_loss", "held_out_accuracy", "held_out_pictures", "held_out_sync")


class Greeting(pl.Callback):
    """Say what is trained on what, where, and from where on."""

    def __init__(self, what: str, talks: dict, begun: str) -> None:
        self.what, self.talks, self.begun = what, talks, begun

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        counts = (sum(each.numel() for each in getattr(module, name).parameters()) for name in module.networks)
        size_of = " and ".join(f"{count / 1e6:.2f} M" for count in counts)
        said = f"{self.talks['train']} clips of {self.talks['train_speakers']} speakers"
        held_out = f"{self.talks['val']} to validate, {self.talks['test']} to test"
        resumed = f", resumed at step {module.steps}" if module.steps else ""
        many = f"{trainer.world_size} x " if trainer.world_size > 1 else ""
        device = f"{many}{record.device_name(module.device)}"
        print(
            f"training {self.what} of {size_of} parameters on {said} ({held_out}), {self.begun}{resumed}, on {device}",
            flush=True,
        )


class Strips(pl.Callback):
    """Draw the same held-out samples every so many steps: a row each, of what is seen, reference, ours and truth."""

    def __init__(self, folder: Path, every: int, samples: Callable[[], Sample]) -> None:
        self.folder, self.every, self.samples = folder / "samples", every, samples

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
        picture = Image.fromarray(module.strips(self.shown))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        stage.write_atomically(self._file(module.steps), buffer.getvalue())
        drawn = [file.name for file in sorted(self.folder.glob("step-*.png")) if int(file.stem[5:]) <= module.steps]
        about = {"columns": ["seen", "reference", "drawn", "true"], "samples": drawn}
        stage.write_atomically(self.folder / "samples.json", (json.dumps(about, indent=1) + "\n").encode())
        for logger in trainer.loggers:
            logger.log_image("samples", [picture], step=module.steps)

    def _file(self, step: int) -> Path:
        return self.folder / f"step-{step:07d}.png"
