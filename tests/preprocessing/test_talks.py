"""The stage as a whole: a tree of good and hostile clips goes in, a pack and a reason for each reject come out."""

import os
import unicodedata
from pathlib import Path

import polars as pl
import pytest
from hydra import compose, initialize_config_dir

from inference.errors import UserError
from preprocessing import talkpacks
from preprocessing.talks import __main__ as talks
from scraping import stage

INTERIM = Path("data/interim/talks")


def config(*overrides: str):
    with initialize_config_dir(str(stage.ROOT / "conf"), version_base="1.3"):
        # A drawn head babbles, but no detector of speech takes it for a person.
        own = ["corpus=talks", "clips.workers=1", "clips.speech.least=0"]
        return compose("preprocessing/talks", [*own, *overrides])


@pytest.fixture
def tree(tmp_path, monkeypatch, film) -> Path:
    """Lay an LRS2-style tree of three good clips and one of each kind of bad one."""
    monkeypatch.chdir(tmp_path)
    main = tmp_path / "data/raw/talks/main"
    for place in ("a/1", "b/1", "c/1"):
        film(main / f"{place}.mp4", 20)
    (main / "a/1.txt").write_text(unicodedata.normalize("NFD", "Text:  안녕하세요\nConf:  4\n"))
    film(main / "a/mute.mp4", 20, seconds=0)
    film(main / "a/nobody.mp4", 20, shots=((),))
    film(main / "b/moment.mp4", 1, seconds=1)
    film(main / "b/hush.mp4", 20, seconds=0.04)
    (main / "b/words.mp4").write_text("a page of words")
    (main / "b/empty.mp4").touch()
    os.symlink("/etc/hostname", main / "c/link.mp4")
    root = main.parent
    (root / "train.txt").write_text("a/1\na/mute\na/nobody\na/gone\n")
    (root / "val.txt").write_text("b/1\nb/moment\nb/hush\nb/words\nb/empty\n")
    (root / "test.txt").write_text("c/1\nc/link\n")
    (root / "consent.json").write_text('{"licence": "CC0-1.0", "consent": "drawn", "commercial": true}')
    return root


def test_what_is_good_is_packed_and_what_is_not_has_its_reason(tree, capsys):
    talks.main(config())
    pack = talkpacks.read(INTERIM)
    assert [(clip.id, clip.split, clip.frames) for clip in pack.clips] == [
        ("a/1", "train", 20),
        ("b/1", "val", 20),
        ("c/1", "test", 20),
    ]
    first = pack.clips[0]
    assert (first.text, first.licence, first.commercial, first.av_offset) == ("안녕하세요", "CC0-1.0", True, None)
    assert pack.mel(first).shape == (80, 65)
    assert {reject.source: reject.reason for reject in talkpacks.rejects(INTERIM)} == {
        "a/gone": "missing-file",
        "main/a/mute.mp4": "no-audio",
        "main/a/nobody.mp4": "no-face",
        "main/b/empty.mp4": "empty",
        "main/b/hush.mp4": "too-short",
        "main/b/moment.mp4": "too-short",
        "main/b/words.mp4": "not-a-video",
        "main/c/link.mp4": "outside",
    }
    assert "kept 3 clips" in capsys.readouterr().out
    before = {file.name: file.read_bytes() for file in INTERIM.iterdir()}
    _second_run_cuts_nothing()
    assert {file.name: file.read_bytes() for file in INTERIM.iterdir()} == before


def _second_run_cuts_nothing() -> None:
    finished = {file: file.stat().st_mtime_ns for file in Path(".work").rglob("*.npz")}
    assert len(finished) == 3
    talks.main(config())
    assert {file: file.stat().st_mtime_ns for file in Path(".work").rglob("*.npz")} == finished


def test_a_clip_that_a_kill_left_unfinished_is_cut_and_the_others_are_not(tree):
    talks.main(config("clips.layout=folder", "clips.root=data/raw/talks/main"))
    (journal,) = Path(".work").rglob("journal.jsonl")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    before = {file.name: file.read_bytes() for file in INTERIM.iterdir()}
    rows = pl.read_parquet(INTERIM / "clips.parquet")
    talks.main(config("clips.layout=folder", "clips.root=data/raw/talks/main"))
    assert rows["frames"].to_list() == [20, 20, 20]
    assert {file.name: file.read_bytes() for file in INTERIM.iterdir()} == before


def test_a_tree_of_which_nothing_is_kept_is_one_line_and_a_table(tree):
    for place in ("a/1", "b/1", "c/1"):
        (tree / f"main/{place}.mp4").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"not one clip.*not-a-video.*rejects\.parquet"):
        talks.main(config())
    assert len(talkpacks.rejects(INTERIM)) > 8


@pytest.mark.parametrize("layout", ["lrs2", "aihub", "folder"])
def test_a_folder_without_videos_is_one_line(tmp_path, layout):
    (tmp_path / "main").mkdir()
    with pytest.raises(UserError, match="no videos"):
        talks.main(config(f"clips.root={tmp_path}", f"clips.layout={layout}"))
    with pytest.raises(UserError, match="no folder"):
        talks.main(config(f"clips.root={tmp_path}/nowhere"))


def clip(name: str, speech: float) -> talkpacks.Clip:
    return talkpacks.Clip(
        name, "s", "train", "s", "", None, 0.0, 20, 65, speech, None, None, False, (0.0, 0.0, 1.0, 1.0)
    )


def test_some_silent_clips_are_kept_and_the_same_ones_each_time():
    settings = stage.settings(config("clips.speech.least=0.1"), "clips", talks.Settings)
    speaking, silent = [clip(f"t{n}", 0.9) for n in range(30)], [clip(f"q{n}", 0.02) for n in range(10)]
    dropped = talks._too_quiet(speaking + silent, settings)
    assert len(dropped) == 7
    assert all(name.startswith("q") for name in dropped)
    assert talks._too_quiet(silent[::-1] + speaking, settings) == dropped
    assert len(talks._too_quiet(speaking[:2] + silent, settings)) == 9


def test_real_clips_survive(assets, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = assets / "talking_heads/GRID_LipNet/GRID"
    for name in ("bbaf2n", "lbax4n"):
        place = tmp_path / f"raw/{name}.mpg"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes((source / f"{name}.mpg").read_bytes())
    talks.main(config("clips.layout=folder", f"clips.root={tmp_path}/raw", "clips.speech.least=0.1"))
    pack = talkpacks.read(INTERIM)
    assert [clip.frames for clip in pack.clips] == [74, 74]
    assert all(clip.speech > 0.3 for clip in pack.clips)
    assert talkpacks.rejects(INTERIM) == []
