"""What arms and bodies do: shapes of an arm, patterns of them over counts, and the ways a body keeps the beat."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scraping.demo.dances.body import arm
from scraping.demo.dances.curves import eased

# Where the two halves of a left arm point, against the chest: left, up, ahead; and the wrist about y and z.
_SHAPES = {
    "down": ((0.14, -1, 0.02), (0.1, -1, 0.22)),
    "easy": ((0.28, -1, -0.08), (0.05, -0.72, 0.6)),
    "guard": ((0.35, -0.95, 0.1), (-0.3, 0.45, 0.8)),
    "side": ((1, 0.02, 0.05), (1, 0, 0.12)),
    "side_low": ((0.85, -0.55, 0), (0.95, -0.35, 0.15)),
    "up": ((0.22, 1, 0.1), (0.02, 1, 0.08)),
    "high": ((0.62, 0.8, 0.1), (0.56, 0.82, 0.12)),
    "low": ((0.62, -0.8, 0.08), (0.6, -0.78, 0.2)),
    "front": ((0.12, -0.08, 1), (0, 0, 1)),
    "front_up": ((0.2, 0.35, 0.9), (0.02, 0.62, 0.78)),
    "front_low": ((0.15, -0.7, 0.7), (-0.05, -0.4, 0.9)),
    "across": ((-0.3, -0.3, 0.88), (-0.85, 0.05, 0.45)),
    "across_low": ((-0.1, -0.8, 0.6), (-0.75, -0.5, 0.45)),
    "hip": ((0.72, -0.7, -0.3), (-0.62, -0.62, 0.42)),
    "head": ((0.78, 0.58, 0.1), (-0.7, 0.7, -0.02)),
    "crown": ((0.5, 0.84, 0.25), (-0.35, 0.92, 0.1)),
    "first": ((0.5, -0.72, 0.45), (-0.6, -0.3, 0.72)),
    "second": ((0.94, -0.16, 0.3), (0.84, -0.26, 0.5)),
    "swing_back": ((0.28, -0.85, -0.48), (0.1, -0.72, 0.25)),
    "swing_front": ((0.2, -0.78, 0.55), (-0.28, 0.12, 0.92)),
    "cactus": ((1, 0, 0.12), (0.05, 1, 0.12)),
    "cactus_down": ((1, 0.04, 0.12), (0.06, -1, 0.14)),
    "square": ((0.95, 0, 0.3), (0, 0, 1)),
    "shelf": ((0.88, -0.06, 0.42), (-1, 0.02, 0.14)),
    "hoop": ((0.78, -0.58, 0.2), (-0.2, -0.62, 0.75)),
    "point_up": ((0.6, 0.72, 0.3), (0.55, 0.75, 0.32)),
    "point_out": ((0.95, 0.1, 0.35), (0.95, 0.1, 0.3)),
    "point_down": ((0.45, -0.78, 0.45), (0.42, -0.78, 0.48)),
    "chest": ((0.5, -0.76, 0.36), (-0.8, 0.3, 0.45)),
    "clap": ((0.28, -0.5, 0.78), (-0.72, 0.25, 0.62)),
    "punch": ((0.1, -0.12, 1), (-0.12, -0.02, 1)),
    "uppercut": ((0.18, -0.3, 0.9), (-0.12, 0.95, 0.3)),
    "cocked": ((0.6, -0.62, -0.5), (0.12, 0.4, 0.9)),
    "thrown_up": ((0.62, 0.66, -0.35), (0.1, 0.98, 0.1)),
    "over": ((0.45, 0.88, 0.1), (-0.6, 0.78, -0.12)),
    "shoulder": ((0.62, 0.3, 0.7), (-0.78, 0.5, -0.2)),
    "flung": ((0.9, 0.3, 0.1), (0.9, 0.35, 0.1)),
    "roll": ((0.55, -0.7, 0.45), (-0.25, 0.2, 0.95)),
}
_WRISTS = {"crown": (0.3, 0.3), "first": (0.3, 0), "second": (0, -0.25), "hoop": (0.4, -0.5), "cactus": (0, 0.25)}
SHAPES = {name: (*arm(*halves), *_WRISTS.get(name, (0.0, 0.0))) for name, halves in _SHAPES.items()}
REST = ("easy", "easy")

Pose = tuple[float, str, str]  # count, left arm, right arm


def _counted(*words: str) -> tuple[Pose, ...]:
    """Read `1 clap clap, 2 side hip`: on a count, the shapes of the left and the right arm."""
    poses = []
    for word in ",".join(words).split(","):
        on, left, right = word.split()
        poses.append((float(on), left, right))
    return tuple(poses)


# Of four counts; in three, what falls on the fourth is left out. Some come in several ways.
ARMS: dict[str, tuple[tuple[Pose, ...], ...]] = {
    "swing": (
        _counted(
            "1 swing_back swing_front, 2 swing_front swing_back, 3 swing_back swing_front, 4 swing_front swing_back"
        ),
    ),
    "rock": (
        _counted("1 across across_low, 2 side_low side_low, 3 across_low across, 4 side_low side_low"),
        _counted("1 guard swing_back, 2 side_low side_low, 3 swing_back guard, 4 side_low side_low"),
    ),
    "cross": (
        _counted("1 across across_low, 2 low low, 3 guard guard, 4 low low"),
        _counted("1 shelf shelf, 2 across chest, 3 low low, 4 hip hip"),
    ),
    "point": (
        _counted("1 point_up hip, 2 point_up hip, 3 point_down hip, 4 chest hip"),
        _counted("1 chest chest, 2 point_out chest, 3 chest point_out, 4 point_up point_down"),
    ),
    "circle": (
        _counted(
            "1 front_low front_low, 1.5 side_low across_low, 2 high across",
            "2.5 up up, 3 across high, 4 across_low side_low",
        ),
        _counted("1 roll chest, 1.5 chest roll, 2 roll chest, 3 flung flung, 4 easy easy"),
    ),
    "angles": (
        _counted("1 cactus cactus_down, 2 cactus_down cactus, 3 square square, 4 shelf shelf"),
        _counted("1 square cactus, 2 shelf cactus, 3 cactus shelf, 3.5 cactus square, 4 cactus_down cactus_down"),
        _counted("1 shelf shelf, 2 cactus shelf, 3 cactus cactus, 4 side side"),
    ),
    "wave": (_counted("1 side side, 4 side side"),),
    "frame": (
        _counted("1 head shelf, 2 head hip, 3 crown hip, 4 hip hip"),
        _counted("1 shelf shelf, 2 crown shelf, 3 crown crown, 4 low low"),
        _counted("1 cactus head, 2 head cactus, 3 chest chest, 4 hip low"),
    ),
    "lock": (
        _counted("1 hoop hoop, 2 point_up hip, 3 hoop hoop, 4 clap clap"),
        _counted("1 roll roll, 1.5 chest chest, 2 hoop hoop, 3 point_out hoop, 4 hoop hoop"),
        _counted("1 point_up point_down, 2 hoop hoop, 3 point_down point_up, 4 hoop hoop"),
    ),
    "clap": (_counted("1 side_low side_low, 2 clap clap, 3 high high, 4 clap clap"),),
    "brush": (
        _counted("1 across hip, 2 flung hip, 3 chest across, 4 low flung"),
        _counted("1 chest down, 1.5 point_out down, 2 easy easy, 3 easy chest, 3.5 easy point_out, 4 easy easy"),
    ),
    "roof": (_counted("1 up up, 1.5 cactus cactus, 2 up up, 2.5 cactus cactus, 3 up up, 3.5 cactus cactus, 4 up up"),),
    "waack": (
        _counted("1 over flung, 1.5 shoulder over, 2 flung shoulder, 2.5 over flung, 3 head point_out, 4 crown hip"),
        _counted("1 over over, 1.5 shoulder shoulder, 2 flung flung, 3 over hip, 3.5 flung hip, 4 point_up hip"),
        _counted("1 flung hip, 1.5 over hip, 2 flung hip, 2.5 over hip, 3 flung flung, 3.5 over over, 4 flung flung"),
    ),
    "throw": (
        _counted(
            ".5 thrown_up guard, 1 point_down guard, 2 guard guard",
            "2.5 guard thrown_up, 3 guard point_down, 4 guard guard",
        ),
        _counted("1 flung flung, 1.5 across across_low, 2 thrown_up cocked, 3 cocked punch, 4 guard guard"),
    ),
    "punch": (
        _counted(".5 cocked guard, 1 punch guard, 1.5 guard cocked, 2 guard punch, 3 uppercut guard, 4 guard uppercut"),
        _counted("1 punch cocked, 2 cocked punch, 3 low low, 4 guard guard"),
    ),
    "reach": (
        _counted("1 up side_low, 2 high low, 3 across low, 4 side_low side_low"),
        _counted("1 front_up swing_back, 2 high side_low, 3 chest chest, 4 side side"),
        _counted("1 across across_low, 2 flung flung, 3 up up, 4 low low"),
    ),
    "vees": (
        _counted("1 high high, 2 shelf shelf, 3 low low, 4 hip hip"),
        _counted("1 high low, 2 low high, 3 crown crown, 4 side side"),
    ),
    "ballet": (
        _counted("1 first first, 2 crown second, 3 second second, 4 first first"),
        _counted("1 second first, 2 crown crown, 3 second crown, 4 low low"),
        _counted("1 first second, 2 front_up second, 3 high second, 4 second second"),
    ),
}


def mirrored(poses: Sequence[Pose]) -> tuple[Pose, ...]:
    return tuple((on, right, left) for on, left, right in poses)


def shape(name: str, big: float) -> tuple[float, ...]:
    """Give the six angles of an arm (see `body.Intent`); a small dancer's arm stays nearer to hanging easily."""
    easy = SHAPES["easy"]
    return tuple(calm + (own - calm) * big for own, calm in zip(SHAPES[name], easy, strict=True))


