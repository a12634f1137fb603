"""A shadow map: how far from a distant light the nearest of a mesh lies, and what lies behind it.

V vertices, T triangles, N pixels a side of the map.
"""

import numpy as np
import warp as wp

from inference.figure.raster import FAR, fill
from inference.figure.rays import default_device

BIAS = 0.022  # metres that a place may lie behind what hides it: a cloth does not shade itself


class ShadowMap:
    """A square of so many metres, seen from a light far away in the direction `towards` [3] (z is up)."""

    def __init__(self, towards: np.ndarray, metres: float, pixels: int) -> None:
        default_device()  # starts warp
        away = -towards / np.linalg.norm(towards)
        right = np.cross(away, [0.0, 0.0, 1.0])
        right = right / np.linalg.norm(right)
        self.frame = np.stack([right, np.cross(away, right), away])  # [3, 3]: across, down, away from the light
        self.metres, self.pixels = metres, pixels
        kinds = (wp.float32, wp.int32, wp.vec2)  # what a raster keeps; only depth is asked for
        self._depth, self._face, self._share = (wp.zeros((pixels, pixels), dtype=kind, device="cpu") for kind in kinds)

    def places(self, points: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Pixels and metres of depth [..., 3] of points [..., 3] in a map about a centre [3]."""
        seen = (points - centre) @ self.frame.T
        seen[..., :2] = seen[..., :2] * (self.pixels / self.metres) + self.pixels / 2
        return seen

    def throw(self, vertices: np.ndarray, triangles: wp.array, centre: np.ndarray) -> np.ndarray:
        """Draw the map of vertices [V, 3] about a centre; gives the light [V] that reaches each, 0 to 1."""
        seen = wp.array(np.ascontiguousarray(self.places(vertices, centre), np.float32), dtype=wp.vec3, device="cpu")
        light = wp.zeros(len(vertices), dtype=wp.float32, device="cpu")
        self._depth.fill_(FAR)
        buffers = [self._depth, self._face, self._share]
        wp.launch(fill, dim=1, inputs=[seen, triangles, -FAR, *buffers], device="cpu")
        wp.launch(_reach, dim=len(vertices), inputs=[seen, self._depth, light], device="cpu")
        return light.numpy()

    def silhouette(self) -> np.ndarray:
        """Where the last map was hit: uint8 [N, N], 0 or 255."""
        return np.where(self._depth.numpy() < 0.5 * FAR, 255, 0).astype(np.uint8)


@wp.kernel
def _reach(seen: wp.array(dtype=wp.vec3), depth: wp.array2d(dtype=wp.float32), light: wp.array(dtype=wp.float32)):
    v = wp.tid()
    rows = depth.shape[0]
    columns = depth.shape[1]
    place = seen[v]
    total = float(0.0)  # noqa: UP018 (warp: a variable, not a constant)
    for down in range(-1, 2):
        for across in range(-1, 2):
            y = wp.clamp(int(wp.floor(place[1])) + down, 0, rows - 1)
            x = wp.clamp(int(wp.floor(place[0])) + across, 0, columns - 1)
            if place[2] < depth[y, x] + BIAS:
                total += 1.0
    light[v] = total / 9.0
