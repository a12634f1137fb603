"""Read pickles that hold numbers and numpy arrays alone: nothing that they name is imported or called.

What rebuilds an array is answered by stand-ins of our own, which look at shape, kind and bytes; any other name in the
file is refused. Python's own reader is used, not the one in C, which lets a few bytes claim gigabytes; where Python's
lets them too, or would take for ever, it is told otherwise here.
"""

import io
import math
import pickle
import struct
from pathlib import Path
from typing import Any, ClassVar

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
        if not isinstance(found, dict):
            raise PickleError("broken", f"a {type(found).__name__}, expected a dictionary of arrays")
        return {name: _plain(name, value) for name, value in found.items()}
    except PickleError:
        raise
    except Exception as error:  # of bytes that are no pickle, Python's reader raises whatever comes
        detail = f"{type(error).__name__} {one_line(error, 120)}"
        raise PickleError("broken", f"no pickle of arrays that can be read: {detail}") from None


def _plain(name: str, value: object) -> Any:
    if isinstance(value, _Array):
        return value.array()
    if value is None or isinstance(value, bool | int | float | str | np.generic):
        return value
    raise PickleError("broken", f"{name[:40]}: a {type(value).__name__}, expected an array or a number")


class _Entries(dict):
    """A dictionary whose keys are words: to hash a tuple of tuples of tuples takes for ever."""

    def __setitem__(self, name: object, value: object) -> None:
        if not isinstance(name, str):
            raise PickleError("broken", f"a {type(name).__name__} as a name, expected a word")
        super().__setitem__(name, value)


class _Reader(pickle._Unpickler):
    """Python's reader of pickles, with a list of the names that it may meet."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream, encoding="latin1")  # as numpy wants it for what Python 2 wrote
        self.encoded = 0  # bytes that were written as letters, and may be asked for again and again

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("numpy", "ndarray"): _ndarray,
            ("numpy", "dtype"): _Kind,
            ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
            ("numpy.core.multiarray", "scalar"): _scalar,
            ("numpy.core.numeric", "_frombuffer"): _from_buffer,
            ("_codecs", "encode"): self._encode,
        }
        found = known.get((module.replace("numpy._core", "numpy.core"), name))
        if found is None:
            raise PickleError("foreign-globals", f"names {module}.{name}"[:160] + ": only numpy's arrays are read")
        return found

    def _encode(self, text: str, encoding: str) -> bytes:
        if encoding != "latin1" or not isinstance(text, str):
            raise PickleError("broken", "bytes in an unknown writing")
        self.encoded += len(text)
        if self.encoded > MOST_BYTES:
            raise PickleError("too-large", f"more than {MOST_BYTES // 2**20} MiB as letters")
        return text.encode("latin1")

    # -- what Python's own reader would do otherwise -----------------------------------------------------------------

    def _empty(self) -> None:
        self.append(_Entries())

    def _entries(self) -> None:
        items, entries = self.pop_mark(), _Entries()
        for name, value in zip(items[::2], items[1::2], strict=True):
            entries[name] = value
        self.append(entries)

    def _bytes(self) -> None:
        (length,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(length)))  # Python's would make room before it looks whether they are there

    def _build(self) -> None:
        if not isinstance(self.stack[-2], _Kind | _Array):
            raise PickleError("broken", "a state of what is no array")
        self.load_build()

    def _set(self) -> None:
        raise PickleError("broken", "a set, expected arrays")

    dispatch: ClassVar = pickle._Unpickler.dispatch | {
        pickle.EMPTY_DICT[0]: _empty,
        pickle.DICT[0]: _entries,
        pickle.BYTEARRAY8[0]: _bytes,
        pickle.BUILD[0]: _build,
        pickle.EMPTY_SET[0]: _set,
        pickle.FROZENSET[0]: _set,
    }


class _Kind:
    """What a pickled dtype says."""

    def __init__(self, code: str, align: object = False, copy: object = True) -> None:
        name = code[:40] if isinstance(code, str) else type(code).__name__
        dtype = np.dtype(code) if name == code and len(code) <= 8 else None
        if dtype is None or dtype.kind not in KINDS:
            raise PickleError("broken", f"an array of {name!r}, expected numbers")
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
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            raise PickleError("broken", "an array without its numbers")
        _, shape, kind, is_fortran, data = self.state
        return _filled(data, kind, shape, "F" if is_fortran else "C")


def _filled(data: object, kind: object, shape: object, order: str) -> np.ndarray:
    if isinstance(data, str):
        data = data.encode("latin1")
    sound = isinstance(kind, _Kind) and isinstance(data, bytes | bytearray) and isinstance(shape, tuple)
    if not sound or len(shape) > 8 or not all(isinstance(edge, int) and 0 <= edge <= MOST_BYTES for edge in shape):
        raise PickleError("broken", "an array whose shape or kind is none")
    if math.prod(shape) * kind.dtype.itemsize != len(data):
        raise PickleError("broken", f"an array of shape {shape} with {len(data)} bytes")
    return np.frombuffer(data, kind.dtype).reshape(shape, order=order)  # a view: many arrays of the same bytes are free


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
