"""People who dance, drawn frame by frame before a floor: what their bones move, what light reaches it, and the picture.

ensemble = Ensemble([1, 2], floor)                                # two dancers, by the seeds of their looks
picture = ensemble.picture(turned, positions, camera)             # joints' rotations in the world, and places
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
import warp as wp

from inference.dancefloor.camera import Camera
from inference.dancefloor.figure import Figure
from inference.dancefloor.floor import Floor
from inference.dancefloor.retarget import AXES
from inference.figure import rays
from inference.figure.mesh import Mesh
from inference.figure.raster import Lamp, Raster, bake
from inference.figure.shadow import ShadowMap
from inference.motion.skeleton import INDEX

SAMPLES = 2  # a side of a pixel
ALIKE = 0.03  # metres
STEP = 96  # pixels in which the sides of what is painted grow: a raster is kept for each
TOWARDS = np.array([-0.45, -0.62, 0.9])  # the key light, where z is up and -y is ahead
BEHIND = np.array([0.6, 0.75, 0.45])
KEY, SKY, GROUND, RIM = (2.35, 2.22, 2.05), (0.62, 0.68, 0.76), (0.42, 0.36, 0.31), (0.7, 0.75, 0.85)
MAP_METRES, MAP_PIXELS = 3.4, 288  # of the shadow map about a dancer
CELLS, REACH = 96, 1.6  # a side, and metres about a dancer, in which closeness to the floor is counted
CELL = 2 * REACH / CELLS
EXPOSURE = 0.95
STEPS, BRIGHTEST = 8191, 8.0  # of the table from light to what is shown
EYES = 0.45  # share of the light that is let to them
PIECES_OF_HEAD = ("hair", "eye", "lashes", "mouth")


@dataclass(frozen=True)
class Ready:
    """A frame before the dancers are painted: their vertices, light and turns, and the place."""

    vertices: np.ndarray  # [V, 3]
    light: np.ndarray  # [V, 2]
    turns: np.ndarray  # [P, 3, 3]
    camera: Camera
    ground: np.ndarray  # uint8 [H, W, 3]


class Ensemble:
    """Dancers drawn together before a floor; motions are rotations in the world and places of joints."""

    def __init__(self, seeds: Sequence[int], floor: Floor) -> None:
        self.figures = [Figure(seed) for seed in seeds]
        self.floor = floor
        meshes, materials = [], {}
        for number, figure in enumerate(self.figures):
            for mesh in figure.meshes:
                name = f"{number}-{mesh.name}"
                meshes.append(Mesh(name, mesh.vertices, mesh.triangles, mesh.chart, mesh.normals))
                materials[name] = figure.materials[mesh.name]
        keep = [np.ones(len(mesh.triangles), bool) for mesh in meshes]
        eye = np.array([0.0, -6.0, 0.5])
        self.paint = bake(meshes, materials, eye, keep)
        self._rasters: dict[tuple[int, int], Raster] = {}
        ends = np.cumsum([0, *[len(figure.still) for figure in self.figures]])
        self._parts = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        self._triangles = [
            self.paint.triangles[(self.paint.triangles[:, 0] >= part.start) & (self.paint.triangles[:, 0] < part.stop)]
            - part.start
            for part in self._parts
        ]
        self._on_device = [wp.array(each, dtype=wp.int32, device="cpu") for each in self._triangles]
        self._sky = [_openness(figure.still, each) for figure, each in zip(self.figures, self._triangles, strict=True)]
        self._dim = [_sheltered(figure.meshes) for figure in self.figures]
        self.shadows = ShadowMap(TOWARDS, MAP_METRES, MAP_PIXELS)
        self.lamp = Lamp(
            TOWARDS / np.linalg.norm(TOWARDS),
            *map(np.array, (KEY, SKY, GROUND)),
            BEHIND / np.linalg.norm(BEHIND),
            np.array(RIM),
        )

    def picture(self, turned: np.ndarray, positions: np.ndarray, camera: Camera) -> np.ndarray:
        """Draw a frame, uint8 [H, W, 3], of rotations [D, 24, 3, 3] and places [D, 24, 3]."""
        return self.painted(self.ready(turned, positions, camera))

    def ready(self, turned: np.ndarray, positions: np.ndarray, camera: Camera) -> "Ready":
        """Move the dancers, find their light and draw the place: the half of a frame that another thread may do."""
        parts: list[np.ndarray] = []
        light: list[np.ndarray] = []
        turns: list[np.ndarray] = []
        shade = np.zeros((camera.height, camera.width), np.uint8)
        for number, figure in enumerate(self.figures):
            vertices = figure.vertices(turned[number], positions[number])
            centre = (vertices.min(0) + vertices.max(0)) / 2
            key = self.shadows.throw(vertices, self._on_device[number], centre)
            shade = np.maximum(shade, self._on_floor(vertices, centre, camera))
            parts.append(vertices)
            light.append(np.column_stack([key, self._sky[number]]) * self._dim[number][:, None])
            turns += [_turn_of(mesh.name, turned[number]) for mesh in figure.meshes]
        ground = self.floor.picture(camera, shade)
        return Ready(np.concatenate(parts), np.concatenate(light), np.stack(turns), camera, ground)

    def painted(self, ready: "Ready") -> np.ndarray:
        """Paint dancers over their place: the other half."""
        camera = ready.camera
        seen = rays.Camera(AXES @ camera.eye, AXES @ camera.target, camera.width, camera.height, camera.focal)
        left, top, width, height = _window(seen.project(ready.vertices)[0], camera.width, camera.height)
        if not width or not height:
            return ready.ground
        shift = (camera.width - width) / 2 - left, (camera.height - height) / 2 - top
        seen = replace(seen, width=width, height=height, shift=shift)
        if (width, height) not in self._rasters:
            self._rasters[width, height] = Raster(self.paint, width, height, SAMPLES, ALIKE)
        colour, cover = self._rasters[width, height].draw(ready.vertices, ready.light, ready.turns, seen, self.lamp)
        part = ready.ground[top : top + height, left : left + width]
        part[:] = _over(part, colour, cover[..., 0])
        return ready.ground

    def _on_floor(self, vertices: np.ndarray, centre: np.ndarray, camera: Camera) -> np.ndarray:
        """How much of the light a dancer keeps off the floor, uint8 [H, W]: a shadow, and a dimness close to it."""
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
        floor = np.column_stack([centre[:2] + 2 * corners - 1, np.zeros(4)])
        on_map = self.shadows.places(floor, centre)[:, :2].astype(np.float32)
        from_map = cv2.getPerspectiveTransform(on_map, floor[:, :2].astype(np.float32))
        to_picture = camera.floor() @ np.diag([1.0, -1.0, 1.0])  # z there is -y here
        soft = cv2.GaussianBlur(self.shadows.silhouette(), (0, 0), 2.2)
        thrown = cv2.warpPerspective(soft, to_picture @ from_map, (camera.width, camera.height))
        close = _closeness(vertices, centre)
        place = np.array([[CELL, 0, centre[0] - REACH], [0, CELL, centre[1] - REACH], [0, 0, 1]])
        dim = cv2.warpPerspective(close, to_picture @ place, (camera.width, camera.height))
        return cv2.max(cv2.multiply(thrown, 0.8), dim)


def _closeness(vertices: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Where something is just over the floor, uint8 [CELLS, CELLS] about the centre."""
    near = np.exp(-np.maximum(vertices[:, 2], 0) / 0.09)
    cells = np.clip(((vertices[:, :2] - centre[:2] + REACH) / CELL).astype(int), 0, CELLS - 1)
    total = np.bincount(cells[:, 1] * CELLS + cells[:, 0], near, CELLS * CELLS).reshape(CELLS, CELLS)
    soft = cv2.GaussianBlur(np.minimum(total, 6.0).astype(np.float32), (0, 0), 1.6)
    return np.clip(soft * 75, 0, 255).astype(np.uint8)


