"""The StyleGAN2 generator: z -> mapping -> w -> synthesis -> picture.

Karras et al., Analyzing and Improving the Image Quality of StyleGAN (arXiv 1912.04958), in the layout of StyleGAN2-ADA
(arXiv 2006.06676): names and shapes of the state dict are those of its published networks. The file reads downwards,
from primitives to the whole.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

FIR = (1.0, 3.0, 3.0, 1.0)
LRELU_SLOPE = 0.2
LRELU_GAIN = math.sqrt(2)
W_AVG_BETA = 0.995
EPSILON = 1e-8


@dataclass(frozen=True)
class GeneratorConfig:
    """Shape of a generator. The longer side is 4 * 2^n pixels; the shorter one divides it by a power of two up to 4."""

    height: int
    width: int
    channel_base: int
    channel_max: int
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 2
    image_channels: int = 3
    classes: int = 0
    conv_clamp: float | None = None

    @property
    def resolution(self) -> int:
        """The longer side: levels are named after it."""
        return max(self.height, self.width)

    @property
    def levels(self) -> list[int]:
        """4, 8, ... resolution."""
        return [2**power for power in range(2, self.resolution.bit_length())]

    @property
    def num_ws(self) -> int:
        """One w for each convolution and one for the last ToRGB."""
        return 2 * len(self.levels)

    def channels(self, level: int) -> int:
        return min(self.channel_base // level, self.channel_max)

    def extent(self, level: int) -> tuple[int, int]:
        """Height and width of the features of a level: 4x4 at level 4, or 4x2 for pictures twice as tall as wide."""
        return level * self.height // self.resolution, level * self.width // self.resolution


# -- primitives --------------------------------------------------------------------------------------------------------


def clamped(x: Tensor, clamp: float | None, gain: float = 1.0) -> Tensor:
    """Clamp to +-clamp times a layer's own gain (the activation's does not count); None leaves x."""
    return x if clamp is None else x.clamp(-clamp * gain, clamp * gain)


def resample_filter() -> Tensor:
    """The low-pass filter [1, 3, 3, 1] in two dimensions, of sum 1: [4, 4]."""
    taps = torch.tensor(FIR)
    return torch.outer(taps, taps) / taps.sum() ** 2


def fir(x: Tensor, kernel: Tensor, pad: int, down: int = 1, gain: float = 1.0) -> Tensor:
    """Filter each channel with the (symmetric) kernel, `pad` zeros around, every `down`-th pixel kept."""
    weight = (kernel * gain).to(x.dtype).expand(x.shape[1], 1, *kernel.shape)
    return F.conv2d(x, weight, stride=down, padding=pad, groups=x.shape[1])


def upsample(x: Tensor, kernel: Tensor) -> Tensor:
    """Double height and width: zeros between the pixels, then the low-pass filter with gain 4."""
    weight = (kernel * 4).to(x.dtype).expand(x.shape[1], 1, *kernel.shape)
    return F.conv_transpose2d(x, weight, stride=2, padding=1, groups=x.shape[1])


class Linear(nn.Module):
    """A fully connected layer with equalised learning rate: its weight is scaled by lr_multiplier/sqrt(fan_in) in use.

    `bias_init` is stored as it is, and seen times `lr_multiplier`.
    """

    def __init__(
        self, fan_in: int, fan_out: int, lr_multiplier: float = 1.0, bias_init: float = 0.0, activate: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_out, fan_in) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((fan_out,), bias_init))
        self.weight_gain = lr_multiplier / math.sqrt(fan_in)
        self.bias_gain = lr_multiplier
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        x = F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)
        return F.leaky_relu(x, LRELU_SLOPE) * LRELU_GAIN if self.activate else x


def normalise_second_moment(x: Tensor) -> Tensor:
    """Scale each row to a mean square of 1."""
    return x * (x.square().mean(dim=1, keepdim=True) + EPSILON).rsqrt()


# -- mapping: z -> w ---------------------------------------------------------------------------------------------------


class MappingNetwork(nn.Module):
    """z (and a label's embedding) through fully connected layers of a hundredth of the learning rate.

    `w_avg` tracks the mean of w over training; truncation pulls towards it.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = config.mapping_layers
        fan_in = config.z_dim
        if config.classes:
            self.embed = Linear(config.classes, config.w_dim)
            fan_in += config.w_dim
        for position in range(self.layers):
            layer = Linear(fan_in if position == 0 else config.w_dim, config.w_dim, lr_multiplier=0.01, activate=True)
            setattr(self, f"fc{position}", layer)
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """z [N, z_dim], labels [N] where there are classes -> w [N, w_dim]."""
        x = normalise_second_moment(z)
        if self.config.classes:
            assert labels is not None, "this generator is conditional: give it labels"
            one_hot = F.one_hot(labels, self.config.classes).to(x.dtype)
            x = torch.cat([x, normalise_second_moment(self.embed(one_hot))], dim=1)
        for position in range(self.layers):
            x = getattr(self, f"fc{position}")(x)
        return x

    @torch.no_grad()
    def track(self, w_mean: Tensor) -> None:
        """Move w_avg a two-hundredth of the way towards the mean w of a batch."""
        self.w_avg.copy_(w_mean.lerp(self.w_avg, W_AVG_BETA))


# -- synthesis: w -> picture -------------------------------------------------------------------------------------------


def modulated_convolution(x: Tensor, weight: Tensor, style: Tensor, kernel: Tensor | None = None) -> Tensor:
    """Convolve with weights scaled per picture by `style` [N, I], the result not yet demodulated.

    x [N, I, H, W], weight [O, I, k, k]; with the FIR `kernel` the result is twice as large. Scaling x is the same as
    scaling the weights, and needs no [N, O, I, k, k] tensor.
    """
    x = x * style[:, :, None, None].to(x.dtype)
    weight = weight.to(x.dtype)
    if kernel is None:
        return F.conv2d(x, weight, padding=weight.shape[-1] // 2)
    return fir(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), kernel, pad=1, gain=4.0)


def demodulation(weight: Tensor, style: Tensor) -> Tensor:
    """Scale that brings each output channel back to unit variance (1912.04958, equation 3): [N, O].

    The sum over (s w)^2 is s^2 times the sum of w^2 over the kernel: a matrix product.
    """
    return (style.square() @ weight.square().sum(dim=(2, 3)).t() + EPSILON).rsqrt()


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, noise, bias, leaky ReLU. Its weight has no gain: demodulation would cancel it."""

    def __init__(self, config: GeneratorConfig, fan_in: int, level: int, up: bool = False) -> None:
        super().__init__()
        fan_out = config.channels(level)
        self.extent = config.extent(level)
        self.up = up
        self.conv_clamp = config.conv_clamp
        self.affine = Linear(config.w_dim, fan_in, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(fan_out, fan_in, 3, 3))
        self.bias = nn.Parameter(torch.zeros(fan_out))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("noise_const", torch.randn(self.extent))
        self.register_buffer("resample_filter", resample_filter())

    def forward(self, x: Tensor, w: Tensor, noise: str, generator: torch.Generator | None) -> Tensor:
        style = self.affine(w)
        scale = demodulation(self.weight, style) * LRELU_GAIN  # leaky ReLU passes a positive gain through
        offset = self.bias[:, None, None] * LRELU_GAIN
        if noise != "none":
            offset = offset + self.noise(noise, len(x), generator) * (self.noise_strength * LRELU_GAIN)
        x = modulated_convolution(x, self.weight, style, self.resample_filter if self.up else None)
        x = torch.addcmul(offset.to(x.dtype), x, scale[:, :, None, None].to(x.dtype))
        return clamped(F.leaky_relu(x, LRELU_SLOPE), self.conv_clamp)

    def noise(self, kind: str, count: int, generator: torch.Generator | None) -> Tensor:
        """One plane for all channels: the constant one, or one drawn for each picture."""
        if kind == "const":
            return self.noise_const
        device = self.noise_const.device
        drawn_on = device if generator is None else generator.device
        return torch.randn(count, 1, *self.extent, generator=generator, device=drawn_on).to(device)


class ToRGB(nn.Module):
    """1x1 modulated convolution to colours, not demodulated: its gain is on the style."""

    def __init__(self, config: GeneratorConfig, level: int) -> None:
        super().__init__()
        fan_in = config.channels(level)
        self.conv_clamp = config.conv_clamp
        self.affine = Linear(config.w_dim, fan_in, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(config.image_channels, fan_in, 1, 1))
        self.bias = nn.Parameter(torch.zeros(config.image_channels))
        self.weight_gain = 1 / math.sqrt(fan_in)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = modulated_convolution(x, self.weight, self.affine(w) * self.weight_gain)
        return clamped(x + self.bias[:, None, None].to(x.dtype), self.conv_clamp)


class SynthesisBlock(nn.Module):
    """A level: double and convolve the features, add their colours to the doubled picture (the skip architecture)."""

    def __init__(self, config: GeneratorConfig, level: int) -> None:
        super().__init__()
        if level == 4:
            self.const = nn.Parameter(torch.randn(config.channels(4), *config.extent(4)))
        else:
            self.conv0 = SynthesisLayer(config, config.channels(level // 2), level, up=True)
        self.conv1 = SynthesisLayer(config, config.channels(level), level)
        self.torgb = ToRGB(config, level)
        self.register_buffer("resample_filter", resample_filter())

    def forward(
        self,
        x: Tensor | None,
        picture: Tensor | None,
        ws: Sequence[Tensor],
        noise: str,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, Tensor]:
        """Take the w of each convolution and of ToRGB, which it shares with the next level's first convolution."""
        *convolutions, last = ws
        if x is None:
            x = self.const.expand(len(last), *self.const.shape)
        else:
            x = self.conv0(x, convolutions[0], noise, generator)
        x = self.conv1(x, convolutions[-1], noise, generator)
        colours = self.torgb(x, last).float()
        if picture is not None:
            colours = upsample(picture, self.resample_filter) + colours
        return x, colours


class SynthesisNetwork(nn.Module):
    """Blocks from level 4 to the resolution."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.levels = config.levels
        for level in self.levels:
            setattr(self, f"b{level}", SynthesisBlock(config, level))

    def forward(self, ws: Tensor, noise: str = "random", generator: torch.Generator | None = None) -> Tensor:
        """ws [N, num_ws, w_dim] -> pictures [N, channels, H, W], float32, about [-1, 1].

        `noise` is "random" (drawn from `generator`, or from the device's own), "const" (each layer's plane) or "none".
        """
        assert noise in ("random", "const", "none"), f"no noise of the kind {noise!r}"
        ws = ws.unbind(dim=1)
        x = picture = None
        for position, level in enumerate(self.levels):
            first = max(0, 2 * position - 1)
            block = getattr(self, f"b{level}")
            x, picture = block(x, picture, ws[first : 2 * position + 2], noise, generator)
        return picture


# -- the whole ---------------------------------------------------------------------------------------------------------


class Generator(nn.Module):
    """Mapping and synthesis."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = MappingNetwork(config)
        self.synthesis = SynthesisNetwork(config)

    def broadcast(self, w: Tensor) -> Tensor:
        """Give every layer the same w: [N, w_dim] -> [N, num_ws, w_dim]."""
        return w[:, None, :].expand(-1, self.config.num_ws, -1)

    def truncate(self, ws: Tensor, psi: float, cutoff: int | None = None) -> Tensor:
        """Pull the first `cutoff` layers (or all) towards w_avg; psi 1 leaves them, 0 gives the average."""
        if psi == 1:
            return ws
        pulled = self.mapping.w_avg.lerp(ws[:, :cutoff], psi)
        return pulled if cutoff is None else torch.cat([pulled, ws[:, cutoff:]], dim=1)

    def forward(
        self,
        z: Tensor,
        labels: Tensor | None = None,
        psi: float = 1.0,
        cutoff: int | None = None,
        noise: str = "const",
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """z [N, z_dim] -> pictures [N, channels, H, W], float32, about [-1, 1]."""
        ws = self.truncate(self.broadcast(self.mapping(z, labels)), psi, cutoff)
        return self.synthesis(ws, noise, generator)


def latents(seeds: Sequence[int], z_dim: int) -> Tensor:
    """Draw the z of each seed as the published tools do, so that a seed names the same z everywhere: [N, z_dim]."""
    draws = [np.random.RandomState(seed).randn(z_dim) for seed in seeds]
    return torch.from_numpy(np.stack(draws).astype(np.float32))


def to_uint8(pictures: Tensor) -> Tensor:
    """[N, C, H, W] in [-1, 1] -> uint8 [N, H, W, C]; what is transparent (premultiplied, C 4) is laid on white."""
    if pictures.shape[1] == 4:
        pictures = pictures[:, :3] + 1 - pictures[:, 3:].clamp(-1, 1)
    return (pictures * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
