"""The part of the page about talking: mouths beside what they say, how well they follow, how the networks learned."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from training.report import curves
from training.report.changes import Change
from training.report.learned import Learning, learned
from training.report.pictures import inline
from training.report.tables import Column, Table, table, value

CORPUS = "talks"
SHOWN = {"this run": "generated", "ground truth": "true", "starter": "starter", "copied reference": "copied"}
COLUMNS = {  # of the pictures
    "lse_d": Column("LSE-D", "{:.2f}"),
    "lse_c": Column("LSE-C", "{:.2f}"),
    "in_sync_within_1": Column("in sync within a frame", "{:.0%}"),
    "opening_correlation": Column("opening follows the truth", "{:.2f}"),
    "closed_on_bilabials": Column("shut on ㅁ ㅂ ㅃ ㅍ", "{:.0%}"),
    "closed_when_open": Column("shut when it should be open", "{:.0%}"),
    "closed_in_silence": Column("shut in silence", "{:.0%}"),
    "l1": Column("L1", "{:.4f}"),
    "psnr": Column("PSNR, dB", "{:.1f}"),
    "ssim": Column("SSIM", "{:.3f}"),
}
PUBLISHED = {"syncnet_v2_lse_d": Column("LSE-D", "{:.2f}"), "syncnet_v2_lse_c": Column("LSE-C", "{:.2f}")}
HEARING = {
    "accuracy": Column("accuracy", "{:.1%}"),
    "auc": Column("AUC of windows", "{:.3f}"),
    "auc_clips": Column("AUC of clips", "{:.3f}"),
    "found_as_filmed": Column("offsets found as filmed", "{:.0%}"),
    "found_planted": Column("of those planted", "{:.0%}"),
    "found_shifted_again": Column("found when shifted again", "{:.0%}"),
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
class Strip:
    """Moments of a clip, one row of pictures below the other; all parts span the same time."""

    text: str
    speaker: str
    rows: list[tuple[str, str]]  # label, picture
    mel: str
    frames: int  # that the curves span
    openings: list[tuple[str, str]]  # label, SVG path; 0 open at y 1, wide open at y 0


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
    return Talking(
        strips=strips(metrics / "strips"),
        mouths=lips and table(lips, COLUMNS, metrics / "lipsync.json", measuring("wav2lip", options)),
        published=published(lips, metrics, options),
        experts=sync and table(sync, HEARING, metrics / "sync.json", measuring("syncnet", options)),
        sweep=sweep(sync) if sync else None,
        about=about(lips) if lips else [],
        learned=[one for run in CHARTS if (one := learned(data / "runs" / run, TITLES[run], CHARTS[run], own))],
        digest=digest(sync, lips),
    )


def _read(path: Path) -> dict | None:
    return json.loads(path.read_text()) if path.exists() else None


def measuring(run: str, options: str) -> str:
    """Give the command that measures a run."""
    return f"python -m training.evaluate run={run} corpus={CORPUS} {options}".strip()


def published(lips: dict | None, metrics: Path, options: str) -> Table | None:
    """Lay out LSE by SyncNet's own weights, if the user brought them: a table of its own."""
    if not lips or not any(name in row for row in lips["rows"] for name in PUBLISHED):
        return None
    asked = f"{measuring('wav2lip', options)} evaluate_wav2lip.syncnet_v2=syncnet_v2.model"
    return table(lips, PUBLISHED, metrics / "lipsync.json", asked)


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


def own(about: dict) -> list[tuple[str, str]]:
    """Tell what is a network of lips' own in what its run says: (label, value)."""
    data, network = about["data"], about["network"]
    return [
        ("talks", f"{data['train']} clips of {data['train_speakers']} speakers trained on, {data['val']} to validate"),
        ("network", f"{network['width']:g} of the published width, {network['edge']} pixels"),
    ]


def digest(sync: dict | None, lips: dict | None) -> dict[str, float | None]:
    """Pick the figures by which two runs are compared."""
    wanted = {"auc": (sync, "auc"), "lse_d": (lips, "lse_d"), "opening": (lips, "opening_correlation")}
    found = {}
    for name, (figures, key) in wanted.items():
        ours = next((row for row in (figures or {"rows": []})["rows"] if row["name"] == "this run"), {})
        found[name] = value(ours[key]) if key in ours else None
    return found
