"""What StyleGAN2 minimises: each function one equation.

The non-saturating logistic loss (arXiv 1406.2661), R1 (arXiv 1801.04406) and the path length regulariser
(arXiv 1912.04958, equation 4).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def generator_loss(scores_of_fakes: Tensor) -> Tensor:
    """-log sigmoid(D(G(z))), the mean over pictures."""
    return F.softplus(-scores_of_fakes).mean()


def discriminator_loss_on_fakes(scores_of_fakes: Tensor) -> Tensor:
    """-log(1 - sigmoid(D(G(z)))), the mean over pictures."""
    return F.softplus(scores_of_fakes).mean()


def discriminator_loss_on_reals(scores_of_reals: Tensor) -> Tensor:
    """-log sigmoid(D(x)), the mean over pictures."""
    return F.softplus(-scores_of_reals).mean()


def r1_penalty(reals: Tensor, scores: Tensor) -> Tensor:
    """||dD/dx||^2, the mean over pictures; `scores` were computed from `reals`, which require a gradient."""
    (slope,) = torch.autograd.grad(scores.sum(), reals, create_graph=True)
    return slope.square().sum(dim=(1, 2, 3)).mean()


def path_lengths(pictures: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
    """|J^T y| of each picture [N]: how far a step in W moves it along a random direction y, normal and of unit scale.

    The square is averaged over layers and added up over the dimensions of w.
    """
    height, width = pictures.shape[2:]
    moved = (pictures * noise).sum() / math.sqrt(height * width)
    (slope,) = torch.autograd.grad(moved, ws, create_graph=True)
    return slope.square().sum(dim=2).mean(dim=1).sqrt()
