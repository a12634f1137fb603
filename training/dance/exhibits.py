"""What a bundle of dances shows of itself: golden inputs, parity over a whole dance, and a sheet of dances."""

from collections.abc import Sequence

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from inference import bundle, dancing, golden, graph
from inference.dancefloor import skeleton
from inference.motion import feet
from inference.motion.clip import FPS, Motion
from inference.networks.dance_gan import Composer, slow_noise
from preprocessing.dancepacks import Dance, Dances
from preprocessing.packing import png
from scraping import stage

COMPOSED = 75  # frames of a composer's golden song
SLOW = 30  # frames in which its noise moves on


class Drawn(stage.Settings):
    """Inputs that are drawn from a seed."""

    count: int = Field(ge=1, le=golden.MAX_INPUTS)
    seed: int = Field(ge=0)


class Parity(stage.Settings):
    """On what both back ends are compared: inputs in batches, and a whole dance."""

    batches: list[int] = Field(min_length=1)
    seconds: float = Field(gt=0)  # of the dance
    seed: int = Field(ge=0)


class Preview(stage.Settings):
    songs: int = Field(ge=0)
    pictures: int = Field(ge=1)  # of each dance
    seconds: float = Field(gt=0)  # of each dance


def drawn(network: nn.Module, count: int, seed: int) -> dict[str, Tensor]:
    """Draw what a network takes, by name: music as varied as what it was trained on, levels from end to end."""
    generator = torch.Generator().manual_seed(seed)
    config = network.config
    frames = COMPOSED if isinstance(network, Composer) else config.window
    noise = torch.randn(count, frames, config.music, generator=generator)
    music = (network.music_mean + network.music_std * noise).contiguous()
    genre = (torch.arange(count) % (config.genres + 1)).float()
    if isinstance(network, Composer):
        return {"music": music, "noise": slow_noise(count, frames, config.noise, SLOW, generator), "genre": genre}
    return {
        "noisy": torch.randn(count, frames, golden.MOTION, generator=generator),
        "level": torch.linspace(0.95, 0.05, count),
        "music": music,
        "genre": genre,
        "heard": (torch.arange(count) % 3 != 2).float(),
    }


def answered(network: nn.Module, settings: Drawn) -> dict[str, Tensor]:
    """Give golden inputs with what the network makes of them, as `golden.difference` wants them."""
    given = {name: value.contiguous() for name, value in drawn(network, settings.count, settings.seed).items()}
    return given | {"motion": golden.dance(network, given, list(given)).contiguous()}


def parity(written: bundle.Bundle, network: nn.Module, dances: Dances, settings: Parity) -> dict:
    """State how far the ONNX file is from torch.

    `max_abs` is of what both make of the same inputs, in deviations of the motion; `max_mm` the farthest that a joint
    is from its place in a whole dance to a held-out song, sampled by either.
    """
    running = graph.Graph(written)
    given = drawn(network, max(settings.batches), settings.seed)
    of_torch = golden.dance(network, given, list(given)).numpy()
    arrays = [value.numpy() for value in given.values()]
    apart = 0.0
    for size in settings.batches:
        starts = range(0, len(of_torch), size)
        parts = [running(*(each[start : start + size] for each in arrays))[0] for start in starts]
        apart = max(apart, float(np.abs(np.concatenate(parts) - of_torch).max()))
    music, on = song(dances, settings.seconds, network, settings.seed)
    units = written.manifest["motion"]
    by_graph = dancing.OfGraph(running, network.config, units["mean"], units["std"])
    danced = [dancing.sample(each, music, settings.seed).positions() for each in (network, by_graph)]
    return {
        "max_abs": float(f"{apart:.2g}"),
        "max_mm": float(f"{1000 * float(np.linalg.norm(danced[0] - danced[1], axis=-1).max()):.2g}"),
        "frames": len(music),
        "n": len(of_torch),
        "batches": list(settings.batches),
        "on": on,
    }


def song(dances: Dances, seconds: float, network: nn.Module, seed: int) -> tuple[np.ndarray, str]:
    """Give the features of a held-out song [T, 37] and say of what; where there is none, draw some."""
    shown = held_out(dances)
    if not shown:
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(round(seconds * FPS), network.config.music, generator=generator)
        return (network.music_mean + network.music_std * noise).numpy(), "a song of noise"
    whole = dances.whole(dances.song(shown[0]))
    return np.array(whole[: round(seconds * FPS)]), f"a {shown[0].split} song"


def held_out(dances: Dances) -> list[Dance]:
    """Give the first dance to each song that no training heard, test songs first."""
    found: dict[str, Dance] = {}
    for dance in (*dances.of("test"), *dances.of("val")):
        found.setdefault(dance.song, dance)
    return list(found.values())


def preview(network: nn.Module, dances: Dances, shown: Sequence[Dance], settings: Preview) -> bytes:
    """Draw a row of poses for a dance to each song, as a PNG."""
    rows = [_danced(network, dances, dance, settings).positions() for dance in shown]
    return png(skeleton.sheet(rows, settings.pictures))


def _danced(network: nn.Module, dances: Dances, dance: Dance, settings: Preview) -> Motion:
    music = np.array(dances.whole(dances.song(dance))[: round(settings.seconds * FPS)])
    genre = min(dances.label(dance), network.config.genres)
    return feet.lock(dancing.sample(network, music, 1, genre=genre))
