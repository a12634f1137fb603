"""Small pictures and talking heads drawn by code, and raw folders made of them as scraping would leave them."""

import hashlib
import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
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


def head(picture: np.ndarray, x: float, y: float, scale: float = 1.0, opening: float = 0.2) -> None:
    """Draw a face into RGB such that YuNet finds it (score 0.93): about 75 by 105 pixels at scale 1."""

    def oval(dx, dy, across, down, colour):
        middle = round((x + dx * scale) * 16), round((y + dy * scale) * 16)
        axes = round(across * scale * 16), round(down * scale * 16)
        cv2.ellipse(picture, middle, axes, 0, 0, 360, colour, -1, cv2.LINE_AA, 4)

    oval(0, -10, 46, 58, (60, 40, 30))
    oval(0, 62, 20, 30, (200, 150, 120))
    oval(0, 4, 38, 50, (224, 178, 148))
    for side in (-16, 16):
        oval(side, -17, 10, 3, (70, 45, 30))
        oval(side, -8, 8, 4.5, (250, 250, 250))
        oval(side, -8, 4, 4.2, (60, 40, 30))
    oval(0, 8, 4, 12, (205, 155, 125))
    oval(0, 30, 14, 3 + 7 * opening, (190, 80, 80))
    oval(0, 30, 11, 0.6 + 7 * opening, (70, 20, 25))


Shot = Sequence[tuple[float, float, float]]


def scene(shot: Shot, number: int, width: int, height: int, ground: tuple[int, int, int]) -> np.ndarray:
    """Draw the heads of a shot, x, y, scale each, as they are in a frame of a fifth of a second's babble."""
    picture = np.full((height, width, 3), ground, np.uint8)
    for x, y, scale in shot:
        head(picture, x, y, scale, opening=0.5 - 0.5 * np.cos(number * 2 * np.pi / 5))
    return cv2.GaussianBlur(picture, (0, 0), 0.8)


@pytest.fixture
def film() -> Callable[..., Path]:
    """Give a function that writes a video of drawn heads that babble, with a sound as long."""

    def filmed(
        path: Path,
        frames: int = 25,
        fps: int = 25,
        edges: tuple[int, int] = (160, 160),
        shots: Sequence[Shot] = (((80, 80, 1.0),),),
        seconds: float | None = None,
        rate: int = 16_000,
        layout: str = "mono",
        gaps: bool = False,
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        seconds = frames / fps if seconds is None else seconds
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=fps, options={"crf": "12", "preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = *edges, "yuv420p"
            sound = container.add_stream("aac", rate=rate, layout=layout) if seconds else None
            for number in range(frames):
                if gaps and number % 3 == 1:
                    continue
                which = number * len(shots) // frames
                picture = scene(shots[which], number, *edges, (90 + 70 * which, 120, 150 - 60 * which))
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, fps)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            if sound:
                time = np.arange(round(seconds * rate)) / rate
                wave = np.sin(2 * np.pi * 200 * time) * (0.5 - 0.5 * np.cos(2 * np.pi * 5 * time))
                samples = np.tile(wave.astype(np.float32) * 0.4, (len(av.AudioLayout(layout).channels), 1))
                frame = av.AudioFrame.from_ndarray(samples, "fltp", layout)
                frame.sample_rate, frame.pts = rate, 0
                fifo = av.AudioFifo()
                fifo.write(frame)
                while piece := fifo.read(1024, partial=True):
                    container.mux(sound.encode(piece))
                container.mux(sound.encode(None))
        return path

    return filmed
