"""Read and write moving pictures through PyAV: no shell, no ffmpeg binary, frames in streams.

    for picture in frames(path, fps=Fraction(25)):      # upright RGB, by timestamps
        ...
    with Writer(target, 1280, 720, Fraction(25), Soundtrack(speech)) as writer:
        writer.write(picture)

Whatever is broken in a file is a `MediaError` with a reason.
"""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inference.errors import UserError
from inference.media import MediaError

if TYPE_CHECKING:
    from inference.soundtrack import Soundtrack

CODEC = "libx264"
try:
    import av
except ImportError:
    raise UserError(
        "videos need PyAV, which is not installed: `pip install av` (its wheel brings x264, GPL-2.0-or-later), "
        "or ask for pictures: --steps 8 --out way.png"
    ) from None

FPS = 25
FINE = {"crf": "16", "preset": "medium"}
FAST = {"crf": "17", "preset": "veryfast"}
BT709 = 1  # of ISO/IEC 23001-8, for primaries, transfer and matrix alike
UNSPECIFIED = 2
# Containers that hold their own bytes; none of the lists that send a reader to other files and addresses.
FORMATS = "mov,matroska,webm,avi,mpeg,mpegvideo,mpegts,flv,ogg,asf,gif,apng"
GUESSING = {"mpeg", "mpegvideo"}  # behind a seek, the times of their frames are guesses
SEEK_BACK = (1, 12)  # s before the frame wanted: where a seek leads behind it, from further away, then from the start
MOST_PIXELS = 4096 * 2304
MOST_SECONDS = 4 * 3600
FASTEST = 60  # what a rate is believed up to: above are time bases, not rates
EARLY = Fraction(1, 8)  # of a tick: so much later may a frame begin and still be the tick's, for rounded timestamps
HD = 720  # lines from which an unnamed matrix is BT.709, as in players


# -- reading -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Info:
    """A video as it is shown: upright and of square pixels. `frames` is the header's word, where it has one.

    `fps` is the average, `rate` the one its frames are spaced by: they differ where the rate varies. `rotation` is
    what the file asks a player to turn it by, in degrees clockwise.
    """

    width: int
    height: int
    fps: Fraction
    rate: Fraction
    seconds: float
    frames: int | None
    audio: bool
    rotation: int
    alpha: bool


def probe(path: Path, most_pixels: int = MOST_PIXELS, most_seconds: float = MOST_SECONDS) -> Info:
    """Look at the header and decode the first frame.

    `MediaError` reasons: not-a-video, no-video (sound alone), empty, truncated, corrupt, too-many-pixels, too-long.
    """
    with _Reader(path, most_pixels) as reader:
        seconds = reader.seconds
        if seconds > most_seconds:
            raise MediaError("too-long", f"{seconds:.0f} s, more than {most_seconds:.0f}")
        first = next(reader.decode(), None)
        if first is None:
            raise MediaError("corrupt", "no frame of it can be decoded")
        shown = first.frame
        width, height = reader.upright(shown)
        return Info(
            width=width,
            height=height,
            fps=reader.average,
            rate=reader.rate,
            seconds=seconds,
            frames=reader.stream.frames or None,
            audio=bool(reader.container.streams.audio),
            rotation=-shown.rotation % 360,
            alpha=_has_alpha(shown),
        )


def frames(
    path: Path,
    fps: Fraction | None = None,
    most_pixels: int = MOST_PIXELS,
    first: int = 0,
    count: int | None = None,
    step: int = 1,
    longest: int | None = None,
) -> Iterator[np.ndarray]:
    """Give the frames, one at a time: uint8 HxWx3 RGB, upright, what is transparent on white; do not write into them.

    With `fps` they are resampled by timestamps: frame k is what a player shows k/fps after the first frame, so frames
    are repeated (the same array) and left out as needed. `first`, `count` and `step` choose among them, and reading
    from the middle seeks; `longest` shrinks them to that longer side.

    What decodes is given. Where packets were broken or the end is missing, `MediaError` (corrupt, truncated) follows
    the last frame: a caller that can live with the rest catches it.
    """
    with _Reader(path, most_pixels) as reader:
        decoded = reader.decode(since=first / fps if fps and first else Fraction(0))
        chosen = _on_grid(decoded, fps, first, step) if fps else (timed.frame for timed in decoded)
        last, picture = None, None
        for number, frame in enumerate(chosen):
            if number == count:
                return
            if frame is not last:
                last, picture = frame, reader.picture(frame, longest)
            yield picture
        if last is None and not first:
            raise MediaError("corrupt", "no frame of it can be decoded")
        reader.check_whole()


