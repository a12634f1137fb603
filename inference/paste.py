"""Cut a face out of a frame for the generator, and lay the mouth that it drew back in at full resolution."""

import functools

import cv2
import numpy as np

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels

# Of the box, in its width and height: where the drawn mouth is laid in whole, and where it has faded to nothing. The
# lower half is what the generator draws; cheeks, and below them the jaw, move with the mouth.
MIDDLE = (0.5, 0.76)
INNER = (0.29, 0.15)  # half axes
OUTER = (0.43, 0.25)
SEAM = 9.0  # pixels of 96: how far inwards the colours of the seam are carried
LIGHTEST = 1e-3


def crop(picture: np.ndarray, box: Box, edge: int = 96) -> np.ndarray:
    """Cut a box out of uint8 HxWx3 and squeeze it to edge x edge; beyond the picture its border goes on."""
    x0, y0, x1, y1 = whole(box)
    height, width = picture.shape[:2]
    inner = picture[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)]
    if inner.size == 0:
        return np.zeros((edge, edge, 3), np.uint8)
    beyond = (max(0, -y0), max(0, y1 - height), max(0, -x0), max(0, x1 - width))
    if any(beyond):
        inner = cv2.copyMakeBorder(inner, *beyond, cv2.BORDER_REPLICATE)
    shrinks = min(inner.shape[:2]) > edge
    return cv2.resize(inner, (edge, edge), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def paste(picture: np.ndarray, box: Box, before: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Lay a drawn face [edge, edge, 3] into a copy of the picture from which `before` was cut: its mouth, feathered.

    The colours of the seam are those of the picture, all around it: the difference between what was cut and what was
    drawn is measured along the seam and carried inwards.
    """
    x0, y0, x1, y1 = whole(box)
    height, width = picture.shape[:2]
    left, top, right, bottom = max(0, x0), max(0, y0), min(width, x1), min(height, y1)
    if left >= right or top >= bottom:
        return picture
    drawn = _matched(before, drawn)
    edge = len(drawn)
    first = max(top, y0 + int((MIDDLE[1] - OUTER[1]) * (y1 - y0)))  # nothing is laid in above
    # Of the enlarged face only the rows that are needed, with the same grid of pixels.
    scale_x, scale_y = edge / (x1 - x0), edge / (y1 - y0)
    way = np.array(
        [
            [scale_x, 0, (left - x0 + 0.5) * scale_x - 0.5],
            [0, scale_y, (first - y0 + 0.5) * scale_y - 0.5],
        ]
    )
    extent = (right - left, bottom - first)
    how = cv2.INTER_CUBIC if scale_x < 1 else cv2.INTER_LINEAR
    flags = how | cv2.WARP_INVERSE_MAP
    large = cv2.warpAffine(drawn, way, extent, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(mask(edge), way, extent, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)[:, :, None]
    pasted = picture.copy()
    region = pasted[first:bottom, left:right]
    region[:] = np.clip(region + share * (large - region) + 0.5, 0, 255)
    return pasted


def whole(box: Box) -> tuple[int, int, int, int]:
    """Round a box to pixels, at least one each way."""
    x0, y0 = round(box[0]), round(box[1])
    return x0, y0, max(x0 + 1, round(box[2])), max(y0 + 1, round(box[3]))


@functools.cache
def mask(edge: int) -> np.ndarray:
    """Give the share of the drawn mouth in each pixel of the box: float32 [edge, edge] in [0, 1]."""
    at = (np.arange(edge) + 0.5) / edge
    x, y = np.abs(at[None] - MIDDLE[0]), np.abs(at[:, None] - MIDDLE[1])
    # Rounded rectangles: of the fourth power, as a jaw is.
    inner = ((x / INNER[0]) ** 4 + (y / INNER[1]) ** 4) ** 0.25
    outer = ((x / OUTER[0]) ** 4 + (y / OUTER[1]) ** 4) ** 0.25
    t = np.clip((1 - outer) / np.maximum(inner - outer, 1e-6), 0, 1)
    t = np.where(inner <= 1, 1, t)
    return (t * t * (3 - 2 * t)).astype(np.float32)


@functools.cache
def _seam(edge: int) -> np.ndarray:
    """Give the weight of each pixel as part of the seam: where both pictures show."""
    share = mask(edge)
    return share * (1 - share) * 4 + LIGHTEST * (share < LIGHTEST)


@functools.cache
def _seam_spread(edge: int) -> np.ndarray:
    return cv2.GaussianBlur(_seam(edge), (0, 0), SEAM * edge / 96)[:, :, None]


def _matched(before: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Shift the colours of what was drawn to those along the seam: float32."""
    edge = len(drawn)
    drawn = drawn.astype(np.float32)
    apart = (before - drawn) * _seam(edge)[:, :, None]
    return drawn + cv2.GaussianBlur(apart, (0, 0), SEAM * edge / 96) / _seam_spread(edge)
