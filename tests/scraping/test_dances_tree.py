"""The demo dances as a tree in AIST++'s layout, and the stage that makes it."""

import hashlib
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from inference.errors import UserError
from inference.motion.skeleton import HEIGHT, SMPL_PELVIS
from scraping.demo.dances import __main__ as stage_of_dances
from scraping.demo.dances import tree

ROOT = Path(__file__).resolve().parents[2]
TINY = [
    "corpus=dances",
    *(f"dancing.{word}" for word in ("songs=3", "dances=1", "seconds=5", "first_seed=100000", "workers=1")),
]
NAME = re.compile(r"g([A-Z]{2})_s(BM|FM)_cAll_d\d\d_m\1[0-5]_ch\d\d")
HELD_OUT = {"mLH4", "mKR2", "mBR0", "mLO2", "mJB5", "mWA0", "mJS3", "mMH3", "mHO5", "mPO1"}  # as AIST++ does


def start(folder: Path, *words: str) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "scraping.demo.dances", *TINY, *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def resumed(tmp_path_factory) -> tuple[Path, int, int]:
    """A run killed after its first song and run again; when that song was written, and when it says it was."""
    folder = tmp_path_factory.mktemp("dances")
    run = start(folder)
    until = time.monotonic() + 400
    while not (done := list(folder.rglob("rows/*.json"))) and run.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)
    run.wait()
    written = done[0].stat().st_mtime_ns
    again = start(folder)
    _, errors = again.communicate(timeout=500)
    assert again.returncode == 0, errors
    return folder, written, done[0].stat().st_mtime_ns


@pytest.fixture(scope="module")
def whole(resumed) -> Path:
    return resumed[0]


def truth(folder: Path) -> dict:
    return json.loads((folder / "data/truth/dances/truth.json").read_text())


@pytest.mark.parametrize(("songs", "dances"), [(3, 1), (20, 3), (60, 24)])
def test_names_follow_the_grammar_and_are_unique(songs, dances):
    names = list(chain(*(song.dances for song in tree.plan(7, songs, dances))))
    assert all(NAME.fullmatch(name) for name in names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("songs", [3, 20, 60])
def test_splits_share_no_song_and_hold_out_what_aistpp_holds_out(songs):
    planned = tree.plan(100000, songs, 3)
    assert len({song.name for song in planned}) == songs
    assert {song.split for song in planned} == {"train", "val", "test"}
    assert all((song.name in HELD_OUT) == (song.split != "train") for song in planned)
    parts = {"val": "ch01", "test": "ch02"}
    for song in planned:
        shown = {name[-4:] for name in song.dances}
        assert shown == {parts[song.split]} if song.split in parts else not shown & {"ch01", "ch02"}


def test_most_songs_train_and_all_genres_come():
    planned = tree.plan(100000, 20, 3)
    assert sum(song.split == "train" for song in planned) == 14
    assert len({song.genre for song in planned if song.split == "train"}) == 10


def test_the_tree_is_laid_out_as_aistpps(whole):
    raw = whole / "data/raw/dances"
    listed = {split: (raw / f"splits/crossmodal_{split}.txt").read_text().split() for split in tree.SPLITS}
    assert sorted(chain(*listed.values())) == sorted(path.stem for path in (raw / "motions").iterdir())
    tunes = {path.stem for path in (raw / "music").iterdir()}
    assert tunes == {name.split("_")[4] for name in chain(*listed.values())}
    assert (raw / "ignore_list.txt").exists()
    assert json.loads((raw / "consent.json").read_text())["licence"] == "CC0-1.0"
    assert "AIST++" in (raw / "NOTICE").read_text()


def test_a_motion_is_written_as_aistpp_writes_it(whole):
    path = next((whole / "data/raw/dances/motions").iterdir())
    held = pickle.loads(path.read_bytes())
    assert held["smpl_poses"].shape == (300, 72)
    assert {held[name].dtype for name in ("smpl_poses", "smpl_trans", "smpl_scaling")} == {np.dtype(np.float32)}
    pelvis = held["smpl_trans"] / held["smpl_scaling"] + SMPL_PELVIS
    assert HEIGHT - 0.4 < pelvis[:, 1].mean() < HEIGHT
    assert np.abs(held["smpl_poses"]).max() <= 2 * np.pi


def test_the_truth_knows_songs_and_dances(whole):
    known = truth(whole)
    for name, song in known["songs"].items():
        sound = (whole / f"data/raw/dances/music/{name}.wav").read_bytes()
        assert song["sha256"] == hashlib.sha256(sound).hexdigest()
        assert np.diff(song["beats"]) == pytest.approx(60 / song["bpm"], abs=1e-5)
    for dance in known["dances"].values():
        assert dance["song"] in known["songs"]
        assert 0.4 * dance["beats"] < dance["beats_hit"] <= dance["beats"]


def test_run_again_after_a_kill_a_song_that_was_made_is_not_made_again(resumed):
    _, written, now = resumed
    assert now == written


def test_the_same_seed_gives_the_same_bytes_killed_or_not(whole, tmp_path):
    song = tree.plan(100000, 3, 1)[0]
    tree.make(tree.Job(song, 5.0, tmp_path))
    for name in (f"music/{song.name}.wav", f"motions/{song.dances[0]}.pkl"):
        assert (tmp_path / name).read_bytes() == (whole / "data/raw/dances" / name).read_bytes()


def composed(*words: str) -> DictConfig:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("scraping/demo/dances", overrides=[*TINY, *words])


def test_real_worlds_bring_their_own_dances(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stage_of_dances.main(composed("world=real"))
    assert (tmp_path / "data/raw/dances/NOTHING.txt").exists()
    assert (tmp_path / "data/truth/dances/NOTHING.txt").exists()


@pytest.mark.parametrize("word", ["dancing.songs=2", "dancing.songs=61", "dancing.seconds=2", "dancing.dances=0"])
def test_settings_that_make_no_sense_are_named(word, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=re.escape(word.split("=")[0])):
        stage_of_dances.main(composed(word))
