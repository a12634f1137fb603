"""The model card of a bundle: README.md, written out of its manifest and of what the training recorded."""

from pathlib import Path
from typing import Any

import jinja2

TEMPLATE = Path(__file__).with_name("card.md")
SUBJECTS = {"face": "heads", "body": "whole people"}
# What chose the pictures, by what the cleaning looked for.
FINDERS = {"face": "YuNet (MIT)", "body": "YOLOv5nu (AGPL-3.0)", "matte": None}
NOTHING = "nothing: from scratch"


def write(manifest: dict, run: dict, **shown: Any) -> str:
    """Fill the template; `shown` are the values that neither manifest nor run holds."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"interval": _interval, "count": _count}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        manifest=manifest,
        run=run,
        network=manifest["network"],
        subject=SUBJECTS[manifest["subject"]],
        sources=", ".join(f"{name} ({count})" for name, count in manifest["provenance"]["sources"].items()),
        duration=_duration(run["seconds"]),
        started=_started(run["started_from"]),
        revision=_revision(manifest["provenance"]["git"]),
        detections=_detections(manifest["metrics"].get("detector")),
        **shown,
    )


def _interval(figure: dict, key: str = "value") -> str:
    low, high = figure["interval_95"]
    return f"{figure[key]:.4g} ({low:.4g} to {high:.4g})"


def _count(figure: dict) -> str:
    return " / ".join(map(str, figure["n"]))


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{seconds:.0f} s" if seconds < 120 else f"{minutes} min"


def _started(origin: dict | None) -> str:
    if not origin:
        return NOTHING
    loaded, missing = len(origin["loaded"]), len(origin["missing"])
    return f"the {origin['kind']} {origin['name']}: {loaded} tensors loaded, {missing} missing"


def _revision(git: dict | None) -> str:
    if git is None:
        return "not in a repository"
    return f"`{git['revision'][:12]}`{'' if git['clean'] else ', with changes that were not committed'}"


def _detections(detector: dict | None) -> list[tuple[str, dict]]:
    """Give the shares of pictures with exactly one face or person, in the order one compares them."""
    names = {"avatars": "these avatars", "starter": "avatars of the starter", "held_out": "held-out pictures"}
    return [(name, detector[key]) for key, name in names.items() if detector and detector.get(key)]
