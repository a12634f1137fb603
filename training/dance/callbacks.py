"""What happens beside the steps of a training of dances: the greeting, and sheets of poses over time."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytorch_lightning as pl
from PIL import Image

from inference.dancefloor import skeleton
from inference.motion.clip import Motion
from scraping import stage
from training import record
from training.dance.data import Sample
from training.ticks import CLOCK

HISTORY = {
    "dance": (
        *(*CLOCK, "loss", "vectors", "velocity", "joints", "feet", "rate", "gradient"),
        *("held_out_loss", "held_out_other_song", "held_out_cm"),
    ),
    "dance_gan": (
        *(*CLOCK, "loss", "vectors", "velocity", "feet", "adversarial", "discriminator", "penalty", "rate", "gradient"),
        *("held_out_loss", "held_out_other_song"),
    ),
}
TOLD = ("loss", "vectors", "discriminator", "held_out_loss", "held_out_other_song", "held_out_cm")
POSES = 8  # of a strip


class Greeting(pl.Callback):
    """Say what is trained on what, where, and from where on."""

    def __init__(self, what: str, dances: dict, begun: str) -> None:
        self.what, self.dances, self.begun = what, dances, begun

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        counts = (sum(each.numel() for each in network.parameters()) for network in module.trained.values())
        large = " and ".join(f"{count / 1e6:.2f} M" for count in counts)
        said = f"{self.dances['train']} dances to {self.dances['train_songs']} songs"
        held_out = f"{self.dances['val']} to validate, {self.dances['test']} to test"
        resumed = f", resumed at step {module.steps}" if module.steps else ""
        many = f"{trainer.world_size} x " if trainer.world_size > 1 else ""
        device = f"{many}{record.device_name(module.device)}"
        print(
            f"training {self.what} of {large} parameters on {said} ({held_out}), {self.begun}{resumed}, on {device}",
            flush=True,
        )


class Sheets(pl.Callback):
    """Dance to the same held-out music every so many steps: rows of poses, each over those that were danced to it."""

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
        true = [Motion.from_vector(vector) for vector in self.shown.motion.numpy()]
        rows = [each.positions() for both in zip(module.dances(self.shown), true, strict=True) for each in both]
        picture = Image.fromarray(skeleton.sheet(rows, POSES))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        stage.write_atomically(self._file(module.steps), buffer.getvalue())
        drawn = [file.name for file in sorted(self.folder.glob("step-*.png")) if int(file.stem[5:]) <= module.steps]
        about = {"rows": ["danced", "true"], "samples": drawn}
        stage.write_atomically(self.folder / "samples.json", (json.dumps(about, indent=1) + "\n").encode())
        for logger in trainer.loggers:
            logger.log_image("samples", [picture], step=module.steps)

    def _file(self, step: int) -> Path:
        return self.folder / f"step-{step:07d}.png"
