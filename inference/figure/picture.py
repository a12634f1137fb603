"""From scene to picture: adaptive sampling, exact coverage, light on surfaces, and the resolved picture.

A pixel inside one surface takes one sample; a pixel on an edge takes SUB x SUB, and its coverage is their mean.
H, W the picture's height and width; S samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from inference.figure.rays import Camera, Hits, Scene
from inference.figure.shading import Material, Surface

SUB = 4  # samples a side of a pixel on an edge
_STEPS = (np.arange(SUB) + 0.5) / SUB
_OFFSETS = np.stack(np.meshgrid(_STEPS, _STEPS, indexing="xy"), axis=-1).reshape(-1, 2)
DEPTH_EDGE = 0.035  # metres
_NEAR = [(down, right) for down in range(-2, 3) for right in range(-2, 3) if abs(down) + abs(right) <= 2]


@dataclass(frozen=True)
class View:
    """What a camera saw."""

    hits: Hits
    pixel: np.ndarray  # [S] of each hit: row * W + column
    weight: np.ndarray  # [S] share of its pixel
    coverage: np.ndarray  # [H, W] in 0..1
    fine_piece: np.ndarray  # [H * SUB, W * SUB] piece, -1 outside
    fine_depth: np.ndarray  # [H * SUB, W * SUB] metres, 0 outside
    names: list[str]

    def resolve(self, values: np.ndarray) -> np.ndarray:
        """Sum samples' values [S, C] into pixels [H, W, C]; premultiplied by coverage."""
        height, width = self.coverage.shape
        weighted = values * self.weight[:, None]
        channels = [np.bincount(self.pixel, weighted[:, c], height * width) for c in range(values.shape[1])]
        return np.stack(channels, axis=1).reshape(height, width, -1).astype(np.float32)

    def of(self, *prefixes: str) -> np.ndarray:
        """Which samples [S] lie on pieces whose names begin so."""
        chosen = [index for index, name in enumerate(self.names) if name.startswith(prefixes)]
        return np.isin(self.hits.piece, chosen)


@dataclass(frozen=True)
class Lit:
    """Surfaces with the light that reaches them, one row a sample."""

    surface: Surface
    key: np.ndarray  # [S] share of the key light
    sky: np.ndarray  # [S] share of the sky


def look(scene: Scene, camera: Camera) -> View:
    """Cast the camera's rays: one a pixel, then SUB x SUB where pieces or depths meet."""
    height, width = camera.height, camera.width
    left, top, right, bottom = _window(scene, camera)
    rows, columns = np.mgrid[top:bottom, left:right]
    places = np.column_stack([columns.ravel() + 0.5, rows.ravel() + 0.5])
    face, where = scene.cast(camera, places)
    shape = rows.shape
    piece = np.where(face >= 0, scene.piece[face], -1).reshape(shape).astype(np.int16)
    depth = np.where(face >= 0, where[:, 2], 0).reshape(shape)
    edge = _edges(piece, depth)
    inner = np.flatnonzero(~edge.ravel() & (face >= 0))
    edge_rows, edge_columns = rows[edge], columns[edge]
    fine = (np.column_stack([edge_columns, edge_rows])[:, None] + _OFFSETS).reshape(-1, 2)
    fine_face, fine_where = scene.cast(camera, fine)
    edge_pixel = np.repeat(edge_rows * width + edge_columns, SUB * SUB)
    chosen, share = _representatives(edge_pixel, np.where(fine_face >= 0, scene.piece[fine_face], -1), len(scene.names))
    hits = scene.hits(
        camera,
        np.concatenate([places[inner], fine[chosen]]),
        np.r_[face[inner], fine_face[chosen]],
        np.r_[where[inner], fine_where[chosen]],
    )
    pixel = np.r_[(rows * width + columns).ravel()[inner], edge_pixel[chosen]]
    weight = np.r_[np.ones(len(inner)), share]
    coverage = np.bincount(pixel, weight, height * width).reshape(height, width)
    maps = []
    for values, fine_values, empty in (
        (piece, np.where(fine_face >= 0, scene.piece[fine_face], -1), -1),
        (depth, np.where(fine_face >= 0, fine_where[:, 2], 0), 0),
    ):
        whole = np.full((height, width, SUB, SUB), empty, values.dtype)
        whole[top:bottom, left:right] = values[:, :, None, None]
        whole[edge_rows, edge_columns] = fine_values.reshape(-1, SUB, SUB)
        maps.append(whole.transpose(0, 2, 1, 3).reshape(height * SUB, width * SUB))
    return View(hits, pixel, weight, coverage, maps[0], maps[1], scene.names)


