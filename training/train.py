"""Train one run on one corpus: data/processed -> data/runs.

    python -m training.train run=stylegan2 corpus=portrait                   # on whatever device there is
    python -m training.train run=stylegan2 corpus=portrait profile=gpu trainer.devices=4
    python -m training.train -m corpus=portrait train.gamma=0.5,2            # a sweep: one run each
    python -m training.train run=syncnet corpus=talks                        # the sync expert
    python -m training.train run=wav2lip corpus=talks init=wav2lip_gan.pth   # fine-tunes a reference checkpoint

A killed training goes on from its last checkpoint when it is started again.
"""

from omegaconf import DictConfig

from scraping import stage
from training import runs


@stage.command("training/train")
def main(config: DictConfig) -> None:
    runs.module(config.run, "fitting").main(config)


if __name__ == "__main__":
    main()
