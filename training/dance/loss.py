"""What a dance that a network makes is compared by: each function one term (EDGE, arXiv 2211.10658, equations 2 to 5).

Unlike EDGE's code, geometry is that of rotations and root in their own units: metres and metres a second. All is
computed in single precision.
"""

import torch
from torch import Tensor

from inference.motion import kinematics, rotations
from inference.motion.clip import FPS
from inference.motion.contacts import CONTACT_JOINTS
from inference.motion.skeleton import JOINTS


def differences(made: Tensor, true: Tensor) -> Tensor:
    """The mean square of what vectors [B, T, C] differ by, in units of deviation: [B]."""
    return (made - true).square().mean((1, 2))


def velocities(made: Tensor, true: Tensor) -> Tensor:
    """The same of what they change by from frame to frame: [B]."""
    return differences(made.diff(dim=1), true.diff(dim=1))


def joints(vectors: Tensor) -> Tensor:
    """Where the joints are, [B, T, 24, 3] in metres, of vectors [B, T, 151] in their own units."""
    sixd = vectors[..., 7:].unflatten(-1, (len(JOINTS), 6))
    return kinematics.forward(rotations.matrix_from_6d(sixd), vectors[..., 4:7])


def distances(made: Tensor, true: Tensor) -> Tensor:
    """The mean square distance between joints [B, T, 24, 3]: [B] in square metres."""
    return (made - true).square().sum(-1).mean((1, 2))


def sliding(made: Tensor, standing: Tensor) -> Tensor:
    """The mean square speed of feet while they should stand: [B], in (m/s)^2; joints [B, T, 24, 3].

    `standing` [B, T, 4] is of the true motion: a network that decided itself would say that no foot ever stands.
    """
    feet = made[:, :, CONTACT_JOINTS].diff(dim=1) * FPS
    both = (standing[:, 1:] > 0.5) & (standing[:, :-1] > 0.5)
    speeds = feet.square().sum(-1) * both
    return speeds.sum((1, 2)) / both.sum((1, 2)).clamp(min=1)


def hinge(real: Tensor, made: Tensor) -> Tensor:
    """What a discriminator minimises of what it says of real and of made dances (Lim and Ye 2017)."""
    return (1 - real).clamp(min=0).mean() + (1 + made).clamp(min=0).mean()


def persuasion(made: Tensor) -> Tensor:
    """What a generator minimises of what is said of its dances."""
    return -made.mean()


def penalty(said: Tensor, real: Tensor) -> Tensor:
    """R1: the squared slope of what is said of real dances (Mescheder et al. 2018)."""
    (slope,) = torch.autograd.grad(said.sum(), real, create_graph=True)
    return slope.square().sum((1, 2)).mean()
