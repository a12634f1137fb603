"""What of the trainings of dances is written down, told and shown."""

import numpy as np

from inference.dancefloor import skeleton
from inference.motion.clip import Motion
from training.dance.data import Sample
from training.dance.diffusion import Diffusion
from training.dance.gan import Adversarial
from training.ticks import CLOCK

HISTORY = {
    "dance": (
        *(*CLOCK, "loss", "vectors", "velocity", "joints", "feet", "rate", "gradient"),
        *("held_out_loss", "held_out_other_song", "held_out_cm"),
    ),
    "dance_gan": (
        *(*CLOCK, "loss", "vectors", "velocity", "feet", "adversarial", "discriminator", "penalty", "rate", "gradient"),
        *("held_out_loss", "held_out_other_song"),
    ),
}
TOLD = ("loss", "vectors", "discriminator", "held_out_loss", "held_out_other_song", "held_out_cm")
POSES = 8  # of a strip
SHOWN = {"rows": ["danced", "true"]}  # of the sheets


def sheet(module: Diffusion | Adversarial, shown: Sample) -> np.ndarray:
    """Dance to the music of held-out samples: rows of poses over time, each over those that were danced to it."""
    true = [Motion.from_vector(vector) for vector in shown.motion.numpy()]
    rows = [each.positions() for both in zip(module.dances(shown), true, strict=True) for each in both]
    return skeleton.sheet(rows, POSES)
