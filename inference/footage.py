"""What is to speak: a video or a still picture, as upright frames at one rate, back and forth where it is too short."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from inference import media, video
from inference.errors import UserError
from inference.media import MediaError

MAX_FILE_BYTES = 256 << 20  # of a still picture
MOST_STILL = 64_000_000  # pixels of one: telephones take 12 to 50 million, and a video has fewer
SPARE = ("corrupt", "truncated")  # what may be wrong with a video that is shown as far as it goes
BACKWARDS_BYTES = 96 << 20  # of frames that are held to be given in reverse


@dataclass
class Footage:
    """A video or a still, opened; `fps` is the rate of what is made of it."""

    path: Path
    width: int
    height: int
    fps: Fraction
    still: np.ndarray | None = None
    count: int | None = None  # of frames, as the header has it
    notes: list[str] = field(default_factory=list)  # what was wrong with it

    @property
    def frame_bytes(self) -> int:
        return self.width * self.height * 3

    def read(
        self, first: int = 0, count: int | None = None, step: int = 1, longest: int | None = None
    ) -> Iterator[np.ndarray]:
        """Give frames as `video.frames` does; a broken or shorter video ends where it ends, with a note."""
        if self.still is not None:
            yield self.still if longest is None else _shrunk(self.still, longest)
            return
        given = 0
        try:
            for picture in video.frames(self.path, self.fps, first=first, count=count, step=step, longest=longest):
                yield picture
                given += 1
        except MediaError as error:
            if error.reason not in SPARE or not (given or first):
                raise
            if str(error) not in self.notes:
                self.notes.append(str(error))

    def swing(self, there: int, wanted: int, first: int = 0) -> Iterator[tuple[int, np.ndarray]]:
        """Give `wanted` frames with their numbers, from the `first` on: 0, 1, ... there - 1, there - 2, ... 0, 1, ...

        Back and forth there is no jump; backwards, a piece at a time is decoded and given in reverse.
        """
        made = first
        while made < first + wanted:
            left = first + wanted - made
            number, forwards = bounce(made, there)
            if forwards:
                given = 0
                for given, picture in enumerate(self.read(number, min(left, there - number)), 1):
                    yield number + given - 1, picture
                if not given:
                    raise MediaError("corrupt", f"frame {number} was there before and is no longer")
                made += given
            else:
                piece = min(left, number, max(1, BACKWARDS_BYTES // self.frame_bytes))
                pictures = list(self.read(number - piece + 1, piece))
                if not pictures:
                    raise MediaError("corrupt", f"frame {number} was there before and is no longer")
                pictures += pictures[-1:] * (piece - len(pictures))  # of a broken video less may come behind a seek
                for back, picture in enumerate(reversed(pictures)):
                    yield number - back, picture
                made += piece


def bounce(made: int, there: int) -> tuple[int, bool]:
    """Tell which of `there` frames is shown as the `made`-th, back and forth, and whether the way is forwards.

    Both ends are shown once at a turn; the first frame belongs to the way forwards.
    """
    if there == 1:
        return 0, True
    at = made % (2 * (there - 1))
    return (at, True) if at < there else (2 * (there - 1) - at, False)


def load(path: Path, still_fps: int = video.FPS) -> Footage:
    """Open a picture or a video by what it is; what is neither is a `UserError` of one line."""
    try:
        if not path.is_file():
            raise UserError(f"--face {path} is no file: give a picture or a video, or a folder of them")
        with open(path, "rb") as stream:
            head = stream.read(4096)
        if any(name and pattern.match(head) for pattern, name, _ in media.SIGNATURES) and not head.startswith(b"GIF8"):
            return _still(path, still_fps)
        info = video.probe(path)
    except MediaError as error:
        raise UserError(f"--face {path}: {error} ({error.reason}): give a picture with a face, or a video") from None
    return Footage(path, info.width, info.height, info.rate, count=max(1, round(info.seconds * info.rate)))


def _still(path: Path, fps: int) -> Footage:
    if (size := path.stat().st_size) > MAX_FILE_BYTES:
        raise UserError(f"--face {path} has {size} bytes, more than the {MAX_FILE_BYTES} that a picture may have")
    image, notes = media.flatten(media.decode(path.read_bytes(), MOST_STILL)), []
    if (share := video.MOST_PIXELS / (image.width * image.height)) < 1:
        width, height = (max(1, int(side * share**0.5)) for side in image.size)
        notes.append(f"{path.name}: of its {image.width}x{image.height} pixels a video is made with {width}x{height}")
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    picture = np.array(image)
    picture.flags.writeable = False
    return Footage(path, picture.shape[1], picture.shape[0], Fraction(fps), picture, 1, notes)


def _shrunk(picture: np.ndarray, longest: int) -> np.ndarray:
    import cv2

    scale = longest / max(picture.shape[:2])
    if scale >= 1:
        return picture
    width, height = (max(1, round(side * scale)) for side in picture.shape[1::-1])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
