"""Open what a take names: rotations, or positions of joints, as they were delivered."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from inference.errors import UserError, one_line
from inference.motion import points
from inference.motion.points import PointSet
from inference.motion.skeleton import JOINTS
from preprocessing.dances import pickles
from preprocessing.dances.pickles import PickleError
from preprocessing.dances.settings import Settings

AISTPP_FPS = 60.0
MOST_NPZ_BYTES = 2**28
CENTIMETRES = 0.01
TURNS = {"x": (2, 0, 1), "y": (0, 1, 2), "z": (1, 2, 0)}  # axes that take turns keep left and right apart


class Unusable(Exception):
    """A take that is no use: `reason` is a slug, `detail` one line."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Turned:
    """A dance as AIST++ tells it: axis-angle [N, 24, 3], and SMPL's translation in metres [N, 3]."""

    vectors: np.ndarray
    moved: np.ndarray
    fps: float
    start: float = 0.0  # seconds into the song, of the first frame

    def __len__(self) -> int:
        return len(self.moved)

    def cut(self, frames: int) -> "Turned":
        return replace(self, vectors=self.vectors[:frames], moved=self.moved[:frames])


@dataclass(frozen=True)
class Placed:
    """A dance as positions of points on a body: [N, K, 3], y up, about metres."""

    positions: np.ndarray
    points: PointSet
    fps: float
    start: float = 0.0

    def __len__(self) -> int:
        return len(self.positions)

    def cut(self, frames: int) -> "Placed":
        return replace(self, positions=self.positions[:frames])


def read(path: Path, settings: Settings) -> Turned | Placed:
    """Read a file of the layout that the settings name; `Unusable` for what is broken."""
    if settings.layout == "aistpp":
        return _motion(path) if settings.read == "motions" else _keypoints(path)
    arrays = _arrays(path)
    return _melody(arrays) if settings.layout == "melody" else _joints(arrays, settings)


def _pickle(path: Path, *names: str) -> list[np.ndarray]:
    try:
        found = pickles.read(path)
    except PickleError as error:
        raise Unusable(error.reason, str(error)) from None
    absent = [name for name in names if name not in found]
    if absent:
        raise Unusable("broken", f"lacks {', '.join(absent)}")
    arrays = [np.asarray(found[name]) for name in names]
    if any(array.dtype.kind not in "fiu" for array in arrays):
        raise Unusable("broken", f"{', '.join(names)}: no numbers")
    return [array.astype(np.float64) for array in arrays]


def _motion(path: Path) -> Turned:
    poses, moved, scaling = _pickle(path, "smpl_poses", "smpl_trans", "smpl_scaling")
    frames = len(moved) if moved.ndim == 2 else 0
    sound = moved.shape == (frames, 3) and poses.shape in ((frames, 72), (frames, 24, 3)) and scaling.size == 1
    if not frames or not sound:
        shapes = f"{list(poses.shape)}, {list(moved.shape)}, {list(scaling.shape)}"
        raise Unusable("broken", f"poses, translation and scaling of {shapes}, expected [N, 72], [N, 3], [1]")
    if not (np.isfinite(poses).all() and np.isfinite(moved).all() and np.isfinite(scaling).all()):
        raise Unusable("nan", "numbers that are none")
    if float(scaling.reshape(())) <= 0:
        raise Unusable("broken", f"a scaling of {float(scaling.reshape(())):g}")
    return Turned(poses.reshape(frames, 24, 3), moved / scaling.reshape(()), AISTPP_FPS)