# Bodies


@dataclass
class Sway:
    """What a body adds while it keeps the beat, [T, 3] each: pitch forward, turn left, roll right; metres down."""

    tilt: np.ndarray
    low: np.ndarray
    high: np.ndarray
    head: np.ndarray
    sink: np.ndarray

    @classmethod
    def still(cls, count: int) -> "Sway":
        return cls(*(np.zeros((count, 3)) for _ in range(4)), np.zeros(count))


def _swung(beats: np.ndarray, period: float = 2.0, late: float = 0.0) -> np.ndarray:
    """Swing from 1 on a beat to -1 half a period later, a little held at both ends."""
    return np.sin(np.pi / 2 * 1.12 * np.cos(2 * np.pi * (beats - late) / period)) / np.sin(np.pi / 2 * 1.12)


def _struck(beats: np.ndarray, fall: float = 0.5) -> np.ndarray:
    """Strike on every beat: up in the third before it, down over the part `fall` after it."""
    phase = beats - np.floor(beats)
    return eased((phase - 0.67) / 0.33) + np.where(phase < fall, 1 - eased(phase / fall), 0)


def _down(beats: np.ndarray) -> np.ndarray:
    """Be lowest (1) on every beat."""
    return (0.5 + 0.5 * np.cos(2 * np.pi * beats)) ** 1.2


