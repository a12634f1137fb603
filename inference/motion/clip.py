"""A piece of motion: what packs hold, networks make, and everything that draws or writes a dance reads."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch

from inference import npz
from inference.errors import UserError, one_line
from inference.motion import kinematics, rotations
from inference.motion.contacts import CONTACTS, contacts
from inference.motion.skeleton import JOINTS, MIRROR

FPS = 30
VECTOR = len(CONTACTS) + 3 + 6 * len(JOINTS)  # 151, in this order
MOST_FRAMES = 3600 * 60

_CONTACTS_MIRROR = [2, 3, 0, 1]
_ROOT_MIRROR = np.array([-1, 1, 1], np.float32)
# diag(-1, 1, 1) R diag(-1, 1, 1), of whose first two columns these are the signs.
_SIXD_MIRROR = np.array([1, -1, -1, -1, 1, 1], np.float32)


@dataclass(frozen=True)
class Motion:
    """Rotations, root and contacts of the canonical skeleton, frame by frame; the floor is at y = 0.

    What is not of these shapes, is empty or is not finite raises a UserError.
    """

    rotations: np.ndarray  # float32 [T, 24, 6]: local, the first two columns of each matrix
    root: np.ndarray  # float32 [T, 3]: the pelvis, in metres
    contacts: np.ndarray  # float32 [T, 4]: 1 where that joint of CONTACTS stands, 0 where it does not
    fps: int = FPS

    def __post_init__(self) -> None:
        frames = len(self.root)
        shapes = {"rotations": (frames, len(JOINTS), 6), "root": (frames, 3), "contacts": (frames, len(CONTACTS))}
        if not 0 < frames <= MOST_FRAMES:
            raise UserError(f"the motion has {frames} frames; from 1 to {MOST_FRAMES} can be worked with")
        if not 0 < self.fps <= 240:
            raise UserError(f"the motion runs at {self.fps} frames a second; from 1 to 240 can be worked with")
        for name, shape in shapes.items():
            array = np.ascontiguousarray(getattr(self, name), np.float32)
            if array.shape != shape:
                raise UserError(f"the motion's {name} are {list(array.shape)}, expected {list(shape)}")
            broken = ~np.isfinite(array.reshape(frames, -1)).all(1)
            if broken.any():
                raise UserError(f"the motion's {name} are not finite from frame {int(broken.argmax())} on")
            object.__setattr__(self, name, array)

    @classmethod
    def from_matrices(
        cls, matrices: np.ndarray, root: np.ndarray, fps: int = FPS, standing: np.ndarray | None = None
    ) -> Self:
        """Build a motion of local rotations [T, 24, 3, 3] and the pelvis [T, 3]; contacts are found unless given."""
        turned = torch.tensor(np.asarray(matrices, np.float32))
        if standing is None:
            placed = kinematics.forward(turned, torch.tensor(np.asarray(root, np.float32)))
            standing = contacts(placed.numpy(), fps)
        return cls(rotations.sixd_from_matrix(turned).numpy(), root, standing, fps)

    @classmethod
    def from_vector(cls, vector: np.ndarray, fps: int = FPS) -> Self:
        """Build a motion of [T, 151] as a network makes them: rotations are made whole, contacts held in [0, 1]."""
        standing, root, sixd = np.split(np.asarray(vector, np.float32), (len(CONTACTS), len(CONTACTS) + 3), 1)
        matrices = rotations.matrix_from_6d(torch.as_tensor(sixd.reshape(len(sixd), len(JOINTS), 6)))
        return cls.from_matrices(matrices.numpy(), root, fps, standing.clip(0, 1))

    def to_vector(self) -> np.ndarray:
        """Join contacts, root and rotations, float32 [T, 151]."""
        return np.concatenate((self.contacts, self.root, self.rotations.reshape(len(self), -1)), 1)

    def __len__(self) -> int:
        return len(self.root)

    @property
    def seconds(self) -> float:
        return len(self) / self.fps

    def matrices(self) -> np.ndarray:
        """Give the local rotations as float32 [T, 24, 3, 3]."""
        return rotations.matrix_from_6d(torch.tensor(self.rotations)).numpy()

    def positions(self) -> np.ndarray:
        """Give where the joints are in metres, float32 [T, 24, 3]."""
        return kinematics.forward(torch.from_numpy(self.matrices()), torch.tensor(self.root)).numpy()

    def slice(self, first: int, end: int | None = None) -> Self:
        """Cut out the frames from `first` up to, without, `end`."""
        return type(self)(self.rotations[first:end], self.root[first:end], self.contacts[first:end], self.fps)

    def mirrored(self) -> Self:
        """Dance it as a mirror shows it: left for right, x for -x."""
        return type(self)(
            self.rotations[:, MIRROR] * _SIXD_MIRROR,
            self.root * _ROOT_MIRROR,
            self.contacts[:, _CONTACTS_MIRROR],
            self.fps,
        )

    def resampled(self, fps: int) -> Self:
        """Run at another rate: rotations turn by the shorter way, the root goes straight, contacts are the nearest.

        The first frame stays the first; no frame lies after the last. Frames that fall together are kept as they are.
        """
        if fps == self.fps:
            return self
        times = np.arange((len(self) - 1) * fps // self.fps + 1) * self.fps / fps  # in frames of this motion
        below = np.minimum(times.astype(int), len(self) - 1)
        above = np.minimum(below + 1, len(self) - 1)
        share = (times - below).astype(np.float32)
        turned = torch.from_numpy(self.matrices())
        quaternions = rotations.quaternion_from_matrix(turned)
        shares = torch.from_numpy(share)[:, None].expand(-1, len(JOINTS))
        between = rotations.matrix_from_quaternion(rotations.slerp(quaternions[below], quaternions[above], shares))
        exact = torch.from_numpy(share == 0)[:, None, None, None]
        matrices = torch.where(exact, turned[below], between)
        root = self.root[below] + share[:, None] * (self.root[above] - self.root[below])
        nearest = np.where(share < 0.5, below, above)
        return type(self).from_matrices(matrices.numpy(), root, fps, self.contacts[nearest])

    def save(self, path: Path) -> None:
        """Write an .npz of rotations, root, contacts and fps."""
        with path.open("wb") as file:  # given a name, numpy would add a suffix of its own
            np.savez_compressed(
                file, rotations=self.rotations, root=self.root, contacts=self.contacts, fps=np.int64(self.fps)
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; anything else, and what would unpack to more than an hour, raises a UserError."""
        most = MOST_FRAMES * VECTOR * 8
        try:
            with npz.opened(path, most, "motion") as arrays:
                return cls(arrays["rotations"], arrays["root"], arrays["contacts"], int(arrays["fps"]))
        except KeyError as error:
            raise UserError(f"{path}: no motion: {one_line(error)}; expected rotations, root, contacts, fps") from error
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise UserError(f"{path}: not a motion of this program: {one_line(error)}") from error
        except UserError as error:
            raise UserError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error