def _keypoints(path: Path) -> Placed:
    (positions,) = _pickle(path, "keypoints3d_optim")
    return Placed(_checked(positions, 17) * CENTIMETRES, points.SETS["coco17"], AISTPP_FPS)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Read an .npz or .npy without pickles in it, and no more than the cap."""
    try:
        if path.suffix.lower() == ".npy":
            if path.stat().st_size > MOST_NPZ_BYTES:
                raise Unusable("too-large", f"more than {MOST_NPZ_BYTES // 2**20} MiB")
            return {"positions": np.load(path, mmap_mode="r", allow_pickle=False)}
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_NPZ_BYTES:
                raise Unusable("too-large", f"more than {MOST_NPZ_BYTES // 2**20} MiB")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Unusable:
        raise
    except Exception as error:  # bytes that lie about themselves: numpy, zipfile and zlib raise whatever comes
        raise Unusable("broken", f"no arrays that can be read: {one_line(error, 120)}") from None


def _melody(arrays: dict[str, np.ndarray]) -> Placed:
    """Read a pair of dance_with_melody: centimetres, `fps` frames a second, from the song's frame `start` on."""
    absent = {"joints", "fps", "start"} - arrays.keys()
    if absent:
        raise Unusable("broken", f"lacks {', '.join(sorted(absent))}")
    fps, first = _number(arrays["fps"], "fps"), _number(arrays["start"], "start")
    positions = _checked(arrays["joints"], 23) * CENTIMETRES
    return _begun(Placed(positions, points.SETS["melody23"], fps, first / fps))


def _joints(arrays: dict[str, np.ndarray], settings: Settings) -> Placed:
    """Read a user's own positions: `positions` [N, K, 3], and where they are told `names`, `fps`, `start` (seconds)."""
    if "positions" not in arrays:
        raise Unusable("broken", f"lacks positions; has {', '.join(sorted(arrays))[:80] or 'nothing'}")
    positions = _checked(arrays["positions"])
    given = [str(name) for name in arrays["names"].reshape(-1)] if "names" in arrays else None
    told = _points(positions.shape[1], given)
    fps = _number(arrays["fps"], "fps") if "fps" in arrays else settings.joints.fps
    start = _number(arrays["start"], "start") if "start" in arrays else 0.0
    turned = positions[..., TURNS[settings.joints.up]] * settings.joints.metres
    return _begun(Placed(turned, replace(told, centred=settings.joints.centred), fps, start))


def _points(count: int, names: Sequence[str] | None) -> PointSet:
    """Tell what the points are, by their names or by their number; arms and legs must be among them."""
    known = {len(JOINTS): JOINTS, **{len(told.names): told.names for told in points.SETS.values()}}
    names = names or known.get(count)
    if names is None or len(names) != count:
        how = f"with {len(names)} names" if names else "without names: put `names` beside `positions`"
        raise Unusable("missing-joints", f"{count} joints {how}")
    try:
        told = points.named(names)
        told.limbs()
    except UserError as error:
        raise Unusable("missing-joints", one_line(error)) from None
    return told


def _number(array: np.ndarray, name: str) -> float:
    sound = array.size == 1 and array.dtype.kind in "fiu" and np.isfinite(array).all()
    value = float(array.reshape(())) if sound else -1.0
    if value < 0 or (name == "fps" and not 0 < value <= 240):
        raise Unusable("broken", f"{name} is {str(array)[:40]}")
    return value


def _checked(positions: np.ndarray, count: int | None = None) -> np.ndarray:
    if positions.ndim != 3 or positions.shape[2] != 3 or not len(positions) or positions.dtype.kind not in "fiu":
        raise Unusable("broken", f"positions of {list(positions.shape)}, expected [N, K, 3]")
    if count is not None and positions.shape[1] != count:
        raise Unusable("missing-joints", f"{positions.shape[1]} joints, expected {count}")
    if not np.isfinite(positions).all():
        frames = ~np.isfinite(positions).all(axis=(1, 2))
        raise Unusable("nan", f"numbers that are none in {frames.sum()} of {len(positions)} frames")
    return np.asarray(positions, np.float64)


def _begun(placed: Placed, fps: int = 30) -> Placed:
    """Leave out the few first frames that lie before one of the pack's: then the two are in time exactly."""
    for skipped in range(min(round(placed.fps), len(placed.positions) - 1)):
        start = placed.start + skipped / placed.fps
        if abs(start * fps - round(start * fps)) < 1e-6:
            return replace(placed, positions=placed.positions[skipped:], start=start)
    return placed
