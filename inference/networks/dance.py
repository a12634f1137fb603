"""The denoiser that turns music into dance: a transformer that, of noisy motion, tells the motion without its noise.

Windows of frames at 30 a second, each a vector of 151 (inference/motion/clip.py), are diffused by a cosine schedule
(Nichol and Dhariwal 2021); the network predicts the clean window itself, as MDM (Tevet et al. 2022) and EDGE (Tseng et
al. 2023) do. Motion goes in and out in units of its own deviation, music as features are (inference/music.py): what
either is normalised by is part of the weights.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inference.motion.clip import VECTOR

MUSIC = 37  # features of a frame: the 35 of the literature, sine and cosine of the phase of the beat
LOUDEST = 5.0  # deviations: what of a song is farther from the songs of the training than that is heard as that
FASTEST = 10_000  # ratio of the slowest to the fastest wave of an embedding


@dataclass(frozen=True)
class DanceConfig:
    """Shape of a denoiser: `width` and `depth` decide on its cost, `window` on how far it sees."""

    width: int = 480  # of a token
    depth: int = 8  # blocks
    heads: int = 8
    listening: int = 2  # layers that only hear
    patch: int = 2  # frames of a token
    window: int = 150  # frames
    music: int = MUSIC
    genres: int = 0  # that it can be asked for; 0 of them: it knows no genre

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise ValueError(f"expected a width of even parts, not {self.width} for {self.heads} heads")
        if self.window % self.patch:
            raise ValueError(f"expected a window of whole patches, not {self.window} frames by {self.patch}")

    @property
    def tokens(self) -> int:
        return self.window // self.patch


# -- primitives --------------------------------------------------------------------------------------------------------


def schedule(level: Tensor) -> tuple[Tensor, Tensor]:
    """Give alpha and sigma, what a noise level in [0, 1] leaves of the motion and brings of noise; squared, they sum
    to 1."""
    angle = level * (math.pi / 2)
    return torch.cos(angle), torch.sin(angle)


def waves(level: Tensor, width: int) -> Tensor:
    """Embed noise levels [B] in [0, 1] as sines and cosines [B, width] (Vaswani et al. 2017, 3.5)."""
    half = width // 2
    pace = torch.exp(torch.arange(half, device=level.device) * (-math.log(FASTEST) / half))
    angle = 1000 * level[:, None] * pace
    return torch.cat([angle.sin(), angle.cos()], 1)


def modulated(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """FiLM (Perez et al. 2018): tokens [B, N, C], alike in all of them, by scale and shift [B, C]."""
    return x * (1 + scale[:, None]) + shift[:, None]


def patched(frames: Tensor, patch: int) -> Tensor:
    """Lay every so many frames [B, T, C] beside each other: [B, T / patch, patch * C]."""
    return frames.unflatten(1, (-1, patch)).flatten(2)


class Rotary(nn.Module):
    """Turn queries and keys by their place, so that attention sees how far apart two are (Su et al. 2021)."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        pace = FASTEST ** (-torch.arange(0, width, 2) / width)
        angle = (torch.arange(tokens)[:, None] * pace).repeat(1, 2)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, heads, tokens, width]."""
        first, second = x.chunk(2, -1)
        turned = x * self.cos + torch.cat([-second, first], -1) * self.sin
        return turned.to(x.dtype)


class Attention(nn.Module):
    """What tokens ask of tokens that hear or move at certain times; the last projection begins at zero."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ask = nn.Linear(width, width)
        self.tell = nn.Linear(width, 2 * width)
        self.out = silent(nn.Linear(width, width))

    def forward(self, x: Tensor, of: Tensor, rotary: Rotary) -> Tensor:
        """x, of [B, N, C] -> [B, N, C]."""
        queries = self._split(self.ask(x))
        keys, values = (self._split(each) for each in self.tell(of).chunk(2, -1))
        found = F.scaled_dot_product_attention(rotary(queries), rotary(keys), values)
        return self.out(found.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def feed_forward(width: int, dropout: float) -> nn.Sequential:
    last = silent(nn.Linear(4 * width, width))
    return nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), last)


def silent(layer: nn.Linear) -> nn.Linear:
    """Have a layer begin with saying nothing: a residual branch then begins as none."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


# -- blocks ------------------------------------------------------------------------------------------------------------


class Listening(nn.Module):
    """A layer in which the moments of the music hear each other."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.among = Attention(width, heads)
        self.feed = feed_forward(width, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, rotary: Rotary) -> Tensor:
        y = self.norms[0](x)
        x = x + self.dropout(self.among(y, y, rotary))
        return x + self.dropout(self.feed(self.norms[1](x)))