@dataclass(frozen=True)
class _Timed:
    """A decoded frame, from when and until when it is shown: seconds after the stream's start."""

    begins: Fraction
    ends: Fraction
    frame: av.VideoFrame


class _Reader:
    """An open video stream, its decoder, and what was wrong with it so far."""

    def __init__(self, path: Path, most_pixels: int) -> None:
        if path.stat().st_size == 0:
            raise MediaError("empty", "an empty file")
        self.path = path
        self.most_pixels = most_pixels
        self.extent: tuple[int, int] | None = None
        self._open()

    def _open(self) -> None:
        self.broken = 0
        self.reached = Fraction(0)  # the end of the last frame that was decoded
        try:
            # Not the bare path: what looks like an address would be fetched.
            self.container = av.open(f"file:{self.path}", options={"format_whitelist": FORMATS})
        except (av.error.FFmpegError, ValueError) as error:
            raise _unreadable(self.path, error) from None
        try:
            self.stream = self._video()
            self.decoder = self._decoder()
        except MediaError:
            self.container.close()
            raise

    def __enter__(self) -> "_Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.container.close()

    def _video(self) -> av.VideoStream:
        covers = av.stream.Disposition.attached_pic
        found = [stream for stream in self.container.streams.video if not stream.disposition & covers]
        if not found:
            raise MediaError("no-video", "holds no video stream")
        stream = found[0]
        if stream.width * stream.height > self.most_pixels:
            raise MediaError("too-many-pixels", f"{stream.width}x{stream.height} pixels, more than {self.most_pixels}")
        if min(stream.width, stream.height) < 1:
            raise MediaError("truncated", "a header without a picture's width and height")
        return stream

    def _decoder(self) -> av.VideoCodecContext:
        """Take the stream's own decoder, on one thread; of VP8 and VP9, the one that reads their transparency."""
        own = self.stream.codec_context
        if self.stream.metadata.get("alpha_mode") == "1" and f"libvpx-{own.name}" in av.codecs_available:
            own = av.CodecContext.create(f"libvpx-{own.name}", "r")
        own.thread_count = 1
        return own

    @property
    def average(self) -> Fraction:
        rate = self.stream.average_rate or self.stream.guessed_rate
        return Fraction(rate) if rate and 0 < rate <= 1000 else Fraction(FPS)

    @property
    def rate(self) -> Fraction:
        """The spacing of the frames where it is a rate (30 of a video that leaves frames out), else the average."""
        guess = self.stream.guessed_rate
        likely = guess and guess <= FASTEST and guess <= 2 * self.average
        return Fraction(guess) if likely else min(self.average, Fraction(FASTEST))

    @property
    def seconds(self) -> float:
        if self.stream.duration and self.stream.time_base:
            return float(self.stream.duration * self.stream.time_base)
        return (self.container.duration or 0) / av.time_base

    def decode(self, since: Fraction = Fraction(0)) -> Iterator[_Timed]:
        """Give frames with their times, never going back; from `since` or a while before."""
        start = self.stream.start_time
        timed = self._timed()
        seeks = since and start is not None and self.container.format.name not in GUESSING
        for back in SEEK_BACK if seeks else ():
            ahead = max(start, int(start + (since - back) / self.stream.time_base))
            with contextlib.suppress(av.error.FFmpegError):  # what cannot be sought in is read from its beginning
                self.container.seek(ahead, stream=self.stream, backward=True)
            first = next(timed, None)
            if first is not None and first.begins <= since:
                yield first
                break
            self.container.close()  # the seek led behind it, as it may in MPEG-TS, which has no index
            self._open()
            timed = self._timed()
        yield from timed

    def _timed(self) -> Iterator[_Timed]:
        start, base = self.stream.start_time, self.stream.time_base
        zero = None if start is None else start * base
        for frame in self._decoded():
            time = self.reached if frame.pts is None else frame.pts * (frame.time_base or base)
            zero = time if zero is None else zero
            time = time if frame.pts is None else max(time - zero, Fraction(0))
            if time > MOST_SECONDS:
                raise MediaError("too-long", f"a frame at {float(time):.0f} s, more than {MOST_SECONDS}")
            lasts = frame.duration * base if frame.duration else 1 / self.average
            time = max(time, self.reached - lasts)
            self.reached = time + lasts
            yield _Timed(time, self.reached, frame)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        try:
            for packet in self.container.demux(self.stream):
                try:
                    yield from self.decoder.decode(packet if packet.size else None)
                except av.error.EOFError:
                    return
                except (av.error.FFmpegError, ValueError):
                    self.broken += 1
        except (av.error.FFmpegError, ValueError):
            self.broken += 1  # the container itself: nothing can be read behind it

    def upright(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Width and height as shown: square pixels, turned."""
        aspect = self.stream.sample_aspect_ratio or 1
        width = max(1, round(self.stream.width * aspect)) if 0 < aspect < 8 else self.stream.width
        return (self.stream.height, width) if _turn(frame)[0] else (width, self.stream.height)

    def picture(self, frame: av.VideoFrame, longest: int | None) -> np.ndarray:
        """Convert to RGB of one extent throughout, whatever the stream does in the middle."""
        if frame.width * frame.height > self.most_pixels:
            raise MediaError("too-many-pixels", f"{frame.width}x{frame.height} pixels, more than {self.most_pixels}")
        across, flip_x, flip_y = _turn(frame)
        if self.extent is None:
            self.extent = self.upright(frame)
        width, height = self.extent
        if longest and max(width, height) > longest:
            scale = longest / max(width, height)
            width, height = max(1, round(width * scale)), max(1, round(height * scale))
        stored = (height, width) if across else (width, height)
        picture = _rgb(frame, *stored)
        if across:
            picture = picture.transpose(1, 0, 2)
        picture = np.ascontiguousarray(picture[:: -1 if flip_y else 1, :: -1 if flip_x else 1])
        picture.flags.writeable = False  # it may be given again
        return picture

    def check_whole(self) -> None:
        """Raise for what was missing: after the last frame."""
        if self.broken:
            raise MediaError("corrupt", f"{self.broken} of its packets cannot be decoded")
        if self.seconds - float(self.reached) > max(1.0, 0.02 * self.seconds):
            raise MediaError("truncated", f"ends after {float(self.reached):.1f} of {self.seconds:.1f} s")


def _unreadable(path: Path, error: Exception) -> MediaError:
    with open(path, "rb") as stream:
        head = stream.read(12)
    reason = "truncated" if head[4:8] == b"ftyp" or head[:4] == b"\x1a\x45\xdf\xa3" else "not-a-video"
    why = getattr(error, "strerror", None) or type(error).__name__
    return MediaError(reason, f"no container of a video that can be read: {why.lower()}")


def _on_grid(decoded: Iterator[_Timed], fps: Fraction, first: int, step: int) -> Iterator[av.VideoFrame]:
    """Give the frame that is shown at each of the times first/fps, (first + step)/fps, ... until the last one ends."""
    tick, shown = first, None
    for timed in decoded:
        while shown is not None and tick + EARLY < timed.begins * fps:
            yield shown.frame
            tick += step
        shown = timed
    while shown is not None and tick < max(1, round(shown.ends * fps)):
        yield shown.frame
        tick += step


def _turn(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Read the display matrix as three steps: swap the axes, then mirror left and right, then up and down."""
    entry = frame.side_data.get("DISPLAYMATRIX")
    if entry is None or len(bytes(entry)) < 36:
        return False, False, False
    a, b, _, c, d = np.frombuffer(bytes(entry), np.int32)[:5].tolist()
    across = abs(b) + abs(c) > abs(a) + abs(d)
    return (across, c < 0, b < 0) if across else (across, a < 0, d < 0)


def _has_alpha(frame: av.VideoFrame) -> bool:
    return any(component.is_alpha for component in frame.format.components) or frame.format.name == "pal8"


def _rgb(frame: av.VideoFrame, width: int, height: int) -> np.ndarray:
    how = "AREA" if width < frame.width else "BICUBIC"
    matrix = "ITU709" if frame.colorspace == UNSPECIFIED and frame.height >= HD else None
    kind = "rgba" if _has_alpha(frame) else "rgb24"
    picture = frame.reformat(width, height, kind, src_colorspace=matrix, interpolation=how).to_ndarray()
    if kind == "rgb24":
        return picture
    alpha = picture[:, :, 3:].astype(np.uint16)
    return ((picture[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


# -- writing -----------------------------------------------------------------------------------------------------------


def encode(frames: Iterable[np.ndarray], fps: int = FPS) -> bytes:
    """Encode uint8 HxWx3 frames of one size: yuv420p, which every player shows; the same frames are the same bytes.

    An odd side loses its last row or column, as yuv420p has no half pixels.
    """
    if CODEC not in av.codecs_available:
        raise UserError(f"videos need {CODEC}, and this PyAV was built without it: `pip install av` brings one with it")
    with tempfile.TemporaryDirectory() as folder:  # the index is moved to the front at the end, which needs a file
        target = Path(folder) / "video.mp4"
        with av.open(str(target), "w", options={"movflags": "+faststart"}) as container:
            _fill(container, frames, fps)
        return target.read_bytes()


def _fill(container: av.container.OutputContainer, frames: Iterable[np.ndarray], fps: int) -> None:
    stream = None
    for picture in frames:
        height, width = picture.shape[0] & ~1, picture.shape[1] & ~1
        if stream is None:
            stream = _stream(container, width, height, fps)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:height, :width]), format="rgb24")
        container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))
    if stream is None:
        raise ValueError("a video needs at least one frame")
    container.mux(stream.encode(None))


