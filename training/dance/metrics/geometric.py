"""Geometric features: 32 yes-or-no questions about a pose, averaged over time (Mueller et al. 2005; AIST++'s "manual").

Is the right hand in front, the left knee bent, are the hands moving apart ... Thresholds are in body lengths: of the
upper arm (`arm`), between the shoulders (`shoulders`), between the hips (`hips`), and per second for speeds.

Modes:
- `legacy`: as in AIST++'s repository and Bailando's `manual_new`, on which tables since 2022 stand.
- `legacy-fact`: the same with the body lengths of FACT's paper and Bailando's `manual`, which took them between wrong
  joints: a shoulder is the neck there, and a hip a knee.
- `corrected`: speeds by the true time between frames, where both legacies take 1/120 s for 1/60 s; the velocity that
  `moves` asks about is that of the fourth joint against the third, where both ask about the third against the first
  and never look at the fourth; what is asked of the left is the mirror image of what is asked of the right, where in
  two of the pairs both ask the opposite; and the body lengths are those of the clip.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.dance.metrics import sampling

Mode = Literal["legacy", "legacy-fact", "corrected"]
FLOOR, UP, DOWN, ORIGIN = "floor", "up", "down", "origin"  # points that are no joints
JOINTS = (
    "root", "lhip", "rhip", "belly", "lknee", "rknee", "spine", "lankle", "rankle", "chest", "ltoes", "rtoes", "neck",
    "lcollar", "rcollar", "head", "lshoulder", "rshoulder", "lelbow", "relbow", "lwrist", "rwrist", "lhand", "rhand",
)  # fmt: skip
LEGACY_SECONDS = 1 / 120  # between two frames of 60 a second
TRUE_SECONDS = 1 / sampling.AIST_FPS


@dataclass(frozen=True)
class Lengths:
    """What thresholds are multiples of, in metres."""

    arm: float
    shoulders: float
    hips: float


# Distances in SMPL's rest pose: between the joints meant, and between those that FACT's code took for them.
LEGACY = Lengths(arm=0.2568381, shoulders=0.3908484, hips=0.1192471)
LEGACY_FACT = Lengths(arm=0.2493235, shoulders=0.4857135, hips=0.4241398)


@dataclass(frozen=True)
class Question:
    """One question: what is compared, of which joints, with `factor` times a body length or between two angles."""

    name: str
    kind: str
    joints: tuple[str, ...]
    factor: float = 0.0
    length: str = "arm"
    angles: tuple[float, float] = (0.0, 0.0)  # degrees


def _question(name: str, kind: str, joints: str, factor: float, length: str = "arm") -> Question:
    return Question(name, kind, tuple(joints.split()), factor, length)


def _angle(name: str, joints: str, least: float, most: float) -> Question:
    return Question(name, "angle", tuple(joints.split()), angles=(least, most))


QUESTIONS = (
    _question("right hand moves back", "moves_across", "neck rhip lhip rwrist", 1.8),
    _question("left hand moves forth", "moves_across", "neck lhip rhip lwrist", 1.8),
    _question("right hand above the neck", "along", "chest neck neck rwrist", 0.2),
    _question("left hand above the neck", "along", "chest neck neck lwrist", 0.2),
    _question("right hand moves up", "moves", "belly chest chest rwrist", 1.8),
    _question("left hand moves up", "moves", "belly chest chest lwrist", 1.8),
    _angle("right elbow bent", "relbow rshoulder relbow rwrist", 0, 110),
    _angle("left elbow bent", "lelbow lshoulder lelbow lwrist", 0, 110),
    _question("hands wide apart", "along", "lshoulder rshoulder lwrist rwrist", 2.5, "shoulders"),
    _question("hands approach", "moves", "lwrist rwrist rwrist lwrist", 1.4),
    _question("left hand goes where the other is", "moves", "rwrist root lwrist root", 1.4),
    _question("right hand goes where the other is", "moves", "lwrist root rwrist root", 1.4),
    _question("right hand fast", "fast", "rwrist", 2.5),
    _question("left hand fast", "fast", "lwrist", 2.5),
    _question("right foot in front", "before", "root lhip ltoes rankle", 0.38),
    _question("left foot behind", "before", "root rhip rtoes lankle", 0.38),
    _question("right foot raised", "along", "origin up floor rankle", 1.2),
    _question("left foot raised", "along", "origin up floor lankle", 1.2),
    _question("feet wide apart", "along", "lhip rhip lankle rankle", 2.1, "hips"),
    _angle("right knee bent", "rknee rhip rknee rankle", 0, 110),
    _angle("left knee bent", "lknee lhip lknee lankle", 0, 110),
    _question("right foot fast", "fast", "rankle", 2.5),
    _question("left foot fast", "fast", "lankle", 2.5),
    _angle("right upper arm lifted", "neck root rshoulder relbow", 25, 180),
    _angle("left upper arm lifted", "neck root lshoulder lelbow", 25, 180),
    _angle("right thigh lifted", "neck root rhip rknee", 50, 180),
    _angle("left thigh lifted", "neck root lhip lknee", 50, 180),
    _question("root before the feet", "before", "rankle neck lankle root", 0.5),
    _angle("trunk level", "neck root origin up", 70, 110),
    _question("right hand low", "along", "origin down floor rwrist", -1.2),
    _question("left hand low", "along", "origin down floor lwrist", -1.2),
    _question("root fast", "fast", "root", 2.3),
)
COUNT = len(QUESTIONS)
# Two questions that legacy asks the wrong way round; that the plane is spanned in the other order turns its normal.
MENDED = {
    "right hand moves back": _question("right hand moves forth", "moves_across", "neck lhip rhip rwrist", 1.8),
    "left foot behind": _question("left foot in front", "before", "root rtoes rhip lankle", 0.38),
}


def questions(mode: Mode) -> tuple[Question, ...]:
    """Give the 32 questions of a mode, in the published order."""
    if mode != "corrected":
        return QUESTIONS
    return tuple(MENDED.get(question.name, question) for question in QUESTIONS)


def features(positions: np.ndarray, fps: float, mode: Mode) -> np.ndarray:
    """Give for each question the share of frames, 0..1, in which a clip [T, 24, 3] answers yes, at 60 fps."""
    return of_frames(sampling.resampled(positions, fps, sampling.AIST_FPS), mode)


def of_frames(positions: np.ndarray, mode: Mode) -> np.ndarray:
    """Give the 32 features of a clip that is at 60 fps; its first frame only serves to tell speeds: float64 [32]."""
    lengths = {"legacy": LEGACY, "legacy-fact": LEGACY_FACT}.get(mode) or lengths_of(positions)
    now, then = _points(positions[1:]), _points(positions[:-1])
    with np.errstate(invalid="ignore", divide="ignore"):  # of joints that coincide: legacy then says no
        return np.array([_answers(question, now, then, lengths, mode).mean() for question in questions(mode)])


def lengths_of(positions: np.ndarray) -> Lengths:
    """Measure a clip's own body lengths, in its median frame."""
    index = JOINTS.index

    def between(first: str, second: str) -> float:
        return float(np.median(np.linalg.norm(positions[:, index(first)] - positions[:, index(second)], axis=1)))

    arms = [between(f"{side}shoulder", f"{side}elbow") for side in "lr"]
    return Lengths(sum(arms) / 2, between("lshoulder", "rshoulder"), between("lhip", "rhip"))


