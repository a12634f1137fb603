"""Inception v3 as FID knows it: the network of 2015-12-05, its resizing, its range.

The graph is that of Szegedy et al. 2015 (arXiv:1512.00567) with the departures of the released file: averages of
3x3 leave out the padding, and the last block takes a maximum. FID is defined by this very network (Heusel et al. 2017,
arXiv:1706.08500); another Inception shifts it by a tenth and more.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from inference import weights
from training.metrics import archive

SIDE = 299
FEATURES = 2048
PREFIX = "net.layers."
EPSILON = 0.001  # of the batch normalisation that is folded into the convolutions

Layer = Callable[[torch.Tensor], torch.Tensor]


class Conv(nn.Conv2d):
    """A convolution, its batch normalisation folded into it, and ReLU. Stride 1 keeps the size unless told."""

    def __init__(self, inputs: int, outputs: int, *kernel: int, stride: int = 1, valid: bool = False) -> None:
        height, width = kernel if len(kernel) == 2 else kernel * 2
        padding = (0, 0) if valid or stride > 1 else (height // 2, width // 2)
        super().__init__(inputs, outputs, (height, width), stride, padding)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).relu_()


def chain(*layers: Conv) -> nn.Sequential:
    """Name the convolutions of a tower as the file does: conv, conv_1, conv_2 ..."""
    tower = nn.Sequential()
    for position, layer in enumerate(layers):
        tower.add_module(f"conv_{position}" if position else "conv", layer)
    return tower


def average(x: torch.Tensor) -> torch.Tensor:
    return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def maximum(x: torch.Tensor) -> torch.Tensor:
    return functional.max_pool2d(x, 3, stride=1, padding=1)


def halved(x: torch.Tensor) -> torch.Tensor:
    return functional.max_pool2d(x, 3, stride=2)


class Around35(nn.Module):
    """A block at 35x35: 1x1, 5x5, twice 3x3, an average."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.conv = Conv(inputs, 64, 1)
        self.tower = chain(Conv(inputs, 48, 1), Conv(48, 64, 5))
        self.tower_1 = chain(Conv(inputs, 64, 1), Conv(64, 96, 3), Conv(96, 96, 3))
        self.tower_2 = chain(Conv(inputs, pooled, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.conv(x), self.tower(x), self.tower_1(x), self.tower_2(average(x))], 1)


class To17(nn.Module):
    """From 35x35 to 17x17."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = Conv(288, 384, 3, stride=2)
        self.tower = chain(Conv(288, 64, 1), Conv(64, 96, 3), Conv(96, 96, 3, stride=2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.conv(x), self.tower(x), halved(x)], 1)


class Around17(nn.Module):
    """A block at 17x17: 7x7 as 1x7 and 7x1, once and twice."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = Conv(768, 192, 1)
        self.tower = chain(Conv(768, width, 1), Conv(width, width, 1, 7), Conv(width, 192, 7, 1))
        self.tower_1 = chain(
            Conv(768, width, 1),
            Conv(width, width, 7, 1),
            Conv(width, width, 1, 7),
            Conv(width, width, 7, 1),
            Conv(width, 192, 1, 7),
        )
        self.tower_2 = chain(Conv(768, 192, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.conv(x), self.tower(x), self.tower_1(x), self.tower_2(average(x))], 1)


class To8(nn.Module):
    """From 17x17 to 8x8."""

    def __init__(self) -> None:
        super().__init__()
        self.tower = chain(Conv(768, 192, 1), Conv(192, 320, 3, stride=2))
        self.tower_1 = chain(Conv(768, 192, 1), Conv(192, 192, 1, 7), Conv(192, 192, 7, 1), Conv(192, 192, 3, stride=2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.tower(x), self.tower_1(x), halved(x)], 1)


class Around8(nn.Module):
    """A block at 8x8, whose 3x3 end as 1x3 beside 3x1; the last of the network pools by the maximum."""

    def __init__(self, inputs: int, pool: Layer) -> None:
        super().__init__()
        self.conv = Conv(inputs, 320, 1)
        self.tower_conv = Conv(inputs, 384, 1)
        self.tower_mixed_conv, self.tower_mixed_conv_1 = Conv(384, 384, 1, 3), Conv(384, 384, 3, 1)
        self.tower_1_conv, self.tower_1_conv_1 = Conv(inputs, 448, 1), Conv(448, 384, 3)
        self.tower_1_mixed_conv, self.tower_1_mixed_conv_1 = Conv(384, 384, 1, 3), Conv(384, 384, 3, 1)
        self.tower_2_conv = Conv(inputs, 192, 1)
        self.pool = pool

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        once, twice = self.tower_conv(x), self.tower_1_conv_1(self.tower_1_conv(x))
        towers = [self.tower_mixed_conv(once), self.tower_mixed_conv_1(once)]
        towers += [self.tower_1_mixed_conv(twice), self.tower_1_mixed_conv_1(twice)]
        return torch.cat([self.conv(x), *towers, self.tower_2_conv(self.pool(x))], 1)


