"""A talk pack of drawn faces whose mouths open as loud as they are heard."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from preprocessing import talkpacks
from preprocessing.talkpacks import Clip, Content

FRAMES = 60
ROWS, COLUMNS = np.mgrid[0:96, 0:96]


def opening(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Open and close the mouth at random, about four times a second: [80 columns a second], 0..1."""
    knots = rng.random(frames // 3 + 2) * (rng.random(frames // 3 + 2) > 0.25)
    return np.interp(np.arange(frames * 16 // 5 + 1) / 80 * 25 / 3, np.arange(len(knots)), knots)


def spoken(rng: np.random.Generator, frames: int = FRAMES) -> Content:
    opened = opening(rng, frames)
    skin, light = rng.uniform(90, 220, 3), rng.uniform(-0.3, 0.3)
    face = skin * (1 + light * (COLUMNS[..., None] - 48) / 48)
    shown = []
    for value in opened[np.arange(frames) * 16 // 5]:
        mouth = ((COLUMNS - 48) / 20) ** 2 + ((ROWS - 72) / (1 + 14 * value)) ** 2 < 1
        shown.append(np.where(mouth[..., None], 30, face).clip(0, 255))
    tones = np.exp(-(((np.arange(80) - rng.uniform(20, 50)) / 15) ** 2))
    mel = -4 + 7 * opened * tones[:, None] + rng.normal(0, 0.1, (80, len(opened))) * (opened > 0)
    boxes = np.tile(np.float32([0, 0, 96, 96]), (frames, 1))
    return Content(np.array(shown, np.uint8), mel.clip(-4, 4).astype(np.float32), boxes)


def about(number: int, split: str, frames: int) -> Clip:
    name = f"{number:04}/00001"
    return Clip(
        id=name, speaker=name[:4], split=split, source=f"main/{name}.mp4", frames=frames, columns=frames * 16 // 5 + 1,
        sha256=hashlib.sha256(name.encode()).hexdigest(), text=None, start=0.0, speech=0.8, licence="Apache-2.0",
        consent="drawn", commercial=True, box=(0.0, 0.0, 96.0, 96.0),
    )  # fmt: skip


def write_pack(folder: Path, train: int = 6, val: int = 2, frames: int = FRAMES, shuffled: bool = False) -> None:
    """Write as many clips, each of a speaker of its own; shuffled, each is heard as the next is seen."""
    rng = np.random.default_rng(0)
    contents = [spoken(rng, frames) for _ in range(train + val)]
    if shuffled:
        contents = [
            Content(each.frames, other.mel, each.boxes)
            for each, other in zip(contents, contents[1:] + contents[:1], strict=True)
        ]
    clips = [about(number, "train" if number < train else "val", frames) for number in range(train + val)]
    talkpacks.write(folder, clips, contents, [], "f" * 16)


@pytest.fixture(scope="session")
def drawn_talks(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("talks") / "pack"
    write_pack(folder)
    return folder


@pytest.fixture
def packs():
    return write_pack
