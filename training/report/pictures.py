"""Pictures on the page: inside it, so that it needs no other file."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image


def inline(picture: Image.Image | np.ndarray, lossless: bool = False, quality: int = 80) -> str:
    """Encode a picture as a data URI."""
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=quality, lossless=lossless, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def spread(items: Sequence, count: int) -> list:
    """Pick up to `count` items at even distances, the first and the last among them."""
    if count == 1 or len(items) <= 1:
        return list(items[:1])
    steps = min(count, len(items)) - 1
    return [items[round(step * (len(items) - 1) / steps)] for step in range(steps + 1)]
