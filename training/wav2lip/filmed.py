"""LSE by SyncNet's own weights: the pictures of a row put back into the video that they were cut from.

That expert wants more of the face than the crops show. Each crop is pasted into its frame and the frame cut as
SyncNet's pipeline cuts it: a square of 1.8 times the face's longer side that reaches below the chin.
"""

import functools
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from inference import audio, video
from inference.errors import UserError
from inference.media import MediaError
from preprocessing.talkpacks import FPS, Clip
from training.metrics import lse, syncnet_v2

MARGIN = 0.4  # of the half side, to each side, and twice of it below
BEYOND = 110  # grey outside the picture
PER_FRAME = audio.RATE // FPS


class Published:
    """Scores clips by the weights that the user brought."""

    def __init__(self, weights: Path, raw: Path) -> None:
        self.network, self.raw = syncnet_v2.read(weights), raw
        self.frames = functools.lru_cache(maxsize=1)(self._frames)

    def score(self, clip: Clip, made: np.ndarray, boxes: np.ndarray) -> lse.Score | None:
        """Score pictures uint8 [N, 96, 96, 3] in the boxes [N, 4] of their video; None of a clip that is too short."""
        film, samples = self.frames(clip)
        shown = [
            cv2.resize(cut(paste(frame, crop, box), box), (syncnet_v2.EDGE, syncnet_v2.EDGE))
            for frame, crop, box in zip(film, made, boxes, strict=False)
        ]
        seen, heard = syncnet_v2.features(self.network, np.stack(shown), samples)
        return lse.score(lse.distances(seen, heard)) if len(seen) else None

    def _frames(self, clip: Clip) -> tuple[list[np.ndarray], np.ndarray]:
        path = self.raw / clip.source
        try:
            return film(path, clip.start, clip.frames), sound(path, clip)
        except (MediaError, OSError) as error:
            raise UserError(f"{path}: evaluate_wav2lip.syncnet_v2 needs the videos of the pack ({error})") from None


def film(path: Path, start: float, count: int) -> list[np.ndarray]:
    """Give the frames of a clip at 25 a second."""
    return list(video.frames(path, fps=Fraction(FPS), first=round(start * FPS), count=count))


def sound(path: Path, clip: Clip) -> np.ndarray:
    """Give what is heard in a clip, moved as the pack's sound is."""
    begin = clip.start + clip.shifted / FPS
    samples = audio.decode(path, start=max(0.0, begin), seconds=clip.frames / FPS)
    samples = np.pad(samples, (max(0, round(-begin * audio.RATE)), 0))
    wanted = clip.frames * PER_FRAME
    return np.pad(samples, (0, max(0, wanted - len(samples))))[:wanted]


def paste(frame: np.ndarray, crop: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Put a crop back where its box (x0, y0, x1, y1) lies in a frame; what lies beyond the frame is left out."""
    x0, y0, x1, y1 = map(float, box)
    height, width = frame.shape[:2]
    across, down = (x1 - x0) / crop.shape[1], (y1 - y0) / crop.shape[0]
    # From the middle of one pixel to that of another.
    placed = np.array([[across, 0, x0 + across / 2 - 0.5], [0, down, y0 + down / 2 - 0.5]])
    shown = cv2.warpAffine(crop, placed, (width, height), borderMode=cv2.BORDER_REPLICATE)
    rows, columns = (slice(max(0, round(low)), max(0, round(high))) for low, high in ((y0, y1), (x0, x1)))
    pasted = frame.copy()
    pasted[rows, columns] = shown[rows, columns]
    return pasted


def cut(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Cut the square that the expert is shown around a face's box."""
    x0, y0, x1, y1 = map(float, box)
    half, across, down = max(x1 - x0, y1 - y0) / 2, (x0 + x1) / 2, (y0 + y1) / 2
    reach = int(half * (1 + 2 * MARGIN)) + 1
    padded = cv2.copyMakeBorder(frame, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=(BEYOND,) * 3)
    top, left = int(down + reach - half), int(across + reach - half * (1 + MARGIN))
    side = int(half * (2 + 2 * MARGIN))
    return padded[max(0, top) : top + side, max(0, left) : left + side]
