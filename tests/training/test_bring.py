"""A snapshot of the published trainer becomes a run: the same weights under the same names, and under its licence."""

import copy
import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hydra import compose, initialize_config_dir
from safetensors.torch import load_file
from torch import nn

from inference import bundle
from inference.errors import UserError
from inference.networks.stylegan2 import Generator, GeneratorConfig, latents
from training import export
from training.stylegan2 import bring, transfer
from training.stylegan2.discriminator import Discriminator, DiscriminatorConfig

CONF = Path(__file__).resolve().parents[2] / "conf"
SHAPE = {"channel_base": 64, "channel_max": 8}


class Kept:
    """A module as the published trainer pickles one: its class's name, its source text and its attributes."""

    def __init__(self, kind: str, state: dict) -> None:
        self.kind, self.state = kind, state

    def __reduce__(self):
        text = "raise SystemExit('this text must never run')"
        about = {"type": "class", "version": 6, "module_src": text, "class_name": self.kind, "state": self.state}
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (about,)


def keep(network: nn.Module, kind: str = "", **attributes) -> Kept:
    """Write a network of ours down as the published trainer writes its own."""
    modules = {name: keep(part) for name, part in network._modules.items()}
    known = {"activation": "lrelu", "conv_clamp": 256, "use_fp16": True, "bias_gain": getattr(network, "bias_gain", 1)}
    state = {"_parameters": network._parameters, "_buffers": network._buffers, "_modules": modules}
    return Kept(kind, state | known | attributes)


@pytest.fixture(autouse=True)
def published(tmp_path, monkeypatch):
    """Names that a snapshot refers to, for as long as one is written."""
    monkeypatch.chdir(tmp_path)
    for name in ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))

    def _reconstruct_persistent_obj(about):
        raise AssertionError("nothing may be called")

    class EasyDict(dict):
        pass

    for where, what in (("torch_utils.persistence", _reconstruct_persistent_obj), ("dnnlib.util", EasyDict)):
        what.__module__, what.__qualname__ = where, what.__name__
        setattr(sys.modules[where], what.__name__, what)


def networks(classes: int = 0) -> dict[str, nn.Module]:
    torch.manual_seed(classes)
    shape = GeneratorConfig(16, 16, **SHAPE, z_dim=8, w_dim=12, mapping_layers=3, classes=classes, conv_clamp=256)
    discriminator = Discriminator(DiscriminatorConfig(shape, **SHAPE, mbstd_group=2, conv_clamp=256))
    return {"G": Generator(shape), "G_ema": Generator(shape), "D": discriminator}


def snapshot(made: dict[str, nn.Module], flat: bool = False, change: Callable[[dict], None] | None = None) -> None:
    """Write networks as ADA's repository does, or, `flat`, as StyleGAN3's."""
    easy = sys.modules["dnnlib.util"].EasyDict
    kept = {}
    for name in ("G", "G_ema"):
        config = made[name].config
        widths = easy(SHAPE if flat else SHAPE | {"num_fp16_res": 4, "conv_clamp": 256})
        asked = easy(z_dim=config.z_dim, c_dim=config.classes, w_dim=config.w_dim, img_resolution=16, img_channels=3)
        whole = asked | {"mapping_kwargs": easy(num_layers=3)} | (widths if flat else {"synthesis_kwargs": widths})
        kept[name] = keep(made[name], "Generator", **asked, _init_args=(), _init_kwargs=easy(whole))
        parts = kept[name].state["_modules"]
        parts["synthesis"].state["_init_kwargs"] = widths
        parts["mapping"].state |= {"num_layers": 3, "w_avg_beta": 0.998 if flat else 0.995}
    kept["D"] = keep(made["D"], "Discriminator", _init_kwargs=easy(SHAPE))
    kept["D"].state["_modules"]["b4"].state["_modules"]["mbstd"] = Kept(
        "MinibatchStdLayer", {"_parameters": {}, "_buffers": {}, "_modules": {}, "group_size": 2}
    )
    content = {"training_set_kwargs": easy(path="faces.zip"), **kept, "augment_pipe": None}
    if change:
        change(content)
    Path("network.pkl").write_bytes(pickle.dumps(content))


def brought(name: str = "faces", file: str = "network.pkl") -> Path:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("training/stylegan2/bring", overrides=[f"bring.file={file}", f"bring.name={name}"])
    bring.main(config)
    return Path("data/runs") / name


@pytest.mark.parametrize(("classes", "flat"), [(0, False), (3, True)])
def test_a_snapshot_becomes_a_run_of_the_same_networks(classes, flat):
    made = networks(classes)
    snapshot(made, flat)
    run = brought()
    about = json.loads((run / "run.json").read_text())
    generator = Generator(GeneratorConfig(**about["network"]))
    generator.load_state_dict(load_file(run / "ema.safetensors"))
    labels = torch.tensor([0, 2]) if classes else None
    z = latents([1, 2], 8)
    assert torch.equal(generator(z, labels), made["G_ema"](z, labels))
    discriminator = Discriminator(DiscriminatorConfig(generator.config, **about["discriminator"]))
    discriminator.load_state_dict(load_file(run / "discriminator.safetensors"))
    pictures = torch.randn(2, 3, 16, 16)
    assert torch.equal(discriminator(pictures, labels), made["D"](pictures, labels))
    assert torch.equal(load_file(run / "generator.safetensors")["synthesis.b4.const"], made["G"].synthesis.b4.const)
    assert about["brought"]["w_avg_beta"] == (0.998 if flat else 0.995)
    assert about["network"]["conv_clamp"] == 256