def _points(positions: np.ndarray) -> dict[str, np.ndarray]:
    """Name the joints [T, 3], and the points of the floor and of the axes."""
    points = {name: positions[:, number] for number, name in enumerate(JOINTS)}
    floor = np.zeros_like(positions[:, 0])
    floor[:, 1] = positions[:, : len(JOINTS), 1].min(1)
    points[FLOOR] = floor
    for name, at in ((ORIGIN, (0, 0, 0)), (UP, (0, 1, 0)), (DOWN, (0, -1, 0))):
        points[name] = np.broadcast_to(np.array(at, float), floor.shape)
    return points


def _answers(
    question: Question, now: dict[str, np.ndarray], then: dict[str, np.ndarray], lengths: Lengths, mode: Mode
) -> np.ndarray:
    """Answer a question for every frame but the first: bool [T - 1]."""
    joints = [now[name] for name in question.joints]
    if question.kind == "angle":
        least, most = question.angles
        angle = _angle_between(*joints)
        return (angle > least) & (angle < most)
    seconds = TRUE_SECONDS if mode == "corrected" else LEGACY_SECONDS
    if question.kind in STILL:
        value = STILL[question.kind](*joints)
    else:
        before = [then[name] for name in question.joints]
        moving = LEGACY_MOVING if mode != "corrected" else MOVING
        value = moving[question.kind](joints, before) / seconds
    return value > question.factor * getattr(lengths, question.length)


def _dot(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first * second).sum(1)


def _size(vector: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vector, axis=1)


def _along(start: np.ndarray, end: np.ndarray, origin: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Measure how far a point lies from an origin in the direction start -> end."""
    return _dot(end - start, point - origin) / _size(end - start)


def _before(a: np.ndarray, b: np.ndarray, c: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Measure how far a point lies before the plane a, b, c, whose normal is (c - a) x (b - a)."""
    normal = np.cross(c - a, b - a)
    return _dot(normal, point - a) / _size(normal)


def _angle_between(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Measure the angle of a -> b and c -> d in degrees."""
    cosine = _dot(b - a, d - c) / (_size(b - a) * _size(d - c))
    return np.degrees(np.arccos(cosine))


def _speed(now: list[np.ndarray], then: list[np.ndarray]) -> np.ndarray:
    return _size(now[0] - then[0])


def _moves_across(now: list[np.ndarray], then: list[np.ndarray]) -> np.ndarray:
    """Measure how far the fourth joint moved, seen from the first, along the normal of the plane of the first three."""
    a, b, c, moved = now
    normal = np.cross(c - a, b - a)
    return _dot((moved - a) - (then[3] - then[0]), normal) / _size(normal)


def _moves_fourth(now: list[np.ndarray], then: list[np.ndarray]) -> np.ndarray:
    """Measure how far the fourth joint moved, seen from the third, in the direction from the first to the second."""
    direction = now[1] - now[0]
    return _dot((now[3] - now[2]) - (then[3] - then[2]), direction) / _size(direction)


def _moves_third(now: list[np.ndarray], then: list[np.ndarray]) -> np.ndarray:
    """Measure what is published in its place: how far the third joint moved, seen from the first."""
    direction = now[1] - now[0]
    return _dot((now[2] - now[0]) - (then[2] - then[0]), direction) / _size(direction)


Moving = Callable[[list[np.ndarray], list[np.ndarray]], np.ndarray]
STILL: dict[str, Callable[..., np.ndarray]] = {"along": _along, "before": _before}
MOVING: dict[str, Moving] = {"fast": _speed, "moves_across": _moves_across, "moves": _moves_fourth}
LEGACY_MOVING: dict[str, Moving] = MOVING | {"moves": _moves_third}
