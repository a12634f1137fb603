"""Augment what the discriminator sees, as often as it overfits (ADA: Karras et al. 2020, arXiv 2006.06676).

Twelve transforms of the paper's appendix B, each executed on each picture with probability p, so that what the
generator learns stays free of them while p is well below 1. A picture's geometry is composed into one matrix, its
colour into another. The paper pads, filters and crops every picture; here the same is done where it is needed:

    untouched                                    the picture itself
    scaled, moved, mirrored, turned by 90°       one matrix an axis: two small products (whole pixels: exact)
    rotated by any angle                         twice the resolution, bilinear lookup, back to the resolution

N pictures, C channels, H, W height and width.
"""

import functools
import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.errors import UserError

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


@dataclass(frozen=True)
class Transforms:
    """Hold what multiplies p for each transform (0: never executed), in the order of execution (appendix B)."""

    xflip: float = 0
    rotate90: float = 0
    whole_translation: float = 0
    scale: float = 0
    rotate_before: float = 0
    stretch: float = 0  # anisotropic scale
    rotate_after: float = 0
    translation: float = 0
    brightness: float = 0
    contrast: float = 0
    lumaflip: float = 0
    hue: float = 0
    saturation: float = 0


EXECUTED = tuple(field.name for field in fields(Transforms))
BLIT = dict.fromkeys(EXECUTED[:3], 1.0)
GEOMETRY = dict.fromkeys(EXECUTED[3:8], 1.0)
COLOUR = dict.fromkeys(EXECUTED[8:], 1.0)
# People turned on their side, negative or green would leak into what is generated long before a small set is learned.
NOT_OF_PEOPLE = dict.fromkeys(("rotate90", "rotate_before", "rotate_after", "lumaflip", "hue"), 0.0)
SETS = {
    "blit": Transforms(**BLIT),
    "geom": Transforms(**GEOMETRY),
    "color": Transforms(**COLOUR),
    "bg": Transforms(**BLIT, **GEOMETRY),
    "bgc": Transforms(**BLIT, **GEOMETRY, **COLOUR),
    "people": Transforms(**(BLIT | GEOMETRY | COLOUR | NOT_OF_PEOPLE)),
}


class Draw:
    """Draw everything at random about N pictures: the same numbers whatever p and the set are, on the CPU."""

    def __init__(self, count: int, generator: torch.Generator, transforms: Transforms, p: float) -> None:
        kind = {"generator": generator, "dtype": torch.float64}
        self.chances = torch.rand(len(EXECUTED), count, **kind)
        self.uniforms = torch.rand(len(EXECUTED), 2, count, **kind)
        self.normals = torch.randn(len(EXECUTED), 2, count, **kind)
        self.transforms, self.p, self.count = transforms, p, count

    def gate(self, name: str, values: Tensor, otherwise: float) -> Tensor:
        """Keep values [N] of the pictures that a transform is executed on."""
        p = min(self.p * getattr(self.transforms, name), 1.0)
        if name.startswith("rotate_"):
            p = 1 - math.sqrt(1 - p)  # one of the two, or both, with probability p
        return torch.where(self.chances[EXECUTED.index(name)] < p, values, otherwise)

    def whole(self, name: str, count: int) -> Tensor:
        """One of 0 .. count - 1."""
        return self.gate(name, (count * self.uniforms[EXECUTED.index(name), 0]).floor(), 0)

    def uniform(self, name: str, most: float, axis: int = 0) -> Tensor:
        return self.gate(name, most * (2 * self.uniforms[EXECUTED.index(name), axis] - 1), 0)

    def normal(self, name: str, std: float, axis: int = 0) -> Tensor:
        return self.gate(name, std * self.normals[EXECUTED.index(name), axis], 0)

    def factor(self, name: str, std: float) -> Tensor:
        return self.normal(name, std).exp2()


