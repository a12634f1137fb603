"""Compare what the two back ends make of the same inputs of lips: the ONNX files beside torch."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from inference import graph
from inference.bundle import Bundle
from inference.networks.wav2lip import to_uint8
from training.translating import OPSET


def parity(bundle: Bundle, network: nn.Module, inputs: Sequence[Tensor], batches: Sequence[int]) -> dict:
    """State how far the ONNX file is from torch: inputs [N, ..] of the network, taken in batches of each number.

    `max_abs` is of what both give; of pictures, `levels` is the largest difference of 255, `share` the part of all
    values that differ.
    """
    running, of_torch = graph.Graph(bundle), _with_torch(network, inputs)
    made = [_with_graph(running, inputs, batch) for batch in batches]
    most = max(float(np.abs(a - b).max()) for each in made for a, b in zip(each, of_torch, strict=True))
    stated = {"max_abs": float(f"{most:.2g}"), "n": len(inputs[0]), "batches": list(batches), "opset": OPSET}
    if bundle.task == "sync":
        return stated
    shown = _levels(of_torch[0])
    apart = np.stack([np.abs(_levels(each[0]) - shown) for each in made])
    return stated | {"levels": int(apart.max()), "share": float(f"{(apart > 0).mean():.2g}")}


def _levels(pictures: np.ndarray) -> np.ndarray:
    return to_uint8(torch.from_numpy(pictures)).astype(np.int16)


def _with_graph(running: graph.Graph, inputs: Sequence[Tensor], batch: int) -> list[np.ndarray]:
    given = [each.numpy() for each in inputs]
    parts = [running(*(each[start : start + batch] for each in given)) for start in range(0, len(given[0]), batch)]
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


@torch.inference_mode()
def _with_torch(network: nn.Module, inputs: Sequence[Tensor], batch: int = 16) -> list[np.ndarray]:
    parts = []
    for start in range(0, len(inputs[0]), batch):
        made = network(*(each[start : start + batch] for each in inputs))
        parts.append([each.numpy() for each in (made if isinstance(made, tuple) else (made,))])
    return [np.concatenate(each) for each in zip(*parts, strict=True)]
