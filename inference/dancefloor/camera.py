"""Where a dance is seen from: a pinhole before the floor that follows the dancers smoothly and keeps their scale.

Axes are the motion's: y up, metres, the floor at y = 0. The camera stands towards +z, so that whoever faces +z faces it
and has the left hand at the picture's right.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FIELD = 26.0  # degrees from the picture's top to its bottom
EYE = 1.65  # metres over the floor
BELOW, ABOVE = 0.1, 0.24  # metres shown under the floor's edge before the dancers and over their highest joint
BESIDE = 0.16  # metres shown beside their outermost joint: a hand is longer than its joint
CALM = 0.8  # s over which the camera evens a dancer's way out
LEAST_HEIGHT = 1.9  # metres shown of however low a dance
NEAREST, FURTHEST = 1.3, 2.0  # metres from one dancer to the next
ALMOST = 99.5  # per cent of the moments that are kept whole; what is wrong in a single frame may leave the picture


@dataclass(frozen=True)
class Camera:
    """A pinhole: picture coordinates run right and down, in pixels."""

    eye: np.ndarray  # [3]
    target: np.ndarray  # [3]
    width: int
    height: int
    focal: float  # pixels

    def axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Unit vectors right, down, ahead."""
        ahead = self.target - self.eye
        ahead = ahead / np.linalg.norm(ahead)
        right = np.cross(ahead, [0.0, 1.0, 0.0])
        right = right / np.linalg.norm(right)
        return right, np.cross(ahead, right), ahead

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Place points [..., 3] in the picture [..., 2]; also their depths [...] in metres along the view."""
        right, down, ahead = self.axes()
        offset = points - self.eye
        depth = offset @ ahead
        across = np.stack([offset @ right, offset @ down], axis=-1)
        middle = np.array([self.width / 2, self.height / 2])
        return across * (self.focal / np.maximum(depth, 1e-6))[..., None] + middle, depth

    def floor(self) -> np.ndarray:
        """The map [3, 3] from places (x, z, 1) of the floor to the picture, up to scale."""
        right, down, ahead = self.axes()
        lens = np.array([[self.focal, 0, self.width / 2], [0, self.focal, self.height / 2], [0, 0, 1]])
        view = lens @ np.stack([right, down, ahead])
        return np.column_stack([view[:, 0], view[:, 2], -view @ self.eye])

    @property
    def horizon(self) -> float:
        """The row of the picture on which the floor ends, far away."""
        _, down, ahead = self.axes()
        return self.height / 2 - self.focal * ahead[1] / down[1]


def follow(positions: np.ndarray, width: int, height: int, fps: float, larger: float = 1.0) -> list[Camera]:
    """Give a camera for each frame of dancers' joints [D, T, J, 3]: one distance and height, following on the floor.

    `larger` is how many times larger what is drawn is than the skeleton.
    """
    roots = positions[:, :, 0].mean(0)  # [T, 3]
    way = np.stack([smoothed(roots[:, axis], CALM * fps) for axis in (0, 2)], axis=1)  # [T, 2]
    aside = np.abs(positions[..., 0] - way[:, 0, None])
    wide = 2 * (larger * np.percentile(aside.max((0, 2)), ALMOST) + BESIDE)
    top = max(LEAST_HEIGHT, larger * np.percentile(positions[..., 1].max((0, 2)), ALMOST) + ABOVE)
    focal = height / (2 * np.tan(np.radians(FIELD) / 2))
    near = np.percentile(
        (positions[..., 2] - way[:, 1, None]).max((0, 2)), ALMOST
    )  # those before the middle look larger
    distance = near + focal * max((top + BELOW) / height, wide / width)
    middle = (top - BELOW) / 2
    return [Camera(np.array([x, EYE, z + distance]), np.array([x, middle, z]), width, height, focal) for x, z in way]


def smoothed(values: np.ndarray, spread: float) -> np.ndarray:
    """Even a series [T] out by a Gaussian of so many frames; its ends are held."""
    reach = int(np.ceil(3 * spread))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / spread) ** 2)
    return np.convolve(np.pad(values, reach, mode="edge"), kernel / kernel.sum(), mode="valid")


def arranged(motions: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Turn dancers towards the camera, each about the origin.

    Each is its rotations [T, 24, 3, 3], local to the parent, and its root [T, 3]. They are turned by where they look
    in the mean, and moved so that the middle of where each dances is the origin.
    """
    return [_placed(*motion) for motion in motions]


def beside(positions: np.ndarray) -> np.ndarray:
    """Put dancers' joints [D, T, J, 3], each about the origin, side by side, far enough that hands seldom meet."""
    across = positions[..., 0]
    wide = across[:-1].max(2) - across[1:].min(2) + BESIDE  # [D - 1, T]: what a pair takes in each moment
    apart = np.clip(np.percentile(wide, ALMOST), NEAREST, FURTHEST) if len(wide) else 0.0
    moved = positions.copy()
    moved[..., 0] += ((np.arange(len(positions)) - (len(positions) - 1) / 2) * apart)[:, None, None]
    return moved


def _placed(matrices: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ahead = matrices[:, 0, :, 2].mean(0)  # where the pelvis' +z points
    steady = np.hypot(ahead[0], ahead[2]) > 0.15  # a dancer who spins all the time looks nowhere
    sin, cos = ahead[[0, 2]] / np.hypot(ahead[0], ahead[2]) if steady else (0.0, 1.0)
    turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    turned = matrices.copy()
    turned[:, 0] = turn @ matrices[:, 0]
    moved = root @ turn.T
    middle = (moved.min(0) + moved.max(0)) / 2
    return turned, moved - np.array([middle[0], 0.0, middle[2]])
