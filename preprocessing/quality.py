"""Gates: what a picture must be to become a training picture, and the reason it is given where it is not."""

import cv2
import numpy as np

from inference.framing import Box, Crop

BLUR_TAPS = 9
MIN_CONTRAST = 1e-3


class Rejected(ValueError):
    """A picture that is no use here; `reason` is a slug, the text one line."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def blur(grey: np.ndarray) -> float:
    """Tell how blurred a picture looks at this scale: 0 sharp to 1 blurred, whatever its contrast.

    Crété-Roffet 2007: blurring a sharp picture takes most of its differences between neighbours away, blurring a
    blurred one hardly any. Takes HxW uint8.
    """
    grey = grey.astype(np.float32)
    shares = []
    for axis, taps in ((0, (1, BLUR_TAPS)), (1, (BLUR_TAPS, 1))):
        again = cv2.blur(grey, taps, borderType=cv2.BORDER_REPLICATE)
        before, after = np.abs(np.diff(grey, axis=axis)), np.abs(np.diff(again, axis=axis))
        total = float(before.sum())
        lost = float(np.maximum(before - after, 0).sum())
        shares.append((total - lost) / total if total > MIN_CONTRAST * before.size else 1.0)
    return max(shares)


def softness(coverage: np.ndarray) -> float:
    """Count the uncertain pixels of a matte to each solid one: its rim is, ghosts and haloes are."""
    uncertain, solid = ((coverage > 48) & (coverage < 208)).sum(), (coverage >= 128).sum()
    return float(uncertain / max(solid, 1))


def contact(coverage: np.ndarray, crop: Crop, width: int, height: int) -> dict[str, float]:
    """Tell over which share of the crop the subject runs into each edge of the picture: where it is cut off.

    An edge of the picture that lies outside the crop cuts nothing.
    """
    solid = coverage >= 128
    rows, columns = coverage.shape
    x0, y0, x1, y1 = crop
    left, right = ((edge - x0) / (x1 - x0) * columns for edge in (0, width))
    top, bottom = ((edge - y0) / (y1 - y0) * rows for edge in (0, height))
    return {
        "left": float(solid[:, min(round(left), columns - 1)].mean()) if left >= 0 else 0.0,
        "top": float(solid[min(round(top), rows - 1)].mean()) if top >= 0 else 0.0,
        "right": float(solid[:, max(round(right) - 1, 0)].mean()) if right <= columns else 0.0,
        "bottom": float(solid[max(round(bottom) - 1, 0)].mean()) if bottom <= rows else 0.0,
    }


def extent(coverage: np.ndarray) -> tuple[float, float, float, float] | None:
    """Give the box of the solid part as fractions of the matte, or None where nothing is solid."""
    solid = coverage >= 128
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    if not len(rows):
        return None
    height, width = coverage.shape
    return (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes x0, y0, x1, y1."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (first, second)]
    return width * height / (sum(areas) - width * height)


def bust_within(coverage: np.ndarray, face: Box, ground: float) -> float:
    """Give the mean coverage (0..1) of the face or of the chest below it, whichever is less.

    The face is in fractions of the matte; `ground` is where the picture ends.
    """
    x0, y0, x1, y1 = face
    aside = 0.2 * (x1 - x0)
    chest = (x0 - aside, y1 + 0.2 * (y1 - y0), x1 + aside, ground)
    seen = [mean_within(coverage, box) for box in (face, chest) if box[3] - box[1] > 0.02]
    return min(seen, default=0.0)


def mean_within(coverage: np.ndarray, box: Box) -> float:
    """Give the mean coverage (0..1) within a box given in fractions of the matte."""
    height, width = coverage.shape
    x0, x1 = (int(np.clip(value * width, 0, width)) for value in (box[0], box[2]))
    y0, y1 = (int(np.clip(value * height, 0, height)) for value in (box[1], box[3]))
    return float(coverage[y0:y1, x0:x1].mean()) / 255 if x1 > x0 and y1 > y0 else 0.0
