"""Which notes sound: the chroma of a song (CENS), from a constant-Q transform, as librosa 0.11 has it.

Müller and Ewert, "Chroma Toolbox" (ISMIR 2011); the transform octave by octave as Schörkhuber and Klapuri (SMC 2010):
one set of filters, and the sound at half the rate for each octave further down.
"""

import numpy as np

from inference import onsets

OCTAVES = 7
BINS = 36  # an octave
C1 = 440 * 2 ** ((24 - 69) / 12)  # Hz
DROPPED = 0.01  # of each filter's spectrum, by magnitude: what its faint tails hold
STEPS = (0.4, 0.2, 0.1, 0.05)  # of a frame's sum; each that a note exceeds counts a quarter
SMOOTHED = 41  # frames

LOWEST, HIGHEST, FAINT = 150.0, 4000.0, 0.1  # Hz, Hz, of a frame's loudest: what the tuning is told from
TUNINGS = np.linspace(-0.5, 0.5, 101)  # of a bin


def cens(samples: np.ndarray, rate: int, hop: int) -> np.ndarray:
    """Give how much each of the notes C, C sharp ... B sounds: float32 [1 + n // hop, 12], each frame of length 1.

    The hop must divide by 2 once for each octave but the first. Silence is zero.
    """
    chroma = _chroma(samples, rate, hop)
    chroma /= _or_one(chroma.sum(axis=1))
    steps = sum((chroma > step) * np.float32(0.25) for step in STEPS)
    hann = np.hanning(SMOOTHED + 2)
    hann /= hann.sum()
    reach = (len(hann) - 1) // 2
    smooth = np.stack([np.convolve(note, hann)[reach : reach + len(note)] for note in steps.T], axis=1)
    smooth /= _or_one(np.sqrt(np.square(smooth).sum(axis=1)))
    return smooth.astype(np.float32)


def _or_one(norms: np.ndarray) -> np.ndarray:
    return np.where(norms < np.finfo(np.float32).tiny, 1, norms)[:, None]


def _chroma(samples: np.ndarray, rate: int, hop: int) -> np.ndarray:
    """Add up the magnitudes of each note over all octaves: [T, 12]."""
    filters = _filters(rate, C1 * 2 ** (tuning(samples, rate, hop) / BINS + OCTAVES - 1))
    notes = np.eye(12, dtype=np.float32)[(np.arange(BINS) + 1) // 3 % 12]  # three bins a note, the middle one in tune
    chroma = np.zeros((1 + len(samples) // hop, 12), np.float32)
    for octave in range(OCTAVES):
        # A filter's response grows with the root of its length, which doubles from octave to octave.
        scale = np.float32(2 ** (octave / 2))
        for first in range(0, len(chroma), onsets.BLOCK):
            some = chroma[first : first + onsets.BLOCK]
            some += scale * np.abs(_responses(samples, hop, first, len(some), filters)) @ notes
        samples, hop = _halved(samples), hop // 2
    return chroma


def _filters(rate: float, lowest: float) -> np.ndarray:
    """Give the spectra of an octave's filters from a frequency on: complex64 [36, n // 2 + 1].

    Each is a Hann window of constant quality on a complex wave, of sum one, in the middle of n samples.
    """
    quality = (2 ** (2 / BINS) + 1) / (2 ** (2 / BINS) - 1)
    frequencies = lowest * 2 ** (np.arange(BINS) / BINS)
    lengths = quality * rate / frequencies
    extent = 2 ** int(np.ceil(np.log2(lengths.max())))
    found = np.zeros((BINS, extent), np.complex64)
    for filled, frequency, length in zip(found, frequencies, lengths, strict=True):
        times = np.arange(-length // 2, length // 2)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(len(times)) / len(times))
        begin = (extent - len(times)) // 2
        wave = window / window.sum() * np.exp(2j * np.pi * frequency / rate * times)
        filled[begin : begin + len(times)] = wave * np.sqrt(length) / extent
    spectra = np.fft.fft(found)[:, : extent // 2 + 1]
    magnitudes = np.abs(spectra)
    ordered = np.sort(magnitudes, axis=1)
    held = np.cumsum(ordered / ordered.sum(axis=1, keepdims=True), axis=1)
    faintest = np.take_along_axis(ordered, (held < DROPPED).argmin(axis=1)[:, None], axis=1)
    return np.where(magnitudes < faintest, 0, spectra).astype(np.complex64)


def _responses(samples: np.ndarray, hop: int, first: int, count: int, filters: np.ndarray) -> np.ndarray:
    """Give what filters answer in frames from the first on: complex64 [count, 36]."""
    frames = onsets.framed(samples, 2 * (filters.shape[1] - 1), hop, first, count)
    used = np.flatnonzero(filters.any(axis=0))
    band = slice(used[0], used[-1] + 1)
    return np.fft.rfft(frames)[:, band] @ filters[:, band].T


def _half_band(reach: int = 24, shape: float = 10.0) -> np.ndarray:
    """Give the odd taps of a low pass at half the band (the others are 0, but for 1/2 in the middle)."""
    odd = np.arange(1 - reach, reach, 2)
    taps = np.sinc(odd / 2) * np.i0(shape * np.sqrt(1 - (odd / reach) ** 2))
    return (taps / taps.sum() / 2).astype(np.float32)


HALF_BAND = _half_band()


def _halved(samples: np.ndarray) -> np.ndarray:
    """Give sound at half its rate, without what that rate cannot hold: [ceil(n / 2)]."""
    even, odd = samples[::2], samples[1::2]
    filtered = even / 2
    if len(odd):
        filtered += np.convolve(odd, HALF_BAND)[len(HALF_BAND) // 2 - 1 :][: len(even)]
    return filtered


def tuning(samples: np.ndarray, rate: int, hop: int) -> float:
    """Tell how far notes lie from the bins of A = 440 Hz: in bins, at steps of 1/100, in [-1/2, 1/2).

    The most frequent deviation among the louder half of all spectral peaks, each refined by a parabola.
    """
    found = [_pitches(magnitudes, rate) for magnitudes in onsets.spectra(samples, hop)]
    pitches, loudness = np.concatenate(found, axis=1)
    if not len(pitches):
        return 0.0
    octaves = np.log2(pitches[loudness >= np.median(loudness)] / 27.5)
    off = np.mod(BINS * octaves, 1.0)
    counts, _ = np.histogram(np.where(off >= 0.5, off - 1, off), TUNINGS)
    return float(TUNINGS[counts.argmax()])


def _pitches(magnitudes: np.ndarray, rate: int) -> np.ndarray:
    """Give the frequencies in Hz and the magnitudes of the peaks in spectra [k, 1025]: [2, peaks]."""
    width = rate / onsets.FFT
    band = slice(int(np.ceil(LOWEST / width)), int(np.ceil(min(HIGHEST, rate / 2) / width)))
    heard = np.where(magnitudes > FAINT * magnitudes.max(axis=1, keepdims=True), magnitudes, 0)
    around = slice(band.start - 1, band.stop - 1), slice(band.start + 1, band.stop + 1)
    is_peak = (heard[:, band] > heard[:, around[0]]) & (heard[:, band] >= heard[:, around[1]])
    low, middle, high = (magnitudes[:, part][is_peak] for part in (around[0], band, around[1]))
    curve, slope = low + high - 2 * middle, (high - low) / 2
    shift = np.divide(-slope, curve, out=np.zeros_like(slope), where=np.abs(slope) < np.abs(curve))
    return np.stack([(np.nonzero(is_peak)[1] + band.start + shift) * width, middle + slope * shift / 2])
