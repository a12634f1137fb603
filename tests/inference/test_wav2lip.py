"""The networks are the published ones by name and shape, and see the pictures that those saw."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from inference.networks.wav2lip import (
    Generator,
    SyncNet,
    Wav2LipConfig,
    face_input,
    fold,
    lower_half,
    sync_input,
    to_bgr,
    to_uint8,
)

LITE = Wav2LipConfig(width=0.125)
OF_A_CONVOLUTION = ("0.weight", "0.bias")
OF_A_NORM = ("1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked")


def block_names(prefix: str) -> list[str]:
    return [f"{prefix}.conv_block.{name}" for name in (*OF_A_CONVOLUTION, *OF_A_NORM)]


def published_generator() -> list[str]:
    face = [f"face_encoder_blocks.{i}.{j}" for i, count in enumerate([1, 3, 4, 3, 3, 2, 2]) for j in range(count)]
    sound = [f"audio_encoder.{i}" for i in range(13)]
    decoder = [f"face_decoder_blocks.{i}.{j}" for i, count in enumerate([1, 2, 3, 3, 3, 3, 3]) for j in range(count)]
    blocks = [name for prefix in (*face, *sound, *decoder, "output_block.0") for name in block_names(prefix)]
    return [*blocks, "output_block.1.weight", "output_block.1.bias"]


def published_expert() -> list[str]:
    prefixes = [f"face_encoder.{i}" for i in range(17)] + [f"audio_encoder.{i}" for i in range(14)]
    return [name for prefix in prefixes for name in block_names(prefix)]


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator(Wav2LipConfig())


@pytest.fixture(scope="module")
def expert() -> SyncNet:
    return SyncNet(Wav2LipConfig())


def trained(network: nn.Module) -> nn.Module:
    """Give it weights and the statistics of what passes through, so that every layer tells in the output."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
            module.momentum = 1
    network.train()
    pair = isinstance(network, SyncNet)
    network(sounds(8), sync_input(pictures(8, 5)) if pair else face_input(pictures(8), pictures(8)).transpose(0, 1))
    return network.eval().requires_grad_(False)


def sounds(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, 1, 80, 16, generator=torch.Generator().manual_seed(1))


def pictures(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (*shape, 96, 96, 3), dtype=np.uint8)


def test_the_generator_is_the_published_one_in_names_order_and_parameters(generator):
    assert list(generator.state_dict()) == published_generator()
    assert len(generator.state_dict()) == 352
    assert sum(parameter.numel() for parameter in generator.parameters()) == 36_298_035


def test_the_expert_is_the_published_one_in_names_order_and_parameters(expert):
    assert list(expert.state_dict()) == published_expert()
    assert len(expert.state_dict()) == 217
    assert sum(parameter.numel() for parameter in expert.parameters()) == 16_435_072


@pytest.mark.parametrize(
    ("layer", "shape", "stride", "padding"),
    [
        ("face_encoder_blocks.0.0", (16, 6, 7, 7), (1, 1), (3, 3)),
        ("face_encoder_blocks.5.0", (512, 256, 3, 3), (2, 2), (1, 1)),
        ("face_encoder_blocks.6.0", (512, 512, 3, 3), (1, 1), (0, 0)),
        ("face_encoder_blocks.6.1", (512, 512, 1, 1), (1, 1), (0, 0)),
        ("audio_encoder.3", (64, 32, 3, 3), (3, 1), (1, 1)),
        ("audio_encoder.9", (256, 128, 3, 3), (3, 2), (1, 1)),
        ("audio_encoder.11", (512, 256, 3, 3), (1, 1), (0, 0)),
        ("face_decoder_blocks.1.0", (1024, 512, 3, 3), (1, 1), (0, 0)),
        ("face_decoder_blocks.3.0", (768, 384, 3, 3), (2, 2), (1, 1)),
        ("face_decoder_blocks.6.0", (160, 64, 3, 3), (2, 2), (1, 1)),
        ("output_block.0", (32, 80, 3, 3), (1, 1), (1, 1)),
    ],
)
def test_a_layer_of_the_generator_has_the_published_shape(generator, layer, shape, stride, padding):
    convolution = generator.get_submodule(layer).conv_block[0]
    assert tuple(convolution.weight.shape) == shape
    assert (convolution.stride, convolution.padding) == (stride, padding)


