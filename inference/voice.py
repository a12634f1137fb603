"""What is to be said: heard once for its length and where somebody speaks, then again as the generator hears it."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from inference import audio
from inference.errors import UserError
from inference.media import MediaError

SPARE = ("corrupt", "truncated")  # what may be wrong with a sound that is played as far as it goes
SPEAKS = 0.4  # probability
LINGER = 5  # frames of 25 fps round speech in which every sound is heard: breath and the ends of words
LOUD = 0.01  # root mean square of a frame that is more than noise
LEAST = 0.1  # of what is loud must be speech, or the detector knows not what it hears
FRAME = audio.RATE // 25


@dataclass(frozen=True)
class Voice:
    """A sound file that was heard through. `gate` float32 [frames of 25 fps] is what its samples are weighed by."""

    path: Path
    samples: int
    speech: np.ndarray
    gate: np.ndarray | None
    note: str | None = None

    @property
    def seconds(self) -> Fraction:
        return Fraction(self.samples, audio.RATE)

    def frames(self, fps: Fraction) -> int:
        """Count the frames that last as long, to half a frame."""
        return max(1, round(self.seconds * fps))

    def loudest(self, fps: Fraction) -> int:
        """Choose a frame in which somebody speaks, for a preview."""
        return min(self.frames(fps) - 1, int(int(np.argmax(self.speech)) / 25 * fps)) if len(self.speech) else 0

    def windows(self, fps: Fraction, count: int, padding: audio.Padding, lead: int, first: int = 0) -> Iterator:
        """Give what the generator hears for each frame from the `first` on: float32 [80, 16] of the mel.

        It is heard from `lead` frames of 25 fps after the picture on. Nothing but a few seconds is held.
        """
        mel, start = np.zeros((audio.MELS, 0), np.float32), 0
        columns = self._columns(padding)
        for number in range(first, first + count):
            at = Fraction(number) * 25 / fps + lead
            begin = audio.column(at)
            while start + mel.shape[1] < begin + audio.WINDOW and (more := next(columns, None)) is not None:
                keep = max(0, min(begin - start, mel.shape[1]))
                mel, start = np.concatenate([mel[:, keep:], more], axis=1), start + keep
            yield audio.window(mel, at, first=start)

    def _columns(self, padding: audio.Padding) -> Iterator[np.ndarray]:
        stream, heard = audio.MelStream(padding), 0
        try:
            for block in audio.blocks(self.path):
                yield stream.push(self._gated(block, heard))
                heard += len(block)
        except MediaError as error:
            if error.reason not in SPARE or not heard:
                raise
        yield stream.finish()

    def _gated(self, block: np.ndarray, first: int) -> np.ndarray:
        if self.gate is None:
            return block
        at = (np.arange(first, first + len(block)) - FRAME / 2) / FRAME
        begin = min(max(0, first // FRAME - 1), len(self.gate) - 1)
        near = self.gate[begin : (first + len(block)) // FRAME + 2]
        return (block * np.interp(at - begin, np.arange(len(near)), near)).astype(np.float32)


def hear(path: Path, gate: bool = True, most_seconds: float = audio.MOST_SECONDS) -> Voice:
    """Hear a sound file through; with `gate` all but speech is silence to the generator, and the mouth closes.

    What cannot be heard is a `UserError` of one line.
    """
    stream = audio.SpeechStream()
    speech, loud, samples, note = [], _Loudness(), 0, None
    try:
        if not path.is_file():
            raise UserError(f"--audio {path} is no file: give a sound or a video with sound, or a folder of them")
        for block in audio.blocks(path, most_seconds=most_seconds):
            samples += len(block)
            if len(ready := stream.push(block)):
                speech.append(ready)
            loud.push(block)
    except MediaError as error:
        if error.reason not in SPARE or not samples:
            raise UserError(f"--audio {path}: {error} ({error.reason}): give a sound that somebody speaks in") from None
        note = f"{path.name}: {error}"
    if not samples:
        raise UserError(f"--audio {path}: a sound of 0 seconds (empty): give one that somebody speaks in")
    found = np.concatenate([*speech, stream.finish()])
    weights = gate_of(found, loud.levels()) if gate else None
    if gate and weights is None:
        note = note or f"{path.name}: no speech was recognised, so the mouth follows every sound in it"
    return Voice(path, samples, found, weights, note)


def gate_of(speech: np.ndarray, levels: np.ndarray) -> np.ndarray | None:
    """Weigh frames by whether somebody speaks at about that time; None where the detector does not know this voice."""
    speaks = speech >= SPEAKS
    if speaks.sum() < LEAST * (levels > LOUD).sum():
        return None
    near = np.convolve(speaks, np.ones(2 * LINGER + 1), mode="same") > 0 if len(speaks) > 2 * LINGER else speaks
    return near.astype(np.float32)


class _Loudness:
    """The root mean square of each frame of 25 fps, of sound that comes in pieces."""

    def __init__(self) -> None:
        self.found = array("f")  # many small pieces would weigh ten times what they hold
        self.pending = np.zeros(0, np.float32)

    def push(self, block: np.ndarray) -> None:
        self.pending = np.concatenate([self.pending, block])
        whole = len(self.pending) // FRAME * FRAME
        self.found.extend(np.sqrt(np.square(self.pending[:whole].reshape(-1, FRAME)).mean(1)).tolist())
        self.pending = self.pending[whole:]

    def levels(self) -> np.ndarray:
        return np.array(self.found)
