import json

import numpy as np
import pytest

from inference.errors import UserError
from preprocessing import talkpacks
from preprocessing.talkpacks import Clip, Content, Reject


def clip(name: str, frames: int, split: str = "train", **more) -> Clip:
    about = {"id": name, "speaker": name.split("/")[0], "split": split, "source": f"main/{name}.mp4"}
    about |= {
        "sha256": "ab" * 32,
        "text": "안녕하세요",
        "start": 0.0,
        "frames": frames,
        "columns": frames * 16 // 5 + 1,
    }
    about |= {
        "speech": 0.8,
        "licence": "CC0-1.0",
        "consent": "rendered",
        "commercial": True,
        "box": (1.0, 2.0, 3.0, 4.0),
    }
    return Clip(**about | more)


def content(of: Clip) -> Content:
    rng = np.random.default_rng(of.frames)
    frames = rng.integers(0, 256, (of.frames, 96, 96, 3), np.uint8)
    mel = rng.normal(size=(80, of.columns)).astype(np.float32)
    return Content(frames, mel, rng.normal(size=(of.frames, 4)).astype(np.float32))


CLIPS = [clip("a/00001", 20), clip("a/00002", 30), clip("b/00001", 25, "val", text=None, confidence=3.5, av_offset=-2)]
REJECTS = [Reject("main/c/1.mp4", "no-face", "no face")]


@pytest.fixture
def pack(tmp_path):
    talkpacks.write(tmp_path / "talks", CLIPS, map(content, CLIPS), REJECTS, "f00d")
    return tmp_path / "talks"


def test_what_is_packed_comes_back(pack):
    talks = talkpacks.read(pack)
    assert [of.id for of in talks.clips] == [of.id for of in CLIPS]
    for of, made in zip(talks.clips, CLIPS, strict=True):
        frames, mel, boxes = content(made)
        assert np.array_equal(talks.frames(of), frames)
        assert np.array_equal(talks.mel(of), mel)
        assert np.array_equal(talks.boxes(of), boxes)


def test_a_window_of_frames_is_a_view_of_the_file(pack):
    talks = talkpacks.read(pack)
    second = talks.clips[1]
    five = talks.frames(second, 7, 5)
    assert five.base is not None
    assert np.array_equal(five, content(CLIPS[1]).frames[7:12])
    with pytest.raises(IndexError, match="30 frames"):
        talks.frames(second, 27, 5)


def test_a_window_of_sound_begins_with_its_frame(pack):
    talks = talkpacks.read(pack)
    assert np.array_equal(talks.window(talks.clips[1], 5), content(CLIPS[1]).mel[:, 16:32])


def test_a_clip_lies_in_one_shard_however_many_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(talkpacks, "SHARD_BYTES", 45 * talkpacks.FRAME_BYTES)
    talkpacks.write(tmp_path / "talks", CLIPS, map(content, CLIPS), [], "")
    talks = talkpacks.read(tmp_path / "talks")
    assert [len(shard) for shard in talks.frame_shards] == [20, 30, 25]
    assert np.array_equal(talks.mel(talks.clips[2]), content(CLIPS[2]).mel)
    assert np.array_equal(talks.boxes(talks.clips[2]), content(CLIPS[2]).boxes)


def test_the_manifest_tells_splits_licences_and_rejects(pack):
    about = json.loads((pack / "pack.json").read_text())
    assert about["splits"] == {"train": 2, "val": 1, "test": 0}
    assert (about["frames"], about["speakers"], about["licences"]) == (75, 2, {"CC0-1.0": 3})
    assert about["rejects"] == {"no-face": 1}
    assert talkpacks.rejects(pack) == REJECTS


def test_one_clip_that_may_not_be_sold_makes_a_pack_that_may_not(tmp_path):
    talkpacks.write(tmp_path / "a", CLIPS, map(content, CLIPS), [], "")
    mixed = [*CLIPS, clip("c/00001", 5, commercial=False)]
    talkpacks.write(tmp_path / "b", mixed, map(content, mixed), [], "")
    assert (talkpacks.read(tmp_path / "a").commercial, talkpacks.read(tmp_path / "b").commercial) == (True, False)


def test_the_same_clips_make_the_same_bytes(pack, tmp_path):
    talkpacks.write(
        tmp_path / "again", CLIPS, map(content, CLIPS), [Reject("main/c/1.mp4", "no-face", "no face")], "f00d"
    )
    one, two = sorted(pack.iterdir()), sorted((tmp_path / "again").iterdir())
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]


def test_a_pack_without_clips_is_read_as_one(tmp_path):
    talkpacks.write(tmp_path / "talks", [], iter(()), [], "")
    assert talkpacks.read(tmp_path / "talks").clips == []


def test_a_folder_that_holds_no_talks_is_named_with_its_maker(tmp_path):
    with pytest.raises(UserError, match=r"processed/talks.*preprocessing\.sync"):
        talkpacks.read(tmp_path / "processed/talks")
    with pytest.raises(UserError, match=r"preprocessing\.talks"):
        talkpacks.read(tmp_path / "interim/talks")
