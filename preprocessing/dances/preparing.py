"""What a worker process does: listen to a song, or bring a dance onto the canonical skeleton, and keep the result."""

import hashlib
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from inference import music
from inference.errors import UserError, one_line
from inference.media import MediaError
from inference.motion.clip import FPS, Motion
from preprocessing.dances import motions, reading
from preprocessing.dances.reading import Unusable
from preprocessing.dances.settings import Settings
from preprocessing.dances.takes import Take, Tune
from scraping import stage


@dataclass(frozen=True)
class Task:
    """A song or a dance to be prepared, under a key that its bytes change."""

    key: str
    of: Take | Tune


class Preparer:
    """Prepare one after the other; rows go to the journal, arrays to a folder."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        torch.set_num_threads(1)
        self.settings = settings
        self.folder = folder

    def __call__(self, task: Task) -> dict:
        started = time.monotonic()
        try:
            made = {"sha256": _sha256(task.of.path)}
            row = made | (self._song(task) if isinstance(task.of, Tune) else self._dance(task))
        except (Unusable, MediaError) as error:
            row = rejected(error.reason, str(error))
        except UserError as error:  # of the motion itself
            row = rejected("broken", one_line(error))
        except FileNotFoundError as error:
            row = rejected("missing-file", f"{error.filename} has gone")
        except PermissionError as error:
            row = rejected("not-readable", f"{error.filename} may not be read")
        return row | {"took": time.monotonic() - started}

    def _song(self, task: Task) -> dict:
        heard = music.features(task.of.path, fps=FPS, start_bpm=task.of.tempo)
        np.save(self.folder / f"{task.key}.npy", heard.array)
        return {
            "status": "kept",
            "frames": len(heard.array),
            "seconds": heard.seconds,
            "tempo": heard.tempo if math.isfinite(heard.tempo) else None,
            "beats": [round(float(beat), 6) for beat in heard.beats],
        }

    def _dance(self, task: Task) -> dict:
        raw = reading.read(task.of.path, self.settings)
        motion, residuals = motions.motion_of(raw, self.settings)
        motion.save(self.folder / f"{task.key}.npz")
        return {
            "status": "kept",
            "frames": len(motion),
            "start": round(raw.start * FPS),
            "residuals": {name: round(float(metres), 6) for name, metres in residuals.items()},
        }


def rejected(reason: str, detail: str) -> dict:
    """Give the row of what is no use."""
    return {"status": "rejected", "reason": reason, "detail": detail, "took": 0.0}


def dance(folder: Path, key: str) -> Motion:
    return Motion.load(folder / f"{key}.npz")


def song(folder: Path, key: str) -> np.ndarray:
    return np.load(folder / f"{key}.npy")


def key_of(of: Take | Tune, *more: object) -> str:
    """Name what is prepared by what it is made from: other bytes under the same name are another one."""
    state = of.path.stat()
    told = of.tempo if isinstance(of, Tune) else None
    return stage.fingerprint(type(of).__name__, str(of.path), state.st_size, state.st_mtime_ns, told, *more)


def _sha256(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
