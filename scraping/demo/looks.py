"""The three looks of a figure: painterly bust, toon-shaded character, photo-like model; each with its exact mask."""

from dataclasses import dataclass

import cv2
import numpy as np

from inference.figure.picture import SUB, Lit, View, lit, look, surfaces
from inference.figure.rays import Camera
from inference.figure.shading import step
from scraping.demo import backdrops
from scraping.demo.people import Light
from scraping.demo.studio import Sitting

PALETTES = (
    ("#2b2a33", "#5d4a4a", "#a5715a", "#e0b48c", "#f6e6cf"), ("#12263a", "#2f5f73", "#7fa99b", "#e6cf9f", "#fbf3df"),
    ("#2d1b2e", "#6b2d5c", "#c75b7a", "#f2a07b", "#fde4c3"), ("#1b2d1f", "#41613c", "#95a15d", "#e0c57c", "#f8efd4"),
    ("#1d1f2b", "#3f4a6b", "#8791b0", "#d6c3b8", "#f7eee7"), ("#3a1c14", "#7d3b23", "#c9793d", "#efbf73", "#fff0cf"),
    ("#15313a", "#2a7a78", "#7dc4a6", "#f3d9a2", "#fff6e3"), ("#241a3a", "#4f3b86", "#9a78c2", "#e5a9c4", "#fdeaf0"),
)  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A finished picture."""

    picture: np.ndarray  # [H, W, 3] uint8, sRGB
    mask: np.ndarray  # [H, W] coverage of the figure in 0..1


def draw(sitting: Sitting) -> Drawn:
    """Draw a person in her look."""
    view = look(sitting.scene, sitting.camera)
    towards = _towards(sitting.camera, sitting.person.light)
    seed = sitting.person.seed % 65521
    light = lit(sitting.scene, view, surfaces(view, sitting.materials), towards, sitting.person.light.softness, 2, seed)
    rng = np.random.Generator(np.random.PCG64([sitting.person.style, 5]))
    return {"portrait": _painterly, "fullbody": _toon, "fashion": _photo}[sitting.person.look](
        sitting, view, light, towards, rng
    )


def shade(view: View, light: Lit, lamp: Light, towards: np.ndarray, camera: Camera) -> np.ndarray:
    """Linear colour [S, 3] of samples under a key light, sky and ground, and a light from behind."""
    made, toward = light.surface, view.hits.toward
    facing = (made.normal @ towards)[:, None]
    diffuse = np.clip((facing + made.wrap) / (1 + made.wrap), 0, 1) * light.key[:, None]
    up = (0.5 + 0.5 * made.normal[:, 2:]) * light.sky[:, None]
    ambient = np.asarray(lamp.sky) * up + np.asarray(lamp.ground) * (light.sky[:, None] - up) * 0.8
    half = towards + toward
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    shine = made.gloss * np.clip((made.normal * half).sum(1), 0, 1) ** made.sharpness * light.key * 0.35
    right, _, ahead = camera.axes()
    turn = np.radians(lamp.rim_turn)
    behind = np.sin(turn) * right - np.cos(turn) * ahead + [0, 0, 0.35]
    rim = np.clip(made.normal @ (behind / np.linalg.norm(behind)), 0, 1) ** 1.5
    graze = (1 - np.clip((made.normal * toward).sum(1), 0, 1)) ** 2
    rim = rim * (0.35 + graze) * light.sky
    colour = made.albedo * (diffuse * np.asarray(lamp.key) + ambient + (0.5 * rim)[:, None] * np.asarray(lamp.rim))
    return (
        colour
        + (shine + made.glint)[:, None] * np.asarray(lamp.key) * 0.6
        + (0.06 * rim)[:, None] * np.asarray(lamp.rim)
    )


def display(colour: np.ndarray, exposure: float = 1.0) -> np.ndarray:
    """Linear light to display values in 0..1, with a soft shoulder."""
    x = np.maximum(colour * exposure, 0) * 0.62
    mapped = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)
    return (np.clip(mapped, 0, 1) ** (1 / 2.2)).astype(np.float32)


def _towards(camera: Camera, lamp: Light) -> np.ndarray:
    right, _, ahead = camera.axes()
    flat = ahead * [1, 1, 0] / np.hypot(ahead[0], ahead[1])
    turn, height = np.radians(lamp.turn), np.radians(lamp.height)
    return np.cos(height) * (np.sin(turn) * right - np.cos(turn) * flat) + np.sin(height) * np.array([0.0, 0.0, 1.0])


def _solid(premultiplied: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    """Figure's own colours [H, W, 3], carried a little past its edge so that filters find no dark rim."""
    colour = premultiplied / np.maximum(coverage, 1e-4)[..., None]
    known = (coverage > 0.02).astype(np.float32)
    spread = (
        cv2.GaussianBlur(colour * known[..., None], (0, 0), 3)
        / np.maximum(cv2.GaussianBlur(known, (0, 0), 3), 1e-3)[..., None]
    )
    return np.where(known[..., None] > 0, colour, spread).astype(np.float32)


