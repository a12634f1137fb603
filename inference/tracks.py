"""From faces found in single frames to the steady boxes that Wav2Lip's networks see a face through."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from inference.faces import Face

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels

# S3FD's boxes, which Wav2Lip's public weights were trained on, against YuNet's on the same faces: both detectors learnt
# the boxes of WIDER FACE. Medians over the 61 faces that YuNet finds at 1920 pixels in the two pictures which
# github.com/yxlijun/S3FD.pytorch publishes with S3FD's boxes drawn in (median deviation 0.02 to 0.03; the boxes'
# overlap rises from 0.87 to 0.90). Larger faces alone, 9 of 75 to 90 pixels, ask for less: 1.02, 0.01, 0.02.
WIDER = 1.045
HIGHER = 0.028  # of the height
LOWER = 0.041

OVERLAP = 0.4
PATIENCE = 5  # frames
MEDIAN = 5  # frames
SPREAD = 2.0  # frames, of a Gaussian


def framing(face: Face) -> Box:
    """Give the box that S3FD would have drawn round a face that YuNet found; it may leave the picture."""
    x0, y0, x1, y1 = face.box
    width, height = x1 - x0, y1 - y0
    middle = (x0 + x1) / 2
    return middle - WIDER * width / 2, y0 - HIGHER * height, middle + WIDER * width / 2, y1 + LOWER * height


def overlap(one: Box, other: Box) -> float:
    """Give the intersection of two boxes as a share of their union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (_area(one) + _area(other) - width * height)


@dataclass
class Track:
    """One face followed through consecutive frames, with S3FD's framing; no frame of it is without a box."""

    first: int
    boxes: list[Box] = field(default_factory=list)
    faces: list[Face | None] = field(default_factory=list)  # None where the box was put between its neighbours

    @property
    def end(self) -> int:
        """The frame after the last."""
        return self.first + len(self.boxes)

    @property
    def found(self) -> list[bool]:
        return [face is not None for face in self.faces]

    @property
    def scores(self) -> list[float]:
        """Of the frames in which it was found."""
        return [face.score for face in self.faces if face]

    def __len__(self) -> int:
        return len(self.boxes)

    def box(self, frame: int) -> Box:
        return self.boxes[frame - self.first]

    def array(self) -> np.ndarray:
        """Give the boxes as float64 [N, 4]."""
        return np.array(self.boxes, np.float64).reshape(-1, 4)

    def extend(self, frame: int, face: Face) -> None:
        """Go on at a frame, filling the frames since the last one in a straight line."""
        box = framing(face)
        if self.boxes:
            last, gap = np.array(self.boxes[-1]), frame - self.end + 1
            for step in range(1, gap):
                between = last + (np.array(box) - last) * step / gap
                self.boxes.append(tuple(between.tolist()))
                self.faces.append(None)
        self.boxes.append(box)
        self.faces.append(face)


class Tracker:
    """Follow faces frame by frame: a face goes on where it overlaps most, or begins a track of its own.

    A track ends when its face is not found in `patience` frames looked at, and at every cut.
    """

    def __init__(self, overlap: float = OVERLAP, patience: int = PATIENCE) -> None:
        self.overlap = overlap
        self.patience = patience
        self.tracks: list[Track] = []
        self._open: dict[int, int] = {}  # position in tracks -> frames looked at without it
        self._frame = 0

    def cut(self) -> None:
        """End all tracks: the next frame is of another shot."""
        self._open.clear()

    def step(self, faces: Sequence[Face] | None) -> None:
        """Take the faces of the next frame, or None for a frame in which nobody looked."""
        if faces is not None:
            self._assign(faces)
        self._frame += 1

    def _assign(self, faces: Sequence[Face]) -> None:
        boxes = [framing(face) for face in faces]
        pairs = (
            (overlap(self.tracks[position].boxes[-1], box), position, index)
            for position in self._open
            for index, box in enumerate(boxes)
        )
        left, going = set(range(len(faces))), set()
        for share, position, index in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
            if share >= self.overlap and index in left and position not in going:
                self.tracks[position].extend(self._frame, faces[index])
                left.discard(index)
                going.add(position)
        missed = {position: count + 1 for position, count in self._open.items() if position not in going}
        self._open = dict.fromkeys(going, 0) | {
            position: count for position, count in missed.items() if count <= self.patience
        }
        for index in sorted(left):
            self._open[len(self.tracks)] = 0
            self.tracks.append(Track(self._frame))
            self.tracks[-1].extend(self._frame, faces[index])


def track(
    detections: Iterable[Sequence[Face] | None],
    cuts: Collection[int] = (),
    overlap: float = OVERLAP,
    patience: int = PATIENCE,
) -> list[Track]:
    """Follow all faces through the frames of a video; `cuts` are the first frames of new shots."""
    tracker, starts = Tracker(overlap, patience), set(cuts)
    for frame, faces in enumerate(detections):
        if frame in starts:
            tracker.cut()
        tracker.step(faces)
    return tracker.tracks


def smooth(boxes: np.ndarray, median: int = MEDIAN, spread: float = SPREAD) -> np.ndarray:
    """Steady the boxes of one track, float64 [N, 4], without lag: what is smoothed sees as much future as past.

    A running median takes single slips of the detector away, a Gaussian its trembling. Middle and extent are smoothed
    apart; at the ends the track is mirrored through its last box, so that a steady movement stays one.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    shape = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)
    reach = median // 2
    slices = [_mirrored(shape, reach)[shift : shift + len(shape)] for shift in range(2 * reach + 1)]
    shape = np.median(slices, axis=0)
    reach = int(np.ceil(3 * spread))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(spread, 1e-6)) ** 2)
    padded = _mirrored(shape, reach)
    shape = sum(tap * padded[shift : shift + len(shape)] for shift, tap in enumerate(taps / taps.sum()))
    return np.concatenate([shape[:, :2] - shape[:, 2:] / 2, shape[:, :2] + shape[:, 2:] / 2], axis=1)


def crop(picture: np.ndarray, box: Box, edge: int = 96) -> np.ndarray:
    """Cut a box out of uint8 HxWx3 and squash it to edge x edge; beyond the picture its rim goes on.

    Exact to a fraction of a pixel where that shows, that is unless the box is reduced by more than half.
    """
    x0, y0, x1, y1 = box
    across, down = (x1 - x0) / edge, (y1 - y0) / edge
    if min(across, down) > 2:
        columns = np.arange(round(x0), round(x1)).clip(0, picture.shape[1] - 1)
        rows = np.arange(round(y0), round(y1)).clip(0, picture.shape[0] - 1)
        return cv2.resize(picture[np.ix_(rows, columns)], (edge, edge), interpolation=cv2.INTER_AREA)
    # Middles of pixels: 0.5 here is 0.5 there.
    back = np.array([[across, 0, x0 + across / 2 - 0.5], [0, down, y0 + down / 2 - 0.5]])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, back, (edge, edge), flags=how, borderMode=cv2.BORDER_REPLICATE)


def _mirrored(values: np.ndarray, reach: int) -> np.ndarray:
    """Lengthen a row of values by `reach` at both ends, point-mirrored at its first and last value."""
    if reach == 0:
        return values
    steps = np.arange(1, reach + 1)
    last = len(values) - 1
    before = 2 * values[0] - values[np.minimum(steps, last)][::-1]
    after = 2 * values[last] - values[np.maximum(last - steps, 0)]
    return np.concatenate([before, values, after])


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
