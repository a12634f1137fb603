"""Instruments made of sines and noise, each a function that gives one stroke or note as samples [n]."""

import functools

import numpy as np

RATE = 32_000  # samples a second
PERIOD = 4096  # samples of a wave table


def _times(seconds: float) -> np.ndarray:
    return np.arange(int(seconds * RATE)) / RATE


def _ends(samples: np.ndarray, rise: float = 0.0015, fall: float = 0.012) -> np.ndarray:
    """Round off both ends, so that nothing clicks."""
    up, down = max(1, int(rise * RATE)), max(1, int(fall * RATE))
    up, down = min(up, len(samples)), min(down, len(samples))
    samples[:up] *= np.linspace(0, 1, up)
    samples[-down:] *= np.linspace(1, 0, down)
    return samples


def _band(noise: np.ndarray, low: float, high: float) -> np.ndarray:
    """Keep what lies between two frequencies [Hz], with soft edges; the loudest sample becomes 1."""
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    gain = 1 / (1 + (hertz / high) ** 6) / (1 + (low / np.maximum(hertz, 1)) ** 6)
    kept = np.fft.irfft(spectrum * gain, len(noise))
    return kept / np.abs(kept).max()


# Drums


def kick(rng: np.random.Generator, tone: float = 48.0, long: float = 0.16) -> np.ndarray:
    """A bass drum: a sine that falls to `tone` [Hz] and fades by e in `long` seconds, with a click before it."""
    t = _times(0.5)
    hertz = tone + 150 * np.exp(-t / 0.022) + 300 * np.exp(-t / 0.004)
    body = np.sin(2 * np.pi * np.cumsum(hertz) / RATE) * np.exp(-t / long)
    click = _band(rng.normal(size=len(t)), 900, 6000) * np.exp(-t / 0.004)
    return _ends(np.tanh(1.6 * body) + 0.18 * click)


def snare(rng: np.random.Generator, tone: float = 188.0, crisp: float = 0.1) -> np.ndarray:
    t = _times(0.32)
    skin = np.sin(2 * np.pi * tone * t) * np.exp(-t / 0.05) + 0.6 * np.sin(2 * np.pi * 1.72 * tone * t) * np.exp(
        -t / 0.035
    )
    wires = _band(rng.normal(size=len(t)), 1200, 11000) * (
        0.75 * np.exp(-t / crisp) + 0.5 * np.exp(-t / (0.25 * crisp))
    )
    return _ends(0.55 * skin + 0.8 * wires)


def clap(rng: np.random.Generator) -> np.ndarray:
    t = _times(0.3)
    envelope = sum(np.where(t >= at, np.exp(-(t - at) / 0.006), 0) for at in (0, 0.009, 0.019))
    envelope = envelope + np.where(t >= 0.027, 0.8 * np.exp(-(t - 0.027) / 0.075), 0)
    return _ends(_band(rng.normal(size=len(t)), 900, 5200) * np.minimum(envelope, 1.2))


def hat(rng: np.random.Generator, fade: float = 0.022) -> np.ndarray:
    t = _times(min(0.35, 8 * fade))
    metal = sum(np.sign(np.sin(2 * np.pi * hertz * t)) for hertz in (3170, 4410, 5230, 6310, 7830)) / 5
    return _ends(_band(0.5 * metal + rng.normal(size=len(t)), 6500, 14500) * np.exp(-t / fade), fall=0.004)


def shaker(rng: np.random.Generator) -> np.ndarray:
    t = _times(0.09)
    return _ends(_band(rng.normal(size=len(t)), 5000, 12000) * np.sin(np.pi * t / t[-1]) ** 2)


def crash(rng: np.random.Generator) -> np.ndarray:
    t = _times(1.6)
    return _ends(_band(rng.normal(size=len(t)), 3000, 13000) * np.exp(-t / 0.42), fall=0.2)


def tom(rng: np.random.Generator, tone: float) -> np.ndarray:
    t = _times(0.35)
    hertz = tone * (1 + 0.5 * np.exp(-t / 0.03))
    skin = np.sin(2 * np.pi * np.cumsum(hertz) / RATE) * np.exp(-t / 0.11)
    return _ends(skin + 0.12 * _band(rng.normal(size=len(t)), 400, 4000) * np.exp(-t / 0.02))


def cowbell() -> np.ndarray:
    t = _times(0.22)
    return _ends((np.sign(np.sin(2 * np.pi * 562 * t)) + np.sign(np.sin(2 * np.pi * 845 * t))) * np.exp(-t / 0.05) / 2)


def rim(rng: np.random.Generator) -> np.ndarray:
    t = _times(0.08)
    return _ends(np.sin(2 * np.pi * 1680 * t) * np.exp(-t / 0.012) + 0.3 * rng.normal(size=len(t)) * np.exp(-t / 0.004))


# Notes


@functools.cache
def _table(kind: str, harmonics: int) -> np.ndarray:
    """One period of a wave with so many harmonics."""
    phase = 2 * np.pi * np.arange(PERIOD) / PERIOD
    numbers = np.arange(1, harmonics + 1)
    weights = {"saw": 1 / numbers, "square": (numbers % 2) / numbers, "soft": 1 / numbers**2}[kind]
    wave = (weights[:, None] * np.sin(numbers[:, None] * phase)).sum(0)
    return wave / np.abs(wave).max()


