"""Train a denoiser of dances (EDGE, arXiv 2211.10658, 3): the module, whose step is the algorithm in its order."""

import copy
from collections.abc import Iterable

import torch
from pydantic import Field
from torch import Tensor, nn

from inference import dancing
from inference.motion.clip import Motion
from inference.networks.dance import DanceConfig, Denoiser, schedule
from scraping import stage
from training import descent
from training.dance import loss
from training.dance.data import CONTACTS, Sample

HELD_OUT_LEVELS = (0.25, 0.5, 0.75)  # of noise: little, half, most


class Weights(stage.Settings):
    """What each term of the loss counts beside the difference of the vectors, which counts 1."""

    velocity: float = Field(ge=0)  # of units of deviation a frame
    joints: float = Field(ge=0)  # of square metres
    feet: float = Field(ge=0)  # of (m/s)^2


class Settings(descent.Settings):
    """The algorithm's own settings; `batch` counts windows."""

    window: int = Field(ge=16, le=600)  # frames
    width: int = Field(ge=16, le=2048)
    depth: int = Field(ge=1, le=48)
    heads: int = Field(ge=1, le=32)
    listening: int = Field(ge=0, le=12)
    patch: int = Field(ge=1, le=8)
    dropout: float = Field(ge=0, lt=1)
    unheard: float = Field(ge=0, lt=1)  # share of windows whose music is kept from it, and as often the genre alone
    average: float = Field(ge=0, lt=1)  # what a step leaves of the average of the weights, once it is old
    weights: Weights

    def config(self, genres: int) -> DanceConfig:
        shape = {name: getattr(self, name) for name in ("width", "depth", "heads", "listening", "patch", "window")}
        return DanceConfig(**shape, genres=genres)


class Diffusion(descent.Descent):
    """The denoiser, the average of its weights, which is what is kept of it, and what a step does to them."""

    def __init__(self, settings: Settings, genres: int, seed: int) -> None:
        super().__init__(settings, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.denoiser = Denoiser(settings.config(genres), settings.dropout)
        self.averaged = copy.deepcopy(self.denoiser).eval().requires_grad_(False)

    @property
    def trained(self) -> dict[str, nn.Module]:
        return {"denoiser": self.denoiser}

    @property
    def kept(self) -> dict[str, nn.Module]:
        return {"denoiser": self.averaged}

    def train(self, mode: bool = True) -> "Diffusion":
        super().train(mode)
        self.averaged.eval()
        return self

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [self.optimizer_of(self.denoiser)]

    # -- the algorithm ---------------------------------------------------------------------------------------------

    def training_step(self, batch: Sample, _: int) -> None:
        with self.chance():
            level = torch.rand(len(batch.motion), device=self.device)
            noisy = self.noised(batch.motion, level)
            heard = self.chosen(len(batch.motion))
            asked = heard * self.chosen(len(batch.motion))
            with self.autocast():
                made = self.denoiser(noisy, level, batch.music, batch.genre * asked, heard).float()
        value = self.loss_of(made, batch.motion, level)
        norm = self.descend(self.optimizer(0), value)
        self.follow()
        self.watch(loss=value, gradient=norm)
        self.steps += 1

    def noised(self, motion: Tensor, level: Tensor) -> Tensor:
        clean = self.denoiser.normalised(motion)
        alpha, sigma = (each[:, None, None] for each in schedule(level))
        return alpha * clean + sigma * torch.randn_like(clean)

    def chosen(self, count: int) -> Tensor:
        """Draw which windows may know: 1., or 0. for those that may not; their share teaches what nothing asks for."""
        return (torch.rand(count, device=self.device) >= self.settings.unheard).float()

    def loss_of(self, made: Tensor, motion: Tensor, level: Tensor) -> Tensor:
        """Weigh geometry by how much of the motion can be seen: of pure noise, the mean of all poses is no pose."""
        weights, clear = self.settings.weights, schedule(level)[0].square()
        true = self.denoiser.normalised(motion)
        there, should = loss.joints(self.denoiser.restored(made)), loss.joints(motion)
        vectors = loss.differences(made, true)
        velocity = loss.velocities(made, true)
        joints = clear * loss.distances(there, should)
        feet = clear * loss.sliding(there, motion[..., CONTACTS])
        self.watch(vectors=vectors.mean(), velocity=velocity.mean(), joints=joints.mean(), feet=feet.mean())
        return (vectors + weights.velocity * velocity + weights.joints * joints + weights.feet * feet).mean()

    @torch.no_grad()
    def follow(self) -> None:
        """Move the average: a young one follows fast."""
        keep = min(self.settings.average, (1 + self.steps) / (10 + self.steps))
        for slow, fast in zip(self.averaged.parameters(), self.denoiser.parameters(), strict=True):
            slow.lerp_(fast, 1 - keep)

    # -- what is watched, and kept -----------------------------------------------------------------------------------

    @torch.no_grad()
    def held_out(self, batches: Iterable[Sample]) -> dict[str, float]:
        """Denoise windows never trained on, from the same noise each time: as they are heard, and to another song."""
        made, count = torch.zeros(3), 0
        for number, batch in enumerate(batches):
            batch = Sample(*(each.to(self.device) for each in batch))
            made += self._seen(batch, number).cpu()
            count += len(batch.motion)
        right, wrong, apart = (made / count / len(HELD_OUT_LEVELS)).tolist()
        return {"held_out_loss": right, "held_out_other_song": wrong, "held_out_cm": apart}

    def _seen(self, batch: Sample, number: int) -> Tensor:
        """Sum over windows and levels: losses by the right and by the wrong music, and centimetres between joints."""
        true, many = self.averaged.normalised(batch.motion), len(batch.motion)
        generator = torch.Generator().manual_seed(number)
        total = torch.zeros(3, device=self.device)
        for share in HELD_OUT_LEVELS:
            level, heard = torch.full((many,), share, device=self.device), torch.ones(many, device=self.device)
            noise = torch.randn(true.shape, generator=generator).to(self.device)
            alpha, sigma = schedule(level[0])
            noisy = alpha * true + sigma * noise
            with self.autocast():
                made, misled = (
                    self.averaged(noisy, level, music, batch.genre, heard).float()
                    for music in (batch.music, batch.other)
                )
            apart = (loss.joints(self.averaged.restored(made)) - loss.joints(batch.motion)).norm(dim=-1).mean((1, 2))
            total += torch.stack(
                [loss.differences(made, true).sum(), loss.differences(misled, true).sum(), 100 * apart.sum()]
            )
        return total

    def dances(self, batch: Sample) -> list[Motion]:
        """Dance to the music of samples, with the weights that are kept."""
        genres, songs = batch.genre.tolist(), batch.music.numpy()
        return [
            dancing.sample(self.averaged, music, number, genre=genre)
            for number, (music, genre) in enumerate(zip(songs, genres, strict=True))
        ]
