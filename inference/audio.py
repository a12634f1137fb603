"""Sound: decoded to 16 kHz mono, as the mel spectrogram that Wav2Lip hears, and where somebody speaks in it.

Each comes whole and in a stream (`blocks`, `MelStream`, `SpeechStream`), which gives the same numbers to the bit.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime

from inference import weights
from inference.errors import UserError, one_line
from inference.media import MediaError

try:
    import av
except ImportError:
    raise UserError("sound needs PyAV, which is not installed: `pip install av`") from None

RATE = 16_000
MEL_RATE = 80  # columns of the mel a second
MELS = 80
WINDOW = 16  # columns that a network hears at once: 200 ms, five frames at 25 fps
SILENCE = -4.0

MOST_SECONDS = 4 * 3600.0
JUMP = Fraction(3, 100)  # s; what timestamps may disagree with the count of samples before the timestamps are followed
SEEK_FROM, SEEK_AHEAD = 10, 1  # s
FEW_BROKEN = 3  # packets, as the tags that some MP3 files end with; more than a fiftieth of all is damage
# Containers that hold their own bytes; none of the lists that send a reader to other files and addresses.
FORMATS = (
    "mov,matroska,webm,avi,mpeg,mpegts,flv,ogg,asf,wav,w64,rf64,aiff,au,caf,mp3,aac,ac3,eac3,amr,amrnb,amrwb,"
    "flac,wv,ape,tta"
)
EXACT = {"mov", "wav", "w64", "flac", "aiff", "avi"}  # whose headers know how long they last, and which seek exactly

Padding = Literal["reflect", "constant"]


# -- decoding ----------------------------------------------------------------------------------------------------------


def decode(
    path: Path,
    start: float = 0.0,
    seconds: float | None = None,
    most_seconds: float = MOST_SECONDS,
    rate: int = RATE,
) -> np.ndarray:
    """Decode `seconds` of sound from `start` on to float32 [n], at `rate`, in [-1, 1], the mean of all channels.

    Time zero is that of the file's first picture, or of its first sound where it shows none: what begins later is
    preceded by silence. Raises `MediaError`: empty, not-audio, no-audio, truncated, corrupt, too-long.
    """
    found = list(blocks(path, start, seconds, most_seconds, rate))
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def blocks(
    path: Path,
    start: float = 0.0,
    seconds: float | None = None,
    most_seconds: float = MOST_SECONDS,
    rate: int = RATE,
) -> Iterator[np.ndarray]:
    """Give what `decode` gives in pieces of a second at most, in bounded memory.

    What decodes is given before truncated, corrupt or too-long is raised. A few broken packets become silence.
    """
    if path.stat().st_size == 0:
        raise MediaError("empty", "an empty file")
    most = round((most_seconds if seconds is None else min(seconds, most_seconds)) * rate)
    with _open(path) as container:
        reader = _Reader(container, Fraction(start), rate)
        left = most
        for block in _cut(reader.samples(), rate):
            if not np.isfinite(block).all():
                raise MediaError("corrupt", "samples that are no numbers")
            if left:
                yield block[:left].clip(-1, 1)
            left -= min(left, len(block))
            if not left and (seconds is not None and seconds <= most_seconds):
                return
            if not left:
                raise MediaError("too-long", f"more than {most_seconds:.0f} s of sound")
        reader.check_whole()


def _open(path: Path) -> av.container.InputContainer:
    try:
        # Not the bare path: what looks like an address would be fetched.
        return av.open(f"file:{path}", options={"format_whitelist": FORMATS})
    except (av.error.FFmpegError, ValueError) as error:
        with open(path, "rb") as stream:
            reason = "truncated" if stream.read(8)[4:] == b"ftyp" else "not-audio"
        raise MediaError(reason, f"no container that can be read: {one_line(error)}") from None


def zero_of(container: av.container.InputContainer, sound: av.AudioStream) -> Fraction | None:
    """Find time zero on the container's clock: of its first picture, else of its sound; None means the first sound."""
    covers = av.stream.Disposition.attached_pic
    pictures = [stream for stream in container.streams.video if not stream.disposition & covers]
    stream = pictures[0] if pictures else sound
    return None if stream.start_time is None else stream.start_time * stream.time_base


