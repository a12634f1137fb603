"""Lay the mouth that the generator drew into the frame that its face was cut out of, at full resolution."""

import functools
import math

import cv2
import numpy as np

from inference.tracks import Box

# Of the box, in its width and height: where the drawn mouth is laid in whole, and where it has faded to nothing. The
# lower half is what the generator draws; cheeks, and below them the jaw, move with the mouth.
MIDDLE = (0.5, 0.76)
INNER = (0.29, 0.15)  # half axes
OUTER = (0.43, 0.25)
SEAM = 9.0  # pixels of 96: how far inwards the colours of the seam are carried
LIGHTEST = 1e-3


def paste(picture: np.ndarray, box: Box, before: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Lay a drawn face [edge, edge, 3] into a copy of the picture from which `before` was cut: its mouth, feathered.

    The colours of the seam are those of the picture, all around it: the difference between what was cut and what was
    drawn is measured along the seam and carried inwards.
    """
    edge = len(drawn)
    x0, y0, x1, y1 = sampled(box, edge)
    height, width = picture.shape[:2]
    # Pixels of the picture in which anything of the mouth shows.
    left = max(0, math.ceil(x0 + (MIDDLE[0] - OUTER[0]) * (x1 - x0)))
    right = min(width, math.floor(x0 + (MIDDLE[0] + OUTER[0]) * (x1 - x0)))
    top = max(0, math.ceil(y0 + (MIDDLE[1] - OUTER[1]) * (y1 - y0)))
    bottom = min(height, math.floor(y0 + (MIDDLE[1] + OUTER[1]) * (y1 - y0)))
    if left >= right or top >= bottom:
        return picture
    across, down = edge / (x1 - x0), edge / (y1 - y0)
    way = np.array([[across, 0, (left + 0.5 - x0) * across - 0.5], [0, down, (top + 0.5 - y0) * down - 0.5]])
    extent = (right - left, bottom - top)
    how = (cv2.INTER_CUBIC if across < 1 else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP
    large = cv2.warpAffine(_matched(before, drawn), way, extent, flags=how, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(mask(edge), way, extent, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    pasted = picture.copy()
    pasted[top:bottom, left:right] = cv2.blendLinear(large, pasted[top:bottom, left:right], share, 1 - share)
    return pasted


def sampled(box: Box, edge: int = 96) -> Box:
    """Give the edges of what `tracks.crop` really cuts: whole pixels, where it reduces by more than half."""
    x0, y0, x1, y1 = box
    return tuple(map(round, box)) if min(x1 - x0, y1 - y0) > 2 * edge else box


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
    """Shift the colours of what was drawn to those along the seam."""
    edge = len(drawn)
    apart = np.subtract(before, drawn, dtype=np.float32) * _seam(edge)[:, :, None]
    shift = cv2.GaussianBlur(apart, (0, 0), SEAM * edge / 96) / _seam_spread(edge)
    return np.clip(drawn + shift + 0.5, 0, 255).astype(np.uint8)
