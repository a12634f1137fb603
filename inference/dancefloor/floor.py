"""What dancers stand on and before: a floor in perspective that fades into a backdrop, and their shadows on it."""

from dataclasses import dataclass

import cv2
import numpy as np

from inference.dancefloor.camera import Camera

TILE = 1024  # pixels of the floor's pattern, which repeats
METRES = 4.0  # that it covers
BOARDS = 24  # across it
FADES = (3.5, 13.0)  # metres behind the target where the floor begins to fade, and where it is gone
SHADOW = 0.5  # of the light that is left in the middle of a shadow
SHADED = np.rint(255 - (1 - SHADOW) * np.arange(256)).astype(np.uint8)


@dataclass(frozen=True)
class Palette:
    """Colours of a place, sRGB in 0..255."""

    top: tuple[int, int, int]  # of the backdrop
    low: tuple[int, int, int]  # of the backdrop where the floor meets it
    floor: tuple[int, int, int]
    line: tuple[int, int, int]
    planks: bool  # a wooden floor, or a grid


NIGHT = Palette((13, 15, 27), (38, 44, 74), (29, 33, 54), (74, 86, 134), False)
STUDIO = Palette((226, 214, 203), (244, 236, 226), (207, 176, 143), (150, 112, 78), True)
HALL = Palette((43, 45, 66), (121, 101, 126), (108, 82, 76), (66, 46, 46), True)
LOFT = Palette((150, 176, 186), (222, 227, 220), (172, 163, 150), (118, 110, 100), True)
PLACES = (STUDIO, HALL, LOFT)


class Floor:
    """A place of one palette, drawn for cameras that differ only in where they stand."""

    def __init__(self, palette: Palette, camera: Camera) -> None:
        self.pattern = _planks(palette) if palette.planks else _grid(palette)
        rows = np.arange(camera.height) + 0.5
        distance = np.linalg.norm(camera.target[[0, 2]] - camera.eye[[0, 2]])
        behind = _distances(camera, rows) - distance
        shown = 1 - np.clip((behind - FADES[0]) / (FADES[1] - FADES[0]), 0, 1)
        shown = (shown * shown * (3 - 2 * shown))[:, None, None]  # of the floor in each row
        self.first = int(np.argmax(shown[:, 0, 0] > 1 / 255))  # rows above show the backdrop alone
        fall = np.clip(rows / max(self.first, 1), 0, 1)[:, None]
        fall = fall * fall * (3 - 2 * fall)
        backdrop = np.array(palette.top) * (1 - fall) + np.array(palette.low) * fall  # [H, 3]
        dim = _vignette(camera.width, camera.height)[..., None]
        # Both as bytes: a picture then takes a warp, two products and a sum of bytes, a millisecond or two.
        self.behind = np.rint(backdrop[:, None] * (1 - shown) * dim).astype(np.uint8)
        self.share = np.rint(np.repeat(255 * shown * dim, 3, axis=2)[self.first :]).astype(np.uint8)

    def picture(self, camera: Camera, shade: np.ndarray | None = None) -> np.ndarray:
        """Draw the empty place as uint8 [H, W, 3]; `shade` (uint8 [H, W]) is how much of the light is kept off."""
        to_tile = np.diag([TILE / METRES, TILE / METRES, 1.0])
        shift = np.array([[1.0, 0, 0], [0, 1, -self.first], [0, 0, 1]])
        lay = shift @ camera.floor() @ np.linalg.inv(to_tile)
        extent = (camera.width, camera.height - self.first)
        floor = cv2.warpPerspective(self.pattern, lay, extent, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        floor = cv2.multiply(floor, self.share, scale=1 / 255)
        if shade is not None:
            left = cv2.LUT(shade[self.first :], SHADED)
            floor = cv2.multiply(floor, cv2.cvtColor(left, cv2.COLOR_GRAY2RGB), scale=1 / 255)
        picture = self.behind.copy()
        picture[self.first :] = cv2.add(picture[self.first :], floor)
        return picture


def _distances(camera: Camera, rows: np.ndarray) -> np.ndarray:
    """How far before the camera [R] the floor lies that is seen in each row; far beyond, where none is."""
    _, down, ahead = camera.axes()
    slope = (rows - camera.height / 2) / camera.focal
    fall = -(ahead[1] + slope * down[1])  # metres down, a metre ahead
    along = np.hypot(ahead[0], ahead[2]) + slope * np.hypot(down[0], down[2]) * np.sign(down[0::2] @ ahead[0::2])
    return np.where(fall > 1e-4, camera.eye[1] * along / np.maximum(fall, 1e-4), 1e3)


def _vignette(width: int, height: int) -> np.ndarray:
    down, across = np.mgrid[:height, :width]
    off = np.hypot(across / width - 0.5, down / height - 0.5)
    return 1 - 0.28 * np.clip(off - 0.3, 0, 1) ** 1.3


def _grid(palette: Palette) -> np.ndarray:
    """Lines every half metre."""
    pattern = np.full((TILE, TILE, 3), palette.floor, np.uint8)
    every = round(TILE / METRES / 2)
    for at in range(0, TILE, every):
        wide = 5 if at % (2 * every) == 0 else 2
        cv2.line(pattern, (at, 0), (at, TILE), palette.line, wide, cv2.LINE_AA)
        cv2.line(pattern, (0, at), (TILE, at), palette.line, wide, cv2.LINE_AA)
    return cv2.GaussianBlur(pattern, (0, 0), 1.2)


def _planks(palette: Palette) -> np.ndarray:
    """Boards towards the camera, each of its own shade and grain; each goes on at the pattern's other end."""
    rng = np.random.Generator(np.random.PCG64(11))
    board = TILE / BOARDS
    pattern = np.empty((TILE, TILE, 3), np.float32)
    pattern[:] = palette.floor
    for index in range(BOARDS):
        left, right = round(index * board), round((index + 1) * board)
        cuts = [int(rng.integers(TILE))]
        cuts.append((cuts[0] + int(TILE * rng.uniform(0.35, 0.65))) % TILE)
        shades = rng.uniform(0.9, 1.08, 2)
        rough = np.tile(rng.normal(0, 1, (TILE, right - left)).astype(np.float32), (3, 1))
        grain = cv2.GaussianBlur(rough, (0, 0), 1.2, sigmaY=40)[TILE : 2 * TILE]
        first = (np.arange(TILE) - cuts[0]) % TILE < (cuts[1] - cuts[0]) % TILE
        shade = np.where(first[:, None], *shades) * (1 + 0.025 * grain / max(float(grain.std()), 1e-6))
        pattern[:, left:right] *= shade[..., None]
        cv2.line(pattern, (left, 0), (left, TILE), palette.line, 2, cv2.LINE_AA)
        for cut in cuts:
            cv2.line(pattern, (left, cut), (right, cut), palette.line, 2, cv2.LINE_AA)
    return cv2.GaussianBlur(np.clip(pattern, 0, 255).astype(np.uint8), (0, 0), 0.8)
