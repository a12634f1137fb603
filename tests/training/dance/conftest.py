"""A dance pack of figures that swing their arms and bend their knees to the beat of made-up music."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from inference.motion.clip import FPS, Motion
from inference.motion.skeleton import HEIGHT, INDEX, JOINTS
from preprocessing import dancepacks
from preprocessing.dancepacks import Dance, Song

FRAMES = 90
GENRES = ("lock", "pop")


def heard(rng: np.random.Generator, frames: int, tempo: float) -> np.ndarray:
    """Features [T, 37] of a song whose envelope, peaks, beats and phase are those of a tempo, the rest a slow drift."""
    phase = 2 * np.pi * np.arange(frames) / FPS * tempo / 60
    beat = np.diff(np.floor(phase / 2 / np.pi), prepend=-1) > 0
    drift = np.cumsum(rng.normal(0, 0.1, (frames, 32)), 0)
    columns = [np.cos(phase).clip(0)[:, None], drift, beat[:, None], beat[:, None], np.sin(phase)[:, None]]
    return np.concatenate([*columns, np.cos(phase)[:, None]], 1).astype(np.float32)


def moved(rng: np.random.Generator, music: np.ndarray) -> Motion:
    """Raise and lower the arms once a beat, stepping from side to side."""
    sine, cosine = music[:, 35], music[:, 36]
    frames, height = len(music), rng.uniform(0.5, 1.0)
    matrices = np.tile(np.eye(3, dtype=np.float32), (frames, len(JOINTS), 1, 1))
    for side, sign in (("left", 1), ("right", -1)):
        angle = sign * (height * cosine - 0.6)
        turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], -1).reshape(-1, 2, 2)
        matrices[:, INDEX[f"{side}_shoulder"], :2, :2] = turn
    root = np.stack([0.1 * sine + rng.normal(), np.full(frames, HEIGHT), np.zeros(frames)], 1)
    return Motion.from_matrices(matrices, root.astype(np.float32))


def write_pack(folder: Path, train: int = 6, val: int = 2, frames: int = FRAMES) -> None:
    """Write as many dances, each to a song of its own."""
    rng = np.random.default_rng(0)
    dances, motions, songs, features = [], [], [], []
    for number in range(train + val):
        song, tempo = f"song{number}", float(rng.uniform(80, 140))
        music = heard(rng, frames + 15, tempo)
        digest = hashlib.sha256(song.encode()).hexdigest()
        dances.append(
            Dance(
                id=f"dance{number}", genre=GENRES[number % 2], dancer=f"d{number:02}", song=song,
                split="train" if number < train else "val", frames=frames, start=0, residual=0.0,
                licence="Apache-2.0", consent="made by code", commercial=True, source=f"motions/{number}.pkl",
                sha256=digest,
            )
        )  # fmt: skip
        beats = tuple(np.flatnonzero(music[:, 34]) / FPS)
        songs.append(Song(song, len(music), len(music) / FPS, tempo, beats, f"music/{song}.wav", digest))
        motions.append(moved(rng, music[:frames]))
        features.append(music)
    dancepacks.write(folder, dances, motions, songs, features, [], "f" * 16)


@pytest.fixture(scope="session")
def drawn_dances(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dances") / "pack"
    write_pack(folder)
    return folder


@pytest.fixture(scope="session")
def none_held_out(tmp_path_factory) -> Path:
    """The same without dances to validate on: nothing is drawn of a training."""
    folder = tmp_path_factory.mktemp("dances") / "pack"
    write_pack(folder, val=0)
    return folder
