"""The part of the page about how good the avatars are: distances beside their rows, detectors, nearest pictures."""

import json
from dataclasses import dataclass
from pathlib import Path

OURS = ("fine-tuned", "starter")  # every other row says what the figures of these mean


@dataclass(frozen=True)
class Row:
    """A set of pictures and its distances to the held-out reals."""

    name: str
    fid: str
    fid_interval: str
    kid: str
    kid_interval: str
    n: str
    ours: bool


@dataclass(frozen=True)
class Rate:
    """In how many pictures of a set a detector found exactly one."""

    name: str
    share: str
    interval: str
    n: int


@dataclass(frozen=True)
class Measured:
    """What the page says about the quality of one corpus' avatars."""

    why_not: str
    says: str
    rows: list[Row]
    of: str
    rates: list[Rate]
    ratio: str
    nearest: str
    digest: dict[str, float]  # what the next report compares itself with
    source: str
    command: str


def measured(metrics: Path, corpus: str, options: str) -> Measured | None:
    """Read data/metrics/<corpus>/avatars.json, or None where there is none."""
    if not metrics.exists():
        return None
    figures = json.loads(metrics.read_text())
    there = figures["measured"]
    return Measured(
        why_not="" if there else figures["why"],
        says=says(figures) if there else "",
        rows=[row(entry) for entry in figures["rows"]] if there else [],
        of=figures["detector"]["of"] if there else "",
        rates=rates(figures["detector"]) if there else [],
        ratio=f"{100 * figures['detector']['ratio']:.0f} %" if there else "",
        nearest="",
        digest=digest(figures) if there else {},
        source=str(metrics),
        command=f"python -m training.evaluate corpus={corpus} {options}",
    )


def says(figures: dict) -> str:
    """Put into one sentence what was measured on what."""
    return (
        f"{figures['avatars']} unpicked avatars (seeds {figures['seeds']}, truncation {figures['truncation']:g}) "
        f"against {figures['reals']} pictures that the training never saw."
    )


def row(entry: dict) -> Row:
    fid, kid = entry["fid"], entry["kid"]
    return Row(
        name=entry["name"],
        fid=f"{fid['value']:.1f}",
        fid_interval=span(fid["interval_95"], "{:.1f}"),
        kid=f"{1000 * kid['value']:.1f}",
        kid_interval=span([1000 * end for end in kid["interval_95"]], "{:.1f}"),
        n=" against ".join(str(count) for count in fid["n"]),
        ours=entry["name"] in OURS,
    )


def rates(detector: dict) -> list[Rate]:
    """Lay out the detector's rates: ours, what we started from, and the reals that bound them."""
    names = {"avatars": "avatars", "starter": "starter, before the fine-tune", "held_out": "held-out reals"}
    return [
        Rate(
            name,
            f"{100 * detector[key]['share']:.1f} %",
            span([100 * end for end in detector[key]["interval_95"]], "{:.1f} %"),
            detector[key]["n"],
        )
        for key, name in names.items()
        if detector.get(key)
    ]


def digest(figures: dict) -> dict[str, float]:
    """Pick the figures by which two runs are compared."""
    ours = {entry["name"]: entry for entry in figures["rows"]}["fine-tuned"]
    return {
        "fid": round(ours["fid"]["value"], 2),
        "kid_x1000": round(1000 * ours["kid"]["value"], 2),
        "detected": round(figures["detector"]["avatars"]["share"], 4),
        "ratio": round(figures["detector"]["ratio"], 4),
    }


def span(ends: list[float], form: str) -> str:
    return " to ".join(form.format(end) for end in ends)
