"""What tests of trainings look at: the checkpoint, the history, and a training that was killed."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
QUIETLY = ("profile=tiny", "trainer=cpu", "trainer.threads=1", "wandb.mode=disabled")


def killed(words: Sequence[str], steps: int) -> int:
    """Train in a process of its own, kill it when a checkpoint holds so many steps; gives how many it then holds."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "training.train", *words]
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while not checkpoint() or kept()["steps"] < steps:
            assert running.poll() is None, running.stdout.read()
            time.sleep(0.1)
    finally:
        running.kill()
        running.wait()
    return kept()["steps"]


def checkpoint() -> Path | None:
    """Find the checkpoint of the only training in the current folder."""
    return next(Path(".work/train").glob("*/*/*/last.ckpt"), None)


def kept() -> dict:
    return torch.load(checkpoint(), weights_only=True)


def rows(run: Path) -> list[list[str]]:
    """Read the history without its clock."""
    lines = [line.split(",") for line in (run / "history.csv").read_text().splitlines()]
    return [[line[0], *line[3:]] for line in lines]


def column(run: Path, name: str) -> list[float]:
    """Read a column of the history; what is empty is nan."""
    head, *lines = (line.split(",") for line in (run / "history.csv").read_text().splitlines())
    return [float(line[head.index(name)] or "nan") for line in lines]
