import json
import wave

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from inference.faces import Face
from inference.tracks import Track
from preprocessing.talks import aihub, cutting
from preprocessing.talks.cutting import Cutter, Segment, Task
from preprocessing.talks.settings import Settings
from preprocessing.talks.takes import Take
from scraping import stage

RIGHT = ((130, 80, 1.0),)
TWO = ((80, 80, 1.0), (230, 80, 0.9))


def settings(*overrides: str) -> Settings:
    with initialize_config_dir(str(stage.ROOT / "conf"), version_base="1.3"):
        return stage.settings(compose("preprocessing/talks", ["corpus=talks", *overrides]), "clips", Settings)


@pytest.fixture
def cut(tmp_path):
    """Give a function that cuts one video, and gives the row."""

    def row(path, *overrides, **about) -> dict:
        cutter = Cutter(settings(*overrides), tmp_path)
        return cutter(Task("key", Take("id", "x.mp4", "someone", path, **{"audio": path} | about)))

    return row


def kept(row: dict) -> list[dict]:
    return [piece for piece in row["pieces"] if piece["status"] == "kept"]


def reasons(row: dict) -> list[str]:
    return [piece["reason"] for piece in row["pieces"] if piece["status"] == "rejected"]


def test_a_face_is_cut_out_with_what_is_heard_from_its_first_frame_on(film, cut, tmp_path):
    row = cut(film(tmp_path / "x.mp4"))
    (piece,) = kept(row)
    content = cutting.read(tmp_path / piece["file"])
    assert content.frames.shape == (25, 96, 96, 3)
    assert content.mel.shape == (80, 81)
    assert (piece["frames"], piece["columns"], piece["start"], piece["share"]) == (25, 81, 0.0, 1.0)
    assert len(row["sha256"]) == 64
    # The mouth, where the networks expect it: in the middle of the lower half, red and dark against the skin.
    mouth, cheek = content.frames[2, 60:80, 38:58].mean(), content.frames[2, 60:80, 14:28].mean()
    assert mouth < cheek - 30


@pytest.mark.parametrize(("fps", "frames"), [(24, 24), (30, 30), (50, 50)])
def test_any_rate_becomes_25_frames_a_second(film, cut, tmp_path, fps, frames):
    (piece,) = kept(cut(film(tmp_path / "x.mp4", frames, fps)))
    assert piece["frames"] == 25


