"""Train the GAN baseline: a composer dances from noise and music, a discriminator tells its dances from real ones.

The module's step is the algorithm in its order. A real dance to another song is a wrong answer too (Reed et al. 2016),
so that the composer has to listen.
"""

from collections.abc import Iterable

import torch
from pydantic import Field
from torch import Tensor, nn

from inference import dancing
from inference.motion.clip import Motion
from inference.networks.dance_gan import Composer, ComposerConfig, slow_noise
from scraping import stage
from training import descent
from training.dance import loss
from training.dance.data import CONTACTS, Sample
from training.dance.discriminator import Discriminator


class Weights(stage.Settings):
    """What each term of the composer's loss counts, and R1 of the discriminator's."""

    adversarial: float = Field(ge=0)
    vectors: float = Field(ge=0)  # of the difference to the dance that was danced
    velocity: float = Field(ge=0)
    feet: float = Field(ge=0)  # of (m/s)^2
    penalty: float = Field(ge=0)


class Settings(descent.Settings):
    """The algorithm's own settings; `batch` counts windows."""

    window: int = Field(ge=16, le=600)  # frames
    width: int = Field(ge=4, le=1024)
    levels: int = Field(ge=1, le=6)
    recurrent: int = Field(ge=8, le=4096)
    layers: int = Field(ge=1, le=4)
    noise: int = Field(ge=1, le=256)
    weights: Weights

    def config(self, genres: int) -> ComposerConfig:
        shape = {name: getattr(self, name) for name in ("width", "levels", "recurrent", "layers", "noise")}
        return ComposerConfig(**shape, genres=genres)


class Adversarial(descent.Descent):
    """Composer and discriminator, and what a step does to them."""

    def __init__(self, settings: Settings, genres: int, seed: int) -> None:
        super().__init__(settings, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.composer = Composer(settings.config(genres))
            self.discriminator = Discriminator(settings.width)

    @property
    def trained(self) -> dict[str, nn.Module]:
        return {"composer": self.composer, "discriminator": self.discriminator}

    kept = trained

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [self.optimizer_of(network) for network in (self.composer, self.discriminator)]

    # -- the algorithm ---------------------------------------------------------------------------------------------

    def training_step(self, batch: Sample, _: int) -> None:
        true, music = self.composer.normalised(batch.motion), self.heard(batch.music)
        with self.chance():
            made = self.composed(batch)
        self.train_discriminator(true, made.detach(), music)
        self.train_composer(true, made, music, batch.motion)
        self.steps += 1

    def train_discriminator(self, true: Tensor, made: Tensor, music: Tensor) -> None:
        real = true.clone().requires_grad_()
        said = self.discriminator(real, music)
        of_made = self.discriminator(made, music)
        of_other = self.discriminator(true, music.roll(1, 0)) if len(music) > 1 else of_made
        value = (loss.hinge(said, of_made) + loss.hinge(said, of_other)) / 2
        slope = loss.penalty(said, real)
        self.descend(self.optimizer(1), value + self.settings.weights.penalty * slope)
        self.watch(discriminator=value, penalty=slope)

    def train_composer(self, true: Tensor, made: Tensor, music: Tensor, motion: Tensor) -> None:
        weights = self.settings.weights
        with self.without(self.discriminator):
            adversarial = loss.persuasion(self.discriminator(made, music))
            vectors = loss.differences(made, true).mean()
            velocity = loss.velocities(made, true).mean()
            feet = loss.sliding(loss.joints(self.composer.restored(made)), motion[..., CONTACTS]).mean()
            value = weights.adversarial * adversarial + weights.vectors * vectors
            value = value + weights.velocity * velocity + weights.feet * feet
            norm = self.descend(self.optimizer(0), value)
        self.watch(loss=value, adversarial=adversarial, vectors=vectors, velocity=velocity, feet=feet, gradient=norm)

    # -- its parts -------------------------------------------------------------------------------------------------

    def composed(self, batch: Sample) -> Tensor:
        many, frames = batch.music.shape[:2]
        generator = torch.Generator(self.device).manual_seed(torch.randint(2**62, ()).item())
        noise = slow_noise(many, frames, self.settings.noise, dancing.CHANGE, generator)
        with self.autocast():
            return self.composer(batch.music, noise, batch.genre).float()

    def heard(self, music: Tensor) -> Tensor:
        return (music - self.composer.music_mean) / self.composer.music_std

    # -- what is watched, and kept -----------------------------------------------------------------------------------

    @torch.no_grad()
    def held_out(self, batches: Iterable[Sample]) -> dict[str, float]:
        """Dance to music never trained on, and to another song: how far from what was danced."""
        self.eval()
        total, count = torch.zeros(2), 0
        for number, batch in enumerate(batches):
            batch = Sample(*(each.to(self.device) for each in batch))
            true = self.composer.normalised(batch.motion)
            for which, music in enumerate((batch.music, batch.other)):
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(number)
                    made = self.composed(batch._replace(music=music))
                total[which] += loss.differences(made, true).sum().cpu()
            count += len(true)
        self.train()
        right, wrong = (total / count).tolist()
        return {"held_out_loss": right, "held_out_other_song": wrong}

    def dances(self, batch: Sample) -> list[Motion]:
        """Dance to the music of samples."""
        genres, songs = batch.genre.tolist(), batch.music.numpy()
        return [
            dancing.sample(self.composer, music, number, genre=genre)
            for number, (music, genre) in enumerate(zip(songs, genres, strict=True))
        ]
