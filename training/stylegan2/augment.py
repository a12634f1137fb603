"""Augment what the discriminator sees, as often as it overfits (ADA: Karras et al. 2020, arXiv 2006.06676, appendix B).

Twelve transforms of the paper, each executed on each picture with probability p, so that what the generator learns stays
free of them while p is well below 1. A picture's geometry is composed into one matrix, its colour into another.

The paper pads, filters and crops every picture. Here the same resampling is done where it is needed, and at its price:

    untouched                                    the picture itself
    scaled, moved, mirrored, turned by 90°       one matrix an axis: two small products (whole pixels: exact)
    rotated by any angle                         twice the resolution, bilinear lookup, back to the resolution

N pictures, C channels, H, W height and width.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.errors import UserError

# Scaling filter of the wavelet sym6 (Daubechies' least asymmetric, 6 vanishing moments): sums to sqrt 2, and is orthogonal
# to its own even shifts, so that raising the resolution and lowering it again changes nothing.
SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)
TAPS = len(SYM6)
REACH = TAPS // 2 - 1  # taps before the one that stands nearest to the sample itself
# Where a sample comes to lie at twice the resolution, beyond its even place. The filter is not quite symmetric: with half
# a sample, as if it were, a mirrored picture would move by 0.4 pixels.
DELAY = sum(place * tap for place, tap in enumerate(SYM6)) / sum(SYM6) - REACH


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

    # Strengths
    whole_translation_max: float = 0.125  # of the width, height
    scale_std: float = 0.2  # of log2
    stretch_std: float = 0.2  # of log2
    rotation_max: float = 1  # of half a turn
    translation_std: float = 0.125  # of the width, height
    brightness_std: float = 0.2  # pictures reach from -1 to 1
    contrast_std: float = 0.5  # of log2
    hue_max: float = 1  # of half a turn
    saturation_std: float = 1  # of log2


EXECUTED = tuple(name for name in Transforms.__dataclass_fields__ if not name.endswith(("_max", "_std")))
BLIT = {"xflip": 1, "rotate90": 1, "whole_translation": 1}
GEOMETRY = {"scale": 1, "rotate_before": 1, "stretch": 1, "rotate_after": 1, "translation": 1}
COLOUR = {"brightness": 1, "contrast": 1, "lumaflip": 1, "hue": 1, "saturation": 1}
# Turned, negative and green people leak into what is generated long before small sets have been learned.
NOT_OF_PEOPLE = {"rotate90": 0, "rotate_before": 0, "rotate_after": 0, "lumaflip": 0, "hue": 0}
SETS = {
    "blit": Transforms(**BLIT),
    "geom": Transforms(**GEOMETRY),
    "color": Transforms(**COLOUR),
    "bg": Transforms(**BLIT, **GEOMETRY),
    "bgc": Transforms(**BLIT, **GEOMETRY, **COLOUR),
    "people": Transforms(**(BLIT | GEOMETRY | COLOUR | NOT_OF_PEOPLE)),
}


class Draw:
    """Draw everything at random about N pictures: as many numbers whatever p and the set are."""

    def __init__(self, count: int, generator: torch.Generator, transforms: Transforms, p: float) -> None:
        kind = {"generator": generator, "dtype": torch.float64}
        self.chance = torch.rand(count, len(EXECUTED), **kind)
        self.uniforms = torch.rand(count, len(EXECUTED), 2, **kind)
        self.normals = torch.randn(count, len(EXECUTED), 2, **kind)
        self.multipliers = [getattr(transforms, name) for name in EXECUTED]
        self.p = p

    def executes(self, name: str) -> bool:
        return self.p * self.multipliers[EXECUTED.index(name)] > 0

    def gate(self, name: str, values: Tensor, otherwise: float) -> Tensor:
        """Keep values [N] of the pictures that a transform is executed on."""
        p = min(self.p * self.multipliers[EXECUTED.index(name)], 1.0)
        if name in ("rotate_before", "rotate_after"):
            p = 1 - math.sqrt(1 - p)  # one or the other with probability p
        return torch.where(self.chance[:, EXECUTED.index(name)] < p, values, otherwise)

    def uniform(self, name: str, low: float, high: float, axis: int = 0) -> Tensor:
        return low + (high - low) * self.uniforms[:, EXECUTED.index(name), axis]

    def normal(self, name: str, std: float, axis: int = 0) -> Tensor:
        return std * self.normals[:, EXECUTED.index(name), axis]


def matrices(rows: list[list[Tensor | float]], count: int) -> Tensor:
    """Stack the entries of a matrix, each a number or [N], to [N, rows, columns]."""
    result = torch.zeros(count, len(rows), len(rows[0]), dtype=torch.float64)
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            result[:, i, j] = entry
    return result


def lookup(draw: Draw, transforms: Transforms, width: int, height: int) -> Tensor:
    """Compose the geometry of N pictures: where to look, [N, 3, 3] from drawn to given pixels (appendix B).

    Coordinates are pixels from the centre of the picture. The inverses are composed, so untouched rows are exact.
    """
    count = len(draw.chance)
    result = torch.eye(3, dtype=torch.float64).repeat(count, 1, 1)

    def scale(x: Tensor, y: Tensor | float) -> None:
        nonlocal result
        result = result @ matrices([[1 / x, 0, 0], [0, 1 / y, 0], [0, 0, 1]], count)

    def rotate(cos: Tensor, sin: Tensor) -> None:
        nonlocal result
        result = result @ matrices([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], count)

    def move(x: Tensor, y: Tensor) -> None:
        nonlocal result
        result = result @ matrices([[1, 0, -x], [0, 1, -y], [0, 0, 1]], count)

    if draw.executes(name := "xflip"):
        scale(draw.gate(name, 1 - 2 * draw.uniform(name, 0, 2).floor(), 1), 1.0)
    if draw.executes(name := "rotate90"):
        turns = draw.gate(name, draw.uniform(name, 0, 4).floor(), 0).long()
        rotate(torch.tensor([1.0, 0, -1, 0]).double()[turns], torch.tensor([0.0, 1, 0, -1]).double()[turns])
    if draw.executes(name := "whole_translation"):
        most = transforms.whole_translation_max
        x, y = (draw.gate(name, draw.uniform(name, -most, most, axis), 0) for axis in (0, 1))
        move((x * width).round(), (y * height).round())
    if draw.executes(name := "scale"):
        factor = draw.gate(name, draw.normal(name, transforms.scale_std).exp2(), 1)
        scale(factor, factor)
    for name in ("rotate_before", "stretch", "rotate_after"):
        if draw.executes(name) and name == "stretch":
            factor = draw.gate(name, draw.normal(name, transforms.stretch_std).exp2(), 1)
            scale(factor, 1 / factor)
        elif draw.executes(name):
            most = transforms.rotation_max * math.pi
            angle = draw.gate(name, draw.uniform(name, -most, most), 0)
            rotate(angle.cos(), angle.sin())
    if draw.executes(name := "translation"):
        x, y = (draw.gate(name, draw.normal(name, transforms.translation_std, axis), 0) for axis in (0, 1))
        move(x * width, y * height)
    return result


def colouring(draw: Draw, transforms: Transforms) -> Tensor:
    """Compose the colour of N pictures, [N, 4, 4] homogeneous (appendix B)."""
    count = len(draw.chance)
    one = torch.eye(4, dtype=torch.float64)
    grey = torch.zeros(4, 4, dtype=torch.float64)
    grey[:3, :3] = 1 / 3  # projects on the luma axis
    rest = torch.diag(torch.tensor([1.0, 1, 1, 0], dtype=torch.float64)) - grey
    turn = torch.zeros(4, 4, dtype=torch.float64)
    turn[:3, :3] = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    result = one.repeat(count, 1, 1)

    if draw.executes(name := "brightness"):
        shift = draw.gate(name, draw.normal(name, transforms.brightness_std), 0)
        result[:, :3, 3] += shift[:, None]
    if draw.executes(name := "contrast"):
        factor = draw.gate(name, draw.normal(name, transforms.contrast_std).exp2(), 1)
        result[:, :3] *= factor[:, None, None]
    if draw.executes(name := "lumaflip"):
        flip = draw.gate(name, draw.uniform(name, 0, 2).floor(), 0)[:, None, None]
        result = (one - 2 * flip * grey) @ result
    if draw.executes(name := "hue"):
        most = transforms.hue_max * math.pi
        angle = draw.gate(name, draw.uniform(name, -most, most), 0)[:, None, None]
        result = (one + angle.sin() * turn + (angle.cos() - 1) * rest) @ result
    if draw.executes(name := "saturation"):
        factor = draw.gate(name, draw.normal(name, transforms.saturation_std).exp2(), 1)[:, None, None]
        result = (one + (factor - 1) * rest) @ result
    return result


def reflect(places: Tensor, size: int) -> Tensor:
    """Mirror places about the centres of the first and the last pixel, as often as they need."""
    return (size - 1) - ((places % (2 * size - 2)) - (size - 1)).abs()


def raising(size: int, like: Tensor) -> Tensor:
    """Write doubling the resolution with reflected edges as a matrix, [2 size, size]."""
    result = torch.zeros(2 * size, size, dtype=torch.float64)
    samples = torch.arange(-TAPS, size + TAPS)
    for place, tap in enumerate(SYM6):
        rows = 2 * samples + place - REACH
        inside = (rows >= 0) & (rows < 2 * size)
        columns = reflect(samples, size)
        result.index_put_((rows[inside], columns[inside]), torch.tensor(math.sqrt(2) * tap).double(), accumulate=True)
    return result.to(like)


def lowering(size: int, like: Tensor) -> Tensor:
    """Write halving the resolution as a matrix, [size, 2 size + TAPS - 2]: reads REACH samples ahead of the first."""
    result = torch.zeros(size, 2 * size + TAPS - 2, dtype=torch.float64)
    samples = torch.arange(size)
    for place, tap in enumerate(SYM6):
        result[samples, 2 * samples + place] = tap / math.sqrt(2)
    return result.to(like)


def raised_places(size: int, device: torch.device) -> Tensor:
    """Say where samples at twice the resolution lie, those included that halving reads: [2 size + TAPS - 2], pixels."""
    steps = torch.arange(2 * size + TAPS - 2, device=device, dtype=torch.float64) - REACH
    return (steps - DELAY) / 2 - (size - 1) / 2


def axis(scale: Tensor, shift: Tensor, given: int, drawn: int, like: Tensor) -> Tensor:
    """Write raising, bilinear lookup and lowering along one axis as a matrix, [N, drawn, given] (appendix B.2).

    Where the lookup meets pixels exactly nothing is filtered, and the matrix only selects.
    """
    centre = (given - 1) / 2
    places = reflect(scale[:, None] * raised_places(drawn, like.device) + shift[:, None] + centre, given)
    steps = 2 * places + DELAY
    before = steps.floor().long().clamp(0, 2 * given - 2)
    share = (steps - before).to(like)[..., None]
    raised = raising(given, like)
    filtered = lowering(drawn, like) @ torch.lerp(raised[before], raised[before + 1], share)

    pixels = torch.arange(drawn, device=like.device) - (drawn - 1) / 2
    pixels = reflect(scale[:, None] * pixels + shift[:, None] + centre, given)
    selected = functional.one_hot(pixels.round().long(), given).to(like)
    exact = (scale.abs() == 1) & (pixels == pixels.round()).all(1)
    return torch.where(exact[:, None, None], selected, filtered)


def resample_axes(pictures: Tensor, where: Tensor) -> Tensor:
    """Scale, mirror and move pictures along their axes: where [N, 3, 3] without rotation (appendix B.2)."""
    height, width = pictures.shape[2:]
    rows = axis(where[:, 1, 1], where[:, 1, 2], height, height, pictures)
    columns = axis(where[:, 0, 0], where[:, 0, 2], width, width, pictures)
    return rows[:, None] @ pictures @ columns.mT[:, None]


def resample_turned(pictures: Tensor, where: Tensor) -> Tensor:
    """Turn pictures by 90 degrees, then as `resample_axes`: where [N, 3, 3] exchanges the axes (appendix B.2)."""
    height, width = pictures.shape[2:]
    rows = axis(where[:, 0, 1], where[:, 0, 2], width, height, pictures)
    columns = axis(where[:, 1, 0], where[:, 1, 2], height, width, pictures)
    return rows[:, None] @ pictures.mT @ columns.mT[:, None]


def resample(pictures: Tensor, where: Tensor) -> Tensor:
    """Transform pictures by any matrix [N, 3, 3]: double the resolution, look up, halve it (appendix B.2)."""
    height, width = pictures.shape[2:]
    raised = raising(height, pictures) @ pictures @ raising(width, pictures).mT
    x = raised_places(width, pictures.device)[None, None, :]
    y = raised_places(height, pictures.device)[None, :, None]
    grid = []
    for row, size in ((where[:, 0], width), (where[:, 1], height)):
        a, b, c = (entry[:, None, None] for entry in row.unbind(1))
        steps = 2 * reflect(a * x + b * y + c + (size - 1) / 2, size) + DELAY
        grid.append((2 * steps + 1) / (2 * size) - 1)
    found = functional.grid_sample(raised, torch.stack(grid, -1).to(pictures), "bilinear", "border", align_corners=False)
    return lowering(height, pictures) @ found @ lowering(width, pictures).mT


def recolour(pictures: Tensor, colour: Tensor) -> Tensor:
    """Transform the colours of pictures [N, 1 or 3, H, W] by matrices [N, 4, 4] (appendix B); grey stays grey."""
    colour = colour[:, :3]
    if pictures.shape[1] == 1:
        grey = colour.mean(1, keepdim=True)
        colour = torch.cat([grey[..., :3].sum(2, keepdim=True), grey[..., 3:]], 2)
    elif pictures.shape[1] != 3:
        raise UserError(f"pictures of {pictures.shape[1]} channels: colours are augmented of 1 or 3; take the set `bg`")
    colour = colour.to(pictures)
    flat = torch.baddbmm(colour[..., -1:], colour[..., :-1], pictures.flatten(2))
    return flat.view(pictures.shape)


class Augment(nn.Module):
    """Augment pictures at random, differentiably twice with respect to them (ADA, appendix B).

    p is the probability of each transform, a buffer that a `Controller` moves. Randomness comes from a generator on the
    CPU, so a seed gives the same augmentations on every device.
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
        where = lookup(draw, self.transforms, pictures.shape[3], pictures.shape[2])
        colour = colouring(draw, self.transforms)
        one = torch.eye(4, dtype=torch.float64)
        touched = (where != one[:3, :3]).any(2).any(1)
        straight = (where[:, 0, 1] == 0) & (where[:, 1, 0] == 0)
        turned = (where[:, 0, 0] == 0) & (where[:, 1, 1] == 0)
        steps = (
            (touched & straight, resample_axes, where),
            (turned, resample_turned, where),
            (touched & ~straight & ~turned, resample, where),
            ((colour != one).any(2).any(1), recolour, colour),
        )
        layout = torch.channels_last if is_channels_last(pictures) else torch.contiguous_format
        result = pictures
        with torch.autocast(pictures.device.type, enabled=False):
            for chosen, transform, matrix in steps:
                rows = chosen.nonzero()[:, 0]
                if len(rows):
                    matrix, rows = matrix[rows].to(pictures.device), rows.to(pictures.device)
                    result = result.index_copy(0, rows, transform(result.index_select(0, rows), matrix))
        return result.contiguous(memory_format=layout)


