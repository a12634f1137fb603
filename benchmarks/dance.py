"""Time music to dance: hearing a song, dancing 30 s in the demo and the gpu size, drawing them, and training.

python benchmarks/dance.py --json
python benchmarks/dance.py --json --reference ~/EDGE        # a checkout of github.com/Stanford-TML/EDGE
python benchmarks/dance.py --device cuda --batch 256 --precision bfloat16

Networks have random weights, which cost what trained ones do. Training is a step of the network alone on both sides
(forward, the difference to the motion, backward, Adam), in turns in one process; without a checkout the other side is
a network of EDGE's shape made of torch's own layers, without its rotary embedding.
"""

import argparse
import contextlib
import json
import os
import resource
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import nn

    from inference.motion.clip import Motion
    from inference.networks.dance import DanceConfig

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a file, wherever from
SECONDS = 30.0  # of dance
SONG = 240.0  # s of the song that is heard
RATE = 44100
BPM = 120
PARTS = ("features", "dance", "draw", "train")
EDGE = {"nfeats": 151, "seq_len": 150, "latent_dim": 512, "ff_size": 1024, "num_layers": 8, "num_heads": 8}
FRAMES = 150  # of a sample, on both sides


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def least(work: Callable[[], object], rounds: int) -> float:
    """Give the least of so many rounds, after one that warms up."""
    work()
    return min(seconds_of(work) for _ in range(rounds))


# -- hearing -----------------------------------------------------------------------------------------------------------


def write_song(path: Path, seconds: float) -> None:
    """Write stereo drums and chords, so that there is something to find."""
    rng = np.random.default_rng(0)
    times = np.arange(round(seconds * RATE)) / RATE
    since = times % (60 / BPM)
    kick = np.exp(-since * 30) * np.sin(2 * np.pi * 60 * since)
    hat = np.exp(-((times + 30 / BPM) % (60 / BPM)) * 80) * rng.uniform(-1, 1, len(times))
    root = 220 * 2 ** (np.floor(times / 2) % 4 / 12)
    chord = sum(np.sin(2 * np.pi * np.cumsum(root * third) / RATE) for third in (1, 1.26, 1.5))
    samples = 0.5 * kick + 0.15 * hat + 0.1 * chord
    both = np.stack([samples, 0.9 * samples], axis=1)
    with wave.open(str(path), "wb") as stream:
        stream.setparams((2, 2, RATE, 0, "NONE", ""))
        stream.writeframes((both * 32767).astype("<i2").tobytes())


def features(words: argparse.Namespace) -> dict[str, float]:
    """Hear a song of four minutes from its file."""
    from inference import music

    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "song.wav"
        write_song(song, SONG)
        took = least(lambda: music.features(song), words.rounds)
    return {"song_s": SONG, "seconds": took}


# -- dancing -----------------------------------------------------------------------------------------------------------


def configs() -> dict[str, "DanceConfig"]:
    """Read the sizes of the two profiles."""
    from hydra import compose, initialize_config_dir

    from training.dance.diffusion import Settings

    found = {}
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for profile in ("demo", "gpu"):
            composed = compose("training/train", overrides=["run=dance", "corpus=dances", f"profile={profile}"])
            known = {name: composed.dance[name] for name in Settings.model_fields if name in composed.dance}
            found[profile] = Settings.model_construct(**known).config(10)
    return found


def network(config: "DanceConfig", device: str) -> "nn.Module":
    """Draw weights that move a little about a T-pose, as a dance is made of whole rotations."""
    import torch

    from inference.motion.clip import Motion
    from inference.motion.skeleton import HEIGHT, JOINTS
    from inference.networks.dance import Denoiser

    torch.manual_seed(0)
    made = Denoiser(config).eval().requires_grad_(False)
    upright = np.tile(np.eye(3, dtype=np.float32), (1, len(JOINTS), 1, 1))
    stance = Motion.from_matrices(upright, np.float32([[0, HEIGHT, 0]]))
    made.motion_mean.copy_(torch.from_numpy(stance.to_vector()[0]))
    made.motion_std.fill_(0.1)
    torch.nn.init.normal_(made.leave.weight, std=0.05)
    return made.to(device)


