"""Sound lands where its timestamps say, the mel is the published one, and streams give what the whole gives."""

import tracemalloc
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import onnxruntime
import pytest

from inference import audio, weights
from inference.media import MediaError

FRAMES = 1024  # samples to a frame of sound, as AAC has them


def click(rate: int, seconds: float, *times: float) -> np.ndarray:
    """Silence with short clicks at these times."""
    sound, half = np.zeros(int(rate * seconds), np.float32), int(0.004 * rate)
    pulse = 0.8 * np.hanning(2 * half) * np.sin(2 * np.pi * 1500 * np.arange(2 * half) / rate)
    for time in times:
        sound[int(time * rate) - half : int(time * rate) + half] = pulse
    return sound


def clicks(sound: np.ndarray) -> list[float]:
    """Find the times of clicks."""
    energy = np.convolve(sound**2, np.ones(64) / 64, "same")
    found = []
    while energy.max() > 2e-2:
        middle = int(energy.argmax())
        found.append(middle / audio.RATE)
        energy[max(0, middle - 1600) : middle + 1600] = 0
    return sorted(found)


def write(
    path: Path,
    sound: np.ndarray,
    rate: int = 16_000,
    codec: str = "aac",
    at: float = 0,
    video_at: float | None = None,
    jump: tuple[float, float] | None = None,
    channels: int = 1,
) -> Path:
    """Write sound that begins at `at`, pictures at `video_at`; `jump`: from the first time on, by the second later."""
    layout = "stereo" if channels == 2 else "mono"
    with av.open(str(path), "w", options={"movflags": "faststart"} if path.suffix == ".mp4" else {}) as container:
        video = None if video_at is None else container.add_stream("libx264", rate=25, width=64, height=64)
        stream = container.add_stream(codec, rate=rate, layout=layout)
        for number in range(100 if video else 0):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number + round(video_at * 25), Fraction(1, 25)
            container.mux(video.encode(frame))
        if video:
            container.mux(video.encode(None))
        resampler = av.AudioResampler(stream.codec_context.codec.audio_formats[0].name, layout, rate)
        for first in range(0, len(sound), FRAMES):
            part = np.repeat(sound[None, first : first + FRAMES], channels, axis=0)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format="fltp", layout=layout)
            late = jump[1] if jump and first >= jump[0] * rate else 0
            frame.sample_rate, frame.pts, frame.time_base = rate, first + round((at + late) * rate), Fraction(1, rate)
            for ready in resampler.resample(frame):
                container.mux(stream.encode(ready))
        container.mux(stream.encode(None))
    return path


def reason(path: Path, **choice: float) -> str:
    with pytest.raises(MediaError) as error:
        audio.decode(path, **choice)
    return error.value.reason


@pytest.mark.parametrize(
    ("name", "codec", "rate", "channels"),
    [
        ("x.wav", "pcm_s16le", 96_000, 2),
        ("x.wav", "pcm_u8", 8_000, 1),
        ("x.flac", "flac", 44_100, 2),
        ("x.mp3", "mp3", 44_100, 2),
        ("x.m4a", "aac", 48_000, 1),
        ("x.webm", "libopus", 48_000, 1),
    ],
)
def test_any_sound_becomes_16_khz_mono_of_the_same_loudness_at_the_same_times(tmp_path, name, codec, rate, channels):
    sound = audio.decode(write(tmp_path / name, click(rate, 3, 1, 2), rate, codec, channels=channels))
    assert sound.dtype == np.float32
    assert len(sound) == pytest.approx(3 * audio.RATE, abs=FRAMES)
    assert clicks(sound) == pytest.approx([1, 2], abs=0.001)
    assert abs(sound).max() == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("name", ["x.mp4", "x.mkv"])
@pytest.mark.parametrize(("at", "video_at"), [(0, 0), (0.5, 0), (0, 0.4)])
def test_time_zero_is_the_first_picture(tmp_path, name, at, video_at):
    path = write(tmp_path / name, click(16_000, 3, 1, 2), at=at, video_at=video_at)
    assert clicks(audio.decode(path)) == pytest.approx([1 + at - video_at, 2 + at - video_at], abs=0.001)


