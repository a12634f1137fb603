"""What is found on disk: the three layouts, lists, splits. No video is opened."""

import json
import os
import unicodedata
from pathlib import Path

import pytest

from inference.errors import UserError
from preprocessing.talks import aihub, folder, lrs2, takes
from preprocessing.talks.settings import AIHub, Splits
from preprocessing.talks.takes import Take

SESSION = "lip_J_1_F_02_C032_A_010"
HERE = "소음환경1/C(일반인)/F(여성)/F(여성)_1"
SENTENCES = [
    {"ID": 1, "topic": "여행", "sentence_text": "(7시)/(일곱 시)에 만나요", "start_time": 1.0, "end_time": 2.5},
    {"ID": 2, "topic": "여행", "sentence_text": "안돼", "start_time": 3.0, "end_time": 4.0},
]
BOXES = [[500 + frame, 200, 700 + frame, 450] for frame in range(150)]


def lay(root: Path, *names: str, text: str = "x") -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def reasons(rejects) -> dict[str, str]:
    return {reject.source: reject.reason for reject in rejects}


def take(speaker: str, clip: str = "1", split: str | None = None) -> Take:
    return Take(f"{speaker}/{clip}", f"main/{speaker}/{clip}.mp4", speaker, Path("x"), Path("x"), split=split)


def test_an_lrs2_tree_gives_speakers_and_what_they_say(tmp_path):
    lay(tmp_path, "main/s1/00001.mp4", "main/s2/00001.mp4")
    lay(tmp_path, "main/s1/00001.txt", text="Text:  안녕하세요\nConf:  4\n")
    found, rejects = lrs2.find(tmp_path, "second")
    assert [(one.id, one.speaker, one.text) for one in found] == [
        ("s1/00001", "s1", "안녕하세요"),
        ("s2/00001", "s2", None),
    ]
    assert rejects == []
    assert found[0].whole


def test_names_and_texts_stored_letter_by_letter_are_composed(tmp_path):
    apart = unicodedata.normalize("NFD", "김철수")
    lay(tmp_path, f"main/{apart}/00001.mp4")
    lay(tmp_path, f"main/{apart}/00001.txt", text=unicodedata.normalize("NFD", "Text: 안녕하세요"))
    (tmp_path / "train.txt").write_text("김철수/00001\n")
    (found,), rejects = lrs2.find(tmp_path, "second")
    assert (found.speaker, found.text, found.split, found.source) == (
        "김철수",
        "안녕하세요",
        "train",
        "main/김철수/00001.mp4",
    )
    assert found.id.isascii()
    assert rejects == []


def test_a_transcript_in_the_older_korean_code_page_is_read(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes("안녕하세요".encode("cp949"))
    assert takes.read_text(path) == "안녕하세요"
    path.write_bytes(b"\xff\xfe\xfd\x80")
    assert takes.read_text(path) is None


def test_lists_are_honoured_and_what_they_name_wrongly_is_told(tmp_path):
    lay(tmp_path, "main/s1/1.mp4", "main/s1/2.mp4", "main/s2/1.mp4")
    (tmp_path / "train.txt").write_text("s1/1\ns9/7\n../../etc/passwd\n")
    (tmp_path / "test.txt").write_text("s2/1 NF\n")
    found, rejects = lrs2.find(tmp_path, "second")
    assert {one.id: one.split for one in found} == {"s1/1": "train", "s2/1": "test"}
    assert reasons(rejects) == {
        "s9/7": "missing-file",
        "../../etc/passwd": "missing-file",
        "main/s1/2.mp4": "not-listed",
    }


def test_a_list_is_read_in_the_older_korean_code_page_and_refused_in_none(tmp_path):
    (tmp_path / "train.txt").write_bytes("민지/00001\n".encode("cp949"))
    assert takes.read_lists(tmp_path) == {"민지/00001": "train"}
    (tmp_path / "val.txt").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UserError, match=r"val\.txt is no list"):
        takes.read_lists(tmp_path)


def test_links_out_of_the_tree_are_not_followed(tmp_path):
    lay(tmp_path, "elsewhere/1.mp4", "tree/main/s1/1.mp4")
    main = tmp_path / "tree/main"
    os.symlink(tmp_path / "elsewhere/1.mp4", main / "s1/2.mp4")
    os.symlink(tmp_path / "elsewhere", main / "s2")
    os.symlink(tmp_path / "nowhere.mp4", main / "s1/3.mp4")
    os.symlink(main / "s1/gone.mp4", main / "s1/4.mp4")
    os.mkfifo(main / "s1/5.mp4")
    found, rejects = lrs2.find(tmp_path / "tree", "second")
    assert [one.id for one in found] == ["s1/1"]
    assert reasons(rejects) == {
        "main/s1/2.mp4": "outside",
        "main/s1/3.mp4": "outside",
        "main/s1/4.mp4": "missing-file",
        "main/s1/5.mp4": "not-a-file",
        "main/s2": "outside",
    }


def test_a_tree_without_main_is_named(tmp_path):
    with pytest.raises(UserError, match=r"clips\.layout=folder"):
        lrs2.find(tmp_path, "second")


