"""What depends on the footage alone: whose mouth it is in every frame, and that person with the mouth at rest.

It is found once and kept in the user's cache, under the hash of the file's bytes.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as read_tensors
from safetensors.numpy import save as write_tensors

from inference import outputs, quiet, tracks, weights
from inference.errors import UserError
from inference.faces import Face, FaceDetector
from inference.footage import Footage
from inference.media import MediaError

VERSION = 3  # of what is found: another one, and nothing cached is used
EVERY = 5  # frames, of which one is looked at
LOOK = 1280  # pixels of the longer side at which faces are looked for
SIZES = (320, 640, 1280)
STILL_LOOK = 2560
PATIENCE = 3  # frames in which a face may be missed before its track ends
POSES = 6  # of a head, in each of which its mouth is shown at rest
LEAST_SIGHTINGS = 2  # a face seen less often in a video is none
PASSING = 5  # whoever is there for less than a fifth of another's time only passes by
CUT = 35.0  # levels between frames that follow each other: another shot
RULES = ("largest", "leftmost", "rightmost", "middle")
ROUND = 1500  # frames: so many are looked at, or twice, four times, ... so many


@dataclass(frozen=True)
class Prepared:
    """The box of the speaking face in each frame, float32 [N, 4], NaN without one; whose, and that person at rest.

    `owner` int32 [N] numbers the people, -1 without a face; `rest` uint8 [K, 96, 96, 3] shows them with the mouth at
    rest, in several poses of the head, and `whose` int32 [K] tells whom. `most` faces were seen at once.
    """

    boxes: np.ndarray
    owner: np.ndarray
    rest: np.ndarray
    whose: np.ndarray
    most: int

    def __len__(self) -> int:
        return len(self.boxes)

    def box(self, frame: int) -> tracks.Box | None:
        return None if self.owner[frame] < 0 else tuple(self.boxes[frame].tolist())


def prepare(
    footage: Footage,
    wanted: int,
    who: str = "largest",
    every: int = EVERY,
    cached: bool = True,
    watch: Callable[[Iterator], Iterator] = iter,
) -> Prepared:
    """Find the face in the first frames of the footage, as many as there are, at least `wanted` if there are so many.

    `who` is one of `RULES` or a point "x,y" in pixels. `watch` wraps the frames looked at, to show progress. A face
    that is nowhere is a `UserError`.
    """
    check_rule(who)
    upto = looked_at(wanted)
    place = _place(footage, upto, who, every) if cached else None
    found = _cached(place) if place else None
    if found is None:
        found = _find(footage, upto, who, every, watch)
        if place:
            try:
                _keep(place, found)
            except OSError as error:  # full, or nobody's to write to: the next time it is found anew
                why = (error.strerror or str(error)).lower()
                footage.notes.append(f"the faces found are not kept: {place.parent} cannot be written ({why})")
    if (found.owner < 0).all():
        if _point(who) and found.most:
            raise UserError(
                f"--who {who}: no face of {footage.path} is there: give a point on one, of {footage.width}x"
                f"{footage.height} pixels"
            )
        raise UserError(f"--face {footage.path}: no face was found in it: give one whose face is seen from the front")
    return found


def looked_at(wanted: int) -> int:
    """Give in how many frames a face is looked for: so that a sound little longer finds it in the cache."""
    upto = ROUND
    while upto < wanted:
        upto *= 2
    return upto


def check_rule(who: str) -> None:
    if who not in RULES and _point(who) is None:
        raise UserError(
            f"--who {who[:60]!r} must be {', '.join(RULES)}, or a point on the face in pixels, like 640,360"
        )


def _point(who: str) -> tuple[float, float] | None:
    parts = who.split(",")
    if len(parts) != 2 or not all(part.strip().isdigit() and len(part) < 9 for part in parts):
        return None
    return float(parts[0]), float(parts[1])


# -- looking -----------------------------------------------------------------------------------------------------------


class _Watcher:
    """Look at one frame of every few, and at all of them where faces come, go, or the shot changes."""

    def __init__(self, detector: FaceDetector, every: int) -> None:
        self.detector, self.every = detector, every
        self.tracker = tracks.Tracker(patience=PATIENCE)
        self.looks = quiet.Looks()
        self.pending: list[tuple[np.ndarray, bool]] = []  # frames not looked at yet, and whether a shot begins there
        self.count = self.most = 0
        self.faces = -1  # found in the last frame that was looked at
        self.thumb: np.ndarray | None = None

    def see(self, picture: np.ndarray) -> None:
        self.pending.append((picture, self._is_cut(picture)))
        if (self.count + len(self.pending) - 1) % self.every == 0:
            self.settle()

    def settle(self) -> None:
        """Look at the last of the pending frames, and at those before it if something has changed."""
        if not self.pending:
            return
        *before, (picture, cut) = self.pending
        self.pending = []
        faces = self.detector.detect(picture)
        changed = len(faces) != self.faces or cut or any(cut for _, cut in before)
        for skipped, begins in before:
            self._step(skipped, begins, self.detector.detect(skipped) if changed else None)
        self._step(picture, cut, faces)
        self.faces = len(faces)

    def _step(self, picture: np.ndarray, cut: bool, faces: list[Face] | None) -> None:
        if cut:
            self.tracker.cut()
        self.tracker.step(faces)
        if faces:
            self.most = max(self.most, len(faces))
            self.looks.take(self.count, picture, faces, self.tracker.tracks)
        self.count += 1

    def _is_cut(self, picture: np.ndarray) -> bool:
        thumb = cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
        last, self.thumb = self.thumb, thumb
        return last is not None and float(np.abs(thumb - last).mean()) > CUT


def _find(footage: Footage, upto: int, who: str, every: int, watch: Callable[[Iterator], Iterator]) -> Prepared:
    still = footage.still is not None
    look = STILL_LOOK if still else LOOK
    sizes = sorted({min(size, max(footage.width, footage.height, SIZES[0])) for size in (*SIZES, look)})
    watcher = _Watcher(FaceDetector(longest=tuple(sizes)), every)
    for picture in watch(footage.read(count=upto, longest=look)):
        watcher.see(picture)
    watcher.settle()
    scale = max(1.0, max(footage.width, footage.height) / look)
    found = watcher.tracker.tracks
    least = 1 if still or watcher.count < 25 else LEAST_SIGHTINGS
    kept = [index for index, track in enumerate(found) if len(track.scores) >= least]
    kept = _ranked(found, kept, who, footage, scale)
    boxes = np.full((watcher.count, 4), np.nan, np.float32)
    owner = np.full(watcher.count, -1, np.int32)
    for row, index in reversed(list(enumerate(kept))):  # the first choice is written last
        track = found[index]
        boxes[track.first : track.end] = tracks.smooth(track.array()) * scale
        owner[track.first : track.end] = row
    shown = [row for row in range(len(kept)) if (owner == row).any()]
    speech = quiet.speech_of(footage, watcher.count)
    rest = [_at_rest(footage, boxes, owner, row, watcher.looks, kept[row], speech) for row in shown]
    owner = np.array([shown.index(row) if row >= 0 else -1 for row in owner.tolist()], np.int32)
    whose = np.array([row for row, each in enumerate(rest) for _ in each], np.int32)
    pictures = np.concatenate(rest) if rest else np.zeros((0, 96, 96, 3), np.uint8)
    return Prepared(boxes, owner, pictures, whose, watcher.most)


def _ranked(found: list[tracks.Track], kept: list[int], who: str, footage: Footage, scale: float) -> list[int]:
    """Choose tracks of one person a shot, those that the rule fits best first; with a point, only those near it."""
    medians = {index: np.median(found[index].array(), axis=0) * scale for index in kept}
    point = _point(who)

    def rank(index: int) -> float:
        x0, y0, x1, y1 = medians[index]
        if point:
            return float(np.hypot((x0 + x1) / 2 - point[0], (y0 + y1) / 2 - point[1]))
        middle = (x0 + x1) / 2
        orders = {"largest": -(x1 - x0) * (y1 - y0), "leftmost": middle, "rightmost": -middle}
        return float(orders.get(who, abs(middle - footage.width / 2)))

    if point:
        kept = [index for index in kept if rank(index) <= max(medians[index][2:] - medians[index][:2])]
    chosen: list[int] = []
    for index in sorted(kept, key=rank):
        if not any(_beside(found[index], found[better]) for better in chosen):
            chosen.append(index)
    return chosen


def _beside(track: tracks.Track, better: tracks.Track) -> bool:
    """Tell whether a face is seen beside a better one: it is somebody else's, and stays so when that one is lost."""
    together = min(track.end, better.end) - max(track.first, better.first)
    # In a dissolve two people are seen together for a moment of both their times.
    return 2 * together >= min(len(track), len(better)) and PASSING * len(better) >= len(track)