def _finish(picture: np.ndarray, mask: np.ndarray) -> Drawn:
    return Drawn(np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8), np.clip(mask, 0, 1).astype(np.float32))


def _painterly(sitting: Sitting, view: View, light: Lit, towards: np.ndarray, rng: np.random.Generator) -> Drawn:
    """A bust in oil, gouache, watercolour or pastel, over a painter's ground."""
    camera, lamp = sitting.camera, sitting.person.light
    palette = np.array(
        [[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in PALETTES[int(rng.integers(len(PALETTES)))]],
        np.float32,
    )
    light_mean = view.resolve(shade(view, light, lamp, towards, camera)) / np.maximum(view.coverage, 1e-4)[..., None]
    figure = _solid(display(light_mean, 0.68) * view.coverage[..., None], view.coverage)
    ground = backdrops.painted(rng, camera.width, camera.height, palette[int(rng.integers(2)) :][:3])
    kind = int(rng.integers(4))
    strength = rng.uniform(0.05, 0.3)
    figure = figure + (_toned(figure, palette) - figure) * strength
    radius = (3, 2, 2, 2)[kind]
    fine = _features(view)[..., None]  # eyes and mouth are painted with a small brush
    figure = fine * figure + (1 - fine) * _kuwahara(figure, radius)
    ground = _kuwahara(ground, radius + 1)
    alpha = view.coverage[..., None].astype(np.float32)
    picture = figure * alpha + ground * (1 - alpha)
    if kind == 0:  # oil
        picture = picture * (1 + 0.26 * _strokes(rng, picture, 7)[..., None] * (1 - 0.8 * fine))
    elif kind == 1:  # gouache: few steps of value
        value = picture.max(2, keepdims=True)
        stepped = (np.floor(value * 9) + 0.5) / 9
        picture = (
            picture
            * (1 + 0.7 * (stepped / np.maximum(value, 1e-3) - 1))
            * (1 + 0.12 * _strokes(rng, picture, 9)[..., None] * (1 - 0.8 * fine))
        )
    elif kind == 2:  # watercolour: pale, with darker rims and granulation
        soft = cv2.GaussianBlur(picture, (0, 0), 2.5)
        rims = np.clip(np.abs(picture - soft).mean(2) * 3, 0, 0.35)[..., None]
        grains = cv2.GaussianBlur(rng.normal(0, 1, picture.shape[:2]).astype(np.float32), (0, 0), 0.8)[..., None]
        picture = (0.16 + 0.86 * picture) * (1 - 0.5 * rims) * (1 + 0.05 * grains)
    else:  # pastel
        picture = picture * (
            1
            + 0.28 * _strokes(rng, picture, 11)[..., None] * (1 - 0.8 * fine)
            + rng.normal(0, 0.035, (*picture.shape[:2], 1))
        )
    weave = 0.012 * (np.sin(np.arange(camera.width) * 1.9)[None] + np.sin(np.arange(camera.height) * 1.7)[:, None])
    return _finish(picture * (1 + weave[..., None]), view.coverage)


def _features(view: View) -> np.ndarray:
    """Where eyes, brows, nose and mouth are [H, W], in 0..0.8, fading out over a few pixels."""
    x, y, z = np.abs(view.hits.chart[:, 0]), view.hits.chart[:, 1], view.hits.chart[:, 2]
    face = (
        view.of("skin")
        & (y < -0.1)
        & (x < 0.06)
        & (((z > 0.706) & (z < 0.757)) | ((z > 0.645) & (z < 0.7) & (x < 0.03)))
    )
    skin = 0.45 * (view.of("skin") & (z > 0.6))  # and the rest of the face half so fine
    chosen = np.where(face | view.of("eye", "lashes", "teeth", "mouth", "tongue"), 0.8, skin).astype(np.float32)
    return cv2.GaussianBlur(view.resolve(chosen[:, None])[..., 0], (0, 0), 2.0)


def _toned(picture: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Replace colours by the palette's of like brightness."""
    value = picture @ np.array([0.3, 0.55, 0.15], np.float32)
    stops = palette @ np.array([0.3, 0.55, 0.15], np.float32)
    return np.stack([np.interp(value, stops, palette[:, c]) for c in range(3)], axis=-1).astype(np.float32)


def _kuwahara(picture: np.ndarray, radius: int) -> np.ndarray:
    """Paint flat patches with kept edges: of four neighbouring windows the mean of the calmest."""
    size = radius + 1
    mean = cv2.blur(picture, (size, size), anchor=(0, 0), borderType=cv2.BORDER_REFLECT)
    square = cv2.blur(picture * picture, (size, size), anchor=(0, 0), borderType=cv2.BORDER_REFLECT)
    variance = (square - mean * mean).sum(2)
    best, least = None, None
    for down in (0, -radius):
        for right in (0, -radius):
            m, v = (_shifted(values, -down, -right) for values in (mean, variance))
            if best is None:
                best, least = m.copy(), v.copy()
                continue
            better = v < least
            best[better], least[better] = m[better], v[better]
    return best


def _shifted(values: np.ndarray, down: int, right: int) -> np.ndarray:
    padded = np.pad(values, [(down, 0), (right, 0)] + [(0, 0)] * (values.ndim - 2), mode="edge")
    return padded[: values.shape[0], : values.shape[1]]


def _strokes(rng: np.random.Generator, picture: np.ndarray, length: int) -> np.ndarray:
    """Brush marks [H, W] about 0, along the edges of the picture."""
    grey = cv2.GaussianBlur(picture.mean(2), (0, 0), 2.5)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    twice = 2 * np.arctan2(down, across) + np.pi
    smooth = lambda values: cv2.GaussianBlur(values.astype(np.float32), (0, 0), 4)  # noqa: E731
    strength = np.hypot(across, down)
    angle = 0.5 * np.arctan2(smooth(np.sin(twice) * strength), smooth(np.cos(twice) * strength)) % np.pi
    marks = cv2.GaussianBlur(rng.normal(0, 1, grey.shape).astype(np.float32), (0, 0), 0.7)
    result, weights = np.zeros_like(marks), np.zeros_like(marks)
    for index in range(6):
        turn = np.pi * index / 6
        kernel = np.zeros((length, length), np.float32)
        middle = length // 2
        reach = np.rint(middle * np.array([np.cos(turn), np.sin(turn)])).astype(int)
        cv2.line(kernel, (middle - reach).tolist(), (middle + reach).tolist(), 1.0, 1)
        near = np.maximum(np.cos(angle - turn) ** 2, 1e-3) ** 6
        result += near * cv2.filter2D(marks, -1, kernel / kernel.sum())
        weights += near
    return result / weights


def _toon(sitting: Sitting, view: View, light: Lit, towards: np.ndarray, rng: np.random.Generator) -> Drawn:
    """A character in flat bands of colour with ink lines, before a flat ground."""
    camera, made = sitting.camera, light.surface
    facing = (made.normal @ towards) * (0.35 + 0.65 * light.key)
    band = 0.55 * step(0.02, 0.07, facing) + 0.45 * step(0.45, 0.5, facing)
    albedo = display(made.albedo * 1.3)
    grey = albedo.mean(1, keepdims=True)
    albedo = np.clip(grey + (albedo - grey) * 1.25, 0, 1)
    tint = np.array([0.60, 0.54, 0.72]) + 0.1 * rng.random(3)
    colour = albedo * (tint + (1.0 - tint) * step(-0.1, 0.9, band)[:, None])
    half = towards + view.hits.toward
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    shine = made.gloss * np.clip((made.normal * half).sum(1), 0, 1) ** made.sharpness
    colour = colour + (step(0.2, 0.24, shine) * 0.16 + np.minimum(made.glint, 1) * 0.9)[:, None]
    soft = 0.86 + 0.14 * light.sky[:, None]
    figure = view.resolve(np.clip(colour * soft, 0, 1))
    inside, outline = _ink(view)
    mask = np.maximum(view.coverage, outline)
    row = backdrops.horizon_row(camera, sitting.floor, rng.uniform(0.6, 2.5))
    ground = backdrops.flat(rng, camera.width, camera.height, row)
    shadow = backdrops.shadow(sitting.scene, camera, sitting.floor, towards, 0.05, sitting.person.seed % 65521)
    ground = ground * (1 - 0.42 * step(0.75, 0.45, shadow))[..., None]
    ink = np.array([0.10, 0.07, 0.12]) + 0.08 * rng.random(3)
    alpha = view.coverage[..., None]
    picture = figure + ground * (1 - alpha)
    line = np.maximum(inside * view.coverage, outline)[..., None]
    return _finish(picture * (1 - line) + ink * line, mask)


def _ink(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Ink [H, W] in 0..1: lines between pieces and folds inside the figure, and the outline around it."""
    piece, depth = view.fine_piece, view.fine_depth
    quiet = [i for i, name in enumerate(view.names) if name.startswith(("teeth", "tongue", "mouth", "lashes", "eye"))]
    skin = view.names.index("skin")
    piece = np.where(np.isin(piece, quiet), skin, piece)
    lines = np.zeros(piece.shape, np.uint8)
    for axis in range(2):
        ahead, behind = [slice(None)] * 2, [slice(None)] * 2
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        ahead, behind = tuple(ahead), tuple(behind)
        both = (piece[ahead] >= 0) & (piece[behind] >= 0)
        differ = both & ((piece[ahead] != piece[behind]) | (np.abs(depth[ahead] - depth[behind]) > 0.045))
        lines[behind] |= differ.astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    inner = cv2.dilate(lines, disc)
    body = (piece >= 0).astype(np.uint8)
    rim = cv2.dilate(body, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * SUB - 1, 2 * SUB - 1))) - cv2.erode(
        body, disc
    )

    def shrink(fine: np.ndarray) -> np.ndarray:
        return cv2.resize(fine.astype(np.float32), None, fx=1 / SUB, fy=1 / SUB, interpolation=cv2.INTER_AREA)

    return 0.75 * shrink(inner), shrink(rim)


def _photo(sitting: Sitting, view: View, light: Lit, towards: np.ndarray, rng: np.random.Generator) -> Drawn:
    """A model in a busy place, as a camera would take it: shadow, defocus behind, vignette, grain."""
    camera, lamp = sitting.camera, sitting.person.light
    ground, floor, kind = backdrops.place(rng, camera, sitting.floor)
    shadow = backdrops.shadow(sitting.scene, camera, sitting.floor, towards, lamp.softness, sitting.person.seed % 65521)
    warmth = 0.5 * np.asarray(lamp.key) / np.max(lamp.key) + 0.5
    ground = ground * warmth * np.where(floor, shadow, 1.0)[..., None]
    exposure = 0.62 if kind == "night" else 1.0
    figure = view.resolve(shade(view, light, lamp, towards, camera)) * exposure
    alpha = view.coverage[..., None]
    picture = figure + ground * 1.25 * (1 - alpha)
    glow = cv2.GaussianBlur(np.maximum(picture - 0.9, 0).astype(np.float32), (0, 0), 4)
    picture = display(picture + 0.25 * glow, rng.uniform(0.9, 1.15))
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 0.5))
    rows, columns = np.mgrid[0 : camera.height, 0 : camera.width]
    off = np.hypot(columns / camera.width - 0.5, rows / camera.height - 0.5)[..., None]
    picture = picture * (1 - rng.uniform(0.1, 0.35) * np.clip(off - 0.2, 0, 1) ** 1.5)
    grain = rng.normal(0, rng.uniform(0.006, 0.02), picture.shape)
    return _finish(picture + grain, view.coverage)