def is_channels_last(pictures: Tensor) -> bool:
    return pictures.is_contiguous(memory_format=torch.channels_last) and not pictures.is_contiguous()


class Controller:
    """Move p towards the overfitting that is wanted of the discriminator (ADA, section 3.1 and appendix C).

    r_t, the mean sign of its scores of real pictures, is near 0 where it does not overfit and 1 where it does. p stops
    at `p_max`: towards 1 the augmentations leak into what is generated, and nothing in the heuristic would hold it.
    """

    def __init__(
        self, augment: Augment, target: float, ada_kimg: float, interval: int = 4, p_max: float = 0.8
    ) -> None:
        self.augment, self.target, self.ada_kimg, self.interval, self.p_max = augment, target, ada_kimg, interval, p_max
        self.signs, self.pictures, self.steps = 0.0, 0, 0

    @torch.no_grad()
    def observe(self, scores: Tensor) -> float | None:
        """Take a step's scores of real pictures; returns r_t where the interval is complete and p was moved."""
        self.signs = self.signs + scores.detach().sign().sum()
        self.pictures += scores.numel()
        self.steps += 1
        if self.steps < self.interval:
            return None
        r_t = float(self.signs) / self.pictures
        step = math.copysign(1, r_t - self.target) if r_t != self.target else 0.0
        p = float(self.augment.p) + step * self.pictures / (self.ada_kimg * 1000)
        self.augment.p.fill_(min(max(p, 0.0), self.p_max))
        self.signs, self.pictures, self.steps = 0.0, 0, 0
        return r_t

    def state_dict(self) -> dict[str, float]:
        """Return what an interrupted interval holds, and p."""
        state = {"signs": float(self.signs), "pictures": self.pictures, "steps": self.steps}
        return state | {"p": float(self.augment.p)}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.signs, self.pictures, self.steps = state["signs"], int(state["pictures"]), int(state["steps"])
        self.augment.p.fill_(state["p"])
