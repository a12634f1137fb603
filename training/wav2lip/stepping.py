"""What the trainings of the expert and of the generator share: how wide their networks are, how their pictures lie."""

import torch
from pydantic import Field
from torch import Tensor

from inference.networks.wav2lip import Wav2LipConfig
from training import descent


class Settings(descent.Settings):
    """What both algorithms are told."""

    width: float = Field(gt=0, le=4)  # of the networks' channels: 1 is the published size, 0.25 the lite one

    @property
    def config(self) -> Wav2LipConfig:
        return Wav2LipConfig(self.width)


def channels_last(pictures: Tensor) -> Tensor:
    """Lay pictures [N, C, H, W] in the order that convolutions like."""
    return pictures.contiguous(memory_format=torch.channels_last)
