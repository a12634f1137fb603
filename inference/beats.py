"""Where the beats of music fall: tempo from how accents repeat, beats by dynamic programming, on the whole song.

Ellis, "Beat tracking by dynamic programming" (Journal of New Music Research, 2007). In the same envelope at the same
tempo, `track` finds what librosa 0.11 finds, but for the song's end; what it is given here, though, are `accents`.
"""

import numpy as np

from inference import audio, onsets

RATE, HOP = 22_050, 256
FRAME_RATE = RATE / HOP

LIMITS = (150.0, 500.0, 2500.0)  # Hz, between the bands of accents
WEIGHTS = np.array([2, 1, 1, 0.5], np.float32)
AROUND = 3.0  # s on either side that loudness is relative to
FAINTEST = 0.02  # of the loudest seconds: what is fainter is not made louder
QUIET = 1e-4  # of full scale: -80 dB

HEARD = 8.0  # s that a period is looked for in
STEP = 16  # frames from one such window to the next
AT_ONCE = 128  # windows
USUAL, SPREAD = 120.0, 0.6  # beats a minute, and octaves: where tempi lie that nobody has told
SPREAD_KNOWN = 0.1
FASTEST = 320.0
TIGHTNESS = 100.0

LATE = 0.045  # s: how much later than its drum an accent is felt, counted from half a window before the sound
REACH = 2  # beats on either side that a beat is evened with
NEAR = 2  # frames that an accent may lie off its beat
STRAY = 0.02  # s; a beat that lies further off the line of its neighbours stays where it is


def find(samples: np.ndarray, bpm: float | None = None) -> np.ndarray:
    """Find the beats of float32 [n] at 22,050 Hz: float64 [K], in seconds.

    `bpm` is a tempo that is known, from which beats stray little; without it, tempi near 120 are likelier.
    """
    heard = accents(samples)
    if not heard.any():
        return np.zeros(0)
    frames = track(heard, FRAME_RATE, tempo(heard, bpm))
    times = _evened(frames / FRAME_RATE) - LATE
    times = times[(times > -STRAY) & (times < len(samples) / RATE)].clip(0)
    # A pulse takes two beats, and more is struck on most of them than at any time: a lasting tone has none.
    return times if len(times) > 1 and np.median(_strokes(heard)[frames]) > heard.mean() else np.zeros(0)


def _strokes(heard: np.ndarray) -> np.ndarray:
    """Give the greatest accent near each frame."""
    return np.lib.stride_tricks.sliding_window_view(np.pad(heard, NEAR), 2 * NEAR + 1).max(axis=1)


