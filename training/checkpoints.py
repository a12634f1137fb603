"""Save all that a training is, so that a kill, a stop or a full disk at any time loses little and breaks nothing."""

import io
import os
import pickle
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from inference.errors import UserError

AGREE_EVERY = 8  # steps; agreeing to stop makes processes wait for each other


class WholeFiles(TorchCheckpointIO):
    """Write a checkpoint whole or not at all, and read back none that was damaged. Nothing but tensors is unpickled."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        path = Path(path)
        part = path.with_name(path.name + ".part")
        buffer = io.BytesIO()  # torch would make a nameless RuntimeError of a full disk
        torch.save(checkpoint, buffer)
        try:
            part.write_bytes(buffer.getbuffer())
            os.replace(part, path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise OSError(error.errno, error.strerror, str(path)) from None

    def load_checkpoint(self, path: str | Path, map_location: Any = None, weights_only: bool | None = None) -> dict:
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError):
            raise UserError(f"{path} is damaged: delete it, and the training starts over") from None


class Checkpoints(pl.Callback):
    """Save every so many seconds, at the end, and when told to stop by SIGTERM or Ctrl-C, which then ends it."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.path, self.seconds = path, seconds
        self.told_to_stop = 0  # the signal's number

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.last = time.monotonic()
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._tell_to_stop)

    def _tell_to_stop(self, signum: int, _: object) -> None:
        self.told_to_stop = signum
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C does not wait

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        if trainer.world_size > 1 and module.steps % AGREE_EVERY:
            return
        told = trainer.strategy.reduce_boolean_decision(bool(self.told_to_stop), all=False)
        if told or trainer.strategy.broadcast(time.monotonic() - self.last >= self.seconds):
            self.save(trainer, module)
        if told:
            if trainer.is_global_zero:
                print(f"stopped at {module.progress}: run it again to go on", file=sys.stderr)
            raise SystemExit(128 + (self.told_to_stop or signal.SIGTERM))

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.save(trainer, module)

    def save(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        module.stop_if_diverged()  # what cannot go on is no checkpoint
        trainer.save_checkpoint(self.path)
        self.last = time.monotonic()
