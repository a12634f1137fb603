"""Find frames in which somebody's mouth is at rest: the generator is shown them, so that no mouth leaks through."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from inference import audio, tracks
from inference.faces import Face
from inference.footage import Footage
from inference.media import MediaError

# The mouth in the framing's box, in its width and height.
MOUTH = (0.28, 0.64, 0.72, 0.90)
PATCH = 32  # pixels
SPEAKING = 0.6  # what a frame in which somebody surely speaks is counted worse by: most of what contrasts differ by
TURNED = 1.5  # and one whose head is turned away from its mean by a tenth of the face's width
QUIETEST = 0.35  # of the frames looked at: in these the mouth counts as at rest
APART = 0.02  # of the face's width: poses nearer to each other than that are one


@dataclass(frozen=True)
class Look:
    """How a face looked in one frame: the contrast of its mouth, and the nose's place between eyes and mouth."""

    frame: int
    contrast: float
    pose: tuple[float, float]


@dataclass
class Looks:
    """The looks of every track, in the frames that were looked at."""

    of: dict[int, list[Look]] = field(default_factory=dict)

    def take(self, frame: int, picture: np.ndarray, faces: list[Face], found: list[tracks.Track]) -> None:
        """Note the faces that tracks go on with in this frame."""
        byframe = {tracks.framing(face): face for face in faces}
        for index in range(len(found) - 1, -1, -1):
            track = found[index]
            if track.end == frame + 1 and track.boxes[-1] in byframe:
                face = byframe[track.boxes[-1]]
                look = Look(frame, contrast(picture, track.boxes[-1]), pose(face))
                self.of.setdefault(index, []).append(look)

    def quietest(self, track: int, there: np.ndarray, speech: np.ndarray | None, fps: float, most: int) -> list[int]:
        """Choose frames whose mouth is at rest, at most so many, among those in which the track is shown.

        A proxy: an open mouth shows dark and teeth, a closed one little of either; who is silent has it closed. The
        first is of the head as it is held on the whole, each other one of a pose far from those before it.
        """
        shown = set(there.tolist())
        looks = [look for look in self.of.get(track, []) if look.frame in shown]
        if not looks:
            return [int(there[0])]
        poses = np.array([look.pose for look in looks])
        away = np.abs(poses - np.median(poses, axis=0)).max(axis=1)
        open_ = np.array([look.contrast for look in looks])
        loud = np.array([_speaks(speech, look.frame / fps) for look in looks])
        moved = open_ + SPEAKING * loud
        chosen = [int(np.argmin(moved + TURNED * away))]
        resting = np.flatnonzero(moved <= max(moved[chosen[0]], np.quantile(moved, QUIETEST)))
        while len(chosen) < most:
            apart = np.abs(poses[resting][:, None] - poses[chosen]).max(2).min(1)
            if apart.max() < APART:
                break
            chosen.append(int(resting[np.argmax(apart)]))
        return [looks[index].frame for index in chosen]


def contrast(picture: np.ndarray, box: tracks.Box) -> float:
    """Measure how much dark and light lies between the lips, as a share of the skin's brightness."""
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    mouth = (x0 + MOUTH[0] * width, y0 + MOUTH[1] * height, x0 + MOUTH[2] * width, y0 + MOUTH[3] * height)
    patch = cv2.cvtColor(tracks.crop(picture, mouth, PATCH), cv2.COLOR_RGB2GRAY).astype(np.float32)
    dark, skin, light = np.percentile(patch, [4, 50, 97])
    return float((light - dark) / max(skin, 16.0))


def pose(face: Face) -> tuple[float, float]:
    """Give the nose's place relative to the middle of eyes and mouth, in the box's width and height."""
    right, left, nose, *mouth = np.array(face.landmarks)
    middle = (right + left + mouth[0] + mouth[1]) / 4
    width, height = face.box[2] - face.box[0], face.box[3] - face.box[1]
    return float((nose[0] - middle[0]) / max(width, 1.0)), float((nose[1] - middle[1]) / max(height, 1.0))


def speech_of(footage: Footage, frames: int) -> np.ndarray | None:
    """Tell where somebody speaks in the sound of a video's first frames: a probability for each frame of 25 fps.

    None without sound.
    """
    if footage.still is not None:
        return None
    stream, found, heard = audio.SpeechStream(), [], False
    try:
        for block in audio.blocks(footage.path, seconds=float(frames / footage.fps)):
            heard = True
            if len(ready := stream.push(block)):
                found.append(ready)
    except MediaError:
        if not heard:
            return None  # no sound, or none that can be read: what is seen has to do
    return np.concatenate([*found, stream.finish()]) if heard else None


def _speaks(speech: np.ndarray | None, time: float) -> float:
    if speech is None or not len(speech):
        return 0.0
    at = min(int(time * 25), len(speech) - 1)
    return float(speech[max(0, at - 3) : at + 4].max())
