"""The StyleGAN2 discriminator: picture -> one score.

The residual architecture of arXiv 1912.04958 with the minibatch standard deviation of arXiv 1710.10196; names and
shapes of the state dict are those of the published networks.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inference.networks.stylegan2 import (
    EPSILON,
    LRELU_GAIN,
    LRELU_SLOPE,
    GeneratorConfig,
    Linear,
    clamped,
    fir,
    normalise_second_moment,
    resample_filter,
)

LABEL_LAYERS = 8


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Shape of a discriminator; heights, widths and levels are those of the generator it judges."""

    pictures: GeneratorConfig
    channel_base: int
    channel_max: int
    mbstd_group: int = 4
    conv_clamp: float | None = None

    def channels(self, level: int) -> int:
        return min(self.channel_base // level, self.channel_max)


class Convolution(nn.Module):
    """A convolution with equalised learning rate, optionally halving the picture, bias and leaky ReLU after it.

    `gain` multiplies what the activation gives (its clamp too).
    """

    def __init__(
        self,
        fan_in: int,
        fan_out: int,
        kernel: int,
        down: bool = False,
        bias: bool = True,
        activate: bool = True,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_out, fan_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(fan_out)) if bias else None
        self.register_buffer("resample_filter", resample_filter())
        self.weight_gain = 1 / math.sqrt(fan_in * kernel * kernel)
        self.kernel, self.down, self.activate, self.conv_clamp = kernel, down, activate, conv_clamp

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        # Leaky ReLU passes a positive gain through: it goes to the weight and the bias, which are small.
        before = gain * LRELU_GAIN if self.activate else gain
        weight = (self.weight * (self.weight_gain * before)).to(x.dtype)
        bias = None if self.bias is None else (self.bias * before).to(x.dtype)
        if not self.down:
            x = F.conv2d(x, weight, bias, padding=self.kernel // 2)
        elif self.kernel == 1:
            x = F.conv2d(fir(x, self.resample_filter, pad=1, down=2), weight, bias)
        else:
            x = F.conv2d(fir(x, self.resample_filter, pad=2), weight, bias, stride=2)
        x = F.leaky_relu(x, LRELU_SLOPE) if self.activate else x
        return clamped(x, self.conv_clamp, gain)


class Block(nn.Module):
    """A level: two convolutions and a way around them; it halves height and width."""

    def __init__(self, config: DiscriminatorConfig, level: int) -> None:
        super().__init__()
        here, below = config.channels(level), config.channels(level // 2)
        clamp = config.conv_clamp
        if level == config.pictures.resolution:
            self.fromrgb = Convolution(config.pictures.image_channels, here, 1, conv_clamp=clamp)
        self.conv0 = Convolution(here, here, 3, conv_clamp=clamp)
        self.conv1 = Convolution(here, below, 3, down=True, conv_clamp=clamp)
        self.skip = Convolution(here, below, 1, down=True, bias=False, activate=False)
        self.register_buffer("resample_filter", resample_filter())

    def forward(self, x: Tensor) -> Tensor:
        if hasattr(self, "fromrgb"):
            x = self.fromrgb(x)
        around = self.skip(x, gain=math.sqrt(0.5))
        return self.conv1(self.conv0(x), gain=math.sqrt(0.5)) + around


def minibatch_standard_deviation(x: Tensor, group: int) -> Tensor:
    """Append a channel: the standard deviation over a group of pictures, averaged over all features (1710.10196, 3)."""
    count, channels, height, width = x.shape
    group = min(group, count)
    assert count % group == 0, f"{count} pictures do not fall into groups of {group}"
    deviation = x.reshape(group, -1, channels, height, width).var(dim=0, correction=0).add(EPSILON).sqrt()
    deviation = deviation.mean(dim=(1, 2, 3))[:, None, None, None]
    return torch.cat([x, deviation.repeat(group, 1, height, width)], dim=1)


class Epilogue(nn.Module):
    """Level 4: minibatch standard deviation, a convolution, two fully connected layers."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        channels = config.channels(4)
        height, width = config.pictures.extent(4)
        self.group = config.mbstd_group
        self.conv = Convolution(channels + 1, channels, 3, conv_clamp=config.conv_clamp)
        self.fc = Linear(channels * height * width, channels, activate=True)
        self.out = Linear(channels, channels if config.pictures.classes else 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(minibatch_standard_deviation(x, self.group))
        return self.out(self.fc(x.flatten(1)))


class LabelMapping(nn.Module):
    """Labels -> a direction in the space of the last features, on which the discriminator projects (1802.05637)."""

    def __init__(self, classes: int, features: int) -> None:
        super().__init__()
        self.classes = classes
        self.embed = Linear(classes, features)
        for position in range(LABEL_LAYERS):
            setattr(self, f"fc{position}", Linear(features, features, lr_multiplier=0.01, activate=True))

    def forward(self, labels: Tensor) -> Tensor:
        one_hot = F.one_hot(labels, self.classes).to(self.embed.weight.dtype)
        x = normalise_second_moment(self.embed(one_hot))
        for position in range(LABEL_LAYERS):
            x = getattr(self, f"fc{position}")(x)
        return x


class Discriminator(nn.Module):
    """Blocks from the resolution down to level 8, then the epilogue."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.levels = config.pictures.levels[:0:-1]
        for level in self.levels:
            setattr(self, f"b{level}", Block(config, level))
        self.b4 = Epilogue(config)
        if config.pictures.classes:
            self.mapping = LabelMapping(config.pictures.classes, config.channels(4))

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> Tensor:
        """pictures [N, C, H, W] about [-1, 1], N divisible by the minibatch group -> scores [N], high for real."""
        x = pictures
        for level in self.levels:
            x = getattr(self, f"b{level}")(x)
        x = self.b4(x)
        if self.config.pictures.classes:
            assert labels is not None, "this discriminator is conditional: give it labels"
            direction = self.mapping(labels)
            return (x * direction).sum(dim=1) / math.sqrt(direction.shape[1])
        return x.squeeze(1)