def test_a_gap_in_the_timestamps_is_silence_of_its_length(tmp_path):
    path = write(tmp_path / "x.mp4", click(16_000, 3, 1, 2), video_at=0, jump=(1.5, 1))
    assert clicks(audio.decode(path)) == pytest.approx([1, 3], abs=0.001)


def test_a_piece_of_the_middle_is_that_piece_of_the_whole(tmp_path):
    path = write(tmp_path / "x.mp4", click(16_000, 30, *range(1, 30)), video_at=0)
    whole, piece = audio.decode(path), audio.decode(path, start=20.5, seconds=2)
    np.testing.assert_allclose(piece, whole[328_000:360_000], atol=1e-6)
    assert clicks(piece) == pytest.approx([0.5, 1.5], abs=0.001)


def test_a_piece_beyond_the_end_is_short_and_one_behind_it_empty(tmp_path):
    path = write(tmp_path / "x.wav", click(16_000, 3, 1), codec="pcm_s16le")
    assert len(audio.decode(path, start=2.5, seconds=9)) == 8_000
    assert reason(path, start=3.5, seconds=1) == "empty"


def test_blocks_are_the_whole_in_a_second_at_most(tmp_path):
    path = write(tmp_path / "x.m4a", click(48_000, 4, 1, 2, 3), 48_000)
    found = list(audio.blocks(path))
    assert max(map(len, found)) <= audio.RATE
    assert np.concatenate(found).tobytes() == audio.decode(path).tobytes()


def test_clipped_sound_stays_in_range(tmp_path):
    loud = np.sign(np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100)).astype(np.float32)
    assert abs(audio.decode(write(tmp_path / "x.m4a", loud, 44_100))).max() == 1


def damaged(path: Path, share: float = 1, flips: int = 0) -> Path:
    """Keep a share of a file's bytes, or turn some over behind its index."""
    data = bytearray(path.read_bytes())
    for position in np.random.default_rng(1).integers(data.find(b"mdat") + 8, len(data), flips):
        data[position] ^= 255
    path.write_bytes(bytes(data[: int(len(data) * share)]))
    return path


def silent_video(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def no_seconds(path: Path) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", ""))
    return path


def said(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda folder: said(folder / "x.wav", b""), "empty"),
        (lambda folder: no_seconds(folder / "x.wav"), "empty"),
        (lambda folder: said(folder / "x.mp3", b"<html>no such file</html>"), "not-audio"),
        (lambda folder: silent_video(folder / "x.mp4"), "no-audio"),
        (lambda folder: damaged(write(folder / "x.mp4", click(16_000, 9, *range(1, 9))), share=0.75), "truncated"),
        (lambda folder: damaged(write(folder / "x.mp4", click(16_000, 9, *range(1, 9))), share=0.2), "truncated"),
        (lambda folder: damaged(write(folder / "x.mp4", click(16_000, 9, *range(1, 9))), flips=2000), "corrupt"),
        (lambda folder: write(folder / "x.wav", np.full(9, np.nan, np.float32), codec="pcm_f32le"), "corrupt"),
    ],
)
def test_what_is_no_sound_has_a_reason(tmp_path, make: Callable[[Path], Path], expected):
    assert reason(make(tmp_path)) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nother.aac\n#EXT-X-ENDLIST\n"),
        ("x.txt", "ffconcat version 1.0\nfile other.aac\n"),
    ],
)
def test_a_list_that_names_other_files_is_not_followed(tmp_path, name, text):
    write(tmp_path / "other.aac", click(16_000, 3, 1))
    assert reason(said(tmp_path / name, text.encode())) == "not-audio"


def test_longer_than_allowed_is_refused_but_a_piece_of_it_is_not(tmp_path):
    path = write(tmp_path / "x.wav", click(16_000, 3, 1), codec="pcm_s16le")
    assert reason(path, most_seconds=2) == reason(path, most_seconds=2, seconds=2.5) == "too-long"
    assert len(audio.decode(path, most_seconds=2, seconds=2)) == 32_000


# -- mel ---------------------------------------------------------------------------------------------------------------


