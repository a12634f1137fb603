"""Score the dances of each row, and put the scores of a row together.

Per clip: its beats against the music's, its feet, its faults. Per row: where its dances lie among the training dances
in kinetic and geometric feature space, whole clips as published (`legacy`) and windows of one length (`corrected`).
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from inference.motion.clip import FPS
from preprocessing.dancepacks import Dances
from scraping import stage
from training.dance.metrics import beats, faults, feet, frechet, geometric, kinetic, sampling, songs
from training.dance.metrics.songs import Part
from training.dance.rows import Clip, Row

KINDS = {"k": kinetic, "g": geometric}  # as published tables call them
MODES = ("legacy", "corrected")
ALIGNED = ("precision", "recall", "f1", "chance_precision", "chance_recall", "chance_f1", "f1_over_chance", "density")
PUBLISHED = ("legacy_precision", "legacy_recall", "legacy_chance_precision", "legacy_chance_recall")
Features = dict[tuple[str, str], np.ndarray]  # (mode, kind): [N, D]


@dataclass(frozen=True)
class Measure:
    """How rows are put together."""

    window: float  # seconds of the corrected features
    floor_draws: int
    draws: int
    seed: int


@dataclass(frozen=True)
class Scored:
    """A row and what was found in its dances."""

    row: Row
    parts: dict[str, list[Part]]  # "beats.f1" ...
    features: dict[str, Features]  # of each song
    spread: float | None  # z of F1 against chance


@dataclass(frozen=True)
class Truth:
    """Features of the true dances, and their spaces."""

    spaces: dict[tuple[str, str], frechet.Space]
    placed: Features


def truth(dances: Dances, measure: Measure) -> Truth:
    """Compute the features of true dances: all of the pack for `legacy`, as published; the training ones else."""
    chosen = [dance for dance in dances.dances if dance.frames >= sampling.LEAST]
    named = stage.progress(chosen, len(chosen), "features of the true dances")
    every = [(dance.split, features(dances.motion(dance).positions(), measure)) for dance in named]
    true = {
        (mode, kind): np.concatenate([one[mode, kind] for split, one in every if mode == "legacy" or split == "train"])
        for mode in MODES
        for kind in KINDS
    }
    spaces = {key: frechet.space(of, key[0]) for key, of in true.items() if len(of)}
    return Truth(spaces, {key: spaces[key].place(true[key]) for key in spaces})


def features(positions: np.ndarray, measure: Measure) -> Features:
    """Give a clip's features: of the whole of it for `legacy`, [1, D]; of its windows else, [N, D]."""
    windows = sampling.windows(positions, round(measure.window * FPS))
    parts = {"legacy": [positions], "corrected": windows}
    return {
        (mode, kind): np.array([of.features(part, FPS, mode) for part in parts[mode]]).reshape(-1, of.COUNT)
        for mode in MODES
        for kind, of in KINDS.items()
    }


def score(row: Row, clips: Sequence[Clip], measure: Measure) -> Scored:
    """Make the dances of a row and look at each."""
    parts: dict[str, list[Part]] = {}
    found: dict[str, list[Features]] = {}
    surplus = variance = 0.0
    pairs = [(clip, seed) for seed in row.seeds for clip in clips]
    for clip, seed in stage.progress(pairs, len(pairs), row.name):
        positions = row.make(clip, seed)
        aligned = beats.align(positions, FPS, clip.beats)
        values = {
            **_beats(positions, clip.beats, aligned),
            **{f"other_songs.{name}": value for name, value in others(positions, clip).items()},
            **_body(positions),
        }
        for name, value in values.items():
            parts.setdefault(name, []).append(Part(clip.dance.song, seed, value))
        found.setdefault(clip.dance.song, []).append(features(positions, measure))
        if aligned:
            surplus, variance = surplus + aligned.f1 - aligned.chance[2], variance + aligned.spread**2
    joined = {song: {key: np.concatenate([one[key] for one in of]) for key in of[0]} for song, of in found.items()}
    return Scored(row, parts, joined, surplus / math.sqrt(variance) if variance else None)


def shuffled(ours: Scored, about: str) -> Scored:
    """Give the row of the same dances with the music of other songs: its beats differ, and nothing else."""
    kept = {name: of for name, of in ours.parts.items() if not name.startswith(("beats.", "other_songs."))}
    beaten = {
        name.replace("other_songs.", "beats."): of for name, of in ours.parts.items() if name.startswith("other_songs.")
    }
    row = Row(f"{ours.row.name}, music shuffled", about, ours.row.make, ours.row.seeds)
    return Scored(row, beaten | kept, ours.features, None)