def _at_rest(
    footage: Footage,
    boxes: np.ndarray,
    owner: np.ndarray,
    row: int,
    looks: quiet.Looks,
    track: int,
    speech: np.ndarray | None,
) -> np.ndarray:
    """Cut out the face where its mouth is at rest, in several poses: uint8 [K, 96, 96, 3]."""
    there, found = np.flatnonzero(owner == row), []
    for frame in looks.quietest(track, there, speech, float(footage.fps), POSES):
        picture = next(footage.read(frame, 1), None)
        if picture is None:
            raise MediaError("corrupt", f"frame {frame} was there before and is no longer")
        found.append(tracks.crop(picture, tuple(boxes[frame].tolist())))
    return np.stack(found)


# -- the cache ---------------------------------------------------------------------------------------------------------


def folder() -> Path:
    """Give the folder in which prepared faces are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dramatis" / "faces"


def _place(footage: Footage, upto: int, who: str, every: int) -> Path:
    with open(footage.path, "rb") as stream:
        contents = hashlib.file_digest(stream, "sha256").hexdigest()
    recipe = [VERSION, contents, str(footage.fps), upto, who, every, weights.TABLE["yunet"].sha256]
    return folder() / f"{hashlib.sha256(json.dumps(recipe).encode()).hexdigest()}.safetensors"


def _cached(place: Path) -> Prepared | None:
    """Read what was kept; what cannot be read is found anew."""
    try:
        tensors = read_tensors(place.read_bytes())
        boxes, owner, rest, whose = (tensors[name] for name in ("boxes", "owner", "rest", "whose"))
        most = int(tensors["most"][0])
    except (OSError, SafetensorError, KeyError, ValueError, IndexError):
        return None
    whole = boxes.shape == (len(owner), 4) and rest.shape[1:] == (96, 96, 3) and rest.dtype == np.uint8
    known = whose.shape == (len(rest),) and set(owner.tolist()) - {-1} <= set(whose.tolist())
    if not whole or not known or not len(owner):
        return None
    return Prepared(boxes, owner, rest, whose, most)


def _keep(place: Path, found: Prepared) -> None:
    """Put it in its place whole, for this user's eyes alone: it shows a face."""
    tensors = {name: getattr(found, name) for name in ("boxes", "owner", "rest", "whose")}
    tensors["most"] = np.array([found.most])
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    outputs.write(place, write_tensors(tensors), mode=0o600)
