"""Find the styles with which a generator draws a given picture.

    search = Search(generator, pictures, steps=1000)        # uint8 [N, H, W, 3]
    for _ in range(search.steps):
        search.step()
    ws = search.ws                                          # [N, num_ws, w_dim]

Karras et al. 2020 (arXiv 1912.04958, appendix D), but for two things. Their distance is LPIPS, whose network does not
ship here: ours looks at pixels and their differences at several scales, and of a picture far from all that the
generator draws, it finds colours and layout rather than the person. And w is pulled to its mean: much of it hardly
shows in a picture, and there the search would wander off to where no person's w is, and edits go wrong
(docs/avatars.md has figures).
"""

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from inference.networks.stylegan2 import Generator, SynthesisLayer

SAMPLES = 10_000  # of w, for its mean and spread
RATE, RAMP_UP, RAMP_DOWN = 0.1, 0.05, 0.25  # of Adam; shares of the steps
W_NOISE, NOISY = 0.05, 0.75  # of the spread of w; share of the steps
NOISE_WEIGHT = 1e5
PULL = 0.1  # of the squared distance of w from its mean, 1 where people are on average
COARSEST = 8  # pixels of the shorter side


def distance(made: Tensor, wanted: Tensor) -> Tensor:
    """Measure how far pictures [N, 3, H, W] are apart: [N], 0 for equal ones.

    The mean over scales, each half of the one before down to 8 pixels, of the absolute difference of pixels and of
    their steps across and down.
    """
    apart, parts = made - wanted, []
    while True:
        steps = apart.diff(dim=3), apart.diff(dim=2)
        parts.append(sum(each.abs().mean(dim=(1, 2, 3)) for each in (apart, *steps)))
        if min(apart.shape[2:]) < 2 * COARSEST:
            return torch.stack(parts).mean(dim=0)
        apart = F.avg_pool2d(apart, 2)


def correlation(noise: Tensor) -> Tensor:
    """Sum the squared correlations of noise [N, 1, h, w] with itself moved by one, at all scales down to 8 pixels.

    What they forbid is noise that draws a part of the picture (1912.04958, equation 5).
    """
    total = torch.zeros(())
    while True:
        for dim in (2, 3):
            total = total + (noise * noise.roll(1, dim)).mean(dim=(1, 2, 3)).square().sum()
        if min(noise.shape[2:]) <= COARSEST:
            return total
        noise = F.avg_pool2d(noise, 2) * 2  # twice the mean of four keeps the variance


class Search:
    """Adam over w and the planes of noise; each picture of a batch is searched for on its own.

    `plus` gives each layer a w of its own (W+), which comes nearer to the picture, and may leave what the generator
    knows to draw: edits and mixes of such styles hold less well. The noise is there to take up what no w can draw, and
    is then left behind: people are drawn with the generator's own.
    """

    def __init__(
        self,
        generator: Generator,
        pictures: np.ndarray,
        steps: int = 1000,
        plus: bool = False,
        seed: int = 0,
        label: Tensor | None = None,
    ) -> None:
        self.generator, self.steps, self.done = copy.deepcopy(generator).requires_grad_(False), steps, 0
        self.wanted = (torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() - 127.5) / 127.5
        self.draw = torch.Generator().manual_seed(seed)
        self.mean, self.spread = self._moments(seed, label)
        own = generator.config.num_ws if plus else 1
        self.w = self.mean.repeat(len(pictures), own, 1).requires_grad_()
        self.noises = [self._drawn(len(pictures), layer) for layer in self._layers()]
        self.adam = torch.optim.Adam([self.w, *self.noises], lr=RATE, betas=(0.9, 0.999))

    @property
    def ws(self) -> Tensor:
        """The styles found so far: [N, num_ws, w_dim]."""
        return self.w.detach().expand(-1, self.generator.config.num_ws, -1).clone()

    def step(self) -> Tensor:
        """Go one step; gives the distances [N] before it."""
        share = self.done / self.steps
        for group in self.adam.param_groups:
            group["lr"] = RATE * min(1.0, share / RAMP_UP) * (0.5 - 0.5 * math.cos(math.pi * self._left(share)))
        shaken = self.w + self._shaking(share) * torch.randn(self.w.shape, generator=self.draw)
        made = self.generator.synthesis(shaken.expand(-1, self.generator.config.num_ws, -1), noise="const")
        apart = distance(made.clamp(-1, 1), self.wanted)
        pull = ((self.w - self.mean).square().sum(dim=2) / self.spread**2).mean(dim=1)
        self.adam.zero_grad(set_to_none=True)
        (apart.sum() + PULL * pull.sum() + NOISE_WEIGHT * sum(map(correlation, self.noises))).backward()
        self.adam.step()
        self._normalise()
        self.done += 1
        return apart.detach()

    @staticmethod
    def _left(share: float) -> float:
        """Go from 1 to 0 over the last quarter."""
        return min(1.0, (1 - share) / RAMP_DOWN)

    def _shaking(self, share: float) -> float:
        return self.spread * W_NOISE * max(0.0, 1 - share / NOISY) ** 2

    @torch.no_grad()
    def _normalise(self) -> None:
        for noise in self.noises:
            noise -= noise.mean(dim=(1, 2, 3), keepdim=True)
            noise *= noise.square().mean(dim=(1, 2, 3), keepdim=True).add(1e-12).rsqrt()

    @torch.no_grad()
    def _moments(self, seed: int, label: Tensor | None) -> tuple[Tensor, float]:
        """Mean [w_dim] of w, and the root of its mean squared distance from there."""
        z = np.random.RandomState(seed).randn(SAMPLES, self.generator.config.z_dim).astype(np.float32)
        w = self.generator.mapping(torch.from_numpy(z), None if label is None else label.expand(SAMPLES))
        mean = w.mean(dim=0)
        return mean, float((w - mean).square().sum(dim=1).mean().sqrt())

    def _layers(self) -> list[SynthesisLayer]:
        return [layer for layer in self.generator.synthesis.modules() if isinstance(layer, SynthesisLayer)]

    def _drawn(self, count: int, layer: SynthesisLayer) -> Tensor:
        """Give a layer planes of noise that can be searched, one for each picture."""
        layer.noise_const = torch.randn(count, 1, *layer.extent, generator=self.draw).requires_grad_()
        return layer.noise_const