def _stream(
    container: av.container.OutputContainer,
    width: int,
    height: int,
    fps: int | Fraction,
    options: Mapping[str, str] = FINE,
) -> av.VideoStream:
    # One thread: how x264 cuts the work decides on bytes.
    stream = container.add_stream(CODEC, rate=fps, options={**options, "threads": "1"})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = BT709
    context.color_range = 1  # limited, as yuv420p is by convention
    return stream


class Writer:
    """Encode frames as they come, and the sound beside them, into one MP4: H.264 and AAC, each encoded once.

        with Writer(path, 1280, 720, Fraction(25), Soundtrack(speech)) as writer:
            writer.write(picture)                   # uint8 HxWx3

    The file stands in `path` when the block ends without an error. Its sound is as long as the soundtrack, however many
    frames there are. An odd side loses its last row or column. The same frames and sound are the same bytes.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        fps: Fraction,
        sound: "Soundtrack | None" = None,
        comment: str = "",
        options: Mapping[str, str] = FAST,
    ) -> None:
        if CODEC not in av.codecs_available:
            raise UserError(f"videos need {CODEC}, which this PyAV was built without: `pip install av` brings one")
        self.width, self.height = width & ~1, height & ~1
        self.fps = fps
        self.count = 0
        self.container = av.open(f"file:{path}", "w", format="mp4", options={"movflags": "+faststart"})
        self.container.metadata["comment"] = comment
        self.stream = _stream(self.container, self.width, self.height, fps, options)
        self.sound = sound
        self.heard = 0  # samples
        self.blocks: Iterator[np.ndarray] = iter(())
        if sound is not None:
            self.blocks = sound.blocks()
            self.voice = self.container.add_stream("aac", rate=self.sound.rate, layout=sound.layout)
            self.voice.codec_context.bit_rate = 96_000 * sound.channels

    def write(self, picture: np.ndarray) -> None:
        inner = np.ascontiguousarray(picture[: self.height, : self.width])
        frame = av.VideoFrame.from_ndarray(inner, format="rgb24").reformat(format="yuv420p", dst_colorspace="ITU709")
        frame.pts, frame.time_base = self.count, 1 / self.fps
        self.container.mux(self.stream.encode(frame))
        self.count += 1
        if self.sound is not None:
            self._hear_until(self.count / self.fps)

    def _hear_until(self, time: Fraction | None) -> None:
        """Encode the sound up to a time, so that the container need not hold back what came before."""
        while time is None or self.heard < time * self.sound.rate:
            block = next(self.blocks, None)
            if block is None:
                return
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=self.sound.layout)
            frame.sample_rate, frame.time_base, frame.pts = self.sound.rate, Fraction(1, self.sound.rate), self.heard
            self.heard += block.shape[1]
            self.container.mux(self.voice.encode(frame))

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            if kind is None:
                if not self.count:
                    raise ValueError("a video needs at least one frame")
                self.container.mux(self.stream.encode(None))
                if self.sound is not None:
                    self._hear_until(None)
                    self.container.mux(self.voice.encode(None))
        finally:
            self.container.close()
