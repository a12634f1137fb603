"""What surfaces look like: skin with brows and lips, eyes, teeth, hair, cloth. Colours are linear RGB in 0..1.

A material turns hits into a `Surface`; the chart it paints by are coordinates of MakeHuman's base mesh, the same on
every figure, so that a brow is a brow on every face. S samples.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from inference.figure.rays import Hits

EYE_CENTRE = np.array([0.031, -0.125, 0.728], np.float32)  # of the left eye in the base mesh, metres
EYE_RADIUS = 0.0142
HEAD_CENTRE = np.array([0.0, -0.058, 0.745], np.float32)


@dataclass(frozen=True)
class Surface:
    """What light falls on, one row a sample."""

    albedo: np.ndarray  # [S, 3]
    normal: np.ndarray  # [S, 3]
    gloss: np.ndarray  # [S] strength of the highlight
    sharpness: np.ndarray  # [S] exponent of the highlight
    wrap: np.ndarray  # [S, 3] how far light creeps past the terminator
    glint: np.ndarray  # [S] light added whatever falls in: the spark of an eye


Material = Callable[[Hits], Surface]


@dataclass(frozen=True)
class Skin:
    """A face's colours and make-up."""

    tone: tuple[float, float, float]
    lip: tuple[float, float, float]
    brow: tuple[float, float, float]
    lip_paint: float = 0.4  # 0 bare .. 1 lipstick
    blush: float = 0.3
    brow_weight: float = 1.0
    brow_arch: float = 0.5
    shadow: float = 0.0  # eye shadow
    shadow_colour: tuple[float, float, float] = (0.2, 0.1, 0.1)
    freckles: float = 0.0
    stubble: float = 0.0
    scalp: float = 0.0  # close-cropped hair on the scalp
    nail: tuple[float, float, float] | None = None


def linear(colour: str) -> tuple[float, float, float]:
    """Turn `#rrggbb` into linear RGB."""
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    values = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return tuple(float(value) for value in values)


def surface(
    hits: Hits,
    albedo: np.ndarray,
    normal: np.ndarray | None = None,
    gloss: float | np.ndarray = 0.0,
    sharpness: float | np.ndarray = 20.0,
    wrap: tuple[float, float, float] = (0.0, 0.0, 0.0),
    glint: float | np.ndarray = 0.0,
) -> Surface:
    """Fill a `Surface` of the hits' length from scalars and arrays."""
    count = len(hits.sample)
    column = lambda value: np.broadcast_to(np.asarray(value, np.float32), (count,))  # noqa: E731
    return Surface(
        np.broadcast_to(np.asarray(albedo, np.float32), (count, 3)),
        hits.normal if normal is None else normal,
        column(gloss),
        column(sharpness),
        np.broadcast_to(np.asarray(wrap, np.float32), (count, 3)),
        column(glint),
    )


def noise(points: np.ndarray, frequency: float, seed: int) -> np.ndarray:
    """Smooth noise [S] in -1..1 over points [S, D]: waves of random directions, warped by each other."""
    directions, phases = _waves(points.shape[1], seed)
    angles = (points * frequency) @ directions + phases
    warped = angles[:, :4] + 0.9 * np.sin(angles[:, 4:])
    return np.sin(warped).sum(1) * 0.35


def grain(points: np.ndarray, cell: float, seed: int) -> np.ndarray:
    """Unsmooth noise [S] in 0..1, one value a cell of the given width."""
    cells = np.floor(points / cell).astype(np.int64)
    mixed = cells @ np.array([73856093, 19349663, 83492791][: points.shape[1]]) + seed * 2654435761
    mixed = (mixed ^ (mixed >> 13)) * 1274126177
    return ((mixed ^ (mixed >> 16)) & 0xFFFF) / np.float32(0xFFFF)


def bent(normal: np.ndarray, points: np.ndarray, height: Callable[[np.ndarray], np.ndarray], step: float) -> np.ndarray:
    """Bend normals by a bump's height (metres) over points [S, 3]."""
    base = height(points)
    slope = np.empty_like(normal)
    for axis in range(3):
        moved = points.copy()
        moved[:, axis] += step
        slope[:, axis] = (height(moved) - base) / step
    slope -= (slope * normal).sum(1, keepdims=True) * normal
    result = normal - slope
    return result / np.linalg.norm(result, axis=1, keepdims=True)


