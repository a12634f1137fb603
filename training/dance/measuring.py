"""Measure a dancer on the songs that no training heard: data/runs, packs, starters -> data/metrics/dances.

run=dance writes dance.json, run=dance_gan dance_gan.json. What each figure means stands in training/dance/metrics; the
rows that say what it is worth in training/dance/rows.py. The true beats of the demo's songs are read here and by no
training.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from omegaconf import DictConfig
from pydantic import Field
from torch import nn

from inference import bundle, devices
from inference.errors import UserError, one_line
from inference.networks.dance import DanceConfig, Denoiser
from inference.networks.dance_gan import Composer, ComposerConfig
from preprocessing import dancepacks
from preprocessing.dancepacks import Dances
from scraping import stage
from training import finished
from training.dance import rows, scoring
from training.dance.metrics import beats
from training.dance.rows import Clip
from training.dance.scoring import Scored
from training.finished import Run

DATA = Path("data")
OURS = "this run"
NETWORKS = {"dance": ("denoiser", Denoiser, DanceConfig), "dance_gan": ("composer", Composer, ComposerConfig)}
COMPARED = (
    "beats.precision", "beats.recall", "beats.f1", "beats.f1_over_chance", "beats.legacy_precision",
    "beats.legacy_recall", "feet.pfc", "feet.skate_cm_s", "faults.freeze", "faults.jerk",
)  # fmt: skip


class Settings(stage.Settings):
    """What is measured, and how."""

    name: str  # of the folder in data/runs
    starter: str | None  # folder in data/starters, shown beside where it is there
    beside: list[Literal["dance", "dance_gan"]]  # other runs that are shown where they are there
    device: Literal["auto", "cpu", "cuda"]
    split: Literal["test", "val"]
    seconds: float = Field(ge=1)  # of each dance, from its beginning
    seeds: list[int] = Field(min_length=1)
    steps: int = Field(ge=1)
    guidance: float = Field(ge=0)
    genre: Literal["none", "own"]  # own: networks are told the genre of the true dance
    others: int = Field(ge=1)  # songs that a dance is scored against beside its own
    window: float = Field(ge=0.5)  # seconds of which the corrected features are taken
    floor_draws: int = Field(ge=1)
    draws: int = Field(ge=100)  # of songs, for the intervals
    seed: int = Field(ge=0)


def main(config: DictConfig) -> None:
    """Measure the run of a composed config."""
    key = f"evaluate_{config.run}"
    settings = stage.settings(config, key, Settings)
    with stage.work(key, config.corpus, config.world, stage.fingerprint(settings.model_dump())):
        dances = dancepacks.read(DATA / "processed" / config.corpus)
        run = read_run(config.run, DATA / "runs" / settings.name)
        truths = read_truth(DATA / "truth" / config.corpus / "truth.json", dances)
        clips = rows.clips(dances, settings.split, settings.seconds, settings.others, truths)
        figures = nothing(dances, clips, settings) or measure(run, dances, clips, settings)
        told = {"measured": True} | figures | described(run, dances, clips, settings) | tracked(dances, truths)
    target = DATA / "metrics" / config.corpus / f"{config.run}.json"
    stage.write_atomically(target, (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode())
    say(figures)


def measure(run: Run, dances: Dances, clips: list[Clip], settings: Settings) -> dict:
    """Score every row, and say by how much the run is more than each of the others."""
    way = scoring.Measure(settings.window, settings.floor_draws, settings.draws, settings.seed)
    true = scoring.truth(dances, way)
    asked, seeds = rows.Asked(settings.steps, settings.guidance, settings.genre), settings.seeds
    dancer = rows.Dancer(_ready(run.network, settings), genres_of(run), asked)
    ours = scoring.score(rows.danced(OURS, dancer, seeds), clips, way)
    locked = scoring.score(rows.locked(f"{OURS}, feet locked", dancer, seeds), clips, way)
    shuffled = scoring.shuffled(ours, "the same dances, scored against the beats of other songs")
    others = []
    for name, other in beside(settings).items():
        about = "as the network dances"
        if other.trained_on != dances.fingerprint:
            about += f", trained on other dances than these ({other.trained_on})"
        theirs = rows.Dancer(_ready(other.network, settings), genres_of(other), asked)
        others.append(scoring.score(rows.danced(name, theirs, seeds, about), clips, way))
    unlearned = [scoring.score(row, clips, way) for row in rows.unlearned(dances, seeds)]
    table: list[Scored] = [ours, locked, *others, shuffled, *unlearned]
    return {
        "rows": [scoring.figures(scored, true, way) for scored in table],
        "differences": scoring.differences(ours, table[1:], COMPARED, way),
    }


def beside(settings: Settings) -> dict[str, Run]:
    """Read what is shown beside the run, where it is there."""
    found: dict[str, Run] = {}
    if settings.starter and (folder := DATA / "starters" / settings.starter).exists():
        starter = bundle.load(folder).require("dance")
        told, provenance = starter.manifest, starter.manifest["provenance"]
        about = {"genres": told["genres"], "data": {"fingerprint": provenance["data_fingerprint"]}}
        found["starter"] = Run(starter.network(), about)
    for name in settings.beside:
        if (folder := DATA / "runs" / name).exists():
            found[f"run {name}"] = read_run(name, folder)
    return found


def read_run(run: str, folder: Path) -> Run:
    """Read what a run says of itself and its network."""
    network, kind, shape = NETWORKS[run]
    return finished.read(folder, network, lambda told: kind(shape(**told)), f"run={run} corpus=dances")


def genres_of(run: Run) -> list[str]:
    return run.about.get("genres", [])


def read_truth(path: Path, dances: Dances) -> dict[str, np.ndarray]:
    """Read the true beats of the pack's songs, seconds; none of a world that knows none."""
    if not path.exists():
        return {}
    known = {song.song for song in dances.songs}
    try:
        songs = json.loads(path.read_text())["songs"]
        return {name: np.array(song["beats"], float) for name, song in songs.items() if name in known}
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} is no truth of dances ({one_line(error)}): make the demo dances anew") from None