def _openness(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Share of the sky [V] that reaches each vertex in the pose in which clothes are made."""
    mesh = Mesh("all", vertices, triangles, np.zeros((len(vertices), 6), np.float32))
    scene = rays.Scene([mesh], device="cpu")
    open_ = scene.openness(scene.vertices, scene.normals, 0.22, 8, 3)
    pairs = np.concatenate([triangles[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2))])
    degree = np.maximum(np.bincount(pairs[:, 0], minlength=len(open_)), 1)
    for _ in range(2):  # takes the grain out
        open_ = 0.4 * open_ + 0.6 * np.bincount(pairs[:, 0], open_[pairs[:, 1]], len(open_)) / degree
    return open_.astype(np.float32)


def _sheltered(meshes: Sequence[Mesh]) -> np.ndarray:
    """Share of the light [V] that each vertex is let: brows and lids keep much off eyes, finer than the map tells."""
    return np.concatenate(
        [np.full(len(each.vertices), EYES if each.name.startswith("eye") else 1.0) for each in meshes]
    )


def _turn_of(piece: str, turned: np.ndarray) -> np.ndarray:
    """What a piece's folds and strands turn with [3, 3]."""
    joint = "head" if piece.startswith(PIECES_OF_HEAD) else "pelvis" if piece == "trousers" else "spine3"
    return AXES @ turned[INDEX[joint]] @ AXES.T


def _window(places: np.ndarray, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, width and height of the part of a picture that holds places [V, 2], its sides in steps."""
    low = np.floor(places.min(0)).astype(int) - 1
    high = np.ceil(places.max(0)).astype(int) + 1
    left, top = (int(np.clip(value, 0, most)) for value, most in zip(low, (width, height), strict=True))
    right, bottom = (int(np.clip(value, 0, most)) for value, most in zip(high, (width, height), strict=True))
    wide, high_ = (min(-(-side // STEP) * STEP, most) for side, most in ((right - left, width), (bottom - top, height)))
    return min(left, width - wide), min(top, height - high_), wide, high_


def _over(ground: np.ndarray, colour: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Lay a figure of linear light [H, W, 3], premultiplied by its cover [H, W], over a ground of bytes."""
    there = cover > 0
    share = cover[there][:, None]
    light = colour[there] * (EXPOSURE * STEPS / BRIGHTEST / share)
    shown = _TONES[np.clip(light, 0, STEPS).astype(np.uint16)]
    made = ground.copy()
    made[there] = (shown * share + ground[there] * (1 - share) + 0.5).astype(np.uint8)
    return made


def _tones() -> np.ndarray:
    """Linear light to display values 0..255 with a soft shoulder, for each of the steps up to the brightest."""
    x = np.linspace(0, BRIGHTEST, STEPS + 1) * 0.62
    mapped = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)
    return (255 * np.clip(mapped, 0, 1) ** (1 / 2.2)).astype(np.float32)


_TONES = _tones()