def _cut(pieces: Iterable[np.ndarray], most: int) -> Iterator[np.ndarray]:
    for piece in pieces:
        for first in range(0, len(piece), most):
            yield piece[first : first + most]


class _Reader:
    """The sound of an open container, laid on a grid of one rate by its timestamps."""

    def __init__(self, container: av.container.InputContainer, start: Fraction, rate: int) -> None:
        sounds = container.streams.audio
        if not len(container.streams):
            raise MediaError("truncated", "a header that names no streams")
        if not sounds:
            raise MediaError("no-audio", "holds no audio stream")
        self.container = container
        self.stream = container.streams.best("audio") or sounds[0]
        if self.stream.codec_context is None:
            raise MediaError("not-audio", "an audio codec that nothing here decodes")
        self.stream.codec_context.thread_count = 1
        self.start = start
        self.rate = rate
        self.zero = zero_of(container, self.stream)
        self.packets = self.broken = 0
        self.position = 0  # of the next sample to give, on the grid
        self.skip = 0  # so many of the next samples lie before it
        self.heard = False
        self.ends: Fraction | None = None  # on the stream's clock
        self.resampler: av.AudioResampler | None = None
        self.kind: tuple[str, str, int] | None = None

    @property
    def exact(self) -> bool:
        return not EXACT.isdisjoint(self.container.format.name.split(","))

    def samples(self) -> Iterator[np.ndarray]:
        """Give float32 samples from `start` on, gaps filled with silence."""
        if self.zero is not None and self.start > SEEK_FROM and self.exact:
            ahead = (self.zero + self.start - SEEK_AHEAD) / self.stream.time_base
            self.container.seek(int(ahead), stream=self.stream, backward=True)
        for frame in self._decoded():
            base = frame.time_base or self.stream.time_base
            time = self.ends if frame.pts is None or base is None else frame.pts * base
            if time is None:
                time = self.zero or Fraction(0)
            if self.zero is None:
                self.zero = time
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)
            if self.ends is None or kind != self.kind or abs(time - self.ends) > JUMP:
                yield from self._finish_run()
                yield from self._begin_run(time, kind)
            self.ends += Fraction(frame.samples, frame.sample_rate)
            frame.pts = None  # the run counts its samples itself
            yield from self._resampled(frame)
        yield from self._finish_run()

    def _begin_run(self, time: Fraction, kind: tuple[str, str, int]) -> Iterator[np.ndarray]:
        """Start to resample at a time of the stream's: silence up to there, or skip what overlaps."""
        self.ends, self.kind = time, kind
        self.resampler = av.AudioResampler("fltp", rate=self.rate)
        there = round((time - self.zero - self.start) * self.rate)
        self.skip = max(0, self.position - there)
        while self.position < there:
            gap = min(self.rate, there - self.position)
            self.position += gap
            yield np.zeros(gap, np.float32)

    def _finish_run(self) -> Iterator[np.ndarray]:
        if self.resampler:
            yield from self._resampled(None)

    def _resampled(self, frame: av.AudioFrame | None) -> Iterator[np.ndarray]:
        for resampled in self.resampler.resample(frame):
            samples = resampled.to_ndarray().mean(axis=0)  # libswresample's own mono is louder by 3 dB
            kept = samples[self.skip :]
            self.skip -= len(samples) - len(kept)
            if len(kept):
                self.heard = True
                self.position += len(kept)
                yield kept

    def _decoded(self) -> Iterator[av.AudioFrame]:
        try:
            for packet in self.container.demux(self.stream):
                self.packets += 1
                try:
                    yield from packet.decode()
                except (av.error.FFmpegError, ValueError):
                    self.broken += 1
        except (av.error.FFmpegError, ValueError) as error:  # the container itself: nothing can be read behind it
            raise MediaError("corrupt", f"cannot be read on: {one_line(error)}") from None

    def check_whole(self) -> None:
        """Raise for what was missing: after the last sample."""
        if self.broken > max(FEW_BROKEN, self.packets // 50) or (self.broken and self.ends is None):
            raise MediaError("corrupt", f"{self.broken} of its {self.packets} packets cannot be decoded")
        if self.exact and self.stream.duration and self.stream.start_time is not None:
            whole = (self.stream.start_time + self.stream.duration) * self.stream.time_base
            reached = self.ends or Fraction(0)
            if whole - reached > max(1, whole / 50):
                raise MediaError("truncated", f"ends after {float(reached):.1f} of {float(whole):.1f} s")
        if not self.heard:
            raise MediaError("empty", f"no sound in it from {float(self.start):g} s on")


# -- the mel spectrogram -----------------------------------------------------------------------------------------------

FFT, HOP = 800, RATE // MEL_RATE
LOWEST, HIGHEST = 55.0, 7600.0  # Hz
EMPHASIS = 0.97
BLOCK = 256  # columns computed at a time: always so many, so that the last bit does not depend on how sound arrives
HANN = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)


