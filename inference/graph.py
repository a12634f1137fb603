"""Run the ONNX file of a bundle with onnxruntime: the same networks, without torch.

graph = Graph(load("lipsync"))
(pictures,) = graph(mel, face)      # as the torch network: float32 [B, 1, 80, 16], [B, 6, 96, 96] -> [B, 3, 96, 96]
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from inference import golden
from inference.bundle import ONNX, Bundle
from inference.errors import UserError, one_line

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

BATCH = "batch"
SILENT = 4  # onnxruntime's level for what ends it: all else is raised, and told in one line
# What a graph takes and gives behind the batch, by task; E of an embedding is the network's.
Signature = dict[str, tuple[int, ...]]
MEL = (1, 80, 16)
MOST_SHOWN = 200  # letters of what a graph says of itself


def signature(bundle: Bundle) -> tuple[Signature, Signature]:
    """Give names and shapes of what the graph of a bundle takes and gives."""
    if bundle.task == "dance":
        window = bundle.config.window
        return golden.dance_inputs(bundle.manifest["network"], bundle.config), {"clean": (window, golden.MOTION)}
    edge = bundle.config.edge
    if bundle.task == "lipsync":
        return {"mel": MEL, "face": (6, edge, edge)}, {"picture": (3, edge, edge)}
    features = (bundle.config.channels(512),)
    return {"mel": MEL, "faces": (15, edge // 2, edge)}, {"audio": features, "face": features}


class Graph:
    """A bundle's ONNX file, checked against its hash and against what a network of its task takes and gives."""

    def __init__(self, bundle: Bundle, threads: int = 0) -> None:
        if bundle.manifest["network"]["kind"] not in ("syncnet", "wav2lip", "dance"):
            raise UserError(
                f"bundle {bundle.name} holds a {bundle.manifest['network']['kind']}, which has no ONNX file: use the "
                f"torch back end"
            )
        if ONNX not in bundle.manifest["files"]:
            raise UserError(f"bundle {bundle.name} holds no {ONNX}, as starters do not: use the torch back end")
        self.inputs, self.outputs = signature(bundle)
        self.session = _session(bundle, threads)
        _compare(bundle, "takes", self.session.get_inputs(), self.inputs)
        _compare(bundle, "gives", self.session.get_outputs(), self.outputs)

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Run float32 arrays of one batch through it, in the order of `inputs`; gives those of `outputs`."""
        named = zip(self.inputs, arrays, strict=True)
        return self.session.run(list(self.outputs), {name: np.ascontiguousarray(each) for name, each in named})


def _session(bundle: Bundle, threads: int) -> "InferenceSession":
    """Open the graph from its bytes: onnxruntime then reads no other file, wherever the graph points to."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = SILENT
    options.intra_op_num_threads = threads
    data = bundle.read(ONNX)
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # each of its errors is a class of its own, right under Exception
        if type(error).__module__.partition(".")[0] != "onnxruntime":
            raise
        said = one_line(error, 160)
        raise UserError(f"{bundle.folder / ONNX} is no graph that runs here ({said}): export the bundle anew") from None


def _compare(bundle: Bundle, verb: str, found: list[Any], wanted: Signature) -> None:
    shapes = {each.name: (each.type, tuple(each.shape)) for each in found}
    expected = {name: ("tensor(float)", (BATCH, *shape)) for name, shape in wanted.items()}
    if shapes != expected:
        line = f"{bundle.folder / ONNX} {verb} {str(shapes)[:MOST_SHOWN]}, and a network of {bundle.task} {expected}"
        raise UserError(f"{line}: export the bundle anew")
