"""The part of the page about talking: mouths beside what they say, how well they follow, how the networks learned."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from training.report import curves
from training.report.changes import Change
from training.report.pictures import inline
from training.report.trained import duration, started_from

CORPUS = "talks"
SHOWN = {"this run": "generated", "ground truth": "true", "starter": "starter", "copied reference": "copied"}
OURS = ("this run", "starter")
COLUMNS = {  # of the pictures: heading, and how a value is written
    "lse_d": ("LSE-D", "{:.2f}"),
    "lse_c": ("LSE-C", "{:.2f}"),
    "in_sync_within_1": ("in sync within a frame", "{:.0%}"),
    "opening_correlation": ("opening follows the truth", "{:.2f}"),
    "closed_on_bilabials": ("shut on ㅁ ㅂ ㅃ ㅍ", "{:.0%}"),
    "closed_when_open": ("shut when it should be open", "{:.0%}"),
    "closed_in_silence": ("shut in silence", "{:.0%}"),
    "l1": ("L1", "{:.4f}"),
    "psnr": ("PSNR, dB", "{:.1f}"),
    "ssim": ("SSIM", "{:.3f}"),
}
PUBLISHED = {"syncnet_v2_lse_d": ("LSE-D", "{:.2f}"), "syncnet_v2_lse_c": ("LSE-C", "{:.2f}")}
HEARING = {
    "accuracy": ("accuracy", "{:.1%}"),
    "auc": ("AUC of windows", "{:.3f}"),
    "auc_clips": ("AUC of clips", "{:.3f}"),
    "found_as_filmed": ("offsets found as filmed", "{:.0%}"),
    "found_planted": ("of those planted", "{:.0%}"),
    "found_shifted_again": ("found when shifted again", "{:.0%}"),
}
CHARTS = {
    "syncnet": {
        "Loss": {"training": "loss", "held out": "held_out_loss"},
        "Accuracy": {"training": "accuracy", "held out": "held_out_accuracy"},
        "AUC": {"held out": "held_out_auc"},
    },
    "wav2lip": {
        "Difference of the pictures": {"training": "pictures", "held out": "held_out_pictures"},
        "Sync loss": {"training": "sync", "held out": "held_out_sync"},
    },
}
TITLES = {"syncnet": "The expert that hears", "wav2lip": "The generator that speaks"}


@dataclass(frozen=True)
class Cell:
    """A figure in a table."""

    value: str
    interval: str
    n: str


@dataclass(frozen=True)
class Row:
    """A line of a table."""

    name: str
    about: str
    cells: list[Cell]
    ours: bool


@dataclass(frozen=True)
class Table:
    """Figures of several rows, and where they were read from."""

    headings: list[str]
    rows: list[Row]
    source: str
    command: str
    why_not: str


@dataclass(frozen=True)
class Strip:
    """Moments of a clip, one row of pictures below the other; all parts span the same time."""

    text: str
    speaker: str
    rows: list[tuple[str, str]]  # label, picture
    mel: str
    frames: int  # that the curves span
    openings: list[tuple[str, str]]  # label, SVG path; 0 open at y 1, wide open at y 0


@dataclass(frozen=True)
class Learning:
    """How one of the networks was trained."""

    title: str
    facts: list[tuple[str, str]]
    charts: list[curves.Chart]
    source: str
    command: str


@dataclass(frozen=True)
class Talking:
    """What the page says about the talks; what has not been made is None or empty."""

    strips: list[Strip]
    mouths: Table | None
    published: Table | None
    experts: Table | None
    sweep: curves.Chart | None
    about: list[str]  # what the figures of the mouths rest on
    learned: list[Learning]
    digest: dict[str, float | None]
    changes: list[Change] | None = None


def talking(data: Path, options: str) -> Talking | None:
    """Gather what was measured of the talks, or None where nothing was."""
    metrics = data / "metrics" / CORPUS
    found = {name: _read(metrics / f"{name}.json") for name in ("sync", "lipsync")}
    if not any(found.values()):
        return None
    sync, lips = found["sync"], found["lipsync"]
    mouths = lips and table(lips, COLUMNS, metrics / "lipsync.json", "wav2lip", options)
    return Talking(
        strips=strips(metrics / "strips"),
        mouths=mouths,
        published=published(lips, metrics, options),
        experts=sync and table(sync, HEARING, metrics / "sync.json", "syncnet", options),
        sweep=sweep(sync) if sync else None,
        about=about(lips) if lips else [],
        learned=[one for run in CHARTS if (one := learned(data / "runs" / run, run))],
        digest=digest(sync, lips),
    )


def _read(path: Path) -> dict | None:
    return json.loads(path.read_text()) if path.exists() else None


def table(figures: dict, columns: Mapping[str, tuple[str, str]], source: Path, run: str, options: str) -> Table:
    """Lay out rows under the headings of which at least one row has a figure."""
    there = {name: shape for name, shape in columns.items() if any(_known(row.get(name)) for row in figures["rows"])}
    return Table(
        headings=[heading for heading, _ in there.values()],
        rows=[
            Row(
                name=row["name"],
                about=row.get("about", ""),
                cells=[cell(row.get(name), shape) for name, (_, shape) in there.items()],
                ours=row["name"] in OURS,
            )
            for row in figures["rows"]
        ],
        source=str(source),
        command=f"python -m training.evaluate run={run} corpus={CORPUS} {options}".strip(),
        why_not="" if figures["measured"] else figures["why"],
    )


def cell(figure: dict | None, shape: str) -> Cell:
    """Write one figure; its N counts clips, frames or sounds."""
    if not _known(figure):
        return Cell("", "", "")
    ends = figure["interval_95"]
    interval = f"{shape.format(ends[0])} to {shape.format(ends[1])}" if ends else ""
    return Cell(shape.format(_value(figure)), interval, f"N {figure['n']:g}")


def _known(figure: dict | None) -> bool:
    return figure is not None and _value(figure) is not None


def _value(figure: dict) -> float | None:
    """Give what a figure says: a mean's value, or a share of clips."""
    return figure["value"] if "value" in figure else figure["share"]


