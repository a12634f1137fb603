"""Names tell genre, song and part; the rule gives the published lists; whole songs are held out."""

import re
from itertools import product

import pytest

from inference.errors import UserError
from preprocessing.dances import aistpp, names, splits
from preprocessing.dances.settings import Gates, Joints, Settings, Splits
from preprocessing.dances.takes import Take
from preprocessing.raw import Rights

TRAIN, VAL, TEST = (f"gBR_sBM_cAll_d04_m{song}" for song in ("BR2_ch08", "BR0_ch01", "BR0_ch02"))


def settings(**by) -> Settings:
    given = {"by": None, "lists": None, "val": 0.1, "test": 0.1} | by
    return Settings(
        root=None,
        layout="aistpp",
        read="motions",
        music=None,
        workers=1,
        seconds=1,
        most_seconds=60,
        gates=Gates(still=0.5, speed=8, residual=0.1),
        joints=Joints(fps=30, metres=1, up="y", centred=False),
        splits=Splits(**given),
        rights=Rights(licence=None, consent=None, commercial=False),
    )


def take(name: str, song: str = "", genre: str | None = None) -> Take:
    sequence = names.parse(name)
    return Take(name, f"motions/{name}.pkl", None, song or sequence.song, genre or (sequence and sequence.genre))


def test_a_name_is_taken_apart():
    found = names.parse("gHO_sFM_cAll_d20_mHO5_ch13")
    assert (found.genre, found.dancer, found.song, found.choreography) == ("house", "d20", "mHO5", 13)
    assert names.parse("gXX_sFM_cAll_d20_mHO5_ch13") is None
    assert names.parse("holiday") is None


def test_the_song_tells_its_tempo():
    assert [names.tempo(song) for song in ("mBR0", "mJB5", "mHO0", "mHO3", "holiday")] == [80, 130, 110, 125, None]


def test_the_rule_holds_out_a_song_of_each_genre_and_two_choreographies():
    parts = {name: names.official(names.parse(name)) for name in (TRAIN, VAL, TEST)}
    assert parts == {TRAIN: "train", VAL: "val", TEST: "test"}
    assert len({song[1:3] for song in names.HELD_OUT}) == len(names.GENRES) == 10
    # Basic dances 1 and 2 train with no song, advanced ones of that number do.
    assert names.official(names.parse("gBR_sBM_cAll_d04_mBR2_ch02")) is None
    assert names.official(names.parse("gBR_sFM_cAll_d04_mBR2_ch02")) == "train"
    assert names.official(names.parse("gBR_sBM_cAll_d04_mBR0_ch05")) is None


def test_the_rule_gives_the_published_lists(assets):
    folder = assets / "dance"
    release = [line.split()[0] for line in (folder / "aistpp/annotation/cameras/mapping.txt").read_text().splitlines()]
    lists = splits.read_lists(folder / "aistpp_splits")
    assert len(release) == 1408
    assert "are what AIST++'s rule gives" in splits.against_rule(lists, release)
    ruled = [names.official(names.parse(name)) for name in release]
    assert [ruled.count(split) for split in ("train", "val", "test")] == [980, 20, 20]
    ignored = aistpp.read_ignored(folder, folder / "aistpp_splits")
    left = [split for name, split in zip(release, ruled, strict=True) if name not in ignored]
    assert [left.count(split) for split in ("train", "test")] == [952, 20]


def test_a_list_that_differs_from_the_rule_is_told_with_a_name():
    assert re.search(r"differ.*in 1 names.*mBR0_ch02", splits.against_rule({TRAIN: "train", TEST: "train"}))


def test_by_the_rule_what_the_task_leaves_out_is_rejected():
    other = "gBR_sBM_cAll_d04_mBR2_ch01"
    kept, rejects = splits.divide([take(TRAIN), take(TEST), take(other)], {TRAIN, TEST, other}, {}, settings())
    assert [(one.id, one.split) for one in kept] == [(TRAIN, "train"), (TEST, "test")]
    assert [(reject.source, reject.reason) for reject in rejects] == [(f"motions/{other}.pkl", "not-in-task")]


def test_a_list_that_names_a_missing_sequence_is_one_line_and_the_rest_goes_on():
    lists = {TRAIN: "train", "gBR_sBM_cAll_d04_mBR3_ch08": "train", TEST: "test"}
    kept, rejects = splits.divide([take(TRAIN), take(TEST)], {TRAIN, TEST}, lists, settings(by="lists"))
    assert len(kept) == 2
    assert [(reject.source, reject.reason) for reject in rejects] == [("gBR_sBM_cAll_d04_mBR3_ch08", "missing-motion")]


def test_what_is_danced_to_a_held_out_song_does_not_train():
    lists = {TEST: "test", VAL: "train"}
    kept, rejects = splits.divide([take(TEST), take(VAL)], {TEST, VAL}, lists, settings(by="lists"))
    assert [one.id for one in kept] == [TEST]
    assert rejects[0].reason == "held-out-song"


def test_lists_that_are_asked_for_and_absent_are_one_line():
    with pytest.raises(UserError, match=r"no crossmodal_train.txt.*dances.splits.lists"):
        splits.divide([take(TRAIN)], {TRAIN}, {}, settings(by="lists"))


def test_a_name_with_a_space_behind_it_is_read(tmp_path):
    (tmp_path / "crossmodal_train.txt").write_text(f"{TRAIN} \n{VAL}\n")
    assert splits.read_lists(tmp_path) == {TRAIN: "train", VAL: "train"}


def test_a_list_that_is_no_text_is_one_line(tmp_path):
    (tmp_path / "crossmodal_train.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is no list that can be read"):
        splits.read_lists(tmp_path)


def test_whole_songs_are_held_out_of_each_genre_that_has_enough():
    dances = [take(f"{genre}{song}-{n}", f"{genre}{song}", genre) for genre, song, n in product("WR", range(20), "ab")]
    dances += [take("T0", "T0", "T"), take("T1", "T1", "T")]
    kept = splits.by_song(dances, Splits(by=None, lists=None, val=0.1, test=0.15))
    home = {one.song: {other.split for other in kept if other.song == one.song} for one in kept}
    assert all(len(parts) == 1 for parts in home.values())
    for genre in "WR":
        parts = [home[song].copy().pop() for song in home if song.startswith(genre)]
        assert (parts.count("test"), parts.count("val")) == (3, 2)
    assert home["T0"] == home["T1"] == {"train"}
    assert splits.by_song(dances[::-1], Splits(by=None, lists=None, val=0.1, test=0.15))[::-1] == kept
