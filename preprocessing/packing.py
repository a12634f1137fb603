"""The image pack: all pictures of a corpus at one resolution, in a few shards that can be mapped into memory.

images-00000.npy ...   uint8 [N, H, W, C], at most 256 MiB each
index.parquet          sha256 of the source, label, shard, row
pack.json              schema, width, height, channels, count, labels, background, fingerprint
"""

import io
import itertools
import json
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from inference import media
from inference.errors import UserError, one_line

SCHEMA = 1
SHARD_BYTES = 256 * 2**20
INDEX = {"sha256": pl.String, "label": pl.String, "shard": pl.Int32, "row": pl.Int32}
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # a fixed time: the same pictures make the same bytes
ZIP_FOLDER = 10_000  # pictures a folder, as StyleGAN2-ADA's dataset_tool lays them
MOST_PIXELS = 2**26
MOST_BYTES = 2**28


@dataclass(frozen=True)
class Pack:
    """An opened pack; pictures are read from disk as they are asked for."""

    width: int
    height: int
    channels: int
    labels: list[str]  # the distinct labels, sorted: a label's number is its position
    background: str
    fingerprint: str
    index: pl.DataFrame
    shards: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.index)

    def image(self, position: int) -> np.ndarray:
        """Give one picture, HxWxC uint8."""
        _, _, shard, row = self.index.row(position)
        return self.shards[shard][row]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.image(position) for position in range(len(self)))

    def numbers(self) -> list[int] | None:
        """Give each picture's label as a number, or None where the pack has no labels."""
        if not self.labels:
            return None
        number = {label: position for position, label in enumerate(self.labels)}
        return [number[label] for label in self.index["label"]]


def write_pack(
    folder: Path,
    pictures: Iterable[np.ndarray],
    sources: Sequence[tuple[str, str | None]],
    background: str,
    fingerprint: str,
) -> None:
    """Write pictures (HxWxC uint8, all of one shape) and their (sha256, label), in this order, into a new folder."""
    labels = {label for _, label in sources}
    if None in labels and len(labels) > 1:
        raise UserError("some pictures carry a label and some do not: give all of them one, or none")
    folder.mkdir(parents=True)
    pictures = iter(pictures)
    first = next(pictures)
    pictures = itertools.chain([first], pictures)
    per_shard = max(1, SHARD_BYTES // first.nbytes)
    for shard, start in enumerate(range(0, len(sources), per_shard)):
        _write_shard(folder / f"images-{shard:05d}.npy", pictures, min(per_shard, len(sources) - start), first.shape)
    rows = [(*source, *divmod(position, per_shard)) for position, source in enumerate(sources)]
    pl.DataFrame(rows, schema=INDEX, orient="row").write_parquet(folder / "index.parquet")
    height, width, channels = first.shape
    about = {
        "schema": SCHEMA,
        "width": width,
        "height": height,
        "channels": channels,
        "count": len(rows),
        "labels": sorted(label for label in labels if label is not None),
        "background": background,
        "fingerprint": fingerprint,
    }
    (folder / "pack.json").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n")


def _write_shard(path: Path, pictures: Iterator[np.ndarray], count: int, shape: tuple[int, ...]) -> None:
    """Stream the next `count` pictures into one .npy file."""
    with open(path, "wb") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
        np.lib.format.write_array_header_1_0(stream, header)
        for picture in itertools.islice(pictures, count):
            assert picture.shape == shape, f"one shape a pack, not {picture.shape} beside {shape}"
            stream.write(np.ascontiguousarray(picture, np.uint8).tobytes())


def read_pack(folder: Path) -> Pack:
    """Open a pack without reading its pictures."""
    if not (folder / "pack.json").exists():
        raise UserError(f"{folder} holds no pack (no pack.json): run python -m preprocessing.images first")
    try:
        about = json.loads((folder / "pack.json").read_text())
        if about["schema"] != SCHEMA:
            raise UserError(f"{folder} is a pack of schema {about['schema']}, this code reads {SCHEMA}: pack it again")
        shards = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("images-*.npy"))]
        index = pl.read_parquet(folder / "index.parquet")
    except (ValueError, KeyError, TypeError, EOFError, FileNotFoundError, pl.exceptions.PolarsError) as error:
        raise UserError(f"{folder} is no whole pack ({one_line(error, 120)}): copy or pack it again") from None
    if not sum(len(shard) for shard in shards) == len(index) == about["count"]:
        raise UserError(f"{folder} is no whole pack (it lost some of {about['count']} pictures): copy or pack it again")
    return Pack(
        width=about["width"],
        height=about["height"],
        channels=about["channels"],
        labels=about["labels"],
        background=about["background"],
        fingerprint=about["fingerprint"],
        index=index,
        shards=shards,
    )


