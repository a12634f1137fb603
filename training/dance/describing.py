"""What a bundle of dances says of itself: its manifest, out of what the run, the pack and the metrics say."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from inference import golden
from inference.manifest import DANCE_FPS
from preprocessing.dancepacks import SPLITS, Dances
from training import finished, provenance, shipping

# The figures that a bundle repeats, of all that an evaluation finds.
SHOWN = (
    "beats precision", "beats recall", "beats f1", "beats f1_over_chance", "features corrected fid_k",
    "features corrected fid_g", "features corrected div_k", "features corrected div_g", "feet skate_cm_s",
    "feet penetration_cm", "feet pfc", "faults freeze", "faults loop", "faults jerk",
)  # fmt: skip


class Run(finished.About):
    """What the export reads of run.json."""

    run: str
    genres: list[str]


@dataclass(frozen=True)
class Trained:
    """A run's network and what is known of it."""

    network: nn.Module
    run: Run
    sha256: str  # of its weights' file

    @property
    def demo(self) -> bool:
        return self.run.world == "demo"

    @property
    def shape(self) -> dict[str, Any]:
        """The network as a manifest holds it."""
        return {"kind": self.run.run, **dataclasses.asdict(self.network.config)}


def describe(name: str, version: str, half: bool, trained: Trained, dances: Dances, metrics: Path) -> dict:
    """Put the manifest together, but for the hashes and the parity."""
    run, network = trained.run, trained.network
    inputs = golden.dance_inputs(trained.shape, network.config)
    window = inputs["music"][0]
    return {
        "name": name,
        "version": version,
        "task": "dance",
        "network": trained.shape,
        "precision": "float16" if half else "float32",
        "inputs": {key: ["N", *("T" if side is None else side for side in shape)] for key, shape in inputs.items()},
        "outputs": {"motion": ["N", "T" if window is None else window, golden.MOTION]},
        "music": {"fps": DANCE_FPS, **_units(network, "music")},
        "motion": {"fps": DANCE_FPS, "order": "4 contacts, 3 root, 24 x 6 rotations", **_units(network, "motion")},
        "genres": list(run.genres),
        "licences": {
            "weights": run.licence,
            "code": provenance.CODE_LICENCE,
            "data": provenance.counted(dance.licence for dance in dances.dances),
        },
        "consent": provenance.counted(dance.consent for dance in dances.dances),
        "commercial": run.commercial,
        "demo": trained.demo,
        "provenance": _provenance(trained, dances),
        "metrics": digest(metrics, run.run),
        "created": run.finished,  # the clock of the export is no input
    }


def _units(network: nn.Module, what: str) -> dict[str, Any]:
    """Give how many numbers a frame of music or motion has, and the mean and deviation of each."""
    mean, std = getattr(network, f"{what}_mean"), getattr(network, f"{what}_std")
    return {"columns": len(mean), "mean": mean.tolist(), "std": std.tolist()}


def _provenance(trained: Trained, dances: Dances) -> dict:
    run = trained.run
    return {
        "git": provenance.revision(),
        "trained_at": run.git,
        "data_fingerprint": run.data.fingerprint,
        "dances": _counted(dances),
        "steps": run.steps,
        "seconds": run.seconds,
        "device": run.device,
        "started_from": run.started,
        "read_from": {"kind": "run", "sha256": trained.sha256},
        "command": run.command,
    }


def _counted(dances: Dances) -> dict:
    """Count dances and songs of each part, and the seconds of all."""
    parts = {split: dances.of(split) for split in SPLITS}
    seconds = round(sum(dance.seconds for dance in dances.dances), 1)
    return {
        split: {"dances": len(found), "songs": len({dance.song for dance in found})} for split, found in parts.items()
    } | {"seconds": seconds}


def digest(path: Path, run: str) -> dict:
    """Give the figures that a bundle repeats, each with its N; where none were taken, say so."""
    if not path.exists():
        return {"measured": False, "why": f"python -m training.evaluate run={run} corpus=dances has not run on it"}
    metrics = json.loads(path.read_text(encoding="utf-8"))
    if not metrics.get("measured", True):
        return {"measured": False, "why": metrics.get("why", "the evaluation gave no reason")}
    rows = []
    for row in metrics["rows"]:
        found = dict(shipping.figures(row))
        shown = {name: found[name] for name in SHOWN if name in found}
        figures = {name: {key: each.get(key) for key in ("value", "interval_95", "n")} for name, each in shown.items()}
        rows.append({"name": row["name"], "about": row.get("about"), "songs": row.get("songs"), "figures": figures})
    return {"measured": True, "steps": metrics.get("steps"), "rows": rows}