@pytest.mark.parametrize(
    ("layer", "shape", "stride", "padding"),
    [
        ("face_encoder.0", (32, 15, 7, 7), (1, 1), (3, 3)),
        ("face_encoder.1", (64, 32, 5, 5), (1, 2), (1, 1)),
        ("face_encoder.4", (128, 64, 3, 3), (2, 2), (1, 1)),
        ("face_encoder.15", (512, 512, 3, 3), (1, 1), (0, 0)),
        ("audio_encoder.11", (256, 256, 3, 3), (1, 1), (1, 1)),
        ("audio_encoder.13", (512, 512, 1, 1), (1, 1), (0, 0)),
    ],
)
def test_a_layer_of_the_expert_has_the_published_shape(expert, layer, shape, stride, padding):
    convolution = expert.get_submodule(layer).conv_block[0]
    assert tuple(convolution.weight.shape) == shape
    assert (convolution.stride, convolution.padding) == (stride, padding)


@pytest.mark.parametrize("width", [0.1, 0.125, 0.25, 0.6])
def test_a_narrower_network_has_the_same_layers_of_multiples_of_eight_channels(width):
    config = Wav2LipConfig(width)
    for network, names in ((Generator(config), published_generator()), (SyncNet(config), published_expert())):
        state = network.state_dict()
        assert list(state) == names
        channels = {state[name].shape[0] for name in names if name.endswith("running_mean")}
        assert {count % 8 for count in channels} == {0}
    audio, faces = network.eval()(sounds(2), torch.rand(2, 15, 48, 96))
    assert audio.shape == faces.shape == (2, config.channels(512))


@pytest.mark.parametrize("wrong", [{"width": 0}, {"width": 99}, {"edge": 128}])
def test_another_edge_or_width_is_refused(wrong):
    with pytest.raises(ValueError, match="expected edge 96 and a width in"):
        Wav2LipConfig(**wrong)


def test_a_sequence_gives_its_frames_as_each_gives_alone():
    network = trained(Generator(LITE))
    mel, face = sounds(2, 3), face_input(pictures(2, 3), pictures(2, 3)[:, ::-1].copy())
    together = network(mel, face)
    assert together.shape == (2, 3, 3, 96, 96)
    for clip in range(2):
        for frame in range(3):
            alone = network(mel[clip, frame][None], face[clip, :, frame][None])
            torch.testing.assert_close(together[clip, :, frame], alone[0], atol=1e-5, rtol=0)


def test_a_sequence_is_folded_time_major():
    network, seen = Generator(LITE), []
    network.audio_encoder.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0][:, 0, 0, 0].tolist()))
    mel = torch.arange(6.0).reshape(2, 3, 1, 1, 1).expand(2, 3, 1, 80, 16)  # clip 0 is 0 1 2, clip 1 is 3 4 5
    network(mel, torch.rand(2, 6, 3, 96, 96))
    assert seen == [[0, 3, 1, 4, 2, 5]]


def test_generated_pictures_lie_between_black_and_white_and_move_with_the_sound():
    network = trained(Generator(LITE))
    face = face_input(pictures(4), pictures(4)).transpose(0, 1)
    found = network(sounds(4), face)
    assert ((found >= 0) & (found <= 1)).all()
    assert (found - network(sounds(4).flip(0), face)).abs().max() > 0.1


def test_embeddings_have_length_one_and_a_cosine_from_nought_to_one():
    audio, faces = trained(SyncNet(LITE))(sounds(8), torch.rand(8, 15, 48, 96))
    torch.testing.assert_close(audio.norm(dim=1), torch.ones(8))
    torch.testing.assert_close(faces.norm(dim=1), torch.ones(8))
    assert (audio @ faces.T >= 0).all()


