"""Bundles of the sync expert and of the lip-sync generator: what is written is read, what is hostile is refused."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from inference import bundle as bundles
from inference import cli, golden, manifest
from inference.errors import UserError
from inference.networks.wav2lip import Generator, SyncNet, Wav2LipConfig

NETWORKS = {"sync": ("syncnet", SyncNet), "lipsync": ("wav2lip", Generator)}
TASKS = list(NETWORKS)
TINY = Wav2LipConfig(width=0.02)


def about(task: str, **changes: object) -> dict:
    """What an export says of a network that nobody trained."""
    return {
        "name": task,
        "version": "0.1.0",
        "task": task,
        "network": {"kind": NETWORKS[task][0], "width": TINY.width, "edge": TINY.edge},
        "precision": "float32",
        "licences": {"weights": "Apache-2.0", "code": "Apache-2.0", "data": {}},
        "commercial": True,
        "demo": True,
        "mel": {"padding": "reflect"} | ({"lead": 0} if task == "lipsync" else {}),
        "expert": {"sha256": "0" * 64},
        "provenance": {},
        "metrics": {},
        "created": "",
        **changes,
    }


def network(task: str, config: Wav2LipConfig = TINY) -> torch.nn.Module:
    """A network whose batch norms have seen something."""
    torch.manual_seed(5)
    made = NETWORKS[task][1](config).eval().requires_grad_(False)
    for name, value in made.named_buffers():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
    return made


def answers(task: str, made: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Golden inputs and what the network makes of them."""
    draws = torch.Generator().manual_seed(3)
    mel = torch.rand(2, 80, 16, generator=draws) * 8 - 4
    pictures = torch.randint(0, 256, (2, 5, 96, 96, 3), dtype=torch.uint8, generator=draws)
    if task == "sync":
        return {"mel": mel, "frames": pictures, **golden.embeddings(made, mel, pictures)}
    target, reference = pictures[:, 0].contiguous(), pictures[:, 1].contiguous()
    image = torch.from_numpy(golden.lips(made, mel, target, reference))
    return {"mel": mel, "target": target, "reference": reference, "image": image}


@pytest.fixture
def make(tmp_path) -> Callable[..., bundles.Bundle]:
    """Write a tiny bundle of random weights: `make("lipsync", **manifest)`."""

    def write(task: str, name: str | None = None, **changes: object) -> bundles.Bundle:
        made = network(task)
        tensors = {bundles.MODEL: made.state_dict(), bundles.GOLDEN: answers(task, made)}
        folder = tmp_path / "bundles" / (name or task)
        return bundles.write(folder, about(task, name=folder.name, **changes), tensors, {"model.onnx": b"a graph"})

    return write


def change(bundle: bundles.Bundle, **changes: object) -> None:
    path = bundle.folder / bundles.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refused(bundle: bundles.Bundle) -> str:
    with pytest.raises(UserError) as caught:
        bundles.load(bundle.folder).network()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("task", TASKS)
def test_what_is_written_gives_the_same_when_read(make, task):
    read = bundles.load(make(task).folder)
    expected = network(task).state_dict()
    assert read.check() == 0
    assert read.task == task
    assert all(torch.equal(value, expected[name]) for name, value in read.network().state_dict().items())
    assert not read.network().training


@pytest.mark.parametrize("task", TASKS)
def test_the_golden_check_finds_a_weight_that_differs(make, task):
    made = network(task)
    answered = answers(task, made)
    *_, last = made.parameters()
    last.add_(1)
    tensors = {bundles.MODEL: made.state_dict(), bundles.GOLDEN: answered}
    other = bundles.write(make(task).folder, about(task), tensors)
    assert other.check() > golden.TOLERANCE[task]


@pytest.mark.parametrize("task", TASKS)
def test_half_precision_is_half_on_disk_but_for_what_batch_norm_counts(make, task):
    whole, half = make(task, "whole"), make(task, "half", precision="float16")
    sizes = [(bundle.folder / bundles.MODEL).stat().st_size for bundle in (whole, half)]
    first, second = whole.network().state_dict(), half.network().state_dict()
    assert sizes[1] < 0.75 * sizes[0]
    assert second["audio_encoder.0.conv_block.0.weight"].dtype == torch.float32
    assert torch.equal(*(state["audio_encoder.0.conv_block.1.running_var"] for state in (first, second)))
    assert half.check() <= (0.01 if task == "sync" else 3)


@pytest.mark.parametrize("task", TASKS)
def test_one_flipped_bit_is_refused(make, task):
    bundle = make(task)
    data = bytearray((bundle.folder / bundles.GOLDEN).read_bytes())
    data[-1] ^= 1
    (bundle.folder / bundles.GOLDEN).write_bytes(data)
    assert "wrong sha256" in refused(bundle)


def test_the_graph_is_checked_only_when_it_is_asked_for(make):
    bundle = make("lipsync")
    os.truncate(bundle.folder / bundles.ONNX, 3)
    again = bundles.load(bundle.folder)
    with pytest.raises(UserError, match="wrong sha256"):
        again.read(bundles.ONNX)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "absurd",
    [
        {"width": 1000},
        {"width": 0},
        {"width": -1.0},
        {"width": True},
        {"width": "1"},
        {"width": None},
        {"edge": 960},
        {"edge": 96.0},
        {"kind": "stylegan2"},
        {"layers": 3},
    ],
)
def test_an_absurd_network_is_refused_before_it_is_allocated(make, task, absurd, monkeypatch):
    bundle = make(task)
    change(bundle, network=bundle.manifest["network"] | absurd)
    monkeypatch.setattr(torch, "empty", lambda *_, **__: pytest.fail("allocated"))
    assert "network" in refused(bundle)


