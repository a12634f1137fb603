"""A snapshot is read as data: what would run anything, or would not fit into memory, is refused by its name."""

import collections
import io
import pickle
import struct

import pytest
import torch

from inference.errors import UserError
from training.stylegan2 import pickles


@pytest.fixture
def read(tmp_path):
    def read(data: bytes):
        (tmp_path / "network.pkl").write_bytes(data)
        return pickles.read(tmp_path / "network.pkl")

    return read


def call(name: str, *arguments: bytes) -> bytes:
    """Write the call of a global with arguments that are written already."""
    return b"c" + name.replace(" ", "\n").encode() + b"\n(" + b"".join(arguments) + b"tR"


def pickled(value: object) -> bytes:
    """Write a value as a part of a larger pickle: without the instructions that begin and end one."""
    return pickle.dumps(value, 2)[2:-1]


def program(*parts: bytes) -> bytes:
    """Write a dictionary with one value."""
    return b"\x80\x02}" + pickled("x") + b"".join(parts) + b"s."


def test_tensors_of_any_layout_numbers_and_words_are_what_was_written(read):
    wide = torch.randn(3, 4, 5, 6)
    written = {
        "channels last": wide.contiguous(memory_format=torch.channels_last),
        "part": wide[1:, ::2],
        "parameter": torch.nn.Parameter(torch.randn(2)),
        "scalar": torch.tensor(0.5),
        "half": torch.randn(3).half(),
        "gain": torch.zeros(1).numpy().dtype.type(0.25),
        "words": ({"a", "b"}, [1, -2, 2.5, None, True], collections.OrderedDict(b=b"bytes")),
    }
    for protocol in (2, 3, 4, 5):
        found = read(pickle.dumps(written, protocol))
        assert found.keys() == written.keys()
        for name in ("channels last", "part", "parameter", "scalar", "half"):
            assert torch.equal(found[name], written[name])
        assert found["gain"] == 0.25
        assert found["words"] == written["words"]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("os system", pickled("true")),
        ("posix system", pickled("true")),
        ("builtins eval", pickled("1")),
        ("builtins getattr", pickled({}) + pickled("keys")),
        ("torch load", pickled("x.pt")),
        ("torch._utils _rebuild_sparse_tensor", b""),
        ("numpy.core.multiarray _reconstruct", b""),
    ],
)
def test_a_foreign_global_is_refused_by_its_name_in_one_line(read, name, arguments):
    with pytest.raises(UserError, match=f"asks for '{name.replace(' ', '.')}', ") as refused:
        read(program(call(name, arguments)))
    assert "\n" not in str(refused.value)


