"""The part of the page about how good the avatars are: distances beside their rows, detectors, nearest pictures."""

import json
from dataclasses import dataclass
from pathlib import Path

from training.report.tables import OURS


@dataclass(frozen=True)
class Row:
    """A set of pictures and its distances to the held-out reals."""

    name: str
    about: str
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
    ours: bool


@dataclass(frozen=True)
class Measured:
    """What the page says about the quality of one corpus' avatars."""

    why_not: str
    reals: int
    rows: list[Row]
    people: str  # which avatars the detector saw, and how
    of: str
    rates: list[Rate]
    ratio: str
    nearest: str
    digest: dict[str, float | None]  # what the next report compares itself with
    source: str
    command: str


def measured(metrics: Path, corpus: str, options: str) -> Measured | None:
    """Read data/metrics/<corpus>/avatars.json, or None where there is none."""
    if not metrics.exists():
        return None
    figures = json.loads(metrics.read_text())
    origin = {"source": str(metrics), "command": f"python -m training.evaluate corpus={corpus} {options}"}
    if not figures["measured"]:
        nothing = {
            "reals": 0,
            "rows": [],
            "people": "",
            "of": "",
            "rates": [],
            "ratio": "",
            "nearest": "",
            "digest": {},
        }
        return Measured(why_not=figures["why"], **nothing, **origin)
    detector = figures["detector"]
    return Measured(
        why_not="",
        reals=figures["reals"],
        rows=[row(entry) for entry in figures["rows"]],
        people=f"seeds {figures['seeds']} at truncation {figures['truncation']:g}; {detector['by']}",
        of=detector["of"],
        rates=rates(detector),
        ratio="an unknown share" if detector["ratio"] is None else percent(detector["ratio"]),
        nearest=nearest(figures["nearest"]),
        digest=digest(figures),
        **origin,
    )


def row(entry: dict) -> Row:
    fid, kid = entry["fid"], entry["kid"]
    own = entry.get("kid_to_training_pictures")
    return Row(
        name=entry["name"],
        about=entry["about"] + (f"; KID x 1000 to its own training pictures {1000 * own['value']:.1f}" if own else ""),
        fid=f"{fid['value']:.1f}",
        fid_interval=" to ".join(f"{end:.1f}" for end in fid["interval_95"]),
        kid=f"{1000 * kid['value']:.1f}",
        kid_interval=" to ".join(f"{1000 * end:.1f}" for end in kid["interval_95"]),
        n=" against ".join(str(count) for count in fid["n"]),
        ours=entry["name"] in OURS,
    )


def rates(detector: dict) -> list[Rate]:
    """Lay out the detector's rates: ours, what we started from, the reals that bound them, and noise."""
    names = {"avatars": "avatars", "starter": "starter", "held_out": "held-out reals", "noise": "noise"}
    return [
        Rate(
            name,
            percent(detector[key]["share"]),
            " to ".join(map(percent, detector[key]["interval_95"])),
            detector[key]["n"],
            ours=key in ("avatars", "starter"),
        )
        for key, name in names.items()
        if key in detector
    ]


def nearest(figures: dict) -> str:
    """Say what the distances to the nearest training pictures mean: copies would be far nearer than other reals are."""
    found = figures["features"]
    ours, theirs = found["avatars"], found["held_out"]
    return (
        f"In Inception's features the median distance of {ours['n']} avatars, as made or mirrored, to the nearest "
        f"training picture is {number(ours['median'])}, that of {theirs['n']} held-out reals "
        f"{number(theirs['median'])}; "
        f"{number(found['nearer_than_any_held_out'])} of the avatars are nearer than any held-out real. "
        f"A copy would stand at 0. ({figures['of'].capitalize()}.)"
    )


def digest(figures: dict) -> dict[str, float | None]:
    """Pick the figures by which two runs are compared."""
    ours = {entry["name"]: entry for entry in figures["rows"]}["this run"]
    return {
        "fid": round(ours["fid"]["value"], 2),
        "kid_x1000": round(1000 * ours["kid"]["value"], 2),
        "detected": figures["detector"]["avatars"]["share"],
        "ratio": figures["detector"]["ratio"],
    }


def percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.1f} %"


def number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
