"""The sound that goes into a video: as it was recorded, at 48 kHz, in one or two channels, in time with the picture."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from inference.audio import FORMATS, JUMP, zero_of
from inference.errors import UserError, one_line
from inference.media import MediaError

try:
    import av
except ImportError:
    raise UserError("sound needs PyAV, which is not installed: `pip install av`") from None

RATE = 48_000
FLOATS = ("flt", "dbl")  # formats whose samples may be no numbers, which no encoder takes


class Soundtrack:
    """A file's sound, open for reading. `MediaError`: not-audio, no-audio."""

    rate = RATE

    def __init__(self, path: Path) -> None:
        try:
            # Not the bare path: what looks like an address would be fetched.
            self.container = av.open(f"file:{path}", options={"format_whitelist": FORMATS})
        except (av.error.FFmpegError, ValueError) as error:
            raise MediaError("not-audio", f"no sound that can be read: {one_line(error)}") from None
        self.stream = self.container.streams.best("audio")
        if self.stream is None or self.stream.codec_context is None:
            self.container.close()
            raise MediaError("no-audio", "holds no audio stream")
        self.stream.codec_context.thread_count = 1
        self.layout = "mono" if self.stream.codec_context.channels == 1 else "stereo"
        self.channels = 1 if self.layout == "mono" else 2
        self.given = 0  # samples
        self.skip = 0  # so many of the next ones were given already

    def close(self) -> None:
        self.container.close()

    def blocks(self) -> Iterator[np.ndarray]:
        """Give float32 [channels, n], in pieces of a second at most.

        Time zero is `audio.decode`'s: that of the file's first picture, where it shows any. What begins later is
        preceded by silence, and broken packets become silence.
        """
        zero, expected, resampler, known = zero_of(self.container, self.stream), None, None, None
        for frame in self._frames():
            time = expected if frame.pts is None else frame.pts * (frame.time_base or self.stream.time_base)
            time = zero or Fraction(0) if time is None else time
            zero = time if zero is None else zero
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)  # which may change in the middle
            if expected is None or kind != known or abs(time - expected) > JUMP:
                yield from self._resampled(resampler, None)
                resampler = av.AudioResampler("fltp", self.layout, RATE)
                expected, known = time, kind
                yield from self._silence(round((time - zero) * RATE))
                self.skip = max(0, self.given - round((time - zero) * RATE))
            expected += Fraction(frame.samples, frame.sample_rate)
            frame.pts = None  # the resampler counts for itself
            yield from self._resampled(resampler, frame)
        yield from self._resampled(resampler, None)

    def _frames(self) -> Iterator[av.AudioFrame]:
        try:
            for packet in self.container.demux(self.stream):
                try:
                    for frame in packet.decode():
                        if frame.format.name.startswith(FLOATS) and not np.isfinite(frame.to_ndarray()).all():
                            return  # nor is it heard any further
                        yield frame
                except (av.error.FFmpegError, ValueError):
                    continue  # its time passes in silence; whether that is too much, `audio.blocks` has said
        except (av.error.FFmpegError, ValueError):
            return

    def _silence(self, until: int) -> Iterator[np.ndarray]:
        while self.given < until:
            gap = min(RATE, until - self.given)
            self.given += gap
            yield np.zeros((self.channels, gap), np.float32)

    def _resampled(self, resampler: av.AudioResampler | None, frame: av.AudioFrame | None) -> Iterator[np.ndarray]:
        for resampled in resampler.resample(frame) if resampler else ():
            block = resampled.to_ndarray()
            kept = block[:, self.skip :]
            self.skip -= block.shape[1] - kept.shape[1]
            if kept.shape[1]:
                self.given += kept.shape[1]
                yield kept
