from fractions import Fraction

import numpy as np

from inference import footage, quiet, video
from inference.soundtrack import Soundtrack


def test_no_more_is_heard_of_a_long_video_than_was_looked_at(tmp_path, tone):
    with video.Writer(tmp_path / "x.mp4", 64, 48, Fraction(25), Soundtrack(tone("x.wav", 2.0))) as writer:
        for _ in range(50):
            writer.write(np.zeros((48, 64, 3), np.uint8))
    assert len(quiet.speech_of(footage.load(tmp_path / "x.mp4"), 10)) == 10
