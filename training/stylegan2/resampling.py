"""Move pictures about as augmentation does: raise the resolution, look up, lower it (ADA, appendix B).

The paper pads, filters and crops every picture; here the same is done where it is needed:

    untouched                                    the picture itself
    scaled, moved, mirrored, turned by 90°       one matrix an axis: two small products (whole pixels: exact)
    rotated by any angle                         twice the resolution, bilinear lookup, back to the resolution

N pictures, H, W height and width.
"""

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional

# Scaling filter of the wavelet sym6 (Daubechies' least asymmetric, 6 vanishing moments): sums to sqrt 2, and is
# orthogonal to its own even shifts, so that raising the resolution and lowering it again changes nothing.
SYM6 = torch.tensor(
    [
        *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
        *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
        *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
    ],
    dtype=torch.float64,
)
TAPS = len(SYM6)
REACH = TAPS // 2 - 1  # taps before the one that stands nearest to the sample itself
# Where a sample comes to lie at twice the resolution, beyond its even place. The filter is not quite symmetric: with
# half a sample, as if it were, a mirrored picture would move by 0.4 pixels.
DELAY = float((SYM6 * torch.arange(TAPS)).sum() / SYM6.sum()) - REACH


def reflect(places: Tensor, size: int) -> Tensor:
    """Mirror places about the centres of the first and the last pixel, as often as they need: 2 pixels at least."""
    period = 2 * (size - 1)
    return (places - period * torch.round(places / period)).abs()


@functools.cache
def raising(size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Write doubling the resolution with reflected edges as a matrix, [2 size, size] (appendix B)."""
    result = torch.zeros(2 * size, size, dtype=torch.float64)
    samples = torch.arange(-TAPS, size + TAPS)
    for place, tap in enumerate(SYM6 * math.sqrt(2)):
        rows = 2 * samples + place - REACH
        inside = (rows >= 0) & (rows < 2 * size)
        result.index_put_((rows[inside], reflect(samples, size).long()[inside]), tap, accumulate=True)
    return result.to(device, dtype)


@functools.cache
def lowering(size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Write halving the resolution as a matrix, [size, 2 size + TAPS - 2], of `raised_places` (appendix B)."""
    result = torch.zeros(size, 2 * size + TAPS - 2, dtype=torch.float64)
    for sample in range(size):
        result[sample, 2 * sample : 2 * sample + TAPS] = SYM6 / math.sqrt(2)
    return result.to(device, dtype)


def raised_places(size: int, device: torch.device) -> Tensor:
    """Say where samples of twice the resolution lie that halving reads: [2 size + TAPS - 2], pixels from the centre."""
    steps = torch.arange(2 * size + TAPS - 2, device=device, dtype=torch.float64) - REACH
    return (steps - DELAY) / 2 - (size - 1) / 2


def axis(scale: Tensor, shift: Tensor, given: int, drawn: int, dtype: torch.dtype) -> Tensor:
    """Write raising, bilinear lookup and lowering along one axis as a matrix, [N, drawn, given] (appendix B).

    Where the lookup meets pixels exactly nothing is filtered, and the matrix only selects.
    """
    device, centre = scale.device, (given - 1) / 2
    scale, shift = scale[:, None], shift[:, None] + centre
    steps = 2 * reflect(scale * raised_places(drawn, device) + shift, given) + DELAY
    first = steps.floor().long()
    raised = raising(given, device, dtype)
    found = torch.lerp(raised[first], raised[first + 1], (steps - first).to(dtype)[..., None])
    filtered = lowering(drawn, device, dtype) @ found

    pixels = reflect(scale * (torch.arange(drawn, device=device) - (drawn - 1) / 2) + shift, given)
    selected = functional.one_hot(pixels.round().long(), given).to(dtype)
    exact = (scale.abs() == 1) & (pixels == pixels.round()).all(1, keepdim=True)
    return torch.where(exact[..., None], selected, filtered)


def resample_axes(pictures: Tensor, where: Tensor) -> Tensor:
    """Scale, mirror and move pictures along their axes: `where` [N, 3, 3] has no rotation (appendix B)."""
    height, width = pictures.shape[2:]
    rows = axis(where[:, 1, 1], where[:, 1, 2], height, height, pictures.dtype)
    columns = axis(where[:, 0, 0], where[:, 0, 2], width, width, pictures.dtype)
    return rows[:, None] @ pictures @ columns.mT[:, None]


def resample_turned(pictures: Tensor, where: Tensor) -> Tensor:
    """Do the same where `where` exchanges the axes: turned by 90 degrees (appendix B)."""
    height, width = pictures.shape[2:]
    rows = axis(where[:, 0, 1], where[:, 0, 2], width, height, pictures.dtype)
    columns = axis(where[:, 1, 0], where[:, 1, 2], height, width, pictures.dtype)
    return rows[:, None] @ pictures.mT @ columns.mT[:, None]


def resample(pictures: Tensor, where: Tensor) -> Tensor:
    """Transform pictures by any `where` [N, 3, 3]: double the resolution, look up, halve it (appendix B)."""
    (height, width), kind = pictures.shape[2:], (pictures.device, pictures.dtype)
    raised = raising(height, *kind) @ pictures @ raising(width, *kind).mT
    grid = []
    for row, size in ((where[:, 0], width), (where[:, 1], height)):
        by_x, by_y, shift = row[..., None].unbind(1)
        along_x = by_x * raised_places(width, pictures.device) + shift + (size - 1) / 2
        along_y = by_y * raised_places(height, pictures.device)
        steps = 2 * reflect(along_x[:, None].to(kind[1]) + along_y[:, :, None].to(kind[1]), size) + DELAY
        grid.append((steps + 0.5) / size - 1)
    found = functional.grid_sample(raised, torch.stack(grid, -1), "bilinear", "border", align_corners=False)
    return lowering(height, *kind) @ found @ lowering(width, *kind).mT
