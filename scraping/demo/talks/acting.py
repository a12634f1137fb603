"""What a speaker does while talking: lips by the sounds, brought together where they must touch; head, eyes, brows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scraping.demo.talks.heads import Head, Turn
from scraping.demo.talks.speech import Phone
from scraping.demo.talks.visemes import AIMS, Mouth, actions, mouth

FPS = 25
PRESSED = -0.0002  # metres of gap where lips are shut
SLACK = 0.0014  # metres that lips are apart at least where somebody speaks and they are not shut
JAW_DROP = 0.033  # metres the gap grows by a whole jawOpen, and shrinks by a whole mouthClose
LOUDEST = 1.1  # how far beyond its aim a sound may go


@dataclass(frozen=True)
class Manner:
    """How somebody moves while talking."""

    smile: float  # 0..0.3
    width: float  # of articulation, about 1
    motion: float  # of the head, about 1
    blink_seconds: float  # from one blink to the next


@dataclass(frozen=True)
class Moment:
    """A frame's facial actions and the turn of the head."""

    actions: dict[str, float]
    turn: Turn


def manner(seed: int) -> Manner:
    """Draw how the speaker of a seed moves."""
    rng = np.random.Generator(np.random.PCG64([seed, 405]))
    low, high = np.array([0.02, 0.88, 0.6, 2.2]), np.array([0.22, 1.12, 1.4, 4.0])
    return Manner(*map(float, rng.uniform(low, high)))


def widest(head: Head, how: Manner) -> float:
    """The largest gap of the lips [metres] that somebody makes while talking: an ㅏ at its loudest."""
    aim = AIMS["ㅏ"]
    still = [np.array([min(1.0, value * LOUDEST)]) for value in (aim.jaw, aim.round, aim.spread, aim.teeth)]
    return head.gap(actions(Mouth(*still, np.zeros(1)), 0, how.smile, how.width))


def act(
    head: Head, how: Manner, phones: Sequence[Phone], seconds: float, frames: int, rng: np.random.Generator
) -> list[Moment]:
    """Play sounds (times in seconds from the first frame) in front of the camera, frame by frame."""
    times = np.arange(frames) / FPS
    pose = mouth(phones, seconds, times, rng)
    turns = _turns(how, phones, times, rng)
    blinks, brows = _blinks(how, times, rng), _brows(phones, times, rng)
    moments = []
    for frame in range(frames):
        wanted = actions(pose, frame, how.smile, how.width)
        lips = settled(head, wanted, float(pose.shut[frame]), float(pose.speaking[frame]))
        upper = {"eyeBlinkLeft": blinks[frame], "eyeBlinkRight": blinks[frame], "browInnerUp": brows[frame]}
        upper |= {f"browOuterUp{side}": 0.6 * brows[frame] for side in ("Left", "Right")}
        moments.append(Moment(lips | {name: float(value) for name, value in upper.items()}, turns[frame]))
    return moments


def settled(head: Head, wanted: Mapping[str, float], shut: float, speaking: float) -> dict[str, float]:
    """Bring the lips exactly as far together as `shut` (0..1) asks, whatever this face's shape makes of the actions."""
    free = head.gap(wanted)
    goal = free + (min(PRESSED, free) - free) * shut
    goal = max(goal, SLACK * speaking * (1 - shut) ** 2 + PRESSED) if shut < 1 and speaking else goal
    name = "mouthClose" if goal < free else "jawOpen"
    result = {"mouthClose": 0.0, **wanted}
    for _ in range(3):  # lips' lowest and highest points change as they move: nearly linear
        missing = head.gap(result) - goal
        result[name] = max(0.0, result[name] + (missing if name == "mouthClose" else -missing) / JAW_DROP)
    return result


def _turns(how: Manner, phones: Sequence[Phone], times: np.ndarray, rng: np.random.Generator) -> list[Turn]:
    """Slow sway, small nods where phrases begin, and eyes that mostly stay on the camera."""
    swing = [_wander(times, rng) * reach * how.motion for reach in (3.6, 2.2, 1.8)]
    sounding = [phone.start for phone in phones if phone.symbol and phone.end - phone.start > 0.12]
    for start in sounding[:: int(rng.integers(3, 6))]:
        swing[1] = swing[1] + rng.uniform(0.5, 2.2) * how.motion * np.exp(-(((times - start - 0.08) / 0.16) ** 2))
    glance = np.zeros((2, len(times)))
    at = rng.uniform(0.3, 1.2)
    while at < times[-1] if len(times) else False:
        until = at + rng.uniform(0.25, 1.1)
        glance[:, (times >= at) & (times < until)] = rng.normal(0, [[3.5], [1.6]])
        at = until + rng.uniform(0.4, 1.8)
    # eyes turn against the head, to stay where they look
    across, down = glance[0] - 0.85 * swing[0], glance[1] - 0.85 * swing[1]
    rows = zip(*swing, across, down, strict=True)
    return [Turn(turn, nod, tilt, (eye, lid)) for turn, nod, tilt, eye, lid in rows]


def _wander(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A smooth aimless motion [F] of about unit size."""
    rates = np.array([0.17, 0.31, 0.53, 0.89]) * rng.uniform(0.8, 1.25, 4)
    sizes = np.array([0.8, 0.6, 0.35, 0.15]) * rng.uniform(0.7, 1.3, 4)
    phases = rng.uniform(0, 2 * np.pi, 4)
    return (sizes * np.sin(2 * np.pi * times[:, None] * rates + phases)).sum(1)


def _blinks(how: Manner, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    closed = np.zeros(len(times))
    at = rng.uniform(0.1, how.blink_seconds)
    while at < (times[-1] if len(times) else 0):
        closing, opening = (times - at) / 0.08 + 1, (at + 0.16 - times) / 0.12
        closed = np.maximum(closed, np.clip(np.minimum(closing, opening), 0, 1))
        at += how.blink_seconds * rng.uniform(0.5, 1.6)
    return closed


def _brows(phones: Sequence[Phone], times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Brows lift a little on some of what is said."""
    lift = np.zeros(len(times))
    for phone in phones:
        if phone.symbol and phone.end - phone.start > 0.13 and rng.random() < 0.3:
            lift = np.maximum(lift, rng.uniform(0.1, 0.4) * np.exp(-(((times - phone.start - 0.1) / 0.22) ** 2)))
    return lift
