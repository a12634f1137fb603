"""The part of the page about a training that counts steps: what it ran on, curves, pictures as it went on."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.report import curves
from training.report.pictures import spread
from training.report.settings import Settings
from training.report.trained import duration, shrunk, started_from


@dataclass(frozen=True)
class Learning:
    """How a network was trained."""

    title: str
    facts: list[tuple[str, str]]
    charts: list[curves.Chart]
    source: str
    command: str
    samples: list[dict]  # steps, picture


def learned(
    run: Path,
    title: str,
    charts: Mapping[str, Mapping[str, str]],
    tell: Callable[[dict], list[tuple[str, str]]],
    settings: Settings | None = None,
) -> Learning | None:
    """Read how a network was trained, or None where there is no run; `tell` says what is its own in run.json.

    With `settings` the pictures of the training are shown.
    """
    about_path, history = run / "run.json", run / "history.csv"
    if not about_path.exists():
        return None
    about = json.loads(about_path.read_text())
    started = about["started_from"]
    facts = [
        ("trained for", f"{about['steps']:g} steps in {duration(about['seconds'])} on {about['device']}"),
        *tell(about),
        ("started from", _started(started) if started else "nothing: from scratch"),
        ("data", f"fingerprint {about['data']['fingerprint']}"),
    ]
    return Learning(
        title=title,
        facts=facts,
        charts=curves.charts(history, charts, "step") if history.exists() else [],
        source=str(run),
        command=about["command"],
        samples=samples(run / "samples", settings) if settings else [],
    )


def samples(folder: Path, settings: Settings) -> list[dict]:
    """Shrink the pictures that a training left, some of them where there are many, the last among them."""
    listed = folder / "samples.json"
    names = json.loads(listed.read_text())["samples"] if listed.exists() else []
    return [
        {"steps": int(Path(name).stem.removeprefix("step-")), "picture": shrunk(folder / name, settings)}
        for name in spread(names, settings.samples)
    ]


def _started(started: dict) -> str:
    """Name what the weights came from."""
    if "loaded" in started:
        return started_from(started)
    return f"the {started['kind']} {started['name']} ({started['sha256'][:12]})"