def _bounce(beats: np.ndarray, sway: Sway) -> None:
    low = _down(beats)
    sway.sink += 0.4 * low
    sway.high[:, 0] += 0.08 * low
    sway.head[:, 0] += 0.16 * low - 0.04
    sway.low[:, 2] += 0.06 * _swung(beats)


def _rock(beats: np.ndarray, sway: Sway) -> None:
    swung = _swung(beats)
    sway.low[:, 0] += 0.09 + 0.1 * swung
    sway.high[:, 0] += 0.11 * swung
    sway.head[:, 0] += 0.12 * _down(beats)
    sway.high[:, 1] += 0.14 * _swung(beats, 4)


def _twist(beats: np.ndarray, sway: Sway) -> None:
    swung = _swung(beats)
    sway.tilt[:, 1] += 0.16 * swung
    sway.low[:, 1] -= 0.26 * swung
    sway.high[:, 1] -= 0.2 * swung
    sway.head[:, 0] += 0.08 * _down(beats)


def _pop(beats: np.ndarray, sway: Sway) -> None:
    struck = _struck(beats)
    sway.high[:, 0] -= 0.3 * struck - 0.08
    sway.low[:, 0] += 0.14 * struck
    sway.tilt[:, 0] -= 0.06 * struck
    sway.head[:, 0] += 0.12 * struck
    sway.high[:, 1] += 0.1 * _swung(beats, 4)


