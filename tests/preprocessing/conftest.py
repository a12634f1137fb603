"""Small pictures drawn by code, and raw folders made of them as scraping would leave them."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import imagehash
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from PIL import Image, ImageDraw

from scraping import manifest

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 160, 320


def figure(seed: int, ground: tuple[int, int, int] | None = (210, 214, 218)) -> Image.Image:
    """Draw someone standing: head, shirt, trousers in colours of the seed; without a ground, on transparency."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGBA", (WIDTH, HEIGHT), (*ground, 255) if ground else (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    skin, shirt, trousers = (tuple(int(v) for v in rng.integers(20, 170, 3)) for _ in range(3))
    left = 60 + int(rng.integers(-12, 12))
    draw.ellipse((left, 40, left + 40, 90), fill=skin)
    draw.rounded_rectangle((left - 12, 90, left + 52, 180 + int(rng.integers(20))), 14, fill=shirt)
    for leg in (left - 4, left + 24):
        draw.rounded_rectangle((leg, 170, leg + 20, 295), 6, fill=trousers)
    for _ in range(6):
        x, y = (int(v) for v in rng.integers((left, 95), (left + 40, 170)))
        draw.ellipse((x, y, x + 9, y + 9), fill=tuple(int(v) for v in rng.integers(0, 255, 3)))
    return picture if ground is None else picture.convert("RGB")


@pytest.fixture(name="figure")
def drawing() -> Callable[..., Image.Image]:
    return figure


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """Give a function that encodes a picture: PNG, or JPEG of a quality."""

    def encoded(picture: Image.Image, quality: int | None = None) -> bytes:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG" if quality else "PNG", **({"quality": quality} if quality else {}))
        return buffer.getvalue()

    return encoded


@pytest.fixture
def raw(tmp_path, monkeypatch) -> Callable[..., Path]:
    """Give a function that lays encoded pictures into data/raw/fullbody of a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def lay(*files: bytes, labels: list[str | None] | None = None) -> Path:
        folder = tmp_path / "data/raw/fullbody"
        (folder / "files").mkdir(parents=True, exist_ok=True)
        rows = [_row(folder, data, index) for index, data in enumerate(files)]
        for row, label in zip(rows, labels or [None] * len(rows), strict=True):
            row["label"] = label
        manifest.write(rows, folder)
        return folder

    return lay


def _row(folder: Path, data: bytes, index: int) -> dict:
    sha256 = hashlib.sha256(data).hexdigest()
    file = f"files/{sha256}.png"
    (folder / file).write_bytes(data)
    row = dict.fromkeys(manifest.SCHEMA.names) | {"url": f"http://gallery.demo/{index}", "licence": "CC0-1.0"}
    row |= {"sha256": sha256, "bytes": len(data), "file": file, "status": "kept", "redirects": [], "optout": []}
    try:
        picture = Image.open(io.BytesIO(data))
        row |= {"width": picture.width, "height": picture.height, "phash": str(imagehash.phash(picture))}
    except OSError:  # it was whole when it was scraped
        row |= {"width": WIDTH, "height": HEIGHT, "phash": f"{index:016x}"}
    return row


@pytest.fixture
def config() -> Callable[..., DictConfig]:
    """Give a function that composes the stage's config; drawn figures carry their alpha or are found by their matte."""

    def made(*overrides: str, stage: str = "images") -> DictConfig:
        own = ["images.subject=matte", "images.workers=1"] if stage == "images" else []
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return compose(f"preprocessing/{stage}", ["corpus=fullbody", "profile=tiny", *own, *overrides])

    return made
