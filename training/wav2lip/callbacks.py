"""What of the trainings of an expert and a generator is written down, told and shown."""

from training.ticks import CLOCK

HISTORY = {
    "syncnet": (
        *(*CLOCK, "loss", "accuracy", "rate", "gradient"),
        *("held_out_loss", "held_out_accuracy", "held_out_auc"),
    ),
    "wav2lip": (
        *(*CLOCK, "loss", "pictures", "sync", "adversarial", "discriminator", "weight_sync", "weight_gan"),
        *("rate", "gradient", "held_out_pictures", "held_out_mouths", "held_out_sync"),
    ),
}
TOLD = ("loss", "accuracy", "sync", "held_out_loss", "held_out_accuracy", "held_out_pictures", "held_out_sync")
SHOWN = {"columns": ["seen", "reference", "drawn", "true"]}  # of the strips
