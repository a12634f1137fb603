"""Make avatars from a bundle: people by seed or by name, mixed, edited, on grids.

    avatars = Avatars(load("portrait"))
    a, b = avatars.w("minji"), avatars.w(7)
    picture = avatars.picture(avatars.mix(a, b, 0.5))

Each picture is made alone and on one thread: its bytes depend on its own seed and settings, never on what was asked for
beside it. In a batch, or on two threads, single pixels came out one level off.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from inference.bundle import Bundle, Directions
from inference.errors import UserError
from inference.networks.stylegan2 import latents, to_uint8
from inference.seeds import seed_of, shorten

MAX_PSI = 2.0
MAX_SIGMAS = 20.0
TRUNCATION = 0.7


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Compute on one thread: what is made then does not depend on how many there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Avatars:
    """A bundle's generator, ready to be asked. Noise is the constant one; `label` picks a class where there are any."""

    def __init__(self, bundle: Bundle, label: int | None = None) -> None:
        self.bundle = bundle
        self.generator = bundle.generator()
        self.config = bundle.config
        self.label = self._checked_label(label)

    @property
    def num_ws(self) -> int:
        """The number of layers that take a style: 0 is the coarsest, the last one colours."""
        return self.config.num_ws

    @torch.inference_mode()
    @on_one_thread()
    def w(self, seed: int | str, psi: float = TRUNCATION, cutoff: int | None = None) -> Tensor:
        """Map a seed or name to its styles [num_ws, w_dim], truncated: `psi` 0 is the average, 1 leaves all variety.

        With `cutoff`, only that many of the first layers are truncated.
        """
        if not (math.isfinite(psi) and abs(psi) <= MAX_PSI):
            raise UserError(f"truncation {psi} must be a number from {-MAX_PSI:g} to {MAX_PSI:g}; 0.7 is usual")
        if cutoff is not None and not 0 <= cutoff <= self.num_ws:
            raise UserError(f"cutoff {cutoff} must be a number of layers from 0 to {self.num_ws}")
        w = self.generator.mapping(latents([seed_of(seed)], self.config.z_dim), self.label)
        return self.generator.truncate(self.generator.broadcast(w), psi, cutoff)[0]

    @torch.inference_mode()
    @on_one_thread()
    def picture(self, ws: Tensor) -> np.ndarray:
        """Draw styles [num_ws, w_dim]: uint8 HxWx3."""
        return to_uint8(self.generator.synthesis(ws[None], noise="const"))[0].numpy()

    def generate(
        self, seeds: Iterable[int | str], psi: float = TRUNCATION, cutoff: int | None = None
    ) -> Iterator[np.ndarray]:
        """Draw the seeds, one after the other."""
        for seed in seeds:
            yield self.picture(self.w(seed, psi, cutoff))

    def mix(self, a: Tensor, b: Tensor, t: float = 1.0, layers: Sequence[int] | None = None) -> Tensor:
        """Move styles a share `t` from `a` to `b`, in all layers or in some: 0 is exactly `a`, 1 exactly `b`.

        With `layers` and t = 1 it is the crossover of styles: coarse layers from one person, fine ones from another.
        """
        if not 0 <= t <= 1:
            raise UserError(f"share {t} must be a number from 0 (all of A) to 1 (all of B)")
        mixed = a.clone()
        chosen = self._checked_layers(layers)
        mixed[chosen] = a[chosen].lerp(b[chosen], t)
        return mixed

    def edit(self, ws: Tensor, direction: int | str, sigmas: float, layers: Sequence[int] | None = None) -> Tensor:
        """Move styles along a direction of W, so many of its standard deviations far.

        Principal ones go by number, 0 is the one along which people differ most; others by name, like "sefa:0".
        """
        if not (math.isfinite(sigmas) and abs(sigmas) <= MAX_SIGMAS):
            raise UserError(f"sigmas {sigmas} must be a number from {-MAX_SIGMAS:g} to {MAX_SIGMAS:g}")
        row = self._row(direction)
        edited = ws.clone()
        edited[self._checked_layers(layers)] += sigmas * self._directions.sigmas[row] * self._directions.components[row]
        return edited

    @property
    def directions(self) -> int:
        """The number of principal directions that the bundle brings."""
        return self._directions.principal

    def interpolate(
        self, a: Tensor, b: Tensor, steps: int, layers: Sequence[int] | None = None
    ) -> Iterator[np.ndarray]:
        """Draw the way from `a` to `b` in equal steps, both ends among them."""
        for t in np.linspace(0, 1, steps):
            yield self.picture(self.mix(a, b, float(t), layers))

    def walk(self, people: Sequence[Tensor], frames: int, layers: Sequence[int] | None = None) -> Iterator[np.ndarray]:
        """Draw so many frames of a way through all people and back to the first, slow at each one.

        The way is straight in w: there lie those who are between two people, and people found in a picture, who have no
        z. A round z, as spherical ways are, would lead past others. The last frame leads into the first.
        """
        stops = [self.mix(people[0], each, 1.0, layers) for each in people]
        for frame in range(frames):
            leg, gone = divmod(frame * len(stops), frames)
            t = (1 - math.cos(math.pi * gone / frames)) / 2
            yield self.picture(self.mix(stops[leg], stops[(leg + 1) % len(stops)], t))

    def crossed(
        self, rows: Sequence[Tensor], columns: Sequence[Tensor], t: float, layers: Sequence[int] | None = None
    ) -> Iterator[np.ndarray]:
        """Draw the tiles of a sheet of mixes, row by row: white, the columns' people; each row's person, its mixes."""
        yield np.full((self.config.height, self.config.width, 3), 255, np.uint8)
        yield from map(self.picture, columns)
        for row in rows:
            yield self.picture(row)
            yield from (self.picture(self.mix(row, column, t, layers)) for column in columns)

    def slider(
        self, ws: Tensor, direction: int | str, sigmas: Iterable[float], layers: Sequence[int] | None = None
    ) -> Iterator[np.ndarray]:
        """Draw styles moved along a direction, once for each number of sigmas: a row of a slider sheet."""
        for amount in sigmas:
            yield self.picture(self.edit(ws, direction, amount, layers))

    def _row(self, direction: int | str) -> int:
        count, names = self._directions.principal, self._directions.names
        row = names.get(direction) if isinstance(direction, str) else direction
        if row is None or (not isinstance(direction, str) and not 0 <= row < count):
            known = sorted({f"{name.rpartition(':')[0]}:N" if ":" in name else name for name in names})
            named = f", or one of {', '.join(known)}" if known else ""
            raise UserError(f"direction {direction!r} must be a number from 0 to {count - 1}{named}")
        return row

    @cached_property
    def _directions(self) -> Directions:
        return self.bundle.directions()

    def _checked_layers(self, layers: Sequence[int] | None) -> list[int]:
        if layers is None:
            return list(range(self.num_ws))
        if not layers or min(layers) < 0 or max(layers) >= self.num_ws:
            shown = shorten(sorted(layers))[:60] or "none"
            raise UserError(f"layers {shown} must lie in 0-{self.num_ws - 1} for {self.bundle.name}")
        return list(layers)

    def _checked_label(self, label: int | None) -> Tensor | None:
        classes = self.config.classes
        if (label is None) != (classes == 0) or (label is not None and not 0 <= label < classes):
            wanted = f"a number from 0 to {classes - 1}" if classes else "left out"
            raise UserError(f"label {label} of bundle {self.bundle.name} must be {wanted}")
        return None if label is None else torch.tensor([label])


def grid(pictures: Iterable[np.ndarray], columns: int | None = None, gap: int = 0) -> np.ndarray:
    """Lay pictures HxWx3 of one size out in rows, on white; without `columns` about as wide as tall."""
    pictures = list(pictures)
    height, width = pictures[0].shape[:2]
    columns = min(columns or square(len(pictures), width, height), len(pictures))
    rows = math.ceil(len(pictures) / columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for index, picture in enumerate(pictures):
        y, x = (index // columns) * (height + gap), (index % columns) * (width + gap)
        sheet[y : y + height, x : x + width] = picture
    return sheet


def square(count: int, width: int, height: int) -> int:
    """Give the number of columns that makes a grid about as wide as tall."""
    return max(1, math.ceil(math.sqrt(count * height / width)))
