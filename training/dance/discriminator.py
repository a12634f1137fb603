"""The discriminator of the GAN baseline: is this dance a dance, and is it one to this music?"""

import torch
from torch import Tensor, nn

from inference.motion.clip import VECTOR
from inference.networks.dance import LOUDEST, MUSIC

LRELU_SLOPE = 0.2
KERNEL = 5  # frames
STRIDES = (1, 2, 2, 2)  # it sees 1.5 s at each of its places


class Discriminator(nn.Module):
    """Judge each stretch of a dance and its music by themselves."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers, fan_in = [], 2 * VECTOR + MUSIC
        for number, stride in enumerate(STRIDES):
            fan_out = width * (1 + number)
            layers += [nn.Conv1d(fan_in, fan_out, KERNEL, stride, KERNEL // 2), nn.LeakyReLU(LRELU_SLOPE)]
            fan_in = fan_out
        self.layers = nn.Sequential(*layers, nn.Conv1d(fan_in, 1, 1))

    def forward(self, motion: Tensor, music: Tensor) -> Tensor:
        """motion [B, T, 151] and music [B, T, 37] in units of deviation -> what is said of each stretch, [B, T / 8]."""
        change = 10 * motion.diff(dim=1, prepend=motion[:, :1])  # by which a dance that trembles is told
        seen = torch.cat([motion, change, music.clamp(-LOUDEST, LOUDEST)], -1)
        return self.layers(seen.transpose(1, 2))[:, 0]
