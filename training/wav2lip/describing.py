"""What a bundle of lips says of itself: its manifest, out of what the run, the talks and the metrics say."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field
from torch import Tensor, nn

from inference.networks.wav2lip import EDGE, Generator, SyncNet, Wav2LipConfig
from preprocessing.talkpacks import FPS, SPLITS, Talks
from training import finished, provenance, shipping
from training.sources import Source

PUBLISHED_MEL = {"sync": {"padding": "reflect", "lead": 0}, "lipsync": {"padding": "reflect", "lead": -1}}


@dataclass(frozen=True)
class Kind:
    """What is exported of a run: its task, and where its weights and the talks that it saw lie."""

    task: str
    network: str  # its name among the run's files
    build: type[nn.Module]
    kind: str  # as bundles call it
    name: str
    pack: str  # in data/, where the run does not say
    metrics: str  # in data/metrics/<corpus>/


KINDS = {
    "syncnet": Kind("sync", "expert", SyncNet, "syncnet", "syncnet", "interim", "sync.json"),
    "wav2lip": Kind("lipsync", "generator", Generator, "wav2lip", "lipsync", "processed", "lipsync.json"),
}


class Run(finished.About):
    """What the export reads of run.json."""

    mel: dict
    expert: dict | None = None  # of a generator: name, sha256, licence, .. of who taught it
    frozen: list[str] = Field(default_factory=list)


@dataclass(frozen=True)
class Trained:
    """Weights and what is known of them: by a run of ours, or, of a file that somebody brought, nothing."""

    kind: Kind
    width: float
    state: dict[str, Tensor]
    file: Source  # that the weights were read from
    run: Run | None
    discriminator: dict[str, Tensor] | None = None

    @property
    def mel(self) -> dict:
        return self.run.mel if self.run else PUBLISHED_MEL[self.kind.task]

    @property
    def demo(self) -> bool:
        return self.run is not None and self.run.world == "demo"

    @property
    def long(self) -> str:
        return f"{self.run.steps} steps" if self.run else "brought"


def describe(name: str, version: str, half: bool, trained: Trained, talks: Talks | None, metrics: Path) -> dict:
    """Put the manifest together, but for the hashes and the parity."""
    run, kind = trained.run, trained.kind
    inputs, outputs = _shapes(kind.task, Wav2LipConfig(trained.width).channels(512))
    bound = run or trained.file
    counted = talks.clips if run else []
    manifest = {
        "name": name,
        "version": version,
        "task": kind.task,
        "network": {"kind": kind.kind, "width": trained.width, "edge": EDGE},
        "precision": "float16" if half else "float32",
        "inputs": inputs,
        "outputs": outputs,
        "mel": {"rate": 16_000, "columns_per_second": 80, **trained.mel},
        "licences": {
            "weights": bound.licence,
            "code": provenance.CODE_LICENCE,
            "data": provenance.counted(clip.licence for clip in counted),
        },
        "consent": provenance.counted(clip.consent for clip in counted),
        "commercial": bound.commercial,
        "demo": trained.demo,
        "provenance": _provenance(trained, talks),
        "metrics": digest(metrics, kind.kind) if run else {"measured": False, "why": "these weights were brought"},
        "created": run.finished if run else "",  # the clock of the export is no input
    }
    taught = (run and run.expert) or {}
    return (
        manifest if kind.task == "sync" else manifest | {"expert": {key: taught.get(key) for key in ("name", "sha256")}}
    )


def _shapes(task: str, features: int) -> tuple[dict, dict]:
    mel, colours = ["N", 1, 80, 16], "BGR, 0 to 1"
    if task == "lipsync":
        return (
            {"mel": mel, "face": ["N", 6, EDGE, EDGE], "colours": colours},
            {"picture": ["N", 3, EDGE, EDGE], "colours": colours},
        )
    embedding = ["N", features]
    return {"mel": mel, "faces": ["N", 15, EDGE // 2, EDGE], "colours": colours}, {
        "audio": embedding,
        "face": embedding,
    }


def _provenance(trained: Trained, talks: Talks | None) -> dict:
    read = {key: getattr(trained.file, key) for key in ("kind", "name", "sha256")}
    run = trained.run
    if run is None:
        return {"git": provenance.revision(), "steps": None, "read_from": read}
    return {
        "git": provenance.revision(),
        "trained_at": run.git,
        "data_fingerprint": run.data.fingerprint,
        "talks": _counted(talks),
        "steps": run.steps,
        "seconds": run.seconds,
        "device": run.device,
        "started_from": run.started,
        "frozen": run.frozen,
        "read_from": read,
        "command": run.command,
    }


def digest(path: Path, run: str) -> dict:
    """Give the figures that a bundle repeats, each with its N; where none were taken, say so."""
    if not path.exists():
        return {"measured": False, "why": f"python -m training.evaluate run={run} has not run on it"}
    metrics = json.loads(path.read_text(encoding="utf-8"))
    if not metrics.get("measured", True):
        return {"measured": False, "why": metrics.get("why", "the evaluation gave no reason")}
    rows = [{"name": row["name"], "about": row.get("about"), "figures": _figures(row)} for row in metrics["rows"]]
    return {"measured": True, "steps": metrics.get("steps"), "rows": rows}


def _figures(row: Mapping[str, Any]) -> dict[str, dict]:
    return {
        name: {"value": figure.get("value", figure.get("share"))}
        | {key: figure.get(key) for key in ("interval_95", "n", "speakers")}
        for name, figure in shipping.figures(row)
    }


def _counted(talks: Talks) -> dict:
    """Count clips and speakers of each part, and the seconds of all."""
    parts = {split: talks.of(split) for split in SPLITS}
    seconds = round(sum(clip.frames for clip in talks.clips) / FPS, 1)
    return {
        split: {"clips": len(clips), "speakers": len({clip.speaker for clip in clips})}
        for split, clips in parts.items()
    } | {"seconds": seconds}
