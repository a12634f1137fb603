"""Read .npz files of anybody's: no pickles, and no more than is asked for."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from inference.errors import UserError


@contextmanager
def opened(path: Path, most: int, what: str) -> Iterator[np.lib.npyio.NpzFile]:
    """Open the arrays of a file; what would unpack to more than `most` bytes of `what` raises a UserError.

    Bytes that are no such file raise what zipfile and numpy raise.
    """
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > most:
        raise UserError(f"{path}: {unpacked} bytes of {what}; at most {most} are read")
    with np.load(path, allow_pickle=False) as arrays:
        yield arrays