def lookup(draw: Draw, width: int, height: int) -> Tensor:
    """Compose the geometry of N pictures: where to look, [N, 3, 3] from drawn to given pixels (appendix B).

    Coordinates are pixels from the centre of the picture. Inverses are composed, so whole pixels stay exact.
    """

    def matrix(*entries: Tensor | float) -> Tensor:
        result = torch.eye(3, dtype=torch.float64).repeat(draw.count, 1, 1)
        for place, entry in enumerate(entries):
            result[:, place // 3, place % 3] = entry
        return result

    def scale(x: Tensor, y: Tensor | float) -> Tensor:
        return matrix(1 / x, 0, 0, 0, 1 / y, 0)

    def rotate(cos: Tensor, sin: Tensor) -> Tensor:
        return matrix(cos, -sin, 0, sin, cos, 0)

    def move(x: Tensor, y: Tensor) -> Tensor:
        return matrix(1, 0, -x, 0, 1, -y)

    quarters = draw.whole("rotate90", 4) * (math.pi / 2)
    before, after = (draw.uniform(name, math.pi) for name in ("rotate_before", "rotate_after"))
    stretch, factor = draw.factor("stretch", 0.2), draw.factor("scale", 0.2)
    steps = (
        scale(1 - 2 * draw.whole("xflip", 2), 1.0),
        rotate(quarters.cos().round(), quarters.sin().round()),
        move(*((draw.uniform("whole_translation", 0.125, i) * size).round() for i, size in enumerate((width, height)))),
        scale(factor, factor),
        rotate(before.cos(), before.sin()),
        scale(stretch, 1 / stretch),
        rotate(after.cos(), after.sin()),
        move(*(draw.normal("translation", 0.125, i) * size for i, size in enumerate((width, height)))),
    )
    return functools.reduce(torch.matmul, steps)


def colouring(draw: Draw) -> Tensor:
    """Compose the colour of N pictures whose values reach from -1 to 1: [N, 4, 4], homogeneous (appendix B)."""
    one = torch.eye(4, dtype=torch.float64)
    luma, turn = torch.zeros(4, 4, dtype=torch.float64), torch.zeros(4, 4, dtype=torch.float64)
    luma[:3, :3] = 1 / 3  # projects on the axis of greys
    chroma = torch.diag(torch.tensor([1.0, 1, 1, 0], dtype=torch.float64)) - luma
    turn[:3, :3] = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], dtype=torch.float64) / math.sqrt(3)

    brightness, contrast = draw.normal("brightness", 0.2), draw.factor("contrast", 0.5)
    flip, angle = draw.whole("lumaflip", 2)[:, None, None], draw.uniform("hue", math.pi)[:, None, None]
    saturation = draw.factor("saturation", 1)[:, None, None]
    result = one.repeat(draw.count, 1, 1)
    result[:, :3, 3] = brightness[:, None]
    result[:, :3] *= contrast[:, None, None]
    result = (one - 2 * flip * luma) @ result
    result = (one + angle.sin() * turn + (angle.cos() - 1) * chroma) @ result
    return (one + (saturation - 1) * chroma) @ result


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


def recolour(pictures: Tensor, colour: Tensor) -> Tensor:
    """Transform the colours of pictures [N, 1 or 3, H, W] by matrices [N, 4, 4]; grey stays grey (appendix B)."""
    colour = colour[:, :3].to(pictures)
    if pictures.shape[1] == 1:
        colour = colour.mean(1, keepdim=True)
        colour = torch.cat([colour[..., :3].sum(2, keepdim=True), colour[..., 3:]], 2)
    elif pictures.shape[1] != 3:
        raise UserError(f"pictures have {pictures.shape[1]} channels, colours are of 1 or 3: augment with the set bg")
    return torch.baddbmm(colour[..., -1:], colour[..., :-1], pictures.flatten(2)).view(pictures.shape)


