"""Strips for the report: the same moments of a clip as each row shows them, with what is heard."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import Field

from inference import audio
from preprocessing.talkpacks import FPS, Talks
from scraping import stage
from training.wav2lip.drawing import COPIED, TRUE, Shown

ROWS = ("starter", "this run", TRUE, COPIED)


class Settings(stage.Settings):
    """How much is kept."""

    clips: int = Field(ge=0)
    pictures: int = Field(ge=2)  # of a clip
    every: int = Field(ge=1)  # frames between two of them


@dataclass
class Strip:
    """What is kept of one clip."""

    clip: str
    speaker: str
    text: str | None
    first: int  # frame of the first picture
    every: int
    mel: np.ndarray  # uint8 [80, columns], low tones in the last row
    truth: list[float] | None  # exact opening of each frame
    rows: dict[str, np.ndarray] = field(default_factory=dict)  # uint8 [96, 96 * pictures, 3]
    openings: dict[str, list[float]] = field(default_factory=dict)  # as read, of each frame


class Keeper:
    """Choose the clips in which most is said, one a speaker as long as there are speakers, and keep their strips."""

    def __init__(self, settings: Settings, talks: Talks) -> None:
        self.settings = settings
        by_speech = sorted(talks.of("test"), key=lambda clip: (-clip.speech, clip.id))
        turn: dict[str, int] = {}
        order = []
        for clip in by_speech:
            turn[clip.speaker] = turn.get(clip.speaker, -1) + 1
            order.append((turn[clip.speaker], clip.id))
        self.chosen = {clip for _, clip in sorted(order)[: settings.clips]}
        self.kept: dict[str, Strip] = {}

    @property
    def strips(self) -> list[Strip]:
        return list(self.kept.values())

    def keep(self, row: str, made: np.ndarray, shown: Shown, opening: np.ndarray | None) -> None:
        """Keep what a row shows of a clip, if it is one of the chosen."""
        if shown.clip.id not in self.chosen or row not in ROWS:
            return
        if shown.clip.id not in self.kept:
            self.kept[shown.clip.id] = self._new(shown)
        strip = self.kept[shown.clip.id]
        frames = range(strip.first, min(len(made), strip.first + self.settings.pictures * strip.every), strip.every)
        strip.rows[row] = np.concatenate([made[frame] for frame in frames], axis=1)
        if opening is not None:
            strip.openings[row] = [round(float(value), 3) for value in opening]

    def _new(self, shown: Shown) -> Strip:
        length = min(len(shown.frames), self.settings.pictures * self.settings.every)
        columns = round(length * audio.MEL_RATE / FPS)
        loudness = np.convolve(shown.mel.mean(0), np.ones(columns), "valid")
        first = min(int(loudness.argmax() * FPS / audio.MEL_RATE), len(shown.frames) - length)
        grey = np.clip((shown.mel[::-1] + 4) / 8 * 255, 0, 255).astype(np.uint8)
        truth = [round(float(value), 3) for value in shown.truth.opening] if shown.truth else None
        return Strip(shown.clip.id, shown.clip.speaker, shown.clip.text, first, self.settings.every, grey, truth)


def write(folder: Path, strips: Sequence[Strip]) -> Path:
    """Write strips as PNG files beside strips.json, into a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    listed = []
    for number, strip in enumerate(strips):
        files = {}
        for row, picture in strip.rows.items():
            files[row] = f"{number}-{row.replace(' ', '-')}.png"
            Image.fromarray(picture).save(folder / files[row])
        Image.fromarray(strip.mel).save(folder / f"{number}-mel.png")
        listed.append(
            {
                "clip": strip.clip, "speaker": strip.speaker, "text": strip.text, "first": strip.first,
                "every": strip.every, "mel": f"{number}-mel.png",
                "truth": strip.truth, "rows": files, "openings": strip.openings,
            }
        )  # fmt: skip
    (folder / "strips.json").write_text(json.dumps(listed, indent=1, ensure_ascii=False) + "\n")
    return folder
