"""Dances as moving pictures: dancers side by side as sticks, as pose pictures or as people, beside their song.

film = Film([motion, other], "figure", 1280, 720)
with Writer(path, film.width, film.height, film.fps, Excerpt(Soundtrack(song), film.seconds)) as writer:
    for picture in film.pictures():
        writer.write(picture)
"""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch

from inference.dancefloor import openpose, skeleton
from inference.dancefloor.camera import arranged, beside, follow
from inference.dancefloor.floor import NIGHT, PLACES, Floor
from inference.errors import UserError
from inference.motion import kinematics
from inference.motion.clip import Motion
from inference.motion.skeleton import INDEX

if TYPE_CHECKING:
    from inference.soundtrack import Soundtrack

RENDERS = ("skeleton", "openpose", "figure")
Draw = Callable[[int], np.ndarray]
AHEAD = 3  # frames
LARGER = 1.1  # times the skeleton: how tall people are
ALONE, TOGETHER = (720, 720), (1280, 720)  # pixels of a film of one, and of several


class Film:
    """Motions of one length and rate, seen by one camera that follows them; frames are drawn as they are asked for."""

    def __init__(
        self, motions: Sequence[Motion], render: str, width: int, height: int, looks: Sequence[int] | None = None
    ) -> None:
        if render not in RENDERS:
            raise UserError(f"--render {render!r} must be {', '.join(RENDERS[:-1])} or {RENDERS[-1]}")
        if len({(len(motion), motion.fps) for motion in motions}) != 1:
            raise ValueError("dancers of one film dance for one time, at one rate")
        self.render, self.width, self.height = render, width & ~1, height & ~1
        self.fps = Fraction(motions[0].fps)
        self.looks = list(looks) if looks is not None else list(range(len(motions)))
        placed = arranged([(motion.matrices(), motion.root) for motion in motions])
        found = [kinematics.pose(*(torch.from_numpy(np.float32(part)) for part in each)) for each in placed]
        self.turned = np.stack([turned.numpy() for turned, _ in found])  # [D, T, 24, 3, 3] in the world
        self.positions = beside(np.stack([positions.numpy() for _, positions in found]))  # [D, T, 24, 3]
        larger = LARGER if render == "figure" else 1.0
        self.cameras = follow(self.positions, self.width, self.height, float(self.fps), larger)

    @property
    def frames(self) -> int:
        return len(self.cameras)

    @property
    def seconds(self) -> Fraction:
        return self.frames / self.fps

    def pictures(self) -> Iterator[np.ndarray]:
        """Give the frames, uint8 [H, W, 3]."""
        if self.render == "figure":
            yield from self._people()
            return
        draw = self._sticks() if self.render == "skeleton" else self._poses()
        for frame in range(self.frames):
            yield draw(frame)

    def _sticks(self) -> Draw:
        floor = Floor(NIGHT, self.cameras[0])
        return lambda frame: skeleton.draw(self.positions[:, frame], self.cameras[frame], floor)

    def _poses(self) -> Draw:
        head = INDEX["head"]

        def draw(frame: int) -> np.ndarray:
            dancers = zip(self.positions[:, frame], self.turned[:, frame, head], strict=True)
            points = [openpose.of_joints(joints, turn, self.cameras[frame]) for joints, turn in dancers]
            return openpose.draw(np.stack(points), self.width, self.height)

        return draw

    def _people(self) -> Iterator[np.ndarray]:
        """Half of a frame's work is done in a thread of its own, a few frames ahead."""
        from inference.ahead import ahead
        from inference.dancefloor.ensemble import Ensemble

        ensemble = Ensemble(self.looks, Floor(PLACES[self.looks[0] % len(PLACES)], self.cameras[0]))
        moments = zip(self.turned.swapaxes(0, 1), self.positions.swapaxes(0, 1), self.cameras, strict=True)
        for ready in ahead((ensemble.ready(*moment) for moment in moments), AHEAD):
            yield ensemble.painted(ready)


class Excerpt:
    """The beginning of a soundtrack, so many seconds of it; what is shorter is not made longer."""

    def __init__(self, sound: "Soundtrack", seconds: Fraction) -> None:
        self.sound, self.rate, self.layout, self.channels = sound, sound.rate, sound.layout, sound.channels
        self.samples = round(seconds * sound.rate)

    def blocks(self) -> Iterator[np.ndarray]:
        """Give float32 [channels, n]."""
        left = self.samples
        for block in self.sound.blocks():
            yield block[:, :left]
            left -= block.shape[1]
            if left <= 0:
                return