def danced(words: argparse.Namespace) -> tuple[dict[str, Any], "Motion"]:
    """Dance 30 s in each size; also gives the dance of the demo's."""
    from inference import dancing
    from inference.motion import feet

    heard = np.random.default_rng(0).normal(0, 1, (round(SECONDS * 30), 37)).astype(np.float32)
    told, kept = {}, None
    for name, config in configs().items():
        made = network(config, words.device)
        motion = dancing.sample(made, heard, 1)
        kept = kept or motion
        told[name] = {
            "parameters": sum(each.numel() for each in made.parameters()),
            "config": asdict(config),
            "seconds": least(lambda made=made: dancing.sample(made, heard, 1), words.rounds),
            "foot_lock_seconds": least(lambda motion=motion: feet.lock(motion), words.rounds),
        }
    return told, kept


def drawn(words: argparse.Namespace, motion: "Motion") -> dict[str, Any]:
    """Draw and encode the dance in each way, all of it once."""
    from inference.ahead import ahead
    from inference.dancefloor import video as films
    from inference.video import Writer

    told = {}
    for render in films.RENDERS:
        if render == "figure" and not _has_figure():
            told[render] = None
            continue
        with tempfile.TemporaryDirectory() as folder:
            started, worked = time.perf_counter(), time.process_time()
            film = films.Film([motion], render, *films.ALONE)
            pictures = ahead(film.pictures(), 4)
            first = next(pictures)
            ready = time.perf_counter() - started
            with Writer(Path(folder) / "film.mp4", film.width, film.height, film.fps) as writer:
                writer.write(first)
                for picture in pictures:
                    writer.write(picture)
            took = time.perf_counter() - started
        told[render] = {
            "size": f"{film.width}x{film.height}",
            "seconds": took,
            "first_picture_after_seconds": ready,
            "core_ms_per_frame": 1e3 * (time.process_time() - worked) / film.frames,
        }
    return told


def _has_figure() -> bool:
    with contextlib.suppress(ImportError):
        from inference.figure.body import is_compiled

        return is_compiled()
    return False


# -- training ----------------------------------------------------------------------------------------------------------


def edge_of(reference: str | None) -> "nn.Module":
    """Build EDGE's network, from a checkout, or one of its shape; music of 35 columns, as its `baseline` has it."""
    import torch
    from torch import nn

    if reference is not None:
        sys.path.append(str(Path(reference).expanduser()))  # behind ours
        from model.model import DanceDecoder

        decoder = DanceDecoder(**EDGE, dropout=0.1, cond_feature_dim=35, activation=torch.nn.functional.gelu)
        return _reference(decoder)
    return _shaped(nn, EDGE)


