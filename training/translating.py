"""Write networks as ONNX files that onnxruntime runs in their place, without torch."""

import warnings
from typing import TYPE_CHECKING

import torch
from torch import nn

from inference import graph
from inference.bundle import Bundle

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18
MOST = 4096  # inputs at a time
EXAMPLES = 2  # torch takes a batch of one for a constant


def write(network: nn.Module, bundle: Bundle) -> bytes:
    """Translate a network into an ONNX graph with its weights inside, which takes any batch."""
    inputs, outputs = graph.signature(bundle)
    batch = torch.export.Dim(graph.BATCH, min=1, max=MOST)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*axis name")  # of the batch, which both inputs share
        exported = torch.onnx.export(
            network,
            tuple(torch.zeros(EXAMPLES, *shape) for shape in inputs.values()),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=tuple({0: batch} for _ in inputs),
            external_data=False,
            verbose=False,
        )
    return _bare(exported.model_proto).SerializeToString(deterministic=True)


def _bare(model: "ModelProto") -> "ModelProto":
    """Take out where the network was written down: torch notes the stack, with paths of this machine, in every node."""
    drawn = model.graph
    del model.metadata_props[:], drawn.metadata_props[:]
    for part in (*drawn.node, *drawn.input, *drawn.output, *drawn.value_info, *drawn.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    return model
