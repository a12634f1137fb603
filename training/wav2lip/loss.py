"""What the sync expert and Wav2Lip minimise: each function one equation (arXiv 2008.10010, sections 3.1 to 3.4).

All are computed in single precision, whatever the networks compute in: near a cosine of 1, half precision has three
digits, and the logarithm of a cosine just above 1 is no number.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

MARGIN = 1e-6  # by which a cosine is kept from 0 and 1


def cosine(sound: Tensor, face: Tensor) -> Tensor:
    """The probability that they belong together [..]: embeddings [.., E] are of length 1 and end in ReLU."""
    with torch.autocast(sound.device.type, enabled=False):
        return (sound.float() * face.float()).sum(-1)


def sync_loss(cosines: Tensor, in_sync: Tensor | float) -> Tensor:
    """-log c of what belongs together and -log(1 - c) of what does not, of each pair [..]."""
    in_sync = torch.as_tensor(in_sync, dtype=torch.float32, device=cosines.device).expand_as(cosines)
    with torch.autocast(cosines.device.type, enabled=False):
        kept = cosines.float().clamp(MARGIN, 1 - MARGIN)
        return -(in_sync * kept.log() + (1 - in_sync) * (1 - kept).log())


def expert_loss(cosines: Tensor, audible: Tensor) -> Tensor:
    """Half the mean over windows in sync, half that over windows out of sync; cosines [G, K, K] of sounds to faces.

    Two silent windows are nobody's to tell apart: such pairs do not count.
    """
    right, wrong = pairs(audible)
    of_right, of_wrong = sync_loss(cosines, 1.0)[right], sync_loss(cosines, 0.0)[wrong]
    return (of_right.mean() + (of_wrong.mean() if wrong.any() else 0.0)) / 2


def pairs(audible: Tensor) -> tuple[Tensor, Tensor]:
    """Which of the pairs of sounds and faces are in sync, and which out of sync: bool [G, K, K] of audible [G, K]."""
    groups, count = audible.shape
    right = torch.eye(count, dtype=torch.bool, device=audible.device).expand(groups, -1, -1)
    return right, ~right & (audible[:, :, None] | audible[:, None, :])


def accuracy(cosines: Tensor, audible: Tensor) -> Tensor:
    """The share of pairs on the right side of 0.5, those in sync and those out of sync weighing the same."""
    right, wrong = pairs(audible)
    of_wrong = (cosines[wrong] < 0.5).float()
    return ((cosines[right] >= 0.5).float().mean() + (of_wrong.mean() if len(of_wrong) else 1.0)) / 2


def picture_loss(drawn: Tensor, true: Tensor) -> Tensor:
    """The mean absolute difference of pictures in [0, 1]."""
    return (drawn.float() - true.float()).abs().mean()


def realness_loss(logits: Tensor, real: float) -> Tensor:
    """The cross entropy of what a discriminator says of pictures that are real (1.0) or drawn (0.0), their mean."""
    said = logits.float()
    return F.binary_cross_entropy_with_logits(said, torch.full_like(said, real))
