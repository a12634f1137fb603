"""What a run says of itself: run.json."""

import dataclasses
import platform
import shlex
import sys
from datetime import UTC, datetime

import torch
from omegaconf import DictConfig

from preprocessing.packing import Pack
from training import provenance
from training.stylegan2 import data, module

SCHEMA = 1


def describe(
    model: module.Stylegan2, pack: Pack, config: DictConfig, settings: dict, seconds: float, started_from: dict | None
) -> dict:
    """Say what was trained on what, from what, with which command, where and for how long."""
    return {
        "schema": SCHEMA,
        **{key: config[key] for key in ("run", "corpus", "world", "profile")},
        "network": dataclasses.asdict(model.generator.config),
        "kimg": model.pictures_seen / 1000,
        "seconds": round(seconds, 1),
        "device": device_name(model.device),
        "torch": torch.__version__,
        "data": of_data(pack),
        "started_from": started_from,
        "command": command(),
        "settings": settings,
        "git": provenance.revision(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def of_data(pack: Pack) -> dict:
    about = {key: getattr(pack, key) for key in ("fingerprint", "width", "height", "background")}
    parts = {part: len(data.positions(pack, part)) for part in ("train", "held_out")}
    return {**about, "count": len(pack), **parts}


def command() -> str:
    return shlex.join(["python", "-m", "training.train", *sys.argv[1:]])


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
