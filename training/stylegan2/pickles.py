"""Read a snapshot of NVIDIA's StyleGAN2 (.pkl) as plain data. Nothing in it is executed.

A pickle is a program for a machine of Python's that imports and calls whatever it names, and a snapshot holds the
source text of its networks besides, for that machine to run. The machine here knows no import: of the few names that a
snapshot is made of it makes numbers, tensors and records, and it stops at any other. What is read is at most twice as
large as the file: bytes of old protocols are copied once more.
"""

import io
import math
import pickletools
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inference.errors import UserError, one_line
from inference.strangers import plain

MOST_BYTES = 2 * 1024**3  # one of 1024 pixels has 0.4 GB
MOST_STEPS = 1_000_000  # one of 1024 pixels takes 40,000
EXPECTED = "expected a snapshot of StyleGAN2-ADA, or of StyleGAN2 by StyleGAN3's repository"
BROKEN = (ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError, OverflowError, struct.error)
OF_TENSORFLOW = "dnnlib.tflib.network.Network"
OF_STYLEGAN3 = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001  # of torch's way to store tensors before it took zip archives
STORAGES = {
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.DoubleStorage": torch.float64,
    "torch.LongStorage": torch.int64,
}
SCALARS = {"f8": "<d", "f4": "<f", "i8": "<q", "i4": "<i", "b1": "<?"}
VALUES = (
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
    *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
)
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_SET": set, "EMPTY_TUPLE": tuple}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Refused(Exception):
    """What a file asks for and does not get."""


@dataclass(frozen=True)
class Record:
    """An object of the reference's: the name of its class, and its attributes."""

    kind: str
    state: dict[str, Any]

    def parts(self, what: str) -> dict[str, Any]:
        """Give the module's parameters, buffers or modules by name, but those that are None."""
        return {name: part for name, part in self.state[f"_{what}"].items() if part is not None}


@dataclass(frozen=True)
class Name:
    """A global that is known, and what is made where it is called."""

    full: str
    make: Callable[..., Any]


@dataclass(frozen=True)
class Kind:
    """A type of numpy's, as `f8`."""

    code: str


def read(path: Path) -> dict[str, Any]:
    """Read a file: dictionaries, lists, numbers, tensors and records, by name.

    Raises `UserError` with the name of what was asked for beyond these, and for what is cut, too large or no pickle.
    """
    if not path.is_file():
        raise UserError(f"{path} is not there: {EXPECTED}")
    if path.stat().st_size > MOST_BYTES:
        raise UserError(f"{path} has {path.stat().st_size / 1e9:.1f} GB, 2.1 at most: {EXPECTED}")
    try:
        data = path.read_bytes()
        content = Machine(2 * len(data)).run(io.BytesIO(data), KNOWN)
    except Refused as refused:
        raise UserError(f"{path} {plain(one_line(refused))}: {EXPECTED}") from None
    except BROKEN as error:
        raise UserError(f"{path} is cut or no pickle ({plain(one_line(error, 100))}): {EXPECTED}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no networks by name: {EXPECTED}")
    return content


class Machine:
    """Runs the programs of one file: together they take at most `MOST_STEPS` and copy at most `room` bytes."""

    def __init__(self, room: int) -> None:
        self.steps, self.room = 0, room

    def run(self, program: io.BytesIO, names: dict[str, Callable[..., Any]]) -> Any:
        """Run the program that begins where the stream stands, and leave the stream at its end."""
        stack, marks, memo = [], [], {}
        for instruction, value, _ in pickletools.genops(program):
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise Refused(f"takes more than {MOST_STEPS:,} steps to read")
            name = instruction.name
            if name in VALUES:
                stack.append(value)
            elif name in CONSTANTS:
                stack.append(CONSTANTS[name])
            elif name in EMPTY:
                stack.append(EMPTY[name]())
            elif name == "MARK":
                marks.append(len(stack))
            elif name == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif name in ("BINPUT", "LONG_BINPUT"):
                memo[value] = stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                stack.append(memo[value])
            elif name == "STOP":
                return stack.pop()
            elif name not in ("PROTO", "FRAME"):
                taken = _taken(name, stack, marks)
                stack.append(self._made(name, value, taken, names))
        raise ValueError("no end")

    def _made(self, name: str, value: Any, taken: list, names: dict[str, Callable[..., Any]]) -> Any:
        match name:
            case "TUPLE" | "TUPLE1" | "TUPLE2" | "TUPLE3":
                return tuple(taken)
            case "APPEND" | "APPENDS":
                return _appended(*taken)
            case "SETITEM" | "SETITEMS":
                return _entered(*taken)
            case "ADDITEMS":
                return _added(*taken)
            case "GLOBAL":
                return _name(value.replace(" ", ".", 1), names)
            case "STACK_GLOBAL":
                return _name(".".join(taken), names)
            case "REDUCE" | "NEWOBJ":
                called, arguments = taken
                if not isinstance(called, Name):
                    raise Refused("calls what is no name")
                return called.make(self, *arguments)
            case "BUILD":
                return _typed(*taken)
            case "BINPERSID":
                return _stored(*taken[0])
        raise Refused(f"has the instruction {name}")

    def spend(self, count: int) -> None:
        """Count bytes that are copied: a program may ask for the same ones over and over."""
        self.room -= count
        if self.room < 0:
            raise Refused("unpacks to more than it holds")

    def storage(self, blob: bytes) -> Tensor:
        """Read numbers that torch stored: five programs, then as many bytes as they declare."""
        self.spend(len(blob))
        stream = io.BytesIO(blob)
        magic, version, about = (self.run(stream, {}) for _ in range(3))
        if (magic, version, about["little_endian"]) != (MAGIC, VERSION, True):
            raise Refused("holds tensors in another form than torch's of before 1.6, as snapshots have them")
        dtype, count = self.run(stream, dict.fromkeys(STORAGES))
        self.run(stream, {})
        if int.from_bytes(stream.read(8), "little") != count or len(blob) - stream.tell() != count * dtype.itemsize:
            raise Refused(f"holds a tensor of other than the {count} numbers that it declares")
        return torch.frombuffer(bytearray(stream.read()), dtype=dtype) if count else torch.empty(0, dtype=dtype)


