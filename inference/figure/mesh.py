"""Pieces of a figure as triangle meshes: merging, cutting along a line, normals."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Mesh:
    """A named piece. N vertices, M triangles; `chart` are coordinates that a material paints by."""

    name: str
    vertices: np.ndarray  # [N, 3] metres
    triangles: np.ndarray  # [M, 3]
    chart: np.ndarray  # [N, 6]
    normals: np.ndarray | None = None  # [N, 3]; smooth ones where not given


@dataclass(frozen=True)
class Cut:
    """What is left of triangles on the positive side of a line: new vertices lie between two old ones."""

    first: np.ndarray  # [N] old vertex
    second: np.ndarray  # [N] old vertex
    share: np.ndarray  # [N] of the second
    triangles: np.ndarray  # [M, 3]

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Carry values of old vertices [V, ...] to the new ones [N, ...]."""
        share = self.share.reshape(-1, *[1] * (values.ndim - 1))
        return values[self.first] * (1 - share) + values[self.second] * share

    @property
    def nearest(self) -> np.ndarray:
        return np.where(self.share < 0.5, self.first, self.second)


def cut(triangles: np.ndarray, field: np.ndarray) -> Cut:
    """Keep the part of triangles [M, 3] where a field over old vertices [V] is positive, with a clean edge at zero."""
    inside = field[triangles] > 0
    count = inside.sum(1)
    whole = triangles[count == 3]
    pieces, firsts, seconds, shares = [whole], [], [], []
    edges: dict[tuple[int, int], int] = {}
    offset = len(field)

    def crossing(a: int, b: int) -> int:
        key = (a, b) if a < b else (b, a)
        if key not in edges:
            edges[key] = offset + len(edges)
            firsts.append(a), seconds.append(b)
            shares.append(field[a] / (field[a] - field[b]))
        return edges[key]

    split = []
    for triangle, mask in zip(triangles[(count == 1) | (count == 2)], inside[(count == 1) | (count == 2)], strict=True):
        lone = int(np.argmax(mask)) if mask.sum() == 1 else int(np.argmin(mask))
        a, b, c = (int(triangle[(lone + step) % 3]) for step in range(3))
        ab, ac = crossing(a, b), crossing(a, c)
        split += [[a, ab, ac]] if mask.sum() == 1 else [[ab, b, c], [ab, c, ac]]
    if split:
        pieces.append(np.array(split, triangles.dtype))
    joined = np.concatenate(pieces)
    used, compact = np.unique(joined, return_inverse=True)
    old = used < offset
    cutting = used[~old] - offset
    first, second, share = used.copy(), used.copy(), np.zeros(len(used), np.float32)
    first[~old], second[~old] = np.array(firsts, int)[cutting], np.array(seconds, int)[cutting]
    share[~old] = np.array(shares, np.float32)[cutting]
    return Cut(first, second, share, compact.reshape(-1, 3).astype(np.int32))


def with_normals(mesh: Mesh) -> Mesh:
    """Fill in smooth normals: the mean of the triangles around, by area."""
    return mesh if mesh.normals is not None else replace(mesh, normals=smooth_normals(mesh.vertices, mesh.triangles))


def smooth_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Mean unit normals [N, 3] of vertices by area of the triangles around."""
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    faces = np.cross(b - a, c - a)
    flat = triangles.ravel()
    repeated = np.repeat(faces, 3, axis=0)
    normals = np.stack([np.bincount(flat, repeated[:, axis], len(vertices)) for axis in range(3)], axis=1)
    return (normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def smoothed(vertices: np.ndarray, triangles: np.ndarray, rounds: int, hold: np.ndarray | None = None) -> np.ndarray:
    """Relax vertices towards the mean of their neighbours, those in `hold` (bool [N]) staying where they are."""
    pairs = np.concatenate([triangles[:, [a, b]] for a in range(3) for b in range(3) if a != b])
    degree = np.maximum(np.bincount(pairs[:, 0], minlength=len(vertices)), 1)[:, None]
    for _ in range(rounds):
        near = vertices[pairs[:, 1]]
        mean = np.stack([np.bincount(pairs[:, 0], near[:, axis], len(vertices)) for axis in range(3)], axis=1) / degree
        moved = 0.5 * (vertices + mean)
        vertices = moved if hold is None else np.where(hold[:, None], vertices, moved)
    return vertices.astype(np.float32)
