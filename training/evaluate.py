"""Measure one run on what it did not train on: data/runs, packs, starters -> data/metrics.

    python -m training.evaluate corpus=portrait                    # StyleGAN2: distances, detectors, copies
    python -m training.evaluate corpus=portrait evaluate.avatars=64
    python -m training.evaluate run=syncnet corpus=talks           # the sync expert
    python -m training.evaluate run=wav2lip corpus=talks           # the mouths that it taught

Every figure stands beside rows that no training made and that say what it means.
"""

from omegaconf import DictConfig

from scraping import stage
from training import runs


@stage.command("training/evaluate")
def main(config: DictConfig) -> None:
    runs.module(config.run, "measuring").main(config)


if __name__ == "__main__":
    main()
