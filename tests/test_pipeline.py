"""The pipeline as a whole, run in a temporary clone with the profile `tiny`."""

from pathlib import Path

import grimp
import pytest
import yaml

from training.runs import RUNS

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("inference", "preprocessing", "scraping", "training")
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
ROLES = {"training.train": "fitting", "training.evaluate": "measuring", "training.export": "exporting"}
GRAPH = grimp.build_graph(*PACKAGES, cache_dir=None)


def source_of(module: str) -> str:
    path = Path(*module.split("."))
    return f"{path}/__init__.py" if (ROOT / path).is_dir() else f"{path}.py"


def modules_of(stage: str) -> set[str]:
    """Name what a stage runs: its module, and what that hands over to, which no import shows."""
    command = PIPELINE[stage]["cmd"].split()[2:]
    module = f"{command[0]}.__main__" if (ROOT / Path(*command[0].split("."))).is_dir() else command[0]
    run = next((word.removeprefix("run=") for word in command if word.startswith("run=")), "stylegan2")
    return {module, f"{RUNS[run]}.{ROLES[module]}"} if module in ROLES else {module}


@pytest.mark.parametrize("stage", PIPELINE)
def test_a_stage_depends_on_the_modules_it_imports_and_no_others(stage):
    running = modules_of(stage)
    imported = {source_of(name) for module in running for name in GRAPH.find_upstream_modules(module) | {module}}
    written = {dep for dep in PIPELINE[stage]["deps"] if not dep.startswith("data/")}
    templates = {dep for dep in written if not dep.endswith(".py")}
    assert written - templates == {name for name in imported if (ROOT / name).stat().st_size}


def test_one_command_makes_packs_bundles_and_a_report(repro):
    for corpus in ("portrait", "fullbody", "fashion"):
        assert list((repro.folder / "data/processed" / corpus).glob("images-*.npy"))
    assert list((repro.folder / "data/processed/talks").glob("frames-*.npy"))
    made = {bundle.parent.name for bundle in (repro.folder / "data/exported").glob("*/bundle.json")}
    assert made == {"portrait", "fullbody", "fashion", "syncnet", "lipsync", "dance"}
    page = (repro.folder / "data/report/index.html").read_text()
    assert 'src="http' not in page
    assert page.count("data:image/webp") > 10


def test_a_second_run_does_nothing(repro):
    result = repro.dvc("repro")
    assert result.returncode == 0
    assert repro.ran(result) == []


def test_a_changed_value_of_a_profile_runs_only_what_depends_on_it(repro):
    profile = repro.folder / "conf/profile/tiny.yaml"
    values = yaml.safe_load(profile.read_text())
    values["report"]["pairs"] += 1
    profile.write_text("# @package _global_\n" + yaml.safe_dump(values))
    assert repro.ran(repro.dvc("repro")) == ["report"]


def test_one_stage_of_one_corpus_runs_by_hand(repro):
    result = repro.dvc("repro", "--single-item", "--force", "measure@portrait")
    assert repro.ran(result) == ["measure@portrait"]
