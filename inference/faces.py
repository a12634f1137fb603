"""Find faces in a picture: YuNet, through OpenCV."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from inference import weights

NMS_IOU = 0.3
MAX_FACES = 200


@dataclass(frozen=True)
class Face:
    """A face in pixels: box x0, y0, x1, y1 from brow to chin, and five landmarks (its right eye first)."""

    box: tuple[float, float, float, float]
    score: float
    landmarks: tuple[tuple[float, float], ...]  # right eye, left eye, nose, right and left corner of the mouth


class FaceDetector:
    """YuNet on a picture brought to each of some sizes in turn, until one shows a face.

    A large face is missed at a large size and a small one at a small size; the first size settles most pictures.
    """

    def __init__(self, longest: tuple[int, ...] = (320, 640), score: float = 0.7, model: Path | None = None) -> None:
        self.longest = longest
        path = model or weights.path("yunet")
        # On creation it warns of its own default target.
        loudness = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        self.net = cv2.FaceDetectorYN.create(str(path), "", (320, 320), score, NMS_IOU, MAX_FACES)
        cv2.utils.logging.setLogLevel(loudness)

    def detect(self, picture: np.ndarray) -> list[Face]:
        """Find faces in HxWx3 uint8 RGB, the largest first."""
        for longest in self.longest:
            faces = self._detect_at(picture, longest)
            if faces:
                return sorted(faces, key=lambda face: (-_area(face.box), face.box))
        return []

    def _detect_at(self, picture: np.ndarray, longest: int) -> list[Face]:
        height, width = picture.shape[:2]
        scale = longest / max(height, width)
        smaller = (max(1, round(width * scale)), max(1, round(height * scale)))
        resized = cv2.resize(picture, smaller, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        self.net.setInputSize(smaller)
        _, rows = self.net.detect(cv2.cvtColor(resized, cv2.COLOR_RGB2BGR))
        back = np.array([width / smaller[0], height / smaller[1]])
        return [] if rows is None else [_face(row, back) for row in rows]


def _face(row: np.ndarray, back: np.ndarray) -> Face:
    """Read one of YuNet's rows: x, y, width, height, five points, score."""
    x0, y0 = row[0:2] * back
    x1, y1 = (row[0:2] + row[2:4]) * back
    points = row[4:14].reshape(5, 2) * back
    return Face(
        box=(float(x0), float(y0), float(x1), float(y1)),
        score=float(row[14]),
        landmarks=tuple((float(x), float(y)) for x, y in points),
    )


def _area(box: tuple[float, float, float, float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
