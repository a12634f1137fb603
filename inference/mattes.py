"""Tell a person from the background: U2-Net through onnxruntime."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

SIDE = 320  # pixels, of the network's square input
MEAN = np.array((0.485, 0.456, 0.406), np.float32)
STD = np.array((0.229, 0.224, 0.225), np.float32)


@dataclass(frozen=True)
class Matte:
    """Coverage of the subject, 320x320 uint8 stretched over the picture, and the network's raw maximum (0..1)."""

    coverage: np.ndarray
    confidence: float


Network = Callable[[np.ndarray], np.ndarray]  # [1,3,320,320] float32 normalised -> [320,320] float32 in 0..1


def onnx_network(model: Path, threads: int) -> Network:
    """Open U2-Net in an onnxruntime session: fp32, the same on every machine but for the last bits."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    name, fused = session.get_inputs()[0].name, session.get_outputs()[0].name  # the fused one of seven
    return lambda pixels: session.run([fused], {name: pixels})[0][0, 0]


class NetworkMatter:
    """U2-Net with rembg's own normalisation and stretching, in whichever runtime."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def __call__(self, picture: Image.Image) -> Matte:
        small = np.asarray(squeeze(picture), np.float32)  # HWC
        small = (small / max(small.max(), 1e-6) - MEAN) / STD
        raw = self.network(np.ascontiguousarray(small.transpose(2, 0, 1)[None], np.float32))
        low, high = float(raw.min()), float(raw.max())
        stretched = (raw - low) / max(high - low, 1e-6)
        return Matte((stretched.clip(0, 1) * 255).astype(np.uint8), high)


def squeeze(picture: Image.Image) -> Image.Image:
    """Bring a picture to the network's square."""
    return picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=4.0)
