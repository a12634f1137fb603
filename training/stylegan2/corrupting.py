"""Spoil pictures as augmentation does last: amplified frequencies, noise, a hole (ADA, appendix B)."""

import functools
import math

import torch
from torch import Tensor

from training.stylegan2.resampling import reflect

# Scaling filter of the wavelet sym2 (two vanishing moments): sums to sqrt 2.
SYM2 = torch.tensor(
    [(1 - math.sqrt(3)), (3 - math.sqrt(3)), (3 + math.sqrt(3)), (1 + math.sqrt(3))], dtype=torch.float64
) / (4 * math.sqrt(2))
BANDS = 4  # of frequencies, in shares of the highest: to 1/8, 1/4, 1/2, 1
POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # of natural pictures in them, whose spectrum falls as 1/f
HOLE = 0.5  # of width and of height


def convolved(first: Tensor, second: Tensor) -> Tensor:
    """Convolve two filters: as long as both together less one."""
    return torch.nn.functional.conv1d(first[None, None], second.flip(0)[None, None], padding=len(second) - 1)[0, 0]


@functools.cache
def filters() -> Tensor:
    """Give the filter of each band, the lowest first: [4, 43], symmetric; together they change nothing (appendix B).

    A low-pass and a high-pass that are squares of the wavelet's, so of no delay, share the highest octave; what is low
    is shared again at twice the spacing.
    """
    low, high = (convolved(each, each.flip(0)) / 2 for each in (SYM2, SYM2 * torch.tensor([1.0, -1, 1, -1]).double()))
    bank = torch.ones(1, 1, dtype=torch.float64)
    for _ in range(BANDS - 1):
        spaced = torch.zeros(len(bank), 2 * bank.shape[1] - 1, dtype=torch.float64)
        spaced[:, ::2] = bank
        lower = torch.stack([convolved(each, low) for each in spaced])
        edge = (lower.shape[1] - len(high)) // 2
        bank = torch.cat([lower, torch.nn.functional.pad(high, (edge, edge))[None]])
    return bank


@functools.cache
def bands(size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Write each band's filter with reflected edges as a matrix along an axis: [4, size, size]."""
    taps = filters()
    reach = taps.shape[1] // 2
    result = torch.zeros(BANDS, size, size, dtype=torch.float64)
    pixels = torch.arange(size)
    for place in range(taps.shape[1]):
        given = reflect(pixels + place - reach, size).long()
        result.index_put_((torch.arange(BANDS)[:, None], pixels, given), taps[:, place, None], accumulate=True)
    return result.to(device, dtype)


def amplify(pictures: Tensor, gains: Tensor) -> Tensor:
    """Amplify the bands of pictures [N, C, H, W] by gains [N, 4], along each axis (appendix B)."""
    height, width = pictures.shape[2:]
    kind = (pictures.device, pictures.dtype)
    rows, columns = (
        (gains.to(pictures) @ bands(size, *kind).flatten(1)).view(-1, size, size) for size in (height, width)
    )
    return rows[:, None] @ pictures @ columns.mT[:, None]


def grain(pictures: Tensor, sigma: Tensor, seed: int) -> Tensor:
    """Add noise of deviation sigma [N] to every colour of every pixel, drawn on the CPU; alpha and the unseen stay."""
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(seed)).to(pictures)
    if pictures.shape[1] == 4:
        noise = torch.cat([noise[:, :3] * (pictures[:, 3:] + 1) / 2, torch.zeros_like(noise[:, 3:])], 1)
    return pictures + noise * sigma.to(pictures)[:, None, None, None]


def cut_out(pictures: Tensor, middle: Tensor) -> Tensor:
    """Make half of the width by half of the height grey, around a middle [N, 2] in widths and heights.

    Where there is alpha, it becomes transparent.
    """
    sides = zip(middle.unbind(1), reversed(pictures.shape[2:]), strict=True)
    x, y = (((torch.arange(size, device=middle.device) + 0.5) / size - 0.5 - at[:, None]).abs() for at, size in sides)
    kept = (x >= HOLE / 2)[:, None, None, :] | (y >= HOLE / 2)[:, None, :, None]
    return torch.where(kept, pictures, -1.0 if pictures.shape[1] == 4 else 0.0)
