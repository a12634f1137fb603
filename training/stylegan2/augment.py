"""Augment what the discriminator sees, as often as it overfits (ADA: Karras et al. 2020, arXiv 2006.06676).

The eighteen transforms of the paper's appendix B, each executed on each picture with probability p, so that what the
generator learns stays free of them while p is well below 1. A picture's geometry is composed into one matrix, its
colour into another; what is done to it after is in corrupting.py. N pictures, C channels, H, W height and width.
"""

import functools
import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from inference.errors import UserError
from training.stylegan2.corrupting import BANDS, POWER, amplify, cut_out, grain
from training.stylegan2.resampling import resample, resample_axes, resample_turned


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
    band_1: float = 0  # of the frequencies: the lowest
    band_2: float = 0
    band_3: float = 0
    band_4: float = 0
    noise: float = 0
    cutout: float = 0


EXECUTED = tuple(field.name for field in fields(Transforms))
BLIT = dict.fromkeys(EXECUTED[:3], 1.0)
GEOMETRY = dict.fromkeys(EXECUTED[3:8], 1.0)
COLOUR = dict.fromkeys(EXECUTED[8:13], 1.0)
FILTER = dict.fromkeys(EXECUTED[13:17], 1.0)
NOISE, CUTOUT = {"noise": 1.0}, {"cutout": 1.0}
# People turned on their side, negative or green would leak into what is generated long before a small set is learned.
NOT_OF_PEOPLE = dict.fromkeys(("rotate90", "rotate_before", "rotate_after", "lumaflip", "hue"), 0.0)
SETS = {
    "blit": Transforms(**BLIT),
    "geom": Transforms(**GEOMETRY),
    "color": Transforms(**COLOUR),
    "filter": Transforms(**FILTER),
    "noise": Transforms(**NOISE),
    "cutout": Transforms(**CUTOUT),
    "bg": Transforms(**BLIT, **GEOMETRY),
    "bgc": Transforms(**BLIT, **GEOMETRY, **COLOUR),
    "bgcf": Transforms(**BLIT, **GEOMETRY, **COLOUR, **FILTER),
    "bgcfn": Transforms(**BLIT, **GEOMETRY, **COLOUR, **FILTER, **NOISE),
    "bgcfnc": Transforms(**BLIT, **GEOMETRY, **COLOUR, **FILTER, **NOISE, **CUTOUT),
    "people": Transforms(**(BLIT | GEOMETRY | COLOUR | NOT_OF_PEOPLE)),
}


class Draw:
    """Draw everything at random about N pictures: the same numbers whatever p and the set are, on the CPU."""

    def __init__(self, count: int, generator: torch.Generator, transforms: Transforms, p: float) -> None:
        kind = {"generator": generator, "dtype": torch.float64}
        self.chances = torch.rand(len(EXECUTED), count, **kind)
        self.uniforms = torch.rand(len(EXECUTED), 2, count, **kind)
        self.normals = torch.randn(len(EXECUTED), 2, count, **kind)
        self.seed = int(torch.randint(1 << 62, (), generator=generator))  # of the noise of single pixels
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


def gains(draw: Draw) -> Tensor:
    """Compose by how much each band of frequencies is amplified: [N, 4] (appendix B).

    Each band's turn leaves a natural picture's power as it was.
    """
    result = torch.ones(draw.count, BANDS, dtype=torch.float64)
    for band, share in enumerate(POWER):
        factor = draw.factor(f"band_{band + 1}", 1)
        result[:, band] *= factor
        result *= (1 + share * (factor.square() - 1)).rsqrt()[:, None]
    return result


def holes(draw: Draw) -> Tensor:
    """Say where the middle of what is cut out lies, in widths and heights from the centre: [N, 2], NaN for nowhere."""
    chosen = draw.gate("cutout", torch.zeros(draw.count, dtype=torch.float64), math.nan)
    return torch.stack([draw.uniform("cutout", 0.5, axis) + chosen for axis in range(2)], 1)


def recolour(pictures: Tensor, colour: Tensor) -> Tensor:
    """Transform the colours of pictures [N, 1, 3 or 4, H, W] by matrices [N, 4, 4] (appendix B).

    Grey stays grey, alpha and what is transparent stay: colours that are multiplied by it are shifted times it.
    """
    if pictures.shape[1] == 4:
        colour, opacity = colour[:, :3].to(pictures), (pictures[:, 3:] + 1) / 2
        lit = (pictures[:, :3] + 1 - opacity).flatten(2)  # alpha times the colour from -1 to 1
        lit = colour[..., :3] @ lit + colour[..., 3:] * opacity.flatten(2)
        return torch.cat([lit.view_as(pictures[:, :3]) - 1 + opacity, pictures[:, 3:]], 1)
    colour = colour[:, :3].to(pictures)
    if pictures.shape[1] == 1:
        colour = colour.mean(1, keepdim=True)
        colour = torch.cat([colour[..., :3].sum(2, keepdim=True), colour[..., 3:]], 2)
    elif pictures.shape[1] != 3:
        raise UserError(
            f"pictures have {pictures.shape[1]} channels, colours are of 1, 3 or 4: augment with the set bg"
        )
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
        amplified, sigma, hole = gains(draw), draw.normal("noise", 0.1).abs(), holes(draw)
        moved = (where != torch.eye(3)).flatten(1).any(1)
        straight = (where[:, 0, 1] == 0) & (where[:, 1, 0] == 0)
        turned = (where[:, 0, 0] == 0) & (where[:, 1, 1] == 0)
        steps = (
            (moved & straight, resample_axes, where),
            (moved & turned, resample_turned, where),
            (moved & ~straight & ~turned, resample, where),
            ((colour != torch.eye(4)).flatten(1).any(1), recolour, colour),
            ((amplified != 1).any(1), amplify, amplified),
            (sigma > 0, functools.partial(grain, seed=draw.seed), sigma),
            (hole.isfinite().all(1), cut_out, hole),
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
