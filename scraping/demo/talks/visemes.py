"""From sounds to what a mouth does: where jaw and lips aim, how they run into each other, and when lips are shut.

Each sound pulls at the articulators with a strength that fades with distance in time; what they do is the mean of all
pulls (after Cohen & Massaro, "Modeling coarticulation in synthetic visual speech", 1993). Rounding reaches farther
than the jaw: lips are round before an ㅗ is heard. Lips that must touch do so whatever the neighbours want.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scraping.demo.talks.speech import Phone

BILABIALS = ("ㅁ", "ㅂ", "ㅃ", "ㅍ")
HELD = 0.052  # seconds that lips are shut before a stop's burst, where eSpeak's sound of it begins
SHORTEST = 0.06  # seconds that they are shut at least: at 25 frames a second a frame shows it
CLOSING, OPENING = 0.065, 0.055  # seconds from open to shut and back
QUICKEST = 0.025  # of both, where sounds follow each other fast
REACH = {"jaw": 0.045, "round": 0.075, "spread": 0.06, "teeth": 0.045}  # seconds over which a pull fades


@dataclass(frozen=True)
class Aim:
    """Where a sound wants the mouth, each 0..1, and how strongly."""

    jaw: float
    round: float = 0.0
    spread: float = 0.0
    teeth: float = 0.0  # lips drawn off the teeth
    strength: float = 1.0
    rounds: float = 1.0  # how much it cares about rounding, where not as much as about the rest


AIMS = {
    "ㅏ": Aim(1.0, 0.0, 0.1, 0.3, 1.3),
    "ㅓ": Aim(0.68, 0.25, 0.0, 0.2, 1.1),
    "ㅗ": Aim(0.42, 0.85, 0.0, 0.0, 1.1, 1.6),
    "ㅜ": Aim(0.2, 1.0, 0.0, 0.0, 1.1, 1.8),
    "ㅡ": Aim(0.2, 0.0, 0.5, 0.25),
    "ㅣ": Aim(0.22, 0.0, 0.8, 0.35),
    "ㅔ": Aim(0.45, 0.0, 0.55, 0.3),
    "ㅐ": Aim(0.55, 0.0, 0.5, 0.3),
    "ㅚ": Aim(0.35, 0.6, 0.1, 0.1, 1.0, 1.3),
    "w": Aim(0.2, 0.95, 0.0, 0.0, 0.6, 2.0),
    "j": Aim(0.22, 0.0, 0.6, 0.2, 0.4),
    **dict.fromkeys("ㄴㄷㄸㅌㄹ", Aim(0.24, 0.0, 0.15, 0.3, 0.55, 0.2)),
    **dict.fromkeys("ㅅㅆ", Aim(0.12, 0.0, 0.3, 0.55, 0.8, 0.2)),
    **dict.fromkeys("ㅈㅉㅊ", Aim(0.14, 0.3, 0.1, 0.55, 0.8, 0.6)),
    **dict.fromkeys("ㄱㄲㅋㅇ", Aim(0.34, 0.0, 0.1, 0.15, 0.35, 0.15)),
    "ㅎ": Aim(0.4, 0.0, 0.1, 0.1, 0.12, 0.05),
    **dict.fromkeys(BILABIALS, Aim(0.16, 0.1, 0.0, 0.0, 0.5, 0.2)),
    "": Aim(0.0, 0.0, 0.0, 0.0, 1.2),
}
OTHER = Aim(0.3, 0.0, 0.1, 0.15, 0.3)  # a sound that no letter stands for


@dataclass(frozen=True)
class Mouth:
    """What a mouth does at F times, each [F] in 0..1."""

    jaw: np.ndarray
    round: np.ndarray
    spread: np.ndarray
    teeth: np.ndarray
    shut: np.ndarray  # 1: lips touch; between, on the way

    @property
    def speaking(self) -> np.ndarray:
        """How far [F] the mouth is from rest."""
        return np.clip(np.maximum(self.jaw, self.round) * 4, 0, 1)


def shut_spans(phones: Sequence[Phone]) -> list[tuple[float, float]]:
    """When lips touch for ㅁ ㅂ ㅃ ㅍ, in seconds: through an ㅁ, and before the burst of a stop."""
    return [_shut(phone) for phone in phones if phone.jamo in BILABIALS]


def _shut(phone: Phone) -> tuple[float, float]:
    first = phone.start - (0.0 if phone.jamo == "ㅁ" else HELD)
    last = first + SHORTEST if phone.jamo != "ㅁ" else max(phone.end - 0.01, first + SHORTEST)
    return round(first, 4), round(last, 4)


def silent_spans(phones: Sequence[Phone], seconds: float) -> list[tuple[float, float]]:
    """When nothing is said, in seconds, from 0 to a recording's end; shorter than 0.1 s is part of speech."""
    edges = [0.0]
    for phone in phones:
        if phone.symbol:
            edges += [phone.start, phone.end]
    edges.append(seconds)
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [(round(start, 4), round(end, 4)) for start, end in pairs if end - start >= 0.1]


