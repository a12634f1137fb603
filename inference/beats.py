"""Where the beats of music fall: tempo from how accents repeat, beats by dynamic programming, on the whole song.

Ellis, "Beat tracking by dynamic programming" (Journal of New Music Research, 2007). In the same envelope at the same
tempo, `track` finds what librosa 0.11 finds, but for the song's end; what it is given here, though, are `accents`.
"""

import numpy as np

from inference import audio, onsets

RATE, HOP = 22_050, 256
FRAME_RATE = RATE / HOP

# Fitted (logistic regression, rounded) to tell the beats of 75 generated songs, of two generators that share no code,
# from what lies a half, a third or a quarter of a beat beside them: the bodies of drums and the noise of snares.
LIMITS = (100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0)  # Hz, between the bands
WEIGHTS = np.array([0.3, 1, 0.4, 0.1, 0.1, 0.7, 0.6, 0.2], np.float32)
AROUND = 3.0  # s on either side that loudness is relative to
FAINTEST = 0.02  # of the loudest seconds: what is fainter is not made louder
QUIET = 1e-4  # of full scale: -80 dB

HEARD = 8.0  # s that a period is looked for in
STEP = 16  # frames from one such window to the next
AT_ONCE = 128  # windows
# Beats a minute, standard deviation and furthest in octaves: where tempi lie, untold and told.
USUAL, SPREAD, FURTHEST = 112.0, 0.8, 1.5
SPREAD_TOLD, FURTHEST_TOLD = 0.1, 0.5
FINENESS = 60  # tempi an octave
REPEATS = 4  # periods on end after which a beat's accents are back: a third or three quarters of one fall out
FLOOR = 0.02  # of what repeats after a period, none is worse than this
TIGHTNESS = 100.0

LATE = 0.0425  # s: how much later than its drum an accent is felt, counted from half a window before the sound
REACH = 2  # beats on either side that a beat is evened with
FAINT_END = 0.15  # of the usual: a first or last beat fainter than that is silence
NEAR = 2  # frames that an accent may lie off its beat
STRAY = 0.02  # s; a beat that lies further off the line of its neighbours stays where it is


def find(samples: np.ndarray, bpm: float | None = None) -> np.ndarray:
    """Find the beats of float32 [n] at 22,050 Hz: float64 [K], in seconds.

    `bpm` is a tempo that is known, from which beats stray little; without it, tempi near 120 are likelier.
    """
    heard = accents(samples)
    if not heard.any():
        return np.zeros(0)
    frames = track(heard, FRAME_RATE, tempo(heard, bpm), FAINT_END)
    times = _evened(frames / FRAME_RATE) - LATE
    times = times[(times > -STRAY) & (times < len(samples) / RATE)].clip(0)
    # A pulse takes two beats, and more is struck on most of them than at any time: a lasting tone has none.
    return times if len(times) > 1 and np.median(_strokes(heard)[frames]) > heard.mean() else np.zeros(0)


def _strokes(heard: np.ndarray) -> np.ndarray:
    """Give the greatest accent near each frame."""
    return np.lib.stride_tricks.sliding_window_view(np.pad(heard, NEAR), 2 * NEAR + 1).max(axis=1)


def accents(samples: np.ndarray) -> np.ndarray:
    """Give how much louder it gets, above all in drums, at `FRAME_RATE`: [T], from half a window before the sound.

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
    for magnitudes in onsets.spectra(samples, HOP, before=onsets.FFT // 2 // HOP):
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
    usual, spread, furthest = (bpm, SPREAD_TOLD, FURTHEST_TOLD) if bpm else (USUAL, SPREAD, FURTHEST)
    octaves = np.linspace(-furthest, furthest, round(2 * furthest * FINENESS) + 1)
    tempi = usual * 2**octaves
    repeats = 60 * FRAME_RATE / tempi[:, None] * np.arange(1, REPEATS + 1)
    regular = np.interp(repeats, np.arange(len(strengths)), strengths).clip(0).mean(axis=1)
    return float(tempi[np.argmax(np.log(regular + FLOOR) - 0.5 * (octaves / spread) ** 2)])


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


def track(envelope: np.ndarray, rate: float, bpm: float, faint_end: float = 0.5) -> np.ndarray:
    """Find the frames of an onset envelope that fall on a beat: those strong and a period apart, on the whole.

    First and last beats that are fainter than the rest, by this factor, are left out.
    """
    if not envelope.any():
        return np.zeros(0, int)
    period = max(1, round(60 * rate / bpm))
    score = _smoothed(envelope / envelope.std(ddof=1), period)
    before, reached = _best_chains(score, period)
    beats = [_last_beat(reached, period)]
    while before[beats[-1]] >= 0:
        beats.append(before[beats[-1]])
    return _without_faint_ends(score, np.array(beats[::-1]), faint_end)


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


def _without_faint_ends(score: np.ndarray, beats: np.ndarray, faint: float) -> np.ndarray:
    """Drop beats before and after the frames that exceed a share of the beats' smoothed root mean square."""
    smooth = np.convolve(score[beats], np.hanning(5))[2:]
    loud = np.flatnonzero(score > faint * np.sqrt(np.mean(smooth[: len(score)] ** 2)))
    return beats[(beats >= loud[0]) & (beats <= loud[-1])]
