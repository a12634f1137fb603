import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from inference import video
from inference.media import MediaError
from inference.soundtrack import Soundtrack


def striped(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """A grey picture whose level tells its number, with a white corner at the upper left."""
    picture = np.full((height, width, 3), 20 + 3 * number, np.uint8)
    picture[: height // 4, : width // 4] = 255
    return picture


def number_of(picture: np.ndarray) -> int:
    return round((float(picture[picture.shape[0] // 2, picture.shape[1] // 2].mean()) - 20) / 3)


def numbers(path: Path, fps: Fraction | None = None, **choice: int) -> list[int]:
    return [number_of(picture) for picture in video.frames(path, fps, **choice)]


def film(path: Path, times: list[Fraction], fps: int = 30, turn: int = 0, mirror: bool = False) -> Path:
    """Write a video whose frames begin at these times, in seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "1", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 3000)
        if turn or mirror:
            stream.set_display_rotation(turn, hflip=mirror)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(striped(number), format="rgb24")
            frame.pts, frame.time_base = round(time * 3000), Fraction(1, 3000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def steady(path: Path, count: int, fps: int = 30, **looks: int) -> Path:
    return film(path, [Fraction(number, fps) for number in range(count)], fps, **looks)


def reason(path: Path, **limits: int) -> str:
    with pytest.raises(MediaError) as error:
        video.probe(path, **limits)
    return error.value.reason


@pytest.mark.parametrize(("fps", "count"), [(24, 24), (25, 25), (Fraction(30000, 1001), 30), (50, 50), (30, 30)])
def test_a_second_at_any_rate_has_as_many_frames_as_that_rate(tmp_path, fps, count):
    assert len(numbers(steady(tmp_path / "x.mp4", 30), Fraction(fps))) == count


def test_a_frame_of_the_grid_is_the_one_that_a_player_shows_at_its_time(tmp_path):
    film(tmp_path / "x.mp4", [Fraction(time, 100) for time in (0, 4, 20, 28)], fps=25)
    assert numbers(tmp_path / "x.mp4", Fraction(25))[:8] == [0, 1, 1, 1, 1, 2, 2, 3]


def test_frames_that_come_a_rounding_late_are_not_repeated(tmp_path):
    film(tmp_path / "x.mp4", [Fraction(number, 25) + Fraction(number % 2, 1000) for number in range(20)], fps=25)
    assert numbers(tmp_path / "x.mp4", Fraction(25)) == list(range(20))


def test_reading_from_the_middle_gives_the_same_frames(tmp_path):
    path = steady(tmp_path / "x.mp4", 50)
    whole = numbers(path, Fraction(25))
    assert numbers(path, Fraction(25), first=31, count=4) == whole[31:35]
    assert numbers(path, Fraction(25), first=3, step=7) == whole[3::7]


@pytest.mark.parametrize(("name", "codec"), [("x.ts", "libx264"), ("x.mpg", "mpeg1video")])
def test_without_an_index_the_frames_from_the_middle_are_the_same(tmp_path, name, codec):
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"g": "12", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 64, 48, "yuv420p", 2_000_000
        for number in range(75):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(striped(number), format="rgb24")))
        container.mux(stream.encode(None))
    whole = numbers(tmp_path / name, Fraction(25))
    for first in (1, 20, 45, 60, 70):
        assert numbers(tmp_path / name, Fraction(25), first=first, count=3) == whole[first : first + 3]


@pytest.mark.parametrize(("turn", "corner"), [(0, "ul"), (90, "ll"), (180, "lr"), (-90, "ur")])
def test_a_rotation_tag_turns_the_picture_upright(tmp_path, turn, corner):
    path = steady(tmp_path / "x.mp4", 2, turn=turn)
    picture = next(video.frames(path))
    info = video.probe(path)
    assert picture.shape == (info.height, info.width, 3)
    assert info.rotation == -turn % 360
    assert (info.width < info.height) == (turn % 180 == 90)
    assert picture[3 if corner[0] == "u" else -3, 3 if corner[1] == "l" else -3].min() > 240


def test_a_mirror_tag_mirrors_the_picture(tmp_path):
    assert next(video.frames(steady(tmp_path / "x.mp4", 2, mirror=True)))[3, -3].min() > 240


def test_what_is_transparent_lies_on_white(tmp_path):
    with av.open(str(tmp_path / "x.mov"), "w") as container:
        stream = container.add_stream("qtrle", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "argb"
        picture = np.zeros((48, 64, 4), np.uint8)
        picture[:, 32:] = (255, 0, 0, 255)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgba").reformat(format="argb")))
        container.mux(stream.encode(None))
    shown = next(video.frames(tmp_path / "x.mov"))
    assert video.probe(tmp_path / "x.mov").alpha
    assert (shown[5, 5].tolist(), shown[5, 60].tolist()) == ([255, 255, 255], [255, 0, 0])


def test_small_frames_are_asked_for_by_their_longer_side(tmp_path):
    assert next(video.frames(steady(tmp_path / "x.mp4", 1), longest=32)).shape == (24, 32, 3)


def test_a_frame_that_stands_still_cannot_be_written_into(tmp_path):
    first, second = itertools.islice(video.frames(steady(tmp_path / "x.mp4", 4, fps=5), Fraction(25)), 2)
    assert first is second
    with pytest.raises(ValueError, match="read-only"):
        first[:] = 0


def test_what_is_no_video_is_told_by_its_reason(tmp_path):
    (tmp_path / "text.mp4").write_text("no video at all, but words")
    (tmp_path / "empty.mp4").write_bytes(b"")
    whole = steady(tmp_path / "x.mp4", 30).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    reasons = [reason(tmp_path / name) for name in ("text.mp4", "empty.mp4", "cut.mp4")]
    assert reasons == ["not-a-video", "empty", "truncated"]


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "x.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert reason(tmp_path / "x.mp4") == "no-video"


def test_a_video_beyond_the_limits_is_refused_by_its_header(tmp_path):
    path = steady(tmp_path / "x.mp4", 30)
    assert reason(path, most_pixels=64 * 48 - 1) == "too-many-pixels"
    assert reason(path, most_seconds=0.5) == "too-long"


def test_of_a_broken_stream_comes_what_decodes_and_then_the_error(tmp_path):
    data = bytearray(steady(tmp_path / "x.mp4", 60).read_bytes())
    middle = data.index(b"mdat") + (data.index(b"moov") - data.index(b"mdat")) // 2
    data[middle : middle + 400] = b"\xff" * 400
    (tmp_path / "x.mp4").write_bytes(data)
    given = []
    with pytest.raises(MediaError) as error:
        given.extend(number_of(picture) for picture in video.frames(tmp_path / "x.mp4"))
    assert error.value.reason == "corrupt"
    assert given[:10] == list(range(10))
    assert given[-1] == 59


def test_a_list_of_other_files_is_not_followed(tmp_path):
    steady(tmp_path / "x.mp4", 3)
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile 'x.mp4'\n")
    assert reason(tmp_path / "list.mp4") == "not-a-video"


def test_the_same_frames_are_encoded_to_the_same_bytes():
    pictures = [striped(number) for number in range(5)]
    assert video.encode(pictures) == video.encode(pictures)


@pytest.mark.parametrize("fps", [Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30), Fraction(50)])
@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (96000, 2)])
def test_what_is_written_lasts_as_long_as_its_sound_to_half_a_frame(tmp_path, tone, fps, rate, channels):
    sound = tone("x.wav", 1.337, rate, channels)
    with video.Writer(tmp_path / "x.mp4", 64, 48, fps, Soundtrack(sound)) as writer:
        for number in range(round(1.337 * fps)):
            writer.write(striped(number))
    with av.open(str(tmp_path / "x.mp4")) as container:
        lengths = [float(stream.duration * stream.time_base) for stream in container.streams]
    assert lengths == pytest.approx([1.337, 1.337], abs=float(0.5 / fps) + 0.001)
    assert video.probe(tmp_path / "x.mp4").fps == fps


def test_a_sound_that_begins_after_the_picture_still_does_when_written_anew(tmp_path, tone):
    late = tmp_path / "late.mp4"
    beep = (np.sin(np.arange(48000) / 20) * 0.5).astype(np.float32)[None]
    with av.open(str(late), "w") as container:
        picture, sound = container.add_stream("libx264", rate=25), container.add_stream("aac", rate=48000)
        picture.width, picture.height, picture.pix_fmt, sound.layout = 64, 48, "yuv420p", "mono"
        for _ in range(50):
            container.mux(picture.encode(av.VideoFrame.from_ndarray(striped(0), format="rgb24")))
        frame = av.AudioFrame.from_ndarray(beep, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 24000, Fraction(1, 48000)
        container.mux(picture.encode(None) + sound.encode(frame) + sound.encode(None))
    heard = np.concatenate(list(Soundtrack(late).blocks()), axis=1)[0]
    assert np.abs(heard[: 48000 * 47 // 100]).max() < 0.01
    assert np.abs(heard[48000 * 53 // 100 : 48000]).max() > 0.4


def test_the_same_frames_and_sound_are_written_to_the_same_bytes(tmp_path, tone):
    for name in ("a.mp4", "b.mp4"):
        with video.Writer(tmp_path / name, 64, 48, Fraction(25), Soundtrack(tone("x.wav", 0.4))) as writer:
            for number in range(10):
                writer.write(striped(number))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
