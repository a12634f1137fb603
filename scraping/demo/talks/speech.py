"""Korean speech with the time of every phoneme, by eSpeak NG.

eSpeak NG is GPL-3.0-or-later. This file is the only one that touches it, and only in a process of its own: a caller
sends text and gets samples and times. The package espeakng-loader (extra `demo`) carries library, data and voice.

python -m scraping.demo.talks.speech    # that process: one JSON line in, one JSON line and 16-bit samples out
"""

import ctypes
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from inference.errors import UserError

RATE = 16_000
VARIANTS = {"female": ("f1", "f2", "f3", "f4", "f5"), "male": ("m1", "m2", "m3", "m4", "m6", "m7", "m8")}
SECONDS = 60  # that speaking may take; it takes a hundredth

# eSpeak NG's names for Korean sounds: its letters are IPA with marks of its own (p- tense, ph aspirated).
JAMO = {
    "p": "ㅂ", "b": "ㅂ", "p-": "ㅃ", "ph": "ㅍ", "m": "ㅁ",
    "t": "ㄷ", "d": "ㄷ", "t-": "ㄸ", "d-": "ㄸ", "th": "ㅌ", "n": "ㄴ", "ɾ": "ㄹ", "l": "ㄹ", "ɫ": "ㄹ",
    "s": "ㅅ", "ɕ": "ㅅ", "s-": "ㅆ", "ɕ-": "ㅆ", "tɕ": "ㅈ", "dʑ": "ㅈ", "tɕ-": "ㅉ", "tɕh": "ㅊ", "tʃ": "ㅊ",
    "k": "ㄱ", "ɡ": "ㄱ", "q": "ㄱ", "k-": "ㄲ", "q-": "ㄲ", "kh": "ㅋ", "ŋ": "ㅇ", "h": "ㅎ",
    "ɐ": "ㅏ", "ʌ": "ㅓ", "o": "ㅗ", "u": "ㅜ", "ɯ": "ㅡ", "i": "ㅣ", "e": "ㅔ", "ɛ": "ㅐ", "ø": "ㅚ",
}  # fmt: skip


@dataclass(frozen=True)
class Voice:
    """How somebody sounds."""

    variant: str  # of `VARIANTS`
    pitch: int  # 0..99
    range: int  # 0 flat .. 99
    rate: int  # words a minute: 170 is about 5.3 syllables a second


@dataclass(frozen=True)
class Phone:
    """A sound and its time in seconds; no symbol is silence, and glides have no letter of their own."""

    symbol: str
    jamo: str | None
    start: float
    end: float


@dataclass(frozen=True)
class Speech:
    """A spoken text."""

    samples: np.ndarray  # [n] float32 at 16 kHz
    phones: tuple[Phone, ...]  # without gaps, from 0 to the end

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE


def speak(text: str, voice: Voice) -> Speech:
    """Speak a text from its first sound to its last. The same text and voice give the same samples."""
    if importlib.util.find_spec("espeakng_loader") is None:
        raise UserError("the demo talks need the voice of eSpeak NG: pip install 'dramatis[demo]'")
    request = {"text": text, "voice": f"ko+{voice.variant}", "pitch": voice.pitch, "range": voice.range}
    process = subprocess.run(
        [sys.executable, "-m", "scraping.demo.talks.speech"],
        input=json.dumps(request | {"rate": voice.rate}).encode(),
        capture_output=True,
        cwd=Path(__file__).resolve().parents[3],
        timeout=SECONDS,
        check=False,
    )
    if process.returncode:
        reason = process.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise RuntimeError(f"eSpeak NG did not speak {text!r} as {voice}: {reason}")
    head, _, tail = process.stdout.partition(b"\n")
    spoken = json.loads(head)
    samples = resampled(np.frombuffer(tail, "<i2").astype(np.float32) / 32768, spoken["rate"], RATE)
    return _trimmed(samples, _phones(spoken["events"], spoken["rate"], len(samples) / RATE))


