"""Write the report page: the people, how good they are, how they came to be, in one self-contained file.

    python -m training.report                  # data/ -> data/report/index.html

Reads `data/` only. Every figure on the page names the file it was read from and the command that makes that file.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import jinja2
from omegaconf import DictConfig

from inference.errors import UserError
from scraping import stage
from training.report import changes, curves, dances, plots, talks
from training.report.cast import Cast, cast
from training.report.changes import Change
from training.report.cleaning import Cleaning, cleaning
from training.report.dances import Dancing
from training.report.measured import Measured, measured
from training.report.settings import Settings
from training.report.talks import Talking
from training.report.trained import Training, training

DATA = Path("data")
OUT = DATA / "report"
Branch = TypeVar("Branch", Talking, Dancing)


@dataclass(frozen=True)
class Corpus:
    """One corpus on the page; what has not been made is None."""

    name: str
    title: str
    cleaning: Cleaning
    cast: Cast | None
    training: Training | None
    measured: Measured | None
    changes: list[Change] | None = None
    made_before: str = ""


def gather(settings: Settings, options: str) -> list[Corpus]:
    """Gather the corpora that were cleaned and measured, in the order of the config."""
    there = [name for name in settings.corpora if (DATA / "metrics" / name / "cleaning.json").exists()]
    branches = [DATA / "metrics" / talks.CORPUS / "*.json", DATA / "processed" / dances.CORPUS / "pack.json"]
    if not there and not any(any(path.parent.glob(path.name)) for path in branches):
        raise UserError(
            f"data/metrics has none of {', '.join(settings.corpora)}: run `dvc repro` or `make repro` first"
        )
    return [corpus(name, settings, options) for name in stage.progress(there, len(there), "report")]


def corpus(name: str, settings: Settings, options: str) -> Corpus:
    metrics = DATA / "metrics" / name
    return Corpus(
        name=name,
        title=settings.corpora[name],
        cleaning=cleaning(DATA, name, options, settings),
        cast=cast(DATA / "exported" / name, metrics, DATA / "processed" / name, settings),
        training=training(DATA / "runs" / name, settings),
        measured=measured(metrics / "avatars.json", name, options),
    )


def figures(corpora: list[Corpus], talking: Talking | None = None, dancing: Dancing | None = None) -> dict[str, dict]:
    """Give what figures.json holds: by corpus, what the next report compares itself with."""
    return {
        one.name: {
            "cleaning": one.cleaning.counts,
            "avatars": {
                "made": one.cast.made if one.cast else None,
                "bundle": one.cast.sha256 if one.cast else None,
                "kimg": one.training.kimg if one.training else None,
                **(one.measured.digest if one.measured else {}),
            },
        }
        for one in corpora
    } | {name: {name: branch.digest} for name, branch in ((talks.CORPUS, talking), (dances.CORPUS, dancing)) if branch}


def compared(one: Corpus, before: dict, now: dict) -> Corpus:
    """Put beside a corpus what the previous report said of it, if it spoke of it at all."""
    if one.name not in before:
        return one
    then = before[one.name]
    return replace(
        one,
        changes=changes.changes(then, now[one.name]),
        made_before=then["avatars"]["made"] or "",
    )


def branched(name: str, branch: Branch | None, before: dict, now: dict) -> Branch | None:
    """Put beside a branch what the previous report said of it, if it spoke of it at all."""
    if branch is None or name not in before:
        return branch
    return replace(branch, changes=changes.changes(before[name], now[name]))


def page(
    corpora: list[Corpus],
    world: str,
    profile: str,
    talking: Talking | None = None,
    dancing: Dancing | None = None,
) -> str:
    """Fill the template."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html").render(
        corpora=corpora,
        talking=talking,
        dancing=dancing,
        frame=curves,
        world=world,
        profile=profile,
        figures_json=OUT / "figures.json",
        report_command=f"python -m training.report world={world} profile={profile}",
    )


@stage.command("training/report")
def main(config: DictConfig) -> None:
    settings = stage.settings(config, "report", Settings)
    with stage.work("report", "all", config.world, stage.fingerprint(stage.code_version())) as folder:
        options = f"world={config.world} profile={config.profile}"
        corpora = gather(settings, options)
        talking, dancing = talks.talking(DATA, options), dances.dancing(DATA, options, settings)
        now = figures(corpora, talking, dancing)
        before = changes.remember(folder.parent / f"figures-{config.profile}.json", now) or {}
        corpora = [compared(one, before, now) for one in corpora]
        talking, dancing = branched(talks.CORPUS, talking, before, now), branched(dances.CORPUS, dancing, before, now)
        built = folder / "out"
        written = page(corpora, config.world, config.profile, talking, dancing)
        stage.write_atomically(built / "index.html", written.encode())
        stage.write_atomically(built / "figures.json", (json.dumps(now, indent=2) + "\n").encode())
        stage.write_atomically(built / "plots.html", plots.frame().encode())
        stage.publish(built, OUT)


if __name__ == "__main__":
    main()
