"""Measure a sync expert or a lip-sync generator on the clips of speakers that no training saw.

run=syncnet reads the talks as they are filmed and writes data/metrics/talks/sync.json; run=wav2lip reads those that the
expert has put in sync and writes lipsync.json, and strips of pictures for the report. What is exactly known of the demo
talks is read here and by no training.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from omegaconf import DictConfig
from pydantic import Field
from torch import nn

from inference import bundle, devices
from inference.networks.wav2lip import Generator, SyncNet, Wav2LipConfig
from preprocessing import talkpacks
from preprocessing.talkpacks import Talks
from scraping import stage
from training import finished
from training.finished import Run
from training.metrics import mouthtruth
from training.wav2lip import drawing, filmed, listening, strips

DATA = Path("data")
OURS, STARTER, UNTRAINED = "this run", "starter", "untrained"
NETWORKS = {"syncnet": ("expert", SyncNet), "wav2lip": ("generator", Generator)}


class Settings(stage.Settings):
    """What both stages ask for."""

    name: str  # of the folder in data/runs
    device: Literal["auto", "cpu", "cuda"]
    seed: int = Field(ge=0)
    draws: int = Field(ge=100)  # of speakers, for the intervals


class ExpertSettings(Settings):
    """The measuring of a sync expert."""

    listening: listening.Settings


class GeneratorSettings(Settings):
    """The measuring of a lip-sync generator."""

    expert: str  # bundle by which it is heard
    syncnet_v2: str | None  # file of the weights by which LSE is published
    drawing: drawing.Settings
    strips: strips.Settings


def main(config: DictConfig) -> None:
    """Measure the run of a composed config: data/runs, packs, starters and data/truth -> data/metrics."""
    key = f"evaluate_{config.run}"
    measure, kind = {"syncnet": (measure_expert, ExpertSettings), "wav2lip": (measure_generator, GeneratorSettings)}[
        config.run
    ]
    settings = stage.settings(config, key, kind)
    with stage.work(key, config.corpus, config.world, stage.fingerprint(settings.model_dump())) as folder:
        measure(config, settings, folder)


def measure_expert(config: DictConfig, settings: ExpertSettings, folder: Path) -> None:
    """Measure the expert of a run beside its starter and one that learned nothing."""
    corpus = config.corpus
    talks = talkpacks.read(DATA / "interim" / corpus)
    run = read_run("syncnet", DATA / "runs" / settings.name)
    starter = read_starter(DATA / "starters" / "syncnet", "sync")
    torch.manual_seed(settings.seed)
    untrained = _ready(SyncNet(run.network.config), settings)
    experts = {OURS: run.network} | ({STARTER: starter.network()} if starter else {})
    experts = {name: _ready(network, settings) for name, network in experts.items()} | {UNTRAINED: untrained}
    truths = mouthtruth.read(DATA / "truth" / corpus / "truth.json")
    figures = nothing(talks) or listening.measure(
        experts, talks, truths, settings.listening, settings.draws, settings.seed
    )
    known = {"offsets": "planted and known exactly" if truths else "taken to be 0: nobody knows them"}
    _write(DATA / "metrics" / corpus / "sync.json", figures | known | run.described | _data(talks, settings))
    _say_expert(figures)


def measure_generator(config: DictConfig, settings: GeneratorSettings, folder: Path) -> None:
    """Measure the generator of a run beside its starter and what no generator made."""
    corpus = config.corpus
    talks = talkpacks.read(DATA / "processed" / corpus)
    run = read_run("wav2lip", DATA / "runs" / settings.name)
    starter = read_starter(DATA / "starters" / "lipsync", "lipsync")
    expert = bundle.load(Path(settings.expert)).require("sync")
    truths = mouthtruth.read(DATA / "truth" / corpus / "truth.json")
    target = DATA / "metrics" / corpus
    figures = nothing(talks)
    if not figures:
        drawers = {OURS: drawing.Drawer(_ready(run.network, settings), lead_of(run.about), settings.drawing.batch)}
        if starter:
            lead = starter.manifest["mel"].get("lead", 0)
            drawers[STARTER] = drawing.Drawer(_ready(starter.network(), settings), lead, settings.drawing.batch)
        raw = Path(config.clips.root or DATA / "raw" / corpus).expanduser()  # where the pack's sources lie
        v2 = filmed.Published(Path(settings.syncnet_v2), raw) if settings.syncnet_v2 else None
        figures, shown = drawing_figures(drawers, _ready(expert.network(), settings), talks, truths, settings, v2)
        stage.publish(strips.write(folder / "strips", shown), target / "strips")
    _write(target / "lipsync.json", figures | heard_by(expert, run) | run.described | _data(talks, settings))
    _say_generator(figures)


def drawing_figures(
    drawers: dict[str, drawing.Drawer],
    expert: nn.Module,
    talks: Talks,
    truths: dict[str, mouthtruth.Truth],
    settings: GeneratorSettings,
    v2: "filmed.Published | None",
) -> tuple[dict, list[strips.Strip]]:
    """Measure every row of pictures, clip by clip, and keep the strips of a few clips."""
    readers, proxy = drawing.readers(talks, truths)
    rows = drawing.rows(drawers, settings.drawing.shift)
    kept = strips.Keeper(settings.strips, talks)
    clips = stage.progress(drawing.clips(talks, truths), len(talks.of("test")), "measure clips")
    for shown in clips:
        for row in rows:
            made = row.make(shown)
            drawing.measure_clip(row, made, shown, expert, settings.drawing.speaking)
            if v2 and shown.clip.speech >= settings.drawing.speaking:
                score = v2.score(shown.clip, made, talks.boxes(shown.clip))
                row.add("syncnet_v2_lse_d", shown.clip, score and score.distance)
                row.add("syncnet_v2_lse_c", shown.clip, score and score.confidence)
            opening = None
            if shown.clip.id in readers:
                opening = drawing.measure_mouth(row, made, shown, readers[shown.clip.id])
            kept.keep(row.name, made, shown, opening)
    figures = {
        "measured": True,
        "mouth": proxy,
        "reference": "the frame half a clip away",
        "region": "of L1, PSNR and SSIM: the lower half, the middle two thirds of its width",
        "rows": [drawing.figures(row, settings.draws, settings.seed) for row in rows],
    }
    return figures, kept.strips


def heard_by(expert: bundle.Bundle, run: Run) -> dict:
    """Name the expert by which LSE is given, and say whether it is the one that taught the generator."""
    taught = run.about.get("expert") or {}
    weights = expert.manifest["files"][bundle.MODEL]
    relation = "which taught the generator" if taught.get("sha256") == weights else "which did not teach the generator"
    said = f"the expert {expert.name}, {relation}: no other expert's LSE is comparable"
    return {"heard_by": said, "expert": {"name": expert.name, "weights_sha256": weights, "taught_by": taught or None}}


def nothing(talks: Talks) -> dict | None:
    """Say why nothing can be measured, if so."""
    if talks.of("test"):
        return None
    return {"measured": False, "why": f"none of the {len(talks.clips)} clips is held out as `test`", "rows": []}


def read_run(run: str, folder: Path) -> Run:
    """Read what a run says of itself and its network."""
    network, kind = NETWORKS[run]
    return finished.read(folder, network, lambda told: kind(Wav2LipConfig(**told)), f"run={run} corpus=talks")


def read_starter(folder: Path, task: str) -> bundle.Bundle | None:
    """Read the starter that ships, where there is one."""
    return bundle.load(folder).require(task) if folder.exists() else None


def lead_of(about: dict) -> int:
    """Give from which frame on, counted from a picture, a generator was taught to hear."""
    return int(about.get("mel", {}).get("lead", 0))


def _ready(network: nn.Module, settings: Settings) -> nn.Module:
    return network.to(devices.chosen(settings.device, "device")).eval().requires_grad_(False)


def _data(talks: Talks, settings: Settings) -> dict:
    held_out = talks.of("test")
    return {
        "data": {
            "fingerprint": talks.fingerprint,
            "split": "test",
            "clips": len(held_out),
            "speakers": len({clip.speaker for clip in held_out}),
            "frames": sum(clip.frames for clip in held_out),
        },
        "seed": settings.seed,
        "interval": f"95 %: {settings.draws} bootstrap draws of speakers; Wilson for shares of clips",
    }


def _write(path: Path, figures: dict) -> None:
    text = json.dumps({"measured": True} | figures, indent=2, ensure_ascii=False) + "\n"
    stage.write_atomically(path, text.encode())


def _say_expert(figures: dict, say: Callable[[str], None] = print) -> None:
    if not figures["rows"]:
        say(f"not measured: {figures['why']}")
    for row in figures["rows"]:
        found = row["found_shifted_again"]
        auc = f"AUC {_shown(row['auc'])} of windows, {_shown(row['auc_clips'])} of clips"
        again = f"offsets within {found['within']} in {found['share']} of {found['n']} clips shifted again"
        say(f"{row['name']}: accuracy {_shown(row['accuracy'])}, {auc}, {again}")


def _say_generator(figures: dict, say: Callable[[str], None] = print) -> None:
    if not figures["rows"]:
        say(f"not measured: {figures['why']}")
    names = ("lse_d", "lse_c", "l1", "ssim", "opening_correlation", "closed_on_bilabials")
    for row in figures["rows"]:
        known = [f"{name} {_shown(row[name])}" for name in names if name in row and row[name]["value"] is not None]
        say(f"{row['name']}: {', '.join(known)}")


def _shown(figure: dict) -> str:
    if figure["value"] is None:
        return "unknown"
    ends = figure["interval_95"]
    return f"{figure['value']:.3f}" + (f" [{ends[0]:.3f}, {ends[1]:.3f}]" if ends else "")
