"""Arrays come out of pickles as numpy wrote them, and nothing else does."""

import io
import os
import pickle
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
    for lie in ({"shape": (2**40,)}, {"shape": (-1,)}, {"data": b"1234"}, {"shape": "long"}):
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


@pytest.mark.parametrize(
    "data", [b"", b"words", pickle.dumps(ARRAYS)[:200], pickle.dumps([1]), pickle.dumps({"a": []})]
)
def test_what_is_no_dictionary_of_arrays_is_broken(tmp_path, data):
    with pytest.raises(PickleError) as caught:
        pickles.read(written(tmp_path, data))
    assert caught.value.reason == "broken"


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
