"""Frame the subject and bring it to one resolution. Boxes and crops are x0, y0, x1, y1 in pixels of the picture."""

import numpy as np
from PIL import Image

from inference.framing import Box, Crop, place

WHITE = (255, 255, 255)


def around_body(box: Box, tall: float, padding: float) -> Crop:
    """Frame a whole body: the box in the middle, padded by a share of its longer side, `tall` times as high as wide."""
    x0, y0, x1, y1 = box
    room = padding * max(x1 - x0, y1 - y0)
    width = max(x1 - x0 + 2 * room, (y1 - y0 + 2 * room) / tall)
    return place((x0 + x1) / 2, (y0 + y1) / 2, width, tall)


def widened(box: Box, share: float) -> Crop:
    """Widen a box on all sides by a share of its longer one, to whole pixels."""
    room = share * max(box[2] - box[0], box[3] - box[1])
    x0, y0, x1, y1 = (round(value) for value in (box[0] - room, box[1] - room, box[2] + room, box[3] + room))
    return (x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))


def inside(coverage: np.ndarray, crop: Crop, width: int, height: int) -> np.ndarray:
    """Clear a matte over a crop where the crop lies beyond the picture of that width and height."""
    rows, columns = coverage.shape
    x0, y0, x1, y1 = crop
    left, right = (np.array((0 - x0, width - x0)) / (x1 - x0) * columns).clip(0, columns).round().astype(int)
    top, bottom = (np.array((0 - y0, height - y0)) / (y1 - y0) * rows).clip(0, rows).round().astype(int)
    kept = np.zeros_like(coverage)
    kept[top:bottom, left:right] = coverage[top:bottom, left:right]
    return kept


def relative(box: Box, crop: Crop) -> Box:
    """Express a box in fractions of a crop."""
    width, height = crop[2] - crop[0], crop[3] - crop[1]
    return (
        (box[0] - crop[0]) / width,
        (box[1] - crop[1]) / height,
        (box[2] - crop[0]) / width,
        (box[3] - crop[1]) / height,
    )


def finish(colour: np.ndarray, coverage: np.ndarray, width: int, height: int, background: str) -> np.ndarray:
    """Lay the subject on its background and resize once, antialiased: [height, width, 3 or 4] uint8.

    `colour` is HxWx3 and `coverage` HxW, both uint8 over the same crop; `background` is white, transparent or keep.
    """
    if background == "keep":
        picture = Image.fromarray(colour)
    else:
        picture = Image.fromarray(np.dstack((colour, coverage)))
        if background == "white":
            ground = Image.new("RGB", picture.size, WHITE)
            ground.paste(picture, mask=picture.getchannel("A"))
            picture = ground
    # Pillow resizes RGBA with premultiplied colour: what is transparent does not bleed in.
    finished = np.array(picture.resize((width, height), Image.Resampling.LANCZOS))
    if background == "transparent":
        finished[finished[..., 3] == 0] = 0
    return finished
