"""Write moving pictures: H.264 in MP4, through PyAV."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from inference.errors import UserError

CODEC = "libx264"
try:
    import av
except ImportError:
    raise UserError(
        "videos need PyAV, which is not installed: `pip install av` (its wheel brings x264, GPL-2.0-or-later), "
        "or ask for pictures: --steps 8 --out way.png"
    ) from None

FPS = 25
BT709 = 1  # of ISO/IEC 23001-8, for primaries, transfer and matrix alike


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


def _stream(container: av.container.OutputContainer, width: int, height: int, fps: int) -> av.VideoStream:
    # One thread: how x264 cuts the work decides on bytes.
    stream = container.add_stream(CODEC, rate=fps, options={"crf": "16", "preset": "medium", "threads": "1"})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = BT709
    context.color_range = 1  # limited, as yuv420p is by convention
    return stream
