"""The model cards of bundles: README.md, written out of the manifest and of what the training recorded."""

from pathlib import Path
from typing import Any

import jinja2

TEMPLATE, LIPS, DANCES = (Path(__file__).with_name(name) for name in ("card.md", "card_lips.md", "card_dance.md"))
SUBJECTS = {"face": "heads", "body": "whole people"}
# What chose the pictures, by what the cleaning looked for.
FINDERS = {"face": "YuNet (MIT)", "body": "YOLOv5nu (AGPL-3.0)", "matte": None}
NOTHING = "nothing: from scratch"


def write(manifest: dict, run: dict, **shown: Any) -> str:
    """Fill the template of avatars; `shown` are the values that neither manifest nor run holds.

    A run that was brought says nothing of a training.
    """
    trained = "brought" not in run
    return _template(TEMPLATE).render(
        manifest=manifest,
        run=run,
        trained=trained,
        network=manifest["network"],
        subject=SUBJECTS[manifest["subject"]],
        sources=", ".join(f"{name} ({count})" for name, count in manifest["provenance"].get("sources", {}).items()),
        duration=_duration(run["seconds"]) if trained else None,
        started=_started(run["started_from"]) if trained else None,
        revision=_revision(manifest["provenance"]["git"]),
        detections=_detections(manifest["metrics"].get("detector")),
        **shown,
    )


def of_lips(manifest: dict, run: dict | None, **shown: Any) -> str:
    """Fill the template of sync experts and lip-sync generators; without a run they were brought as a file."""
    return _template(LIPS).render(
        manifest=manifest,
        run=run,
        network=manifest["network"],
        lips=manifest["task"] == "lipsync",
        lead=_lead(manifest["mel"].get("lead", 0)),
        talks=manifest["provenance"].get("talks"),
        duration=_duration(run["seconds"]) if run else None,
        started=_source(run["started_from"]) if run else None,
        seed=run["settings"].get("seed", "not recorded") if run else None,
        revision=_revision(manifest["provenance"]["git"]),
        **shown,
    )


def of_dances(manifest: dict, run: dict, **shown: Any) -> str:
    """Fill the template of generators of dances."""
    return _template(DANCES).render(
        manifest=manifest,
        run=run,
        network=manifest["network"],
        dances=manifest["provenance"]["dances"],
        duration=_duration(run["seconds"]),
        started=_source(run["started_from"]),
        seed=run["settings"].get("seed", "not recorded"),
        revision=_revision(manifest["provenance"]["git"]),
        **shown,
    )


def _template(file: Path) -> jinja2.Template:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"interval": _interval, "count": _count, "estimate": _estimate}
    return environment.from_string(file.read_text(encoding="utf-8"))


def _interval(figure: dict, key: str = "value") -> str:
    low, high = figure["interval_95"]
    return f"{figure[key]:.4g} ({low:.4g} to {high:.4g})"


def _estimate(figure: dict) -> str:
    """Write a figure that may be unknown, or of too few speakers for an interval."""
    if figure["value"] is None:
        return "not known"
    low, high = figure["interval_95"] or (None, None)
    return f"{figure['value']:.4g}" + ("" if low is None else f" ({low:.4g} to {high:.4g})")


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


def _source(origin: dict | None) -> str:
    return f"the {origin['kind']} {origin['name']} ({origin['sha256'][:12]})" if origin else NOTHING


def _lead(frames: int) -> str:
    """Say from which frame on a picture is heard."""
    if not frames:
        return "the picture's own frame on"
    many = f"{abs(frames)} frame{'s' if abs(frames) > 1 else ''}"
    return f"{many} {'before' if frames < 0 else 'after'} the picture on"


def _revision(git: dict | None) -> str:
    if git is None:
        return "not in a repository"
    return f"`{git['revision'][:12]}`{'' if git['clean'] else ', with changes that were not committed'}"


def _detections(detector: dict | None) -> list[tuple[str, dict]]:
    """Give the shares of pictures with exactly one face or person, in the order one compares them."""
    names = {"avatars": "these avatars", "starter": "avatars of the starter", "held_out": "held-out pictures"}
    return [(name, detector[key]) for key, name in names.items() if detector and detector.get(key)]
