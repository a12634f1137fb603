"""Directions of W found without a label: what people vary in most, and what the network's weights answer to most.

Principal ones: Härkönen et al., GANSpace (arXiv 2004.02546). Its incremental PCA is an estimate that depends on the
batches; the exact covariance of a 512-dimensional w costs less and has one answer. Closed-form ones: Shen and Zhou,
SeFa (arXiv 2007.06600).
"""

import numpy as np
import torch
from torch import Tensor

from inference.networks.stylegan2 import Generator, SynthesisLayer


def principal_directions(covariance: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Give components [count, w_dim] (unit rows, largest first) and the part that each has of the whole variance."""
    rows, variances = _eigen(covariance)
    return rows[:count], variances[:count] / variances.sum()


def closed_form_directions(generator: Generator, count: int) -> Tensor:
    """Give the unit rows [count, w_dim] along which the styles of all convolutions change most, the strongest first.

    Eigenvectors of A^T A (2007.06600, equation 7), where the rows of A are the weights of the affine layers from w to
    styles, each of length 1, as in the published code; colours (ToRGB) are left out there as well.
    """
    layers = [layer for layer in generator.synthesis.modules() if isinstance(layer, SynthesisLayer)]
    weights = torch.cat([layer.affine.weight.detach().double() for layer in layers])
    weights = weights / weights.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return _eigen(weights.t() @ weights)[0][:count]


def spread(covariance: Tensor, rows: Tensor) -> Tensor:
    """Give the standard deviation of w along each of the unit rows."""
    return ((rows @ covariance) * rows).sum(dim=1).clamp(min=0).sqrt()


def _eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Give eigenvectors as rows and their values, the largest first.

    The sign of each, which is free, is the one that makes its largest entry positive.
    """
    values, vectors = torch.linalg.eigh(matrix)  # ascending
    rows = vectors.flip(1).t()
    largest = rows.abs().argmax(dim=1, keepdim=True)
    return rows * rows.gather(1, largest).sign(), values.flip(0).clamp(min=0)


@torch.no_grad()
def moments(generator: Generator, samples: int, batch: int, seed: int) -> tuple[Tensor, Tensor]:
    """Mean [w_dim] and covariance [w_dim, w_dim] of mapped z, float64; each class is drawn as often.

    Sums are taken about w_avg, which lies near the mean: sums of squares about zero would cancel.
    """
    config, centre = generator.config, generator.mapping.w_avg.double()
    total = torch.zeros(config.w_dim, dtype=torch.float64)
    squares = torch.zeros(config.w_dim, config.w_dim, dtype=torch.float64)
    draw = np.random.RandomState(seed)
    for start in range(0, samples, batch):
        n = min(batch, samples - start)
        z = torch.from_numpy(draw.randn(n, config.z_dim).astype(np.float32))
        labels = torch.from_numpy(draw.randint(config.classes, size=n)) if config.classes else None
        w = generator.mapping(z, labels).double() - centre
        total += w.sum(dim=0)
        squares += w.t() @ w
    shift = total / samples
    covariance = (squares - samples * torch.outer(shift, shift)) / (samples - 1)
    return centre + shift, covariance
