import struct
from pathlib import Path

import av
import numpy as np
import pytest

from inference import audio, voice
from inference.soundtrack import RATE, Soundtrack


def mp3(path: Path, rate: int, layout: str) -> bytes:
    """Half a second of a tone."""
    tone = (np.sin(2 * np.pi * 300 * np.arange(rate // 2) / rate) * 9000).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libmp3lame", rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler("s16p", layout, rate, stream.codec_context.frame_size)
        for piece in resampler.resample(frame) + resampler.resample(None):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path.read_bytes()


def test_a_sound_whose_samples_are_no_numbers_ends_where_it_is_heard_no_further(tmp_path):
    samples = np.sin(np.arange(16000) / 8).astype("<f4") / 2
    samples[8000:8100] = np.nan
    about = struct.pack("<IHHIIHH", 16, 3, 1, 16000, 64000, 4, 32)
    data = b"WAVEfmt " + about + b"data" + struct.pack("<I", samples.nbytes) + samples.tobytes()
    (tmp_path / "x.wav").write_bytes(b"RIFF" + struct.pack("<I", len(data)) + data)
    said = voice.hear(tmp_path / "x.wav", gate=False)
    given = np.concatenate(list(Soundtrack(tmp_path / "x.wav").blocks()), axis=1)
    assert np.isfinite(given).all()
    assert given.shape[1] / RATE == pytest.approx(float(said.seconds), abs=0.04)


def test_a_sound_that_changes_its_kind_in_the_middle_is_as_long_as_it_is_heard(tmp_path):
    (tmp_path / "x.mp3").write_bytes(mp3(tmp_path / "a.mp3", 44100, "stereo") + mp3(tmp_path / "b.mp3", 22050, "mono"))
    sound = Soundtrack(tmp_path / "x.mp3")
    given = np.concatenate(list(sound.blocks()), axis=1)
    assert given.shape[1] == sound.given
    assert given.shape[1] / RATE == pytest.approx(len(audio.decode(tmp_path / "x.mp3")) / audio.RATE, abs=0.01)
