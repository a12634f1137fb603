"""Principal directions of W: what a generator's pictures vary in most, found without a label.

Härkönen et al., GANSpace (arXiv 2004.02546). Its incremental PCA is an estimate that depends on the batches; the exact
covariance of a 512-dimensional w costs less and has one answer.
"""

import numpy as np
import torch
from torch import Tensor

from inference.networks.stylegan2 import Generator


@torch.no_grad()
def principal_directions(generator: Generator, count: int, samples: int, batch: int, seed: int) -> dict[str, Tensor]:
    """Give components [count, w_dim] (unit rows, largest first), sigmas [count], mean [w_dim] and share [count].

    `sigmas` are standard deviations of w along each component, `share` the parts of the whole variance. The sign of a
    component, free in a PCA, is the one that makes its largest entry positive.
    """
    mean, covariance = _moments(generator, samples, batch, seed)
    variances, vectors = torch.linalg.eigh(covariance)  # ascending
    variances, rows = variances.flip(0).clamp(min=0), vectors.flip(1).t()
    largest = rows.abs().argmax(dim=1, keepdim=True)
    rows = rows * rows.gather(1, largest).sign()
    return {
        "components": rows[:count].float().contiguous(),
        "sigmas": variances[:count].sqrt().float(),
        "mean": mean.float(),
        "share": (variances[:count] / variances.sum()).float(),
    }


def _moments(generator: Generator, samples: int, batch: int, seed: int) -> tuple[Tensor, Tensor]:
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
