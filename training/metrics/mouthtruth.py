"""What is exactly known of the mouths of the demo talks, frame by frame of a pack. Only measuring code reads it."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference.video import EARLY
from preprocessing.talkpacks import FPS, Clip

SETTLING = 0.12  # seconds at the ends of a silence in which lips are still, or already, on their way
NEAR = 1e-6


@dataclass(frozen=True)
class Truth:
    """The truth of one video; times in seconds and frames are those of its picture."""

    fps: float
    offset: int  # frames of 25 a second by which the sound is later than the picture
    opening: np.ndarray  # float32 [frames], 0 to 1 of the speaker's widest
    closed: np.ndarray  # bool [frames]: the lips touch
    mouth: np.ndarray  # float32 [frames, 4]: x, y, width, height in the video's pixels
    bilabials: list[tuple[float, float]]
    silences: list[tuple[float, float]]


@dataclass(frozen=True)
class Aligned:
    """The same for the frames of a clip of a pack."""

    opening: np.ndarray  # float32 [frames]
    closed: np.ndarray  # bool [frames]
    mouth: np.ndarray  # float32 [frames, 4]: x, y, width, height in the video's pixels
    bilabials: list[slice]  # frames of each, at least one
    silent: np.ndarray  # bool [frames]: nothing is said, nor was just before or will be just after


def read(path: Path) -> dict[str, Truth]:
    """Read what is known by the sha256 of the videos; nothing where there is no such file, as with real talks."""
    if not path.exists():
        return {}
    return {clip["sha256"]: _truth(clip) for clip in json.loads(path.read_text())["clips"].values()}


def _truth(clip: dict) -> Truth:
    return Truth(
        fps=float(clip["fps"]),
        offset=int(clip["offset"]),
        opening=np.array(clip["opening"], np.float32),
        closed=np.array(clip["closed"], bool),
        mouth=np.array(clip["mouth"], np.float32).reshape(-1, 4),
        bilabials=[tuple(span) for span in clip["bilabials"]],
        silences=[tuple(span) for span in clip["silences"]],
    )


def align(truth: Truth, clip: Clip) -> Aligned:
    """Give the truth at the frames of a clip, which begins somewhere in its video."""
    times = clip.start + np.arange(clip.frames) / FPS
    shown = np.floor((times + float(EARLY) / FPS) * truth.fps)  # as `video.frames` chose them for the pack
    rows = np.clip(shown.astype(int), 0, len(truth.opening) - 1)
    silent = np.zeros(clip.frames, bool)
    for start, end in truth.silences:
        silent |= (times >= start + SETTLING) & (times + 1 / FPS <= end - SETTLING + NEAR)
    return Aligned(
        opening=truth.opening[rows],
        closed=truth.closed[rows],
        mouth=truth.mouth[rows],
        bilabials=list(filter(None, (_frames(span, clip) for span in truth.bilabials))),
        silent=silent,
    )


def _frames(span: tuple[float, float], clip: Clip) -> slice | None:
    """Give the frames on screen during a span of the video, or None where it is not wholly in the clip."""
    first, last = ((time - clip.start) * FPS for time in span)
    if first < 0 or last > clip.frames:
        return None
    begin = int(first)
    return slice(begin, max(begin + 1, int(np.ceil(last))))