class MelStream:
    """Compute the mel spectrogram of sound that comes in pieces: `push` each, then `finish`.

    Columns are centred on multiples of 200 samples, and the ends are padded: by reflection, as in the published
    networks' training, or with zeros (`constant`), as newer versions of the library they used do.
    """

    def __init__(self, padding: Padding = "reflect") -> None:
        if padding not in ("reflect", "constant"):
            raise ValueError(f"padding is reflect or constant, not {padding!r}")
        self.padding = padding
        self.last = 0.0  # sample before the next one
        self.begun = False
        self.pending = np.zeros(0)  # emphasised sound, once begun from the left edge of the next column on

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take float32 [n] at 16 kHz and give the columns that are ready: float32 [80, k] in [-4, 4]."""
        self._take(samples)
        if not self.begun and len(self.pending) > FFT // 2:
            self.pending = self._padded(self.pending, FFT // 2, 0)
            self.begun = True
        found = []
        while self.begun and len(self.pending) >= (BLOCK - 1) * HOP + FFT:
            found.append(_columns(self.pending, BLOCK))
            self.pending = self.pending[BLOCK * HOP :]
        return np.concatenate(found, axis=1) if found else np.zeros((MELS, 0), np.float32)

    def finish(self) -> np.ndarray:
        """Give the last columns: with those before, 1 + n // 200 of n samples."""
        padded = self._padded(self.pending, 0 if self.begun else FFT // 2, FFT // 2)
        return _columns(padded, 1 + (len(padded) - FFT) // HOP)

    def _take(self, samples: np.ndarray) -> None:
        if len(samples):
            sound = samples.astype(np.float64)
            before = np.concatenate([[self.last], sound[:-1]])
            self.last = sound[-1]
            self.pending = np.concatenate([self.pending, sound - EMPHASIS * before])

    def _padded(self, sound: np.ndarray, left: int, right: int) -> np.ndarray:
        return np.pad(sound, (left, right), mode=self.padding if len(sound) else "constant")


def mel(samples: np.ndarray, padding: Padding = "reflect") -> np.ndarray:
    """Give the mel spectrogram of float32 [n] at 16 kHz: float32 [80, 1 + n // 200] in [-4, 4], silence is -4."""
    stream = MelStream(padding)
    step = BLOCK * HOP
    found = [stream.push(samples[first : first + step]) for first in range(0, len(samples), step)]
    return np.concatenate([*found, stream.finish()], axis=1)


def _columns(padded: np.ndarray, count: int) -> np.ndarray:
    """Compute the first columns of padded sound, as a block of the one extent."""
    found = []
    for first in range(0, count, BLOCK):
        some = min(BLOCK, count - first)
        frames = np.zeros((BLOCK, FFT))
        frames[:some] = np.lib.stride_tricks.sliding_window_view(padded[first * HOP :], FFT)[::HOP][:some]
        energies = filters(RATE, FFT, MELS, LOWEST, HIGHEST) @ np.abs(np.fft.rfft(frames * HANN)).T
        decibels = 20 * np.log10(np.maximum(1e-5, energies)) - 20
        found.append(np.clip(8 * (decibels + 100) / 100 - 4, -4, 4)[:, :some].astype(np.float32))
    return np.concatenate(found, axis=1)


@functools.cache
def filters(rate: int, fft: int, mels: int, lowest: float, highest: float) -> np.ndarray:
    """Give Slaney's triangular mel filters between two frequencies, each of area one: [mels, fft // 2 + 1]."""
    edges = _hertz(np.linspace(_mels(lowest), _mels(highest), mels + 2))[:, None]
    bins = np.linspace(0, rate / 2, fft // 2 + 1)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])


# Slaney's Auditory Toolbox: linear to 1 kHz, which is mel 15, then 27 mels for each factor of 6.4.
LINEAR, CORNER, STEP = 200 / 3, 15.0, np.log(6.4) / 27


def _mels(hertz: float) -> float:
    linear = hertz / LINEAR
    return linear if linear < CORNER else CORNER + np.log(linear / CORNER) / STEP


def _hertz(mels: np.ndarray) -> np.ndarray:
    return LINEAR * np.where(mels < CORNER, mels, CORNER * np.exp(STEP * (mels - CORNER)))


def column(frame: float, fps: float | Fraction = 25) -> int:
    """Give the column of the mel at which the window of a frame begins; exact for a `Fraction` as 30000/1001."""
    return int(MEL_RATE * Fraction(frame) // Fraction(fps))


def window(mel: np.ndarray, frame: float, fps: float | Fraction = 25, first: int = 0) -> np.ndarray:
    """Give what is heard from a frame on: [80, 16], silence beyond the ends of the mel.

    `first` is the number of the mel's first column, where it is a piece of a stream.
    """
    begin = column(frame, fps) - first
    inside = mel[:, max(0, begin) : max(0, begin + WINDOW)]
    if inside.shape[1] == WINDOW:
        return inside
    heard = np.full((MELS, WINDOW), SILENCE, np.float32)
    offset = max(0, -begin)
    heard[:, offset : offset + inside.shape[1]] = inside
    return heard


def windows(mel: np.ndarray, frames: Sequence[float], fps: float | Fraction = 25, first: int = 0) -> np.ndarray:
    """Give the windows of several frames: [N, 80, 16]."""
    return np.stack([window(mel, frame, fps, first) for frame in frames])


# -- speech ------------------------------------------------------------------------------------------------------------

CHUNK, CONTEXT = 512, 64  # samples that the detector hears at once, and of those before
FRAME = RATE // 25
AT_ONCE = 160  # chunks: 128 frames


class SpeechStream:
    """Tell the probability of speech for each frame of 25 fps in sound that comes in pieces, by Silero VAD."""

    def __init__(self, model: Path | None = None) -> None:
        self.session = _session(model or weights.path("silero_vad"))
        self.state = [np.zeros((1, 1, 128), np.float32)] * 2
        self.pending = np.zeros(CONTEXT, np.float32)  # what was heard last, and what was not heard yet

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take float32 [n] at 16 kHz and give the probabilities that are ready: float32 [k]."""
        self.pending = np.concatenate([self.pending, samples])
        found = [np.zeros(0, np.float32)]
        while len(self.pending) >= CONTEXT + AT_ONCE * CHUNK:
            found.append(self._hear())
        return np.concatenate(found)

    def finish(self) -> np.ndarray:
        """Give the last probabilities: with those before, one for each frame that was begun."""
        left = len(self.pending) - CONTEXT
        self.pending = np.pad(self.pending, (0, AT_ONCE * CHUNK - left))
        return self._hear()[: -(-left // FRAME)]

    def _hear(self) -> np.ndarray:
        views = np.lib.stride_tricks.sliding_window_view(self.pending, CONTEXT + CHUNK)[::CHUNK][:AT_ONCE]
        heard = {"input": np.ascontiguousarray(views), "h": self.state[0], "c": self.state[1]}
        probabilities, *self.state = self.session.run(["speech_probs", "hn", "cn"], heard)
        self.pending = self.pending[AT_ONCE * CHUNK :]
        # Chunks last 4, frames 5 times 128 samples: a frame's is the mean over its time.
        return np.repeat(probabilities.reshape(-1), 4).reshape(-1, 5).mean(axis=1)


def speech(samples: np.ndarray, model: Path | None = None) -> np.ndarray:
    """Tell the probability of speech for each frame of 25 fps of float32 [n] at 16 kHz: float32 [ceil(n / 640)]."""
    stream = SpeechStream(model)
    return np.concatenate([stream.push(samples), stream.finish()])


@functools.cache
def _session(model: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
