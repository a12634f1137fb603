"""The stage of the demo talks as a command: whole, killed and resumed."""

import os
import signal
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from inference.errors import UserError
from scraping.demo.talks import __main__ as talks

ROOT = Path(__file__).resolve().parents[2]
TINY = ["corpus=talks", "talks.speakers=3", "talks.clips=1", "talks.seconds=2", "talks.edge=96", "talks.workers=1"]


def start(folder: Path, *words: str) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "scraping.demo.talks", *TINY, *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def contents(folder: Path) -> dict[str, bytes]:
    data = folder / "data"
    return {str(file.relative_to(data)): file.read_bytes() for file in sorted(data.rglob("*")) if file.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("talks")
    run = start(folder)
    _, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors
    return folder


def test_the_tree_is_laid_out_as_lrs2s(whole):
    names = set(contents(whole))
    clips = {f"{100000 + speaker}/00001" for speaker in range(3)}
    assert {f"raw/talks/main/{clip}{suffix}" for clip in clips for suffix in (".mp4", ".txt")} <= names
    assert {"truth/talks/truth.json", "raw/talks/consent.json", "raw/talks/NOTICE"} <= names
    lists = [(whole / f"data/raw/talks/{name}.txt").read_text().split() for name in ("train", "val", "test")]
    assert sorted(chain(*lists)) == sorted(clips)


def test_killed_and_run_again_it_makes_only_what_is_left_and_the_same_bytes(whole, tmp_path):
    folder = tmp_path / "killed"
    run = start(folder)
    until = time.monotonic() + 240
    while not (done := list(folder.rglob("rows/*/*.json"))) and time.monotonic() < until:
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)
    run.wait()
    before = done[0].stat().st_mtime_ns
    again = start(folder)
    _, errors = again.communicate(timeout=300)
    assert again.returncode == 0, errors
    assert done[0].stat().st_mtime_ns == before
    assert contents(folder) == contents(whole)


def composed(*words: str) -> DictConfig:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("scraping/demo/talks", overrides=[*TINY, *words])


def test_real_worlds_bring_their_own_talks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    talks.main(composed("world=real"))
    assert (tmp_path / "data/raw/talks/NOTHING.txt").exists()
    assert (tmp_path / "data/truth/talks/NOTHING.txt").exists()


@pytest.mark.parametrize("word", ["talks.speakers=2", "talks.edge=97", "talks.seconds=0.5", "talks.clips=0"])
def test_settings_that_make_no_sense_are_named(word):
    with pytest.raises(UserError, match=word.split("=")[0]):
        talks.main(composed(word))
