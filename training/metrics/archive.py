"""Read the tensors of a TorchScript archive without running any of it.

Such a file is a zip: a pickle of nested modules, the code that they would run, and a file of numbers for each tensor.
Here the modules become plain attributes, the code is never looked at, and the pickle may name nothing but the few
things listed below.
"""

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

from inference.errors import UserError

MOST_PICKLE_BYTES = 2**20
MOST_STORAGE_BYTES = 2**26
MOST_BYTES = 2**28
BROKEN = (
    *(zipfile.BadZipFile, pickle.UnpicklingError, EOFError, KeyError, AttributeError, NotImplementedError),
    *(ValueError, TypeError, IndexError, RecursionError, MemoryError, RuntimeError),
)


class _Module:
    """What a module of the archive becomes: its attributes, whatever its class was."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.attributes = state


class _Storage:
    """A kind of storage, named and never made."""


def tensors(path: Path) -> dict[str, torch.Tensor]:
    """Give every tensor under its dotted name; `UserError` for a file that is damaged or asks for anything more."""
    with open(path, "rb") as file:
        data = io.BytesIO(file.read(MOST_BYTES))  # in memory a lie about positions is no OSError
    try:
        with zipfile.ZipFile(data) as archive:
            root = next(name for name in archive.namelist() if name.endswith("/data.pkl")).removesuffix("data.pkl")
            with archive.open(root + "data.pkl") as stream:
                module = _Reader(stream, archive, root).load()
        return dict(_named(module, ""))
    except (StopIteration, *BROKEN) as error:
        raise UserError(
            f"{path} is no TorchScript archive of plain float32 tensors ({error}): remove it to have it fetched again"
        ) from None


class _Reader(pickle.Unpickler):
    def __init__(self, stream: Any, archive: zipfile.ZipFile, root: str) -> None:
        if archive.getinfo(root + "data.pkl").file_size > MOST_PICKLE_BYTES:
            raise pickle.UnpicklingError("its pickle is too large")
        super().__init__(stream)
        self.archive, self.root = archive, root
        self.storages: dict[str, torch.Tensor] = {}
        self.left = MOST_BYTES

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return _Module
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch", "FloatStorage"): _Storage,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch.jit._pickle", "build_intlist"): list,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return known[module, name]

    def persistent_load(self, key: Any) -> torch.Tensor:
        """Read a storage: ("storage", its kind, the name of its file, a device, how many numbers)."""
        _, kind, name, _, count = key
        if kind is not _Storage or not str(name).isdigit():
            raise pickle.UnpicklingError(f"it asks for the storage {name!r}")
        if name not in self.storages:
            info = self.archive.getinfo(f"{self.root}data/{name}")
            self.left -= info.file_size
            if info.file_size != 4 * count or info.file_size > MOST_STORAGE_BYTES or self.left < 0:
                raise pickle.UnpicklingError(f"its storage {name} holds {info.file_size} bytes")
            self.storages[name] = torch.frombuffer(bytearray(self.archive.read(info)), dtype=torch.float32)
        return self.storages[name]


def _tensor(storage: torch.Tensor, offset: int, shape: tuple, stride: tuple, *_: Any) -> torch.Tensor:
    """Lay a tensor over its storage: whole ones alone, in order."""
    contiguous = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    if offset or stride != contiguous or math.prod(shape) != len(storage):
        raise pickle.UnpicklingError("a tensor is not the whole of its storage")
    return storage.view(shape)


def _named(module: _Module, prefix: str) -> list[tuple[str, torch.Tensor]]:
    found = []
    for name, value in module.attributes.items():
        if isinstance(value, torch.Tensor):
            found.append((prefix + name, value))
        elif isinstance(value, _Module):
            found += _named(value, f"{prefix}{name}.")
    return found
