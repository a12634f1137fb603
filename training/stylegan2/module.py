"""Train a StyleGAN2-ADA: the Lightning module, whose training step is the algorithm in its order.

What a step draws depends on the seed, the step and the process alone, so that a resumed training draws what an
uninterrupted one would have drawn.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from inference.errors import UserError
from inference.networks.stylegan2 import Generator, GeneratorConfig, latents
from scraping import stage
from training.steps import Steps
from training.stylegan2 import loss
from training.stylegan2.augment import Augment, Controller
from training.stylegan2.discriminator import Discriminator, DiscriminatorConfig

ADAM_BETAS = (0.0, 0.99)
ADAM_EPSILON = 1e-8


class Width(stage.Settings):
    """Channels of a level are channel_base / level, at most channel_max; what a convolution gives may be clamped."""

    channel_base: int = Field(ge=16)
    channel_max: int = Field(ge=4)
    conv_clamp: float | None = Field(gt=0)


class GeneratorSettings(Width):
    z_dim: int = Field(ge=1)
    w_dim: int = Field(ge=1)
    mapping_layers: int = Field(ge=1)


class DiscriminatorSettings(Width):
    mbstd_group: int = Field(ge=1)
    freeze: int = Field(ge=0)  # of the first layers, as they came from another training (FreezeD)


class PathLengthSettings(stage.Settings):
    weight: float = Field(ge=0)  # 0: no path length regularisation
    interval: int = Field(ge=1)
    shrink: int = Field(ge=1)  # of the batch
    decay: float = Field(gt=0, le=1)


class AdaSettings(stage.Settings):
    transforms: str  # a set of training/stylegan2/augment.py
    start: float = Field(ge=0, le=1)
    target: float | None = Field(ge=-1, le=1)  # of the mean sign of scores of reals; null: p stays
    kimg: float = Field(gt=0)  # in which p goes from 0 to 1
    interval: int = Field(ge=1)
    most: float = Field(ge=0, le=1)


class Settings(stage.Settings):
    """The algorithm's own settings; what the trainer needs beside them is in fitting.py."""

    generator: GeneratorSettings
    discriminator: DiscriminatorSettings
    batch: int = Field(ge=1)  # over all processes
    lr_generator: float = Field(gt=0)
    lr_discriminator: float = Field(gt=0)
    gamma: float = Field(ge=0)  # of R1
    r1_interval: int = Field(ge=1)
    path_length: PathLengthSettings
    style_mixing: float = Field(ge=0, le=1)
    ema_kimg: float = Field(ge=0)  # half-life of the average of the generator's weights
    ema_ramp: float | None = Field(gt=0)  # at most this share of what was shown so far
    ada: AdaSettings