def mix(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Blend colours [S, 3] by a share [S]."""
    return a + (b - a) * share[:, None]


def step(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Smooth step from 0 at `low` to 1 at `high`."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def skin(paint: Skin, lips: np.ndarray, window: np.ndarray, ears: float = 0.06) -> Material:
    """Skin with brows, lips, blush and shade. `lips` is the UV mask of the lips and `window` its place."""

    def material(hits: Hits) -> Surface:
        place, uv = hits.chart[:, :3], hits.chart[:, 3:5]
        colour = np.broadcast_to(np.asarray(paint.tone, np.float32), place.shape).copy()
        colour *= 1.0 + 0.05 * noise(place, 55.0, 1)[:, None] + 0.03 * noise(place, 240.0, 2)[:, None]
        on_face = place[:, 2] > 0.6
        gloss = np.full(len(place), 0.16, np.float32)
        if on_face.any():
            colour[on_face], gloss[on_face] = _face(paint, place[on_face], uv[on_face], colour[on_face], lips, window)
        if paint.nail is not None:
            nails = hits.chart[:, 5] > 0.5
            colour[nails], gloss[nails] = paint.nail, 0.6
        return surface(hits, np.clip(colour, 0, 1), gloss=gloss, sharpness=18.0, wrap=(0.38, 0.2, 0.14))

    return material


def _face(
    paint: Skin, place: np.ndarray, uv: np.ndarray, colour: np.ndarray, lips: np.ndarray, window: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    ahead = step(-0.06, -0.11, y)
    red = np.asarray(paint.tone) * [1.12, 0.72, 0.7]
    spot = lambda cx, cz, rx, rz: np.exp(-(((x - cx) / rx) ** 2) - ((z - cz) / rz) ** 2) * ahead  # noqa: E731
    colour = mix(colour, red, np.clip(0.55 * paint.blush * spot(0.045, 0.692, 0.02, 0.016), 0, 1))
    colour = mix(colour, red, 0.3 * spot(0.0, 0.688, 0.014, 0.012))  # the tip of the nose
    colour = mix(colour, red, 0.35 * step(0.062, 0.075, x) * step(0.76, 0.74, z) * step(0.67, 0.69, z))  # ears
    colour *= 1 - 0.16 * spot(0.03, 0.716, 0.016, 0.007)[:, None]  # under the eyes
    if paint.stubble:
        beard = step(0.706, 0.69, z) * step(-0.055, -0.075, y) * (1 - spot(0.045, 0.70, 0.025, 0.022))
        dots = 0.6 + 0.4 * grain(place, 0.0013, 5)
        colour = mix(colour, np.asarray(paint.brow) * 0.6, np.clip(paint.stubble * beard * dots, 0, 0.85))
    if paint.freckles:
        cloud = spot(0.03, 0.70, 0.035, 0.022)
        dots = (grain(place, 0.0028, 9) > 0.8) * cloud
        colour *= 1 - 0.35 * paint.freckles * dots[:, None]
    lid = spot(0.031, 0.737, 0.019, 0.0075) * step(-0.115, -0.125, y)
    colour = mix(colour, paint.shadow_colour, np.clip(paint.shadow * lid, 0, 0.9))
    colour = mix(colour, np.asarray(paint.brow) * 0.8, _brow(paint, x, z) * ahead)
    colour, wet = _lips(paint, uv, colour, lips, window)
    if paint.scalp:
        rim = place[:, 2] - hairline(place)
        colour = mix(
            colour, paint.brow, paint.scalp * step(-0.004, 0.008, rim) * (0.75 + 0.25 * grain(place, 0.0016, 3))
        )
    return colour, 0.16 + 0.1 * spot(0.0, 0.70, 0.012, 0.03) + 0.28 * wet


def hairline(place: np.ndarray) -> np.ndarray:
    """Height [S] in the base mesh above which hair grows, by the direction around the head."""
    turn = np.abs(np.degrees(np.arctan2(place[:, 0], place[:, 1] - HEAD_CENTRE[1])))  # 0 back, 180 front
    turns = [0, 35, 55, 70, 78, 88, 97, 103, 112, 122, 140, 160, 180]
    heights = [0.652, 0.655, 0.675, 0.70, 0.742, 0.748, 0.735, 0.715, 0.735, 0.765, 0.793, 0.806, 0.81]
    return np.interp(turn, turns, heights).astype(np.float32)


def _brow(paint: Skin, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    along = np.clip((x - 0.011) / 0.046, -0.2, 1.2)
    line = (
        0.7492
        + 0.0036 * (0.3 + paint.brow_arch) * np.sin(np.clip(along, 0, 1) * 2.4)
        - 0.006 * np.clip(along - 0.6, 0, 1)
    )
    line = line - 0.0022 * step(0.3, 0.0, along)
    half = 0.0031 * paint.brow_weight * (1 - 0.62 * np.clip(along, 0, 1) ** 2)
    across = np.abs(z - line) / half
    body = step(1.15, 0.55, across) * step(-0.06, 0.1, along) * step(1.06, 0.9, along)
    strands = 0.86 + 0.14 * np.sin(along * 170 + (z - line) * 1800)
    return np.clip(body * strands, 0, 0.95)


def _lips(
    paint: Skin, uv: np.ndarray, colour: np.ndarray, lips: np.ndarray, window: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    height, width = lips.shape
    u = (uv[:, 0] - window[0]) / (window[2] - window[0]) * width - 0.5
    v = (1 - (uv[:, 1] - window[1]) / (window[3] - window[1])) * height - 0.5
    inside = (u > 0) & (v > 0) & (u < width - 1.01) & (v < height - 1.01)
    mask = np.zeros(len(uv), np.float32)
    if inside.any():
        column, row = u[inside].astype(int), v[inside].astype(int)
        du, dv = u[inside] - column, v[inside] - row
        top = lips[row, column] * (1 - du) + lips[row, column + 1] * du
        bottom = lips[row + 1, column] * (1 - du) + lips[row + 1, column + 1] * du
        mask[inside] = (top * (1 - dv) + bottom * dv) / 255
    return mix(colour, paint.lip, mask * (0.45 + 0.5 * paint.lip_paint)), mask * (0.4 + paint.lip_paint)


def eye(iris: tuple[float, float, float], size: float = 0.44) -> Material:
    """An eyeball: white, iris with rim and rays, pupil, and a spark. `size` is the iris' radius as an angle."""

    def material(hits: Hits) -> Surface:
        centre = EYE_CENTRE * np.where(hits.chart[:, :1] < 0, [[-1, 1, 1]], [[1, 1, 1]])
        ray = (hits.chart[:, :3] - centre) / EYE_RADIUS
        away = np.arctan2(np.hypot(ray[:, 0], ray[:, 2]), -ray[:, 1]) / size  # 1 at the iris' rim
        around = np.arctan2(ray[:, 2], ray[:, 0])
        white = np.array([0.86, 0.84, 0.82]) * (1 - 0.25 * step(1.2, 3.2, away))[:, None]
        rays = 0.85 + 0.2 * np.sin(around * 23 + 3 * np.sin(around * 7)) * step(0.3, 0.8, away)
        ring = 1.6 - 0.95 * step(0.7, 1.0, away) + 0.35 * step(0.62, 0.4, away)
        coloured = np.asarray(iris) * (rays * ring)[:, None]
        colour = mix(coloured, white, step(0.94, 1.06, away))
        colour = mix(np.full_like(colour, 0.004), colour, step(0.36, 0.46, away))
        spark = np.exp(-(((ray[:, 0] + 0.17) / 0.13) ** 2) - ((ray[:, 2] - 0.2) / 0.13) ** 2)
        return surface(hits, np.clip(colour, 0, 1), gloss=0.5, sharpness=90.0, wrap=(0.5, 0.5, 0.5), glint=1.2 * spark)

    return material


def plain(
    colour: tuple[float, float, float], gloss: float = 0.05, sharpness: float = 20.0, wrap: float = 0.0
) -> Material:
    """One colour all over: lashes, teeth, tongue, buttons."""
    return lambda hits: surface(hits, np.asarray(colour), gloss=gloss, sharpness=sharpness, wrap=(wrap, wrap, wrap))


def hair(
    colour: tuple[float, float, float], tip: tuple[float, float, float], strand: float, curl: float, seed: int
) -> Material:
    """Hair by the chart (around in strands, along from root 0 to tip 1, lock, 0): fine lines and a band of light."""

    def material(hits: Hits) -> Surface:
        around, along, lock = hits.chart[:, 0], hits.chart[:, 1], hits.chart[:, 2]
        wave = curl * np.sin(along * 14 + lock * 5)
        lines = np.stack([(around + wave) * strand, along * 2.2], axis=1)
        fine = noise(lines, 1.9, seed)
        broad = noise(np.stack([around * strand * 0.16, along * 1.1 + lock], axis=1), 1.7, seed + 1)
        base = mix(
            np.broadcast_to(np.asarray(colour, np.float32), (len(fine), 3)), np.asarray(tip), step(0.35, 1.1, along)
        )
        shade = np.clip(1.0 + 0.3 * fine + 0.22 * broad, 0.3, 1.7)
        band = step(0.15, 0.9, noise(np.stack([lines[:, 0], along * 0.5], axis=1), 1.9, seed + 3) * 0.5 + 0.5)
        tilt = hits.normal + 0.34 * fine[:, None] * np.cross(hits.normal, [0.0, 0.0, 1.0])
        tilt /= np.linalg.norm(tilt, axis=1, keepdims=True)
        gloss = (0.12 + 0.35 * band) * (0.35 if strand < 40 else 1.0)  # curls are matte
        colours = np.clip(base * shade[:, None], 0, 1)
        return surface(hits, colours, tilt.astype(np.float32), gloss, sharpness=14.0, wrap=(0.25, 0.22, 0.2))

    return material


def _waves(dimension: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.Generator(np.random.PCG64([dimension, seed]))
    directions = generator.normal(size=(dimension, 8)).astype(np.float32)
    directions *= generator.uniform(0.6, 1.5, 8).astype(np.float32) / np.linalg.norm(directions, axis=0)
    return directions, generator.uniform(0, 6.28, 8).astype(np.float32)
