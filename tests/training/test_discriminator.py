"""The discriminator under the published names, and what its parts compute."""

import pytest
import torch

from inference.networks.stylegan2 import GeneratorConfig
from training.stylegan2.discriminator import (
    Convolution,
    Discriminator,
    DiscriminatorConfig,
    minibatch_standard_deviation,
)


def on_meta(resolution: int, base: int, most: int = 512) -> Discriminator:
    pictures = GeneratorConfig(resolution, resolution, base, most)
    with torch.device("meta"):
        return Discriminator(DiscriminatorConfig(pictures, base, most))


@pytest.mark.parametrize(
    ("resolution", "base", "most", "entries", "millions"),
    [
        *((64, 2048, 128, 46, 1.18), (64, 16384, 512, 46, 23.41), (128, 16384, 512, 55, 23.88)),
        *((256, 16384, 512, 64, 24.00), (256, 32768, 512, 64, 28.86), (512, 32768, 512, 73, 28.98)),
        (1024, 32768, 512, 82, 29.01),
    ],
)
def test_it_has_as_many_entries_and_parameters_as_the_published_one(resolution, base, most, entries, millions):
    network = on_meta(resolution, base, most)
    assert len(network.state_dict()) == entries
    assert round(sum(each.numel() for each in network.parameters()) / 1e6, 2) == millions


@pytest.mark.parametrize("classes", [0, 10])
@pytest.mark.parametrize("resolution", [64, 256, 512, 1024])
def test_the_names_are_the_published_ones_with_and_without_classes(resolution, classes):
    with torch.device("meta"):
        pictures = GeneratorConfig(resolution, resolution, 16384, 512, classes=classes)
        network = Discriminator(DiscriminatorConfig(pictures, 16384, 512))
    convolution = ("weight", "bias", "resample_filter")
    names = {f"b4.conv.{part}" for part in convolution} | {f"b{resolution}.fromrgb.{part}" for part in convolution}
    names |= {f"b4.{layer}.{part}" for layer in ("fc", "out") for part in ("weight", "bias")}
    for power in range(3, resolution.bit_length()):
        names |= {f"b{2**power}.{layer}.{part}" for layer in ("conv0", "conv1") for part in convolution}
        names |= {f"b{2**power}.{part}" for part in ("resample_filter", "skip.weight", "skip.resample_filter")}
    if classes:
        layers = ("embed", *(f"fc{layer}" for layer in range(8)))
        names |= {f"mapping.{layer}.{part}" for layer in layers for part in ("weight", "bias")}
    assert set(network.state_dict()) == names
    assert network.b4.out.weight.shape == (512 if classes else 1, 512)


def test_names_and_shapes_are_those_of_the_published_networks():
    shapes = {name: tuple(tensor.shape) for name, tensor in on_meta(256, 16384).state_dict().items()}
    assert shapes["b256.fromrgb.weight"] == (64, 3, 1, 1)
    assert shapes["b256.skip.weight"] == (128, 64, 1, 1)
    assert "b256.skip.bias" not in shapes
    assert "b128.fromrgb.weight" not in shapes
    assert shapes["b4.conv.weight"] == (512, 513, 3, 3)
    assert shapes["b4.fc.weight"] == (512, 512 * 16)
    assert shapes["b4.out.weight"] == (1, 512)


def test_groups_of_the_standard_deviation_are_strided():
    """Of 8 pictures in groups of 4, every other one is a group: where these are alike, it is that of nothing."""
    x = (torch.arange(8) % 2).float()[:, None, None, None].expand(8, 3, 2, 2)
    alike = minibatch_standard_deviation(x, 4)
    assert alike.shape == (8, 4, 2, 2)
    torch.testing.assert_close(alike[:, 3], torch.full((8, 2, 2), 1e-4))
    mixed = minibatch_standard_deviation(x[[0, 2, 4, 6, 1, 3, 5, 7]], 4)
    torch.testing.assert_close(mixed[:, 3], torch.full((8, 2, 2), 0.5))


def test_the_standard_deviation_is_biased_and_averaged_over_features():
    x = torch.randn(4, 5, 3, 3)
    expected = (x.var(dim=0, unbiased=False) + 1e-8).sqrt().mean()
    torch.testing.assert_close(minibatch_standard_deviation(x, 4)[2, 5, 1, 1], expected)


def test_a_halving_convolution_moves_nothing():
    torch.manual_seed(0)
    layer = Convolution(3, 4, 3, down=True, activate=False)
    layer.weight.data.copy_((layer.weight + layer.weight.flip(3)) / 2)
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(layer(x.flip(3)), layer(x).flip(3), rtol=1e-4, atol=1e-5)
    assert layer(x).shape == (2, 4, 4, 4)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (32, 16), (16, 32)])
def test_scores_are_one_a_picture_whatever_the_aspect(height, width):
    network = Discriminator(DiscriminatorConfig(GeneratorConfig(height, width, 128, 8), 128, 8, mbstd_group=2))
    assert network(torch.randn(4, 3, height, width)).shape == (4,)


def test_a_picture_scores_otherwise_as_another_class():
    pictures = GeneratorConfig(16, 16, 128, 8, classes=3)
    network = Discriminator(DiscriminatorConfig(pictures, 128, 8, mbstd_group=1))
    picture = torch.randn(1, 3, 16, 16).expand(2, -1, -1, -1)
    first, second = network(picture, torch.tensor([0, 1]))
    assert abs(float((first - second).detach())) > 1e-6
    with pytest.raises(AssertionError, match="give it labels"):
        network(picture)


def test_a_clamp_holds_after_the_activation_and_scales_with_the_gain_of_the_layer_alone():
    layer = Convolution(1, 1, 1, conv_clamp=0.5)
    far = layer(torch.full((1, 1, 2, 2), 100.0) * layer.weight.sign())
    assert far.max() == 0.5
    assert layer(torch.full((1, 1, 2, 2), 100.0) * layer.weight.sign(), gain=2.0).max() == 1.0
