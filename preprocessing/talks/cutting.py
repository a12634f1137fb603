"""The way of one take: listen, watch, choose whose face it is, and cut clips of it; each step cheaper than the next."""

import functools
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector

from inference import audio, tracks, video
from inference.faces import Face, FaceDetector
from inference.media import MediaError
from inference.tracks import Track
from preprocessing import quality
from preprocessing.quality import Rejected
from preprocessing.talkpacks import EDGE, FPS, Content
from preprocessing.talks.settings import Settings
from preprocessing.talks.takes import Take

RATE = Fraction(FPS)
SAMPLES = audio.RATE // FPS  # a frame
WATCHED = 640  # pixels of the longer side; no detector looks at more
CUT_WIDTH = 160  # pixels, for the detector of cuts
SHORTEST_SHOT = 5  # frames
SECOND_FACE = 0.2  # of the frames, with another speaker in sight
AGREES = 0.15  # overlap with the boxes that came along
QUIET = 12  # frames around an even cut in which a quieter one is looked for
BLUR_EVERY = 5  # frames


@dataclass(frozen=True)
class Task:
    """A take to be cut; the key names its files."""

    key: str
    take: Take


@dataclass(frozen=True)
class Segment:
    """Frames of a take in which one face is followed: first and end, and its boxes in pixels of the source."""

    first: int
    end: int
    boxes: np.ndarray

    def __len__(self) -> int:
        return self.end - self.first


