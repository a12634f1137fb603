"""How a stage of the demo world ends: what it made is published; in the real world it makes nothing and says so."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from omegaconf import DictConfig

from scraping import stage


def publish(config: DictConfig, work: Path, names: Sequence[str], make: Callable[[Path], None], nothing: str) -> None:
    """Have `make` lay folders of these names into a new one, and publish each as data/<name>/<corpus>.

    Where the world is real each holds the line `nothing` instead: DVC wants the outputs of a stage in either world.
    """
    out = work / "out"
    shutil.rmtree(out, ignore_errors=True)
    if config.world == "real":
        for name in names:
            stage.write_atomically(out / name / "NOTHING.txt", nothing.encode())
    else:
        make(out)
    for name in names:
        stage.publish(out / name, Path("data") / name / config.corpus)
