"""Motions of which one knows what they are, and a pack of a few."""

from pathlib import Path

import numpy as np

from inference.motion.clip import Motion
from inference.motion.skeleton import HEIGHT, INDEX, JOINTS, OFFSETS, PARENTS
from preprocessing import dancepacks
from preprocessing.dancepacks import Dance, Song

HANDS = [INDEX["left_hand"], INDEX["right_hand"]]
GENRES = ("lock", "pop")
FEET = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("ankle", "foot")]


def standing(frames: int) -> np.ndarray:
    """A body at rest on the floor, [frames, 24, 3]."""
    pose = np.zeros((len(JOINTS), 3))
    pose[0, 1] = HEIGHT
    for joint, parent in enumerate(PARENTS[1:], 1):
        pose[joint] = pose[parent] + OFFSETS[joint]
    return np.repeat(pose[None], frames, axis=0)


def swaying(seconds: float, fps: float, period: float, amplitude: float = 0.2, late: float = 0.0) -> np.ndarray:
    """A body whose hands go to and fro along x and turn at 0, period / 2, period ..., all `late` seconds later."""
    positions = standing(round(seconds * fps) + 1)
    at = np.arange(len(positions)) / fps - late
    positions[:, HANDS, 0] += amplitude * np.cos(2 * np.pi * at / period)[:, None]
    return positions


def motion(frames: int, period: int, seed: int = 0) -> Motion:
    """A body that swings its arms every so many frames and strolls, differently for each seed."""
    rng = np.random.default_rng(seed)
    angle = 0.5 * np.cos(2 * np.pi * np.arange(frames) / period)[:, None] * rng.uniform(0.2, 1, len(JOINTS))
    rotations = np.zeros((frames, len(JOINTS), 6), np.float32)
    rotations[..., 0], rotations[..., 1] = np.cos(angle), np.sin(angle)
    rotations[..., 3], rotations[..., 4] = -np.sin(angle), np.cos(angle)
    root = np.repeat([[0, HEIGHT, 0]], frames, axis=0) + np.linspace(0, 0.1, frames)[:, None] * rng.normal(size=3)
    return Motion(rotations, root.astype(np.float32), np.zeros((frames, 4), np.float32))


def music(frames: int, period: int, seed: int) -> np.ndarray:
    """Features in which a beat comes every so many frames, and the rest tells which song it is."""
    rng = np.random.default_rng(seed)
    array = (rng.normal(size=37) + 0.1 * rng.normal(size=(frames, 37))).astype(np.float32)
    at = np.arange(frames)
    array[:, 33] = array[:, 34] = at % period == 0
    array[:, 35], array[:, 36] = np.sin(2 * np.pi * at / period), np.cos(2 * np.pi * at / period)
    return array


def write_pack(folder: Path, frames: int = 200, held_out: int = 2) -> None:
    """Write a pack of six songs with one dance each, the last `held_out` of them for the test."""
    dances, motions, songs, heard = [], [], [], []
    for number in range(6):
        name, period = f"song{number}", 12 + 2 * number
        beats = tuple(np.arange(0, frames / 30, period / 30).tolist())
        songs.append(Song(name, frames, frames / 30, 1800 / period, beats, f"{name}.wav", "ab" * 32))
        split = "test" if number >= 6 - held_out else "train"
        about = (None, None, True, f"{name}.pkl", "cd" * 32)
        dances.append(Dance(f"dance{number}", GENRES[number % 2], None, name, split, frames, 0, 0.0, *about))
        motions.append(motion(frames, 2 * period, number))
        heard.append(music(frames, period, number))
    dancepacks.write(folder, dances, motions, songs, heard, [], "f00d")
