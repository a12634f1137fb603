"""Export a training as a bundle that `dramatis` reads, with all that it says about itself: data/runs -> data/exported.

python -m training.export corpus=portrait                            # avatars: data/exported/portrait
python -m training.export corpus=portrait export.starter=true        # in half precision: data/starters/portrait
python -m training.export run=syncnet corpus=talks                   # the sync expert: data/exported/syncnet
python -m training.export run=wav2lip corpus=talks                   # the lip-sync generator: data/exported/lipsync
python -m training.export run=wav2lip corpus=talks init=wav2lip.pth  # weights of yours: data/exported/wav2lip
"""

from omegaconf import DictConfig

from scraping import stage
from training import runs


@stage.command("training/export")
def main(config: DictConfig) -> None:
    runs.module(config.run, "exporting").main(config)


if __name__ == "__main__":
    main()
