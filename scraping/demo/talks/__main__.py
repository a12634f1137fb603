"""Stage `talks` of the demo world: rendered heads that speak Korean, as an LRS2-style tree, with the truth about them.

python -m scraping.demo.talks corpus=talks                 # data/raw/talks, data/truth/talks
python -m scraping.demo.talks corpus=talks profile=tiny    # a handful
"""

from collections import deque
from functools import partial
from pathlib import Path

import pydantic
from omegaconf import DictConfig
from pydantic import Field

from inference.errors import UserError
from inference.figure.body import is_compiled
from scraping import stage
from scraping.demo import rendering, worlds
from scraping.demo.talks import tree
from scraping.workers import Died, Workers

FEWEST = 3  # speakers: one to train with, one to validate with, one to test with
NOTHING = "world=real: nothing is rendered, the talks come from your own recordings\n"


class Settings(stage.Settings):
    """conf/scraping/demo/talks.yaml."""

    speakers: int = Field(ge=FEWEST)
    clips: int = Field(ge=1, le=99999)
    seconds: float = Field(ge=2, le=60)
    first_seed: int = Field(ge=0)
    edge: int = Field(ge=96, le=512)
    workers: int = Field(ge=1, le=256)

    @pydantic.field_validator("edge")
    @classmethod
    def _even(cls, edge: int) -> int:
        if edge % 2:
            raise ValueError("must be even, as H.264 wants it")
        return edge


@stage.command("scraping/demo/talks")
def main(config: DictConfig) -> None:
    settings = stage.settings(config, "talks", Settings)
    print_of = stage.fingerprint(settings.model_dump(exclude={"workers"}), stage.code_version())
    with stage.work("demo-talks", config.corpus, config.world, print_of) as work:
        worlds.publish(config, work, ("raw", "truth"), partial(_make, settings, work), NOTHING)


def _make(settings: Settings, work: Path, out: Path) -> None:
    """Lay out all clips, once those that have no row of truth yet are rendered."""
    clips = tree.plan(settings.first_seed, settings.speakers, settings.clips)
    _render(clips, settings, work)
    tree.finish(work, clips, out)


def _render(clips: list[tree.Clip], settings: Settings, work: Path) -> None:
    """Render the clips that have no row of truth yet, a speaker a task."""
    left: dict[int, list[tree.Clip]] = {}
    for clip in clips:
        if not (work / "rows" / f"{clip.key}.json").exists():
            left.setdefault(clip.speaker, []).append(clip)
    jobs = deque(tree.Job(tuple(own), settings.seconds, settings.edge, work) for own in left.values())
    if jobs and not is_compiled():
        with Workers(1, rendering.compiler) as once:  # once a machine, in a process that gives its memory back
            list(once.run(deque([None])))
    done = settings.speakers - len(jobs)
    with Workers(settings.workers, tree.maker) as processes:
        for job, made in stage.progress(processes.run(jobs), settings.speakers, "demo speakers", done):
            if isinstance(made, Died):
                line = f"the clips of speaker {job.seed} ended their process twice (exit code {made.exit_code})"
                raise UserError(f"{line}: free memory or lower talks.workers, then run again; nothing is lost")


if __name__ == "__main__":
    main()