def to_stylegan_zip(pack: Pack, path: Path) -> None:
    """Write a pack as StyleGAN2-ADA's dataset: stored PNGs and dataset.json with the labels as numbers."""
    names = [f"{position // ZIP_FOLDER:05d}/img{position:08d}.png" for position in range(len(pack))]
    numbers = pack.numbers()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, picture in zip(names, pack, strict=True):
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), png(picture))
        labels = None if numbers is None else [list(pair) for pair in zip(names, numbers, strict=True)]
        about = {"labels": labels, "label_names": pack.labels, "sha256": pack.index["sha256"].to_list()}
        archive.writestr(zipfile.ZipInfo("dataset.json", ZIP_TIME), json.dumps(about, ensure_ascii=False))


def from_stylegan_zip(path: Path, folder: Path, background: str = "keep") -> None:
    """Read such a dataset, ours or anyone's, into a new pack; members are read by name and never unpacked to disk.

    What is wrong with it is a `UserError` that names it, and leaves no half of a pack.
    """
    if folder.exists():
        raise UserError(f"{folder} is there already: give a new folder")
    try:
        _read_zip(path, folder, background)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, FileNotFoundError, RuntimeError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise UserError(f"{path} is no whole zip ({one_line(error, 120)}): copy or make it again") from None
    except UserError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _read_zip(path: Path, folder: Path, background: str) -> None:
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.lower().endswith((".png", ".jpg", ".jpeg", ".webp")))
        if not names:
            raise UserError(f"{path} holds no pictures: a StyleGAN2 dataset has 00000/img00000000.png and so on")
        about = _about(archive, path)
        hashes = about.get("sha256") or names
        if not _are_words(hashes) or len(hashes) != len(names):
            line = f"sha256 is no list of {len(names)} words: give every picture one, or none"
            raise UserError(f"{path}: dataset.json's {line}")
        sources = list(zip(hashes, _labels(about, names, path), strict=True))
        write_pack(folder, _pictures(archive, names, path), sources, background, fingerprint="stylegan-zip")


def _about(archive: zipfile.ZipFile, path: Path) -> dict:
    if "dataset.json" not in archive.namelist():
        return {}
    try:
        about = json.loads(_member(archive, "dataset.json"))
    except ValueError as error:
        raise UserError(f"{path}: dataset.json is no JSON: {error}") from None
    if not isinstance(about, dict):
        raise UserError(f'{path}: dataset.json is no object: expected {{"labels": [[name, number], ...]}}')
    return about


def _labels(about: dict, names: list[str], path: Path) -> list[str | None]:
    """Give each member's label as a word, such that the words sort as the numbers do: a pack numbers them anew."""
    if not about.get("labels"):
        return [None] * len(names)
    try:
        known = dict(about["labels"])
    except (TypeError, ValueError):
        raise UserError(f"{path}: dataset.json's labels are no pairs of a name and a number") from None
    for name in names:
        if name not in known:
            raise UserError(f"{path}: dataset.json gives {name} no label: give all pictures one, or none")
        if type(known[name]) is not int or known[name] < 0:
            raise UserError(f"{path}: {name} has the label {known[name]!r}: expected a whole number from 0 on")
    numbers = [known[name] for name in names]
    words = about.get("label_names")
    if not words:
        digits = len(str(max(numbers)))
        return [f"{number:0{digits}d}" for number in numbers]
    if not _are_words(words) or words != sorted(set(words)) or len(words) <= max(numbers):
        line = "label_names are not a sorted word for every label: sort them, or leave them out"
        raise UserError(f"{path}: dataset.json's {line}")
    return [words[number] for number in numbers]


def _are_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _pictures(archive: zipfile.ZipFile, names: list[str], path: Path) -> Iterator[np.ndarray]:
    shape = None
    for name in names:
        try:
            picture = np.asarray(media.decode(_member(archive, name), MOST_PIXELS))
        except media.MediaError as error:
            raise UserError(f"{path}: {name} cannot be read ({error.reason}: {error})") from None
        shape = shape or picture.shape
        if picture.shape != shape:
            raise UserError(f"{path}: {name} is {picture.shape}, the first picture {shape}: one shape a dataset")
        yield picture


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as stream:
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise UserError(f"{archive.filename}: {name} is larger than {MOST_BYTES} bytes")
    return data


def png(picture: np.ndarray) -> bytes:
    """Encode HxW, HxWx3 or HxWx4 uint8 as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
