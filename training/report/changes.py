"""What changed since the previous run: the figures of two reports beside each other.

DVC clears `data/report` before the stage runs, so the figures of earlier reports are kept in `.work`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from scraping import stage

# Label, where it stands in the figures, +1 where more is better, -1 where less is, 0 where it is neither.
COMPARED = (
    ("pictures in the pack", ("cleaning", "packed"), 1),
    ("kimg trained", ("avatars", "kimg"), 0),
    ("FID", ("avatars", "fid"), -1),
    ("KID x 1000", ("avatars", "kid_x1000"), -1),
    ("share with exactly one detected", ("avatars", "detected"), 1),
    ("of the rate on held-out reals", ("avatars", "ratio"), 1),
    ("AUC of the expert", ("talks", "auc"), 1),
    ("LSE-D of the mouths, by the expert", ("talks", "lse_d"), -1),
    ("correlation of the opening with the truth", ("talks", "opening"), 1),
    ("F1 over chance of the dances' beats", ("dances", "f1_over_chance"), 1),
    ("skating of the dances, cm/s", ("dances", "skate"), -1),
    ("FID_k of the dances", ("dances", "fid_k"), -1),
)
SAME = 1e-9


@dataclass(frozen=True)
class Change:
    """A figure then and now."""

    label: str
    before: str
    now: str
    delta: str
    arrow: str
    verdict: str  # better, worse or same


def changes(before: dict, now: dict) -> list[Change]:
    """Compare the figures of one corpus in two reports, as far as both have them."""
    return list(_compared(before, now))


def remember(file: Path, figures: dict) -> dict | None:
    """Store figures as the last ones and give those of the last report that differed, or None in a first run.

    A report made again of the same data is compared with the same previous one.
    """
    kept = json.loads(file.read_text()) if file.exists() else {"last": None, "before": None}
    if kept["last"] != figures:
        kept = {"last": figures, "before": kept["last"]}
        stage.write_atomically(file, (json.dumps(kept, indent=2) + "\n").encode())
    return kept["before"]


def _compared(before: dict, now: dict) -> Iterator[Change]:
    for label, path, better in COMPARED:
        then, current = (reduce(lambda part, key: (part or {}).get(key), path, figures) for figures in (before, now))
        if then is None or current is None:
            continue
        difference = current - then
        same = abs(difference) <= SAME
        yield Change(
            label=label,
            before=f"{then:g}",
            now=f"{current:g}",
            delta="" if same else f"{difference:+.3g}",
            arrow="=" if same else "▲" if difference > 0 else "▼",
            verdict="same" if same or not better else "better" if difference * better > 0 else "worse",
        )
