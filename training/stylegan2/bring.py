"""Bring in a snapshot of NVIDIA's StyleGAN2 (.pkl) that a user has, as a run to start from, to measure and to export.

    python -m training.stylegan2.bring bring.file=network-snapshot-025000.pkl bring.name=ffhq
    python -m training.train corpus=portrait profile=gpu train.start=data/runs/ffhq
    python -m training.export corpus=portrait export.run=ffhq export.name=ffhq

Snapshots of StyleGAN2-ADA (PyTorch) and of StyleGAN2 as StyleGAN3's repository trains it are read; nothing in them is
executed. What comes of one stays under NVIDIA's licence, as does what is trained on from it.
"""

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from pydantic import Field
from torch import Tensor, nn

from inference.errors import UserError, one_line
from inference.manifest import BOUNDS
from inference.networks.stylegan2 import Generator, GeneratorConfig
from inference.strangers import plain
from scraping import stage
from training import provenance, record, runs, sources
from training.stylegan2 import pickles
from training.stylegan2.discriminator import Discriminator, DiscriminatorConfig
from training.stylegan2.pickles import Record

LICENCE = "NVIDIA Source Code License, non-commercial"
NETWORKS = {"generator": "G", "ema": "G_ema", "discriminator": "D"}  # as they are called here and there
WIDTH = {"channel_base": 32768, "channel_max": 512}  # where the snapshot leaves it at the default
LR_MULTIPLIER = 0.01  # of the mapping
MOST_GROUP = 1024


class Settings(stage.Settings):
    file: str
    name: str = Field(pattern=r"^[\w=,+-][\w.=,+-]*$")


@stage.command("training/stylegan2/bring")
def main(config: DictConfig) -> None:
    settings = stage.settings(config, "bring", Settings)
    file, target = Path(settings.file).expanduser(), runs.DATA / "runs" / settings.name
    _refuse_to_replace(target)
    records = records_of(pickles.read(file), file)
    networks = networks_of(records, file)
    sha256 = sources.sha256(file)
    with stage.work("bring", settings.name, "brought", sha256[:16]) as folder:
        (folder / "live").mkdir(exist_ok=True)
        runs.publish(networks, describe(networks, records, file, sha256, settings.name), folder, target)
    shape = networks["ema"].config
    width = f"channels {shape.channel_base}/level up to {shape.channel_max}, {shape.mapping_layers} layers of mapping"
    print(f"{target}: {', '.join(networks)} of {shape.width}x{shape.height} pixels, {width}; {LICENCE}", flush=True)


def _refuse_to_replace(target: Path) -> None:
    """Replace what was brought before, never what was trained."""
    try:
        was_brought = not target.exists() or "brought" in json.loads((target / "run.json").read_bytes())
    except (OSError, ValueError):
        was_brought = False
    if not was_brought:
        raise UserError(f"{target} holds a training of your own: give another bring.name")


def records_of(content: dict[str, Any], file: Path) -> dict[str, Record]:
    """Give the networks of a snapshot by our names; the average generator must be there."""
    found = {name: content[theirs] for name, theirs in NETWORKS.items() if isinstance(content.get(theirs), Record)}
    if "ema" not in found:
        there = plain(", ".join(map(str, content)))[:80]
        raise UserError(f"{file} holds no network G_ema ({there}): {pickles.EXPECTED}")
    return found


def networks_of(records: dict[str, Record], file: Path) -> dict[str, nn.Module]:
    """Build the networks and fill them: every tensor of a network and no other, each of its shape, all finite.

    Raises `UserError` for another architecture: StyleGAN3, other blocks, layers or activations.
    """
    try:
        config = generator_config(records["ema"])
        built = {}
        for name, network in records.items():
            with torch.device("meta"):
                built[name] = Discriminator(judge(network, config)) if name == "discriminator" else Generator(config)
        # All are compared before anything of such a size is allocated.
        states = {name: fitting(built[name], state_of(network)) for name, network in records.items()}
    except pickles.BROKEN as error:
        why = plain(one_line(error, 160))
        raise UserError(f"{file} is of another architecture than StyleGAN2 ({why}): {pickles.EXPECTED}") from None
    for name, network in built.items():
        network.load_state_dict(states[name], assign=True)
    return built


