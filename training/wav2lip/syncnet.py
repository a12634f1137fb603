"""Train the sync expert (arXiv 2008.10010, 3.1): the Lightning module, whose step is the algorithm in its order."""

from collections.abc import Iterable

import torch
from pydantic import Field
from torch import Tensor

from inference.networks.wav2lip import SyncNet, sync_input
from training import descent
from training.metrics.speakers import auc
from training.wav2lip import loss, stepping
from training.wav2lip.data import Apart, Group
from training.wav2lip.stepping import channels_last


class Settings(stepping.Settings):
    """The algorithm's own settings; `batch` counts windows."""

    group: int = Field(ge=2)  # windows of one clip, whose sounds are each other's wrong ones
    apart: Apart


class Expert(descent.Descent):
    """The expert, and what a step does to it."""

    networks = ("expert",)

    def __init__(self, settings: Settings, seed: int) -> None:
        super().__init__(settings, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.expert = SyncNet(settings.config).to(memory_format=torch.channels_last)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [self.optimizer_of(self.expert)]

    def training_step(self, batch: Group, _: int) -> None:
        norm = self.descend(self.optimizers(), self.loss_of(batch))
        self.watch(gradient=norm)
        self.steps += 1

    def loss_of(self, batch: Group) -> Tensor:
        cosines, audible = self.cosines(batch), batch.audible
        value = loss.expert_loss(cosines, audible)
        self.watch(loss=value, accuracy=loss.accuracy(cosines.detach(), audible))
        return value

    def cosines(self, batch: Group) -> Tensor:
        """Compare every sound of a group to every face of it: [G, K, K]."""
        groups = len(batch.frames)
        with self.autocast():
            faces = sync_input(batch.frames.flatten(0, 1))
            sounds, seen = self.expert(channels_last(batch.mels.flatten(0, 1)), channels_last(faces))
        sounds, seen = (each.unflatten(0, (groups, -1)) for each in (sounds, seen))
        return loss.cosine(sounds[:, :, None], seen[:, None])

    @torch.no_grad()
    def held_out(self, batches: Iterable[Group]) -> dict[str, float]:
        """Ask about windows never trained on: nothing is learned of them, nor drawn for them."""
        self.expert.eval()
        cosines, audible = [], []
        for batch in batches:
            batch = Group(*(each.to(self.device) for each in batch))
            cosines.append(self.cosines(batch))
            audible.append(batch.audible)
        self.expert.train()
        cosines, audible = torch.cat(cosines), torch.cat(audible)
        right, wrong = loss.pairs(audible)
        right = right & audible[:, :, None]
        return {
            "held_out_loss": float(loss.expert_loss(cosines, audible)),
            "held_out_accuracy": float(loss.accuracy(cosines, audible)),
            "held_out_auc": auc(cosines[right].cpu().numpy(), cosines[wrong].cpu().numpy()),
        }
