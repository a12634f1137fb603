"""Cut a person from the background: U2-Net through OpenVINO or onnxruntime, or the same network through rembg.

rembg stretches every mask to 0..255, so that an empty picture gets a mask too; the raw confidence is kept beside it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import onnxruntime
from PIL import Image

from inference import weights
from inference.mattes import SIDE, Matte, Network, NetworkMatter, onnx_network, squeeze

SOLID = 64  # of 255: what belongs to the shape when its parts are told apart
DOUBT, CERTAIN = 128, 230  # beside the subject's box, coverage below the first counts nothing, above the second in full
BESIDE = 0.04  # of the box's longer side: so far hair and heels reach out of it

Box = tuple[float, float, float, float]  # x0, y0, x1, y1


class Matter(Protocol):
    def __call__(self, picture: Image.Image) -> Matte:
        """Matte an RGB picture of any shape."""


def openvino_precision() -> str:
    """Name what OpenVINO computes in here: bf16 where the processor does so natively, else f32."""
    import openvino

    return "bf16" if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"


def openvino_network(model: Path, threads: int) -> Network:
    """Open U2-Net in OpenVINO: in bf16, twice as fast, where the processor computes it natively; else in fp32."""
    import openvino

    core = openvino.Core()
    graph = core.read_model(model)
    graph.reshape([1, 3, SIDE, SIDE])
    # Pinned, the workers of a pool would all sit on the first core.
    hints = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": openvino_precision(),
        "ENABLE_CPU_PINNING": False,
    }
    compiled = core.compile_model(graph, "CPU", hints)
    request, fused = compiled.create_infer_request(), compiled.output(0)
    return lambda pixels: request.infer([pixels])[fused][0, 0]


class RembgMatter:
    """The same network in rembg's session, given our verified file so that it never looks for one."""

    def __init__(self, name: str, model: Path, threads: int) -> None:
        from rembg.sessions.u2net import U2netSession
        from rembg.sessions.u2netp import U2netpSession

        parent = {"u2net": U2netSession, "u2netp": U2netpSession}[name]
        local = type("Local", (parent,), {"download_models": classmethod(lambda cls, *args, **kwargs: model)})
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = local(name, options, providers=["CPUExecutionProvider"])
        self.session.inner_session = self.recorder = _Recorder(self.session.inner_session)

    def __call__(self, picture: Image.Image) -> Matte:
        (mask,) = self.session.predict(squeeze(picture))
        return Matte(np.asarray(mask), self.recorder.maximum)


class _Recorder:
    """A session that remembers the raw maximum, which rembg discards."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self.session = session
        self.maximum = 0.0

    def run(self, names: list[str] | None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        outputs = self.session.run(names, feed)
        self.maximum = float(outputs[0].max())
        return outputs

    def get_inputs(self) -> list[onnxruntime.NodeArg]:
        return self.session.get_inputs()


def open_matter(backend: str, model: str, threads: int = 1) -> Matter:
    """Open the named network ("u2netp" or "u2net") in a backend: "openvino", "onnx" or "rembg"."""
    path = weights.path(model)
    if backend == "rembg":
        return RembgMatter(model, path, threads)
    return NetworkMatter({"openvino": openvino_network, "onnx": onnx_network}[backend](path, threads))


def spread(coverage: np.ndarray, width: int, height: int) -> np.ndarray:
    """Bring a matte back over its picture: HxW uint8."""
    return np.asarray(Image.fromarray(coverage).resize((width, height), Image.Resampling.LANCZOS))


def carried(coverage: np.ndarray, frame: Box, crop: Box) -> np.ndarray:
    """Carry the matte of one frame of a picture over to another; beyond the frame nothing is covered."""
    rows, columns = coverage.shape
    across, down = (crop[2] - crop[0]) / (frame[2] - frame[0]), (crop[3] - crop[1]) / (frame[3] - frame[1])
    left, top = (crop[0] - frame[0]) / (frame[2] - frame[0]), (crop[1] - frame[1]) / (frame[3] - frame[1])
    # From the middle of a pixel to the middle of a pixel.
    way = np.array([[across, 0, left * columns + across / 2 - 0.5], [0, down, top * rows + down / 2 - 0.5]])
    return cv2.warpAffine(coverage, way, (columns, rows), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def keep_subject(coverage: np.ndarray, box: Box, others: Sequence[Box] = ()) -> np.ndarray:
    """Clear what is not the subject; boxes are in fractions of the matte.

    Beside the subject's box only what the network is sure of stays (a bag, not the ghost of a passer-by); nothing
    stays above or below it, in the boxes of other people, or apart from the largest part with its middle outside.
    """
    room = BESIDE * max(box[2] - box[0], box[3] - box[1])
    x0, y0, x1, y1 = wide = (box[0] - room, box[1] - room, box[2] + room, box[3] + room)
    near = _filled(coverage.shape, wide)
    sure = ((coverage.astype(np.float32) - DOUBT) * (255 / (CERTAIN - DOUBT))).clip(0, 255).astype(np.uint8)
    strangers = ~_filled(coverage.shape, (min(x0, 0.0), y0, max(x1, 1.0), y1))
    for other in others:
        strangers |= _filled(coverage.shape, other)
    cleared = np.where(near, coverage, np.where(strangers, 0, sure))
    return without_strange_parts(cleared, box)


def without_strange_parts(coverage: np.ndarray, box: Box) -> np.ndarray:
    """Clear each part that stands apart from the largest and has its middle outside the box (fractions)."""
    solid = (coverage >= SOLID).astype(np.uint8)
    count, parts, stats, centres = cv2.connectedComponentsWithStats(solid, connectivity=8)
    if count <= 2:
        return coverage
    height, width = coverage.shape
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    strange = [
        part
        for part in range(1, count)
        if part != largest
        and not (box[0] <= centres[part][0] / width <= box[2] and box[1] <= centres[part][1] / height <= box[3])
    ]
    if not strange:
        return coverage
    # The soft rim goes with its part: what is within three pixels of a strange part, but not of ours.
    rim = np.ones((7, 7), np.uint8)
    theirs = np.isin(parts, strange)
    ours = cv2.dilate(((parts > 0) & ~theirs).astype(np.uint8), rim) > 0
    theirs |= (cv2.dilate(theirs.astype(np.uint8), rim) > 0) & ~ours
    return np.where(theirs, 0, coverage).astype(np.uint8)


def _filled(shape: tuple[int, ...], box: Box) -> np.ndarray:
    """Mark a box given in fractions: HxW bool."""
    rows, columns = (np.arange(length) / length for length in shape)
    return ((rows >= box[1]) & (rows < box[3]))[:, None] & ((columns >= box[0]) & (columns < box[2]))[None]