def sweep() -> np.ndarray:
    time = np.arange(4000) / 16_000
    wave = 0.5 * np.sin(2 * np.pi * (100 + 6000 * time) * time) * (1 + np.cos(2 * np.pi * 9 * time)) / 2
    return wave.astype(np.float32)


# Of `sweep`, by the published code with librosa 0.11: rows 0, 10, 40, 79 at columns 0, 1, 2, 10, 18, 19, 20.
GOLDEN = {
    "reflect": [
        [0.71676, 0.25257, -1.77876, -4.0, -4.0, -0.81907, -0.34286],
        [-1.50695, 0.14822, 1.01008, -4.0, -4.0, -0.80299, -0.32676],
        [-2.32326, -2.8049, -4.0, 1.84105, -4.0, -0.52525, -0.04902],
        [-2.42325, -2.9049, -4.0, -4.0, -4.0, -1.29341, -0.8172],
    ],
    "constant": [
        [0.25172, -0.10873, -1.77876, -4.0, -4.0, -1.17773, -0.70011],
        [-1.16597, 0.1481, 1.01008, -4.0, -4.0, -1.16355, -0.68595],
        [-2.13776, -2.61716, -4.0, 1.84105, -4.0, -0.91327, -0.43572],
        [-2.89888, -3.37785, -4.0, -4.0, -4.0, -2.11341, -1.63963],
    ],
}


@pytest.mark.parametrize("padding", ["reflect", "constant"])
def test_the_mel_is_the_published_one(padding):
    found = audio.mel(sweep(), padding)
    assert found.dtype == np.float32
    assert found.shape == (80, 21)
    picked = found[np.ix_([0, 10, 40, 79], [0, 1, 2, 10, 18, 19, 20])]
    np.testing.assert_allclose(picked, GOLDEN[padding], atol=3e-5)
    mean = {"reflect": -2.833631, "constant": -2.872083}[padding]
    assert found.mean(dtype=np.float64) == pytest.approx(mean, abs=3e-6)


def test_the_paddings_differ_in_two_columns_at_each_end_alone():
    differs = np.abs(audio.mel(sweep()) - audio.mel(sweep(), "constant")).max(axis=0)
    assert np.flatnonzero(differs).tolist() == [0, 1, 19, 20]


def test_silence_is_the_lowest_value_and_noise_stays_within_the_highest():
    assert (audio.mel(np.zeros(5000, np.float32)) == audio.SILENCE).all()
    noise = np.random.default_rng(0).uniform(-1, 1, 16_000).astype(np.float32)
    assert 0 < audio.mel(100 * noise).max() <= 4


