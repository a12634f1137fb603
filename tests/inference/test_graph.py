"""The ONNX file of a bundle is run as it was exported, or refused in one line."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from inference import bundle as bundles
from inference.errors import UserError
from inference.graph import Graph

INPUTS = {"mel": ["batch", 1, 80, 16], "face": ["batch", 6, 96, 96]}
PICTURE = {"picture": ["batch", 3, 96, 96]}


def graph(
    inputs: dict[str, list] = INPUTS,
    outputs: dict[str, list] = PICTURE,
    kind: int = TensorProto.FLOAT,
    weights: str = "",
) -> bytes:
    """A graph that gives the first half of the face back; with `weights` it asks for a file of that name."""
    ends = [
        helper.make_tensor("from", TensorProto.INT64, [1], [0]),
        helper.make_tensor("to", TensorProto.INT64, [1], [3]),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
    ]
    (taken, given), last = (list(inputs)[-1], next(iter(outputs))), "cut" if weights else next(iter(outputs))
    nodes = [helper.make_node("Slice", [taken, "from", "to", "axis"], [last])]
    if weights:
        outside = TensorProto(name="outside", data_type=kind, dims=[1], data_location=TensorProto.EXTERNAL)
        outside.external_data.add(key="location", value=weights)
        ends.append(outside)
        nodes.append(helper.make_node("Add", ["cut", "outside"], [given]))
    values = [
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in some.items()] for some in (inputs, outputs)
    ]
    drawn = helper.make_graph(nodes, "g", *values, ends)
    model = helper.make_model(drawn, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return model.SerializeToString()


@pytest.fixture
def make(tmp_path) -> Callable[[bytes], bundles.Bundle]:
    """Make a bundle of lips of which nothing but the graph is looked at."""

    def opened(data: bytes) -> bundles.Bundle:
        (tmp_path / bundles.ONNX).write_bytes(data)
        files = {bundles.ONNX: hashlib.sha256(data).hexdigest()}
        about = {"name": "lips", "task": "lipsync", "files": files}
        about["network"] = {"kind": "wav2lip", "width": 0.02, "edge": 96}
        return bundles.Bundle(about, tmp_path, "0" * 64)

    return opened


def refused(bundle: bundles.Bundle) -> str:
    with pytest.raises(UserError) as caught:
        Graph(bundle)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("batch", [1, 5])
def test_a_graph_is_run_on_any_batch(make, batch):
    mel, face = (
        np.zeros((batch, 1, 80, 16), np.float32),
        np.random.default_rng(1).random((batch, 6, 96, 96), np.float32),
    )
    (picture,) = Graph(make(graph()), threads=1)(mel, face)
    assert np.array_equal(picture, face[:, :3])


@pytest.mark.parametrize("weights", ["/etc/hostname", "../secret.bin", "beside.bin"])
def test_a_graph_that_points_at_another_file_reads_nothing_of_it(make, weights, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    for place in (tmp_path / "secret.bin", tmp_path / "here/beside.bin", tmp_path / "beside.bin"):
        place.write_bytes(np.ones(1, np.float32).tobytes())
    monkeypatch.chdir(tmp_path / "here")
    assert "is no graph that runs here" in refused(make(graph(weights=weights)))


@pytest.mark.parametrize("data", [b"", b"garbage" * 30, graph()[:-200]])
def test_what_is_no_graph_is_refused(make, data):
    assert "no graph that runs here" in refused(make(data))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"inputs": INPUTS | {"face": ["batch", 6, 192, 192]}}, "takes"),
        ({"inputs": {"sound": INPUTS["mel"], "face": INPUTS["face"]}}, "takes"),
        ({"inputs": {"face": INPUTS["face"]}}, "takes"),
        ({"inputs": INPUTS | {"mel": [2, 1, 80, 16]}}, "takes"),
        ({"kind": TensorProto.DOUBLE}, "takes"),
        ({"outputs": {"image": PICTURE["picture"]}}, "gives"),
    ],
)
def test_a_graph_of_another_network_is_refused_before_it_is_run(make, changes, named):
    said = refused(make(graph(**changes)))
    assert f"{bundles.ONNX} {named}" in said
    assert "export the bundle anew" in said


def test_a_graph_that_is_not_the_one_of_the_manifest_is_refused(make):
    bundle = make(graph())
    Path(bundle.folder / bundles.ONNX).write_bytes(graph() + b"\0")
    assert "wrong sha256" in refused(bundle)


def test_avatars_have_no_graph(shared_bundle):
    assert "holds a stylegan2, which has no ONNX file" in refused(shared_bundle)


def test_a_graph_is_valid_onnx():
    onnx.checker.check_model(graph())