class Cutter:
    """Everything one process needs to cut takes; the detectors are opened once."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        cv2.setNumThreads(1)
        self.settings = settings
        self.folder = folder
        self.faces = FaceDetector(settings.detector.longest, settings.detector.score)

    def __call__(self, task: Task) -> dict:
        """Give the row of a take: `pieces`, each kept with its file or rejected with its reason, and what it took."""
        started = time.process_time()
        row: dict = {"sha256": None, "seconds": 0.0}
        try:
            row["sha256"] = _sha256(task.take.video, os.stat(task.take.video).st_mtime_ns)
            row["pieces"] = list(self._cut(task, row))
        except (MediaError, Rejected) as error:
            row["pieces"] = [_piece_rejected(error.reason, str(error), None)]
        except FileNotFoundError as error:
            row["pieces"] = [_piece_rejected("missing-file", f"{error.filename} has gone", None)]
        except PermissionError as error:
            row["pieces"] = [_piece_rejected("not-readable", f"{error.filename} may not be read", None)]
        row["took"] = time.process_time() - started
        return row

    def _cut(self, task: Task, row: dict) -> Iterator[dict]:
        take, settings = task.take, self.settings
        about = video.probe(take.video, settings.most_pixels, settings.most_seconds)
        samples = audio.decode(take.audio, _first(take) / FPS, take.seconds, settings.most_seconds)
        heard = len(samples) // SAMPLES
        if heard < settings.frames[0]:
            needed = settings.frames[0] / FPS
            raise Rejected("too-short", f"{len(samples) / audio.RATE:.2f} s of sound, {needed:.2f} needed")
        faces, cuts = self._watch(take, about)
        row["seconds"] = len(faces) / FPS
        seen = min(len(faces), heard)
        looked = np.array([found is not None for found in faces])
        followed = _until(seen, tracks.track(faces, cuts, settings.detector.overlap, settings.detector.patience))
        speech = audio.speech(samples[: seen * SAMPLES])
        pieces, rejects = [], []
        for track in self._chosen(followed, take, seen):
            try:
                segment = self._segment(track, followed, int(looked[track.first : track.end].sum()))
                pieces += list(_parts(segment, settings.frames[1], speech))
            except Rejected as error:
                rejects.append(_piece_rejected(error.reason, str(error), take.start + track.first / FPS))
        contents = self._crops(take, pieces, len(faces), samples)
        for number, (segment, content) in enumerate(zip(pieces, contents, strict=True)):
            yield self._piece(f"{task.key}-{number:03d}", take, segment, seen, content, speech)
        yield from rejects

    def _watch(self, take: Take, about: video.Info) -> tuple[list[Sequence[Face] | None], list[int]]:
        """Find the faces, in pixels of the source, and the first frames of new shots; None where nobody looked."""
        found: list[Sequence[Face] | None] = []
        cuts: list[int] = []
        shots = AdaptiveDetector(min_scene_len=SHORTEST_SHOT)
        for frame, picture in enumerate(self._frames(take, longest=WATCHED)):
            look = frame % self.settings.detector.every == 0
            found.append(self._faces(picture, about) if look else None)
            height = max(1, round(picture.shape[0] * CUT_WIDTH / picture.shape[1]))
            small = cv2.resize(picture, (CUT_WIDTH, height), interpolation=cv2.INTER_AREA)
            now = FrameTimecode(frame, float(FPS))
            cuts += [cut.frame_num for cut in shots.process_frame(now, cv2.cvtColor(small, cv2.COLOR_RGB2BGR))]
        if found and found[-1] is None:  # else a face would end before the video does
            found[-1] = self._faces(picture, about)
        return found, cuts

    def _faces(self, picture: np.ndarray, about: video.Info) -> list[Face]:
        return [_scaled(face, about.width / picture.shape[1]) for face in self.faces.detect(picture)]

    def _frames(self, take: Take, count: int | None = None, longest: int | None = None) -> Iterator[np.ndarray]:
        if count is None and take.seconds is not None:
            count = round(take.seconds * FPS)
        return video.frames(take.video, RATE, self.settings.most_pixels, _first(take), count, longest=longest)

    def _chosen(self, followed: Sequence[Track], take: Take, seen: int) -> list[Track]:
        """Choose whose face it is: in each stretch of time the largest for longest, or whom the take's boxes show."""
        if not followed:
            raise Rejected("no-face", f"no face in any of its {seen} frames")
        if take.whole:
            return [_shown(followed, take.prior, seen) or max(followed, key=_weight)]
        chosen: list[Track] = []
        for track in sorted(followed, key=_weight, reverse=True):
            if not any(track.first < other.end and other.first < track.end for other in chosen):
                chosen.append(track)
        shortest = self.settings.frames[0]
        long = [track for track in chosen if len(track) >= shortest]
        return sorted(long, key=lambda track: track.first) or chosen[:1]

    def _segment(self, track: Track, followed: Sequence[Track], looked: int) -> Segment:
        """Check a track, in so many frames of which somebody looked, against the gates, and steady its boxes."""
        gates, shortest = self.settings.face, self.settings.frames[0]
        if len(track) < shortest:
            raise Rejected("too-short", f"a face for {len(track)} frames at a time, {shortest} needed")
        boxes = track.array()
        height = float(np.median(boxes[:, 3] - boxes[:, 1]))
        if height < gates.height:
            raise Rejected("small-face", f"a face {height:.0f} pixels high, {gates.height:.0f} needed")
        found = sum(track.found) / max(1, looked)
        if found < gates.found:
            raise Rejected("face-lost", f"its face is found in {found:.0%} of the frames, {gates.found:.0%} needed")
        turn = float(np.median([_turn(face) for face in track.faces if face]))
        if turn > gates.turn:
            raise Rejected("turned", f"a face turned aside by {turn:.2f}, {gates.turn:.2f} at most")
        others = _others(track, followed, gates.others)
        if others > SECOND_FACE:
            raise Rejected("second-face", f"another face in {others:.0%} of the frames")
        return Segment(track.first, track.end, tracks.smooth(boxes))

    def _crops(self, take: Take, pieces: Sequence[Segment], count: int, samples: np.ndarray) -> Iterator[Content]:
        """Read the video once more, at full resolution, and give what each piece consists of."""
        if not pieces:
            return
        pictures = enumerate(self._frames(take, count))
        for piece in pieces:
            crops = np.empty((len(piece), EDGE, EDGE, 3), np.uint8)
            for frame, picture in pictures:
                if frame >= piece.first:
                    crops[frame - piece.first] = tracks.crop(picture, tuple(piece.boxes[frame - piece.first]), EDGE)
                if frame == piece.end - 1:
                    break
            mel = audio.mel(samples[piece.first * SAMPLES : piece.end * SAMPLES])
            yield Content(crops, mel, piece.boxes.astype(np.float32))

    def _piece(self, name: str, take: Take, segment: Segment, seen: int, content: Content, speech: np.ndarray) -> dict:
        """Check the crops, write them down and give the row that speaks of them."""
        gates = self.settings
        greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in content.frames[::BLUR_EVERY]]
        blur = float(np.median([quality.blur(grey) for grey in greys]))
        start = (_first(take) + segment.first) / FPS
        if blur > gates.face.blur:
            return _piece_rejected("blurred", f"a blurred face, {blur:.2f} of 1", start)
        part = self.folder / f"{name}.part"
        with open(part, "wb") as stream:
            np.savez(stream, **content._asdict())
        os.replace(part, self.folder / f"{name}.npz")
        heard = speech[segment.first : segment.end] >= gates.speech.threshold
        return {
            "status": "kept",
            "file": f"{name}.npz",
            "start": start,
            "frames": len(segment),
            "columns": content.mel.shape[1],
            "share": len(segment) / seen,
            "speech": round(float(heard.mean()), 4),
            "blur": round(blur, 4),
            "box": [round(value, 1) for value in np.median(segment.boxes, axis=0).tolist()],
        }


