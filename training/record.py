"""What a run says of itself: run.json."""

import platform
import shlex
import sys
from datetime import UTC, datetime

import torch
from omegaconf import DictConfig

from training import provenance

SCHEMA = 1


def describe(
    config: DictConfig,
    network: dict,
    shown: dict,
    seconds: float,
    device: torch.device,
    data: dict,
    started_from: dict | None,
    settings: dict,
) -> dict:
    """Say what was trained on what, from what, with which command, where and for how long; `shown` in its own unit."""
    return {
        "schema": SCHEMA,
        **{key: config[key] for key in ("run", "corpus", "world", "profile")},
        "network": network,
        **shown,
        "seconds": round(seconds, 1),
        "device": device_name(device),
        "torch": torch.__version__,
        "data": data,
        "started_from": started_from,
        "command": command(),
        "settings": settings,
        "git": provenance.revision(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def command() -> str:
    return shlex.join(["python", "-m", "training.train", *sys.argv[1:]])


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
