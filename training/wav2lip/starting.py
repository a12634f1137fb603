"""Start a training from what was trained before, and bring the expert that judges a generator.

A source is a starter, a bundle or a run of ours (a folder, or its name in data/), or a file: a published checkpoint
(.pth) or safetensors. All tensors of a network are taken, or the training does not begin.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from inference import bundle
from inference import manifest as manifests
from inference.errors import UserError, one_line
from inference.networks.wav2lip import GENERATOR_AUDIO, Generator, SyncNet, Wav2LipConfig
from preprocessing.talkpacks import Talks
from training import provenance
from training.sources import Source, locate, sha256
from training.wav2lip import reference

TASKS = {"expert": "sync", "generator": "lipsync"}
WIDEST = {"sync": "audio_encoder.13.conv_block.0.weight", "lipsync": "audio_encoder.12.conv_block.0.weight"}
UNSTATED = provenance.UNSTATED
RESEARCH = "research and personal use only, as the README of Wav2Lip says of its weights, which are trained on LRS2"


def fill(networks: Mapping[str, nn.Module], start: str | None, init: str | None, key: str) -> Source | None:
    """Fill the first network, and the others where the source holds them; None where neither source is given."""
    if start and init:
        raise UserError(f"{key}.start={start} and init={init} are two beginnings: give one of them")
    if not start and not init:
        return None
    main, network = next(iter(networks.items()))
    if init:
        path = Path(init).expanduser()
        reference.load(network, path)
        return of_file(path)
    folder = locate(start, key)
    source = None
    for name, each in networks.items():
        if (file := _file(folder, name)).exists():
            found, state = read(folder, name)
            _load(each, state, str(file))
            source = source or found
        elif name == main:
            raise UserError(f"{start} holds no {file.name}: start from another, {key}.start=null trains from scratch")
    return source


def expert(source: str) -> tuple[SyncNet, Source]:
    """Bring the expert of a bundle, a run or a file, whatever its width: in eval mode, without gradients."""
    path = Path(source).expanduser()
    if path.is_file():
        found, state = of_file(path), reference.read(path)
    elif path.is_dir():
        found, state = read(path, "expert")
    else:
        raise UserError(f"wav2lip.expert: {source} is not there: train and export run=syncnet, or give a .pth")
    network = SyncNet(Wav2LipConfig(width_of(state, TASKS["expert"])))
    _load(network, state, source)
    return network.eval().requires_grad_(False), found


def hear_as(expert: SyncNet, generator: Generator) -> None:
    """Begin a generator's audio encoder as its expert's, which has learned already what is said when.

    Their blocks are the same but for one: of its residual blocks of 256 channels the expert has one more.
    """
    if expert.config != generator.config:
        widths = f"{expert.config.width:g} and {generator.config.width:g}"
        raise UserError(f"wav2lip.hear=expert: expert and generator are of width {widths}: give them the same")
    blocks = list(expert.audio_encoder)
    del blocks[sum(1 + layers.residuals for layers in GENERATOR_AUDIO[:4])]
    for own, learned in zip(generator.audio_encoder, blocks, strict=True):
        own.load_state_dict(learned.state_dict())


def read(folder: Path, network: str) -> tuple[Source, dict[str, Tensor]]:
    """Read a network from a bundle or a run; a bundle's hashes are checked."""
    file = _file(folder, network)
    if (folder / bundle.MANIFEST).is_file():
        opened = bundle.load(folder)
        if network in TASKS:
            opened.require(TASKS[network])
        kind = "starter" if bundle.DISCRIMINATOR in opened.manifest["files"] or opened.is_starter else "bundle"
        terms = opened.manifest["licences"].get("weights") or UNSTATED, opened.manifest["commercial"]
        return Source(kind, opened.name, sha256(file), *terms), opened.tensors(file.name)
    if not file.is_file():
        raise UserError(f"{folder} holds no {file.name}: train it anew, or give another")
    try:
        about = json.loads((folder / "run.json").read_bytes())
        terms = about.get("licence") or UNSTATED, about.get("commercial") is True
        return Source("run", folder.resolve().name, sha256(file), *terms), load_file(file)
    except (ValueError, AttributeError, SafetensorError) as error:
        raise UserError(f"{folder} is no whole run ({one_line(error, 120)}): train it anew") from None


def of_file(path: Path) -> Source:
    """Name a file that somebody brought, which allows no commerce: a pickle is held to be one of the published ones.

    Of safetensors nobody says what they were made of: ours are brought as runs and bundles.
    """
    licence = UNSTATED if path.suffix == ".safetensors" else RESEARCH
    return Source("file", path.name, sha256(path), licence, False)


def terms(talks: Talks, world: str, sources: Iterable[Source | None]) -> tuple[str, bool]:
    """Give the licence of what is trained, and whether it may be sold: no more freely than all that it was made of."""
    there = [source for source in sources if source]
    if world == "demo" and all(source.licence == provenance.RENDERED for source in there):
        return provenance.RENDERED, True
    licences = sorted({clip.licence or UNSTATED for clip in talks.clips})
    said = [f"as the talks allow: {', '.join(licences)}", *(f"as {each.said} allows: {each.licence}" for each in there)]
    return "; ".join(said), talks.commercial and all(source.commercial for source in there)


def _file(folder: Path, network: str) -> Path:
    in_bundle = network in TASKS and (folder / bundle.MANIFEST).is_file()
    return folder / (bundle.MODEL if in_bundle else f"{network}.safetensors")


def width_of(state: Mapping[str, Tensor], task: str) -> float:
    """Read a network's width off its widest layer of sound; 1 where that is not there, or is no width."""
    layer = state.get(WIDEST[task])
    width = len(layer) / 512 if layer is not None and layer.ndim else 1.0
    low, high = manifests.BOUNDS["wav2lip"]["width"]
    return width if low <= width <= high else 1.0


def _load(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    reference.fill(network, state, source, "; where it is the width, set width to that of the source")