class Stylegan2(Steps):
    """Generator, discriminator, the generator's moving average, and what a step does to them."""

    def __init__(self, settings: Settings, pictures: GeneratorConfig, seed: int) -> None:
        super().__init__()
        self.settings, self.seed = settings, seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.generator = Generator(pictures)
            judge = settings.discriminator
            self.discriminator = Discriminator(
                DiscriminatorConfig(
                    pictures, judge.channel_base, judge.channel_max, judge.mbstd_group, judge.conv_clamp
                )
            )
        self.ema = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.augment = Augment(settings.ada.transforms, settings.ada.start)
        ada = settings.ada
        self.controller = Controller(self.augment, ada.target or 0.0, ada.kimg, ada.interval, ada.most)
        self.register_buffer("path_length_mean", torch.zeros([]))
        self.draws = torch.Generator()  # of what is decided
        self.noises = self.draws  # of latents and noise, where they are used
        for part in frozen(self.discriminator, judge.freeze):
            part.requires_grad_(False)

    @property
    def pictures_seen(self) -> int:
        return self.steps * self.settings.batch

    @property
    def progress(self) -> str:
        return f"{self.pictures_seen / 1000:.3f} kimg"

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for each network, lr and betas corrected for the steps that lazy regularisation adds (1912.04958, B)."""
        lazy = self.settings.path_length
        return [
            adam(self.generator, self.settings.lr_generator, lazy.interval if lazy.weight else None),
            adam(
                self.discriminator,
                self.settings.lr_discriminator,
                self.settings.r1_interval if self.settings.gamma else None,
            ),
        ]

    def on_fit_start(self) -> None:
        if self.device.type != "cpu":
            self.noises = torch.Generator(self.device)

    # -- the algorithm ---------------------------------------------------------------------------------------------

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        reals, labels = self.prepared(batch)
        for generator in (self.draws, self.noises):
            generator.manual_seed(self.seed_of_step())
        lazy = self.settings.path_length
        self.train_generator(labels)
        if lazy.weight and self.steps % lazy.interval == 0:
            self.regularise_path_length(labels[: max(1, len(labels) // lazy.shrink)])
        scores = self.train_discriminator(reals, labels)
        if self.settings.gamma and self.steps % self.settings.r1_interval == 0:
            self.regularise_slope(reals, labels)
        if self.settings.ada.target is not None:
            self.controller.observe(self.all_gather(scores).flatten())
        self.steps += 1

    def train_generator(self, labels: Tensor) -> None:
        with self.training_of(0):
            fakes, _ = self.fakes(labels)
            value = loss.generator_loss(self.scores(fakes, labels))
            self.descend(0, value)
        self.watch(loss_g=value, grad_g=self.gradient_norm(self.generator))

    def regularise_path_length(self, labels: Tensor) -> None:
        lazy = self.settings.path_length
        with self.training_of(0):
            fakes, ws = self.fakes(labels)
            lengths = loss.path_lengths(fakes, ws, self.normal(fakes.shape))
            now = self.mean_over_processes(lengths.detach().mean())
            # From 0 on, hundreds of steps would shorten the paths of a generator that was trained before.
            mean = self.path_length_mean.lerp(now, lazy.decay) if self.steps else now
            self.path_length_mean.copy_(mean)
            self.descend(0, (lengths - mean).square().mean() * (lazy.weight * lazy.interval))
        self.watch(path_length=lengths.mean())

    def train_discriminator(self, reals: Tensor, labels: Tensor) -> Tensor:
        """Returns the scores of the reals, of which ADA's controller lives."""
        with torch.no_grad():
            fakes, _ = self.fakes(labels)
        with self.training_of(1):
            of_fakes = self.scores(fakes, labels)
            of_reals = self.scores(reals, labels)
            value = loss.discriminator_loss_on_fakes(of_fakes) + loss.discriminator_loss_on_reals(of_reals)
            self.descend(1, value)
        self.watch(loss_d=value, scores_fake=of_fakes.mean(), scores_real=of_reals.mean())
        self.watch(r_t=of_reals.sign().mean(), grad_d=self.gradient_norm(self.discriminator))
        return of_reals.detach()

    def regularise_slope(self, reals: Tensor, labels: Tensor) -> None:
        reals = reals.detach().requires_grad_()
        with self.training_of(1):
            penalty = loss.r1_penalty(reals, self.scores(reals, labels))
            self.descend(1, penalty * (self.settings.gamma / 2 * self.settings.r1_interval))
        self.watch(r1=penalty)

    # -- its parts -------------------------------------------------------------------------------------------------

    def prepared(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """uint8 pictures -> [-1, 1], in the memory format that convolutions like."""
        pictures, labels = batch
        return (pictures.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last), labels

    def fakes(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Generate a picture for each label: pictures, and the ws they were made of."""
        w = self.mapped(labels)
        self.generator.mapping.track(self.mean_over_processes(w.detach().mean(dim=0)))
        ws = self.generator.broadcast(w)
        if self.settings.style_mixing > 0:
            ws = self.mixed(ws, labels)
        pictures = self.generator.synthesis(ws, generator=self.noises)
        return pictures.contiguous(memory_format=torch.channels_last), ws

    def mapped(self, labels: Tensor) -> Tensor:
        z = self.normal((len(labels), self.generator.config.z_dim))
        return self.generator.mapping(z, labels if self.generator.config.classes else None)

    def mixed(self, ws: Tensor, labels: Tensor) -> Tensor:
        """Style mixing: from a random layer on, the ws of other latents; one layer a batch."""
        last = self.generator.config.num_ws
        happens = torch.rand([], generator=self.draws).item() < self.settings.style_mixing
        layer = int(torch.randint(1, last, [], generator=self.draws)) if happens else last
        if layer == last:
            return ws
        others = self.generator.broadcast(self.mapped(labels))
        return torch.cat([ws[:, :layer], others[:, layer:]], dim=1)

    def scores(self, pictures: Tensor, labels: Tensor) -> Tensor:
        labels = labels if self.generator.config.classes else None
        return self.discriminator(self.augment(pictures, self.draws), labels)

    def normal(self, shape: torch.Size | tuple[int, ...]) -> Tensor:
        return torch.randn(shape, generator=self.noises, device=self.noises.device)

    def seed_of_step(self) -> int:
        words = np.random.SeedSequence([self.seed, self.steps, self.global_rank]).generate_state(2)
        return int(words[0]) << 32 | int(words[1])

    @contextmanager
    def training_of(self, which: int) -> Iterator[None]:
        """Let gradients reach the parameters of one network alone: the other's would be computed in vain."""
        optimizers = self.optimizers()
        for position, optimizer in enumerate(optimizers):
            for parameter in parameters(optimizer):
                parameter.requires_grad_(position == which)
        optimizers[which].zero_grad()
        yield

    def descend(self, which: int, value: Tensor) -> None:
        """One step down the gradient, which is the mean over all processes."""
        self.manual_backward(value)
        optimizer = self.optimizers()[which]
        gradients = [parameter.grad for parameter in parameters(optimizer) if parameter.grad is not None]
        self.average(gradients)
        optimizer.step()

    def gradient_norm(self, network: nn.Module) -> Tensor:
        return torch.nn.utils.get_total_norm([each.grad for each in network.parameters() if each.grad is not None])

    # -- what is watched, and kept ---------------------------------------------------------------------------------

    def stop_if_diverged(self) -> None:
        """Raise where anything watched since the last tick is no number."""
        if self.diverged():
            line = f"the training diverged before {self.pictures_seen / 1000:g} kimg (a loss is no number)"
            raise UserError(f"{line}: raise train.gamma, lower the learning rates, or start from another starter")

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["stylegan2"] = {"controller": self.controller.state_dict()}

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        super().on_load_checkpoint(checkpoint)
        self.controller.load_state_dict(checkpoint["stylegan2"]["controller"])

    @torch.no_grad()
    def sample(self, seeds: list[int], psi: float) -> Tensor:
        """Generate with the average generator: pictures [N, C, H, W] about [-1, 1]."""
        z = latents(seeds, self.ema.config.z_dim).to(self.device)
        labels = torch.arange(len(seeds), device=self.device) % max(1, self.ema.config.classes)
        return self.ema(z, labels if self.ema.config.classes else None, psi=psi)


def adam(network: nn.Module, lr: float, interval: int | None) -> torch.optim.Adam:
    """Adam of a network whose regulariser takes a step of its own every `interval` steps."""
    share = 1.0 if interval is None else interval / (interval + 1)
    betas = tuple(beta**share for beta in ADAM_BETAS)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return torch.optim.Adam(trained, lr=lr * share, betas=betas, eps=ADAM_EPSILON)


def parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def frozen(discriminator: Discriminator, count: int) -> list[nn.Module]:
    """Give the first layers from the picture on: fromrgb, conv0, conv1, skip, the next level's (2002.10964)."""
    layers = []
    for level in discriminator.levels:
        block = getattr(discriminator, f"b{level}")
        layers += [layer for name in ("fromrgb", "conv0", "conv1", "skip") if (layer := getattr(block, name, None))]
    return layers[:count]
