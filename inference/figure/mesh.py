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
    split = (count == 1) | (count == 2)
    crossed, mask = triangles[split].astype(np.int64), inside[split]
    single = mask.sum(1) == 1
    lone = np.where(single, mask.argmax(1), mask.argmin(1))  # the vertex that stands alone on its side
    a, b, c = (np.take_along_axis(crossed, ((lone + turn) % 3)[:, None], 1)[:, 0] for turn in range(3))
    edges = np.stack([np.concatenate([a, a]), np.concatenate([b, c])], axis=1)
    edges.sort(axis=1)
    unique, which = np.unique(edges @ np.array([len(field), 1]), return_inverse=True)
    ab, ac = len(field) + which[: len(a)], len(field) + which[len(a) :]
    corners = np.concatenate(
        [
            triangles[count == 3],
            np.stack([a, ab, ac], 1)[single],
            np.stack([ab, b, c], 1)[~single],
            np.stack([ab, c, ac], 1)[~single],
        ]
    )
    used, compact = np.unique(corners, return_inverse=True)
    first, second, share = used.copy(), used.copy(), np.zeros(len(used), np.float32)
    new = used >= len(field)
    first[new], second[new] = np.divmod(unique[used[new] - len(field)], len(field))
    share[new] = field[first[new]] / (field[first[new]] - field[second[new]])
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
        moved = 0.2 * vertices + 0.8 * mean
        vertices = moved if hold is None else np.where(hold[:, None], vertices, moved)
    return vertices.astype(np.float32)
