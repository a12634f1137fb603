"""Sync experts that tests understand."""

import torch
from torch import nn


class Reader(nn.Module):
    """An expert that turns brightness and loudness into the same angle: it hears at once which frame a sound is of."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))
        self.eval()

    def forward(self, mel: torch.Tensor, faces: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        turns = self.gain * mel[:, 0, 0, 1], self.gain * faces[:, 0].mean((1, 2))
        return tuple(torch.stack([turn.cos(), turn.sin()], 1) for turn in turns)