@pytest.mark.parametrize("task", TASKS)
def test_weights_narrower_than_the_manifest_says_are_refused_before_the_network_is_built(make, task, monkeypatch):
    bundle = make(task)
    change(bundle, network=bundle.manifest["network"] | {"width": 2.0})
    monkeypatch.setattr(bundles.kinds, "build", lambda *_: pytest.fail("built"))
    assert "not of one export" in refused(bundle)


def test_a_network_of_the_other_kind_under_a_right_manifest_is_refused(make):
    sync, lips = make("sync"), make("lipsync")
    data = (sync.folder / bundles.MODEL).read_bytes()
    (lips.folder / bundles.MODEL).write_bytes(data)
    change(lips, files=lips.manifest["files"] | {bundles.MODEL: hashlib.sha256(data).hexdigest()})
    assert "not of one export" in refused(lips)


@pytest.mark.parametrize(
    ("task", "changes", "named"),
    [
        ("sync", {"task": "juggle"}, "task 'juggle' is none of avatar, sync, lipsync, dance"),
        ("sync", {"task": "lipsync"}, "network kind 'syncnet' is unknown for lipsync"),
        ("sync", {"mel": None}, "`mel` must be dict"),
        ("sync", {"mel": {"padding": "wrap"}}, "mel padding 'wrap'"),
        ("lipsync", {"mel": {"padding": "reflect", "lead": 10**9}}, "mel lead 1000000000"),
        ("lipsync", {"mel": {"padding": "reflect", "lead": 0.5}}, "mel lead 0.5"),
        ("lipsync", {"expert": {"sha256": "abc"}}, "expert 'abc'"),
        ("lipsync", {"expert": "abc"}, "`expert` must be dict"),
    ],
)
def test_what_a_manifest_of_lips_must_say_is_named(make, task, changes, named):
    bundle = make(task)
    change(bundle, **changes)
    assert named in refused(bundle)


def replaced(bundle: bundles.Bundle, **tensors: torch.Tensor) -> bundles.Bundle:
    """The bundle with other golden tensors, and their right hash."""
    data = save(tensors)
    (bundle.folder / bundles.GOLDEN).write_bytes(data)
    files = bundle.manifest["files"] | {bundles.GOLDEN: hashlib.sha256(data).hexdigest()}
    return replace(bundle, manifest=bundle.manifest | {"files": files})


@pytest.mark.parametrize("count", [0, 65])
def test_golden_inputs_of_another_shape_or_too_many_are_refused(make, count):
    mel = torch.zeros(count, 80, 16)
    pictures = {name: torch.zeros(count, 96, 96, 3, dtype=torch.uint8) for name in ("target", "reference", "image")}
    with pytest.raises(UserError, match="no golden pictures"):
        replaced(make("lipsync"), mel=mel, **pictures).check()
    with pytest.raises(UserError, match="no golden features"):
        replaced(make("sync"), mel=mel).check()


def test_a_bundle_of_another_task_is_one_line_with_the_command_that_takes_it(make, shared_bundle):
    lips, sync = make("lipsync"), make("sync")
    with pytest.raises(UserError, match=r"is for lipsync .*dramatis lipsync.*one for avatar"):
        lips.generator()
    with pytest.raises(UserError, match="one for avatar"):
        sync.directions()
    with pytest.raises(UserError, match=r"is for avatar .*dramatis generate.*one for lipsync"):
        shared_bundle.require("lipsync")
    assert sync.require("sync") is sync


def test_avatars_asked_of_lips_are_one_line_on_the_command_line(make, capsys, monkeypatch, tmp_path):
    make("lipsync")
    monkeypatch.setenv("DRAMATIS_BUNDLES", str(tmp_path / "bundles"))
    monkeypatch.chdir(tmp_path)
    assert cli.run(["generate", "--bundle", "lipsync", "--seeds", "1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: bundle lipsync is for lipsync")
    assert not Path("avatars.png").exists()


def test_the_doctor_tells_experts_from_generators_and_when_lips_can_be_made(make, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(bundles, "places", lambda: [tmp_path / "bundles"])
    make("sync", provenance={"steps": 700})
    assert cli.run(["doctor"]) == 1  # which is about avatars
    printed = capsys.readouterr().out
    assert "sync expert 96x96 at width 0.02, 700 steps, a toy of the demo world" in printed
    assert "not ready to lip-sync" in printed
    make("lipsync")
    cli.run(["doctor"])
    printed = capsys.readouterr().out
    assert "lip-sync 96x96 at width 0.02" in printed
    assert "\nready to lip-sync" in printed


def test_the_published_networks_are_within_the_bounds():
    for kind in ("syncnet", "wav2lip"):
        low, high = manifest.BOUNDS[kind]["width"]
        assert low < 0.25 < 1.0 < high