def test_a_variable_rate_is_resampled_by_its_timestamps(film, cut, tmp_path):
    (piece,) = kept(cut(film(tmp_path / "x.mp4", 30, 30, gaps=True)))
    assert piece["frames"] == 25
    # What was left out is shown by the frame before it: mouths are as dark as those frames' were open.
    shown = np.array([number - (number % 3 == 1) for number in (frame * 30 // 25 for frame in range(25))])
    dark = 255 - cutting.read(tmp_path / piece["file"]).frames[:, 62:80, 40:56].mean((1, 2, 3))
    assert np.corrcoef(dark, 0.5 - 0.5 * np.cos(shown * 2 * np.pi / 5))[0, 1] > 0.9


def test_stereo_at_96_khz_is_heard_as_well_as_mono_at_16(film, cut, tmp_path):
    (piece,) = kept(cut(film(tmp_path / "x.mp4", rate=96_000, layout="stereo")))
    assert (piece["frames"], piece["columns"]) == (25, 81)


def test_a_clip_ends_where_its_sound_does(film, cut, tmp_path):
    (piece,) = kept(cut(film(tmp_path / "x.mp4", seconds=0.8)))
    assert 20 <= piece["frames"] <= 22  # AAC comes in blocks of 64 ms
    (piece,) = kept(cut(film(tmp_path / "y.mp4", seconds=2.0)))
    assert piece["frames"] == 25


@pytest.mark.parametrize(
    ("looks", "reason"),
    [
        ({"seconds": 0.0}, "no-audio"),
        ({"seconds": 0.05}, "too-short"),
        ({"frames": 1, "seconds": 1.0}, "too-short"),
        ({"shots": ((),)}, "no-face"),
        ({"shots": (((80, 80, 0.4),),)}, "small-face"),
        ({"shots": (TWO,), "edges": (320, 160)}, "second-face"),
    ],
)
def test_each_useless_video_is_told_apart(film, cut, tmp_path, looks, reason):
    row = cut(film(tmp_path / "x.mp4", **looks))
    assert reasons(row) == [reason]
    assert "\n" not in row["pieces"][0]["detail"]


def test_a_broken_stream_is_a_reject(film, cut, tmp_path):
    path = film(tmp_path / "x.mkv", 60)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    path.write_bytes(data)
    assert reasons(cut(path))[0] in ("corrupt", "truncated")
    path.write_bytes(b"no video at all")
    assert reasons(cut(path)) == ["not-a-video"]


def test_a_file_that_has_gone_is_a_reject(cut, tmp_path):
    assert reasons(cut(tmp_path / "gone.mp4")) == ["missing-file"]


def test_a_file_that_may_not_be_read_is_a_reject_and_no_end_of_the_others(cut, tmp_path, monkeypatch):
    (tmp_path / "x.mp4").write_bytes(b"locked")
    locked = PermissionError(13, "Permission denied", "x.mp4")
    monkeypatch.setattr(cutting, "_sha256", lambda *_: (_ for _ in ()).throw(locked))
    assert reasons(cut(tmp_path / "x.mp4")) == ["not-readable"]


def test_a_cut_ends_a_clip_though_the_face_stays_in_its_place(film, cut, tmp_path):
    path = film(tmp_path / "x.mp4", 60, edges=(220, 160), shots=(RIGHT, RIGHT))
    pieces = kept(cut(path, whole=False))
    assert [(piece["start"], piece["frames"]) for piece in pieces] == [
        (0.0, 29),
        (1.2, 30),
    ]  # the 30th is not looked at
    (longest,) = kept(cut(path, whole=True))
    assert longest["share"] == 0.5


def test_what_is_longer_than_a_clip_becomes_several_without_a_gap(film, cut, tmp_path):
    pieces = kept(cut(film(tmp_path / "x.mp4", 60), "clips.frames=[16,25]", whole=False))
    assert len(pieces) == 3
    assert sum(piece["frames"] for piece in pieces) == 60
    assert max(piece["frames"] for piece in pieces) <= 25
    starts = np.cumsum([0] + [piece["frames"] for piece in pieces[:-1]]) / 25
    assert [piece["start"] for piece in pieces] == pytest.approx(starts)


def test_a_part_of_a_long_video_is_read_from_its_own_time(film, cut, tmp_path):
    path = film(tmp_path / "x.mp4", 75, shots=(((60, 80, 1.0),), ((80, 80, 1.0),), ((100, 80, 1.0),)))
    (piece,) = kept(cut(path, start=1.0, seconds=1.0))
    assert (piece["start"], piece["frames"]) == (1.0, 25)
    assert (piece["box"][0] + piece["box"][2]) / 2 == pytest.approx(80, abs=3)


def test_between_two_frames_sound_begins_where_the_picture_does(film, cut, tmp_path):
    path = film(tmp_path / "x.mp4", 60)
    mels = [cutting.read(tmp_path / kept(cut(path, start=start, seconds=1.0))[0]["file"]).mel for start in (1, 1.019)]
    assert np.array_equal(*mels)


def test_the_face_is_the_one_that_the_label_shows_whatever_the_order_of_its_axes(film, cut, tmp_path):
    path = film(tmp_path / "x.mp4", edges=(320, 160), shots=(TWO,))
    for box in ((195.0, 30.0, 265.0, 130.0), (30.0, 195.0, 130.0, 265.0)):
        (piece,) = kept(cut(path, "clips.face.others=2", prior=(box, (), box)))
        assert piece["box"][0] > 160


def test_a_sentence_of_an_ai_hub_session_is_cut_at_its_times(film, tmp_path):
    """Thirty frames a second, sound in a file of its own, boxes whose axes are swapped, someone larger beside."""
    shots = [((x, 80, 0.9), (260, 80, 1.0)) for x in (60, 80, 100)]
    root = tmp_path / "원천데이터/TS1/소음환경1/C(일반인)"
    video = film(root / "lip_J_1_F_02_C032_A_010.mp4", 90, 30, (320, 160), shots)
    with wave.open(str(video.with_suffix(".wav")), "wb") as sound:
        sound.setparams((1, 2, 48_000, 0, "NONE", ""))
        sound.writeframes(bytes(2 * 48_000 * 3))
    label = {
        "Sentence_info": [{"sentence_text": "안녕", "start_time": 1.25, "end_time": 1.75}],
        "Bounding_box_info": {"Face_bounding_box": {"xtl_ytl_xbr_ybr": [[35, 50, 125, 110]] * 90}},
    }
    video.with_suffix(".json").write_text(json.dumps([label]))
    asked = settings("clips.aihub.margin=0.25", "clips.face.others=2")
    (take,), _ = aihub.find(tmp_path, asked.aihub, "first")
    (piece,) = kept(Cutter(asked, tmp_path)(Task("key", take)))
    assert (piece["start"], piece["frames"], piece["columns"]) == (1.0, 25, 81)
    assert (piece["box"][0] + piece["box"][2]) / 2 == pytest.approx(80, abs=3)


def test_a_turned_face_and_a_blurred_one_are_gated(film, cut, tmp_path):
    path = film(tmp_path / "x.mp4")
    assert reasons(cut(path, "clips.face.turn=0.0001")) == ["turned"]
    assert reasons(cut(path, "clips.face.blur=0.1")) == ["blurred"]


def test_parts_are_cut_at_the_quietest_frame_near_the_middle():
    speech = np.ones(40)
    speech[17] = 0
    parts = list(cutting._parts(Segment(0, 40, np.zeros((40, 4))), 25, speech))
    assert [(part.first, part.end) for part in parts] in ([(0, 18), (18, 40)], [(0, 17), (17, 40)])


def test_no_part_is_longer_than_a_clip_wherever_it_is_quiet():
    speech = np.ones(746)
    speech[[247, 498]] = 0
    parts = list(cutting._parts(Segment(0, 746, np.zeros((746, 4))), 250, speech))
    assert max(map(len, parts)) <= 250
    assert sum(map(len, parts)) == 746


def test_a_passer_by_for_a_moment_is_no_second_speaker():
    def track(first: int, count: int) -> Track:
        made = Track(first)
        for frame in range(first, first + count):
            made.extend(frame, Face((0.0, 0.0, 50.0, 50.0), 0.9, ((0.0, 0.0),) * 5))
        return made

    speaker = track(0, 100)
    assert cutting._others(speaker, [speaker, track(20, 10)], 0.3) == pytest.approx(0.1)
    assert cutting._others(speaker, [speaker, track(0, 60)], 0.3) == pytest.approx(0.6)