@pytest.mark.parametrize("count", [0, 1, 199, 200, 400, 401, 801])
@pytest.mark.parametrize("padding", ["reflect", "constant"])
def test_so_many_samples_have_one_column_for_each_200_begun_and_one_more(count, padding):
    sound = np.random.default_rng(count).uniform(-1, 1, count).astype(np.float32)
    found = audio.mel(sound, padding)
    assert found.shape == (80, 1 + count // 200)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("step", [1, 401, 1024, 60_000])
@pytest.mark.parametrize("padding", ["reflect", "constant"])
def test_a_stream_gives_the_mel_of_the_whole_to_the_bit(step, padding):
    sound = np.random.default_rng(0).normal(0, 0.1, 120_345 if step > 1 else 3_000).astype(np.float32)
    stream = audio.MelStream(padding)
    found = [stream.push(sound[first : first + step]) for first in range(0, len(sound), step)]
    assert np.concatenate([*found, stream.finish()], axis=1).tobytes() == audio.mel(sound, padding).tobytes()


def test_a_stream_of_minutes_holds_seconds():
    stream, second = audio.MelStream(), np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    stream.push(second)
    tracemalloc.start()
    columns = sum(stream.push(second).shape[1] for _ in range(120))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert columns == pytest.approx(9600, abs=audio.BLOCK)
    assert peak < 8e6  # two minutes are 15 MB as they come, 31 MB as they are computed


# int(i * 80 / fps): the published indices.
STARTS = {
    24: [0, 3, 6, 10, 13, 16, 20, 23, 26, 30, 33, 36],
    25: [0, 3, 6, 9, 12, 16, 19, 22, 25, 28, 32, 35],
    29.97: [0, 2, 5, 8, 10, 13, 16, 18, 21, 24, 26, 29],
    30: [0, 2, 5, 8, 10, 13, 16, 18, 21, 24, 26, 29],
    50: [0, 1, 3, 4, 6, 8, 9, 11, 12, 14, 16, 17],
}


@pytest.mark.parametrize("fps", STARTS)
def test_a_frames_window_begins_at_its_time(fps):
    assert [audio.column(frame, fps) for frame in range(12)] == STARTS[fps]


def test_an_hour_of_ntsc_ends_at_the_column_of_its_time():
    assert audio.column(30_000 * 3600 // 1000, Fraction(30_000, 1001)) == 80 * 1001 * 36 // 10


def test_windows_cover_the_mel_and_are_silence_beyond_its_ends():
    mel = np.arange(100, dtype=np.float32)[None].repeat(80, axis=0)
    assert audio.window(mel, 5)[0].tolist() == list(range(16, 32))
    assert audio.window(mel, -1)[0].tolist() == [-4] * 4 + list(range(12))
    assert audio.window(mel, 30)[0].tolist() == [96, 97, 98, 99] + [-4] * 12
    assert (audio.window(mel, 99) == audio.SILENCE).all()
    assert (audio.window(mel, -99) == audio.SILENCE).all()


def test_the_windows_of_a_piece_of_a_stream_are_those_of_the_whole():
    mel = np.random.default_rng(0).normal(size=(80, 200)).astype(np.float32)
    frames = range(20, 50)
    pieces = audio.windows(mel[:, 60:180], frames, first=60)
    assert pieces.shape == (30, 80, 16)
    assert pieces.tobytes() == audio.windows(mel, frames).tobytes()


# -- speech ------------------------------------------------------------------------------------------------------------


def test_speech_is_told_from_noise_and_silence(assets):
    spoken = audio.decode(assets / "talking_heads/LatentSync/demo2_audio.wav", seconds=8)
    noise = np.random.default_rng(0).normal(0, abs(spoken).mean(), len(spoken)).astype(np.float32)
    likely = audio.speech(np.concatenate([noise, spoken, np.zeros_like(spoken)])).reshape(3, 200).mean(axis=1)
    assert likely[1] > 0.7
    assert max(likely[0], likely[2]) < 0.2


def test_what_was_heard_before_counts_however_long_ago():
    time = np.arange(9 * audio.RATE) / audio.RATE
    voiced = sum(np.sin(2 * np.pi * 120 * k * time) * np.exp(-(((k * 120 - 700) / 400) ** 2)) for k in range(1, 15))
    sound = (0.1 * voiced * (1 + np.sin(2 * np.pi * 4 * time))).astype(np.float32)
    chunks = np.lib.stride_tricks.sliding_window_view(np.pad(sound, (64, 512)), 576)[::512]
    session, state = onnxruntime.InferenceSession(weights.path("silero_vad")), np.zeros((1, 1, 128), np.float32)
    at_once, *_ = session.run(["speech_probs"], {"input": np.ascontiguousarray(chunks), "h": state, "c": state})
    expected = at_once.reshape(-1)[:280].repeat(4).reshape(-1, 5).mean(axis=1)
    np.testing.assert_allclose(audio.speech(sound)[:224], expected, atol=1e-5)


def test_each_frame_that_was_begun_has_a_probability():
    assert audio.speech(np.zeros(0, np.float32)).shape == (0,)
    found = audio.speech(np.zeros(6401, np.float32))
    assert (found.shape, found.dtype) == ((11,), np.float32)
    assert ((found >= 0) & (found <= 1)).all()


def test_a_stream_tells_of_speech_what_the_whole_tells():
    sound = np.random.default_rng(0).normal(0, 0.1, 200_000).astype(np.float32)
    stream = audio.SpeechStream()
    found = [stream.push(sound[first : first + 7001]) for first in range(0, len(sound), 7001)]
    assert np.concatenate([*found, stream.finish()]).tobytes() == audio.speech(sound).tobytes()