def mouth(phones: Sequence[Phone], seconds: float, times: np.ndarray, rng: np.random.Generator) -> Mouth:
    """Follow a mouth through sounds at times [F]; no two utterances of a sound are quite alike."""
    sounds = [phone for phone in phones if phone.symbol]
    rests = [Phone("", None, start, end) for start, end in silent_spans(phones, seconds)]
    sounds = sorted([*sounds, *rests], key=lambda phone: phone.start)
    aims = [_aim(phone) for phone in sounds]
    vary = rng.uniform(0.88, 1.1, len(sounds))
    middles = np.array([0.5 * (phone.start + phone.end) for phone in sounds])
    halves = np.array([0.5 * (phone.end - phone.start) for phone in sounds])
    away = np.abs(times[:, None] - middles) - 0.55 * halves
    held = {}
    for name, reach in REACH.items():
        strength = np.array([aim.strength * (aim.rounds if name == "round" else 1.0) for aim in aims])
        wanted = np.array([getattr(aim, name) for aim in aims]) * vary
        pull = strength * np.exp(-((np.maximum(away, 0) / reach) ** 1.5)) + 1e-9
        held[name] = np.clip((pull * wanted).sum(1) / pull.sum(1), 0, 1)
    shut = np.zeros(len(times))
    for before, phone, after in zip([None, *phones][:-1], phones, [*phones, None][1:], strict=True):
        if phone.jamo in BILABIALS:  # a short vowel beside it still opens
            closing = min(CLOSING, 0.4 * (before.end - before.start)) if before else CLOSING
            opening = min(OPENING, 0.4 * (after.end - after.start)) if after else OPENING
            shut = np.maximum(shut, _ramp(times, *_shut(phone), max(closing, QUICKEST), max(opening, QUICKEST)))
    for start, end in silent_spans(phones, seconds):
        inside = (start if start == 0 else start + 0.09, end if end >= seconds else end - 0.05)
        if inside[1] > inside[0]:
            shut = np.maximum(shut, _ramp(times, *inside, 0.12, 0.09))
    return Mouth(**held, shut=shut)


def _aim(phone: Phone) -> Aim:
    return AIMS.get(phone.jamo or phone.symbol, OTHER)


def _ramp(times: np.ndarray, start: float, end: float, before: float, after: float) -> np.ndarray:
    """One from start to end, running smoothly up to it and down from it."""
    t = np.clip(np.minimum((times - start + before) / before, (end + after - times) / after), 0, 1)
    return t * t * (3 - 2 * t)


def actions(pose: Mouth, frame: int, smile: float, width: float) -> dict[str, float]:
    """Facial actions of one frame, before lips are brought together; `width` is how lively somebody articulates."""
    jaw, rounded, spread, teeth = (float(values[frame]) for values in (pose.jaw, pose.round, pose.spread, pose.teeth))
    shut = float(pose.shut[frame])
    free = 1 - shut
    jaw = jaw * width * (1 - 0.8 * shut)
    sides = {
        "mouthSmile": smile * (1 - 0.8 * rounded) + 0.22 * spread,
        "mouthStretch": 0.25 * spread * free,
        "mouthLowerDown": (0.1 * min(1.0, 8 * jaw) + 0.32 * teeth + 0.18 * jaw) * free * (1 - 0.6 * rounded),
        "mouthUpperUp": (0.05 * min(1.0, 8 * jaw) + 0.22 * teeth + 0.12 * jaw) * free * (1 - 0.6 * rounded),
        "mouthPress": 0.22 * shut * min(1.0, 6 * jaw + 0.2),
    }
    result = {
        "jawOpen": 0.45 * jaw,
        "mouthFunnel": 0.45 * rounded * width * (1 - 0.9 * shut),
        "mouthPucker": 0.55 * rounded * width * (1 - 0.4 * shut),
    }
    for name, value in sides.items():
        result |= {f"{name}Left": value, f"{name}Right": value}
    return result