def wave(kind: str, hertz: float, count: int, brightest: float = 9000, start: float = 0.0) -> np.ndarray:
    """Give `count` samples of a saw, square or soft wave with no harmonic over `brightest` Hz."""
    table = _table(kind, int(np.clip(brightest / hertz, 1, 40)))
    steps = ((np.arange(count) * (hertz / RATE) + start) * PERIOD).astype(np.int64)
    return table[steps % PERIOD]


def bass(hertz: float, seconds: float, kind: str = "round") -> np.ndarray:
    """A bass note: `round` (a finger), `slap` (bright at first), `deep` (a falling sine), `synth` (a saw)."""
    count = int(seconds * RATE)
    t = np.arange(count) / RATE
    if kind == "deep":
        fall = hertz * (1 + 0.6 * np.exp(-t / 0.02))
        return _ends(np.tanh(1.8 * np.sin(2 * np.pi * np.cumsum(fall) / RATE)) * np.exp(-t / 0.5), 0.004, 0.04)
    low = wave("soft", hertz, count)
    if kind == "round":
        return _ends((0.85 * low + 0.2 * wave("saw", hertz, count, 500) * np.exp(-t / 0.08)) * np.exp(-t / 0.6), 0.005)
    bright = wave("saw", hertz, count, 2600 if kind == "slap" else 1300)
    opened = np.exp(-t / (0.05 if kind == "slap" else 0.14))
    return _ends((0.7 * low + 0.55 * bright * opened) * np.exp(-t / 0.45), 0.003, 0.02)


def keys(hertz: float, seconds: float, hard: float = 0.6) -> np.ndarray:
    """An electric piano: a sine bent by a sine, brighter the harder it is struck (0..1)."""
    t = _times(seconds)
    tine = 0.35 * hard * np.exp(-t / 0.06) * np.sin(2 * np.pi * 7 * hertz * t)
    bent = 1.7 * hard * np.exp(-t / 0.35) * np.sin(2 * np.pi * hertz * t) + tine
    return _ends(np.sin(2 * np.pi * hertz * t + bent) * np.exp(-t / 0.9), 0.003, 0.05)


def piano(hertz: float, seconds: float, hard: float = 0.6) -> np.ndarray:
    """A piano: partials a little too high, the higher the sooner gone."""
    t = _times(seconds)
    notes = np.zeros(len(t))
    for number in range(1, 9):
        partial = number * hertz * np.sqrt(1 + 0.0004 * number**2)
        if partial < 10000:
            loud = hard ** (0.45 * (number - 1)) / number
            notes += loud * np.sin(2 * np.pi * partial * t) * np.exp(-t * (0.8 + 0.9 * number))
    return _ends(notes, 0.002, 0.06)


def pad(hertz: float, seconds: float, brightest: float = 4200) -> np.ndarray:
    """Strings: three saws a little apart that swell and go."""
    count = int(seconds * RATE)
    voices = (wave("saw", hertz * (1 + off), count, brightest, 0.37 * n) for n, off in enumerate((-0.004, 0, 0.0035)))
    return _ends(sum(voices) / 3, min(0.12, 0.3 * seconds), min(0.18, 0.4 * seconds))


def brass(hertz: float, seconds: float) -> np.ndarray:
    """A stab: a saw that opens and closes."""
    count = int(seconds * RATE)
    t = np.arange(count) / RATE
    opened = np.exp(-(((t - 0.05) / 0.09) ** 2))
    dull, bright = wave("saw", hertz, count, 1100), wave("saw", hertz * 1.003, count, 5200, 0.2)
    return _ends((0.6 * dull + 0.55 * bright * opened) * np.exp(-t / 0.35), 0.012, 0.05)


def chick(hertz: float, seconds: float) -> np.ndarray:
    """A damped guitar."""
    count = int(seconds * RATE)
    t = np.arange(count) / RATE
    return _ends(wave("square", hertz, count, 3800) * np.exp(-t / 0.035), 0.001, 0.01)


def lead(hertz: float, seconds: float) -> np.ndarray:
    """A singing square with a late vibrato."""
    t = _times(seconds)
    hertz_now = hertz * (1 + 0.005 * np.sin(2 * np.pi * 5.5 * t) * np.clip((t - 0.15) / 0.2, 0, 1))
    phase = np.cumsum(hertz_now) / RATE
    table = _table("square", int(np.clip(3200 / hertz, 1, 9)))
    return _ends(table[(phase * PERIOD).astype(np.int64) % PERIOD] * np.exp(-t / 0.6), 0.008, 0.04)


NOTES = {"keys": keys, "piano": piano, "pad": pad, "brass": brass, "chick": chick, "lead": lead}


def room(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Two echoes [2, n] of a room that fades by 60 dB in so many seconds."""
    t = _times(seconds)
    tail = np.stack([_band(rng.normal(size=len(t)), 250, 6500) for _ in range(2)]) * np.exp(-6.9 * t / seconds)
    tail[:, : int(0.008 * RATE)] = 0
    return tail / np.linalg.norm(tail, axis=1, keepdims=True)