def resampled(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Change the rate of a whole recording by its spectrum: no delay, and the band's edge cut sharp."""
    padded = np.concatenate([samples, np.zeros(-len(samples) % rate + rate, np.float32)])  # whole seconds
    spectrum = np.fft.rfft(padded)
    count = len(padded) // rate * wanted
    kept = np.zeros(count // 2 + 1, complex)
    both = min(len(kept), len(spectrum))
    kept[:both] = spectrum[:both]
    changed = np.fft.irfft(kept, count) * (wanted / rate)
    return changed[: round(len(samples) * wanted / rate)].astype(np.float32)


def _phones(events: Iterable[tuple[int, str]], rate: int, seconds: float) -> list[Phone]:
    """Name sounds and give each its end, where the next begins; marks of stress fall away."""
    starts = [(sample / rate, symbol.strip("ˈˌː_:")) for sample, symbol in events]
    ends = [start for start, _ in starts[1:]] + [seconds]
    sounds: list[Phone] = []
    for (start, symbol), end in zip(starts, ends, strict=True):
        if end - start > 1e-6:
            sounds.append(Phone(symbol, JAMO.get(symbol), round(start, 4), round(end, 4)))
    return sounds


def _trimmed(samples: np.ndarray, phones: list[Phone]) -> Speech:
    """Cut the silence before the first sound and after the last."""
    while phones and not phones[-1].symbol:
        phones.pop()
    while phones and not phones[0].symbol:
        phones.pop(0)
    if not phones:
        return Speech(np.zeros(0, np.float32), ())
    first, last = round(phones[0].start * RATE), round(phones[-1].end * RATE)
    moved = (moved_by(phone, -first / RATE) for phone in phones)
    return Speech(samples[first:last], tuple(moved))


def moved_by(phone: Phone, seconds: float) -> Phone:
    """The same sound later."""
    return replace(phone, start=round(phone.start + seconds, 4), end=round(phone.end + seconds, 4))


class _Identity(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Identity),
    )


SYNCHRONOUS, PHONEME_EVENTS, PHONEME_IPA, DO_NOT_EXIT = 2, 0x1, 0x2, 0x8000
PARAMETER_RATE, PARAMETER_PITCH, PARAMETER_RANGE = 1, 3, 4
UTF8 = 1
PHONEME_EVENT = 7


def _serve() -> None:
    """Answer one request: a line with rate and phoneme events, then the samples."""
    import espeakng_loader

    request = json.loads(sys.stdin.readline())
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    options = PHONEME_EVENTS | PHONEME_IPA | DO_NOT_EXIT
    rate = library.espeak_Initialize(SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), options)
    if rate <= 0:
        raise SystemExit(f"espeak_Initialize gave {rate}")
    chunks: list[bytes] = []
    events: list[tuple[int, str]] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))
    def heard(wave: int | None, count: int, event: object) -> int:
        if wave and count:
            chunks.append(ctypes.string_at(wave, 2 * count))
        index = 0
        while event[index].type:
            if event[index].type == PHONEME_EVENT:
                events.append((event[index].sample, event[index].id.string.decode(errors="replace")))
            index += 1
        return 0

    variant = request["voice"].partition("+")[2]
    if not (Path(espeakng_loader.get_data_path()) / "voices" / "!v" / variant).is_file():  # it would take its own
        raise SystemExit(f"no voice {request['voice']}")
    library.espeak_SetSynthCallback(heard)
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))
    if library.espeak_SetVoiceByName(request["voice"].encode()):
        raise SystemExit(f"no voice {request['voice']}")
    for parameter, name in ((PARAMETER_RATE, "rate"), (PARAMETER_PITCH, "pitch"), (PARAMETER_RANGE, "range")):
        library.espeak_SetParameter(parameter, request[name], 0)
    text = request["text"].encode()
    library.espeak_Synth(text, len(text) + 1, 0, 0, 0, UTF8, None, None)
    library.espeak_Synchronize()
    sys.stdout.buffer.write(json.dumps({"rate": rate, "events": events}).encode() + b"\n" + b"".join(chunks))


if __name__ == "__main__":
    _serve()