class Augment(nn.Module):
    """Augment pictures at random, differentiably twice with respect to them (ADA, appendix B).

    p is the probability of each transform, a buffer that a `Controller` moves. Randomness comes from a generator on the
    CPU, so a seed gives the same augmentations on every device. Whole pixels are exact unless products are in TF32.
    """

    p: Tensor

    def __init__(self, transforms: Transforms | str, p: float = 0.0) -> None:
        super().__init__()
        if isinstance(transforms, str) and transforms not in SETS:
            raise UserError(f"no set of augmentations is called {transforms}: take one of {', '.join(SETS)}")
        self.transforms = SETS[transforms] if isinstance(transforms, str) else transforms
        self.register_buffer("p", torch.tensor(float(p)))

    def forward(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """Augment pictures [N, C, H, W] in about [-1, 1]; rows that no transform meets are returned as they are."""
        draw = Draw(len(pictures), generator, self.transforms, float(self.p))
        where, colour = lookup(draw, pictures.shape[3], pictures.shape[2]), colouring(draw)
        moved = (where != torch.eye(3)).flatten(1).any(1)
        straight = (where[:, 0, 1] == 0) & (where[:, 1, 0] == 0)
        turned = (where[:, 0, 0] == 0) & (where[:, 1, 1] == 0)
        steps = (
            (moved & straight, resample_axes, where),
            (moved & turned, resample_turned, where),
            (moved & ~straight & ~turned, resample, where),
            ((colour != torch.eye(4)).flatten(1).any(1), recolour, colour),
        )
        result, channels_last = pictures, is_channels_last(pictures)
        with torch.autocast(pictures.device.type, enabled=False):
            for chosen, transform, matrix in steps:
                if chosen.any():
                    matrix, rows = matrix[chosen].to(pictures.device), chosen.nonzero()[:, 0].to(pictures.device)
                    result = result.index_copy(0, rows, transform(result.index_select(0, rows), matrix))
        return result.contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


def is_channels_last(pictures: Tensor) -> bool:
    return pictures.is_contiguous(memory_format=torch.channels_last) and not pictures.is_contiguous()


class Controller:
    """Move p towards the overfitting that is wanted of the discriminator (ADA, section 3 and appendix C).

    r_t, the mean sign of its scores of real pictures, is near 0 where it does not overfit and 1 where it does. p stops
    at `p_max`: near 1 the augmentations leak into what is generated, and the paper's rule alone lets p grow past 1.
    """

    def __init__(self, augment: Augment, target: float, ada_kimg: float, interval: int = 4, p_max: float = 0.8) -> None:
        self.augment, self.target, self.ada_kimg, self.interval, self.p_max = augment, target, ada_kimg, interval, p_max
        self.signs, self.pictures, self.steps = torch.zeros(()), 0, 0

    @torch.no_grad()
    def observe(self, scores: Tensor) -> float | None:
        """Take a step's scores of real pictures; returns r_t at the end of an interval, when p has moved."""
        self.signs = self.signs.to(scores.device) + scores.detach().float().sign().sum()
        self.pictures, self.steps = self.pictures + scores.numel(), self.steps + 1
        if self.steps < self.interval:
            return None
        r_t = float(self.signs) / self.pictures
        direction = (r_t > self.target) - (r_t < self.target)
        p = float(self.augment.p) + direction * self.pictures / (self.ada_kimg * 1000)
        self.augment.p.fill_(min(max(p, 0.0), self.p_max))
        self.signs, self.pictures, self.steps = torch.zeros(()), 0, 0
        return r_t

    def state_dict(self) -> dict[str, float]:
        """Return p and what an unfinished interval holds."""
        signs = float(self.signs)
        return {"p": float(self.augment.p), "signs": signs, "pictures": self.pictures, "steps": self.steps}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.augment.p.fill_(state["p"])
        self.signs = torch.tensor(state["signs"])
        self.pictures, self.steps = int(state["pictures"]), int(state["steps"])