def test_frozen_weights_are_buffers_under_the_same_names():
    made = networks()
    layer = made["D"].b16.fromrgb
    weight = layer._parameters.pop("weight")
    layer.register_buffer("weight", weight.detach())
    snapshot(made)
    assert torch.equal(load_file(brought() / "discriminator.safetensors")["b16.fromrgb.weight"], weight)


def test_what_is_trained_on_from_it_stays_under_its_licence():
    made = networks()
    snapshot(made)
    brought()
    report = transfer.load_into(*(copy.deepcopy(made[name]) for name in ("G", "G_ema", "D")), "faces")
    assert (report.licence, report.commercial) == (bring.LICENCE, False)
    assert not report.missing + report.mismatched + report.unused
    trained = {"world": "demo", "started_from": report.record()}
    folder = Path("data/runs/trained")
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(trained))
    (folder / "ema.safetensors").write_bytes(Path("data/runs/faces/ema.safetensors").read_bytes())
    again = transfer.locate("trained")
    assert bring.LICENCE in again.licence
    assert not again.commercial


def test_a_snapshot_of_the_average_alone_is_a_run_too():
    snapshot(networks(), change=lambda content: content.update(G=None, D=None))
    run = brought()
    assert not (run / "discriminator.safetensors").exists()
    assert json.loads((run / "run.json").read_text())["discriminator"] is None


def spoil(name: str, value: object) -> Callable[[dict], None]:
    """Change a weight or an attribute of the average generator."""

    def spoil(content: dict) -> None:
        *parts, last = name.split(".")
        module = content["G_ema"]
        for part in parts:
            module = module.state["_modules"][part]
        if last in module.state["_parameters"]:
            module.state["_parameters"][last] = value
        else:
            module.state[last] = value

    return spoil


def share_numbers(content: dict) -> None:
    blocks = content["G_ema"].state["_modules"]["synthesis"].state["_modules"]
    first, second = (blocks[name].state["_modules"]["conv1"].state["_parameters"] for name in ("b4", "b8"))
    first["bias"] = second["bias"]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (spoil("img_resolution", 1 << 40), "height is 1099511627776, expected 8 to 2048"),
        (spoil("img_resolution", 32), "b32"),
        (spoil("img_resolution", 24), "pictures of 24 pixels and 3 channels"),
        (spoil("z_dim", "8"), "z_dim is '8'"),
        (spoil("synthesis.b16.conv1.activation", "relu"), "the activation is 'relu'"),
        (spoil("mapping.fc0.bias_gain", 1.0), "learns at another rate"),
        (spoil("synthesis.b8.conv1.weight", torch.zeros(2, 2)), r"synthesis.b8.conv1.weight is \(2, 2\), expected"),
        (spoil("synthesis.b8.conv1.weight", None), "1 tensors do not belong, synthesis.b8.conv1.weight is missing"),
        (spoil("synthesis.b8.conv1.bias", torch.full((8,), torch.nan)), "not finite"),
        (share_numbers, "two tensors share their numbers"),
        (spoil("_modules", {"synthesis": Kept("SynthesisNetwork", {})}), "another architecture"),
    ],
)
def test_another_architecture_is_told_in_one_line(change, line):
    snapshot(networks(), change=change)
    with pytest.raises(UserError, match=line) as told:
        brought()
    assert "\n" not in str(told.value)
    assert not Path("data/runs/faces").exists()


def test_a_training_of_ones_own_is_never_replaced():
    snapshot(networks())
    brought()
    brought()
    Path("data/runs/faces/run.json").write_text('{"run": "stylegan2"}')
    with pytest.raises(UserError, match="a training of your own: give another"):
        brought()
    with pytest.raises(UserError, match=r"bring\.name"):
        brought("../faces")


def test_a_pickle_without_networks_and_a_file_that_is_not_there_are_told():
    Path("network.pkl").write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(UserError, match=r"holds no network G_ema \(weights\)"):
        brought()
    with pytest.raises(UserError, match=r"other\.pkl is not there"):
        brought(file="other.pkl")


def test_it_is_exported_as_what_nobody_may_sell():
    made = networks()
    snapshot(made)
    brought()
    overrides = ["corpus=portrait", "profile=tiny", "wandb.mode=disabled", "export.run=faces", "export.name=faces"]
    overrides += ["export.directions.samples=100", "export.directions.count=2", "export.preview.avatars=2"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        export.main(compose("training/export", overrides))
        with pytest.raises(UserError, match="a starter is of this project's own training"):
            export.main(compose("training/export", [*overrides, "export.starter=true"]))
    exported = bundle.load(Path("data/exported/faces"))
    z = latents([1], 8)
    assert torch.equal(exported.generator()(z), made["G_ema"](z))
    assert exported.manifest["licences"]["weights"] == bring.LICENCE
    assert exported.manifest["commercial"] is False
    card = (exported.folder / "README.md").read_text()
    assert "network.pkl" in card
    assert "Commercial use: no" in card
    assert "None" not in card
