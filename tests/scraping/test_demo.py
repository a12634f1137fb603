"""The stage `demo` as a command, in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from inference.errors import UserError
from scraping.demo import __main__ as demo

ROOT = Path(__file__).resolve().parents[2]
TINY = ["corpus=fashion", "profile=tiny", "demo.scale=0.25"]


def start(folder: Path, *words: str) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "scraping.demo", *TINY, *words]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def contents(folder: Path) -> dict[str, bytes]:
    data = folder / "data"
    return {str(file.relative_to(data)): file.read_bytes() for file in sorted(data.rglob("*")) if file.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("demo") / "whole"
    run = start(folder)
    _, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors
    return folder


def test_gallery_and_truth_are_complete(whole):
    people = json.loads((whole / "data/gallery/fashion/people.json").read_text())
    truth = polars.read_parquet(whole / "data/truth/fashion/truth.parquet")
    originals = truth.filter(polars.col("transform").is_null())
    assert (
        [one["name"] for one in people]
        == [f"fashion-{index:04d}" for index in range(24)]
        == originals["name"].to_list()
    )
    assert {one["author"] for one in people} == {"Dramatis demo world"}
    assert len({one["licence"] for one in people}) > 1
    assert len(truth) > len(originals)
    assert set(truth["original_sha256"]) == set(originals["sha256"])
    assert all(json.loads(traits)["age"] >= 0.67 for traits in truth["traits"])


def test_a_killed_run_goes_on_where_it_was_and_gives_the_same_bytes(whole, tmp_path):
    folder = tmp_path / "killed"
    run = start(folder)
    deadline = time.monotonic() + 200
    while not (journals := list(folder.glob(".work/demo/**/journal.jsonl"))) or journals[0].stat().st_size == 0:
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    done = [json.loads(line)["key"] for line in journals[0].read_text().splitlines()]
    pictures = {
        path.name: path.stat().st_mtime_ns for path in journals[0].parent.glob("pictures/*") if path.stem in done
    }
    assert 0 < len(done) < 24
    run = start(folder)
    _, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors
    again = {
        path.name: path.stat().st_mtime_ns for path in journals[0].parent.glob("pictures/*") if path.name in pictures
    }
    assert again == pictures
    assert contents(folder) == contents(whole)


def test_a_wrong_value_is_one_line(tmp_path):
    run = start(tmp_path / "wrong", "demo.people=many")
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 2
    assert errors.startswith("error: demo.people: ")
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        *("people=7", "first_seed=-1", "scale=0.1", "workers=0", "jpeg_quality=101", "png_every=0"),
        *("site.page_length=0", "site.crawl_delay_seconds=-1", "site.exact_duplicates=25", "site.near_duplicates=25"),
        *("site.slow_seconds=-1", "site.retry_after_seconds=-1", "site.huge_bytes=0"),
    ],
)
def test_a_value_out_of_bounds_is_named(wrong):
    with pytest.raises(UserError, match=rf"^demo\.{wrong.partition('=')[0]}: ") as caught:
        demo.main(composed(f"demo.{wrong}"))
    assert "\n" not in str(caught.value)


def composed(*words: str) -> DictConfig:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("scraping/demo", [*TINY, *words])


def test_another_number_of_processes_is_the_same_work(whole):
    run = start(whole, "demo.workers=1")
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 0, errors
    assert len(list(whole.glob(".work/demo/fashion/demo/*"))) == 1


def test_the_real_world_has_no_demo_people(tmp_path):
    folder = tmp_path / "real"
    run = start(folder, "world=real")
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 0, errors
    assert [Path(name).name for name in contents(folder)] == ["NOTHING.txt", "NOTHING.txt"]
