"""Where the beats of music fall: tempo from the onset strength's periodicity, beats by dynamic programming.

Ellis, "Beat tracking by dynamic programming" (Journal of New Music Research, 2007). `tempo` and `track` give what
librosa 0.11 gives.
"""

import numpy as np

from inference import onsets

HEARD = 8.0  # s that a period is looked for in
FASTEST = 320.0  # beats a minute
TIGHTNESS = 100.0
FRAMES = 256  # frames of the periodicity at a time

RATE, HOP = 22_050, 256
FRAME_RATE = RATE / HOP
LAG = 0.03  # s
NEAR_KNOWN = 0.1  # octaves


def tempo(envelope: np.ndarray, rate: float, start_bpm: float = 120.0, octaves: float = 1.0, step: int = 1) -> float:
    """Tell the beats a minute of an onset envelope at `rate`, near a tempo by so many octaves (a standard deviation).

    With a step, only every so many-th of the windows over the envelope is looked at.
    """
    strengths = periodicity(envelope, rate, step)
    tempi = 60 * rate / np.arange(1, len(strengths))
    nearness = -0.5 * (np.log2(tempi / start_bpm) / octaves) ** 2
    nearness[tempi >= FASTEST] = -np.inf
    return float(tempi[np.argmax(np.log1p(1e6 * strengths[1:]) + nearness)])


def periodicity(envelope: np.ndarray, rate: float, step: int = 1) -> np.ndarray:
    """Give the mean autocorrelation of the envelope in windows of 8 s, each at most 1: [lags], of less than 8 s."""
    length = int(HEARD * rate)
    padded = np.pad(envelope.astype(np.float64), length // 2, mode="linear_ramp")
    windows = np.lib.stride_tricks.sliding_window_view(padded, length)[: len(envelope) : step]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    total = np.zeros(length)
    for first in range(0, len(windows), FRAMES):
        spectra = np.fft.rfft(windows[first : first + FRAMES] * hann, 2 ** int(np.ceil(np.log2(2 * length))))
        shares = np.fft.irfft(np.square(np.abs(spectra)))[:, :length]
        most = np.abs(shares).max(axis=1, keepdims=True)
        total += np.divide(shares, most, out=shares, where=most > 0).sum(axis=0)
    return total / len(windows)


def track(envelope: np.ndarray, rate: float, bpm: float) -> np.ndarray:
    """Find the frames of an onset envelope that fall on a beat: those strong and a period apart, on the whole."""
    if not envelope.any():
        return np.zeros(0, int)
    period = round(60 * rate / bpm)
    score = _smoothed(envelope / envelope.std(ddof=1), period)
    before, reached = _best_chains(score, period)
    beats = [_last_beat(reached)]
    while before[beats[-1]] >= 0:
        beats.append(before[beats[-1]])
    return _without_weak_ends(score, np.array(beats[::-1]))


def _smoothed(envelope: np.ndarray, period: int) -> np.ndarray:
    window = np.exp(-0.5 * (np.arange(-period, period + 1) * 32 / period) ** 2)
    return np.convolve(envelope, window)[period : period + len(envelope)]


def _best_chains(score: np.ndarray, period: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the beat before each frame in the best chain that ends there (-1: none), and that chain's score.

    A step from beat to beat costs the square of the logarithm of its length in periods, times the tightness. No step
    is shorter than half a period: so many frames are worked out at once.
    """
    shortest, longest = round(period / 2), 2 * period
    lengths = np.arange(shortest, longest + 1)
    costs = TIGHTNESS * (np.log(lengths) - np.log(period)) ** 2
    # Frames before the first are no beats.
    reached = np.concatenate([np.full(longest, -np.inf), score])
    before = np.full(len(score), -1)
    for first in range(0, len(score), shortest):
        frames = np.arange(first, min(first + shortest, len(score)))
        chains = reached[longest + frames[:, None] - lengths] - costs
        best = chains.argmax(axis=1)
        gained = chains[np.arange(len(frames)), best]
        linked = np.isfinite(gained)
        reached[longest + frames[linked]] += gained[linked]
        before[frames[linked]] = frames[linked] - lengths[best[linked]]
    strong = np.flatnonzero(score >= 0.01 * score.max())
    before[: strong[0]] = -1  # a chain begins with the first beat that is one
    return before, reached[longest:]


def _last_beat(reached: np.ndarray) -> int:
    """Find the last frame in which a chain peaks at no less than half of what the peaks reach by the median."""
    beside = np.pad(reached, 1, mode="edge")
    peaks = np.flatnonzero((reached > beside[:-2]) & (reached >= beside[2:]))
    if not len(peaks):
        return len(reached) - 1
    high = peaks[reached[peaks] >= np.median(reached[peaks]) / 2]
    return int(high[-1]) if len(high) else len(reached) - 1


def _without_weak_ends(score: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """Drop beats before and after the frames that exceed half of the beats' smoothed root mean square."""
    smooth = np.convolve(score[beats], np.hanning(5))[2:]
    loud = np.flatnonzero(score > 0.5 * np.sqrt(np.mean(smooth[: len(score)] ** 2)))
    return beats[(beats >= loud[0]) & (beats <= loud[-1])]


# -- beats of a whole song ---------------------------------------------------------------------------------------------


def find(samples: np.ndarray, bpm: float | None = None) -> np.ndarray:
    """Find the beats of float32 [n] at 22,050 Hz: float64 [K], in seconds.

    `bpm` is a tempo that is known, from which beats stray little; without it, one near 120 is more likely.
    """
    levels = onsets.decibels(samples, RATE, HOP)
    envelope = onsets.strength(levels, HOP).astype(np.float64)
    if not envelope.any():
        return np.zeros(0)
    found = tempo(envelope, FRAME_RATE, bpm or 120.0, NEAR_KNOWN if bpm else 1.0, step=8)
    return np.maximum(0, track(envelope, FRAME_RATE, found) / FRAME_RATE - LAG)
