"""Have a face say a sound: decode, draw mouths in batches, lay them in, in a chain of threads with bounded queues.

    take = plan(load("portrait.png"), hear(Path("speech.wav")), bundle)
    for picture in take.pictures(): ...

The speaker's box in every frame is found beforehand (`prepared`); of the footage itself only a few frames are held at a
time, however long it is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import cv2
import numpy as np

from inference import paste, tracks
from inference.ahead import ahead
from inference.errors import UserError
from inference.footage import Footage
from inference.mouths import Drawer
from inference.prepared import Prepared
from inference.voice import Voice

REFERENCES = ("rest", "same")
BATCH = 16
ALIVE_BYTES = 320 << 20  # of frames on their way at a time
STAGES = 5  # batches on their way: decoded, waiting, drawn, waiting, laid in
CHANGE = 1.2  # times as unlike a frame as the best: until then a reference stays, that nothing flickers


@dataclass(frozen=True)
class Hearing:
    """How the generator was taught to listen: `lead` frames of 25 fps after the picture, its mel padded so."""

    padding: str = "reflect"
    lead: int = 0

    @classmethod
    def of(cls, manifest: dict[str, Any], compat: bool = False) -> "Hearing":
        """Read a bundle's manifest; with `compat` the lead is left out, as Wav2Lip's own inference does.

        There the mouth is a frame ahead of what it was trained to say.
        """
        return cls(manifest["mel"]["padding"], 0 if compat else manifest["mel"].get("lead", 0))


@dataclass
class _Shot:
    """A frame on its way: its number, and where there is a face, what is cut out of it and then drawn."""

    made: int
    picture: np.ndarray
    mel: np.ndarray
    box: tracks.Box | None = None
    target: np.ndarray | None = None
    reference: np.ndarray | None = None
    drawn: np.ndarray | None = None


class _Resting:
    """Those who speak, with their mouths at rest: of each the picture whose upper half is most like a frame's."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared, self.last = prepared, -1
        self.uppers = [_upper(picture) for picture in prepared.rest]

    def like(self, number: int, target: np.ndarray) -> np.ndarray:
        own = np.flatnonzero(self.prepared.whose == self.prepared.owner[number])
        upper = _upper(target)
        apart = {int(index): float(np.abs(self.uppers[index] - upper).mean()) for index in own}
        best = min(apart, key=apart.get)
        if apart.get(self.last, np.inf) > CHANGE * apart[best]:
            self.last = best
        return self.prepared.rest[self.last]


def _upper(picture: np.ndarray) -> np.ndarray:
    """Shrink the upper half of a face, which no mouth moves: float32 [12, 24, 3]."""
    return cv2.resize(picture[: len(picture) // 2], (24, 12), interpolation=cv2.INTER_AREA).astype(np.float32)


@dataclass
class Take:
    """One face that says one sound; `missed` grows with the numbers of frames without a face, which pass unchanged."""

    footage: Footage
    prepared: Prepared
    voice: Voice
    draw: Drawer
    hearing: Hearing = Hearing()
    reference: str = "rest"
    missed: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.reference not in REFERENCES:
            raise UserError(f"--reference {self.reference!r} must be {' or '.join(REFERENCES)}")

    @property
    def frames(self) -> int:
        return self.voice.frames(self.footage.fps)

    @property
    def batch(self) -> int:
        """As many frames as are drawn at a time: fewer of large ones."""
        return max(1, min(BATCH, ALIVE_BYTES // (STAGES * self.footage.frame_bytes)))

    def pictures(self, first: int = 0, count: int | None = None) -> Iterator[np.ndarray]:
        """Give the frames, finished, in order: uint8 HxWx3."""
        count = self.frames - first if count is None else count
        shots = ahead(self._shots(first, count), self.batch)
        for shot in ahead(self._drawn(shots), self.batch):
            if shot.drawn is None:
                self.missed.append(shot.made)
                yield shot.picture
            else:
                yield paste.paste(shot.picture, shot.box, shot.target, shot.drawn)

    def _shots(self, first: int, count: int) -> Iterator[_Shot]:
        """Decode, and cut the faces out."""
        mels = self.voice.windows(self.footage.fps, count, self.hearing.padding, self.hearing.lead, first)
        shown, resting = self.footage.swing(len(self.prepared), count, first), _Resting(self.prepared)
        for made, ((number, picture), mel) in enumerate(zip(shown, mels, strict=True), first):
            shot = _Shot(made, picture, mel)
            if (box := self.prepared.box(number)) is not None:
                shot.box, shot.target = box, tracks.crop(picture, box)
                shot.reference = shot.target if self.reference == "same" else resting.like(number, shot.target)
            yield shot

    def _drawn(self, shots: Iterable[_Shot]) -> Iterator[_Shot]:
        """Draw the mouths of a batch at a time; the last batch is filled up, for a network of one shape is faster."""
        shots = iter(shots)
        while batch := list(islice(shots, self.batch)):
            faces = [shot for shot in batch if shot.target is not None]
            if faces:
                full = faces + faces[-1:] * (self.batch - len(faces))
                parts = ([getattr(shot, name) for shot in full] for name in ("mel", "target", "reference"))
                drawn = self.draw(*map(np.stack, parts))
                for shot, face in zip(faces, drawn, strict=False):
                    shot.drawn = face
            while batch:
                yield batch.pop(0)  # whoever takes it holds it alone


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Put rising numbers together as ranges, both ends included."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found