def _beats(positions: np.ndarray, music: np.ndarray, aligned: beats.Alignment | None) -> dict[str, float | None]:
    told = dict.fromkeys((*ALIGNED, "late_ms"))
    if aligned:
        chance = dict(zip(("chance_precision", "chance_recall", "chance_f1"), aligned.chance, strict=True))
        told |= {name: getattr(aligned, name) for name in ("precision", "recall", "f1", "density")} | chance
        told["f1_over_chance"] = aligned.f1 - aligned.chance[2]
        told["late_ms"] = None if aligned.late is None else aligned.late * 1000
    published = dict.fromkeys(PUBLISHED)
    if legacy := beats.legacy(positions, FPS, music):
        published = dict(zip(PUBLISHED, (legacy.precision, legacy.recall, *legacy.chance), strict=True))
    return {f"beats.{name}": value for name, value in (told | published).items()}


def others(positions: np.ndarray, clip: Clip) -> dict[str, float | None]:
    """Score a dance against the beats of other songs, averaged over them."""
    every = [_beats(positions, music, beats.align(positions, FPS, music)) for music in clip.others]
    names = every[0] if every else _beats(positions, np.zeros(0), None)  # of no other song nothing is known
    known = {name: [one[name] for one in every if one[name] is not None] for name in names}
    return {
        name.removeprefix("beats."): float(np.mean(values)) if values else None
        for name, values in known.items()
        if name != "beats.late_ms"  # against another tempo, a mean of delays says nothing
    }


def _body(positions: np.ndarray) -> dict[str, float | None]:
    standing, wrong = feet.footing(positions, FPS), faults.find(positions, FPS)
    return {
        "feet.pfc_legacy": feet.pfc(positions, FPS, "legacy"),
        "feet.pfc": feet.pfc(positions, FPS, "corrected"),
        "feet.skate_cm_s": standing.skate,
        "feet.penetration_cm": standing.penetration,
        "feet.sunk": standing.sunk,
        "feet.floating_cm": standing.floating,
        **{f"faults.{name}": value for name, value in asdict(wrong).items()},
    }


def figures(scored: Scored, true: Truth, measure: Measure) -> dict:
    """Put a row together: every figure with its interval over songs."""
    told: dict[str, dict] = {}
    for name, parts in scored.parts.items():
        group, _, figure = name.partition(".")
        if group != "other_songs":
            told.setdefault(group, {})[figure] = songs.mean(parts, measure.draws, measure.seed)
    some = next(iter(scored.parts.values()))
    return {
        "name": scored.row.name,
        "about": scored.row.about,
        "seeds": list(scored.row.seeds),
        "dances": len(some),
        "songs": len({part.song for part in some}),
        **told,
        "beats_z": None if scored.spread is None else round(scored.spread, 2),
        "features": {mode: _distances(scored, true, mode, measure) for mode in MODES},
    }


def _distances(scored: Scored, true: Truth, mode: str, measure: Measure) -> dict:
    told = {}
    for kind in KINDS:
        key = mode, kind
        if key not in true.spaces:
            continue
        groups = {song: true.spaces[key].place(of[key]) for song, of in scored.features.items() if len(of[key])}
        count = sum(len(of) for of in groups.values())
        value, ends = frechet.jackknife(groups, true.placed[key])
        told[f"fid_{kind}"] = _figure(value, ends, [count, len(true.placed[key])])
        together = np.concatenate(list(groups.values())) if groups else np.zeros((0, 1))
        told[f"div_{kind}"] = _figure(frechet.diversity(together), None, count)
        if mode == "corrected":
            floor = frechet.floor(true.placed[key], count, measure.floor_draws, measure.seed)
            told[f"fid_{kind}_floor"] = None if floor is None else round(floor, 4)
            told[f"kid_{kind}"] = _figure(*frechet.jackknife(groups, true.placed[key], frechet.kid), count)
    return told


def _figure(value: float | None, ends: list[float] | None, count: int | list[int]) -> dict:
    return {
        "value": None if value is None else round(value, 4),
        "interval_95": None if ends is None else [round(end, 4) for end in ends],
        "n": count,
    }


def differences(ours: Scored, rest: Sequence[Scored], names: Sequence[str], measure: Measure) -> list[dict]:
    """Say by how much ours is more than each other row, song by song."""
    return [
        {
            "figure": name,
            "row": other.row.name,
            **songs.difference(ours.parts[name], other.parts[name], measure.draws, measure.seed),
        }
        for other in rest
        for name in names
        if name in ours.parts and name in other.parts
    ]
