"""The discriminator of picture quality that Wav2Lip can be trained against: it sees the lower half of single frames.

Names and shapes of the state dict are those of the published network.
"""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from inference.networks.wav2lip import Wav2LipConfig

LRELU_SLOPE = 0.01


class Block(nn.Module):
    """A convolution and LeakyReLU, without batch norm."""

    def __init__(self, fan_in: int, fan_out: int, kernel: int, stride: int | tuple[int, int], padding: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(nn.Conv2d(fan_in, fan_out, kernel, stride, padding))

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.conv_block(x), LRELU_SLOPE, inplace=True)


class Level(NamedTuple):
    """One convolution, and where `second` has a kernel, another of that many channels behind it."""

    channels: int  # at width 1
    kernel: int
    stride: int | tuple[int, int]
    padding: int
    second: int | None  # kernel


LEVELS = (
    Level(32, kernel=7, stride=1, padding=3, second=None),  # 48 x 96 px
    Level(64, kernel=5, stride=(1, 2), padding=2, second=5),  # 48 x 48
    Level(128, kernel=5, stride=2, padding=2, second=5),  # 24 x 24
    Level(256, kernel=5, stride=2, padding=2, second=5),  # 12 x 12
    Level(512, kernel=3, stride=2, padding=1, second=3),  # 6 x 6
    Level(512, kernel=3, stride=2, padding=1, second=3),  # 3 x 3
    Level(512, kernel=3, stride=1, padding=0, second=1),  # 1 x 1
)


class Discriminator(nn.Module):
    """Tell photographed from generated mouths."""

    def __init__(self, config: Wav2LipConfig) -> None:
        super().__init__()
        self.config = config
        self.face_encoder_blocks = nn.ModuleList()
        fan_in = 3
        for level in LEVELS:
            fan_out = config.channels(level.channels)
            blocks = [Block(fan_in, fan_out, level.kernel, level.stride, level.padding)]
            if level.second:
                blocks.append(Block(fan_out, fan_out, level.second, 1, level.second // 2))
            self.face_encoder_blocks.append(nn.Sequential(*blocks))
            fan_in = fan_out
        self.binary_pred = nn.Sequential(nn.Conv2d(fan_in, 1, kernel_size=1))

    def forward(self, pictures: Tensor) -> Tensor:
        """BGR [B, 3, T, 96, 96] -> logits [T * B, 1], time-major: their sigmoid is the published network's output."""
        x = pictures.transpose(1, 2).transpose(0, 1).flatten(0, 1)
        x = x[:, :, x.shape[2] // 2 :]
        for block in self.face_encoder_blocks:
            x = block(x)
        return self.binary_pred(x).flatten(1)
