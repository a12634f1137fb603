"""Stage `dancing` of the demo world: generated songs and dances to them in AIST++'s layout, with the truth about them.

python -m scraping.demo.dances corpus=dances                 # data/raw/dances, data/truth/dances
python -m scraping.demo.dances corpus=dances profile=tiny    # three songs
"""

from collections import deque
from functools import partial
from pathlib import Path

from omegaconf import DictConfig
from pydantic import Field

from inference.errors import UserError
from scraping import stage
from scraping.demo import worlds
from scraping.demo.dances import tree
from scraping.workers import Died, Workers

NOTHING = "world=real: nothing is made up, the dances come from AIST++ or from your own folder\n"


class Settings(stage.Settings):
    """conf/scraping/demo/dances.yaml."""

    songs: int = Field(ge=tree.FEWEST, le=tree.MOST)
    dances: int = Field(ge=1, le=tree.MOST_DANCES)
    seconds: float = Field(ge=5, le=60)
    first_seed: int = Field(ge=0)
    workers: int = Field(ge=1, le=256)


@stage.command("scraping/demo/dances")
def main(config: DictConfig) -> None:
    settings = stage.settings(config, "dancing", Settings)
    print_of = stage.fingerprint(settings.model_dump(exclude={"workers"}), stage.code_version())
    with stage.work("demo-dances", config.corpus, config.world, print_of) as work:
        worlds.publish(config, work, ("raw", "truth"), partial(_make, settings, work), NOTHING)


def _make(settings: Settings, work: Path, out: Path) -> None:
    """Lay out all songs and dances, once those that have no row of truth yet are made."""
    songs = tree.plan(settings.first_seed, settings.songs, settings.dances)
    _play(songs, settings, work)
    tree.finish(work, songs, out)


def _play(songs: list[tree.Song], settings: Settings, work: Path) -> None:
    """Make the songs that have no row of truth yet, with the dances to them."""
    left = [song for song in songs if not (work / "rows" / f"{song.name}.json").exists()]
    jobs = deque(tree.Job(song, settings.seconds, work) for song in left)
    done = len(songs) - len(jobs)
    with Workers(min(settings.workers, max(1, len(jobs))), tree.maker) as processes:
        for job, made in stage.progress(processes.run(jobs), len(songs), "demo songs", done):
            if isinstance(made, Died):
                line = f"the song {job.song.name} ended its process twice (exit code {made.exit_code})"
                raise UserError(f"{line}: free memory or lower dancing.workers, then run again; nothing is lost")


if __name__ == "__main__":
    main()