def accents(samples: np.ndarray) -> np.ndarray:
    """Give how much louder it gets, above all in the bass, at `FRAME_RATE`: [T], from half a window before the sound.

    In amplitudes, not in decibels, in which a faint hat between the beats weighs as much as the drum on them; relative
    to the seconds around, so that a quiet verse counts like a loud one.
    """
    if np.abs(samples).max() < QUIET:
        return np.zeros(1)
    bank = audio.filters(RATE, onsets.FFT, onsets.MELS, 0.0, RATE / 2)
    middles = bank @ np.linspace(0, RATE / 2, bank.shape[1]) / bank.sum(axis=1)
    bands = np.eye(len(WEIGHTS), dtype=np.float32)[np.digitize(middles, LIMITS)]
    filters = bank.T.astype(np.float32)
    rises, loudness, last = [], [], np.zeros((1, onsets.MELS), np.float32)
    for magnitudes in onsets.spectra(np.pad(samples, (onsets.FFT // 2, 0)), HOP):
        amplitudes = np.sqrt(np.square(magnitudes) @ filters)
        rises.append(np.maximum(0, np.diff(amplitudes, axis=0, prepend=last)) @ bands)
        loudness.append(amplitudes.sum(axis=1))
        last = amplitudes[-1:]
    around = _running_mean(np.concatenate(loudness), round(AROUND * FRAME_RATE))
    relative = np.concatenate(rises) / np.maximum(around, FAINTEST * around.max())[:, None]
    spread = relative.std(axis=0)
    return relative @ np.divide(WEIGHTS, spread, out=np.zeros_like(spread), where=spread > 0)


def _running_mean(values: np.ndarray, reach: int) -> np.ndarray:
    """Give the mean of each value and those within reach of it, as far as there are any."""
    sums = np.concatenate([[0], np.cumsum(values, dtype=np.float64)])
    first = np.maximum(np.arange(len(values)) - reach, 0)
    last = np.minimum(np.arange(len(values)) + reach + 1, len(values))
    return (sums[last] - sums[first]) / (last - first)


def tempo(heard: np.ndarray, bpm: float | None = None) -> float:
    """Tell the beats a minute of accents, near a tempo that is known or near the usual."""
    strengths = _periodicity(heard)
    tempi = 60 * FRAME_RATE / np.arange(1, len(strengths))
    usual, spread = (bpm, SPREAD_KNOWN) if bpm else (USUAL, SPREAD)
    likely = np.log(np.maximum(0, strengths[1:]) + 0.02) - 0.5 * (np.log2(tempi / usual) / spread) ** 2
    likely[tempi > max(FASTEST, 2 * usual)] = -np.inf
    return float(tempi[likely.argmax()])


def _periodicity(heard: np.ndarray) -> np.ndarray:
    """Give the mean autocorrelation of accents in windows of 8 s: [lags], 1 at lag 0."""
    length = round(HEARD * FRAME_RATE)
    padded = np.pad(heard - heard.mean(), length // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, length)[: len(heard) : STEP]
    hann = np.hanning(length)
    total = np.zeros(length)
    for first in range(0, len(windows), AT_ONCE):
        products = _correlated(windows[first : first + AT_ONCE] * hann)
        energies = products[:, :1]
        total += np.divide(products, energies, out=np.zeros_like(products), where=energies > 0).sum(axis=0)
    # A window's own correlation falls with the lag: what is left of it is no sign of the music.
    own = _correlated(hann[None])[0]
    return total / len(windows) / np.maximum(own / own[0], 0.05)


def _correlated(windows: np.ndarray) -> np.ndarray:
    extent = 2 ** int(np.ceil(np.log2(2 * windows.shape[1])))
    return np.fft.irfft(np.square(np.abs(np.fft.rfft(windows, extent))))[:, : windows.shape[1]]


def _evened(times: np.ndarray) -> np.ndarray:
    """Lay each beat on the line through its neighbours, where it lies close to it: beats were found on a grid."""
    width = 2 * REACH + 1
    if len(times) < width:
        return times
    offsets = np.arange(-REACH, REACH + 1)
    windows = np.lib.stride_tricks.sliding_window_view(times, width)
    middles, slopes = windows.mean(axis=1), windows @ offsets / np.square(offsets).sum()
    ends = (middles[0] + slopes[0] * offsets[:REACH], middles[-1] + slopes[-1] * offsets[-REACH:])
    evened = np.concatenate([ends[0], middles, ends[1]])
    return np.where(np.abs(evened - times) < STRAY, evened, times)


# -- the tracker -------------------------------------------------------------------------------------------------------


def track(envelope: np.ndarray, rate: float, bpm: float) -> np.ndarray:
    """Find the frames of an onset envelope that fall on a beat: those strong and a period apart, on the whole."""
    if not envelope.any():
        return np.zeros(0, int)
    period = max(1, round(60 * rate / bpm))
    score = _smoothed(envelope / envelope.std(ddof=1), period)
    before, reached = _best_chains(score, period)
    beats = [_last_beat(reached, period)]
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
    shortest, longest = max(1, round(period / 2)), 2 * period
    lengths = np.arange(shortest, longest + 1)
    costs = TIGHTNESS * (np.log(lengths) - np.log(period)) ** 2
    reached = np.concatenate([np.full(longest, -np.inf), score])  # no frame before the first is a beat
    before = np.full(len(score), -1)
    for first in range(0, len(score), shortest):
        frames = np.arange(first, min(first + shortest, len(score)))
        chains = reached[longest + frames[:, None] - lengths] - costs
        best = chains.argmax(axis=1)
        gained = chains[np.arange(len(frames)), best]
        linked = np.isfinite(gained)
        reached[longest + frames[linked]] += gained[linked]
        before[frames[linked]] = frames[linked] - lengths[best[linked]]
    before[: np.argmax(score >= 0.01 * score.max())] = -1  # a chain begins with the first beat that is one
    return before, reached[longest:]


def _last_beat(reached: np.ndarray, period: int) -> int:
    """Find the frame in which the best of all chains that reach the end of the song has its last beat.

    Not the last peak, as in librosa: that is often a stroke between two beats.
    """
    first = max(0, len(reached) - round(1.25 * period))
    return first + int(reached[first:].argmax())


def _without_weak_ends(score: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """Drop beats before and after the frames that exceed half of the beats' smoothed root mean square."""
    smooth = np.convolve(score[beats], np.hanning(5))[2:]
    loud = np.flatnonzero(score > 0.5 * np.sqrt(np.mean(smooth[: len(score)] ** 2)))
    return beats[(beats >= loud[0]) & (beats <= loud[-1])]