def published(lips: dict | None, metrics: Path, options: str) -> Table | None:
    """Lay out LSE by SyncNet's own weights, if the user brought them: a table of its own."""
    if not lips or not any(name in row for row in lips["rows"] for name in PUBLISHED):
        return None
    asked = f"{options} evaluate_wav2lip.syncnet_v2=syncnet_v2.model".strip()
    return table(lips, PUBLISHED, metrics / "lipsync.json", "wav2lip", asked)


def about(lips: dict) -> list[str]:
    """Say what the figures rest on: who was shown, how the mouth is read, who listens."""
    if not lips["measured"]:
        return []
    shown, mouth = lips["data"], lips["mouth"]
    said = [
        f"{shown['clips']} clips ({shown['frames']} frames) of {shown['speakers']} speakers that no training saw; "
        f"intervals of {lips['interval']}.",
        f"LSE by {lips['heard_by']}.",
        f"Pictures are compared in {lips['region'].removeprefix('of L1, PSNR and SSIM: ')}.",
    ]
    if mouth["known"]:
        said.append(
            f"The opening is a proxy: {mouth['about']}. On the true frames it correlates with the exact opening by "
            f"{mouth['correlation']:.2f} and tells closed from open in {mouth['closed_told_from_open']:.0%} of "
            f"{mouth['frames']} frames (both kinds weighing the same)."
        )
    return said


def strips(folder: Path) -> list[Strip]:
    """Read the strips that the measuring kept."""
    listed = _read(folder / "strips.json") or []
    return [strip(folder, one) for one in listed]


def strip(folder: Path, one: dict) -> Strip:
    first, every = one["first"], one["every"]
    rows = [(label, folder / one["rows"][row]) for row, label in SHOWN.items() if row in one["rows"]]
    with Image.open(folder / next(iter(one["rows"].values()))) as picture:
        frames = picture.width // picture.height * every
    with Image.open(folder / one["mel"]) as picture:
        mel = np.asarray(picture)[:, round(first * 3.2) : round((first + frames) * 3.2)]
    openings = {"true": one["truth"]} | {
        label: one["openings"][row] for row, label in SHOWN.items() if row in one["openings"] and label != "true"
    }
    return Strip(
        text=one["text"] or "",
        speaker=one["speaker"],
        rows=[(label, _inline(file)) for label, file in rows],
        mel=inline(mel, lossless=True),
        frames=frames,
        openings=[(label, opened(values[first : first + frames])) for label, values in openings.items() if values],
    )


def _inline(file: Path) -> str:
    with Image.open(file) as picture:
        return inline(picture.convert("RGB"), quality=85)


def opened(values: Sequence[float]) -> str:
    """Draw an opening over frames as a path; what lies beyond wide open or closed is cut off."""
    return curves.path([(frame, round(1 - min(1.0, max(0.0, value)), 3)) for frame, value in enumerate(values)])


def sweep(sync: dict) -> curves.Chart | None:
    """Draw the distance of picture and sound over the shift, a curve an expert; the valley should lie at 0."""
    lines = {row["name"]: row["sweep"] for row in sync["rows"] if any(value is not None for value in row["sweep"])}
    if not lines:
        return None
    span = len(next(iter(lines.values()))) // 2
    return curves.chart("Distance over the shift of the sound", list(map(float, range(-span, span + 1))), lines)


def learned(run: Path, name: str) -> Learning | None:
    """Read how a network was trained, or None where there is no run."""
    about = _read(run / "run.json")
    if about is None:
        return None
    data, network, started = about["data"], about["network"], about["started_from"]
    facts = [
        ("trained for", f"{about['steps']:g} steps in {duration(about['seconds'])} on {about['device']}"),
        ("talks", f"{data['train']} clips of {data['train_speakers']} speakers trained on, {data['val']} to validate"),
        ("network", f"{network['width']:g} of the published width, {network['edge']} pixels"),
        ("started from", _started(started) if started else "nothing: from scratch"),
        ("data", f"fingerprint {data['fingerprint']}"),
    ]
    history = run / "history.csv"
    charts = curves.charts(history, CHARTS[name], "step") if history.exists() else []
    return Learning(TITLES[name], facts, charts, str(run), about["command"])


def _started(started: dict) -> str:
    """Name what the weights came from."""
    if "loaded" in started:
        return started_from(started)
    return f"the {started['kind']} {started['name']} ({started['sha256'][:12]})"


def digest(sync: dict | None, lips: dict | None) -> dict[str, float | None]:
    """Pick the figures by which two runs are compared."""
    wanted = {"auc": (sync, "auc"), "lse_d": (lips, "lse_d"), "opening": (lips, "opening_correlation")}
    found = {}
    for name, (figures, key) in wanted.items():
        ours = next((row for row in (figures or {"rows": []})["rows"] if row["name"] == "this run"), {})
        found[name] = _value(ours[key]) if key in ours else None
    return found
