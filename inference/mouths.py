"""Run the generator of a lip-sync bundle: with PyTorch, exactly or fast, or with ONNX Runtime."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from inference.errors import UserError
from inference.memory import keep_freed_memory

if TYPE_CHECKING:
    from torch import nn

    from inference.bundle import Bundle

BACKENDS = ("torch", "onnx")
PRECISIONS = ("exact", "fast")

# mel float32 [N, 80, 16], target and reference RGB uint8 [N, 96, 96, 3] -> RGB uint8 [N, 96, 96, 3]
Drawer = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def drawer(bundle: "Bundle", backend: str = "torch", precision: str = "exact", device: str | None = None) -> Drawer:
    """Build what draws mouths; `fast` is bfloat16 on a CPU and half precision on a GPU.

    The two back ends' exact pictures differ by one level at most.
    """
    if backend not in BACKENDS:
        raise UserError(f"--backend {backend!r} must be {' or '.join(BACKENDS)}")
    if precision not in PRECISIONS:
        raise UserError(f"--precision {precision!r} must be {' or '.join(PRECISIONS)}")
    bundle.require("lipsync")
    if backend == "torch":
        return torch_drawer(bundle.network(), precision, device)
    if precision != "exact":
        raise UserError(f"--precision {precision} goes with --backend torch: the ONNX file is exact")
    from inference.graph import Graph

    return onnx_drawer(Graph(bundle))


def torch_drawer(network: "nn.Module", precision: str = "exact", device: str | None = None) -> Drawer:
    """Draw with a generator: batch norm folded into the convolutions, channels last."""
    import torch

    from inference.networks.wav2lip import face_input, fold, to_uint8

    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    keep_freed_memory()
    folded = fold(network).to(where)
    half = {"exact": None, "fast": torch.float16 if where.type == "cuda" else torch.bfloat16}[precision]

    @torch.inference_mode()
    def draw(mel: np.ndarray, target: np.ndarray, reference: np.ndarray) -> np.ndarray:
        faces = face_input(torch.from_numpy(target).to(where), torch.from_numpy(reference).to(where)).transpose(0, 1)
        faces = faces.contiguous(memory_format=torch.channels_last)
        with torch.autocast(where.type, half, enabled=half is not None):
            return to_uint8(folded(torch.from_numpy(mel)[:, None].to(where), faces))

    return draw


def onnx_drawer(graph: Callable[[np.ndarray, np.ndarray], list[np.ndarray]]) -> Drawer:
    """Draw with the exported network: what `torch_drawer` does around the network, without torch."""

    def draw(mel: np.ndarray, target: np.ndarray, reference: np.ndarray) -> np.ndarray:
        masked = target.copy()
        masked[:, masked.shape[1] // 2 :] = 0
        faces = np.concatenate([masked[..., ::-1], reference[..., ::-1]], axis=3).transpose(0, 3, 1, 2)
        faces = np.ascontiguousarray(faces, np.float32) / np.float32(255)
        (drawn,) = graph(mel[:, None], faces)
        levels = np.clip(drawn * np.float32(255), 0, 255).astype(np.uint8)
        return np.ascontiguousarray(levels[:, ::-1].transpose(0, 2, 3, 1))

    return draw
