"""Read pickles that hold numbers and numpy arrays alone: nothing that they name is imported or called.

What rebuilds an array is answered by stand-ins of our own, which look at shape, kind and bytes; any other name in the
file is refused. Python's own reader is used, not the one in C, which lets a few bytes claim gigabytes.
"""

import io
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from inference.errors import one_line

MOST_BYTES = 2**26
KINDS = "biuf"  # booleans, integers, floats
ORDERS = "<>|="


class PickleError(ValueError):
    """A pickle that is not read; `reason` is a slug: foreign-globals, too-large, broken."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def read(path: Path) -> dict[str, Any]:
    """Read a dictionary of arrays and plain values; `PickleError` for anything else."""
    with open(path, "rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise PickleError("too-large", f"more than {MOST_BYTES // 2**20} MiB")
    try:
        found = _Reader(io.BytesIO(data)).load()
    except PickleError:
        raise
    except (pickle.UnpicklingError, EOFError, MemoryError, ImportError, ArithmeticError) as error:
        raise PickleError("broken", f"no pickle that can be read: {type(error).__name__}") from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise PickleError("broken", f"no pickle of arrays: {one_line(error, 120)}") from None
    if not isinstance(found, dict):
        raise PickleError("broken", f"a {type(found).__name__}, expected a dictionary of arrays")
    return {str(name): _plain(name, value) for name, value in found.items()}


def _plain(name: object, value: object) -> Any:
    if isinstance(value, _Array):
        return value.array()
    if value is None or isinstance(value, bool | int | float | str | np.generic):
        return value
    raise PickleError("broken", f"{name}: a {type(value).__name__}, expected an array or a number")


class _Reader(pickle._Unpickler):
    """Python's reader of pickles, with a list of the names that it may meet."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream, encoding="latin1")  # as numpy wants it for what Python 2 wrote

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("numpy", "ndarray"): _ndarray,
            ("numpy", "dtype"): _Kind,
            ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
            ("numpy.core.multiarray", "scalar"): _scalar,
            ("numpy.core.numeric", "_frombuffer"): _from_buffer,
            ("_codecs", "encode"): _encode,
        }
        found = known.get((module.replace("numpy._core", "numpy.core"), name))
        if found is None:
            raise PickleError("foreign-globals", f"names {module}.{name}"[:160] + ": only numpy's arrays are read")
        return found


class _Kind:
    """What a pickled dtype says."""

    def __init__(self, code: str, align: object = False, copy: object = True) -> None:
        dtype = np.dtype(code) if isinstance(code, str) and len(code) <= 8 else None
        if dtype is None or dtype.kind not in KINDS:
            raise PickleError("broken", f"an array of {str(code)[:40]!r}, expected numbers")
        self.dtype = dtype

    def __setstate__(self, state: tuple) -> None:
        order = state[1]
        if order not in ORDERS or any(part is not None for part in state[2:5]):
            raise PickleError("broken", "an array of records, expected numbers")
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """What a pickled array says; looked at once it is complete."""

    def __init__(self) -> None:
        self.state: tuple | None = None

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def array(self) -> np.ndarray:
        if self.state is None or len(self.state) != 5:
            raise PickleError("broken", "an array without its numbers")
        _, shape, kind, is_fortran, data = self.state
        return _filled(data, kind, shape, "F" if is_fortran else "C")


def _filled(data: object, kind: object, shape: object, order: str) -> np.ndarray:
    if isinstance(data, str):
        data = data.encode("latin1")
    sound = isinstance(kind, _Kind) and isinstance(data, bytes | bytearray) and isinstance(shape, tuple)
    if not sound or len(shape) > 8 or not all(isinstance(edge, int) and edge >= 0 for edge in shape):
        raise PickleError("broken", "an array whose shape or kind is none")
    if math.prod(shape) * kind.dtype.itemsize != len(data):
        raise PickleError("broken", f"an array of shape {shape} with {len(data)} bytes")
    return np.frombuffer(data, kind.dtype).reshape(shape, order=order).copy()


def _ndarray(*_: object) -> None:
    raise PickleError("broken", "an array that is made in another way than numpy writes it")


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _scalar(kind: _Kind, data: bytes | str) -> np.generic:
    return _filled(data, kind, (), "C")[()]


def _from_buffer(data: object, kind: _Kind, shape: tuple, order: str, *_: object) -> _Array:
    array = _Array()
    array.state = (1, shape, kind, order == "F", data)
    return array


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1" or not isinstance(text, str):
        raise PickleError("broken", "bytes in an unknown writing")
    return text.encode("latin1")
