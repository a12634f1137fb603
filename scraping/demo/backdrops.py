"""What stands behind people: painted grounds, flat graphics, and busy streets, studios, rooms and parks.

Everything is drawn by code from a generator. Colours are display RGB in 0..1 unless said otherwise.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from inference.figure.rays import Camera, Scene
from inference.figure.shading import grain, linear, noise, step

SCENES = ("street", "studio", "gallery", "park", "cafe", "night")


def hue(rng: np.random.Generator, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """A random colour [3] of a value between low and high."""
    h, s, v = rng.uniform(0, 179), rng.uniform(60, 190), rng.uniform(low, high) * 255
    return cv2.cvtColor(np.uint8([[[h, s, v]]]), cv2.COLOR_HSV2RGB)[0, 0] / 255.0


def painted(rng: np.random.Generator, width: int, height: int, palette: np.ndarray) -> np.ndarray:
    """A painter's ground [H, W, 3]: washes of a palette [N, 3] in wide strokes, lighter behind the head."""
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = palette[0]
    angle = rng.uniform(0, np.pi)
    for index in range(240):
        centre = rng.uniform([0, 0], [width - 1, height - 1])
        turn = angle + rng.normal(0, 0.5)
        reach = rng.uniform(0.05, 0.22) * width * (1 if index > 60 else 2)
        ends = [
            tuple(int(v) for v in centre + sign * reach * np.array([np.cos(turn), np.sin(turn)])) for sign in (-1, 1)
        ]
        colour = palette[int(rng.integers(len(palette)))] * rng.uniform(0.86, 1.12)
        under = picture[int(centre[1]), int(centre[0])]
        colour = under + (colour - under) * rng.uniform(0.3, 0.75)
        cv2.line(picture, ends[0], ends[1], _tuple(colour), int(rng.uniform(0.02, 0.08) * width) + 1, cv2.LINE_AA)
    rows, columns = np.mgrid[0:height, 0:width]
    halo = np.exp(-(((columns / width - rng.uniform(0.35, 0.65)) / 0.45) ** 2) - ((rows / height - 0.4) / 0.5) ** 2)
    return np.clip(picture * (0.78 + 0.34 * halo[..., None]), 0, 1).astype(np.float32)


def flat(rng: np.random.Generator, width: int, height: int, horizon: int) -> np.ndarray:
    """A colourful flat ground [H, W, 3] for drawn figures: shapes, rays, dots, hills or a skyline, over a floor."""
    base = hue(rng, 0.75, 0.98)
    other = np.clip(base * rng.uniform(0.72, 0.9) + rng.uniform(-0.08, 0.08, 3), 0, 1)
    colours = _Colours(base, other, hue(rng, 0.7, 1.0))
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = base
    _GRAPHICS[int(rng.integers(len(_GRAPHICS)))](rng, picture, horizon, colours)
    floor = np.clip(other * rng.uniform(0.62, 0.85), 0, 1)
    picture[horizon:] = floor
    cv2.line(picture, (0, horizon), (width, horizon), _tuple(floor * 0.7), 1, cv2.LINE_AA)
    return picture


@dataclass(frozen=True)
class _Colours:
    """Of a flat ground, [3] each."""

    base: np.ndarray
    other: np.ndarray
    accent: np.ndarray


def _sun(rng: np.random.Generator, picture: np.ndarray, horizon: int, colours: _Colours) -> None:
    height, width = picture.shape[:2]
    centre = (int(width * rng.uniform(0.3, 0.7)), int(height * rng.uniform(0.2, 0.45)))
    far = 2 * height
    for index in range(0, 24, 2):
        ends = (2 * np.pi * (index + k) / 24 for k in (0, 1))
        points = [centre, *((centre[0] + far * np.cos(end), centre[1] + far * np.sin(end)) for end in ends)]
        cv2.fillPoly(picture, [np.array(points, np.int32)], _tuple(colours.other), cv2.LINE_AA)
    cv2.circle(picture, centre, int(width * 0.28), _tuple(colours.accent), -1, cv2.LINE_AA)