class Inception(nn.Module):
    """The network up to its 2048 pooled features."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = Conv(3, 32, 3, stride=2)
        self.conv_1 = Conv(32, 32, 3, valid=True)
        self.conv_2 = Conv(32, 64, 3)
        self.conv_3 = Conv(64, 80, 1)
        self.conv_4 = Conv(80, 192, 3, valid=True)
        self.mixed, self.mixed_1, self.mixed_2 = Around35(192, 32), Around35(256, 64), Around35(288, 64)
        self.mixed_3 = To17()
        self.mixed_4, self.mixed_5 = Around17(128), Around17(160)
        self.mixed_6, self.mixed_7 = Around17(160), Around17(192)
        self.mixed_8 = To8()
        self.mixed_9, self.mixed_10 = Around8(1280, average), Around8(2048, maximum)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give features [N, 2048] of pictures [N, 3, 299, 299] in -1 .. 127/128."""
        x = halved(self.conv_2(self.conv_1(self.conv(x))))
        x = halved(self.conv_4(self.conv_3(x)))
        x = self.mixed_2(self.mixed_1(self.mixed(x)))
        x = self.mixed_7(self.mixed_6(self.mixed_5(self.mixed_4(self.mixed_3(x)))))
        return self.mixed_10(self.mixed_9(self.mixed_8(x))).mean((2, 3))


class Features:
    """The features of pictures, in batches.

    In float32, or in what `torch.autocast` around a call says: bfloat16 is twice as fast where a CPU computes in it,
    and off by some per cent in single features. Pictures are resized in float32 whatever it says.
    """

    def __init__(self, path: Path | None = None, device: str = "cpu", batch: int = 16) -> None:
        self.device, self.batch = torch.device(device), batch
        with torch.device("meta"):
            network = Inception()
        folded = {name: value.to(self.device) for name, value in _folded(path or weights.path("inception")).items()}
        network.load_state_dict(folded, assign=True)
        self.network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Give float64 [N, 2048] of uint8 [N, H, W, 3]."""
        assert pictures.dtype == np.uint8
        assert pictures.shape[3] == 3
        parts = [np.zeros((0, FEATURES))]
        for start in range(0, len(pictures), self.batch):
            batch = torch.from_numpy(np.ascontiguousarray(pictures[start : start + self.batch])).to(self.device)
            parts.append(self.network(presented(batch)).double().cpu().numpy())
        return np.concatenate(parts)


def presented(pictures: torch.Tensor) -> torch.Tensor:
    """Bring uint8 [N, H, W, 3] to the network's [N, 3, 299, 299] in -1 .. 127/128.

    Bilinear as TensorFlow 1 did it: sample i lies at i * H / 299, with no half pixel and no smoothing before.
    """
    x = pictures.permute(0, 3, 1, 2).float()
    down, across = (_between(side, x.device) for side in x.shape[2:])
    with torch.autocast(x.device.type, enabled=False):
        x = (down @ x @ across.T - 128) / 128
    return x.contiguous(memory_format=torch.channels_last)


def _between(side: int, device: torch.device) -> torch.Tensor:
    """Give the matrix [299, side] that samples a line of pixels."""
    at = torch.arange(SIDE, dtype=torch.float64) * side / SIDE
    low = at.long()
    matrix = torch.zeros(SIDE, side, dtype=torch.float64)
    matrix.scatter_add_(1, low[:, None], (1 - at + low)[:, None])
    matrix.scatter_add_(1, (low + 1).clamp(max=side - 1)[:, None], (at - low)[:, None])
    return matrix.float().to(device)


def _folded(path: Path) -> dict[str, torch.Tensor]:
    """Fold each batch normalisation (it has no scale of its own) into the convolution before it."""
    read = {name.removeprefix(PREFIX): value.double() for name, value in archive.tensors(path).items()}
    state = {}
    for name in [name.removesuffix(".weight") for name in read if name.endswith(".weight")]:
        scale = (read[f"{name}.var"] + EPSILON).rsqrt()
        state[f"{name}.weight"] = (read[f"{name}.weight"] * scale[:, None, None, None]).float()
        state[f"{name}.bias"] = (read[f"{name}.beta"] - read[f"{name}.mean"] * scale).float()
    return state
