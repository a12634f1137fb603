"""Batches without end whose samples depend on a seed and their position alone, so that a training resumes exactly."""

from collections.abc import Iterator

from torch.utils.data import DataLoader, Dataset, Sampler


class Positions(Sampler[int]):
    """Positions without end from `start` on; of each batch, every process takes its share."""

    def __init__(self, start: int, rank: int, world: int) -> None:
        self.start, self.rank, self.world = start, rank, world

    def __iter__(self) -> Iterator[int]:
        position = self.start + self.rank
        while True:
            yield position
            position += self.world


def loader(dataset: Dataset, batch: int, start: int, rank: int = 0, world: int = 1, workers: int = 0) -> DataLoader:
    """Give batches without end, of which each process gets `batch / world` samples."""
    sampler = Positions(start, rank, world)
    return DataLoader(dataset, batch // world, sampler=sampler, num_workers=workers, persistent_workers=workers > 0)
