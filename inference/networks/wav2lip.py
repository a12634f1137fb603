"""Wav2Lip: the generator that draws a mouth to a sound, and SyncNet, the expert that says whether the two match.

Prajwal et al., A Lip Sync Expert Is All You Need for Speech to Lip Generation In The Wild (arXiv 2008.10010). Names and
shapes of the state dicts are those of the published networks. Inside, pictures are BGR in [0, 1], as those networks saw
them; packs and videos are RGB, and the functions at the end of the file turn the one into the other.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

EDGE = 96  # pixels; the strides of the networks leave 1x1 of it
FRAMES = 5  # that SyncNet sees at once: 200 ms, as 16 columns of the mel
EMBEDDING = 512
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Wav2LipConfig:
    """Shape of a generator or an expert: `width` multiplies every inner channel count, 1 is the published network."""

    width: float = 1.0
    edge: int = EDGE

    def __post_init__(self) -> None:
        if self.edge != EDGE or not 0 < self.width <= 4:
            raise ValueError(f"expected edge {EDGE} and a width in (0, 4], not edge {self.edge} and width {self.width}")

    def channels(self, published: int) -> int:
        """Give the channels of a layer that has so many at width 1: a multiple of 8."""
        return max(8, round(published * self.width / 8) * 8)


# -- blocks ------------------------------------------------------------------------------------------------------------


class Block(nn.Module):
    """A convolution, batch norm, where `residual` the input added, and ReLU."""

    convolution: type[nn.Module] = nn.Conv2d

    def __init__(self, fan_in: int, fan_out: int, *, residual: bool = False, **shape) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(self.convolution(fan_in, fan_out, **shape), nn.BatchNorm2d(fan_out))
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv_block(x)
        return F.relu(y + x if self.residual else y, inplace=True)


class UpBlock(Block):
    """The same with a transposed convolution."""

    convolution = nn.ConvTranspose2d


class Layers(NamedTuple):
    """One convolution and so many residual blocks of 3x3 behind it."""

    channels: int  # at width 1
    kernel: int = 3
    stride: int | tuple[int, int] = 1
    padding: int = 1
    residuals: int = 0


FACE_ENCODER = (
    Layers(16, kernel=7, padding=3),  # 96 px
    Layers(32, stride=2, residuals=2),  # 48
    Layers(64, stride=2, residuals=3),  # 24
    Layers(128, stride=2, residuals=2),  # 12
    Layers(256, stride=2, residuals=2),  # 6
    Layers(512, stride=2, residuals=1),  # 3
    Layers(512, padding=0),  # 1, and one more of 1x1
)
FACE_DECODER = (
    Layers(512, kernel=1, padding=0),  # 1 px
    Layers(512, padding=0, residuals=1),  # 3
    Layers(512, stride=2, residuals=2),  # 6
    Layers(384, stride=2, residuals=2),  # 12
    Layers(256, stride=2, residuals=2),  # 24
    Layers(128, stride=2, residuals=2),  # 48
    Layers(64, stride=2, residuals=2),  # 96
)
# 80 mels x 16 columns -> 1x1. The published generator has one residual block less than its expert at 256 channels.
GENERATOR_AUDIO = (
    Layers(32, residuals=2),
    Layers(64, stride=(3, 1), residuals=2),
    Layers(128, stride=3, residuals=2),
    Layers(256, stride=(3, 2), residuals=1),
    Layers(512, padding=0),
    Layers(512, kernel=1, padding=0),
)
EXPERT_AUDIO = (*GENERATOR_AUDIO[:3], Layers(256, stride=(3, 2), residuals=2), *GENERATOR_AUDIO[4:])
# 48 x 96 -> 1x1
EXPERT_FACE = (
    Layers(32, kernel=7, padding=3),
    Layers(64, kernel=5, stride=(1, 2), residuals=2),
    Layers(128, stride=2, residuals=3),
    Layers(256, stride=2, residuals=2),
    Layers(512, stride=2, residuals=2),
    Layers(512, stride=2),
    Layers(512, padding=0),
    Layers(512, kernel=1, padding=0),
)


def _blocks(config: Wav2LipConfig, fan_in: int, layers: Layers, first: type[Block] = Block, **more) -> list[Block]:
    fan_out = config.channels(layers.channels)
    shape = {"kernel_size": layers.kernel, "stride": layers.stride, "padding": layers.padding}
    residuals = [Block(fan_out, fan_out, residual=True, kernel_size=3, padding=1) for _ in range(layers.residuals)]
    return [first(fan_in, fan_out, **shape, **more), *residuals]


def _encoder(config: Wav2LipConfig, fan_in: int, table: Sequence[Layers]) -> nn.Sequential:
    """Build one flat chain of blocks."""
    blocks: list[Block] = []
    for layers in table:
        blocks += _blocks(config, fan_in, layers)
        fan_in = config.channels(layers.channels)
    return nn.Sequential(*blocks)


# -- the networks ------------------------------------------------------------------------------------------------------


class Generator(nn.Module):
    """Draw a face whose mouth says 200 ms of sound, from the upper half of the target and a reference picture."""

    def __init__(self, config: Wav2LipConfig) -> None:
        super().__init__()
        self.config = config
        self.face_encoder_blocks = nn.ModuleList()
        fan_in, skips = 6, []
        for layers in FACE_ENCODER:
            blocks = _blocks(config, fan_in, layers)
            fan_in = config.channels(layers.channels)
            self.face_encoder_blocks.append(nn.Sequential(*blocks))
            skips.append(fan_in)
        self.face_encoder_blocks[-1].append(Block(fan_in, fan_in, kernel_size=1))

        self.audio_encoder = _encoder(config, 1, GENERATOR_AUDIO)

        self.face_decoder_blocks = nn.ModuleList()
        fan_in = config.channels(EMBEDDING)
        for level, (layers, skip) in enumerate(zip(FACE_DECODER, reversed(skips), strict=True)):
            first = UpBlock if level else Block
            more = {"output_padding": 1} if layers.stride == 2 else {}
            self.face_decoder_blocks.append(nn.Sequential(*_blocks(config, fan_in, layers, first, **more)))
            fan_in = config.channels(layers.channels) + skip
        last = config.channels(32)
        self.output_block = nn.Sequential(
            Block(fan_in, last, kernel_size=3, padding=1), nn.Conv2d(last, 3, kernel_size=1), nn.Sigmoid()
        )

    def forward(self, mel: Tensor, face: Tensor) -> Tensor:
        """mel [B, 1, 80, 16], face [B, 6, 96, 96] (see `face_input`) -> BGR [B, 3, 96, 96] in [0, 1].

        With a sequence, [B, T, 1, 80, 16] and [B, 6, T, 96, 96] -> [B, 3, T, 96, 96].
        """
        if face.ndim == 4:
            return self._frames(mel, face)
        # Time-major, as the published network: what batch norm sees is the same set either way, the order is fixed.
        batch = mel.shape[0]
        mel = mel.transpose(0, 1).flatten(0, 1)
        face = face.permute(2, 0, 1, 3, 4).flatten(0, 1)
        return self._frames(mel, face).unflatten(0, (-1, batch)).permute(1, 2, 0, 3, 4)

    def _frames(self, mel: Tensor, face: Tensor) -> Tensor:
        features = []
        for block in self.face_encoder_blocks:
            face = block(face)
            features.append(face)
        x = self.audio_encoder(mel)
        for block in self.face_decoder_blocks:
            x = torch.cat([block(x), features.pop()], dim=1)
        return self.output_block(x)


class SyncNet(nn.Module):
    """Tell whether five frames and 200 ms of sound belong together, by the cosine of their embeddings.

    Both end in ReLU, so that the cosine lies in [0, 1].
    """

    def __init__(self, config: Wav2LipConfig) -> None:
        super().__init__()
        self.config = config
        self.face_encoder = _encoder(config, 3 * FRAMES, EXPERT_FACE)
        self.audio_encoder = _encoder(config, 1, EXPERT_AUDIO)

    def forward(self, mel: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
        """mel [B, 1, 80, 16], faces [B, 15, 48, 96] (see `sync_input`) -> (sound, faces), both [B, E] and of length 1.

        E is 512 at width 1.
        """
        return self.embed_audio(mel), self.embed_faces(faces)

    def embed_audio(self, mel: Tensor) -> Tensor:
        """mel [B, 1, 80, 16] -> [B, E], of length 1."""
        return F.normalize(self.audio_encoder(mel).flatten(1), dim=1)

    def embed_faces(self, faces: Tensor) -> Tensor:
        """faces [B, 15, 48, 96] -> [B, E], of length 1."""
        return F.normalize(self.face_encoder(faces).flatten(1), dim=1)


def fold(network: Network) -> Network:
    """Copy a trained network for use alone: batch norm folded into the convolutions, channels last, in eval mode.

    Its outputs are those of the network in eval mode, to rounding; it cannot be trained, nor load a state dict.
    """
    folded = copy.deepcopy(network).eval().requires_grad_(False)
    for block in folded.modules():
        if isinstance(block, Block):
            transposed = isinstance(block, UpBlock)
            block.conv_block = nn.Sequential(fuse_conv_bn_eval(*block.conv_block, transpose=transposed))
    return folded.to(memory_format=torch.channels_last)


# -- pictures in and out -----------------------------------------------------------------------------------------------


def face_input(target: np.ndarray | Tensor, reference: np.ndarray | Tensor) -> Tensor:
    """Give the generator's view of RGB uint8 [.., T, 96, 96, 3]: [.., 6, T, 96, 96], the target's lower half black.

    Channels 0-2 are the target, 3-5 the reference.
    """
    masked = to_bgr(target)
    masked[..., masked.shape[-2] // 2 :, :] = 0
    return torch.cat([masked, to_bgr(reference)], dim=-3).movedim(-3, -4)


def sync_input(frames: np.ndarray | Tensor) -> Tensor:
    """Give the expert's view of RGB uint8 [.., 5, 96, 96, 3]: the lower halves, frame after frame, [.., 15, 48, 96]."""
    lower = torch.as_tensor(frames)[..., frames.shape[-3] // 2 :, :, :]
    return to_bgr(lower).flatten(-4, -3)


def lower_half(pictures: Tensor) -> Tensor:
    """Give the expert's view of generated pictures: BGR [B, 3, T, 96, 96] -> [B, 3T, 48, 96], as `sync_input` does."""
    return pictures[..., pictures.shape[-2] // 2 :, :].transpose(1, 2).flatten(1, 2)


def to_bgr(frames: np.ndarray | Tensor) -> Tensor:
    """Turn RGB uint8 [.., H, W, 3] into BGR float32 [.., 3, H, W] in [0, 1]."""
    return torch.as_tensor(frames).flip(-1).movedim(-1, -3).to(torch.float32) / 255


def to_uint8(pictures: Tensor) -> np.ndarray:
    """Turn BGR [N, 3, H, W] in [0, 1] into RGB uint8 [N, H, W, 3]; levels are cut off, not rounded, as published."""
    levels = (pictures.detach().float() * 255).clamp(0, 255).to(torch.uint8)
    return levels.flip(-3).movedim(-3, -1).contiguous().cpu().numpy()
