"""Train Wav2Lip (arXiv 2008.10010, 3.2 to 3.4): the Lightning module, whose step is the algorithm in its order."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import model_validator
from torch import Tensor, nn

from inference.errors import UserError
from inference.networks.wav2lip import Generator, SyncNet, face_input, lower_half, to_bgr, to_uint8
from scraping import stage
from training import descent
from training.wav2lip import loss, stepping
from training.wav2lip.data import Sample
from training.wav2lip.discriminator import Discriminator
from training.wav2lip.schedule import Schedule, Weight
from training.wav2lip.stepping import channels_last


class Weights(stage.Settings):
    """What of the loss is the expert's and what the discriminator's; the rest is the difference of the pictures."""

    sync: Weight
    gan: Weight

    @model_validator(mode="after")
    def _leave_some(self) -> "Weights":
        if (highest := self.sync.highest + self.gan.highest) >= 1:
            raise ValueError(f"sync and gan come to {highest:g}: leave some of 1 to the difference of the pictures")
        return self

    @property
    def need_expert(self) -> bool:
        return self.sync.highest > 0 or self.sync.below is not None or self.gan.below is not None


class Settings(stepping.Settings):
    """The algorithm's own settings; `batch` counts samples of five frames."""

    weights: Weights
    freeze: list[str]  # parts of the generator that stay as they came: audio_encoder, face_encoder_blocks.0, ..
    statistics: Literal["moving", "frozen"] | None  # of batch norm; None: frozen where it starts from other weights


@dataclass(frozen=True)
class Seen:
    """A batch as the networks take it: BGR in [0, 1]."""

    mels: Tensor  # [B, 5, 1, 80, 16]
    mel: Tensor  # [B, 1, 80, 16]
    faces: Tensor  # [B, 6, 5, 96, 96]
    true: Tensor  # [B, 3, 5, 96, 96]


