import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from inference import audio, voice
from inference.errors import UserError


def said(path, gate=None) -> voice.Voice:
    return voice.Voice(path, len(audio.decode(path)), np.zeros(0, np.float32), gate)


@pytest.mark.parametrize("fps", [24, 25, Fraction(30000, 1001), 30, 50])
def test_frames_last_as_long_as_the_sound_to_half_a_frame(tone, fps):
    spoken = said(tone("x.wav", 3.337))
    assert abs(spoken.frames(Fraction(fps)) / fps - spoken.seconds) <= Fraction(1, 2) / fps


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001)])
@pytest.mark.parametrize("lead", [0, -1])
def test_windows_in_a_stream_are_those_of_the_whole_mel(tone, fps, lead):
    spoken = said(tone("x.wav", 12.0))
    mel = audio.mel(audio.decode(spoken.path))
    found = list(spoken.windows(fps, spoken.frames(fps), "reflect", lead))
    wanted = [audio.window(mel, Fraction(frame) * 25 / fps + lead) for frame in range(spoken.frames(fps))]
    assert np.array_equal(found, wanted)


def test_windows_from_the_middle_are_the_same(tone):
    spoken = said(tone("x.wav", 8.0))
    whole = list(spoken.windows(Fraction(25), 200, "reflect", 0))
    assert np.array_equal(list(spoken.windows(Fraction(25), 5, "reflect", 0, first=150)), whole[150:155])


def test_where_nobody_speaks_the_generator_hears_silence(tone):
    gate = np.zeros(100, np.float32)
    gate[:50] = 1
    found = list(said(tone("x.wav", 4.0), gate).windows(Fraction(25), 100, "reflect", 0))
    assert found[20].max() > 0
    assert (found[60] == audio.SILENCE).all()


def test_of_a_longer_sound_little_more_is_held(tone):
    peaks = []
    for name, seconds in (("warm.wav", 1), ("short.wav", 20), ("long.wav", 60)):
        path = tone(name, seconds)
        tracemalloc.start()
        voice.hear(path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] - peaks[1] < 40 * 1500  # bytes; of a second's samples there are 64,000


def test_samples_are_weighed_alike_in_whatever_pieces_they_come():
    rng = np.random.default_rng(0)
    gate = rng.random(50, np.float32)
    sound = rng.random(50 * voice.FRAME - 7, np.float32)
    gated = voice.Voice(Path("x.wav"), len(sound), gate, gate)._gated
    cuts = np.sort(rng.integers(0, len(sound), 20)).tolist()
    pieces = [gated(sound[a:b], a) for a, b in zip([0, *cuts], [*cuts, len(sound)], strict=True)]
    frames = (np.arange(len(sound)) - voice.FRAME / 2) / voice.FRAME
    wanted = sound * np.interp(frames, np.arange(50), gate)
    assert np.allclose(np.concatenate(pieces), wanted, atol=1e-6)


def test_the_gate_opens_round_speech_alone():
    speech = np.zeros(100, np.float32)
    speech[40:50] = 0.9
    gate = voice.gate_of(speech, np.full(100, 0.1))
    assert np.flatnonzero(gate).tolist() == list(range(40 - voice.LINGER, 50 + voice.LINGER))


def test_a_voice_that_the_detector_does_not_know_is_not_silenced(tone):
    heard = voice.hear(tone("x.wav", 2.0))
    assert heard.gate is None
    assert "no speech was recognised" in heard.note


def test_a_preview_shows_a_frame_in_which_somebody_speaks():
    speech = np.zeros(100, np.float32)
    speech[60] = 1
    assert voice.Voice(None, 64000, speech, None).loudest(Fraction(50)) == 120


@pytest.mark.parametrize(("seconds", "why"), [(0, "empty"), (None, "not-audio")])
def test_what_cannot_be_heard_is_told_in_a_line(tmp_path, tone, seconds, why):
    path = tmp_path / "x.wav"
    if seconds is None:
        path.write_text("words")
    else:
        tone("x.wav", seconds)
    with pytest.raises(UserError, match=why):
        voice.hear(path)


@pytest.mark.parametrize(("rate", "channels", "level"), [(96000, 2, 0.3), (8000, 1, 0.3), (44100, 2, 3.0)])
def test_sound_of_any_kind_is_heard_at_its_length(tone, rate, channels, level):
    assert voice.hear(tone("x.wav", 1.5, rate, channels, level)).seconds == pytest.approx(Fraction(3, 2), abs=1e-3)