def nothing(dances: Dances, clips: list[Clip], settings: Settings) -> dict | None:
    """Say why nothing can be measured, if so."""
    if not clips:
        why = f"none of the {len(dances.dances)} dances is held out as `{settings.split}`"
    elif not dances.of("train"):
        why = f"none of the {len(dances.dances)} dances is in training, and what is retrieved comes from there"
    else:
        return None
    return {"measured": False, "why": why, "rows": [], "differences": []}


def described(run: Run, dances: Dances, clips: list[Clip], settings: Settings) -> dict:
    """Say what was measured on what, and how."""
    return {
        **run.described,
        "data": {
            "fingerprint": dances.fingerprint,
            "split": settings.split,
            "dances": len(clips),
            "songs": len({clip.dance.song for clip in clips}),
            "seconds": round(sum(clip.seconds for clip in clips), 1),
        },
        "sampled": {name: getattr(settings, name) for name in ("seeds", "steps", "guidance", "genre")},
        "sigma_ms": round(beats.SIGMA * 1000),
        "window_seconds": settings.window,
        "interval": f"95 %: {settings.draws} bootstrap draws of songs; of FID and KID a jackknife over songs",
    }


def tracked(dances: Dances, truths: dict[str, np.ndarray]) -> dict:
    """Say by which beats the dances were scored, and how well the tracker finds those that are known."""
    if not truths:
        return {"beats": "as tracked: nobody knows them"}
    heard = [beats.found(np.array(song.beats), truths[song.song]) for song in dances.songs if song.song in truths]
    return {
        "beats": "known exactly",
        "tracked": {
            "within_ms": round(beats.WITHIN * 1000),
            "f1": round(float(np.mean(heard)), 4),
            "songs": len(heard),
        },
    }


def say(figures: dict, out: Callable[[str], None] = print) -> None:
    """Print the table's main columns, and whether the beats are met better than by the other rows."""
    if not figures["rows"]:
        out(f"not measured: {figures['why']}")
    for row in figures["rows"]:
        shown = {
            "F1": row["beats"]["f1"],
            "of chance": row["beats"]["chance_f1"],
            "FID_k": row["features"]["corrected"].get("fid_k"),
            "FID_g": row["features"]["corrected"].get("fid_g"),
            "PFC": row["feet"]["pfc"],
            "skate cm/s": row["feet"]["skate_cm_s"],
            "freeze": row["faults"]["freeze"],
        }
        out(f"{row['name']}: " + ", ".join(f"{name} {_shown(figure)}" for name, figure in shown.items()))
    for one in figures["differences"]:
        if one["figure"] == "beats.f1" and one["value"] is not None:
            out(f"F1 of {OURS} less that of {one['row']}, song by song: {_shown(one)}")


def _ready(network: nn.Module, settings: Settings) -> nn.Module:
    return network.to(devices.chosen(settings.device, "device")).eval().requires_grad_(False)


def _shown(figure: dict | None) -> str:
    if figure is None or figure["value"] is None:
        return "unknown"
    ends = figure["interval_95"]
    return f"{figure['value']:.3f}" + (f" [{ends[0]:.3f}, {ends[1]:.3f}]" if ends else "")
