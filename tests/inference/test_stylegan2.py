"""The generator computes what its papers say, under the names and shapes of the published networks."""

import math

import pytest
import torch
import torch.nn.functional as F

from inference.networks import stylegan2
from inference.networks.stylegan2 import Generator, GeneratorConfig, SynthesisLayer

SMALL = GeneratorConfig(32, 32, channel_base=128, channel_max=8, z_dim=6, w_dim=5)


@pytest.fixture
def generator() -> Generator:
    """A small one, in which noise, biases and truncation do something."""
    torch.manual_seed(1)
    built = Generator(SMALL).requires_grad_(False).eval()
    for name, parameter in built.named_parameters():
        if name.endswith(("bias", "noise_strength")):
            parameter.add_(torch.randn(parameter.shape) * 0.3)
    built.mapping.w_avg.normal_()
    return built


def z(count: int = 3) -> torch.Tensor:
    return stylegan2.latents(range(count), SMALL.z_dim)


def on_meta(resolution: int, base: int, most: int = 512, layers: int = 2) -> Generator:
    with torch.device("meta"):
        return Generator(GeneratorConfig(resolution, resolution, base, most, mapping_layers=layers))


@pytest.mark.parametrize(("resolution", "base", "entries"), [(256, 16384, 144), (1024, 32768, 182)])
def test_a_state_dict_has_as_many_entries_as_the_published_one(resolution, base, entries):
    assert len(on_meta(resolution, base, layers=8).state_dict()) == entries


def published_names(resolution: int, layers: int, conditional: bool) -> set[str]:
    """Write down the names of the published state dict."""
    affine = ("affine.weight", "affine.bias")
    convolution = ("weight", "bias", "noise_strength", "noise_const", "resample_filter", *affine)
    names = {"mapping.w_avg", "synthesis.b4.const"}
    names |= {f"mapping.fc{layer}.{part}" for layer in range(layers) for part in ("weight", "bias")}
    if conditional:
        names |= {"mapping.embed.weight", "mapping.embed.bias"}
    for power in range(2, resolution.bit_length()):
        block = f"synthesis.b{2**power}"
        names |= {f"{block}.resample_filter", *(f"{block}.torgb.{part}" for part in ("weight", "bias", *affine))}
        for layer in ("conv0", "conv1") if power > 2 else ("conv1",):
            names |= {f"{block}.{layer}.{part}" for part in convolution}
    return names


@pytest.mark.parametrize("classes", [0, 10])
@pytest.mark.parametrize(("resolution", "base"), [(64, 16384), (256, 16384), (512, 32768), (1024, 32768)])
def test_the_names_are_the_published_ones_with_and_without_classes(resolution, base, classes):
    with torch.device("meta"):
        network = Generator(GeneratorConfig(resolution, resolution, base, 512, mapping_layers=8, classes=classes))
    assert set(network.state_dict()) == published_names(resolution, 8, bool(classes))
    with torch.device("meta"):
        plain = Generator(GeneratorConfig(resolution, resolution, base, 512, mapping_layers=8))
    more, few = (sum(each.numel() for each in one.parameters()) for one in (network, plain))
    assert more - few == (512 * 10 + 512 + 512 * 512 if classes else 0)  # the embedding, and where it enters


@pytest.mark.parametrize(
    ("resolution", "base", "most", "layers", "millions"),
    [
        *((64, 2048, 128, 2, 2.13), (64, 16384, 512, 2, 22.24), (128, 16384, 512, 2, 22.95)),
        *((256, 16384, 512, 2, 23.19), (256, 16384, 512, 8, 24.77), (256, 32768, 512, 8, 30.03)),
        *((512, 32768, 512, 8, 30.28), (1024, 32768, 512, 8, 30.37)),
    ],
)
def test_a_generator_has_as_many_parameters_as_the_published_one(resolution, base, most, layers, millions):
    network = on_meta(resolution, base, most, layers)
    assert round(sum(each.numel() for each in network.parameters()) / 1e6, 2) == millions


