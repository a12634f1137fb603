"""Measure a sync expert on speakers that it has not met: does it hear what it sees, and by how much it is off.

Every row of figures is an expert: the run's, the starter it may have begun with, and one that learned nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import nn

from inference import audio, offsets
from preprocessing.talkpacks import Clip, Talks
from scraping import stage
from training.metrics import lse, speakers
from training.metrics.distances import wilson
from training.metrics.mouthtruth import Truth

FPS = offsets.FPS
IN_SYNC = 0.5  # cosine: what the loss calls a match above, and none below


class Settings(stage.Settings):
    """What is shown to an expert."""

    least: int = Field(ge=1, le=offsets.SPAN)  # frames: a smaller shift is not called out of sync
    by_shift: list[int]  # frames, of the table
    within: int = Field(ge=0)  # frames by which a found offset may be off
    replant: int = Field(ge=1, le=offsets.SPAN // 2)  # frames by which clips are shifted again, at most
    silent: float = Field(ge=-4, le=4)  # mel: a window of which no column's mean is louder says nothing
    speaking: float = Field(ge=0, le=1)  # share of a clip in which somebody speaks, for it to have an offset


@dataclass(frozen=True)
class Heard:
    """What an expert makes of one clip."""

    clip: Clip
    offset: int  # frames by which the sound is later, as planted; 0 where nobody knows
    planted: bool  # whether the offset is known
    cosines: np.ndarray  # [windows, 2 * SPAN + 1], relative to the offset; NaN beyond the clip
    sounds: np.ndarray  # [windows, E]
    faces: np.ndarray  # [windows, E]
    silent: np.ndarray  # bool [windows]


def measure(
    experts: Mapping[str, nn.Module],
    talks: Talks,
    truths: Mapping[str, Truth],
    settings: Settings,
    draws: int,
    seed: int,
) -> dict:
    """Put the figures of every expert together."""
    clips = talks.of("test")
    rows = []
    for name, expert in experts.items():
        heard = [listen(expert, talks, clip, truths.get(clip.sha256), settings) for clip in _shown(clips, name)]
        rows.append({"name": name, **row(heard, settings, draws, seed)})
    return {"rows": rows}


def _shown(clips: Sequence[Clip], name: str):
    return stage.progress(clips, len(clips), f"listen: {name}")


def listen(expert: nn.Module, talks: Talks, clip: Clip, truth: Truth | None, settings: Settings) -> Heard:
    """Show a clip to an expert."""
    sounds, faces = offsets.embed(expert, talks.frames(clip), talks.mel(clip))
    offset = truth.offset - clip.shifted if truth else 0
    return Heard(
        clip=clip,
        offset=offset,
        planted=truth is not None,
        cosines=cosines(sounds, faces, offset),
        sounds=sounds,
        faces=faces,
        silent=silent(talks.mel(clip), len(sounds), settings.silent),
    )


def cosines(sounds: np.ndarray, faces: np.ndarray, offset: int, span: int = offsets.SPAN) -> np.ndarray:
    """Give the cosine of each face to the sound at each shift beyond the offset: [faces, 2 * span + 1], else NaN."""
    every = faces @ sounds.T
    at = np.arange(len(faces))[:, None] + offset + np.arange(-span, span + 1)[None]
    there = (at >= 0) & (at < len(sounds))
    return np.where(there, np.take_along_axis(every, np.clip(at, 0, len(sounds) - 1), axis=1), np.nan)


def silent(mel: np.ndarray, windows: int, level: float) -> np.ndarray:
    """Tell in which windows of sound no column is louder on average than a level: bool [windows]."""
    loudest = [audio.window(mel, frame, FPS).mean(0).max() for frame in range(windows)]
    return np.array(loudest, np.float32) <= level


def row(heard: Sequence[Heard], settings: Settings, draws: int, seed: int) -> dict:
    """Put together what one expert made of all clips."""
    rng = np.random.default_rng(seed)
    pairs = _by_speaker(heard, [drawn_pairs(each, settings.least, rng) for each in heard])
    speaking = [each for each in heard if each.clip.speech >= settings.speaking]
    whole = _by_speaker(speaking, [whole_pairs(each, settings.least) for each in speaking])
    return {
        "accuracy": speakers.statistic(pairs, lambda rows: ((rows > IN_SYNC) == (1, 0)).mean(), draws, seed),
        "auc": speakers.statistic(pairs, lambda rows: speakers.auc(rows[:, 0], rows[:, 1]), draws, seed),
        "auc_clips": speakers.statistic(whole, lambda rows: speakers.auc(rows[:, 0], rows[:, 1]), draws, seed),
        "auc_by_shift": {str(shift): auc_at(heard, shift) for shift in settings.by_shift},
        "sweep": sweep(speaking),
        "lse": published(speaking, draws, seed),
        "found_as_filmed": found([each for each in speaking if each.planted], settings.within, [0] * len(speaking)),
        "found_planted": found(
            [each for each in speaking if each.planted and each.offset], settings.within, [0] * len(speaking)
        ),
        "found_shifted_again": found(
            speaking, settings.within, rng.integers(-settings.replant, settings.replant + 1, len(speaking)).tolist()
        ),
        "clips": len(heard),
        "clips_that_speak": len(speaking),
    }


def drawn_pairs(heard: Heard, least: int, rng: np.random.Generator) -> np.ndarray:
    """Draw one shift for each window, of at least so many frames: [pairs, 2], cosines in sync and shifted.

    A pair whose two sounds are both silent is left out: nobody could tell them apart.
    """
    span = offsets.SPAN
    shifts = np.array([shift for shift in range(-span, span + 1) if abs(shift) >= least])
    drawn = rng.choice(shifts, len(heard.faces))
    return _pairs(heard, drawn)


def whole_pairs(heard: Heard, least: int) -> np.ndarray:
    """Average a clip's cosines in sync and at every shift of at least so many frames: [shifts, 2]."""
    means, span = _mean(heard.cosines), offsets.SPAN
    shifted = np.delete(means, slice(span - least + 1, span + least))
    both = np.stack([np.full(len(shifted), means[span]), shifted], axis=1)
    return both[~np.isnan(both).any(1)]


