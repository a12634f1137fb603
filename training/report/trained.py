"""The part of the page about a training: samples as it went on, curves, and what it ran on."""

import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from training.report import curves
from training.report.pictures import inline, spread
from training.report.settings import Settings


@dataclass(frozen=True)
class Training:
    """What the page says about the training of one corpus."""

    facts: list[tuple[str, str]]
    samples: list[dict]  # kimg, psi, picture: the same seeds in each
    charts: list[curves.Chart]
    command: str
    kimg: float


def training(run: Path, settings: Settings) -> Training | None:
    """Gather a run from what `training.train` left in its folder, or None where there is none."""
    if not (run / "run.json").exists():
        return None
    about = json.loads((run / "run.json").read_text())
    samples = json.loads((run / "samples" / "samples.json").read_text())["samples"]
    return Training(
        facts=facts(about),
        samples=[
            {"kimg": f"{one['kimg']:g}", "psi": one["psi"], "picture": shrunk(run / "samples" / one["file"], settings)}
            for one in spread(samples, settings.samples)
        ],
        charts=curves.charts(run / "history.csv"),
        command=about["command"],
        kimg=about["kimg"],
    )


def facts(about: dict) -> list[tuple[str, str]]:
    """Tell in a few words what was trained, on what, from what and for how long: (label, value)."""
    data, network = about["data"], about["network"]
    started = about["started_from"]
    return [
        ("trained for", f"{about['kimg']:g} kimg in {duration(about['seconds'])} on {about['device']}"),
        ("pictures", f"{data['train']} trained on, {data['held_out']} held out for measuring"),
        ("network", f"{network['width']}x{network['height']} pixels, at most {network['channel_max']} channels"),
        ("started from", started_from(started) if started else "nothing: from scratch"),
        ("data", f"fingerprint {data['fingerprint']}"),
    ]


def started_from(started: dict) -> str:
    """Name what the weights came from and how many tensors of it were taken over."""
    parts = [f"{len(started['loaded'])} tensors loaded"]
    parts += [f"{len(started[key])} {key}" for key in ("missing", "mismatched", "unused") if started[key]]
    return f"the {started['kind']} {started['name']} ({started['sha256'][:12]}): {', '.join(parts)}"


def duration(seconds: float) -> str:
    """Say seconds as a person would: 42 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def shrunk(file: Path, settings: Settings) -> str:
    with Image.open(file) as grid:
        picture = grid.convert("RGB")
    picture.thumbnail((settings.sample_edge, settings.sample_edge), Image.Resampling.LANCZOS)
    return inline(picture)
