"""Music is heard as librosa hears it, its beats fall where they were struck, and odd sound does no harm."""

import json
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from inference import beats, chroma, music, onsets
from inference.errors import UserError
from inference.media import MediaError

RATE = music.FPS * music.HOP
# What librosa 0.11.0 gives for `song(RATE, 6)`: every 12th row of what has a row a frame. Beats are those of
# `beat_track` on its own onset strength, with start_bpm=120 and tightness=100; the tuning is in bins of 36 an octave.
LIBROSA = json.loads(Path(__file__).with_name("librosa.json").read_text())
ROWS = slice(None, None, 12)


def song(rate: int, seconds: float, bpm: float = 117.0, metre: int = 4, begins: float = 0.0) -> np.ndarray:
    """Drums with hats between the beats, a bass, and chords that are 8 cents sharp: float32 [n]."""
    random = np.random.RandomState(5)  # whose numbers no version of numpy changes
    mix = np.zeros(round(rate * seconds))

    def strike(at: float, lasts: float, fades: float, sound: Callable[[np.ndarray], np.ndarray]) -> None:
        times = np.arange(round(lasts * rate)) / rate
        first = round(at * rate)
        struck = (sound(times) * np.exp(-times / fades))[: max(0, len(mix) - first)]
        mix[first : first + len(struck)] += struck

    def tone(hertz: float) -> Callable[[np.ndarray], np.ndarray]:
        return lambda times: sum(np.sin(2 * np.pi * hertz * k * times) / k for k in (1, 2, 3))

    for count, at in enumerate(np.arange(begins, seconds, 60 / bpm)):
        root = 55 * 2 ** ([0, 5, 7, 3][count // metre % 4] / 12 + 8 / 1200)
        strike(at, 0.25, 0.06, lambda times: 0.8 * np.sin(2 * np.pi * (50 * times - 6 * np.exp(-times / 0.03))))
        if count % metre % 2:
            strike(at, 0.2, 0.05, lambda times: 0.4 * random.standard_normal(len(times)))
        for half in (0, 30 / bpm):
            strike(at + half, 0.05, 0.01, lambda times: 0.15 * np.diff(random.standard_normal(len(times) + 1)))
        strike(at, 60 / bpm, 0.4, lambda times, bass=root: 0.3 * np.sin(2 * np.pi * bass * times))
        for note in (0, 4, 7) if count % metre == 0 else ():
            chord = tone(4 * root * 2 ** (note / 12))
            strike(at, 60 * metre / bpm, 1.5, lambda times, chord=chord: 0.12 * chord(times))
    return (0.8 * mix / np.abs(mix).max()).astype(np.float32)


def struck(seconds: float, bpm: float, begins: float = 0.0) -> np.ndarray:
    return np.arange(begins, seconds, 60 / bpm)


def f1(found: np.ndarray, true: np.ndarray, within: float) -> float:
    """The share of beats that have one of the others so close, in seconds, and none shares one."""
    near = np.abs(found[:, None] - true) <= within
    return 2 * min(near.any(axis=0).sum(), near.any(axis=1).sum()) / (len(found) + len(true))


def write(path: Path, samples: np.ndarray, rate: int, codec: str = "pcm_s16le") -> Path:
    """Write float32 [channels, n]."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="stereo" if len(samples) == 2 else "mono")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", stream.layout.name)
        frame.sample_rate = rate
        fifo = av.AudioFifo()
        fifo.write(frame)
        resampler = av.AudioResampler(stream.codec_context.codec.audio_formats[0].name, stream.layout.name, rate)
        while piece := fifo.read(1152, partial=True):
            for ready in resampler.resample(piece):
                container.mux(stream.encode(ready))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def six_seconds() -> np.ndarray:
    return song(RATE, 6)


@pytest.fixture(scope="module")
def heard(six_seconds) -> music.Features:
    return music.features(six_seconds, RATE)


# -- as librosa hears --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "name", "off"),
    [(music.ENVELOPE, "envelope", 1e-3), (music.MFCC, "mfcc", 1e-2), (music.CHROMA, "cens", 1e-3)],
)
def test_features_are_those_of_librosa(heard, columns, name, off):
    ours = heard.array[ROWS, columns]
    assert np.abs(ours - LIBROSA[name]).max() < off
    assert np.abs(np.diff(ours, axis=0)).max() > 100 * off


def test_peaks_of_onsets_are_those_of_librosa(heard):
    assert np.flatnonzero(heard.array[:, music.PEAK]).tolist() == LIBROSA["peaks"]


def test_the_tuning_is_that_of_librosa(six_seconds):
    assert chroma.tuning(six_seconds, RATE, music.HOP) == pytest.approx(LIBROSA["tuning"])


def test_librosa_tracks_the_same_beats_in_the_same_envelope_but_for_the_end(six_seconds):
    envelope = onsets.strength(onsets.decibels(six_seconds, RATE, music.HOP), music.HOP)
    found = beats.track(envelope, music.FPS, LIBROSA["tempo"]).tolist()
    assert found[:-2] == LIBROSA["beats"][:-2]


def test_a_note_sounds_in_its_own_column():
    times = np.arange(2 * RATE) / RATE
    for hertz, column in ((261.63, 0), (440.0, 9), (493.88, 11)):
        tone = np.sin(2 * np.pi * hertz * times).astype(np.float32)
        assert chroma.cens(tone, RATE, music.HOP)[30].argmax() == column


# -- beats -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bpm", "metre"), [(80, 4), (96, 3), (117, 4), (128, 4), (150, 3)])
def test_beats_are_found_to_20_ms_whatever_tempo_and_metre(bpm, metre):
    found = beats.find(song(beats.RATE, 12, bpm, metre, begins=0.4))
    assert f1(found, struck(12, bpm, 0.4), 0.02) > 0.95


def test_beats_are_neither_late_nor_early(heard):
    true = struck(6, 117)
    nearest = np.abs(heard.beats[:, None] - true).argmin(axis=1)
    assert abs(np.mean(heard.beats - true[nearest])) < 0.008


def test_the_last_beat_is_one_even_if_something_sounds_after_it():
    samples = np.concatenate([song(beats.RATE, 12, 96, 3, begins=0.4), np.zeros(beats.RATE, np.float32)])
    assert beats.find(samples)[-1] == pytest.approx(struck(12, 96, 0.4)[-1], abs=0.02)


def test_a_known_tempo_settles_which_of_two_levels_is_the_beat():
    samples = song(beats.RATE, 12, 75)
    slow, fast = (60 / np.median(np.diff(beats.find(samples, bpm))) for bpm in (75, 150))
    assert slow == pytest.approx(75, rel=0.01)
    assert fast == pytest.approx(150, rel=0.01)


def test_the_tempo_is_finer_than_the_grid_that_it_was_looked_for_on(heard):
    assert heard.tempo == pytest.approx(117, abs=0.6)


def test_beats_follow_a_tempo_that_changes():
    samples = np.concatenate([song(beats.RATE, 9, 100), song(beats.RATE, 9, 120)])
    true = np.concatenate([struck(9, 100), 9 + struck(9, 120)])
    assert f1(beats.find(samples), true, 0.03) > 0.9


def test_a_quiet_verse_has_its_beats_too():
    samples = song(beats.RATE, 16)
    samples[: 8 * beats.RATE] *= 0.1
    assert f1(beats.find(samples), struck(16, 117), 0.03) > 0.95


def test_the_phase_turns_once_from_beat_to_beat_and_goes_on_beyond_the_ends():
    phase = music.phase(np.array([1.0, 1.5, 2.5]), np.array([0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0]))
    assert phase[:, 1] == pytest.approx([1, -1, 1, -1, 1, -1, -1], abs=1e-6)
    assert phase[:, 0] == pytest.approx(np.zeros(7), abs=1e-6)
    assert music.phase(np.array([0.0, 1.0]), np.array([0.25]))[0] == pytest.approx([1, 0], abs=1e-6)


def test_frames_of_beats_are_marked_where_the_phase_is_nought(heard):
    marked = heard.array[heard.array[:, music.BEAT] == 1, music.PHASE]
    assert len(marked) == len(heard.beats)
    assert marked[:, 1].min() > np.cos(2 * np.pi * (0.5 / music.FPS + 0.002) * heard.tempo / 60)


# -- whatever comes in -------------------------------------------------------------------------------------------------


def test_a_row_for_each_frame_of_motion(heard, six_seconds):
    assert heard.array.shape == (180, music.COLUMNS)
    assert heard.array.dtype == np.float32
    assert heard.seconds == 6
    assert music.features(six_seconds, RATE, fps=60).array.shape == (360, music.COLUMNS)


def test_a_file_is_heard_as_its_samples_are(tmp_path):
    samples = song(44_100, 5)
    path = write(tmp_path / "x.wav", np.stack([samples, samples]), 44_100)
    ours, theirs = music.features(path), music.features(samples, 44_100)
    assert ours.beats == pytest.approx(theirs.beats, abs=0.012)
    assert np.abs(ours.array[:, music.CHROMA] - theirs.array[:, music.CHROMA]).max() < 0.3
    assert np.abs(ours.array[:, music.MFCC] - theirs.array[:, music.MFCC]).mean() < 2


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (96_000, 2)])
def test_beats_are_the_same_in_poor_and_in_rich_sound(tmp_path, rate, channels):
    path = write(tmp_path / "x.wav", np.repeat(song(rate, 8)[None], channels, axis=0), rate)
    heard = music.features(path)
    assert heard.array.shape == (240, music.COLUMNS)
    assert f1(heard.beats, struck(8, 117), 0.03) > 0.9


def test_a_song_of_a_second_has_thirty_frames():
    heard = music.features(song(16_000, 1), 16_000)
    assert heard.array.shape == (30, music.COLUMNS)
    assert np.isfinite(heard.array).all()


def test_a_handful_of_samples_makes_one_frame():
    assert music.features(np.full(3, 0.5, np.float32), 96_000).array.shape == (1, music.COLUMNS)


@pytest.mark.parametrize("level", [0.0, 3e-5])
def test_silence_has_no_beat_and_says_so(level):
    heard = music.features(level * np.random.RandomState(1).uniform(-1, 1, 4 * RATE).astype(np.float32), RATE)
    assert not heard.array[:, [music.BEAT, 35, 36]].any()
    assert np.isfinite(heard.array).all()
    assert len(heard.beats) == 0
    assert np.isnan(heard.tempo)
    assert "no beat was heard in 4.0 s" in heard.note


def test_a_lasting_tone_has_no_beat():
    assert len(music.features(np.sin(np.arange(4 * RATE) / 8).astype(np.float32), RATE).beats) == 0


def test_a_broken_frame_costs_no_other(tmp_path):
    path = write(tmp_path / "x.mp3", song(44_100, 8)[None], 44_100, codec="libmp3lame")
    whole, data = music.features(path), bytearray(path.read_bytes())
    inside = data.index(b"\xff\xfb", len(data) // 2) + 8
    data[inside : inside + 200] = bytes(range(200))
    path.write_bytes(data)
    damaged = music.features(path)
    assert len(damaged.array) == len(whole.array)
    assert not np.array_equal(damaged.array, whole.array)
    assert f1(damaged.beats, whole.beats, 0.03) > 0.9


@pytest.mark.parametrize(
    ("samples", "rate", "reason"),
    [
        (np.zeros(0, np.float32), 16_000, "empty"),
        (np.array([0, np.nan], np.float32), 16_000, "corrupt"),
        (np.zeros(3602 * 100, np.float32), 100, "too-long"),
    ],
)
def test_what_is_no_song_is_refused_by_name(samples, rate, reason):
    with pytest.raises(MediaError) as error:
        music.features(samples, rate)
    assert error.value.reason == reason


def test_a_file_over_an_hour_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(music, "MOST_SECONDS", 2.0)
    path = write(tmp_path / "x.wav", np.zeros((1, 3 * 8_000), np.float32), 8_000)
    with pytest.raises(MediaError, match="more than 2 s"):
        music.features(path)


def test_a_tempo_that_no_song_has_is_refused():
    with pytest.raises(UserError, match="30 to 300 beats a minute, not 0"):
        music.features(np.zeros(100, np.float32), 16_000, start_bpm=0)


def test_samples_that_are_no_floats_are_a_mistake():
    with pytest.raises(ValueError, match="floats in"):
        music.features(np.zeros(100, np.int16), 16_000)
