"""What a dancer hears of a song: the 35 features of the literature at each frame of motion, and the phase of the beat.

The features are those of FACT and EDGE (onset strength, 20 MFCC, 12 notes of CENS chroma, onset peaks, beats), from
sound at 512 samples a frame. They are not normalised: a pack or a bundle carries its own mean and deviation.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference import audio, beats, chroma, onsets
from inference.errors import UserError
from inference.media import MediaError

try:
    import av
except ImportError:
    raise UserError("music needs PyAV, which is not installed: `pip install av`") from None

FPS = 30
HOP = 512  # samples a frame
COLUMNS = 37
ENVELOPE, MFCC, CHROMA, PEAK, BEAT, PHASE = 0, slice(1, 21), slice(21, 33), 33, 34, slice(35, 37)
MOST_SECONDS = 3601.0  # an hour, and what an encoder may add to it
SLOWEST, FASTEST = 30, 300  # beats a minute
FEWEST_FPS, MOST_FPS = 20, 120  # at less, the highest notes lie beyond half the rate


@dataclass(frozen=True)
class Features:
    """What is heard of a song.

    `array`: float32 [T, 37], a row for each frame from the song's start on (see the names of the columns above); the
    last two are the sine and cosine of the beat's phase, which is 0 on beats. `beats`: float64 [K], in seconds; there
    are two at least, or none. `tempo`: beats a minute; without beats it is NaN, and the beat's columns are 0.
    """

    array: np.ndarray
    beats: np.ndarray
    tempo: float
    seconds: float
    fps: int = FPS

    @property
    def note(self) -> str | None:
        """Say in one line what a dance to this song lacks; None: nothing."""
        if len(self.beats):
            return None
        return f"no beat was heard in {self.seconds:.1f} s of sound: the dance keeps no time"


def features(
    song: Path | np.ndarray, rate: int | None = None, fps: int = FPS, start_bpm: float | None = None
) -> Features:
    """Hear a whole song: a file, or float samples [n] or [channels, n] in [-1, 1] at `rate`.

    `start_bpm` is a tempo that is known beforehand; `UserError` where no song has it. `MediaError` as `audio.decode`
    raises it; too-long: over an hour.
    """
    if not FEWEST_FPS <= fps <= MOST_FPS:
        raise ValueError(f"features are for {FEWEST_FPS} to {MOST_FPS} frames a second, not {fps}")
    if start_bpm is not None and not SLOWEST <= start_bpm <= FASTEST:
        raise UserError(f"a song has {SLOWEST} to {FASTEST} beats a minute, not {start_bpm:g}: untold, they are found")
    samples, rate = _heard(song, rate)
    seconds = len(samples) / rate
    beat_times = beats.find(_at(samples, rate, beats.RATE), start_bpm)
    samples = _at(samples, rate, fps * HOP)
    frames = max(1, len(samples) // HOP)
    levels = onsets.decibels(samples, fps * HOP, HOP)
    envelope = onsets.strength(levels, HOP)
    array = np.zeros((frames, COLUMNS), np.float32)
    array[:, ENVELOPE] = envelope[:frames]
    array[:, MFCC] = onsets.mfcc(levels)[:frames]
    array[:, CHROMA] = chroma.cens(samples, fps * HOP, HOP)[:frames]
    array[:, PEAK] = onsets.peaks(envelope, fps)[:frames]
    array[_frames_of(beat_times, fps, frames), BEAT] = 1
    array[:, PHASE] = phase(beat_times, np.arange(frames) / fps)
    return Features(array, beat_times, tempo_of(beat_times), seconds, fps)


def phase(beat_times: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Give sine and cosine of the phase between beats at some times, in seconds: float32 [T, 2]; 0 without beats.

    Before the first and after the last beat, beats go on as far apart as the first and the last two.
    """
    if not len(beat_times):
        return np.zeros((len(times), 2), np.float32)
    count = np.arange(len(beat_times))
    turns = np.interp(times, beat_times, count)
    before, after = times < beat_times[0], times > beat_times[-1]
    turns[before] = (times[before] - beat_times[0]) / (beat_times[1] - beat_times[0])
    turns[after] = count[-1] + (times[after] - beat_times[-1]) / (beat_times[-1] - beat_times[-2])
    angle = 2 * np.pi * (turns % 1)
    return np.stack([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)


def tempo_of(beat_times: np.ndarray) -> float:
    """Give the beats a minute, by their median distance; NaN without beats."""
    return float(60 / np.median(np.diff(beat_times))) if len(beat_times) else float("nan")


def _frames_of(beat_times: np.ndarray, fps: int, frames: int) -> np.ndarray:
    return np.minimum(np.round(beat_times * fps).astype(int), frames - 1)


def _heard(song: Path | np.ndarray, rate: int | None) -> tuple[np.ndarray, int]:
    if not isinstance(song, np.ndarray):
        return audio.decode(Path(song), most_seconds=MOST_SECONDS, rate=beats.RATE), beats.RATE
    if rate is None or rate < 1:
        raise ValueError(f"samples need a rate in Hz, not {rate}")
    if not np.issubdtype(song.dtype, np.floating):
        raise ValueError(f"samples are floats in [-1, 1], not {song.dtype}")
    samples = song.mean(axis=0) if song.ndim == 2 else song
    if not len(samples):
        raise MediaError("empty", "no sound in it")
    if len(samples) > MOST_SECONDS * rate:
        raise MediaError("too-long", f"more than {MOST_SECONDS:.0f} s of sound")
    if not np.isfinite(samples).all():
        raise MediaError("corrupt", "samples that are no numbers")
    return samples.astype(np.float32, copy=False).clip(-1, 1), rate


def _at(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Resample float32 [n] to round(n * wanted / rate) samples."""
    if rate == wanted:
        return samples
    resampler = av.AudioResampler("fltp", "mono", wanted)
    found = [np.zeros(0, np.float32)]
    for first in range(0, len(samples), rate):
        frame = av.AudioFrame.from_ndarray(samples[None, first : first + rate], format="fltp", layout="mono")
        frame.sample_rate = rate
        found += [part.to_ndarray()[0] for part in resampler.resample(frame)]
    found += [part.to_ndarray()[0] for part in resampler.resample(None)]
    count = round(len(samples) * wanted / rate)
    whole = np.concatenate(found)
    return np.pad(whole, (0, max(0, count - len(whole))))[:count]
