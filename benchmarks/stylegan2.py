"""Measure a training iteration of StyleGAN2 against the papers' equations written down as they stand.

    python -m benchmarks.stylegan2 --json
    python -m benchmarks.stylegan2 --height 128 --channel-base 1024 --threads 1

One averaged lazy iteration is the generator's and the discriminator's step, a quarter of a path length step and a
sixteenth of an R1 step; Adam, the moving average and augmentation are left out. The baseline builds the modulated
weights of every picture to demodulate them, filters before and after in layers of its own, and lies in memory as
PyTorch lays tensors out by default. Both take turns, phase by phase, in one run; the least time of each counts, for
others use the machine too. The floor is what the arithmetic alone takes at the rate of a large matrix product.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from inference.networks import stylegan2
from inference.networks.stylegan2 import Generator, GeneratorConfig
from training.stylegan2 import loss
from training.stylegan2.discriminator import Discriminator, DiscriminatorConfig

SHARES = {"generator": 1.0, "discriminator": 1.0, "path length": 1 / 4, "R1": 1 / 16}
PRODUCT = 2048  # edge of the matrices whose product gives the machine's rate


@dataclass
class Run:
    """Networks, a batch of pictures, and the four phases of an iteration on them."""

    generator: Generator
    discriminator: Discriminator
    reals: Tensor

    def fakes(self, count: int) -> tuple[Tensor, Tensor]:
        z = torch.randn(count, self.generator.config.z_dim, device=self.reals.device)
        ws = self.generator.broadcast(self.generator.mapping(z))
        return self.generator.synthesis(ws), ws

    def phases(self) -> dict[str, Callable[[], None]]:
        return {
            "generator": self.train_generator,
            "discriminator": self.train_discriminator,
            "path length": self.regularise_path_length,
            "R1": self.regularise_slope,
        }

    def train_generator(self) -> None:
        with training(self.generator, self.discriminator):
            loss.generator_loss(self.discriminator(self.fakes(len(self.reals))[0])).backward()

    def train_discriminator(self) -> None:
        with training(self.discriminator, self.generator):
            fakes, _ = self.fakes(len(self.reals))
            loss.discriminator_loss_on_fakes(self.discriminator(fakes)).backward()
            loss.discriminator_loss_on_reals(self.discriminator(self.reals)).backward()

    def regularise_path_length(self) -> None:
        with training(self.generator, self.discriminator):
            fakes, ws = self.fakes(len(self.reals) // 2)
            loss.path_lengths(fakes, ws, torch.randn_like(fakes)).square().mean().backward()

    def regularise_slope(self) -> None:
        reals = self.reals.detach().requires_grad_()
        with training(self.discriminator, self.generator):
            loss.r1_penalty(reals, self.discriminator(reals)).backward()


@contextmanager
def training(trained: torch.nn.Module, held: torch.nn.Module) -> Iterator[None]:
    held.requires_grad_(False)
    trained.requires_grad_(True).zero_grad()
    yield


# -- the baseline ------------------------------------------------------------------------------------------------------


def demodulation_as_written(weight: Tensor, style: Tensor) -> Tensor:
    """Equation 3 of arXiv 1912.04958 on the modulated weights of every picture: [N, O, I, k, k]."""
    modulated = weight[None] * style[:, None, :, None, None]
    return (modulated.square().sum(dim=(2, 3, 4)) + stylegan2.EPSILON).rsqrt()


def upsample_as_written(x: Tensor, kernel: Tensor) -> Tensor:
    """Put zeros between the pixels, then filter."""
    count, channels, height, width = x.shape
    x = F.pad(x.reshape(count, channels, height, 1, width, 1), (0, 1, 0, 0, 0, 1))
    x = F.pad(x.reshape(count, channels, 2 * height, 2 * width), (2, 1, 2, 1))
    return F.conv2d(x, (kernel * 4).expand(channels, 1, 4, 4), groups=channels)


@contextmanager
def as_written() -> Iterator[None]:
    ours = stylegan2.demodulation, stylegan2.upsample
    stylegan2.demodulation, stylegan2.upsample = demodulation_as_written, upsample_as_written
    try:
        yield
    finally:
        stylegan2.demodulation, stylegan2.upsample = ours


# -- measuring ---------------------------------------------------------------------------------------------------------


def build(words: argparse.Namespace, memory_format: torch.memory_format) -> Run:
    torch.manual_seed(0)
    pictures = GeneratorConfig(words.height, words.width, words.channel_base, words.channel_max)
    judge = DiscriminatorConfig(pictures, words.channel_base, words.channel_max)
    generator = Generator(pictures).to(words.device, memory_format=memory_format)
    discriminator = Discriminator(judge).to(words.device, memory_format=memory_format)
    reals = torch.randn(words.batch, 3, words.height, words.width, device=words.device)
    return Run(generator, discriminator, reals.contiguous(memory_format=memory_format))


def timed(phase: Callable[[], None], device: str) -> float:
    started = time.perf_counter()
    phase()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def least_seconds(runs: dict[str, Run], rounds: int, device: str) -> dict[str, dict[str, float]]:
    """Time the phases of all runs in turns: run -> phase -> the least of `rounds` seconds, after one to warm up."""
    best = {name: dict.fromkeys(SHARES, float("inf")) for name in runs}
    for turn in range(rounds + 1):
        for phase in SHARES:
            for name, run in runs.items():
                with as_written() if name == "baseline" else nullcontext():
                    seconds = timed(run.phases()[phase], device)
                if turn:
                    best[name][phase] = min(best[name][phase], seconds)
    return best


def iteration(phases: dict[str, float]) -> float:
    return sum(share * phases[name] for name, share in SHARES.items())


def flops(run: Run) -> float:
    """Count the floating point operations of an averaged iteration, in passes forwards of either network.

    A pass backwards costs as much as one forwards for the features, and as much again for the weights. So the
    generator's step is 3 G + 2 D, the discriminator's G + 6 D, the path length's 6 G on half a batch, R1's 6 D.
    """
    passes_of_generator = 3 + 1 + SHARES["path length"] * 6 / 2
    passes_of_discriminator = 2 + 6 + SHARES["R1"] * 6
    run.generator.requires_grad_(False)
    run.discriminator.requires_grad_(False)
    of_generator = counted(lambda: run.fakes(len(run.reals)))
    of_discriminator = counted(lambda: run.discriminator(run.reals))
    return passes_of_generator * of_generator + passes_of_discriminator * of_discriminator


def counted(work: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def peak(device: str, rounds: int) -> float:
    """Measure the rate of a large float32 matrix product, in operations a second."""
    a = torch.randn(PRODUCT, PRODUCT, device=device)
    seconds = min(timed(lambda: a @ a, device) for _ in range(rounds + 1))
    return 2 * PRODUCT**3 / seconds


def measure(words: argparse.Namespace) -> dict:
    ours, baseline = build(words, torch.channels_last), build(words, torch.contiguous_format)
    best = least_seconds({"ours": ours, "baseline": baseline}, words.rounds, words.device)
    rate = {name: words.batch / iteration(phases) for name, phases in best.items()}
    operations, per_second = flops(ours), peak(words.device, words.rounds)
    return {
        "pictures": f"{words.width}x{words.height}",
        "channel_base": words.channel_base,
        "channel_max": words.channel_max,
        "batch": words.batch,
        "device": words.device,
        "threads": torch.get_num_threads(),
        "rounds": words.rounds,
        "seconds": best,
        "pictures_per_second": rate,
        "ratio": rate["ours"] / rate["baseline"],
        "gflop_per_picture": operations / words.batch / 1e9,
        "gflop_per_second_of_a_matrix_product": per_second / 1e9,
        "share_of_that_rate": operations / iteration(best["ours"]) / per_second,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--height", type=int, default=64)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--channel-base", type=int, default=2048)
    parser.add_argument("--channel-max", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    if words.threads:
        torch.set_num_threads(words.threads)
    found = measure(words)
    if words.json:
        print(json.dumps(found, indent=1))
        return
    for name, rate in found["pictures_per_second"].items():
        print(f"{name:>9}: {rate:7.1f} pictures/s")
    print(f"    ratio: {found['ratio']:7.2f}, at {found['share_of_that_rate']:.0%} of a matrix product's rate")


if __name__ == "__main__":
    main()