def test_names_and_shapes_are_those_of_the_published_networks():
    shapes = {name: tuple(tensor.shape) for name, tensor in on_meta(256, 16384).state_dict().items()}
    assert shapes["mapping.fc0.weight"] == (512, 512)
    assert shapes["mapping.w_avg"] == (512,)
    assert shapes["synthesis.b4.const"] == (512, 4, 4)
    assert shapes["synthesis.b4.conv1.noise_strength"] == ()
    assert shapes["synthesis.b256.conv0.weight"] == (64, 128, 3, 3)
    assert shapes["synthesis.b256.conv0.affine.bias"] == (128,)
    assert shapes["synthesis.b256.conv1.noise_const"] == (256, 256)
    assert shapes["synthesis.b256.torgb.weight"] == (3, 64, 1, 1)
    assert "synthesis.b4.conv0.weight" not in shapes


def test_a_demodulated_convolution_is_one_with_the_weights_of_each_picture(generator):
    layer = generator.synthesis.b8.conv1
    x, w = torch.randn(3, 8, 8, 8), torch.randn(3, 5)
    rows = []
    for one, style in zip(x, layer.affine(w), strict=True):
        weight = layer.weight * style[None, :, None, None]
        weight = weight / weight.square().sum(dim=(1, 2, 3), keepdim=True).add(1e-8).sqrt()
        rows.append(F.leaky_relu(F.conv2d(one[None], weight, layer.bias, padding=1), 0.2) * math.sqrt(2))
    torch.testing.assert_close(layer(x, w, "none", None), torch.cat(rows), rtol=1e-4, atol=1e-5)


def test_a_doubling_convolution_puts_zeros_between_pixels_and_filters_them():
    x, weight, style = torch.randn(2, 3, 5, 4), torch.randn(6, 3, 3, 3), torch.randn(2, 3)
    between = torch.zeros(2, 3, 9, 7)
    between[:, :, ::2, ::2] = x * style[:, :, None, None]
    wide = F.conv2d(between, weight.flip(2, 3), padding=2)
    taps = torch.tensor([1.0, 3, 3, 1])
    kernel = (torch.outer(taps, taps) / 64 * 4).expand(6, 1, 4, 4)
    expected = F.conv2d(wide, kernel, padding=1, groups=6)
    found = stylegan2.modulated_convolution(x, weight, style, stylegan2.resample_filter())
    assert found.shape == (2, 6, 10, 8)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_doubling_a_picture_moves_nothing_and_keeps_its_brightness():
    x = torch.randn(1, 3, 6, 6)
    kernel = stylegan2.resample_filter()
    doubled = stylegan2.upsample(x, kernel)
    torch.testing.assert_close(stylegan2.upsample(x.flip(3), kernel), doubled.flip(3))
    flat = stylegan2.upsample(torch.ones(1, 1, 6, 6), kernel)
    torch.testing.assert_close(flat[:, :, 1:-1, 1:-1], torch.ones(1, 1, 10, 10))


def test_the_scale_of_z_does_not_matter(generator):
    torch.testing.assert_close(generator.mapping(z() * 7), generator.mapping(z()), rtol=1e-4, atol=1e-5)


def test_every_layer_hears_the_w_of_its_own():
    """Only the last w, which ToRGB alone hears, leaves the features of all levels as they are."""
    torch.manual_seed(0)
    network = Generator(SMALL).requires_grad_(False)
    ws = network.broadcast(network.mapping(z(1)))
    before = network.synthesis(ws, "none")
    changes = []
    for layer in range(SMALL.num_ws):
        other = ws.clone()
        other[:, layer] += 1
        changes.append(float((network.synthesis(other, "none") - before).abs().max()))
    assert len(changes) == 8
    assert min(changes) > 1e-3