def test_a_folder_of_videos_takes_its_speakers_from_its_folders(tmp_path):
    lay(tmp_path, "alone.MOV", "kim/one.mp4", "kim/two.webm", "notes.pdf")
    lay(tmp_path, "kim/one.txt", text="Hello there\n")
    found, rejects = folder.find(tmp_path, "second")
    assert [(one.source, one.speaker, one.text) for one in found] == [
        ("alone.MOV", "alone", None),
        ("kim/one.mp4", "kim", "Hello there"),
        ("kim/two.webm", "kim", None),
    ]
    assert not any(one.whole for one in found)
    assert rejects == []


def session(root: Path, name: str = SESSION, **changes) -> Path:
    label = {"Sentence_info": SENTENCES, "Bounding_box_info": {"Face_bounding_box": {"xtl_ytl_xbr_ybr": BOXES}}}
    lay(root, f"원천데이터/TS1/{HERE}/{name}.mp4", f"원천데이터/TS1/{HERE}/{name}.wav")
    lay(root, f"라벨링데이터/TL1/{HERE}/{name}.json", text=json.dumps([label | changes], ensure_ascii=False))
    return root


OLKAVS = AIHub(views="A", ages=(2, 3, 4, 5, 6), margin=0.25)


def test_a_session_of_ai_hub_gives_its_sentences(tmp_path):
    found, rejects = aihub.find(session(tmp_path), OLKAVS, "first")
    assert rejects == []
    first, second = found
    assert (first.id, first.speaker) == (f"C032/{SESSION}-000", "C032")
    assert (first.text, second.text) == ("일곱 시에 만나요", "안돼")
    assert (first.start, first.seconds) == (0.75, 2.0)
    assert first.audio.suffix == ".wav"
    assert first.source.endswith(f"{HERE}/{SESSION}.mp4#0")
    assert first.prior[0] == tuple(BOXES[int((0.75 + 2.0 * 0.5 / 25) * 30)])


def test_other_views_take_the_sound_of_the_frontal_one(tmp_path):
    side = SESSION.replace("_A_", "_C_")
    session(session(tmp_path), side)
    (tmp_path / f"원천데이터/TS1/{HERE}/{side}.wav").unlink()
    assert {one.video.stem for one in aihub.find(tmp_path, OLKAVS, "first")[0]} == {SESSION}
    both, _ = aihub.find(tmp_path, OLKAVS.model_copy(update={"views": "AC"}), "first")
    assert {(one.video.stem, one.audio.stem) for one in both} == {(SESSION, SESSION), (side, SESSION)}


def test_what_is_wrong_with_a_session_is_told_of_it_alone(tmp_path):
    broken = {
        "lip_J_1_F_02_C001_A_001": {"Sentence_info": "none"},
        "lip_J_1_F_01_C002_A_001": {},
        "lip_J_1_F_02_C003_A_001": {
            "Sentence_info": [*SENTENCES[:1], {"sentence_text": "?", "start_time": 9, "end_time": 1}]
        },
        "lip_J_1_F_02_C004_A_001": {},
        "lip_J_1_F_02_C005_A_001": {
            "Bounding_box_info": {"Face_bounding_box": {"xtl_ytl_xbr_ybr": [["a", 1, 2, 3]] * 90}}
        },
    }
    for name, changes in broken.items():
        session(tmp_path, name, **changes)
    (tmp_path / f"원천데이터/TS1/{HERE}/lip_J_1_F_02_C004_A_001.mp4").unlink()
    found, rejects = aihub.find(tmp_path, OLKAVS, "first")
    told = {Path(source.partition("#")[0]).stem.split("_")[5]: reason for source, reason in reasons(rejects).items()}
    assert told == {"C001": "broken-label", "C002": "age", "C003": "broken-label", "C004": "missing-file"}
    assert [one.speaker for one in found] == ["C003", "C005", "C005"]
    assert found[1].prior == ((),) * 25


def test_no_speaker_is_in_two_splits():
    mixed = [take("a", "1", "train"), take("a", "2", "test"), take("b", "1", "train")]
    kept, rejects = takes.divide(mixed, Splits(val=0.1, test=0.1))
    assert [(one.id, one.split) for one in kept] == [("a/2", "test"), ("b/1", "train")]
    assert reasons(rejects) == {"main/a/1.mp4": "speaker-in-two-splits"}


def test_without_lists_speakers_are_divided_by_their_names_alone():
    people = [take(f"p{number}", clip) for number in range(200) for clip in "12"]
    shares = Splits(val=0.1, test=0.2)
    kept, rejects = takes.divide(people, shares)
    home = {one.speaker: one.split for one in kept}
    assert rejects == []
    assert len({(one.speaker, one.split) for one in kept}) == 200
    assert 25 <= sum(split == "test" for split in home.values()) <= 55
    assert 10 <= sum(split == "val" for split in home.values()) <= 32
    fewer = {one.speaker: one.split for one in takes.divide(people[:300], shares)[0]}
    moved = [speaker for speaker, split in fewer.items() if home[speaker] != split]
    assert moved == []


def test_of_three_speakers_each_split_has_one():
    kept, _ = takes.divide([take(name) for name in "abc"], Splits(val=0.01, test=0.01))
    assert sorted(one.split for one in kept) == ["test", "train", "val"]