def _isolate(beats: np.ndarray, sway: Sway) -> None:
    side, front = _swung(beats, 4), _swung(beats, 4, 1)
    sway.low[:, 2] += 0.2 * side
    sway.high[:, 2] -= 0.24 * side
    sway.low[:, 0] += 0.14 * front
    sway.high[:, 0] -= 0.2 * front
    sway.head[:, 2] += 0.1 * side


def _roll(beats: np.ndarray, sway: Sway) -> None:
    """Let a wave go up the body in four beats."""
    parts = [_swung(beats, 4, late) for late in (0.0, 0.35, 0.75, 1.15)]
    sway.tilt[:, 0] += 0.15 * parts[0]
    sway.low[:, 0] += 0.28 * parts[1]
    sway.high[:, 0] += 0.24 * parts[2]
    sway.head[:, 0] += 0.24 * parts[3]
    sway.sink += 0.5 * (0.5 + 0.5 * parts[1])


def _hips(beats: np.ndarray, sway: Sway) -> None:
    swung = _swung(beats)
    sway.tilt[:, 2] += 0.13 * swung
    sway.low[:, 2] -= 0.2 * swung
    sway.high[:, 2] += 0.07 * swung
    sway.tilt[:, 1] += 0.1 * swung
    sway.head[:, 2] -= 0.09 * swung


def _jack(beats: np.ndarray, sway: Sway) -> None:
    """Throw the chest back and forth within each beat, as house dancers do."""
    low, late = _struck(beats, 0.6), _struck(beats - 0.16, 0.6)
    sway.tilt[:, 0] += 0.1 * low
    sway.low[:, 0] += 0.22 * low - 0.05
    sway.high[:, 0] -= 0.2 * late - 0.08
    sway.head[:, 0] += 0.16 * late
    sway.sink += 0.35 * low


def _breathe(beats: np.ndarray, sway: Sway) -> None:
    lean = _swung(beats, 8)
    sway.low[:, 2] += 0.15 * lean
    sway.high[:, 2] += 0.12 * lean
    sway.high[:, 0] -= 0.1 * _swung(beats, 4, 2)
    sway.head[:, 2] += 0.12 * lean
    sway.head[:, 1] += 0.2 * _swung(beats, 8, 1)


BODIES: dict[str, Callable[[np.ndarray, Sway], None]] = {
    "bounce": _bounce,
    "rock": _rock,
    "twist": _twist,
    "pop": _pop,
    "isolate": _isolate,
    "roll": _roll,
    "sway": _hips,
    "jack": _jack,
    "breathe": _breathe,
}


def waved(beats: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Let a wave run from one hand through both arms to the other in four beats: angles to add, [T, 2, 6]."""
    added = np.zeros((len(beats), 2, 6))
    for side, late in ((0, 0.0), (1, 1.1)):
        for column, place, much in ((5, 0.0, 0.75), (2, 0.3, 0.75), (1, 0.6, 0.55)):
            at = late + (place if side == 0 else 0.9 - place)
            phase = np.mod(beats - at, 4.0)
            bump = np.sin(np.pi * np.clip(phase / 1.3, 0, 1)) ** 2
            added[:, side, column] += much * bump * strength
    added[:, :, 3] -= 1.2 * added[:, :, 2]  # elbows up where they bend
    return added
