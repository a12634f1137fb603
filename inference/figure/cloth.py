"""Cloth: woven, knitted, printed or leather, with folds and trim, painted by places on the base mesh.

A chart of cloth holds the place in the base mesh (3), metres along the arm, the arm's share, and a spare.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from inference.figure.rays import Hits
from inference.figure.shading import Material, Surface, bent, grain, mix, noise, step, surface

PATTERNS = (
    "plain",
    "stripes",
    "pinstripes",
    "check",
    "dots",
    "floral",
    "knit",
    "denim",
    "leather",
    "blocks",
    "diamonds",
)


@dataclass(frozen=True)
class Cloth:
    """What a garment is made of."""

    colours: tuple[tuple[float, float, float], ...]
    pattern: str = "plain"
    scale: float = 1.0
    folds: float = 1.0
    gloss: float = 0.05
    trim: str = "none"  # none, buttons, zip
    seed: int = 0


def cloth(made: Cloth) -> Material:
    """Woven, knitted or leather cloth with its pattern, folds and trim."""
    paint = _PATTERNS[made.pattern]
    colours = np.asarray(made.colours, np.float32)

    def material(hits: Hits) -> Surface:
        place = hits.chart[:, :3]
        plane = _plane(hits.chart)
        colour = paint(plane / made.scale, colours, place, made.seed)
        colour = colour * (1 + 0.05 * (grain(place, 0.0022, made.seed) - 0.5) * 2)[:, None]
        normal = bent(hits.normal, place, _folds(made), 0.006)
        gloss = np.full(len(place), made.gloss, np.float32)
        if made.trim != "none":
            colour, gloss = _trimmed(made, place, colour, gloss)
        shine = 40.0 if made.pattern == "leather" else 12.0
        return surface(hits, np.clip(colour, 0, 1), normal, gloss=gloss, sharpness=shine, wrap=(0.12, 0.12, 0.12))

    return material


def _plane(chart: np.ndarray) -> np.ndarray:
    """Where patterns lie [S, 2]: across and down the body, around and along a sleeve; they meet in a seam."""
    sleeve = (chart[:, 4] > 0.55) & (chart[:, 3] > 0)
    across = np.where(sleeve, chart[:, 1] + 0.5 * chart[:, 0], chart[:, 0])
    return np.column_stack([across, np.where(sleeve, 0.52 - chart[:, 3], chart[:, 2])])


def _folds(made: Cloth) -> Callable[[np.ndarray], np.ndarray]:
    stretch = np.array([1.0, 1.0, 0.5], np.float32)

    def height(place: np.ndarray) -> np.ndarray:
        broad = noise(place * stretch, 11.0, made.seed + 20)
        crease = 1 - np.abs(noise(place * stretch, 17.0, made.seed + 21))
        bump = made.folds * (0.006 * broad + 0.007 * crease * crease)
        if made.pattern == "knit":
            bump = bump + 0.0012 * np.sin(place[:, 0] * 620) + 0.0006 * np.sin(place[:, 2] * 520)
        return bump

    return height


def _trimmed(made: Cloth, place: np.ndarray, colour: np.ndarray, gloss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y, z = place.T
    front = (y < -0.04) & (z > -0.1)
    line = front & (np.abs(np.abs(x) - 0.016) < 0.0012)
    colour = np.where(line[:, None], colour * 0.7, colour)
    if made.trim == "zip":
        metal = front & (np.abs(x) < 0.004)
        stripes = 0.35 + 0.3 * np.sin(z * 1500)
        return np.where(metal[:, None], stripes[:, None], colour), np.where(metal, 0.6, gloss)
    spot = np.hypot(x, (np.mod(z, 0.085) - 0.04)) < 0.0065
    button = made.colours[-1] if len(made.colours) > 1 else (0.75, 0.72, 0.65)
    chosen = front & spot
    return np.where(chosen[:, None], button, colour), np.where(chosen, 0.5, gloss)


def _stripes(plane: np.ndarray, colours: np.ndarray, place: np.ndarray, seed: int) -> np.ndarray:
    return mix(_flat(plane, colours), colours[1], step(-0.1, 0.1, np.sin(plane[:, 1] * 150)))


def _pinstripes(plane: np.ndarray, colours: np.ndarray, place: np.ndarray, seed: int) -> np.ndarray:
    return mix(_flat(plane, colours), colours[1], 0.7 * step(0.86, 0.95, np.sin(plane[:, 0] * 260)))


def _check(plane: np.ndarray, colours: np.ndarray, place: np.ndarray, seed: int) -> np.ndarray:
    across, down = (step(-0.15, 0.15, np.sin(plane[:, axis] * 105)) for axis in range(2))
    result = mix(_flat(plane, colours), colours[1], 0.5 * across + 0.5 * down)
    thin = np.maximum(
        step(0.93, 0.98, np.sin(plane[:, 0] * 105 + 1.5)), step(0.93, 0.98, np.sin(plane[:, 1] * 105 + 1.5))
    )
    return mix(result, colours[-1], 0.7 * thin)


def _dots(plane: np.ndarray, colours: np.ndarray, place: np.ndarray, seed: int) -> np.ndarray:
    row = np.floor(plane[:, 1] / 0.028)
    x = np.mod(plane[:, 0] + 0.014 * np.mod(row, 2), 0.028) - 0.014
    y = np.mod(plane[:, 1], 0.028) - 0.014
    return mix(_flat(plane, colours), colours[1], step(0.0075, 0.006, np.hypot(x, y)))


def _floral(plane: np.ndarray, colours: np.ndarray, place: np.ndarray, seed: int) -> np.ndarray:
    result = mix(_flat(plane, colours), colours[-1], 0.8 * step(0.25, 0.4, noise(plane, 95.0, seed + 3)))
    cell = np.floor(plane / 0.045)
    wobble = np.stack([grain(cell, 1.0, seed + 7), grain(cell, 1.0, seed + 8)], axis=1)
    x, y = ((plane / 0.045 - cell) - 0.5 - 0.35 * (wobble - 0.5)).T
    radius = np.hypot(x, y) * 0.045
    petal = 0.0125 * (0.75 + 0.25 * np.cos(5 * np.arctan2(y, x) + 6 * wobble[:, 0]))
    result = mix(result, colours[1], step(petal + 0.001, petal - 0.001, radius))
    return mix(result, np.array([0.9, 0.7, 0.2]), step(0.0038, 0.003, radius))


def _knit(plane: np.ndarray, colours: np.ndarray, place: np.ndarray, seed: int) -> np.ndarray:
    rib = 0.93 + 0.09 * np.sin(place[:, 0] * 620)
    return _flat(plane, colours) * rib[:, None]


def _denim(plane: np.ndarray, colours: np.ndarray, place: np.ndarray, seed: int) -> np.ndarray:
    worn = step(0.0, 0.9, noise(place, 8.0, seed + 5)) * 0.5
    weave = 0.9 + 0.2 * grain(np.stack([place[:, 0] + place[:, 2], place[:, 1]], axis=1), 0.0022, seed)
    return mix(_flat(plane, colours), np.minimum(colours[0] * 2.2 + 0.05, 1.0), worn) * weave[:, None]


def _blocks(plane: np.ndarray, colours: np.ndarray, place: np.ndarray, seed: int) -> np.ndarray:
    return mix(_flat(plane, colours), colours[1], step(0.335, 0.328, place[:, 2]))


def _diamonds(plane: np.ndarray, colours: np.ndarray, place: np.ndarray, seed: int) -> np.ndarray:
    a, b = (plane[:, 0] * 1.6 + plane[:, 1]), (plane[:, 0] * 1.6 - plane[:, 1])
    inside = step(-0.1, 0.1, np.sin(a * 75)) * step(-0.1, 0.1, np.sin(b * 75))
    lines = np.maximum(step(0.97, 0.99, np.sin(a * 75 - 1.57)), step(0.97, 0.99, np.sin(b * 75 - 1.57)))
    return mix(mix(_flat(plane, colours), colours[1], inside), colours[-1], 0.6 * lines)


def _flat(plane: np.ndarray, colours: np.ndarray, place: object = None, seed: int = 0) -> np.ndarray:
    return np.broadcast_to(colours[0], (len(plane), 3))


_PATTERNS = {
    "plain": _flat,
    "stripes": _stripes,
    "pinstripes": _pinstripes,
    "check": _check,
    "dots": _dots,
    "floral": _floral,
    "knit": _knit,
    "denim": _denim,
    "leather": _flat,
    "blocks": _blocks,
    "diamonds": _diamonds,
}