def _representatives(pixel: np.ndarray, piece: np.ndarray, pieces: int) -> tuple[np.ndarray, np.ndarray]:
    """Let one sample stand for those of a piece in a quarter of a pixel: samples, and each one's share of the pixel."""
    index = np.arange(len(pixel))
    quarter = (index // (SUB * SUB // 2)) % 2 * 2 + (index // (SUB // 2)) % 2
    met = np.flatnonzero(piece >= 0)
    key = (pixel[met] * 4 + quarter[met]) * pieces + piece[met]
    _, first, count = np.unique(key, return_index=True, return_counts=True)
    return met[first], count / (SUB * SUB)


def surfaces(view: View, materials: Mapping[str, Material]) -> Surface:
    """Ask each piece's material what the samples on it look like."""
    count = len(view.hits.sample)
    parts = {name: np.zeros((count, 3), np.float32) for name in ("albedo", "normal", "wrap")}
    parts |= {name: np.zeros(count, np.float32) for name in ("gloss", "sharpness", "glint")}
    for index in np.unique(view.hits.piece):
        chosen = np.flatnonzero(view.hits.piece == index)
        made = materials[view.names[index]](view.hits.where(chosen))
        for name, values in parts.items():
            values[chosen] = getattr(made, name)
    return Surface(**parts)


def lit(scene: Scene, view: View, surface: Surface, towards: np.ndarray, spread: float, rays: int, seed: int) -> Lit:
    """Find how much of the key light and of the sky reaches each sample, once for each piece in a pixel."""
    hits = view.hits
    _, first, group = np.unique(view.pixel * len(view.names) + hits.piece, return_index=True, return_inverse=True)
    position, normal = hits.position[first], hits.normal[first]
    key = scene.light(position, normal, towards, spread, rays, seed)
    sky = scene.openness(position, normal, 0.22, rays, seed + 1)
    smooth = _smoothed(view, first, np.column_stack([key, sky]))[group]
    sheltered = view.of("eye", "teeth", "tongue")  # a lid's or a lip's shadow would put them out
    smooth[sheltered] = np.maximum(smooth[sheltered], 0.55)
    return Lit(surface, smooth[:, 0], smooth[:, 1])


def _smoothed(view: View, first: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Take the grain out of sampled light [N, C] of samples `first`: mean over like neighbours of the same piece."""
    height, width = view.coverage.shape
    pieces, depths, pixels = view.hits.piece[first], view.hits.distance[first], view.pixel[first]
    piece, depth = np.full(height * width, -1, np.int16), np.zeros(height * width, np.float32)
    grid = np.zeros((height * width, values.shape[1]), np.float32)
    piece[pixels], depth[pixels], grid[pixels] = pieces, depths, values
    rows, columns = np.divmod(pixels, width)
    total, share = values * 0.5, np.full(len(values), 0.5, np.float32)
    for down, right in _NEAR:
        near = np.clip(rows + down, 0, height - 1) * width + np.clip(columns + right, 0, width - 1)
        alike = (piece[near] == pieces) & (np.abs(depth[near] - depths) < DEPTH_EDGE)
        weight = alike * np.float32(np.exp(-(down * down + right * right) / 5.0))
        share += weight
        total += weight[:, None] * grid[near]
    return total / share[:, None]


def _window(scene: Scene, camera: Camera) -> tuple[int, int, int, int]:
    places, depth = camera.project(scene.vertices)
    seen = places[depth > 0.05]
    left, top = np.maximum(np.floor(seen.min(0)).astype(int) - 1, 0)
    right, bottom = np.minimum(np.ceil(seen.max(0)).astype(int) + 1, [camera.width, camera.height])
    return left, top, right, bottom


def _edges(piece: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Pixels [h, w] beside another piece or a jump of depth, and their neighbours."""
    edge = np.zeros(piece.shape, bool)
    for axis in range(2):
        ahead, behind = [slice(None)] * 2, [slice(None)] * 2
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        differ = (piece[tuple(ahead)] != piece[tuple(behind)]) | (
            np.abs(depth[tuple(ahead)] - depth[tuple(behind)]) > DEPTH_EDGE
        )
        edge[tuple(ahead)] |= differ
        edge[tuple(behind)] |= differ
    return edge