def _pairs(heard: Heard, shifts: np.ndarray) -> np.ndarray:
    frames = np.arange(len(heard.faces))
    both = np.stack([heard.cosines[:, offsets.SPAN], heard.cosines[frames, offsets.SPAN + shifts]], axis=1)
    there = ~np.isnan(both).any(1)
    here = frames + heard.offset
    quiet = np.append(heard.silent, True)  # what lies beyond is not there either
    last = len(heard.silent)
    nothing = quiet[np.clip(here, 0, last)] & quiet[np.clip(here + shifts, 0, last)]
    return both[there & ~nothing]


def auc_at(heard: Sequence[Heard], shift: int) -> float | None:
    """Tell in-sync windows from those shifted by exactly so many frames, to either side."""
    pairs = [_pairs(each, np.full(len(each.faces), side)) for each in heard for side in (-shift, shift)]
    rows = np.concatenate(pairs) if pairs else np.zeros((0, 2))
    return round(speakers.auc(rows[:, 0], rows[:, 1]), 4) if len(rows) else None


def sweep(heard: Sequence[Heard]) -> list[float | None]:
    """Average the distance of picture and sound at each shift -15..15 beyond the offset, over clips."""
    curves = np.array([_mean(np.sqrt(np.maximum(0, 2 - 2 * each.cosines))) for each in heard])
    mean = _mean(curves) if len(curves) else np.full(2 * offsets.SPAN + 1, np.nan)
    return [None if np.isnan(value) else round(float(value), 4) for value in mean]


def published(heard: Sequence[Heard], draws: int, seed: int) -> dict:
    """Score the clips as LSE is published, as they are filmed."""
    scores = {each.clip.id: lse_of(each.sounds, each.faces) for each in heard}
    shares = {
        kind: [
            speakers.Share(each.clip.speaker, getattr(scores[each.clip.id], kind))
            for each in heard
            if scores[each.clip.id]
        ]
        for kind in ("distance", "confidence")
    }
    return {kind: speakers.mean(of, draws, seed) for kind, of in shares.items()}


def lse_of(sounds: np.ndarray, faces: np.ndarray) -> lse.Score | None:
    """Score one clip by an expert's vectors; None where it is shorter than a window and one frame."""
    count = lse.windows(len(faces) + offsets.FRAMES - 1, len(sounds) + offsets.FRAMES - 1)
    if not count:
        return None
    return lse.score(lse.distances(torch.from_numpy(faces[:count]), torch.from_numpy(sounds[:count])))


def found(heard: Sequence[Heard], within: int, again: Sequence[int]) -> dict:
    """Look for the offset of clips, each shifted again by so many frames, and count where it is found.

    To shift a clip, frames of its beginning are left out: of the picture, and the sound is later, or of the sound.
    """
    errors, seen = [], []
    for each, shift in zip(heard, again, strict=False):
        faces, sounds = each.faces[max(0, shift) :], each.sounds[max(0, -shift) :]
        apart = np.sqrt(np.maximum(0, 2 - 2 * cosines(sounds, faces, 0))) if len(sounds) and len(faces) else None
        seen.append(offsets.read(_mean(apart))[0] if apart is not None else 0)
        errors.append(seen[-1] - each.offset - shift)
    right = sum(abs(error) <= within for error in errors)
    return {
        "share": round(right / len(errors), 4) if errors else None,
        "interval_95": [round(end, 4) for end in wilson(right, len(errors))],
        "n": len(errors),
        "speakers": len({each.clip.speaker for each in heard}),
        "within": within,
        "offsets": seen,
        "errors": errors,
    }


def _mean(curves: np.ndarray) -> np.ndarray:
    """Average over the first axis what is known; NaN where nothing is."""
    known = ~np.isnan(curves)
    with np.errstate(invalid="ignore"):
        return np.where(known, curves, 0).sum(0) / known.sum(0)


def _by_speaker(heard: Sequence[Heard], arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    names = {each.clip.speaker for each in heard}
    return {
        name: np.concatenate([rows for each, rows in zip(heard, arrays, strict=True) if each.clip.speaker == name])
        for name in names
    }
