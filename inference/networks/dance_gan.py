"""The composer of the GAN baseline: a U-Net hears a song over time, and a recurrent network moves to what it hears.

No iteration and no window: a song of any length is danced in one pass. Motion comes out in units of its own deviation,
music goes in as features are; what both are normalised by is part of the weights, as in inference/networks/dance.py.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inference.motion.clip import VECTOR
from inference.networks.dance import LOUDEST, MUSIC

KERNEL = 5  # frames


@dataclass(frozen=True)
class ComposerConfig:
    """Shape of a composer; each level of its U-Net halves the rate and has `width` channels more."""

    width: int = 128
    levels: int = 4
    recurrent: int = 512  # of each layer
    layers: int = 2
    noise: int = 16  # numbers that say which of all dances to a song it is
    music: int = MUSIC
    genres: int = 0

    @property
    def coarsest(self) -> int:
        """Frames of the slowest step."""
        return 2**self.levels


class Hearing(nn.Module):
    """A convolution over time; each frame's findings are normalised by themselves, however long the song."""

    def __init__(self, fan_in: int, fan_out: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(fan_in, fan_out, KERNEL, stride, KERNEL // 2)
        self.norm = nn.LayerNorm(fan_out)

    def forward(self, x: Tensor) -> Tensor:
        found = self.convolution(x).transpose(1, 2)
        return F.silu(self.norm(found)).transpose(1, 2)


class UNet(nn.Module):
    """Hear each moment in the light of what is around it, near and far (Ronneberger et al. 2015)."""

    def __init__(self, fan_in: int, width: int, levels: int) -> None:
        super().__init__()
        counts = [width * (level + 1) for level in range(levels + 1)]
        pairs = list(pairwise(counts))
        self.first = Hearing(fan_in, width)
        self.down = nn.ModuleList(Hearing(low, high, stride=2) for low, high in pairs)
        self.up = nn.ModuleList(Hearing(low + high, low) for low, high in reversed(pairs))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, T], T a multiple of the coarsest step -> [B, width, T]."""
        x = self.first(x)
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        for up in self.up:
            x = up(torch.cat([F.interpolate(x, scale_factor=2.0), skips.pop()], 1))
        return x


class Composer(nn.Module):
    """Dance a song, one of the many ways that the noise chooses among."""

    def __init__(self, config: ComposerConfig) -> None:
        super().__init__()
        self.config = config
        for name, count in (("motion", VECTOR), ("music", config.music)):
            self.register_buffer(f"{name}_mean", torch.zeros(count))
            self.register_buffer(f"{name}_std", torch.ones(count))
        self.genre = nn.Embedding(config.genres + 1, config.noise)
        self.unet = UNet(config.music + config.noise, config.width, config.levels)
        self.move = nn.GRU(config.width + config.noise, config.recurrent, config.layers, batch_first=True)
        self.leave = nn.Linear(config.recurrent, VECTOR)

    def forward(self, music: Tensor, noise: Tensor, genre: Tensor) -> Tensor:
        """music [B, T, 37], noise [B, T, Z], genre [B] (0: none is asked for) -> [B, T, 151], of any length."""
        frames = music.shape[1]
        features = ((music - self.music_mean) / self.music_std).clamp(-LOUDEST, LOUDEST)
        chosen = noise + self.genre(genre.long())[:, None]
        x = torch.cat([features, chosen], -1).transpose(1, 2)
        x = F.pad(x, (0, -frames % self.config.coarsest), mode="replicate")
        heard = self.unet(x)[..., :frames].transpose(1, 2)
        moved, _ = self.move(torch.cat([heard, chosen], -1))
        return self.leave(moved)

    def normalised(self, motion: Tensor) -> Tensor:
        """Turn vectors [.., 151] as motions have them into units of deviation."""
        return (motion - self.motion_mean) / self.motion_std

    def restored(self, motion: Tensor) -> Tensor:
        """Turn units of deviation back."""
        return motion * self.motion_std + self.motion_mean


def slow_noise(batch: int, frames: int, numbers: int, every: int, generator: torch.Generator) -> Tensor:
    """Draw noise [B, T, Z] that moves on from number to number in so many frames: a dance changes as it goes on."""
    knots = torch.randn(batch, numbers, frames // every + 2, generator=generator, device=generator.device)
    wide = F.interpolate(knots, size=(knots.shape[-1] - 1) * every + 1, mode="linear", align_corners=True)
    return wide[..., :frames].transpose(1, 2)