class Moving(nn.Module):
    """A layer in which the moments of a motion see each other, then hear the music; FiLM says at which noise level."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=False) for _ in range(3))
        self.film = silent(nn.Linear(width, 6 * width))
        self.among = Attention(width, heads)
        self.to_music = Attention(width, heads)
        self.feed = feed_forward(width, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, music: Tensor, said: Tensor, rotary: Rotary) -> Tensor:
        """x, music [B, N, C] and what is said of all of it [B, C]."""
        films = self.film(said).chunk(6, -1)
        y = modulated(self.norms[0](x), *films[:2])
        x = x + self.dropout(self.among(y, y, rotary))
        y = modulated(self.norms[1](x), *films[2:4])
        x = x + self.dropout(self.to_music(y, music, rotary))
        y = modulated(self.norms[2](x), *films[4:])
        return x + self.dropout(self.feed(y))


# -- the network -------------------------------------------------------------------------------------------------------


class Denoiser(nn.Module):
    """Tell the motion of a window without its noise, by the music that it is danced to."""

    def __init__(self, config: DanceConfig, dropout: float = 0.0) -> None:
        super().__init__()
        self.config, width, patch = config, config.width, config.patch
        for name, count in (("motion", VECTOR), ("music", config.music)):
            self.register_buffer(f"{name}_mean", torch.zeros(count))
            self.register_buffer(f"{name}_std", torch.ones(count))
        self.rotary = Rotary(config.tokens, width // config.heads)

        self.hear = nn.Linear(config.music * patch, width)
        self.listening = nn.ModuleList(Listening(width, config.heads, dropout) for _ in range(config.listening))
        self.heard_norm = nn.LayerNorm(width)
        self.unheard = nn.Parameter(torch.zeros(width))

        self.level = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.genre = nn.Embedding(config.genres + 1, width)  # 0: whatever the music asks for
        self.whole = nn.Linear(width, width)

        self.enter = nn.Linear(VECTOR * patch, width)
        self.align = nn.Linear(width, width)
        self.moving = nn.ModuleList(Moving(width, config.heads, dropout) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width)
        self.leave = silent(nn.Linear(width, VECTOR * patch))

    def forward(self, noisy: Tensor, level: Tensor, music: Tensor, genre: Tensor, heard: Tensor) -> Tensor:
        """Give what is under the noise, [B, window, 151] in units of deviation.

        noisy [B, window, 151] in the same units, its level [B] in [0, 1]; music [B, window, 37] as features are; genre
        [B] counts from 1 on, 0 asks for none; heard [B] is 1, or 0 where the music is kept from the network.
        """
        return self.denoise(noisy, level, self.encode(music, heard), genre)

    def encode(self, music: Tensor, heard: Tensor) -> Tensor:
        """Hear music [B, window, 37], or not: tokens [B, N, C], alike at all levels of noise."""
        features = ((music - self.music_mean) / self.music_std).clamp(-LOUDEST, LOUDEST)
        x = self.hear(patched(features, self.config.patch))
        for layer in self.listening:
            x = layer(x, self.rotary)
        heard = heard[:, None, None]
        return heard * self.heard_norm(x) + (1 - heard) * self.unheard

    def denoise(self, noisy: Tensor, level: Tensor, music: Tensor, genre: Tensor) -> Tensor:
        """Do as `forward` does with music that was heard before."""
        said = self.level(waves(level, self.config.width)) + self.genre(genre.long()) + self.whole(music.mean(1))
        said = F.silu(said)
        x = self.enter(patched(noisy, self.config.patch)) + self.align(music)
        for layer in self.moving:
            x = layer(x, music, said, self.rotary)
        return self.leave(self.norm(x)).unflatten(-1, (self.config.patch, VECTOR)).flatten(1, 2)

    # -- units ---------------------------------------------------------------------------------------------------------

    def normalised(self, motion: Tensor) -> Tensor:
        """Turn vectors [.., 151] as motions have them into units of deviation."""
        return (motion - self.motion_mean) / self.motion_std

    def restored(self, motion: Tensor) -> Tensor:
        """Turn units of deviation back."""
        return motion * self.motion_std + self.motion_mean