def _reference(decoder: "nn.Module") -> "nn.Module":
    from torch import nn

    class Reference(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.decoder = decoder

        def forward(self, noisy: "torch.Tensor", level: "torch.Tensor", music: "torch.Tensor") -> "torch.Tensor":
            return self.decoder(noisy, music[..., :35], (level * 999).long(), cond_drop_prob=0.25)

    return Reference()


def _shaped(nn: Any, shape: dict[str, int]) -> "nn.Module":
    width, heads, feed = shape["latent_dim"], shape["num_heads"], shape["ff_size"]
    how = {"dim_feedforward": feed, "dropout": 0.1, "activation": "gelu", "batch_first": True, "norm_first": True}

    class Shaped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hear = nn.Linear(35, width)
            layer = nn.TransformerEncoderLayer(width, heads, **how)
            self.listening = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.enter = nn.Linear(shape["nfeats"], width)
            self.moving = nn.ModuleList(nn.TransformerDecoderLayer(width, heads, **how) for _ in range(8))
            self.level = nn.Sequential(nn.Linear(1, 4 * width), nn.Mish(), nn.Linear(4 * width, width))
            self.films = nn.ModuleList(nn.Sequential(nn.Mish(), nn.Linear(width, 6 * width)) for _ in range(8))
            self.leave = nn.Linear(width, shape["nfeats"])

        def forward(self, noisy: "torch.Tensor", level: "torch.Tensor", music: "torch.Tensor") -> "torch.Tensor":
            heard = self.listening(self.hear(music[..., :35]))
            said = self.level(level[:, None]) + heard.mean(1)
            x = self.enter(noisy)
            for layer, film in zip(self.moving, self.films, strict=True):
                scale, shift = film(said)[:, None, : 2 * width].chunk(2, -1)
                x = layer(x, heard) * (1 + scale) + shift
            return self.leave(x)

    return Shaped()


def trained(words: argparse.Namespace) -> dict[str, Any]:
    """Count the samples a second of a training step of ours and of EDGE's, in turns."""
    import torch

    from inference.networks.dance import Denoiser

    device, batch = words.device, words.batch
    config = configs()["gpu"]
    ours, theirs = Denoiser(config, 0.1).to(device).train(), edge_of(words.reference).to(device).train()
    generator = torch.Generator().manual_seed(0)
    noisy, motion = torch.randn(2, batch, FRAMES, 151, generator=generator).to(device)
    music = torch.randn(batch, FRAMES, 37, generator=generator).to(device)
    level = torch.rand(batch, generator=generator).to(device)
    heard, genre = torch.ones(batch, device=device), torch.zeros(batch, device=device)
    kind = {"float32": torch.float32, "bfloat16": torch.bfloat16}[words.precision]

    def step(made: "nn.Module", optimizer: "torch.optim.Optimizer", given: tuple) -> None:
        with torch.autocast(device, kind, enabled=kind != torch.float32):
            apart = made(*given).float() - motion
        optimizer.zero_grad(set_to_none=True)
        apart.square().mean().backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    sides = {
        "ours": (ours, (noisy, level, music, genre, heard)),
        "edge": (theirs, (noisy, level, music)),
    }
    optimizers = {name: torch.optim.Adam(made.parameters(), 1e-4) for name, (made, _) in sides.items()}
    took: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(words.rounds + 1):
        for name, (made, given) in sides.items():
            seconds = seconds_of(lambda made=made, name=name, given=given: step(made, optimizers[name], given))
            if turn:
                took[name].append(seconds)
    rate = {name: batch / min(seconds) for name, seconds in took.items()}
    return {
        "batch": batch,
        "precision": words.precision,
        "frames_a_sample": FRAMES,
        "parameters": {name: sum(each.numel() for each in made.parameters()) for name, (made, _) in sides.items()},
        "samples_per_second": rate,
        "ratio": rate["ours"] / rate["edge"],
        "reference": "a checkout" if words.reference else "EDGE's shape in torch's layers",
    }


# -- telling -----------------------------------------------------------------------------------------------------------


def measure(words: argparse.Namespace) -> dict[str, Any]:
    import torch

    if words.threads:
        torch.set_num_threads(words.threads)
    told: dict[str, Any] = {"device": words.device, "threads": words.threads or os.cpu_count(), "rounds": words.rounds}
    motion = None
    for part in words.parts:
        if part == "features":
            told[part] = features(words)
        elif part == "train":
            told[part] = trained(words)
        else:
            if motion is None:
                told["dance"], motion = danced(words)
            if part == "draw":
                told[part] = drawn(words, motion)
    told["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--reference", metavar="DIR", help="a checkout of EDGE")
    parser.add_argument("--batch", type=int, default=8, help="of a training step")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32", help="of a training step")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    found = measure(words)
    if words.json:
        print(json.dumps(found, indent=1))
        return
    if "features" in found:
        print(f"features: {found['features']['seconds']:.2f} s of a song of {SONG:.0f} s")
    for name, size in found.get("dance", {}).items():
        millions = size["parameters"] / 1e6
        print(f"{name}: {SECONDS:.0f} s of dance in {size['seconds']:.2f} s, {millions:.1f} million weights")
    for name, way in found.get("draw", {}).items():
        print(
            f"{name}: not drawn, no body here"
            if way is None
            else f"{name}: drawn and encoded in {way['seconds']:.1f} s"
        )
    if "train" in found:
        rate = found["train"]["samples_per_second"]
        print(f"training: {rate['ours']:.2f} samples/s, EDGE's {rate['edge']:.2f}: {found['train']['ratio']:.2f}")


if __name__ == "__main__":
    main()