class Wav2Lip(descent.Descent):
    """Generator, discriminator where it is used, the frozen expert, and what a step does to them.

    The expert judges in evaluation mode: its batch norm follows no generated picture. It stays out of checkpoints,
    which name it by its sha256. Without one pictures alone are learned.
    """

    def __init__(self, settings: Settings, expert: SyncNet | None, sha256: str | None, seed: int) -> None:
        super().__init__(settings, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.generator = Generator(settings.config).to(memory_format=torch.channels_last)
            self.discriminator = Discriminator(settings.config) if settings.weights.gan.highest else None
        self.expert = expert.eval().requires_grad_(False) if expert else None
        self.sha256 = sha256
        self.sync, self.gan = Schedule(settings.weights.sync), Schedule(settings.weights.gan)
        self.resting = parts(self.generator, settings.freeze)  # in eval mode throughout
        for part in self.resting:
            part.requires_grad_(False)
        self.train()

    @property
    def networks(self) -> tuple[str, ...]:
        return ("generator", "discriminator") if self.discriminator else ("generator",)

    def train(self, mode: bool = True) -> "Wav2Lip":
        """Lightning puts all that a module holds in train mode, the expert and what is frozen among it."""
        super().train(mode)
        for part in (self.expert, *self.resting):
            if part:
                part.eval()
        return self

    def freeze_statistics(self) -> None:
        """Normalise as the weights that were brought are used, not by the few speakers of a batch.

        By those it loses how bright and how red a batch's faces are on the whole: at the first step of a fine-tune the
        loss is twice that of the same weights in use, and most of what is then learned only undoes that.
        """
        self.resting += [each for each in self.generator.modules() if isinstance(each, nn.BatchNorm2d)]
        self.train()

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        networks = (self.generator, self.discriminator) if self.discriminator else (self.generator,)
        return [self.optimizer_of(network) for network in networks]

    # -- the algorithm ---------------------------------------------------------------------------------------------

    def training_step(self, batch: Sample, _: int) -> None:
        seen = prepared(batch)
        drawn = self.train_generator(seen)
        if self.discriminator:
            self.train_discriminator(seen.true, drawn.detach())
        self.steps += 1

    def train_generator(self, seen: Seen) -> Tensor:
        sync, gan = self.weights()
        with self.without(self.discriminator):
            drawn = self.drawn(seen)
            pictures = loss.picture_loss(drawn, seen.true)
            value = (1 - sync - gan) * pictures
            if sync:
                of_sync = self.sync_loss(drawn, seen.mel)
                value = value + sync * of_sync
                self.watch(sync=of_sync)
            if gan:
                realness = loss.realness_loss(self.judged(drawn), real=1.0)
                value = value + gan * realness
                self.watch(adversarial=realness)
            norm = self.descend(self.optimizer(0), value)
        self.watch(loss=value, pictures=pictures, gradient=norm)
        return drawn

    def train_discriminator(self, true: Tensor, drawn: Tensor) -> None:
        value = loss.realness_loss(self.judged(true), real=1.0) + loss.realness_loss(self.judged(drawn), real=0.0)
        self.descend(self.optimizer(1), value)
        self.watch(discriminator=value)

    # -- its parts -------------------------------------------------------------------------------------------------

    def weights(self) -> tuple[float, float]:
        """Give what of the loss is the expert's and what the discriminator's, at this step."""
        return self.sync.at(self.steps), self.gan.at(self.steps)

    def drawn(self, seen: Seen) -> Tensor:
        with self.autocast():
            return self.generator(seen.mels, seen.faces).float()

    def judged(self, pictures: Tensor) -> Tensor:
        with self.autocast():
            return self.discriminator(pictures)

    def sync_loss(self, drawn: Tensor, mel: Tensor) -> Tensor:
        """How little the expert thinks that what was drawn says what is heard; the mean over windows."""
        with self.autocast():
            sounds, faces = self.expert(channels_last(mel), channels_last(lower_half(drawn)))
        return loss.sync_loss(loss.cosine(sounds, faces), 1.0).mean()

    # -- what is watched, and kept ---------------------------------------------------------------------------------

    @torch.no_grad()
    def held_out(self, batches: Iterable[Sample]) -> dict[str, float]:
        """Draw windows never trained on: nothing is learned of them."""
        self.eval()
        pictures, mouths, sync, count = 0.0, 0.0, 0.0, 0
        for batch in batches:
            seen = prepared(Sample(*(each.to(self.device) for each in batch)))
            drawn = self.drawn(seen)
            many = len(drawn)
            pictures += many * float(loss.picture_loss(drawn, seen.true))
            mouths += many * float(loss.picture_loss(lower_half(drawn), lower_half(seen.true)))
            sync += many * float(self.sync_loss(drawn, seen.mel)) if self.expert else 0.0
            count += many
        self.train()
        figures = {"held_out_pictures": pictures / count, "held_out_mouths": mouths / count}
        return figures | ({"held_out_sync": sync / count} if self.expert else {})

    def said(self) -> dict[str, float]:
        sync, gan = self.weights()
        return super().said() | {"weight_sync": sync, "weight_gan": gan}

    def observe(self, figures: dict[str, float]) -> None:
        if self.expert:
            for schedule in (self.sync, self.gan):
                schedule.observe(self.steps, figures["held_out_sync"])

    @torch.no_grad()
    def strips(self, batch: Sample) -> np.ndarray:
        """Show what is seen, the reference, what is drawn and the truth, a row a sample: uint8 [B * 96, 4 * 96, 3]."""
        self.eval()
        seen = prepared(Sample(*(each.to(self.device) for each in batch)))
        middle = seen.true.shape[2] // 2
        columns = (seen.faces[:, :3], seen.faces[:, 3:], self.drawn(seen), seen.true)
        self.train()
        return np.concatenate([to_uint8(each[:, :, middle]).reshape(-1, *each.shape[-1:], 3) for each in columns], 1)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        super().on_save_checkpoint(checkpoint)
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {name: value for name, value in state.items() if not name.startswith("expert.")}
        checkpoint["expert"] = self.sha256
        checkpoint["schedules"] = {"sync": self.sync.state_dict(), "gan": self.gan.state_dict()}

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        super().on_load_checkpoint(checkpoint)
        if checkpoint["expert"] != self.sha256:
            judges = (sha256[:12] if sha256 else "none" for sha256 in (checkpoint["expert"], self.sha256))
            line = "this training was judged by the expert {}, not by {}".format(*judges)
            raise UserError(f"{line}: bring that one back, or start over")
        judge = self.expert.state_dict() if self.expert else {}
        checkpoint["state_dict"] |= {f"expert.{name}": value for name, value in judge.items()}
        self.sync.load_state_dict(checkpoint["schedules"]["sync"])
        self.gan.load_state_dict(checkpoint["schedules"]["gan"])


def prepared(batch: Sample) -> Seen:
    """uint8 RGB samples -> what the networks take."""
    faces = face_input(batch.target, batch.reference)
    return Seen(batch.mels, batch.mel, faces, to_bgr(batch.target).transpose(1, 2))


def parts(generator: nn.Module, names: list[str]) -> list[nn.Module]:
    """Find the parts of a generator that a list names."""
    there = dict(generator.named_modules())
    if strange := [name for name in names if not name or name not in there]:
        known = ", ".join(name for name, _ in generator.named_children())
        raise UserError(f"wav2lip.freeze: {strange[0]!r} is no part of the generator ({known}, and what they hold)")
    return [there[name] for name in names]