def read(path: Path) -> Content:
    """Read what a kept piece consists of."""
    with np.load(path) as found:
        return Content(*(found[name] for name in Content._fields))


def rejected(reason: str, detail: str) -> dict:
    """Make the row of a take that is rejected as a whole."""
    return {"sha256": None, "seconds": 0.0, "took": 0.0, "pieces": [_piece_rejected(reason, detail, None)]}


def _piece_rejected(reason: str, detail: str, start: float | None) -> dict:
    return {"status": "rejected", "reason": reason, "detail": detail, "start": start}


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, modified: int) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _first(take: Take) -> int:
    """Give the frame at which a take begins, for the picture and for the sound."""
    return round(take.start * FPS)


def _scaled(face: Face, by: float) -> Face:
    points = tuple((x * by, y * by) for x, y in face.landmarks)
    return Face(tuple(value * by for value in face.box), face.score, points)


def _until(end: int, followed: Sequence[Track]) -> list[Track]:
    """Leave out what is seen from a frame on: there is no sound to it."""
    for track in followed:
        del track.boxes[max(0, end - track.first) :]
        del track.faces[max(0, end - track.first) :]
    return [track for track in followed if len(track)]


def _weight(track: Track) -> float:
    boxes = track.array()
    return float(((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sum())


def _shown(followed: Sequence[Track], prior: Sequence[Sequence[float]], seen: int) -> Track | None:
    """Choose the track that the boxes which came along show, or None where they show none of them.

    Their order of axes is the one in which they meet the faces better: published scripts disagree about it.
    """
    best, chosen = AGREES, None
    for order in ((0, 1, 2, 3), (1, 0, 3, 2)):
        for track in followed:
            met = []
            for step, box in enumerate(prior):
                frame = int((step + 0.5) / len(prior) * seen)
                if box and track.first <= frame < track.end:
                    met.append(tracks.overlap(track.box(frame), tuple(box[axis] for axis in order)))
            share = sum(met) / max(1, sum(bool(box) for box in prior))
            if share > best:
                best, chosen = share, track
    return chosen


def _others(track: Track, followed: Sequence[Track], share: float) -> float:
    """Give the share of a track's frames in which another face of at least `share` of its area is seen."""
    crowded = np.zeros(len(track), bool)
    area = _areas(track)
    for other in followed:
        first, end = max(track.first, other.first), min(track.end, other.end)
        if other is not track and first < end:
            theirs = _areas(other)[first - other.first : end - other.first]
            here = slice(first - track.first, end - track.first)
            crowded[here] |= theirs >= share * area[here]
    return float(crowded.mean())


def _areas(track: Track) -> np.ndarray:
    boxes = track.array()
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _turn(face: Face) -> float:
    """Tell how far the nose is off the middle of the eyes along their line, in distances of the eyes: 0 is frontal."""
    right, left, nose = (np.array(point) for point in face.landmarks[:3])
    line = left - right
    return abs(float(np.dot(nose - (right + left) / 2, line) / max(1e-6, np.dot(line, line))))


def _parts(segment: Segment, most: int, speech: np.ndarray) -> Iterator[Segment]:
    """Cut what is longer than a clip into even parts, each cut moved to the quietest frame near it."""
    count = -(-len(segment) // most)
    reach = min(QUIET, (most - -(-len(segment) // count)) // 2)
    edges = [segment.first]
    for number in range(1, count):
        even = segment.first + number * len(segment) // count
        edges.append(even - reach + int(np.argmin(speech[even - reach : even + reach + 1])))
    for first, end in zip(edges, [*edges[1:], segment.end], strict=True):
        yield Segment(first, end, segment.boxes[first - segment.first : end - segment.first])
