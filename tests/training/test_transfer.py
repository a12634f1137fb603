"""A training starts from what fits of another, says what did not, and is left as it was where anything is wrong."""

import copy
import json
import struct
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference import bundle
from inference.errors import UserError
from inference.networks.stylegan2 import Generator, GeneratorConfig
from training.stylegan2.discriminator import Discriminator, DiscriminatorConfig
from training.stylegan2.transfer import load_into, shape


def networks(height: int = 16, width: int = 16, channel_max: int = 8) -> tuple[Generator, Generator, Discriminator]:
    """Build an untrained pair and its EMA."""
    generator = Generator(GeneratorConfig(height, width, 128, channel_max, z_dim=16, w_dim=16))
    discriminator = Discriminator(DiscriminatorConfig(generator.config, 128, channel_max))
    return generator, Generator(generator.config), discriminator


def write_run(folder: Path, height: int = 16, width: int = 16) -> tuple[Generator, Generator, Discriminator]:
    """Write the three networks as a training leaves them."""
    folder.mkdir(parents=True)
    trained = networks(height, width)
    for name, network in zip(("generator", "ema", "discriminator"), trained, strict=True):
        save_file(network.state_dict(), folder / f"{name}.safetensors")
    (folder / "run.json").write_text("{}")
    return trained


def same(network: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in network.state_dict().items())


@pytest.fixture
def run(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "data/runs/people")
    return tmp_path / "data/runs/people"


def test_a_run_of_the_same_shape_is_taken_over_whole(tmp_path):
    trained = write_run(tmp_path / "people")
    fresh = networks()
    report = load_into(*fresh, tmp_path / "people")
    assert all(map(same, fresh, trained))
    assert len(report.loaded) == sum(len(network.state_dict()) for network in fresh)
    assert (report.kind, report.name, report.missing + report.mismatched + report.unused) == ("run", "people", [])


def test_without_the_generator_in_training_both_start_from_the_ema(run):
    (run / "generator.safetensors").unlink()
    (run / "discriminator.safetensors").unlink()
    generator, ema, discriminator = networks()
    before = copy.deepcopy(discriminator)
    report = load_into(generator, ema, discriminator, "people")
    assert same(generator, ema)
    assert torch.equal(ema.synthesis.b4.const, load_file(run / "ema.safetensors")["synthesis.b4.const"])
    assert same(discriminator, before)
    assert report.missing == [f"discriminator.{name}" for name in discriminator.state_dict()]


def test_a_higher_resolution_takes_the_lower_levels_and_lists_the_new_one(run):
    generator, ema, discriminator = networks(32, 32)
    report = load_into(generator, ema, discriminator, "people")
    there = load_file(run / "ema.safetensors")
    assert all(torch.equal(ema.state_dict()[name], tensor) for name, tensor in there.items())
    assert {name.split(".")[2] for name in report.missing if name.startswith("ema.")} == {"b32"}
    assert "discriminator.b16.fromrgb.weight" in report.unused
    assert "missing" in report.summary()
    assert "\n" not in report.summary()


def test_another_aspect_keeps_all_but_the_constant_the_noise_and_one_layer_of_the_discriminator(run):
    report = load_into(*networks(16, 8), "people")
    names = {line.split(":")[0] for line in report.mismatched}
    assert "ema.synthesis.b4.const: (8, 4, 4) there, (8, 4, 2) here" in report.mismatched
    assert {name for name in names if name.startswith("discriminator.")} == {"discriminator.b4.fc.weight"}
    assert all(name.endswith(("const", "noise_const")) for name in names if not name.startswith("discriminator."))
    assert json.loads(json.dumps(report.record()))["mismatched"] == report.mismatched