def test_truncation_pulls_the_first_layers_to_the_average(generator):
    ws = generator.broadcast(generator.mapping(z()))
    assert generator.truncate(ws, 1) is ws
    average = generator.mapping.w_avg.expand_as(ws)
    torch.testing.assert_close(generator.truncate(ws, 0), average)
    half = generator.truncate(ws, 0.5, cutoff=3)
    torch.testing.assert_close(half[:, :3], (ws[:, :3] + average[:, :3]) / 2)
    assert torch.equal(half[:, 3:], ws[:, 3:])


def test_the_average_w_moves_a_two_hundredth_of_the_way(generator):
    before, mean = generator.mapping.w_avg.clone(), torch.ones(5)
    generator.mapping.track(mean)
    torch.testing.assert_close(generator.mapping.w_avg, before + (mean - before) * 0.005)


def test_noise_is_drawn_from_the_generator_given_or_constant_or_none(generator):
    ws = generator.broadcast(generator.mapping(z()))

    def made(noise: str, seed: int) -> torch.Tensor:
        return generator.synthesis(ws, noise, torch.Generator().manual_seed(seed))

    assert torch.equal(made("random", 1), made("random", 1))
    assert not torch.equal(made("random", 1), made("random", 2))
    assert torch.equal(made("const", 1), made("const", 2))
    assert not torch.equal(made("none", 1), made("const", 1))
    with pytest.raises(AssertionError, match="no noise of the kind"):
        made("loud", 1)


@pytest.mark.parametrize(("height", "width", "constant"), [(32, 16, (4, 2)), (16, 32, (2, 4)), (32, 8, (4, 1))])
def test_the_aspect_comes_from_the_constant_alone(height, width, constant):
    network = Generator(GeneratorConfig(height, width, 128, 8, z_dim=6, w_dim=5))
    assert network(z(2)).shape == (2, 3, height, width)
    assert tuple(network.synthesis.b4.const.shape[1:]) == constant
    square = Generator(SMALL).state_dict()
    different = {name for name, each in network.state_dict().items() if each.shape != square[name].shape}
    assert {name.rpartition(".")[2] for name in different} == {"const", "noise_const"}


def test_classes_make_other_pictures_of_the_same_z():
    network = Generator(GeneratorConfig(16, 16, 128, 8, z_dim=6, w_dim=5, classes=3))
    pictures = network(z(1).expand(2, -1), torch.tensor([0, 2]))
    assert network.mapping.fc0.weight.shape == (5, 11)
    assert not torch.allclose(pictures[0], pictures[1])
    with pytest.raises(AssertionError, match="give it labels"):
        network(z(1))


def test_layers_start_with_what_keeps_the_variance():
    torch.manual_seed(0)
    config = GeneratorConfig(64, 64, 4096, 64, w_dim=16)
    layer = SynthesisLayer(config, 64, 64)
    out = layer(torch.randn(4, 64, 64, 64), torch.randn(4, 16), "none", None)
    assert 0.9 < float(out.square().mean()) < 1.2


def test_pictures_become_bytes_as_published():
    pictures = torch.tensor([-1.5, -1.0, 0.0, 1.0, 2.0]).reshape(1, 1, 1, 5)
    assert stylegan2.to_uint8(pictures).flatten().tolist() == [0, 0, 128, 255, 255]


def test_what_is_transparent_lies_on_white():
    """Alpha 1, 1/2 and 0 of red, whose colours are multiplied by it."""
    alpha = torch.tensor([1.0, 0.5, 0.0])
    red = torch.stack([alpha, alpha * 0, alpha * 0, alpha]) * 2 - 1
    shown = stylegan2.to_uint8(red.reshape(1, 4, 1, 3))
    assert shown[0, 0].tolist() == [[255, 0, 0], [255, 128, 128], [255, 255, 255]]


def test_a_clamp_holds_after_the_activation_and_its_gain():
    config = GeneratorConfig(8, 8, 32, 4, z_dim=4, w_dim=4, conv_clamp=0.25)
    layer = SynthesisLayer(config, 4, 8)
    assert layer(100 * torch.randn(2, 4, 8, 8), torch.randn(2, 4), "none", None).max() == 0.25
