"""The networks that a bundle may hold, by the kind that its manifest names.

Bounds on what a manifest may ask for stand in `manifest.BOUNDS`; here is what is built of it. Imports of torch wait
until a network is asked for.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from inference.networks.dance import DanceConfig
    from inference.networks.dance_gan import ComposerConfig
    from inference.networks.stylegan2 import GeneratorConfig
    from inference.networks.wav2lip import Wav2LipConfig


def config(network: Mapping[str, Any]) -> "GeneratorConfig | Wav2LipConfig | DanceConfig | ComposerConfig":
    """Read the `network` of a checked manifest."""
    shape = {key: value for key, value in network.items() if key != "kind"}
    if network["kind"] == "stylegan2":
        from inference.networks.stylegan2 import GeneratorConfig

        return GeneratorConfig(**shape)
    if network["kind"] == "dance":
        from inference.networks.dance import DanceConfig

        return DanceConfig(**shape)
    if network["kind"] == "dance_gan":
        from inference.networks.dance_gan import ComposerConfig

        return ComposerConfig(**shape)
    from inference.networks.wav2lip import Wav2LipConfig

    return Wav2LipConfig(**shape)


def frame(kind: str, config: Any) -> dict[str, list[int]]:
    """Give the shapes of the weights that decide on a network's memory, and allocate none of them."""
    if kind == "stylegan2":
        return _stylegan2(config)
    import torch

    with torch.device("meta"):  # tensors without storage
        return {name: list(value.shape) for name, value in _class(kind)(config).state_dict().items()}


def build(kind: str, config: Any) -> "nn.Module":
    """Build the network with weights that are there to be overwritten; no draw is taken from the caller's generator."""
    import torch

    with torch.random.fork_rng(devices=[]):
        return _class(kind)(config)


def _class(kind: str) -> "type[nn.Module]":
    if kind == "stylegan2":
        from inference.networks import stylegan2

        return stylegan2.Generator
    if kind == "dance":
        from inference.networks import dance

        return dance.Denoiser
    if kind == "dance_gan":
        from inference.networks import dance_gan

        return dance_gan.Composer
    from inference.networks import wav2lip

    return {"wav2lip": wav2lip.Generator, "syncnet": wav2lip.SyncNet}[kind]


def _stylegan2(config: "GeneratorConfig") -> dict[str, list[int]]:
    """Give those of a StyleGAN2: drawing its constants on torch's meta device would take seconds of imports."""
    shapes = {f"mapping.fc{layer}.bias": [config.w_dim] for layer in range(config.mapping_layers)}
    for level in config.levels:
        channels = config.channels(level)
        shapes[f"synthesis.b{level}.conv1.weight"] = [channels, channels, 3, 3]
        shapes[f"synthesis.b{level}.conv1.noise_const"] = list(config.extent(level))
    return shapes
