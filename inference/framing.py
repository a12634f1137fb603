"""Frame a subject as the corpora are framed. Boxes and crops are x0, y0, x1, y1 in pixels of the picture."""

import cv2
import numpy as np

from inference.faces import Face

Box = tuple[float, float, float, float]
Crop = tuple[int, int, int, int]  # may leave the picture

# How a corpus of faces is framed unless its config says otherwise: conf/preprocessing/images.yaml, images.face.
SIDE, LEVEL, LIFT = 2.4, 0.45, 0.15


def around_face(face: Face, tall: float, side: float = SIDE, level: float = LEVEL) -> Crop:
    """Frame head and shoulders: `side` times as wide as the face is high, the face's middle `level` down the crop."""
    x0, y0, x1, y1 = face.box
    width = side * (y1 - y0)
    middle = (y0 + y1) / 2 + (0.5 - level) * width * tall
    return place((x0 + x1) / 2, middle, width, tall)


def lift(crop: Crop, height: int, most: float = LIFT) -> Crop:
    """Move a crop that leaves the picture below up into it, by at most a share of its own height.

    Shoulders cut off above an empty strip look like a mistake; empty room over a head does not.
    """
    below = min(crop[3] - height, round(most * (crop[3] - crop[1])))
    return crop if below <= 0 else (crop[0], crop[1] - below, crop[2], crop[3] - below)


def cut(picture: np.ndarray, crop: Crop) -> np.ndarray:
    """Cut a crop out of HxWxC or HxW; beyond the picture its outermost pixels go on."""
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = crop
    inner = picture[max(y0, 0) : max(min(y1, height), 0), max(x0, 0) : max(min(x1, width), 0)]
    beyond = (max(-y0, 0), max(y1 - height, 0), max(-x0, 0), max(x1 - width, 0))  # top, bottom, left, right
    return cv2.copyMakeBorder(inner, *beyond, cv2.BORDER_REPLICATE) if any(beyond) else inner


def place(x: float, y: float, width: float, tall: float) -> Crop:
    """Put a crop around a point: whole pixels, the aspect kept to within one."""
    columns = max(1, round(width))
    rows = max(1, round(columns * tall))
    left, top = round(x - columns / 2), round(y - rows / 2)
    return (left, top, left + columns, top + rows)