def generator_config(generator: Record) -> GeneratorConfig:
    """Read the shape of a generator from the arguments that it was made with; widths stand with its synthesis.

    ADA's snapshots nest the arguments of the synthesis in those of the generator and StyleGAN3's do not, but both hand
    them on to the synthesis, which keeps its own.
    """
    mapping, synthesis = (generator.parts("modules")[name] for name in ("mapping", "synthesis"))
    resolution = generator.state["img_resolution"]
    shape = {
        "height": resolution,
        "width": resolution,
        "z_dim": generator.state["z_dim"],
        "w_dim": generator.state["w_dim"],
        "mapping_layers": mapping.state["num_layers"],
        "image_channels": generator.state["img_channels"],
        "classes": generator.state["c_dim"],
        **width(synthesis),
    }
    for name, value in shape.items():
        low, high = BOUNDS["stylegan2"][name]
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{name} is {value!r}, expected {low} to {high}")
    if resolution & (resolution - 1) or shape["image_channels"] != 3:
        raise ValueError(f"pictures of {resolution} pixels and {shape['image_channels']} channels")
    if mapping.parts("modules")["fc0"].state["bias_gain"] != LR_MULTIPLIER:
        raise ValueError(f"the mapping learns at another rate than {LR_MULTIPLIER}")
    last = synthesis.parts("modules")[f"b{resolution}"].parts("modules")["conv1"]
    return GeneratorConfig(**shape, conv_clamp=clamp(last))


def judge(discriminator: Record, pictures: GeneratorConfig) -> DiscriminatorConfig:
    """Read the shape of a discriminator."""
    epilogue = discriminator.parts("modules")["b4"].parts("modules")
    group = epilogue["mbstd"].state["group_size"]
    if type(group) is not int or not 1 <= group <= MOST_GROUP:
        raise ValueError(f"groups of {group!r} pictures")
    shape = width(discriminator)
    return DiscriminatorConfig(pictures, **shape, mbstd_group=group, conv_clamp=clamp(epilogue["conv"]))


def width(network: Record) -> dict[str, int]:
    asked = network.state["_init_kwargs"]
    return {name: asked.get(name, default) for name, default in WIDTH.items()}


def clamp(layer: Record) -> float | None:
    """Read the clamp of a layer, which all of a network share; the activation is looked at on the way."""
    if layer.state["activation"] != "lrelu":
        raise ValueError(f"the activation is {layer.state['activation']!r}")
    value = layer.state["conv_clamp"]
    if value is not None and not (type(value) in (int, float) and value > 0):
        raise ValueError(f"conv_clamp is {value!r}")
    return value


def state_of(network: Record) -> dict[str, Tensor]:
    """Give a network's parameters and buffers under the names of its state dict; frozen weights are buffers."""
    return dict(_tensors(network))


def _tensors(network: Record) -> Iterator[tuple[str, Tensor]]:
    """Walk a network; a module that stands in two places would be walked for ever, or nearly."""
    waiting, met = [("", network)], set()
    while waiting:
        prefix, module = waiting.pop()
        if id(module) in met:
            raise ValueError("a module stands in two places")
        met.add(id(module))
        for name, tensor in (module.parts("parameters") | module.parts("buffers")).items():
            yield f"{prefix}{name}", tensor
        waiting += [(f"{prefix}{name}.", part) for name, part in module.parts("modules").items()]


def fitting(network: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Compare tensors with the network's names and shapes, and give them in its own precision, each by itself."""
    own = network.state_dict()
    if strange := sorted(own.keys() ^ state.keys()):
        known = "missing" if strange[0] in own else "unknown"
        raise ValueError(f"{len(strange)} tensors do not belong, {strange[0]} is {known}")
    if len({tensor.untyped_storage().data_ptr() for tensor in state.values()}) < len(state):
        raise ValueError("two tensors share their numbers")
    for name, tensor in state.items():
        if tensor.shape != own[name].shape:
            raise ValueError(f"{name} is {tuple(tensor.shape)}, expected {tuple(own[name].shape)}")
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} holds values that are not finite")
    return {name: tensor.to(own[name].dtype).contiguous() for name, tensor in state.items()}


def describe(
    networks: dict[str, nn.Module], records: dict[str, Record], file: Path, sha256: str, name: str
) -> dict[str, Any]:
    """Say what was brought, as run.json: nothing is known of pictures, kimg and settings, which a snapshot leaves out.

    Names no path of this machine.
    """
    parts = records["ema"].parts("modules")
    blocks = parts["synthesis"].parts("modules").values()
    judged = networks.get("discriminator")
    return {
        "schema": record.SCHEMA,
        "run": "stylegan2",
        "brought": {
            "file": file.name,
            "sha256": sha256,
            "half_precision_levels": sum(bool(block.state["use_fp16"]) for block in blocks),
            "w_avg_beta": parts["mapping"].state["w_avg_beta"],
        },
        "network": dataclasses.asdict(networks["ema"].config),
        "discriminator": judged and {key: getattr(judged.config, key) for key in (*WIDTH, "mbstd_group", "conv_clamp")},
        "licence": LICENCE,
        "commercial": False,
        "kimg": None,
        "data": None,
        "started_from": None,
        "command": f"python -m training.stylegan2.bring bring.file={file.name} bring.name={name}",
        "git": provenance.revision(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


if __name__ == "__main__":
    main()
