"""What every export does with the bundle it built: keep starters small, put it in its place, tell W&B of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from inference.bundle import Bundle
from inference.errors import UserError
from scraping import stage
from training import watching

STARTER_BYTES = 10_000_000  # what git keeps of each


def ship(built: Bundle, data: Path, starter: bool) -> tuple[Path, float]:
    """Move a bundle to data/exported or data/starters; gives the folder and its megabytes.

    Raises `UserError` for a starter of more than git keeps.
    """
    stored = sum(file.stat().st_size for file in built.folder.iterdir())
    if starter and stored > STARTER_BYTES:
        limit, got = STARTER_BYTES / 1e6, stored / 1e6
        raise UserError(f"a starter has at most {limit:g} MB, this one {got:.2f}: train one of fewer channels")
    target = data / ("starters" if starter else "exported") / built.name
    stage.publish(built.folder, target)
    return target, stored / 1e6


def figures(row: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Mapping]]:
    """Find the figures of a row of an evaluation, which have an interval and an N, at any depth."""
    for name, value in row.items():
        if isinstance(value, Mapping) and "interval_95" in value:
            yield before + name, value
        elif isinstance(value, Mapping):
            yield from figures(value, f"{before}{name} ")


def watch(settings: watching.Settings, target: Path, work: Path, trained: dict[str, Any], data: dict[str, Any]) -> None:
    """Have W&B refer to the bundle: `trained` says for how long, `data` on what."""
    watched = watching.opened(settings, target.name, "export", work, {**trained, "bundle": str(target)})
    if watched:
        watching.refer(watched, "bundle", f"{target.parent.name}-{target.name}", sorted(target.iterdir()), data)
        watching.close(watched, failed=False)