def test_a_starter_in_half_precision_fills_networks_of_full_precision(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained = networks()
    write_starter(Path("data/starters/people"), trained)
    fresh = networks()
    report = load_into(*fresh, "people")
    weight = fresh[2].b16.fromrgb.weight
    assert report.kind == "starter"
    assert weight.dtype == torch.float32
    assert torch.equal(weight, trained[2].b16.fromrgb.weight.half().float())


def write_starter(folder: Path, trained: tuple[Generator, Generator, Discriminator]) -> None:
    config = asdict(trained[1].config)
    about = {"name": "people", "version": "1", "task": "avatar", "network": {"kind": "stylegan2", **config}}
    about |= {
        "precision": "float16",
        "licences": {"weights": "MIT"},
        "commercial": True,
        "demo": True,
        "subject": "face",
    }
    about |= {"provenance": {}, "metrics": {}, "created": ""}
    states = {bundle.MODEL: trained[1].state_dict(), bundle.DISCRIMINATOR: trained[2].state_dict()}
    folder.parent.mkdir(parents=True)
    bundle.write(folder, about, states)


def test_a_starter_goes_before_a_run_of_the_same_name(run):
    write_starter(run.parents[1] / "starters/people", networks())
    assert load_into(*networks(), "people").kind == "starter"
    assert load_into(*networks(), "data/runs/people").kind == "run"


def test_the_licence_of_a_source_goes_along(run):
    write_starter(run.parents[1] / "starters/faces", networks())
    assert (load_into(*networks(), "faces").licence, load_into(*networks(), "faces").commercial) == ("MIT", True)
    assert (load_into(*networks(), "people").licence, load_into(*networks(), "people").commercial) == (None, False)
    (run / "run.json").write_text('{"world": "demo", "started_from": null}')
    assert load_into(*networks(), "people").record()["licence"] == "Apache-2.0"
    (run / "run.json").write_text('{"world": "demo", "started_from": {"licence": "GPL-3.0"}}')
    assert load_into(*networks(), "people").commercial is False


def test_the_shape_of_a_source_is_told_by_its_record_and_by_the_channels_of_its_discriminator(run):
    config = GeneratorConfig(16, 16, 128, 8, z_dim=16, w_dim=16, conv_clamp=256)
    (run / "run.json").write_text(json.dumps({"network": asdict(config)}))
    told = shape("people")
    assert told["generator"]["mapping_layers"] == 2
    assert told["discriminator"] == {"channel_base": 128, "channel_max": 8, "conv_clamp": 256}
    for base, most in ((100, 20), (1000, 1000), (64, 4)):  # of each, the same networks come
        network = Discriminator(DiscriminatorConfig(config, base, most))
        save_file(network.state_dict(), run / "discriminator.safetensors")
        width = {key: value for key, value in shape("people")["discriminator"].items() if key != "conv_clamp"}
        again = Discriminator(DiscriminatorConfig(config, **width)).state_dict()
        assert {name: each.shape for name, each in network.state_dict().items()} == {
            name: each.shape for name, each in again.items()
        }
    (run / "run.json").write_text("{}")
    assert shape("people")["generator"] == {}


def test_networks_that_share_no_weight_are_refused_though_filters_and_colours_fit(run):
    strangers = networks(16, 16, channel_max=4)[0], Generator(GeneratorConfig(16, 16, 64, 4, 24, 24)), networks()[2]
    with pytest.raises(UserError, match=r"no weight of its generator fits .*\(16,\) there, \(24,\) here"):
        load_into(*strangers, "people")


def test_an_unknown_name_names_the_known_ones(run):
    with pytest.raises(UserError, match=r"'peple' is none of .* \(people\): train.start=null trains from scratch$"):
        load_into(*networks(), "peple")
    with pytest.raises(UserError, match=r"expected a run\.json or a bundle\.json"):
        load_into(*networks(), run.parent)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def lie_about_a_shape(file: Path) -> None:
    """Let the header promise more than there is."""
    data = file.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    header["b16.fromrgb.bias"]["shape"] = [1 << 40]
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def promise_a_huge_header(file: Path) -> None:
    file.write_bytes(struct.pack("<Q", 1 << 60) + file.read_bytes()[8:])


@pytest.mark.parametrize("harm", [cut, lie_about_a_shape, promise_a_huge_header])
def test_a_damaged_file_is_one_line_and_leaves_every_network_as_it_was(run, harm):
    harm(run / "discriminator.safetensors")
    fresh = networks()
    before = copy.deepcopy(fresh)
    with pytest.raises(UserError, match=r"discriminator.safetensors is no whole safetensors file") as error:
        load_into(*fresh, "people")
    assert "\n" not in str(error.value)
    assert all(map(same, fresh, before))


@pytest.mark.parametrize(
    ("value", "line"),
    [(torch.full((8,), torch.nan), "values that are not finite"), (torch.ones(8, dtype=torch.int64), "stored as I64")],
)
def test_values_that_are_no_weights_are_refused(run, value, line):
    state = load_file(run / "ema.safetensors")
    save_file(state | {"synthesis.b4.conv1.bias": value}, run / "ema.safetensors")
    with pytest.raises(UserError, match=f"synthesis.b4.conv1.bias .*{line}"):
        load_into(*networks(), "people")


def test_a_changed_byte_of_a_starter_is_found_by_its_hash(tmp_path):
    write_starter(tmp_path / "made/people", networks())
    file = tmp_path / "made/people" / bundle.DISCRIMINATOR
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(UserError, match="wrong sha256"):
        load_into(*networks(), tmp_path / "made/people")
