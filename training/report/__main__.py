"""Write the report page: the people, how good they are, how they came to be, in one self-contained file.

    python -m training.report                  # data/ -> data/report/index.html

Reads `data/` only. Every figure on the page names the file it was read from and the command that makes that file.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import jinja2
from omegaconf import DictConfig

from inference.errors import UserError
from scraping import stage
from training.report import changes, curves, plots, talks
from training.report.cast import Cast, cast
from training.report.changes import Change
from training.report.cleaning import Cleaning, cleaning
from training.report.measured import Measured, measured
from training.report.settings import Settings
from training.report.talks import Talking
from training.report.trained import Training, training

DATA = Path("data")
OUT = DATA / "report"


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
    if not there and not any((DATA / "metrics" / talks.CORPUS).glob("*.json")):
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


def figures(corpora: list[Corpus], talking: Talking | None = None) -> dict[str, dict]:
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
    } | ({talks.CORPUS: {"talks": talking.digest}} if talking else {})


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


def page(corpora: list[Corpus], world: str, profile: str, talking: Talking | None = None) -> str:
    """Fill the template."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html").render(
        corpora=corpora,
        talking=talking,
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
        corpora = gather(settings, f"world={config.world} profile={config.profile}")
        talking = talks.talking(DATA, f"world={config.world} profile={config.profile}")
        now = figures(corpora, talking)
        before = changes.remember(folder.parent / f"figures-{config.profile}.json", now) or {}
        corpora = [compared(one, before, now) for one in corpora]
        if talking and talks.CORPUS in before:
            talking = replace(talking, changes=changes.changes(before[talks.CORPUS], now[talks.CORPUS]))
        built = folder / "out"
        stage.write_atomically(built / "index.html", page(corpora, config.world, config.profile, talking).encode())
        stage.write_atomically(built / "figures.json", (json.dumps(now, indent=2) + "\n").encode())
        stage.write_atomically(built / "plots.html", plots.frame().encode())
        stage.publish(built, OUT)


if __name__ == "__main__":
    main()
