"""What sets in when: a song's log-mel spectrum, its MFCC, onset strength and onset peaks, as librosa 0.11 has them."""

from collections.abc import Iterator

import numpy as np

from inference import audio

FFT = 2048
MELS = 128
COEFFICIENTS = 20
RANGE = 80.0  # dB below the song's loudest that still count
BLOCK = 512  # frames at a time
HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)).astype(np.float32)

# Böck's peak picker, with the settings that librosa found by search: seconds before and after, and how far above
# the mean of the neighbourhood a peak stands.
NEAR, AROUND, ABOVE = 0.03, 0.10, 0.07


def framed(samples: np.ndarray, extent: int, hop: int, first: int, count: int) -> np.ndarray:
    """Give so many stretches of sound, centred on multiples of hop from `first` times it on: [count, extent].

    Beyond the ends it is silent; `first` may be negative.
    """
    begin, end = first * hop - extent // 2, (first + count - 1) * hop + extent // 2
    heard = np.pad(samples[max(0, begin) : end], (max(0, -begin), max(0, end - len(samples))))
    return np.lib.stride_tricks.sliding_window_view(heard, extent)[::hop]


def spectra(samples: np.ndarray, hop: int, before: int = 0) -> Iterator[np.ndarray]:
    """Give magnitudes in blocks [k, 1025]: in 1 + n // hop frames, centred on multiples of hop, and so many before."""
    end = 1 + len(samples) // hop
    for first in range(-before, end, BLOCK):
        yield np.abs(np.fft.rfft(framed(samples, FFT, hop, first, min(BLOCK, end - first)) * HANN))


def decibels(samples: np.ndarray, rate: int, hop: int) -> np.ndarray:
    """Give the power in 128 mel bands up to half the rate, in dB, the loudest 80 dB of the song: float32 [T, 128]."""
    bank = audio.filters(rate, FFT, MELS, 0.0, rate / 2).astype(np.float32).T
    power = np.concatenate([np.square(magnitudes) @ bank for magnitudes in spectra(samples, hop)])
    levels = 10 * np.log10(np.maximum(power, 1e-10, out=power), out=power)
    return np.maximum(levels, levels.max() - RANGE, out=levels)


def mfcc(levels: np.ndarray) -> np.ndarray:
    """Give the first 20 coefficients of an orthonormal DCT-II over the mel bands: [T, 20]."""
    order, band = np.arange(COEFFICIENTS)[:, None], np.arange(MELS)
    basis = np.sqrt(2 / MELS) * np.cos(np.pi / MELS * order * (band + 0.5))
    basis[0] /= np.sqrt(2)
    return levels @ basis.T.astype(np.float32)


def strength(levels: np.ndarray, hop: int) -> np.ndarray:
    """Give the mean rise over the bands from one frame to the next: [T].

    Laid half a window late, as librosa lays it: a rise is felt about where it sets in or a little later.
    """
    rises = np.empty(max(0, len(levels) - 1), np.float32)
    for first in range(0, len(rises), BLOCK):
        rises[first : first + BLOCK] = np.maximum(0, np.diff(levels[first : first + BLOCK + 1], axis=0)).mean(axis=1)
    return np.pad(rises, (1 + FFT // (2 * hop), 0))[: len(levels)]


def peaks(envelope: np.ndarray, rate: float) -> np.ndarray:
    """Mark the peaks of an onset envelope of so many frames a second: bool [T]."""
    scaled = envelope - envelope.min()
    if not scaled.any():
        return np.zeros(len(scaled), bool)
    scaled = scaled / scaled.max()
    near, around = int(NEAR * rate), int(AROUND * rate)
    before = np.lib.stride_tricks.sliding_window_view(np.pad(scaled, (near, 0)), near + 1).max(axis=1)
    candidates = (scaled == before) & (scaled >= _mean_around(scaled, around) + ABOVE)
    found, last = np.zeros(len(scaled), bool), -near - 1
    for frame in np.flatnonzero(candidates):
        if frame - last > near:
            found[frame], last = True, frame
    return found


def _mean_around(values: np.ndarray, reach: int) -> np.ndarray:
    """Give the mean of each value and those within reach of it; at the ends, of those that are there."""
    window = 2 * reach + 1
    sums = np.lib.stride_tricks.sliding_window_view(np.pad(values, reach), window).sum(axis=1)
    counts = np.lib.stride_tricks.sliding_window_view(np.pad(np.ones(len(values)), reach), window).sum(axis=1)
    return sums / counts
