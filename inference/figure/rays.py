"""Rays: what a camera sees of meshes, and how much light arrives there. Warp casts them on the CPU or on a GPU.

S samples, P pieces, T triangles of the whole scene.
"""

import functools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import warp as wp

from inference.figure.mesh import Mesh, with_normals

wp.config.log_level = wp.LOG_ERROR
wp.config.enable_backward = False
FAR = 50.0
LIFT = 2e-3  # metres a ray starts above the surface it leaves


@dataclass(frozen=True)
class Camera:
    """A pinhole: picture coordinates run right and down, in pixels."""

    eye: np.ndarray  # [3]
    target: np.ndarray  # [3]
    width: int
    height: int
    focal: float  # pixels
    roll: float = 0.0  # radians
    shift: tuple[float, float] = (0.0, 0.0)  # of the principal point, pixels

    def axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Unit vectors right, down, ahead."""
        ahead = self.target - self.eye
        ahead = ahead / np.linalg.norm(ahead)
        right = np.cross(ahead, [0.0, 0.0, 1.0])
        right = right / np.linalg.norm(right)
        down = np.cross(ahead, right)
        c, s = np.cos(self.roll), np.sin(self.roll)
        return c * right + s * down, c * down - s * right, ahead

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Place points [N, 3] in the picture [N, 2]; also their depths [N] in metres along the view."""
        right, down, ahead = self.axes()
        offset = points - self.eye
        depth = offset @ ahead
        across = np.stack([offset @ right, offset @ down], axis=1) * (
            self.focal / np.where(depth == 0, 1e-9, depth)[:, None]
        )
        middle = np.array([self.width / 2 + self.shift[0], self.height / 2 + self.shift[1]])
        return across + middle, depth

    def directions(self, places: np.ndarray) -> np.ndarray:
        """Unit rays [N, 3] through places [N, 2] of the picture."""
        right, down, ahead = self.axes()
        x = (places[:, :1] - self.width / 2 - self.shift[0]) / self.focal
        y = (places[:, 1:] - self.height / 2 - self.shift[1]) / self.focal
        rays = ahead + x * right + y * down
        return (rays / np.linalg.norm(rays, axis=1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True)
class Hits:
    """What rays met, one row a sample that met something."""

    sample: np.ndarray  # [S] index of the ray
    triangle: np.ndarray  # [S] of the scene
    piece: np.ndarray  # [S]
    position: np.ndarray  # [S, 3]
    normal: np.ndarray  # [S, 3] smooth, towards the eye
    toward: np.ndarray  # [S, 3] unit, to the eye
    chart: np.ndarray  # [S, 6]
    distance: np.ndarray  # [S]

    def where(self, chosen: np.ndarray) -> "Hits":
        return Hits(*[getattr(self, name)[chosen] for name in self.__dataclass_fields__])


class Scene:
    """Meshes in one bounding volume hierarchy."""

    def __init__(self, meshes: Sequence[Mesh], device: str | None = None) -> None:
        _start_warp()
        self.device = device or default_device()
        self.meshes = [with_normals(mesh) for mesh in meshes]
        starts = np.cumsum([0, *[len(mesh.vertices) for mesh in self.meshes]])
        self.names = [mesh.name for mesh in self.meshes]
        self.vertices = np.concatenate([mesh.vertices for mesh in self.meshes]).astype(np.float32)
        self.normals = np.concatenate([mesh.normals for mesh in self.meshes])
        self.chart = np.concatenate([mesh.chart for mesh in self.meshes]).astype(np.float32)
        self.triangles = np.concatenate(
            [mesh.triangles + start for mesh, start in zip(self.meshes, starts[:-1], strict=True)]
        ).astype(np.int32)
        self.piece = np.repeat(np.arange(len(meshes)), [len(mesh.triangles) for mesh in self.meshes]).astype(np.int16)
        self._points = wp.array(self.vertices, dtype=wp.vec3, device=self.device)
        self._indices = wp.array(self.triangles.ravel(), dtype=wp.int32, device=self.device)
        self._mesh = wp.Mesh(points=self._points, indices=self._indices)

    def cast(self, camera: Camera, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find what is seen at places [N, 2]: the triangle [N], -1 for none, and (u, v, distance) [N, 3]."""
        count = len(places)
        origin = np.broadcast_to(camera.eye.astype(np.float32), (count, 3))
        return self.trace(np.ascontiguousarray(origin), camera.directions(places))

    def trace(self, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Follow rays [N, 3] to the first triangle: its index [N] or -1, and (u, v, distance) [N, 3]."""
        count = len(origins)
        face = wp.empty(count, dtype=wp.int32, device=self.device)
        where = wp.empty(count, dtype=wp.vec3, device=self.device)
        rays = [wp.array(array, dtype=wp.vec3, device=self.device) for array in (origins, directions)]
        wp.launch(_first_hit, dim=count, inputs=[self._mesh.id, *rays, face, where], device=self.device)
        return face.numpy(), where.numpy()

    def hits(self, camera: Camera, places: np.ndarray, face: np.ndarray, where: np.ndarray) -> Hits:
        """Interpolate what `cast` found."""
        sample = np.flatnonzero(face >= 0)
        triangle = face[sample]
        u, v, distance = (where[sample, column, None] for column in range(3))
        corners = self.triangles[triangle]
        # warp's u and v weigh the first and the second corner

        def weigh(values: np.ndarray) -> np.ndarray:
            return values[corners[:, 0]] * u + values[corners[:, 1]] * v + values[corners[:, 2]] * (1 - u - v)

        ray = camera.directions(places[sample])
        normal = weigh(self.normals)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        behind = (normal * ray).sum(1) > 0
        normal[behind] -= 2.0 * (normal[behind] * ray[behind]).sum(1, keepdims=True) * ray[behind]
        position = (camera.eye + ray * distance).astype(np.float32)
        return Hits(sample, triangle, self.piece[triangle], position, normal, -ray, weigh(self.chart), distance[:, 0])

    def light(
        self, position: np.ndarray, normal: np.ndarray, towards: np.ndarray, spread: float, rays: int, seed: int
    ) -> np.ndarray:
        """Share of a distant light [S] that reaches points; `spread` is the light's radius over its distance."""
        return self._gather(_shadow, position, normal, [wp.vec3(*map(float, towards)), float(spread)], rays, seed)

    def openness(self, position: np.ndarray, normal: np.ndarray, reach: float, rays: int, seed: int) -> np.ndarray:
        """Share of the sky [S] over points that nothing nearer than `reach` metres covers."""
        return self._gather(_openness, position, normal, [float(reach)], rays, seed)

    def _gather(
        self, kernel: wp.Kernel, position: np.ndarray, normal: np.ndarray, extra: list, rays: int, seed: int
    ) -> np.ndarray:
        out = wp.empty(len(position), dtype=wp.float32, device=self.device)
        points = [wp.array(array.astype(np.float32), dtype=wp.vec3, device=self.device) for array in (position, normal)]
        inputs = [self._mesh.id, *points, *extra, int(rays), int(seed), out]
        wp.launch(kernel, dim=len(position), inputs=inputs, device=self.device)
        return out.numpy()


def default_device() -> str:
    """`cuda:0` where there is one, else `cpu`."""
    _start_warp()
    return "cuda:0" if wp.is_cuda_available() else "cpu"


@functools.cache
def _start_warp() -> None:
    with _native_code_silenced():  # without a GPU, every process would warn that there is none
        wp.init()


@contextmanager
def _native_code_silenced() -> Iterator[None]:
    """Discard what compiled code writes to standard error; Python's own errors are raised as ever."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@wp.kernel
def _first_hit(
    mesh: wp.uint64,
    origin: wp.array(dtype=wp.vec3),
    direction: wp.array(dtype=wp.vec3),
    face: wp.array(dtype=wp.int32),
    where: wp.array(dtype=wp.vec3),
):
    i = wp.tid()
    hit = wp.mesh_query_ray(mesh, origin[i], direction[i], FAR)
    if hit.result:
        face[i] = hit.face
        where[i] = wp.vec3(hit.u, hit.v, hit.t)
    else:
        face[i] = -1


@wp.kernel
def _shadow(
    mesh: wp.uint64,
    position: wp.array(dtype=wp.vec3),
    normal: wp.array(dtype=wp.vec3),
    towards: wp.vec3,
    spread: float,
    rays: int,
    seed: int,
    out: wp.array(dtype=wp.float32),
):
    i = wp.tid()
    state = wp.rand_init(seed, i)
    open_rays = float(0.0)  # noqa: UP018 (warp: a variable, not a constant)
    if wp.dot(normal[i], towards) > -0.15:
        origin = position[i] + normal[i] * LIFT
        for _ in range(rays):
            jitter = wp.sample_unit_sphere(state) * spread
            hit = wp.mesh_query_ray(mesh, origin, wp.normalize(towards + jitter), FAR)
            if not hit.result:
                open_rays += 1.0
    out[i] = open_rays / float(rays)


@wp.kernel
def _openness(
    mesh: wp.uint64,
    position: wp.array(dtype=wp.vec3),
    normal: wp.array(dtype=wp.vec3),
    reach: float,
    rays: int,
    seed: int,
    out: wp.array(dtype=wp.float32),
):
    i = wp.tid()
    state = wp.rand_init(seed, i)
    open_rays = float(0.0)  # noqa: UP018 (warp: a variable, not a constant)
    origin = position[i] + normal[i] * LIFT
    for _ in range(rays):
        aim = wp.normalize(normal[i] * 1.001 + wp.sample_unit_sphere_surface(state))
        hit = wp.mesh_query_ray(mesh, origin, aim, reach)
        if not hit.result:
            open_rays += 1.0
    out[i] = open_rays / float(rays)
