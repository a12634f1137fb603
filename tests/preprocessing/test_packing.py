import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from inference.errors import UserError
from preprocessing import packing

NAMES = [f"00000/img{position:08d}.png" for position in range(12)]


def pictures(count: int = 5, channels: int = 3) -> list[np.ndarray]:
    return list(np.random.default_rng(2).integers(0, 256, (count, 16, 8, channels), np.uint8))


def sources(count: int = 5, labels: list[str] | None = None) -> list[tuple[str, str | None]]:
    return [(hashlib.sha256(bytes([i])).hexdigest(), labels[i] if labels else None) for i in range(count)]


@pytest.mark.parametrize("channels", [3, 4])
def test_what_is_packed_comes_back(tmp_path, channels):
    made = pictures(channels=channels)
    packing.write_pack(tmp_path / "pack", made, sources(), "white", "f00d")
    pack = packing.read_pack(tmp_path / "pack")
    assert (pack.width, pack.height, pack.channels, len(pack), pack.fingerprint) == (8, 16, channels, 5, "f00d")
    assert all(np.array_equal(one, other) for one, other in zip(pack, made, strict=True))
    assert isinstance(pack.shards[0], np.memmap)


def test_a_large_pack_goes_on_in_the_next_shard(tmp_path, monkeypatch):
    made = pictures()
    monkeypatch.setattr(packing, "SHARD_BYTES", 2 * made[0].nbytes)
    packing.write_pack(tmp_path / "pack", made, sources(), "white", "")
    pack = packing.read_pack(tmp_path / "pack")
    assert [len(shard) for shard in pack.shards] == [2, 2, 1]
    assert np.array_equal(pack.image(4), made[4])


def test_the_same_pictures_make_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        packing.write_pack(tmp_path / name, pictures(), sources(labels=list("abcab")), "white", "")
        packing.to_stylegan_zip(packing.read_pack(tmp_path / name), tmp_path / f"{name}.zip")
    one, two = sorted((tmp_path / "one").iterdir()), sorted((tmp_path / "two").iterdir())
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


@pytest.mark.parametrize("labels", [None, ["coat", "dress", "coat", "shirt", "dress"]])
def test_a_stylegan_zip_goes_there_and_back(tmp_path, labels):
    packing.write_pack(tmp_path / "pack", pictures(), sources(labels=labels), "keep", "")
    packing.to_stylegan_zip(packing.read_pack(tmp_path / "pack"), tmp_path / "set.zip")
    packing.from_stylegan_zip(tmp_path / "set.zip", tmp_path / "again")
    pack = packing.read_pack(tmp_path / "again")
    assert pack.index.select("sha256", "label").rows() == sources(labels=labels)
    assert all(np.array_equal(one, other) for one, other in zip(pack, pictures(), strict=True))


def test_a_stylegan_zip_has_the_layout_that_stylegan2_ada_reads(tmp_path):
    packing.write_pack(tmp_path / "pack", pictures(), sources(labels=list("babab")), "keep", "")
    packing.to_stylegan_zip(packing.read_pack(tmp_path / "pack"), tmp_path / "set.zip")
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        assert archive.namelist()[0] == "00000/img00000000.png"
        labels = json.loads(archive.read("dataset.json"))["labels"]
    assert labels[:2] == [["00000/img00000000.png", 1], ["00000/img00000001.png", 0]]


