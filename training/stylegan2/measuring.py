"""Measure a trained generator: how far its pictures are from held-out ones, how often they show one person, copies.

Reals are the pictures of the pack that no training saw. Every row of distances holds as many pictures and is measured
against the same reals; the rows that no generator made say what the others mean.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
import torch
from omegaconf import DictConfig
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file

from inference import bundle, devices
from inference.errors import UserError, one_line
from inference.networks.stylegan2 import Generator, GeneratorConfig, latents, to_uint8
from preprocessing import packing
from preprocessing.packing import Pack
from scraping import stage
from training.metrics import detectors, distances, neighbours
from training.metrics.inception import Features
from training.stylegan2 import data

LEAST = 3  # held-out pictures: fewer have no interval


class Distances(stage.Settings):
    pictures: int = Field(ge=LEAST)
    truncation: float
    blurs: dict[str, Annotated[float, Field(gt=0)]]


class Nearest(stage.Settings):
    avatars: int = Field(ge=1)
    count: int = Field(ge=1)


class Detector(stage.Settings):
    longest: int = Field(ge=32)
    margin: int = Field(ge=0)
    score: float = Field(gt=0, lt=1)


class Detectors(stage.Settings):
    face: Detector
    person: Detector


class Settings(stage.Settings):
    run: str
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["float32", "bfloat16"]
    batch: int = Field(ge=1)
    seed: int = Field(ge=0)
    first_seed: int = Field(ge=0)
    avatars: int = Field(ge=1)
    truncation: float
    distances: Distances
    nearest: Nearest
    detectors: Detectors


@dataclass(frozen=True)
class Reals:
    """The pictures of a pack, uint8 [N, H, W, 3], and which of them no training saw."""

    pictures: np.ndarray
    names: list[str]
    held_out: np.ndarray
    order: np.ndarray  # positions of the others, shuffled


def main(config: DictConfig) -> None:
    """Measure the run of a composed config: data/runs, processed and starters -> data/metrics."""
    settings = stage.settings(config, "evaluate", Settings)
    corpus = config.corpus
    target = Path("data/metrics") / corpus
    reals = read_reals(packing.read_pack(Path("data/processed") / corpus), settings.seed)
    run, generator = read_run(Path("data/runs") / settings.run, reals)
    if len(reals.held_out) < LEAST or len(reals.order) < LEAST:
        why = (
            f"{len(reals.held_out)} of {len(reals.pictures)} pictures are held out: at least {LEAST} of each are needed"
        )
        figures, near = {"measured": False, "why": why}, {}
    else:
        with stage.work("evaluate", corpus, config.world, stage.fingerprint(settings.model_dump())):
            starter = read_starter(Path("data/starters") / corpus, generator.config)
            figures, near = evaluate(generator, starter, reals, config.images.subject, settings)
        figures |= run
    for name, content in (("nearest.json", near), ("avatars.json", figures)):
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        stage.write_atomically(target / name, text.encode())
    _print(figures)


def read_reals(pack: Pack, seed: int) -> Reals:
    """Read a pack whole; the order of the training pictures depends on the seed alone."""
    others = np.array(data.positions(pack, "train"), int)
    return Reals(
        pictures=data.pictures(pack, "all"),
        names=pack.index["sha256"].to_list(),
        held_out=np.array(data.positions(pack, "held_out"), int),
        order=np.random.default_rng(seed).permutation(others),
    )


def read_run(folder: Path, reals: Reals) -> tuple[dict, Generator]:
    """Read what a run says of itself and its averaged generator."""
    about_path, weights_path = folder / "run.json", folder / "ema.safetensors"
    for path in (about_path, weights_path):
        if not path.exists():
            raise UserError(
                f"{path} is not there: run python -m training.train run=stylegan2 corpus={folder.name} first"
            )
    try:
        about = json.loads(about_path.read_text())
        data_of = about["data"] or {"fingerprint": None}  # what was brought does not say
        described = {"run": folder.name, "kimg": about["kimg"], "trained_on": data_of["fingerprint"]}
        generator = Generator(GeneratorConfig(**about["network"]))
        generator.load_state_dict(load_file(weights_path))
    except (ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        why = one_line(error)
        raise UserError(f"{folder} holds no whole run ({type(error).__name__}: {why}): train anew") from None
    made, there = (generator.config.height, generator.config.width), reals.pictures.shape[1:3]
    if made != there:
        raise UserError(f"{folder} makes pictures of {made} pixels (height, width), the pack has {there}: train anew")
    return described, generator.eval().requires_grad_(False)


def read_starter(folder: Path, config: GeneratorConfig) -> Generator | None:
    """Read the starter of this kind, where there is one of the same size."""
    if not folder.exists():
        return None
    generator = bundle.load(folder).generator()
    same = (generator.config.height, generator.config.width) == (config.height, config.width)
    if not same:
        print(f"{folder} is left out: it makes pictures of another size than this run", flush=True)
    return generator if same else None


def evaluate(
    generator: Generator, starter: Generator | None, reals: Reals, subject: str, settings: Settings
) -> tuple[dict, dict]:
    """Put every figure together, each with its N: the figures, and the nearest training pictures of each seed."""
    device = devices.chosen(settings.device, "evaluate.device")
    precision = "float32" if settings.precision == "float32" or not _computes_bfloat16(device) else "bfloat16"
    features = _Reader(Features(device=device, batch=settings.batch), precision, settings.batch)
    made = {"this run": generator, "starter": starter}
    made = {name: network.to(device) for name, network in made.items() if network is not None}
    seeds = range(settings.first_seed, settings.first_seed + settings.avatars)
    avatars = {name: make(network, seeds, settings.truncation, settings.batch) for name, network in made.items()}
    real = features("reals", reals.pictures)
    rows = measure_distances(made, reals, real, features, settings)
    nearest, near = measure_nearest(avatars["this run"], seeds, reals, real, features, settings.nearest)
    figures = {
        "measured": True,
        "avatars": settings.avatars,
        "truncation": settings.truncation,
        "seeds": f"{seeds[0]}-{seeds[-1]}",
        "reals": len(reals.held_out),
        "precision": precision,
        "interval": "95 %: jackknife over the pictures of both sides for FID and KID, Wilson for shares",
        "rows": rows,
        "detector": measure_detector(avatars, reals, subject, settings),
        "nearest": nearest,
    }
    return {"summary": summary(figures), **figures}, near


def summary(figures: dict) -> dict[str, float | None]:
    """Pick what `dvc metrics show` and `diff` can set side by side: they do not look into lists."""
    rows = {row["name"]: row for row in figures["rows"]}
    shown = {"this run": "", "starter": "starter_", "blurred reals": "blurred_"}
    distances_of = {
        f"{prefix}{kind}": rows[name][kind]["value"]
        for name, prefix in shown.items()
        for kind in ("fid", "kid")
        if name in rows
    }
    detector = figures["detector"]
    return distances_of | {"detected": detector["avatars"]["share"], "of_rate_on_reals": detector["ratio"]}


def measure_distances(
    made: dict[str, Generator], reals: Reals, real: np.ndarray, features: "_Reader", settings: Settings
) -> list[dict]:
    """Measure every row of pictures against the held-out reals; generators against the training pictures as well.

    FID depends on both N, so all rows hold the same number of pictures.
    """
    asked = settings.distances
    count = min(asked.pictures, len(reals.order))
    shown, held_out = reals.pictures[reals.order[:count]], real[reals.held_out]
    seeds = range(settings.first_seed, settings.first_seed + count)
    rows = []
    for name, network in made.items():
        found = features(name, make(network, seeds, asked.truncation, settings.batch))
        about = f"avatars of seeds {seeds[0]}-{seeds[-1]} at truncation {asked.truncation:g}"
        row = _row(name, about, found, held_out)
        rows.append(row | {"kid_to_training_pictures": distances.kid(found, real[reals.order]).rounded()})
    about = "training pictures: what a generator that copies gets, and about the best that one can get at this N"
    rows.append(_row("real half against real half", about, real[reals.order[:count]], held_out))
    width = shown.shape[2]
    for name, share in asked.blurs.items():
        blurred = np.stack([cv2.GaussianBlur(picture, (0, 0), share * width) for picture in shown])
        about = f"training pictures under a Gaussian of sigma {share * width:g} pixels, {share:g} of the width"
        rows.append(_row(name, about, features(name, blurred), held_out))
    noise = np.random.default_rng(settings.seed).integers(0, 256, shown.shape, dtype=np.uint8)
    rows.append(_row("noise", "uniform noise, every value for itself", features("noise", noise), held_out))
    return rows


def _row(name: str, about: str, found: np.ndarray, held_out: np.ndarray) -> dict:
    fid, kid = distances.fid(found, held_out), distances.kid(found, held_out)
    return {"name": name, "about": about, "fid": fid.rounded(3), "kid": kid.rounded()}


def measure_detector(avatars: dict[str, np.ndarray], reals: Reals, subject: str, settings: Settings) -> dict:
    """Measure in what share of the avatars, and of the reals, a detector finds exactly one face or person.

    The cleaning chose the reals by the same detector: their rate is near 1 by construction.
    """
    faces = subject == "face"
    asked = settings.detectors.face if faces else settings.detectors.person
    if faces:
        count = detectors.face_counter(asked.longest, asked.margin, asked.score)
    else:
        count = detectors.person_counter(asked.longest, asked.margin, asked.score, torch.get_num_threads())
    of_reals = _counted(count, "reals", reals.pictures)
    sets = {"avatars" if name == "this run" else name: _counted(count, name, made) for name, made in avatars.items()}
    noise = np.random.default_rng(settings.seed).integers(0, 256, (64, *reals.pictures.shape[1:]), dtype=np.uint8)
    sets |= {"held_out": of_reals[reals.held_out], "reals": of_reals, "noise": _counted(count, "noise", noise)}
    shares = {name: detectors.exactly_one(counts.tolist()) for name, counts in sets.items()}
    ours, theirs = shares["avatars"]["share"], shares["held_out"]["share"]
    shown = f"every picture with its longest side at {asked.longest} pixels (bicubic), {asked.margin} of white around"
    return {
        "of": "face" if faces else "person",
        "by": f"{'YuNet' if faces else 'YOLOv5nu'} at a score of {asked.score:g}; {shown}",
        **shares,
        "ratio": round(ours / theirs, 4) if theirs else None,
    }


def measure_nearest(
    avatars: np.ndarray, seeds: range, reals: Reals, real: np.ndarray, features: "_Reader", asked: Nearest
) -> tuple[dict, dict]:
    """Find the training pictures nearest to avatars, and how near held-out pictures come to them.

    Trainings show every picture mirrored too: a copy of that is one as well, so both ways round are looked at.
    """
    avatars = avatars[: asked.avatars]
    names = [reals.names[position] for position in reals.order]
    spaces = {
        "features": (lambda pictures: features("nearest", pictures), real[reals.order]),
        "pixels": (neighbours.pixels, neighbours.pixels(reals.pictures[reals.order])),
    }
    figures: dict = {
        "of": f"seeds {seeds[0]}-{seeds[len(avatars) - 1]}, as made and mirrored, to {len(names)} training pictures"
    }
    apart = {}
    for space, (see, training) in spaces.items():
        apart[space], of_held_out = (
            neighbours.either_way_round(pictures, training, see)
            for pictures in (avatars, reals.pictures[reals.held_out])
        )
        figures[space] = neighbours.summary(apart[space], of_held_out)
    found = neighbours.nearest(apart["features"], names, asked.count)
    return figures, {str(seed): row for seed, row in zip(seeds, found, strict=False)}


@torch.inference_mode()
def make(generator: Generator, seeds: range, truncation: float, batch: int) -> np.ndarray:
    """Make the picture of each seed: uint8 [N, H, W, 3]. With classes, they are taken in turn."""
    config, device = generator.config, next(generator.parameters()).device
    parts = []
    for start in range(0, len(seeds), batch):
        some = seeds[start : start + batch]
        z = latents(some, config.z_dim).to(device)
        labels = torch.tensor(some, device=device) % config.classes if config.classes else None
        parts.append(to_uint8(generator(z, labels, psi=truncation, noise="const")).cpu().numpy())
    return np.concatenate(parts)


class _Reader:
    """Features of a named set of pictures, with progress."""

    def __init__(self, features: Features, precision: str, batch: int) -> None:
        self.features, self.precision, self.batch = features, precision, batch

    def __call__(self, name: str, pictures: np.ndarray) -> np.ndarray:
        starts = stage.progress(range(0, len(pictures), self.batch), -(-len(pictures) // self.batch), f"see {name}")
        kind, wanted = self.features.device.type, self.precision == "bfloat16"
        with torch.autocast(kind, torch.bfloat16, enabled=wanted):
            return np.concatenate([self.features(pictures[start : start + self.batch]) for start in starts])


def _counted(count: Callable[[np.ndarray], int], name: str, pictures: np.ndarray) -> np.ndarray:
    return np.array([count(picture) for picture in stage.progress(pictures, len(pictures), f"detect in {name}")])


def _computes_bfloat16(device: str) -> bool:
    """Tell whether bfloat16 is faster here; elsewhere it is only less exact."""
    return torch.cuda.is_bf16_supported() if device == "cuda" else torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _print(figures: dict, say: Callable[[str], None] = print) -> None:
    if not figures["measured"]:
        say(f"not measured: {figures['why']}")
        return
    for row in figures["rows"]:
        low, high = row["kid"]["interval_95"]
        say(
            f"{row['name']}: FID {row['fid']['value']:.1f}, KID {row['kid']['value']:.4f} [{low:.4f}, {high:.4f}], "
            f"N {row['kid']['n'][0]} against {row['kid']['n'][1]}"
        )
    found = figures["detector"]
    ours, theirs, near = found["avatars"], found["held_out"], figures["nearest"]["features"]
    say(
        f"one {found['of']} in {ours['share']} of {ours['n']} avatars, in {theirs['share']} of {theirs['n']} held-out "
        f"reals; nearest training picture: {near['ratio']} of a held-out picture's distance"
    )