def _halftone(rng: np.random.Generator, picture: np.ndarray, horizon: int, colours: _Colours) -> None:
    height, width = picture.shape[:2]
    other = _tuple(colours.other)
    for row in range(0, height, 14):
        radius = 1 + int(5 * (1 - row / height))
        for column in range(0, width + 14, 14):
            cv2.circle(picture, (column + 7 * ((row // 14) % 2), row), radius, other, -1, cv2.LINE_AA)


def _hills(rng: np.random.Generator, picture: np.ndarray, horizon: int, colours: _Colours) -> None:
    height, width = picture.shape[:2]
    for layer in range(4):
        shade = np.clip(colours.base + (colours.other - colours.base) * (layer + 1) / 3, 0, 1)
        top = height * (0.35 + 0.11 * layer)
        line = top + 18 * np.sin(np.arange(width + 1) / width * rng.uniform(3, 9) + rng.uniform(0, 6))
        points = np.column_stack([np.arange(width + 1), line])
        points = np.vstack([points, [width, height], [0, height]]).astype(np.int32)
        cv2.fillPoly(picture, [points], _tuple(shade), cv2.LINE_AA)
    centre = (int(width * rng.uniform(0.15, 0.85)), int(height * 0.16))
    cv2.circle(picture, centre, int(width * 0.12), _tuple(colours.accent), -1, cv2.LINE_AA)


def _skyline(rng: np.random.Generator, picture: np.ndarray, horizon: int, colours: _Colours) -> None:
    height, width = picture.shape[:2]
    accent = _tuple(colours.accent)
    for layer in range(2):
        shade = _tuple(np.clip(colours.base + (colours.other - colours.base) * (layer + 1) * 0.7, 0, 1))
        column = -10
        while column < width:
            wide, tall = int(rng.uniform(18, 48)), int(height * rng.uniform(0.25, 0.6) * (1 - 0.25 * layer))
            cv2.rectangle(picture, (column, horizon - tall), (column + wide, horizon), shade, -1)
            for y in range(horizon - tall + 6, horizon - 6, 12):
                for x in range(column + 4, column + wide - 6, 10):
                    if rng.random() < 0.45:
                        cv2.rectangle(picture, (x, y), (x + 4, y + 5), accent, -1)
            column += wide + int(rng.uniform(-4, 6))


def _stripes(rng: np.random.Generator, picture: np.ndarray, horizon: int, colours: _Colours) -> None:
    height, width = picture.shape[:2]
    for left in range(-height, width, 44):
        points = [[left, height], [left + 22, height], [left + 22 + height, 0], [left + height, 0]]
        cv2.fillPoly(picture, [np.array(points, np.int32)], _tuple(colours.other), cv2.LINE_AA)


def _shapes(rng: np.random.Generator, picture: np.ndarray, horizon: int, colours: _Colours) -> None:
    height, width = picture.shape[:2]
    for _ in range(26):
        centre = (int(rng.uniform(0, width)), int(rng.uniform(0, height * 0.9)))
        colour = _tuple((colours.other, colours.accent, colours.base * 0.9)[int(rng.integers(3))])
        if rng.random() < 0.5:
            radius, thick = int(rng.uniform(4, 26)), -1 if rng.random() < 0.6 else 3
            cv2.circle(picture, centre, radius, colour, thick, cv2.LINE_AA)
        else:
            turn, reach = rng.uniform(0, np.pi), rng.uniform(6, 30)
            angles = [turn + k * 2.094 for k in range(3)]
            corners = [[centre[0] + reach * np.cos(angle), centre[1] + reach * np.sin(angle)] for angle in angles]
            cv2.fillPoly(picture, [np.array(corners, np.int32)], colour, cv2.LINE_AA)


_GRAPHICS = (_sun, _halftone, _hills, _skyline, _stripes, _shapes)


def _tuple(colour: Iterable[float]) -> tuple[float, ...]:
    """As OpenCV takes colours."""
    return tuple(map(float, colour))


def floor_rays(camera: Camera, floor: float) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel's ray meets the floor [H * W, 3], and which pixels [H * W] do."""
    rows, columns = np.mgrid[0 : camera.height, 0 : camera.width]
    rays = camera.directions(np.column_stack([columns.ravel() + 0.5, rows.ravel() + 0.5]))
    distance = (floor - camera.eye[2]) / np.minimum(rays[:, 2], -1e-4)
    return camera.eye + rays * distance[:, None], (rays[:, 2] < -1e-3) & (distance < 40)


def horizon_row(camera: Camera, floor: float, far: float = 9.0) -> int:
    """Row at which a floor that ends `far` metres behind the figure ends in the picture."""
    _, _, ahead = camera.axes()
    flat_ahead = np.array([ahead[0], ahead[1], 0.0]) / np.hypot(ahead[0], ahead[1])
    point = np.array([*camera.target[:2], floor]) + flat_ahead * far
    places, _ = camera.project(point[None])
    return int(np.clip(places[0, 1], 4, camera.height - 4))


def shadow(scene: Scene, camera: Camera, floor: float, towards: np.ndarray, spread: float, seed: int) -> np.ndarray:
    """Light on the floor [H, W] in 0..1, by rays near the figure's feet at half resolution."""
    half = Camera(
        camera.eye,
        camera.target,
        camera.width // 2,
        camera.height // 2,
        camera.focal / 2,
        camera.roll,
        (camera.shift[0] / 2, camera.shift[1] / 2),
    )
    points, on_floor = floor_rays(half, floor)
    centre = 0.5 * (scene.vertices.min(0) + scene.vertices.max(0))
    near = np.flatnonzero(on_floor & (np.hypot(points[:, 0] - centre[0], points[:, 1] - centre[1]) < 2.4))
    light = np.ones(len(points), np.float32)
    up = np.broadcast_to(np.array([0, 0, 1], np.float32), (len(near), 3))
    start = points[near] + [0, 0, 0.004]
    key = scene.light(start, up, towards, max(spread, 0.08), 3, seed)
    sky = scene.openness(start, up, 0.5, 3, seed + 1)
    light[near] = 0.35 + 0.65 * key
    light[near] *= 0.45 + 0.55 * sky
    soft = cv2.GaussianBlur(light.reshape(half.height, half.width), (0, 0), 1.6)
    return cv2.resize(soft, (camera.width, camera.height), interpolation=cv2.INTER_LINEAR)


def place(rng: np.random.Generator, camera: Camera, floor: float) -> tuple[np.ndarray, np.ndarray, str]:
    """A photo-like place: picture [H, W, 3] in linear light, the floor's mask [H, W], and which of `SCENES`."""
    kind = SCENES[int(rng.integers(len(SCENES)))]
    height, width = camera.height, camera.width
    far = {"street": 9.0, "night": 9.0, "park": 11.0}.get(kind, rng.uniform(2.0, 3.6))
    row = horizon_row(camera, floor, far)
    picture = np.zeros((height, width, 3), np.float32)
    _WALLS[kind](rng, picture, row, kind)
    defocus = rng.uniform(1.2, 2.6) * width / 320
    picture = cv2.GaussianBlur(picture, (0, 0), defocus)
    points, on_floor = floor_rays(camera, floor)
    mask = on_floor.reshape(height, width) & (np.arange(height)[:, None] >= row)
    ground = np.zeros((height * width, 3), np.float32)
    ground[mask.ravel()] = _ground(rng, points[mask.ravel(), :2], kind)
    ground = ground.reshape(height, width, 3)
    distance = np.linalg.norm(points - camera.eye, axis=1).reshape(height, width, 1)
    blurred = cv2.blur(ground, (3, 3))
    ground = ground + (blurred - ground) * np.clip((distance - 4) / 4, 0, 1)
    edge = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), defocus * 0.6)[..., None]
    return np.where(mask[..., None], picture * (1 - edge) + ground * edge, picture).astype(np.float32), mask, kind


def _box(picture: np.ndarray, left: float, top: float, right: float, bottom: float, colour: Iterable[float]) -> None:
    cv2.rectangle(picture, (int(left), int(top)), (int(right), int(bottom)), _tuple(colour), -1)


def _lin(rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    return hue(rng, low, high) ** 2.2


def _muted(rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    colour = hue(rng, low, high)
    return ((colour * 0.3 + colour.mean() * 0.7) * [1.04, 1.0, 0.94]) ** 2.2


def _street(rng: np.random.Generator, picture: np.ndarray, row: int, kind: str) -> None:
    height, width = picture.shape[:2]
    night = kind == "night"
    fade = np.linspace(0, 1, height)[:, None, None]
    sky = np.array([0.03, 0.04, 0.10]) if night else np.array([0.45, 0.62, 0.85]) + fade * 0.3
    picture[:] = sky * np.ones((1, width, 1))
    column = -int(rng.uniform(0, 60))
    while column < width:
        wide = int(rng.uniform(0.22, 0.5) * width)
        _house(rng, picture, column, wide, row, night)
        column += wide
    for _ in range(int(rng.integers(1, 4))):
        _car(rng, picture, row, night)
    if night:
        for _ in range(int(rng.integers(14, 30))):
            centre, radius = (int(rng.uniform(0, width)), int(rng.uniform(0, row))), int(rng.uniform(3, 9))
            cv2.circle(picture, centre, radius, _tuple(_lin(rng, 0.6, 1.0) * rng.uniform(0.6, 1.8)), -1)
    elif rng.random() < 0.7:
        _tree(rng, picture, rng.uniform(0, width), row, row * rng.uniform(0.5, 0.9))


def _house(rng: np.random.Generator, picture: np.ndarray, left: int, wide: int, row: int, night: bool) -> None:
    dim = 0.12 if night else 1.0
    top = int(row * rng.uniform(-0.2, 0.25))
    wall = _muted(rng, 0.45, 0.9) * dim
    _box(picture, left, top, left + wide, row, wall)
    storeys, bays = int(rng.integers(3, 6)), int(rng.integers(2, 5))
    shop = row - 0.24 * row
    frame = np.clip(wall * 1.5 + 0.05 * dim, 0, 1)
    for storey in range(storeys):
        y = top + (shop - top) * (storey + 0.2) / storeys
        for bay in range(bays):
            x = left + wide * (bay + 0.22) / bays
            right, bottom = x + wide * 0.56 / bays, y + (shop - top) * 0.6 / storeys
            if night and rng.random() < 0.5:
                glass = np.array([1.3, 0.9, 0.45]) * rng.uniform(0.6, 1.2)
            else:
                glass = np.array([0.10, 0.15, 0.22]) * rng.uniform(0.5, 2.2) * max(dim, 0.3)
            _box(picture, x - 2, y - 2, right + 2, bottom + 2, frame)
            _box(picture, x, y, right, bottom, glass)
    _shop(rng, picture, left, wide, shop, row, night)
    _box(picture, left + wide * 0.74, shop + 0.06 * row, left + wide * 0.92, row, _muted(rng, 0.2, 0.6) * dim)


def _shop(
    rng: np.random.Generator, picture: np.ndarray, left: int, wide: int, top: float, row: int, night: bool
) -> None:
    sign = _lin(rng, 0.5, 0.95) * (2.0 if night else 0.9)
    _box(picture, left + 3, top, left + wide - 3, top + 0.05 * row, sign)
    if night or rng.random() < 0.4:
        inside = np.array([1.1, 0.85, 0.5]) * rng.uniform(0.5, 1.0)
    else:
        inside = np.array([0.14, 0.16, 0.18])
    _box(picture, left + 6, top + 0.07 * row, left + wide * 0.66, row - 3, inside)
    for _ in range(5):  # goods
        x, y = rng.uniform(left + 8, left + wide * 0.6), row - rng.uniform(0.05, 0.14) * row
        _box(picture, x, y, x + 7, row - 4, _lin(rng, 0.3, 0.9) * (0.9 if night else 0.6))


def _car(rng: np.random.Generator, picture: np.ndarray, row: int, night: bool) -> None:
    width = picture.shape[1]
    x, body = rng.uniform(-20, width), _lin(rng, 0.3, 0.9) * (0.25 if night else 1.0)
    long, tall = width * rng.uniform(0.28, 0.42), row * 0.09
    _box(picture, x, row - tall, x + long, row - 0.02 * row, body)
    _box(picture, x + 0.18 * long, row - 1.75 * tall, x + 0.8 * long, row - tall, body * 0.55)
    for wheel in (0.2, 0.78):
        centre = (int(x + wheel * long), int(row - 0.02 * row))
        cv2.circle(picture, centre, int(tall * 0.42), (0.02, 0.02, 0.02), -1)
    if night:
        cv2.circle(picture, (int(x), int(row - 0.7 * tall)), 4, (2.5, 0.4, 0.3), -1)


def _tree(rng: np.random.Generator, picture: np.ndarray, x: float, row: int, tall: float) -> None:
    _box(picture, x - tall * 0.02, row - tall * 0.6, x + tall * 0.02, row, (0.06, 0.045, 0.03))
    leaf = np.array([0.07, 0.16, 0.04]) * rng.uniform(0.6, 1.6) * [rng.uniform(0.7, 2.2), 1, 1]
    for _ in range(60):
        offset = rng.normal(0, tall * 0.15, 2) - [0, tall * 0.75]
        centre = (int(x + offset[0]), int(row + offset[1]))
        cv2.circle(picture, centre, int(rng.uniform(0.02, 0.07) * tall) + 1, _tuple(leaf * rng.uniform(0.5, 1.9)), -1)


def _park(rng: np.random.Generator, picture: np.ndarray, row: int, kind: str) -> None:
    height, width = picture.shape[:2]
    picture[:] = (np.array([0.42, 0.62, 0.88]) + np.linspace(0, 0.35, height)[:, None, None]) * np.ones((1, width, 1))
    for _ in range(220):
        centre = (int(rng.uniform(0, width)), int(row - abs(rng.normal(0, 0.16)) * row))
        leaf = np.array([0.06, 0.15, 0.04]) * rng.uniform(0.4, 2.0) * [rng.uniform(0.7, 1.8), 1, 1]
        cv2.circle(picture, centre, int(rng.uniform(4, 20)), _tuple(leaf), -1)
    for _ in range(int(rng.integers(2, 5))):
        _tree(rng, picture, rng.uniform(0, width), row, row * rng.uniform(0.6, 1.1))
    for _ in range(int(rng.integers(5, 16))):
        x = rng.uniform(0, width)
        cv2.circle(
            picture,
            (int(x), int(row - rng.uniform(0, 0.06) * row)),
            int(rng.uniform(2, 5)),
            _tuple(_lin(rng, 0.7, 1.0)),
            -1,
        )
    if rng.random() < 0.5:
        x = rng.uniform(0, width)
        for slat in range(4):
            _box(picture, x, row - 26 + slat * 6, x + 90, row - 23 + slat * 6, (0.16, 0.08, 0.04))


def _room(rng: np.random.Generator, picture: np.ndarray, row: int, kind: str) -> None:
    height, width = picture.shape[:2]
    wall = _muted(rng, 0.55, 0.95)
    light = 1.0 - 0.35 * np.abs(np.linspace(-1, 1, width) - rng.uniform(-0.6, 0.6))[None, :, None]
    picture[:] = wall * light
    if kind == "studio":
        colour = _muted(rng, 0.4, 0.95) if rng.random() < 0.6 else _lin(rng, 0.5, 0.9)
        picture[:] = colour * light
        if rng.random() < 0.7:  # a roll of paper between stands
            left, right = width * rng.uniform(0.02, 0.15), width * rng.uniform(0.85, 0.98)
            picture[:, : int(left)] = wall * 0.5
            picture[:, int(right) :] = wall * 0.45
            for x in (left, right):
                _box(picture, x - 2, 0, x + 2, row + 6, (0.03, 0.03, 0.03))
        for _ in range(int(rng.integers(1, 3))):  # lamps
            x, y = width * rng.choice([0.08, 0.92]), height * rng.uniform(0.05, 0.3)
            _box(picture, x - 2, y, x + 2, row + 20, (0.02, 0.02, 0.02))
            _box(picture, x - 24, y - 26, x + 24, y + 22, (0.02, 0.02, 0.02))
            _box(picture, x - 20, y - 22, x + 20, y + 18, (2.2, 2.1, 1.9))
        return
    for _ in range(int(rng.integers(3, 8))):  # pictures on the wall
        x, y = rng.uniform(-10, width), rng.uniform(0.05, 0.6) * row
        wide, tall = rng.uniform(30, 90), rng.uniform(34, 90)
        _box(picture, x - 4, y - 4, x + wide + 4, y + tall + 4, _muted(rng, 0.1, 0.5))
        _box(picture, x, y, x + wide, y + tall, _lin(rng, 0.4, 0.95))
        for _ in range(6):
            cv2.circle(
                picture,
                (int(rng.uniform(x, x + wide)), int(rng.uniform(y, y + tall))),
                int(rng.uniform(3, 12)),
                _tuple(_lin(rng, 0.3, 0.95)),
                -1,
            )
    if kind == "cafe":
        for shelf in range(int(rng.integers(2, 4))):
            y = row * (0.25 + 0.2 * shelf)
            _box(picture, 0, y, width, y + 4, (0.12, 0.06, 0.03))
            for _ in range(30):
                x = rng.uniform(0, width)
                _box(picture, x, y - rng.uniform(8, 26), x + rng.uniform(3, 9), y, _lin(rng, 0.3, 0.95))
        for _ in range(int(rng.integers(2, 5))):
            centre = (int(rng.uniform(0, width)), int(row * rng.uniform(0.02, 0.2)))
            cv2.circle(picture, centre, int(rng.uniform(5, 10)), (2.4, 1.7, 0.8), -1)
        x = rng.uniform(0, width)
        _box(picture, x, row - 40, x + 110, row - 34, (0.2, 0.1, 0.05))
        _box(picture, x + 50, row - 34, x + 56, row + 6, (0.03, 0.03, 0.03))
    _box(picture, 0, row - 9, width, row, np.clip(wall * 1.3, 0, 1))
    if rng.random() < 0.6:
        _tree(rng, picture, width * rng.choice([0.07, 0.93]), row + 4, row * 0.45)


def _ground(rng: np.random.Generator, plane: np.ndarray, kind: str) -> np.ndarray:
    """Colour of the floor [S, 3], linear, by place [S, 2] in metres."""
    turn = rng.uniform(-0.5, 0.5)
    plane = plane @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    seed = int(rng.integers(1000))
    cloud = noise(plane, 3.0, seed)[:, None]
    if kind in ("street", "night"):
        stone = (
            np.array([0.24, 0.22, 0.20])
            * rng.uniform(0.5, 1.5)
            * (1 + rng.uniform(-0.06, 0.06, 3))
            * (0.3 if kind == "night" else 1.0)
        )
        tile = rng.uniform(0.4, 0.8)
        joint = (np.minimum(np.mod(plane[:, 0], tile), np.mod(plane[:, 1], tile)) < 0.02)[:, None]
        each = grain(np.floor(plane / tile), 1.0, seed)[:, None]
        return (
            stone
            * (0.85 + 0.3 * each + 0.1 * cloud + 0.15 * (grain(plane, 0.012, seed)[:, None] - 0.5))
            * np.where(joint, 0.55, 1.0)
        )
    if kind == "park":
        grass = np.array([0.10, 0.20, 0.05]) * (0.8 + 0.4 * grain(plane, 0.03, seed)[:, None] + 0.2 * cloud)
        path = np.array([0.38, 0.32, 0.25]) * (0.85 + 0.25 * grain(plane, 0.02, seed)[:, None] + 0.1 * cloud)
        return np.where((np.abs(plane[:, :1] + 0.15 * np.sin(plane[:, 1:] * 1.3)) < 1.3), path, grass)
    if kind == "studio":
        return np.broadcast_to(_muted(rng, 0.45, 0.95), (len(plane), 3)) * (1 + 0.04 * cloud)
    plank = 0.14
    each = grain(
        np.column_stack(
            [np.floor(plane[:, 0] / plank), np.floor((plane[:, 1] + np.floor(plane[:, 0] / plank) * 0.37) / 1.1)]
        ),
        1.0,
        seed,
    )
    wood = np.array(linear("#8a5f3c")) * rng.uniform(0.5, 1.4)
    line = step(0.004, 0.009, np.mod(plane[:, 0], plank))[:, None]
    vein = noise(plane * [30, 2.2], 1.0, seed + 1)[:, None]
    return wood * (0.75 + 0.45 * each[:, None] + 0.07 * vein) * (0.45 + 0.55 * line)


_WALLS = {"street": _street, "night": _street, "park": _park, "studio": _room, "gallery": _room, "cafe": _room}
