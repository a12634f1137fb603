import wave
from collections.abc import Callable, Iterable
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inference import bundle as bundles
from inference import video
from inference.avatars import Avatars
from inference.networks.stylegan2 import Generator, GeneratorConfig, latents, to_uint8

TINY = GeneratorConfig(height=32, width=32, channel_base=256, channel_max=16, z_dim=24, w_dim=24)


def manifest(config: GeneratorConfig, **changes: object) -> dict:
    """What an export says of a generator that nobody trained."""
    return {
        "name": "portrait",
        "version": "0.1.0",
        "task": "avatar",
        "network": {"kind": "stylegan2", **asdict(config)},
        "precision": "float32",
        "inputs": {"z": [config.z_dim]},
        "outputs": {"picture": [config.height, config.width, 3]},
        "licences": {"weights": "CC0-1.0", "code": "Apache-2.0", "data": "CC0-1.0"},
        "commercial": True,
        "demo": True,
        "subject": "face",
        "provenance": {"git": None, "data_fingerprint": "0" * 16, "kimg": 1.5, "started_from": None, "command": "none"},
        "metrics": {},
        "directions": {"file": bundles.DIRECTIONS, "count": 4, "names": {"light": 1}},
        "created": "2026-01-01T00:00:00Z",
        **changes,
    }


def random_generator(config: GeneratorConfig) -> Generator:
    """A generator of random weights in which noise and truncation do something."""
    torch.manual_seed(7)
    generator = Generator(config).eval().requires_grad_(False)
    for name, value in generator.named_parameters():
        if name.endswith("noise_strength"):
            value.fill_(0.3)
    generator.mapping.w_avg.normal_()
    return generator


def write_bundle(folder: Path, config: GeneratorConfig = TINY, **changes: object) -> bundles.Bundle:
    generator = random_generator(config)
    z = latents([1, 2], config.z_dim)
    labels = torch.zeros(2, dtype=torch.long) if config.classes else None
    components = torch.linalg.qr(torch.randn(config.w_dim, config.w_dim)).Q[:4].contiguous()
    tensors = {
        bundles.MODEL: generator.state_dict(),
        bundles.DIRECTIONS: {"components": components, "sigmas": torch.ones(4), "mean": generator.mapping.w_avg},
        bundles.GOLDEN: {"z": z, "image": to_uint8(generator(z, labels, psi=0.7)).contiguous()},
        bundles.DISCRIMINATOR: {"b4.out.weight": torch.randn(1, 16)},
    }
    if labels is not None:
        tensors[bundles.GOLDEN]["labels"] = labels
    return bundles.write(folder, manifest(config, **changes), tensors, {"README.md": b"a card\n"})


@pytest.fixture
def make_bundle(tmp_path) -> Callable[..., bundles.Bundle]:
    """Write a tiny bundle of random weights: `make_bundle("name", config, **manifest)`."""

    def make(name: str = "portrait", config: GeneratorConfig = TINY, **changes: object) -> bundles.Bundle:
        return write_bundle(tmp_path / "bundles" / name, config, name=name, **changes)

    return make


@pytest.fixture(scope="session")
def shared_bundle(tmp_path_factory) -> bundles.Bundle:
    """The tiny bundle for tests that do not touch its files."""
    return write_bundle(tmp_path_factory.mktemp("bundles") / "portrait")


@pytest.fixture(scope="session")
def avatars(shared_bundle) -> Avatars:
    return Avatars(shared_bundle)


@pytest.fixture
def a_place_of_its_own(shared_bundle, tmp_path, monkeypatch) -> None:
    """Work in an empty folder, with a certificate of its own and the tiny bundle alone."""
    monkeypatch.setenv("DRAMATIS_BUNDLES", str(shared_bundle.folder.parent))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


PREVIEW = Path(__file__).resolve().parents[2] / "data" / "starters" / "portrait" / "preview.png"


@pytest.fixture(scope="session")
def portrait() -> Callable[..., np.ndarray]:
    """Give one of the rendered people that the project ships, uint8 RGB: `portrait(number, edge)`."""
    sheet = Image.open(PREVIEW).convert("RGB")

    def cut(number: int = 0, edge: int = 160) -> np.ndarray:
        x, y = 64 * (number % (sheet.width // 64)), 64 * (number // (sheet.width // 64))
        return np.array(sheet.crop((x, y, x + 64, y + 64)).resize((edge, edge), Image.Resampling.BICUBIC))

    return cut


@pytest.fixture
def film(tmp_path) -> Callable[..., Path]:
    """Write pictures as a video without sound: `film("x.mp4", pictures, fps)`."""

    def write(name: str, pictures: Iterable[np.ndarray], fps: Fraction | int = 25) -> Path:
        pictures = list(pictures)
        height, width = pictures[0].shape[:2]
        with video.Writer(tmp_path / name, width, height, Fraction(fps)) as writer:
            for picture in pictures:
                writer.write(picture)
        return tmp_path / name

    return write


@pytest.fixture
def tone(tmp_path) -> Callable[..., Path]:
    """Write a tone as a .wav: `tone("x.wav", seconds, rate, channels)`."""

    def write(name: str, seconds: float, rate: int = 16000, channels: int = 1, level: float = 0.3) -> Path:
        times = np.arange(round(seconds * rate)) / rate
        samples = np.clip(level * np.sin(2 * np.pi * 300 * times), -1, 1)
        with wave.open(str(tmp_path / name), "wb") as stream:
            stream.setnchannels(channels)
            stream.setsampwidth(2)
            stream.setframerate(rate)
            stream.writeframes(np.repeat((samples * 32767).astype("<i2")[:, None], channels, 1).tobytes())
        return tmp_path / name

    return write