def foreign(path: Path, about: object) -> None:
    """Write a dataset as others do."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in NAMES:
            archive.writestr(name, packing.png(np.zeros((8, 8, 3), np.uint8)))
        archive.writestr("dataset.json", about if isinstance(about, str) else json.dumps(about))


def test_the_classes_of_a_dataset_without_names_keep_their_numbers(tmp_path):
    numbers = [11, 0, 2, 1, 10, 3, 9, 4, 8, 5, 7, 6]
    foreign(tmp_path / "set.zip", {"labels": list(zip(NAMES, numbers, strict=True))})
    packing.from_stylegan_zip(tmp_path / "set.zip", tmp_path / "pack")
    assert packing.read_pack(tmp_path / "pack").numbers() == numbers


@pytest.mark.parametrize(
    ("about", "line"),
    [
        ({"labels": [[name, 0] for name in NAMES[:-1]]}, r"img00000011\.png no label"),
        (
            {"labels": [[name, 0] for name in NAMES[1:]] + [[NAMES[0], [0.0, 1.0]]]},
            r"img00000000\.png .*\[0\.0, 1\.0\]",
        ),
        ({"labels": [[name, -1] for name in NAMES]}, r"img00000000\.png has the label -1"),
        ({"labels": NAMES}, "no pairs"),
        ({"labels": [[name, 1] for name in NAMES], "label_names": ["one"]}, "label_names"),
        ({"labels": [[name, 1] for name in NAMES], "label_names": ["shirt", "coat"]}, "label_names"),
        ({"sha256": ["f00d"]}, "no list of 12 words"),
        ({"sha256": 12}, "no list of 12 words"),
        ([], "no object"),
        ("{", "no JSON"),
    ],
)
def test_a_dataset_json_that_makes_no_sense_is_one_line(tmp_path, about, line):
    foreign(tmp_path / "set.zip", about)
    with pytest.raises(UserError, match=line) as caught:
        packing.from_stylegan_zip(tmp_path / "set.zip", tmp_path / "pack")
    assert "\n" not in str(caught.value)


def test_some_labels_and_some_not_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match="give all of them one, or none"):
        packing.write_pack(tmp_path / "pack", pictures(), sources(labels=["a", "b", None, "a", "b"]), "white", "")


def test_a_folder_without_a_pack_says_what_to_run(tmp_path):
    with pytest.raises(UserError, match=r"preprocessing\.images"):
        packing.read_pack(tmp_path)


def test_a_zip_of_unequal_pictures_is_refused_by_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("a.png", packing.png(np.zeros((8, 8, 3), np.uint8)))
        archive.writestr("b.png", packing.png(np.zeros((9, 8, 3), np.uint8)))
    with pytest.raises(UserError, match=r"b\.png"):
        packing.from_stylegan_zip(tmp_path / "set.zip", tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


@pytest.mark.parametrize(
    ("data", "line"),
    [(b"not a picture", r"b\.png cannot be read"), (packing.png(np.zeros((8, 8, 3), np.uint8))[:-9], r"b\.png")],
)
def test_one_broken_picture_of_a_dataset_is_named_and_leaves_no_half_of_a_pack(tmp_path, data, line):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("a.png", packing.png(np.zeros((8, 8, 3), np.uint8)))
        archive.writestr("b.png", data)
    with pytest.raises(UserError, match=line) as told:
        packing.from_stylegan_zip(tmp_path / "set.zip", tmp_path / "pack")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "pack").exists()


def test_a_damaged_zip_is_one_line_and_a_pack_that_stands_there_stays(tmp_path):
    foreign(tmp_path / "set.zip", {})
    whole = (tmp_path / "set.zip").read_bytes()
    packing.from_stylegan_zip(tmp_path / "set.zip", tmp_path / "pack")
    for damaged in (whole[: len(whole) // 2], whole[:60] + b"\xff" + whole[61:]):  # cut; a byte of a picture changed
        (tmp_path / "set.zip").write_bytes(damaged)
        with pytest.raises(UserError, match="is no whole zip"):
            packing.from_stylegan_zip(tmp_path / "set.zip", tmp_path / "other")
        with pytest.raises(UserError, match="is there already"):
            packing.from_stylegan_zip(tmp_path / "set.zip", tmp_path / "pack")
    assert len(packing.read_pack(tmp_path / "pack")) == len(NAMES)


@pytest.mark.parametrize("file", ["images-00000.npy", "index.parquet", "pack.json"])
def test_a_pack_that_lost_a_part_is_one_line(tmp_path, file):
    packing.write_pack(tmp_path / "pack", pictures(), sources(), "white", "")
    path = tmp_path / "pack" / file
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match="is no whole pack") as told:
        packing.read_pack(tmp_path / "pack")
    assert "\n" not in str(told.value)
    path.unlink()
    with pytest.raises(UserError, match=r"is no whole pack|holds no pack"):
        packing.read_pack(tmp_path / "pack")


def test_the_index_names_source_label_shard_and_row(tmp_path):
    packing.write_pack(tmp_path / "pack", pictures(2), sources(2), "white", "")
    assert pl.read_parquet(tmp_path / "pack/index.parquet").columns == ["sha256", "label", "shard", "row"]
