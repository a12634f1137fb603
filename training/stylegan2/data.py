"""The pictures that a StyleGAN2 is trained on: an image pack, its held-out fifth left out, in an endless order."""

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from inference import media
from inference.errors import UserError
from preprocessing.packing import Pack

HELD_OUT_EVERY = 5
PARTS = ("train", "held_out", "all")


def held_out(sha256: str) -> bool:
    """Tell whether a picture is kept from training, by its name alone: a picture added later moves no other."""
    return int(sha256[:8], 16) % HELD_OUT_EVERY == 0


def positions(pack: Pack, part: str) -> list[int]:
    """Give the positions in the pack of the pictures of a part: train, held_out or all."""
    assert part in PARTS, f"no part {part!r}"
    chosen = {"train": (False,), "held_out": (True,), "all": (False, True)}[part]
    return [position for position, name in enumerate(pack.index["sha256"]) if held_out(name) in chosen]


def about(pack: Pack) -> dict:
    """Say of a pack what a run says of it."""
    said = {key: getattr(pack, key) for key in ("fingerprint", "width", "height", "background")}
    return {**said, "count": len(pack), **{part: len(positions(pack, part)) for part in ("train", "held_out")}}


def flat(picture: np.ndarray) -> np.ndarray:
    """Lay a picture with transparency on white: HxWx3 uint8."""
    if picture.shape[2] == 3:
        return picture
    return np.asarray(media.flatten(Image.fromarray(picture)))


def premultiplied(picture: np.ndarray) -> np.ndarray:
    """Multiply the colours of a picture by its alpha: HxWx4 uint8, black where nothing is seen."""
    colours, alpha = picture[..., :3].astype(np.uint16), picture[..., 3:].astype(np.uint16)
    return np.concatenate([(colours * alpha + 127) // 255, alpha], 2).astype(np.uint8)


def pictures(pack: Pack, part: str) -> np.ndarray:
    """Read the pictures of a part: uint8 [N, H, W, 3]."""
    shape = (0, pack.height, pack.width, 3)
    rows = [flat(pack.image(position)) for position in positions(pack, part)]
    return np.stack(rows) if rows else np.empty(shape, np.uint8)


class Portraits(Dataset):
    """The pictures of a part as (uint8 [3, H, W], label); with `mirror`, each once more as in a mirror.

    What is transparent lies on white, or, with `alpha`, is kept: [4, H, W], premultiplied.
    """

    def __init__(self, pack: Pack, part: str, mirror: bool = False, alpha: bool = False) -> None:
        self.pack = pack
        self.positions = positions(pack, part)
        self.numbers = pack.numbers()
        self.mirror = mirror
        self.seen = premultiplied if alpha else flat
        if alpha and pack.channels != 4:
            line = f"train.alpha: the pictures of the pack have {pack.channels} channels and no transparency"
            raise UserError(f"{line}: clean them with images.background=transparent, or leave train.alpha at false")
        if not self.positions:
            raise UserError(f"the pack of {len(pack)} pictures has none to train on: scrape more")

    def __len__(self) -> int:
        return len(self.positions) * (2 if self.mirror else 1)

    def __getitem__(self, item: int) -> tuple[Tensor, int]:
        if not 0 <= item < len(self):
            raise IndexError(item)
        again, item = divmod(item, len(self.positions))
        position = self.positions[item]
        picture = self.seen(self.pack.image(position))
        picture = picture[:, ::-1] if again else picture
        label = 0 if self.numbers is None else self.numbers[position]
        return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))), label


class Endless(Sampler[int]):
    """Items forever, each epoch in an order of its own; of each batch, every process takes its share.

    The order depends on the seed alone: `start` pictures in, a resumed run is where an uninterrupted one would be.
    """

    def __init__(self, count: int, seed: int, start: int = 0, rank: int = 0, world: int = 1) -> None:
        self.count, self.seed, self.start, self.rank, self.world = count, seed, start, rank, world

    def __iter__(self) -> Iterator[int]:
        shown = self.start
        while True:
            epoch, begun = divmod(shown, self.count)
            order = np.random.default_rng([self.seed, epoch]).permutation(self.count)
            for item in order[begun:].tolist():
                if shown % self.world == self.rank:
                    yield item
                shown += 1


def loader(
    dataset: Portraits, batch: int, seed: int, start: int = 0, rank: int = 0, world: int = 1, workers: int = 0
) -> DataLoader:
    """Give batches without end: (uint8 [batch / world, 3 or 4, H, W], labels)."""
    sampler = Endless(len(dataset), seed, start, rank, world)
    return DataLoader(dataset, batch // world, sampler=sampler, num_workers=workers, persistent_workers=workers > 0)
