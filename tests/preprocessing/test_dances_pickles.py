"""Arrays come out of pickles as numpy wrote them, and nothing else does."""

import io
import os
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from preprocessing.dances import pickles
from preprocessing.dances.pickles import PickleError

ARRAYS = {
    "smpl_poses": np.arange(144, dtype=np.float32).reshape(2, 72),
    "smpl_trans": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "smpl_scaling": np.array([93.5], ">f8"),
    "smpl_loss": 1.5,
}


def written(folder: Path, content: object, protocol: int = 4) -> Path:
    path = folder / "a.pkl"
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_are_read_as_they_were_written(tmp_path, protocol):
    found = pickles.read(written(tmp_path, ARRAYS, protocol))
    assert found.keys() == ARRAYS.keys()
    assert all(np.array_equal(found[name], ARRAYS[name]) for name in ARRAYS)
    assert found["smpl_scaling"].dtype == np.dtype(">f8")


def test_a_number_of_numpys_is_read(tmp_path):
    assert pickles.read(written(tmp_path, {"scale": np.float32(2.5)})) == {"scale": 2.5}


class Curse:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.place),)


def test_a_pickle_that_would_run_something_is_refused_and_runs_nothing(tmp_path):
    with pytest.raises(PickleError, match=r"mkdir.*only numpy's arrays") as caught:
        pickles.read(written(tmp_path, {"smpl_poses": Curse(tmp_path / "cursed")}))
    assert caught.value.reason == "foreign-globals"
    assert not (tmp_path / "cursed").exists()


@pytest.mark.parametrize("name", ["builtins eval", "numpy loadtxt", "numpy fromfile", "numpy.core.multiarray fromfile"])
def test_of_numpy_too_only_what_rebuilds_arrays_is_known(tmp_path, name):
    module, attribute = name.split()
    with pytest.raises(PickleError) as caught:
        pickles.read(written(tmp_path, f"c{module}\n{attribute}\n(S'x'\ntR.".encode()))
    assert caught.value.reason == "foreign-globals"


def state_of(array: np.ndarray, **changes: object) -> bytes:
    """Pickle an array whose state lies: shape, or bytes."""

    class Lying:
        def __reduce__(self) -> tuple:
            build, arguments, state = array.__reduce__()
            version, shape, kind, order, data = state
            told = {"shape": shape, "data": data} | changes
            return build, arguments, (version, told["shape"], kind, order, told["data"])

    return pickle.dumps({"a": Lying()})


def test_an_array_that_claims_more_than_its_bytes_is_refused(tmp_path):
    small = np.zeros(4, np.float32)
    endless = 10**5000  # more digits than Python writes out
    for lie in ({"shape": (2**40,)}, {"shape": (-1,)}, {"data": b"1234"}, {"shape": "long"}, {"shape": (endless,)}):
        with pytest.raises(PickleError) as caught:
            pickles.read(written(tmp_path, state_of(small, **lie)))
        assert caught.value.reason == "broken"


def test_arrays_of_objects_and_of_records_are_refused(tmp_path):
    for array in (np.array([{}, []], object), np.zeros(2, [("a", "f4")]), np.array(["words"])):
        with pytest.raises(PickleError):
            pickles.read(written(tmp_path, {"a": array}))


def test_a_few_bytes_do_not_claim_gigabytes(tmp_path):
    memo = b"\x80\x04}r" + (2**32 - 1).to_bytes(4, "little") + b"."  # the memo's place 4,294,967,295
    assert pickles.read(written(tmp_path, memo)) == {}
    room = b"\x80\x05}\x8c\x01a\x96" + (2**28).to_bytes(8, "little") + b"s."  # a bytearray that is not there
    tracemalloc.start()
    with pytest.raises(PickleError):
        pickles.read(written(tmp_path, room))
    claimed = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert claimed < 2**27


def test_letters_that_are_asked_for_again_and_again_are_capped(tmp_path, monkeypatch):
    monkeypatch.setattr(pickles, "MOST_BYTES", 1000)
    arguments = b"(V" + b"x" * 300 + b"\nVlatin1\nt"
    again = b"".join(b"c_codecs\nencode\ng1\nR0" for _ in range(4))
    with pytest.raises(PickleError) as caught:
        pickles.read(written(tmp_path, b"}" + arguments + b"p1\n0" + again + b"."))
    assert caught.value.reason == "too-large"


def test_what_would_take_for_ever_to_hash_is_refused_at_once(tmp_path):
    nested = b"\x80\x04}(K\x01K\x02\x86" + b"2\x86" * 60 + b"K\x01u."  # a pair of pairs of pairs ... as a name
    for end in (b"u.", b"\x91."):
        with pytest.raises(PickleError) as caught:
            pickles.read(written(tmp_path, nested[:-4] + b"K\x01" + end))
        assert caught.value.reason == "broken"


def test_no_function_of_ours_is_given_a_state(tmp_path):
    named = b"c_codecs\nencode\n(dS'spoilt'\nI1\nsb."
    with pytest.raises(PickleError, match="a state of what is no array"):
        pickles.read(written(tmp_path, named))
    assert not hasattr(pickles._Reader._encode, "spoilt")


HALF = b"\x80\x02}U\x01acnumpy.core.multiarray\n_reconstruct\n)R"  # an array without its numbers


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"words", pickle.dumps([1]), pickle.dumps({"a": []}), pickle.dumps({1: 2})),
        *(HALF + b"s.", HALF + b"K\x05bs.", HALF + b"S'words'\nbs."),
    ],
)
def test_what_is_no_dictionary_of_arrays_is_broken(tmp_path, data):
    with pytest.raises(PickleError) as caught:
        pickles.read(written(tmp_path, data))
    assert caught.value.reason == "broken"


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_was_cut_anywhere_is_refused(tmp_path, protocol):
    whole = pickle.dumps(ARRAYS, protocol)
    for length in range(1, len(whole), 7):
        with pytest.raises(PickleError):
            pickles.read(written(tmp_path, whole[:length]))


def test_a_pickle_beyond_the_cap_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(pickles, "MOST_BYTES", 100)
    with pytest.raises(PickleError) as caught:
        pickles.read(written(tmp_path, ARRAYS))
    assert caught.value.reason == "too-large"


def test_official_pickles_are_read_as_pickle_itself_reads_them(assets):
    for path in sorted((assets / "dance/aistpp/annotation/motions").glob("*.pkl")):
        ours, theirs = pickles.read(path), pickle.load(io.BytesIO(path.read_bytes()))
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