def test_a_folded_network_draws_and_listens_the_same():
    generator, expert = trained(Generator(LITE)).double(), trained(SyncNet(LITE)).double()
    mel, face = sounds(2).double(), face_input(pictures(2), pictures(2)).transpose(0, 1).double()
    assert generator(mel, face).std() > 0.01
    torch.testing.assert_close(fold(generator)(mel, face), generator(mel, face), atol=1e-10, rtol=0)
    faces = sync_input(pictures(2, 5)).double()
    torch.testing.assert_close(fold(expert)(mel, faces), expert(mel, faces), atol=1e-10, rtol=0)


def test_in_single_precision_a_folded_network_draws_the_same_to_a_fiftieth_of_a_level():
    network = trained(Generator(LITE))
    inputs = sounds(2), face_input(pictures(2), pictures(2)).transpose(0, 1)
    torch.testing.assert_close(fold(network)(*inputs), network(*inputs), atol=0.02 / 255, rtol=0)


def test_folding_leaves_the_network_as_it_was_and_no_batch_norm_in_the_copy():
    network = Generator(LITE).train()
    before = copy.deepcopy(network.state_dict())
    folded = fold(network)
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert not any(parameter.requires_grad for parameter in folded.parameters())


def test_pictures_are_blue_green_red_inside():
    red = np.zeros((1, 2, 2, 3), np.uint8)
    red[..., 0] = 255
    assert to_bgr(red)[0, :, 0, 0].tolist() == [0, 0, 1]


def test_of_the_target_rows_48_on_are_black_and_the_reference_is_whole():
    target, reference = pictures(2), pictures(3)[1:]
    seen = face_input(target, reference)
    assert seen.shape == (6, 2, 96, 96)
    assert (seen[:3, :, 48:] == 0).all()
    np.testing.assert_array_equal(seen[:3, :, :48].permute(1, 2, 3, 0) * 255, target[:, :48, :, ::-1])
    np.testing.assert_array_equal(seen[3:].permute(1, 2, 3, 0) * 255, reference[..., ::-1])


def test_the_target_itself_is_not_blackened():
    target = pictures(2)
    before = target.copy()
    face_input(target, target)
    np.testing.assert_array_equal(target, before)


def test_a_batch_of_inputs_is_each_input():
    target, reference, frames = pictures(2, 3), pictures(2, 3)[::-1].copy(), pictures(2, 5)
    torch.testing.assert_close(face_input(target, reference)[1], face_input(target[1], reference[1]))
    torch.testing.assert_close(sync_input(frames)[1], sync_input(frames[1]))


def test_the_expert_sees_the_lower_halves_frame_after_frame():
    frames = pictures(5)
    seen = sync_input(frames)
    assert seen.shape == (15, 48, 96)
    np.testing.assert_array_equal(seen[3:6].permute(1, 2, 0) * 255, frames[1, 48:, :, ::-1])


def test_of_generated_pictures_the_expert_sees_the_same_rows_in_the_same_order():
    frames = pictures(2, 5)
    generated = to_bgr(frames).transpose(1, 2).requires_grad_()
    seen = lower_half(generated)
    torch.testing.assert_close(seen.detach(), sync_input(frames))
    seen.sum().backward()
    assert generated.grad[..., :48, :].eq(0).all()
    assert generated.grad[..., 48:, :].eq(1).all()


def test_every_level_survives_the_way_in_and_out():
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    np.testing.assert_array_equal(to_uint8(to_bgr(levels)), levels)


def test_levels_are_cut_off_and_kept_in_range():
    picture = torch.tensor([0.9999, -1.0, 2.0]).reshape(1, 3, 1, 1)
    assert to_uint8(picture).tolist() == [[[[255, 0, 254]]]]
