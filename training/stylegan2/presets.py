"""Work out the settings that say `auto`, as StyleGAN2-ADA's own `auto` does, of resolution, batch and devices.

The rules are those that its authors found to be a fair start on any pictures (github.com/NVlabs/stylegan2-ada-pytorch,
train.py); gamma is still the first thing to sweep.
"""

from omegaconf import DictConfig, OmegaConf

from inference.errors import UserError

AUTO = "auto"
MOST_BATCH = 64
MOST_GROUP = 4
BATCH_OF_A_DEVICE = 32


def settle(train: DictConfig, resolution: int, processes: int) -> None:
    """Put a number in the place of each `auto`, for pictures whose longer side is `resolution`.

    What is given counts: a batch of one's own decides on gamma, groups and the average.
    """
    if train.batch == AUTO:
        train.batch = batch(resolution, processes)
    if not isinstance(train.batch, int) or train.batch < 1:
        raise UserError(f"train.batch: expected a number of pictures or auto (got {train.batch!r})")
    for name, value in heuristics(resolution, train.batch, processes).items():
        if OmegaConf.select(train, name) == AUTO:
            OmegaConf.update(train, name, value)


def batch(resolution: int, processes: int) -> int:
    """Give the pictures of a step: fewer of larger ones, and as many on each device."""
    wanted = min(processes * min(4096 // resolution, BATCH_OF_A_DEVICE), MOST_BATCH)
    return max(wanted // processes, 1) * processes


def heuristics(resolution: int, batch: int, processes: int) -> dict[str, float]:
    width = 16384 if resolution < 512 else 32768
    rate = 0.0025 if resolution < 1024 else 0.002
    share = batch // processes
    return {
        "generator.channel_base": width,
        "discriminator.channel_base": width,
        "discriminator.mbstd_group": max(each for each in range(1, MOST_GROUP + 1) if share % each == 0),
        "lr_generator": rate,
        "lr_discriminator": rate,
        "gamma": 0.0002 * resolution**2 / batch,
        "ema_kimg": batch * 10 / 32,
    }
