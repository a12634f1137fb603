import hashlib
import zipfile
from dataclasses import replace

import pytest

from inference import weights
from inference.errors import UserError


@pytest.fixture(autouse=True)
def an_empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DRAMATIS_WEIGHTS", raising=False)
    weights.path.cache_clear()
    yield
    weights.path.cache_clear()


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")


@pytest.fixture
def tiny(monkeypatch):
    """A row of the table for a file of five bytes."""
    row = replace(
        weights.TABLE["yunet"], file="tiny.onnx", bytes=5, sha256=hashlib.sha256(b"hello").hexdigest(), member="a/t"
    )
    monkeypatch.setitem(weights.TABLE, "tiny", row)
    return row


def test_yunet_comes_out_of_the_registry_verified():
    file = weights.path("yunet")
    assert hashlib.sha256(file.read_bytes()).hexdigest() == weights.TABLE["yunet"].sha256
    assert file.parent == weights.cache()


def test_offline_and_absent_is_one_line_with_the_file_the_place_and_the_way_out(offline):
    with pytest.raises(UserError) as caught:
        weights.path("u2netp")
    line = str(caught.value)
    assert "u2netp.onnx" in line
    assert str(weights.cache()) in line
    assert "DRAMATIS_WEIGHTS" in line
    assert "\n" not in line


def test_a_brought_folder_is_looked_in_first(offline, tiny, tmp_path, monkeypatch):
    (tmp_path / "tiny.onnx").write_bytes(b"hello")
    monkeypatch.setenv("DRAMATIS_WEIGHTS", str(tmp_path))
    assert weights.path("tiny") == tmp_path / "tiny.onnx"


def test_a_brought_file_that_is_another_is_refused(offline, tiny, tmp_path, monkeypatch):
    (tmp_path / "tiny.onnx").write_bytes(b"hullo")
    monkeypatch.setenv("DRAMATIS_WEIGHTS", str(tmp_path))
    with pytest.raises(UserError, match="is not the pinned"):
        weights.path("tiny")


def test_a_damaged_cache_is_not_used(offline, tiny):
    weights.cache().mkdir(parents=True)
    (weights.cache() / "tiny.onnx").write_bytes(b"hell")
    with pytest.raises(UserError, match=r"tiny\.onnx"):
        weights.path("tiny")


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UserError, match="inception, silero_vad, u2net, u2netp, yolov5nu, yunet"):
        weights.path("u3net")


def test_of_an_archive_no_more_is_read_than_the_table_says(tiny, tmp_path):
    with zipfile.ZipFile(tmp_path / "tiny.whl", "w") as wheel:
        wheel.writestr("a/t", b"x" * 1_000_000)
    assert len(weights._member(tmp_path / "tiny.whl", tiny)) == tiny.bytes + 1
