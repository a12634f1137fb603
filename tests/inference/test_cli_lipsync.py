import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from inference import bundle as bundles
from inference import cli, cli_lipsync, mark, video
from inference.media import MediaError
from inference.networks.wav2lip import Generator, Wav2LipConfig
from inference.soundtrack import Soundtrack

ROOT = Path(__file__).resolve().parents[2]
TINY = Wav2LipConfig(width=0.02)
ABOUT = {
    "name": "lipsync",
    "version": "0.1.0",
    "task": "lipsync",
    "network": {"kind": "wav2lip", "width": TINY.width, "edge": TINY.edge},
    "precision": "float32",
    "licences": {"weights": "CC0-1.0", "code": "Apache-2.0", "data": "CC0-1.0"},
    "commercial": True,
    "demo": True,
    "mel": {"padding": "reflect", "lead": 0},
    "expert": {"sha256": "0" * 64},
    "provenance": {},
    "metrics": {},
    "created": "2026-01-01T00:00:00Z",
}


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> Path:
    """A folder with a generator of random weights."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("bundles")
    bundles.write(folder / "lipsync", ABOUT, {bundles.MODEL: Generator(TINY).state_dict()})
    return folder


@pytest.fixture(autouse=True)
def a_place_of_its_own(places, tmp_path, monkeypatch):
    monkeypatch.setenv("DRAMATIS_BUNDLES", str(places))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def face(portrait, tmp_path) -> str:
    Image.fromarray(portrait(1, 161)).save(tmp_path / "face.png")
    return "face.png"


def dramatis(*words: str, code: int = 0) -> None:
    assert cli.run(["lipsync", "--no-cache", *words]) == code


def refused(capsys, *words: str) -> str:
    """Run what must be refused: exit code 2, nothing on stdout, one line on stderr, nothing left behind."""
    before = sorted(os.listdir())
    dramatis(*words, code=2)
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("error: ")
    assert sorted(os.listdir()) == before
    return line


def lengths(path: str) -> list[float]:
    with av.open(path) as container:
        return [float(stream.duration * stream.time_base) for stream in container.streams]


def test_a_picture_says_a_sound_and_the_video_is_marked(face, tone, capsys):
    tone("say.wav", 1.0)
    dramatis("-f", face, "-a", "say.wav", "--consent", "her own word, 2026-11-20", "--json")
    (file,) = json.loads(capsys.readouterr().out)["files"]
    verdict = mark.read(Path("talking.mp4"))
    assert (verdict.state, verdict.generated) == ("valid", True)
    assert verdict.recipe["consent"] == {"statement": "her own word, 2026-11-20"}
    assert verdict.recipe == file["recipe"]
    assert (file["frames"], file["without_face"]) == (25, [])
    assert (file["width"], file["height"]) == (160, 160)  # of 161: the video has no odd sides
    assert video.probe(Path("talking.mp4")).audio
    assert lengths("talking.mp4") == pytest.approx([1, 1], abs=0.02)
    assert sorted(os.listdir()) == ["config", "face.png", "say.wav", "talking.mp4"]


def test_the_same_face_and_sound_are_the_same_bytes_twice(face, tone):
    tone("say.wav", 0.4)
    for name in ("a.mp4", "b.mp4"):
        dramatis("-f", face, "-a", "say.wav", "-o", name)
    assert Path("a.mp4").read_bytes() == Path("b.mp4").read_bytes()


@pytest.mark.parametrize("fps", [24, 25, Fraction(30000, 1001), 30, 50])
def test_a_video_keeps_its_rate_and_lasts_as_long_as_the_sound(film, tone, portrait, fps):
    film("face.mp4", [portrait(1, 160)] * 12, fps)
    tone("say.wav", 1.03, 96000, 2)
    dramatis("-f", "face.mp4", "-a", "say.wav")
    assert lengths("talking.mp4") == pytest.approx([1.03, 1.03], abs=float(0.5 / fps) + 0.001)
    assert video.probe(Path("talking.mp4")).fps == fps


def test_frames_without_a_face_are_told_and_left_as_they_are(film, tone, portrait, capsys):
    film("face.mp4", [portrait(1, 160)] * 10 + [np.full((160, 160, 3), 90, np.uint8)] * 9 + [portrait(1, 160)] * 6)
    tone("say.wav", 1.0)
    dramatis("-f", "face.mp4", "-a", "say.wav")
    assert "9 without a face were left as they are (10-18)" in capsys.readouterr().out
    assert list(video.frames(Path("talking.mp4")))[14].std() < 3


def test_a_preview_is_the_frame_of_the_video(face, tone):
    tone("say.wav", 1.0)
    dramatis("-f", face, "-a", "say.wav", "-o", "x.mp4")
    dramatis("-f", face, "-a", "say.wav", "-o", "x.mp4", "--preview", "--second", "0.6")
    shown, preview = list(video.frames(Path("x.mp4")))[15], np.asarray(Image.open("x.png"))[:160, :160]
    assert np.abs(shown.astype(int) - preview).mean() < 4
    assert mark.read(Path("x.png")).recipe["frame"] == 15
    assert b"compositeWithTrainedAlgorithmicMedia" in Path("x.png").read_bytes()


def test_what_a_video_is_made_from_is_never_overwritten(film, tone, portrait, capsys):
    Image.fromarray(portrait(1, 160)).save("a.png")
    os.mkdir("faces")
    for name in ("a.mp4", "faces/b.mp4"):
        film(name, [portrait(1, 160)] * 5)
    tone("say.wav", 0.2)
    before = [Path(name).read_bytes() for name in ("a.png", "a.mp4", "faces/b.mp4")]
    assert "--face a.mp4" in refused(capsys, "-f", "a.mp4", "-a", "say.wav", "-o", "a.mp4")
    assert "--face a.png" in refused(capsys, "-f", "a.png", "-a", "say.wav", "-o", "a.mp4", "--preview")
    dramatis("-f", "faces", "-a", "say.wav", "-o", "faces", code=2)
    assert [Path(name).read_bytes() for name in ("a.png", "a.mp4", "faces/b.mp4")] == before


def test_a_folder_is_matched_by_name_and_what_cannot_be_made_is_told(portrait, tone, capsys):
    for folder in ("faces", "sounds"):
        os.mkdir(folder)
    for name in ("민지", "lonely"):
        Image.fromarray(portrait(1, 160)).save(f"faces/{name}.png")
    Path("faces/broken.mp4").write_text("words")
    for name in ("민지", "broken", "nobody"):
        tone(f"sounds/{name}.wav", 0.3)
    dramatis("-f", "faces", "-a", "sounds", "-o", "dubbed/", "--json", code=2)
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert "1 of 3 sounds are said by no face: nobody.wav" in printed.err
    assert [file["path"] for file in told["files"]] == ["dubbed/민지.mp4"]
    assert [Path(failure["face"]).name for failure in told["failed"]] == ["lonely.png", "broken.mp4"]
    assert os.listdir("dubbed") == ["민지.mp4"]


def test_one_that_fails_in_the_middle_is_told_and_the_others_are_made(portrait, tone, capsys, monkeypatch):
    os.mkdir("faces")
    for number in range(3):
        Image.fromarray(portrait(1, 160)).save(f"faces/{number}.png")
    errors = iter([MediaError("corrupt", "gone"), OSError(28, "No space left on device"), None])

    def write(writer: video.Writer, picture: np.ndarray) -> None:
        if error := next(errors, None):
            raise error
        written(writer, picture)

    written = video.Writer.write
    monkeypatch.setattr(video.Writer, "write", write)
    dramatis("-f", "faces", "-a", str(tone("say.wav", 0.2)), "-o", "out", code=2)
    assert os.listdir("out") == ["2.mp4"]
    said = capsys.readouterr().err
    assert "gone (corrupt)" in said
    assert "No space left" in said


def test_a_folder_is_gone_on_with_where_it_was_left(portrait, tone, capsys):
    os.mkdir("faces")
    for number in (1, 2):
        Image.fromarray(portrait(number, 160)).save(f"faces/{number}.png")
    os.mkdir("out")
    Path("out/1.mp4").write_bytes(b"made before")
    dramatis("-f", "faces", "-a", str(tone("say.wav", 0.3)), "-o", "out", "--resume", "--json")
    printed = capsys.readouterr()
    assert [file["path"] for file in json.loads(printed.out)["files"]] == ["out/2.mp4"]
    assert "1 of 2 were there already" in printed.err
    assert Path("out/1.mp4").read_bytes() == b"made before"


def test_a_video_that_breaks_off_is_used_as_far_as_it_goes(film, tone, portrait, capsys):
    path = film("face.mp4", [portrait(1, 160 + number % 2)[:160, :160] for number in range(60)])
    data = bytearray(path.read_bytes())
    middle = (data.index(b"mdat") + len(data)) // 2
    data[middle : middle + 300] = b"\xff" * 300
    path.write_bytes(data)
    dramatis("-f", "face.mp4", "-a", str(tone("say.wav", 3.0)))  # longer than the film: all of it is read
    assert "cannot be decoded" in capsys.readouterr().err
    assert lengths("talking.mp4") == pytest.approx([3, 3], abs=0.02)


def test_a_phone_held_upright_gives_an_upright_video_of_varying_rate(tone, portrait):
    with av.open("phone.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 200, 160, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 3000)
        stream.set_display_rotation(-90)
        upright = np.full((200, 160, 3), 120, np.uint8)
        upright[20:180] = portrait(1, 160)
        for tick in (0, 100, 210, 290, 600, 700, 810, 900):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.rot90(upright)), format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 3000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    dramatis("-f", "phone.mp4", "-a", str(tone("say.wav", 0.5)))
    info = video.probe(Path("talking.mp4"))
    assert (info.width, info.height, info.rotation) == (160, 200, 0)
    assert lengths("talking.mp4") == pytest.approx([0.5, 0.5], abs=0.02)


def test_a_cut_out_person_and_a_video_of_one_frame_speak_too(tone, film, portrait):
    cut = np.dstack([portrait(1, 160), np.where(np.arange(160) < 150, 255, 0)[None].repeat(160, 0)]).astype(np.uint8)
    Image.fromarray(cut).save("cut.png")
    film("one.mp4", [portrait(1, 160)])
    tone("say.wav", 0.2)
    for name in ("cut.png", "one.mp4"):
        dramatis("-f", name, "-a", "say.wav", "-o", f"{name}.mp4")
        assert len(list(video.frames(Path(f"{name}.mp4")))) == 5
    assert next(video.frames(Path("cut.png.mp4")))[80, 156].min() > 240


def test_a_sound_may_be_taken_from_a_video(face, tone, portrait):
    with video.Writer(Path("clip.mp4"), 160, 160, Fraction(25), Soundtrack(tone("say.wav", 0.5))) as writer:
        for _ in range(12):
            writer.write(portrait(1, 160))
    dramatis("-f", face, "-a", "clip.mp4")
    assert lengths("talking.mp4") == pytest.approx([0.5, 0.5], abs=0.03)


def test_what_is_missing_or_wrong_is_one_line(face, film, tone, capsys, portrait):
    tone("say.wav", 0.3)
    tone("nothing.wav", 0)
    film("nobody.mp4", [np.full((120, 160, 3), 90, np.uint8)] * 6)
    film("mute.mp4", [portrait(1, 160)] * 4)
    Path("words.mp4").write_text("words")
    wrong = {
        ("-f", "gone.png", "-a", "say.wav"): "gone.png",
        ("-f", "nobody.mp4", "-a", "say.wav"): "no face was found",
        ("-f", "words.mp4", "-a", "say.wav"): "not-a-video",
        ("-f", "say.wav", "-a", "say.wav"): "not-a-video",
        ("-f", face, "-a", "nothing.wav"): "empty",
        ("-f", face, "-a", "mute.mp4"): "no-audio",
        ("-f", face, "-a", "words.mp4"): "not-audio",
        ("-f", face, "-a", "say.wav", "-o", "x.avi"): ".mp4",
        ("-f", face, "-a", "say.wav", "--who", "tallest"): "--who",
        ("-f", face, "-a", "say.wav", "--reference", "none"): "--reference",
        ("-f", face, "-a", "say.wav", "--backend", "abacus"): "--backend",
        ("-f", face, "-a", "say.wav", "--fps", "5"): "--fps",
        ("-f", face, "-a", "say.wav", "--second", "1"): "--preview",
        ("-f", face, "-a", "say.wav", "--preview", "--second", "9"): "--second",
        ("-f", face, "-a", "say.wav", "--preview", "--second", "nan"): "--second 'nan' must be a number",
        ("-f", face, "-a", "say.wav", "--preview", "--second", "inf"): "--second 'inf' must be a number",
        ("-f", face, "-a", "say.wav", "--bundle", "nowhere"): "nowhere",
        ("-f", face, "-a", "say.wav", "--resume"): "--resume",
        ("-f", face, "-a", "say.wav", "--consent", " "): "--consent",
    }
    for words, why in wrong.items():
        assert why in refused(capsys, *words)


def test_a_bundle_for_something_else_is_refused(face, tone, capsys, shared_bundle):
    line = refused(capsys, "-f", face, "-a", str(tone("say.wav", 0.3)), "-b", str(shared_bundle.folder))
    assert "lipsync" in line


def test_help_and_mistakes_wait_for_no_network():
    code = "import sys; from inference import cli; cli.run(['lipsync', '--face', 'gone', '--audio', 'gone'])\n"
    code += "sys.exit('torch' in sys.modules or 'cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=100).returncode == 0


def test_the_search_for_the_face_tells_of_all_frames_that_it_looks_at(film, tone, portrait, monkeypatch):
    film("face.mp4", [portrait(1, 160)] * 12)
    told = []
    monkeypatch.setattr(cli_lipsync, "watched", lambda items, total, label: told.append((label, total)) or items)
    dramatis("-f", "face.mp4", "-a", str(tone("say.wav", 0.2)))
    assert told == [("looking for the face", 12), ("speaking", 5)]


def test_progress_tells_how_long_is_left(monkeypatch):
    lines, clock = [], iter(range(0, 1000, 4))
    monkeypatch.setattr(cli_lipsync.time, "monotonic", lambda: next(clock))
    assert list(cli_lipsync.watched(range(10), 10, "speaking", lines.append)) == list(range(10))
    assert lines[0] == "speaking: 3 of 10 frames, 0.2 a second, 0:28 left"