def _taken(name: str, stack: list, marks: list[int]) -> list:
    """Take from the stack what an instruction works on; the last of several is the list of what follows the mark."""
    if name in TUPLES:
        wanted = TUPLES[name]
    elif name == "TUPLE":
        return _since(stack, marks.pop())
    elif name in ("APPENDS", "ADDITEMS", "SETITEMS"):
        items = _since(stack, marks.pop())
        return [stack.pop(), items]
    elif name == "SETITEM":
        target, *entry = _since(stack, len(stack) - 3)
        return [target, entry]
    elif name == "APPEND":
        target, item = _since(stack, len(stack) - 2)
        return [target, [item]]
    else:
        wanted = {"REDUCE": 2, "NEWOBJ": 2, "BUILD": 2, "STACK_GLOBAL": 2, "BINPERSID": 1}.get(name, 0)
    return _since(stack, len(stack) - wanted)


def _since(stack: list, place: int) -> list:
    if place < 0:
        raise IndexError("its stack is empty")
    items = stack[place:]
    del stack[place:]
    return items


def _appended(target: list, items: list) -> list:
    if type(target) is not list:
        raise Refused("appends to what is no list")
    target.extend(items)
    return target


def _entered(target: dict, entries: list) -> dict:
    """Enter keys and values; keys are words and numbers, as a tuple of tuples of tuples takes for ever to hash."""
    if type(target) is not dict or len(entries) % 2:
        raise Refused("enters into what is no dictionary")
    if not all(isinstance(key, str | int) for key in entries[::2]):
        raise Refused("has a key that is no word")
    target.update(zip(entries[::2], entries[1::2], strict=True))
    return target


def _added(target: set, items: Iterable) -> set:
    if type(target) is not set or not all(isinstance(item, str) for item in items):
        raise Refused("has a set of more than words")
    target.update(items)
    return target


def _typed(target: Kind, about: tuple) -> Kind:
    """Finish a type of numpy's with its order of bytes."""
    if not isinstance(target, Kind) or about[1] not in ("<", "|", "="):
        raise Refused("builds what is no type of numbers")
    return target


def _stored(word: str, kind: Name, _key: str, _location: str, count: int, view: None) -> tuple[torch.dtype, int]:
    if word != "storage" or view is not None or type(count) is not int or count < 0:
        raise Refused("holds a view in place of a tensor")
    return STORAGES[kind.full], count


def _name(full: str, names: dict[str, Callable[..., Any]]) -> Name:
    if full == OF_TENSORFLOW:
        line = f"is a snapshot of StyleGAN2 for TensorFlow ({full})"
        raise Refused(f"{line}: convert it with legacy.py of NVIDIA's StyleGAN2-ADA for PyTorch first")
    if full not in names:
        why = (
            "as StyleGAN3's own networks do"
            if full in OF_STYLEGAN3
            else "which no such snapshot needs and could run code"
        )
        raise Refused(f"asks for {full[:80]!r}, {why}")
    return Name(full, names[full])


# -- what the names make -----------------------------------------------------------------------------------------------


def _record(_: Machine, about: dict) -> Record:
    return Record(about["class_name"], about["state"])


def _nothing(kind: type) -> Callable[[Machine], Any]:
    return lambda _: kind()


def _tensor(_: Machine, numbers: Tensor, offset: int, shape: tuple, strides: tuple, *_rest: Any) -> Tensor:
    """Shape stored numbers; torch refuses strides that leave them, and here there are no more than were stored."""
    if math.prod(shape) > numbers.numel() or min((*shape, *strides, offset), default=0) < 0:
        raise Refused(f"holds a tensor of shape {shape} in {numbers.numel()} numbers")
    return torch.as_strided(numbers, shape, strides, offset)


def _scalar(_: Machine, kind: Kind, data: bytes) -> float | int | bool:
    return struct.unpack(SCALARS[kind.code], data)[0]


def _encoded(machine: Machine, text: str, encoding: str) -> bytes:
    """Give bytes as protocols before 3 write them."""
    if encoding != "latin1":
        raise Refused("has bytes in another form than latin1")
    machine.spend(len(text))
    return text.encode("latin1")


def _set(machine: Machine, items: list) -> set:
    machine.spend(len(items))
    return _added(set(), items)


KNOWN = {
    "torch_utils.persistence._reconstruct_persistent_obj": _record,
    "collections.OrderedDict": _nothing(dict),
    "dnnlib.util.EasyDict": _nothing(dict),
    "builtins.set": _set,
    "__builtin__.set": _set,
    "torch._utils._rebuild_parameter": lambda _, tensor, *_rest: tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch.storage._load_from_bytes": Machine.storage,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy.dtype": lambda _, code, *_rest: Kind(code),
    "_codecs.encode": _encoded,
}
