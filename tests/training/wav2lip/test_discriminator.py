"""The discriminator is the published one by name and shape, and judges lower halves alone."""

import torch
from torch import nn

from inference.networks.wav2lip import Wav2LipConfig
from training.wav2lip.discriminator import Discriminator

LITE = Wav2LipConfig(width=0.125)


def telling() -> Discriminator:
    """One that judges differently what differs: as it is built, it tells next to nothing apart."""
    torch.manual_seed(0)
    network = Discriminator(LITE)
    for weight in network.parameters():
        if weight.ndim == 4:
            nn.init.kaiming_normal_(weight)
    return network


def published() -> list[str]:
    layers = [f"face_encoder_blocks.{i}.{j}" for i, count in enumerate([1, 2, 2, 2, 2, 2, 2]) for j in range(count)]
    names = [f"{layer}.conv_block.0.{kind}" for layer in layers for kind in ("weight", "bias")]
    return [*names, "binary_pred.0.weight", "binary_pred.0.bias"]


def test_it_is_the_published_one_in_names_order_and_parameters():
    network = Discriminator(Wav2LipConfig())
    assert list(network.state_dict()) == published()
    assert len(network.state_dict()) == 28
    assert sum(parameter.numel() for parameter in network.parameters()) == 14_113_793
    assert network.state_dict()["face_encoder_blocks.1.0.conv_block.0.weight"].shape == (64, 32, 5, 5)
    assert network.state_dict()["face_encoder_blocks.6.1.conv_block.0.weight"].shape == (512, 512, 1, 1)


def test_it_judges_each_frame_time_major():
    network = telling()
    pictures = torch.rand(2, 3, 4, 96, 96)
    together = network(pictures)
    assert together.shape == (8, 1)
    assert together.std() > 0.01
    for place in range(8):
        alone = network(pictures[place % 2, :, place // 2][None, :, None])
        torch.testing.assert_close(together[place], alone[0], atol=1e-5, rtol=0)


def test_the_upper_half_does_not_count():
    pictures = torch.rand(1, 3, 1, 96, 96, requires_grad=True)
    Discriminator(LITE)(pictures).sum().backward()
    assert pictures.grad[..., :48, :].eq(0).all()
    assert pictures.grad[..., 48:, :].ne(0).any()


def test_it_gives_logits_on_both_sides_of_nought():
    network, pictures = telling(), torch.rand(1, 3, 2, 96, 96)
    with torch.no_grad():
        judged = network(pictures)
        for parameter in network.binary_pred.parameters():
            parameter.neg_()
        opposite = network(pictures)
    assert judged.abs().min() > 0.01
    torch.testing.assert_close(judged, -opposite)