def test_names_that_are_put_together_on_the_stack_are_looked_at_too(read):
    with pytest.raises(UserError, match=r"asks for 'os\.system'"):
        read(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.")


def test_a_name_that_would_steer_the_terminal_is_written_out(read):
    with pytest.raises(UserError, match=r"asks for 'os\\x1b\[2J\.system'"):
        read(b"\x80\x04\x8c\x06os\x1b[2J\x8c\x06system\x93.")


def stored(count: int, data: bytes, kind: str = "FloatStorage", programs: tuple[bytes, ...] = ()) -> bytes:
    """Write numbers as torch does, or as it never would."""
    about = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    told = b"(" + pickled("storage") + b"ctorch\n" + kind.encode() + b"\n" + pickled("1") + pickled("cpu")
    told = b"\x80\x02" + told + pickled(count) + b"NtQ."
    parts = programs or (*(pickle.dumps(each, 2) for each in (pickles.MAGIC, 1001, about)), told)
    return b"".join(parts) + pickle.dumps(["1"], 2) + struct.pack("<q", count) + data


def load(data: bytes) -> bytes:
    return call("torch.storage _load_from_bytes", b"B" + struct.pack("<I", len(data)) + data)


def test_stored_numbers_are_read_as_torch_writes_them(read):
    assert read(program(load(stored(2, struct.pack("<2f", 1.5, -2)))))["x"].tolist() == [1.5, -2]


def test_a_foreign_global_among_stored_numbers_is_refused(read):
    evil = pickle.dumps(pickles.MAGIC, 2), b"\x80\x02" + call("os system", pickled("true")) + b"."
    with pytest.raises(UserError, match=r"asks for 'os\.system'"):
        read(program(load(stored(1, b"\0" * 4, programs=evil))))
    with pytest.raises(UserError, match=r"asks for 'torch\.SystemStorage'"):
        read(program(load(stored(1, b"\0" * 4, kind="SystemStorage"))))


def test_an_archive_that_torch_would_load_is_no_stored_tensor(read):
    buffer = io.BytesIO()
    torch.save(torch.zeros(2), buffer)
    with pytest.raises(UserError, match="is cut or no pickle"):
        read(program(load(buffer.getvalue())))


@pytest.mark.parametrize("count", [1 << 40, 3, 1])
def test_numbers_are_as_many_as_they_declare(read, count):
    with pytest.raises(UserError, match=f"other than the {count} numbers"):
        read(program(load(stored(count, b"\0" * 8))))


@pytest.mark.parametrize("shape", [(1 << 20, 1 << 20), (3,), (-1,)])
def test_a_tensor_is_no_larger_than_its_numbers(read, shape):
    numbers = load(stored(2, b"\0" * 8))
    arguments = pickled(0) + pickled(shape) + pickled((0,) * len(shape)) + pickled(False) + pickled({})
    with pytest.raises(UserError, match="holds a tensor of shape"):
        read(program(call("torch._utils _rebuild_tensor_v2", numbers, arguments)))


def test_a_tensor_beyond_its_numbers_is_refused(read):
    numbers = load(stored(4, b"\0" * 16))
    arguments = pickled(3) + pickled((2,)) + pickled((1,)) + pickled(False) + pickled({})
    with pytest.raises(UserError, match="is cut or no pickle"):
        read(program(call("torch._utils _rebuild_tensor_v2", numbers, arguments)))


def test_the_same_numbers_are_not_unpacked_again_and_again(read):
    data = stored(1000, b"\0" * 4000)
    kept = b"B" + struct.pack("<I", len(data)) + data + b"q\x01"
    again = call("torch.storage _load_from_bytes", b"h\x01")
    with pytest.raises(UserError, match="unpacks to more than it holds"):
        read(program(b"(" + kept + again * 3 + b"t"))


def test_a_place_in_memory_far_out_takes_no_memory(read):
    """CPython's own reader would make room for four thousand million."""
    assert read(program(b"Nr\xff\xff\xff\xff")) == {"x": None}


def test_a_program_of_too_many_steps_and_a_file_too_large_are_refused(read, monkeypatch):
    monkeypatch.setattr(pickles, "MOST_STEPS", 100)
    with pytest.raises(UserError, match="takes more than 100 steps"):
        read(program(b"]" * 200))
    monkeypatch.setattr(pickles, "MOST_BYTES", 1)
    with pytest.raises(UserError, match=r"GB, 2\.1 at most"):
        read(program(b"N"))


def test_keys_that_take_for_ever_to_compare_are_refused(read):
    with pytest.raises(UserError, match="a key that is no word"):
        read(b"\x80\x02}" + pickled(((), ())) + b"Ns.")


def test_a_snapshot_of_tensorflow_is_named(read):
    with pytest.raises(UserError, match=r"StyleGAN2 for TensorFlow .* convert it with legacy.py"):
        read(b"\x80\x03cdnnlib.tflib.network\nNetwork\nq\x00)\x81.")


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x80\x04.", b"\x80\x04\x8c\x05abc", b"\x80\x02h\x05.", b"}"])
def test_what_is_cut_or_no_pickle_gets_one_line(read, data):
    with pytest.raises(UserError, match="is cut or no pickle") as refused:
        read(data)
    assert "\n" not in str(refused.value)


def test_instructions_that_no_snapshot_has_are_refused(read):
    with pytest.raises(UserError, match="has the instruction INST"):
        read(b"(S'true'\nios\nsystem\n.".replace(b"S'true'\n", pickled("true")))
    with pytest.raises(UserError, match="has the instruction EXT1"):
        read(b"\x80\x02\x82\x01.")


def test_a_cut_snapshot_is_refused_wherever_it_ends(read):
    whole = pickle.dumps({"x": torch.randn(20), "y": ({"a"}, 2.5)})
    for end in range(0, len(whole) - 1, 7):
        with pytest.raises(UserError):
            read(whole[:end])
