"""Measure a lip-sync generator on speakers that it has not met: does the mouth move with the sound, and look right.

Each row is a way to make the pictures of the held-out clips: by the run's generator, by the starter, by none (the true
frames, and frames copied from elsewhere in the clip), and by each with the sound moved or taken away. The sound is
heard by the exported expert, which taught the generator; what is read off the mouth's pixels knows nothing of it.
"""

import functools
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from pydantic import Field
from torch import nn

from inference import audio, offsets
from inference.networks import wav2lip
from preprocessing.talkpacks import EDGE, FPS, Clip, Talks
from scraping import stage
from training.metrics import mouths, mouthtruth, pictures, speakers
from training.metrics.mouthtruth import Aligned, Truth
from training.metrics.speakers import Share
from training.wav2lip import listening

LOWER = slice(EDGE // 2, EDGE)  # what the generator draws
MIDDLE = slice(EDGE // 6, EDGE - EDGE // 6)  # of it, the columns where the mouth is
TRUE, COPIED, SILENT = "ground truth", "copied reference", "this run, told silence"
MOVES = 0.02  # standard deviation of the true opening below which there is nothing to follow


class Settings(stage.Settings):
    """How clips are shown."""

    shift: int = Field(ge=1)  # frames of the shifted rows
    speaking: float = Field(ge=0, le=1)  # share of a clip in which somebody speaks, for it to have an LSE
    batch: int = Field(ge=1)


@dataclass(frozen=True)
class Shown:
    """A held-out clip, whole."""

    clip: Clip
    frames: np.ndarray  # uint8 [N, 96, 96, 3]
    mel: np.ndarray  # float32 [80, T]
    truth: Aligned | None
    where: np.ndarray | None  # windows of the mouth, int [N, 4]

    @property
    def reference(self) -> np.ndarray:
        """Give for each frame the one half a clip away: another mouth of the same person."""
        return np.roll(self.frames, -(len(self.frames) // 2), axis=0)


@dataclass(frozen=True)
class Reader:
    """How the mouth of one clip is read."""

    fitted: mouths.Reader
    closed_below: float

    def __call__(self, shown: Shown, made: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read the opening of each picture of a clip, and whether the mouth is closed."""
        opening = self.fitted.opening(mouths.looks(made, shown.where))
        return opening, opening < self.closed_below


@dataclass
class Row:
    """What is found in the pictures of one row, clip after clip."""

    name: str
    about: str
    make: Callable[[Shown], np.ndarray]
    shares: dict[str, list[Share]] = field(default_factory=dict)

    def add(self, figure: str, clip: Clip, part: float | None, weight: float = 1.0) -> None:
        of = self.shares.setdefault(figure, [])
        if part is not None and weight:
            of.append(Share(clip.speaker, part, weight))


class Drawer:
    """A generator at work on clips of a pack."""

    def __init__(self, generator: nn.Module, lead: int, batch: int) -> None:
        self.device = next(generator.parameters()).device
        self.generator, self.lead, self.batch = wav2lip.fold(generator), lead, batch

    @torch.inference_mode()
    def __call__(self, shown: Shown, shift: int = 0, silent: bool = False) -> np.ndarray:
        """Draw every frame of a clip, uint8 [N, 96, 96, 3], to the sound of `shift` frames later, or to none."""
        mel = np.full_like(shown.mel, audio.SILENCE) if silent else shown.mel
        reference, parts = shown.reference, []
        for start in range(0, len(shown.frames), self.batch):
            some = slice(start, start + self.batch)
            rows = range(start, start + len(shown.frames[some]))
            heard = np.stack([audio.window(mel, row + shift + self.lead, FPS) for row in rows])[:, None]
            seen = wav2lip.face_input(np.ascontiguousarray(shown.frames[some]), reference[some]).transpose(0, 1)
            sound = torch.from_numpy(heard).to(self.device)
            parts.append(wav2lip.to_uint8(self.generator(sound, seen.to(self.device))))
        return np.concatenate(parts)


def rows(drawers: Mapping[str, Drawer], shift: int) -> list[Row]:
    """List the rows, ours first."""
    ours = drawers["this run"]
    listed = [
        Row(name, "generated from the upper half of each frame, a reference half a clip away, and the sound", drawer)
        for name, drawer in drawers.items()
    ]
    listed += [
        Row(
            f"this run, sound {shift} frames {'late' if side > 0 else 'early'}",
            "the same, told another moment's sound: what a generator gets that moves its mouth at the wrong time",
            lambda shown, side=side: ours(shown, shift=-side),
        )
        for side in (shift, -shift)
    ]
    listed.append(Row(SILENT, "the same, told that nobody speaks", lambda shown: ours(shown, silent=True)))
    listed.append(Row(TRUE, "the frames themselves", lambda shown: shown.frames))
    listed += [
        Row(
            f"{TRUE}, sound {shift} frames {'late' if side > 0 else 'early'}",
            "the frames of another moment: what being out of sync looks like",
            lambda shown, side=side: moved(shown.frames, side),
        )
        for side in (shift, -shift)
    ]
    listed.append(Row(COPIED, "the lower half of the reference pasted in: what a generator gets that copies", copied))
    return listed


def moved(frames: np.ndarray, by: int) -> np.ndarray:
    """Show at each time the frame of `by` frames later, the ends held: the sound comes `by` frames late."""
    return frames[np.clip(np.arange(len(frames)) + by, 0, len(frames) - 1)]


def copied(shown: Shown) -> np.ndarray:
    pasted = shown.frames.copy()
    pasted[:, LOWER] = shown.reference[:, LOWER]
    return pasted


def clips(talks: Talks, truths: Mapping[str, Truth]) -> Iterator[Shown]:
    """Open the held-out clips one after the other."""
    for clip in talks.of("test"):
        truth = mouthtruth.align(truths[clip.sha256], clip) if clip.sha256 in truths else None
        where = mouths.windows(truth.mouth, talks.boxes(clip), EDGE) if truth else None
        yield Shown(clip, np.array(talks.frames(clip)), np.ascontiguousarray(talks.mel(clip)), truth, where)


def readers(talks: Talks, truths: Mapping[str, Truth]) -> tuple[dict[str, Reader], dict]:
    """Find for each clip, by its id, a reader that saw true frames of the other clips, and say how well these read.

    There are none where nothing is known exactly, or of one clip alone.
    """
    known = [shown for shown in clips(talks, truths) if shown.truth]
    if len(known) < 2:
        return {}, {"known": False}
    looks = {shown.clip.id: mouths.looks(shown.frames, shown.where) for shown in known}
    moments = {shown.clip.id: mouths.moments(looks[shown.clip.id], shown.truth.opening) for shown in known}
    fitted = {shown.clip.id: mouths.fit(_others(shown, known, moments)) for shown in known}
    read = {name: fitted[name].opening(looks[name]) for name in fitted}
    found, said = {}, {}
    for speaker in sorted({shown.clip.speaker for shown in known}):
        own = [shown for shown in known if shown.clip.speaker == speaker]
        closed = np.concatenate([shown.truth.closed for shown in own])
        border = mouths.border(np.concatenate([read[shown.clip.id] for shown in own]), closed)
        for shown in own:
            found[shown.clip.id] = Reader(fitted[shown.clip.id], border)
            said[shown.clip.id] = read[shown.clip.id] < border
    moving = [shown for shown in known if shown.truth.opening.std() >= MOVES]
    each = [mouths.correlation(read[shown.clip.id], shown.truth.opening) for shown in moving]
    return found, {
        "known": True,
        "about": "a linear reading of the mouth's pixels, fitted to true frames of other clips",
        "correlation": _joined(mouths.correlation, read, {shown.clip.id: shown.truth.opening for shown in known}),
        "correlation_within_clips": round(float(np.mean(each)), 4) if each else None,
        "closed_told_from_open": _joined(mouths.balanced, said, {shown.clip.id: shown.truth.closed for shown in known}),
        "frames": sum(len(values) for values in read.values()),
        "clips": len(known),
        "speakers": len({shown.clip.speaker for shown in known}),
    }


def _others(shown: Shown, known: list[Shown], moments: Mapping[str, mouths.Moments]) -> mouths.Moments:
    """Add up what is known of all clips but one; those of its speaker weigh more."""
    parts = [
        moments[other.clip.id].times(mouths.OWN if other.clip.speaker == shown.clip.speaker else 1.0)
        for other in known
        if other is not shown
    ]
    return functools.reduce(operator.add, parts)


def _joined(of: Callable, said: Mapping[str, np.ndarray], true: Mapping[str, np.ndarray]) -> float | None:
    value = of(*(np.concatenate([each[name] for name in said]) for each in (said, true)))
    return None if value is None else round(value, 4)


def measure_clip(row: Row, made: np.ndarray, shown: Shown, expert: nn.Module, speaking: float) -> None:
    """Add what is found in the pictures of one clip to a row."""
    clip, pixels = shown.clip, len(made)
    if clip.speech >= speaking:
        sounds, faces = offsets.embed(expert, made, shown.mel)
        score = listening.lse_of(sounds, faces)
        row.add("lse_d", clip, score and score.distance)
        row.add("lse_c", clip, score and score.confidence)
        row.add("in_sync_within_1", clip, score and float(abs(score.offset) <= 1))
    if row.name == SILENT:  # there is no true picture of it
        return
    pair = [np.ascontiguousarray(each[:, LOWER, MIDDLE]) for each in (made, shown.frames)]
    row.add("l1", clip, pictures.l1(*pair) * pixels, pixels)
    row.add("ssim", clip, pictures.ssim(*pair) * pixels, pixels)
    signal = pictures.psnr(*pair)
    row.add("psnr", clip, signal if np.isfinite(signal) else None)


def measure_mouth(row: Row, made: np.ndarray, shown: Shown, reader: Reader) -> np.ndarray:
    """Add what the mouth does in one clip to a row; give the opening that was read, float [N]."""
    clip, truth = shown.clip, shown.truth
    opening, closed = reader(shown, made)
    if truth.opening.std() >= MOVES and row.name != SILENT:
        row.add("opening_correlation", clip, mouths.correlation(opening, truth.opening) or 0.0)
    shut = [bool(closed[span].any()) for span in truth.bilabials]
    row.add("closed_on_bilabials", clip, sum(shut), len(shut))
    elsewhere = ~truth.closed & ~truth.silent
    for span in truth.bilabials:
        elsewhere[span] = False
    row.add("closed_when_open", clip, int(closed[elsewhere].sum()), int(elsewhere.sum()))
    row.add("closed_in_silence", clip, int(closed[truth.silent].sum()), int(truth.silent.sum()))
    if row.name == SILENT:
        row.add("closed", clip, int(closed.sum()), len(closed))
    return opening


def figures(row: Row, draws: int, seed: int) -> dict:
    """Give a row as JSON holds it."""
    found = {name: speakers.mean(shares, draws, seed) for name, shares in row.shares.items()}
    return {"name": row.name, "about": row.about, **found}
