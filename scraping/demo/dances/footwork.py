"""Where the feet go: a repertoire of steps counted as dancers count, and the paths of two feet that dance it.

A foot that stands does not slide: its ball stays where it landed, and it turns on it only where the body turns away.
"""

from dataclasses import dataclass, field

import numpy as np

from inference.motion.skeleton import ANKLE_HEIGHT, FOOT_HEIGHT, INDEX, OFFSETS
from scraping.demo.dances.curves import Key, eased, keyed, smoothed

LEFT, RIGHT = 0, 1
# kind of landing: pitch of the sole (heel up), and how far the weight goes over (0 none, 1 all).
LANDINGS = {"step": (0.0, 0.62), "touch": (0.42, 0.0), "heel": (-0.38, 0.0), "jump": (0.0, 0.0)}
AIRS = {"kick": (-0.1, 0.0), "knee": (0.6, 0.0), "lift": (1.5, 0.55)}  # pitch, counts that it is held
SWING = (0.15, 0.44)  # seconds at least and at most from lifting a foot to setting it down
SWING_COUNTS = 0.62
PIVOT = 0.7  # radians that the body turns over a standing foot before the foot turns with it


@dataclass(frozen=True)
class Go:
    """A foot is somewhere on a count: metres to the left of and before where the dancer stood, and over the floor."""

    on: float
    foot: int
    kind: str  # of LANDINGS or AIRS
    x: float
    z: float
    y: float = 0.0


@dataclass(frozen=True)
class Steps:
    """Some counts of footwork that begin with the left foot. Turns, sinks and hops are (from, to, how much)."""

    counts: int
    goes: tuple[Go, ...]
    turns: tuple[tuple[float, float, float], ...] = ()  # whole turns to the left
    sinks: tuple[tuple[float, float], ...] = ()  # (count, metres deeper)
    hops: tuple[tuple[float, float, float], ...] = ()  # metres high
    leans: tuple[tuple[float, float], ...] = ()  # (count, radians forward)
    travel: tuple[float, float] = (0.0, 0.0)
    again: bool = False  # the other half is the same, not mirrored
    either_way: bool = False  # forward may be backward


def _steps(counts: int, words: str, **more: object) -> Steps:
    """Read footwork: `1 L step .3 .0` and so on, a fifth number for what is in the air."""
    goes = []
    for word in words.split(","):
        on, foot, kind, *place = word.split()
        goes.append(Go(float(on), "LR".index(foot), kind, *map(float, place)))
    return Steps(counts, tuple(goes), **more)


FOUR = {
    "in_place": _steps(
        4, "1 L step .17 .03, 2 R step -.17 -.02, 3 L step .15 -.05, 4 R step -.16 .05", again=True
    ),
    "step_touch": _steps(4, "1 L step .36 0, 2 R touch .14 .02, 3 R step -.36 0, 4 L touch -.14 .02", again=True),
    "grapevine": _steps(
        4, "1 L step .36 0, 2 R step .5 -.2, 3 L step .84 0, 4 R touch .62 .04", travel=(0.7, 0.0)
    ),
    "top_rock": _steps(
        4, "1 L step -.06 .3, 2 L step .18 -.06, 3 R step .06 .3, 4 R step -.18 -.06", again=True
    ),
    "kick_step": _steps(
        4, "1 L kick .12 .52 .34, 2 L step .16 .02, 3 R kick -.12 .52 .34, 4 R step -.16 .02", again=True
    ),
    "running": _steps(
        4,
        ".5 L knee .12 .12 .3, 1 L step .15 .1, 1.5 R knee -.12 .12 .3, 2 R step -.15 -.05,"
        "2.5 L knee .12 .12 .3, 3 L step .15 .06, 3.5 R knee -.12 .12 .3, 4 R step -.15 .0",
        again=True,
    ),
    "shuffle": _steps(
        4,
        "1 L step .24 .04, 1.5 R step .06 -.17, 2 L step .3 .02, 3 R step -.24 .04, 3.5 L step -.06 -.17, 4 R step -.3 .02",
        again=True,
    ),
    "heel_toe": _steps(
        4, "1 L heel .17 .3, 2 L step .14 0, 3 R heel -.17 .3, 4 R step -.14 0", again=True
    ),
    "jazz_box": _steps(
        4, "1 L step -.1 .26, 2 R step -.2 -.16, 3 L step .24 -.14, 4 R step -.06 .12", again=True
    ),
    "glide_box": _steps(
        4, "1 L step .32 0, 2 R step .12 0, 3 L step .32 .28, 4 R touch .1 .26", travel=(0.2, 0.26), either_way=True
    ),
    "cross_walk": _steps(
        4, "1 L step .02 .36, 2 R step -.02 .7, 3 L touch .36 .74", travel=(0.02, 0.62), either_way=True
    ),
    "lunge": _steps(
        4, "1 L step .56 .06, 3 L step .13 .02, 4 R touch -.14 .1", sinks=((1.0, 0.14), (2.2, 0.12), (3.0, 0.0))
    ),
    "drop": _steps(
        4,
        "1 L step .3 .02, 4 L step .13 0",
        sinks=((1.0, 0.06), (2.0, 0.27), (3.0, 0.25), (4.0, 0.0)),
        leans=((1.0, 0.1), (2.0, 0.34), (3.0, 0.3), (4.0, 0.0)),
    ),
    "hop": _steps(
        4,
        "1 L jump .27 0, 1 R jump -.27 0, 2 L jump .08 .04, 2 R jump -.08 -.04, 3 L jump .27 0, 3 R jump -.27 0, 4 L step .13 0",
        hops=((0.5, 1.0, 0.09), (1.5, 2.0, 0.07), (2.5, 3.0, 0.09)),
        sinks=((0.5, 0.08), (1.0, 0.1), (2.0, 0.06), (3.0, 0.12), (4.0, 0.0)),
    ),
    "stomp": _steps(
        4,
        ".45 L knee .2 .2 .38, 1 L step .3 .12, 2.45 R knee -.2 .2 .38, 3 R step -.3 .12",
        sinks=((0.5, -0.02), (1.0, 0.09), (2.4, 0.0), (3.0, 0.09), (4.0, 0.02)),
        again=True,
    ),
    "turn": _steps(
        4,
        "1 L step .34 0, 2 R step .7 .02, 3 L step .96 0, 4 R touch .78 .06",
        turns=((0.35, 1.0, 0.22), (1.0, 2.0, 0.5), (2.0, 3.0, 0.28)),
        travel=(0.85, 0.0),
    ),
    "spin": _steps(
        4,
        "1 L step .1 .2, 1.9 R knee -.1 .28 .36, 3.3 R knee -.1 .26 .34, 4 R step -.2 .02",
        turns=((1.5, 3.6, 1.0),),
        sinks=((1.0, 0.08), (2.0, -0.03), (3.2, -0.03), (4.0, 0.05)),
    ),
    "leg_lift": _steps(
        4,
        "1 L step .08 .26, 2.2 R lift -.1 -.48 .5, 4 R step -.16 -.04",
        sinks=((1.0, 0.06), (2.2, -0.03), (3.2, -0.02), (4.0, 0.03)),
        leans=((1.0, 0.0), (2.2, 0.34), (3.2, 0.34), (4.0, 0.0)),
    ),
    "chasse": _steps(
        4,
        "1 L step .36 .02, 1.5 R step .2 -.06, 2 L step .56 .04, 3 R lift .5 -.42 .3, 4 R touch .3 .06",
        travel=(0.42, 0.04),
    ),
}
FOUR["waltz"], FOUR["balance"] = FOUR["glide_box"], FOUR["step_touch"]
FOUR["freeze"] = _steps(4, "1 L step .2 0, 2 R step -.2 .05, 3 L step .46 .1", sinks=((1.0, 0.03), (3.0, 0.11)))
THREE = {
    "freeze": _steps(3, "1 L step .2 0, 2 R step -.4 .1", sinks=((1.0, 0.02), (2.0, 0.08))),
    "waltz": _steps(3, "1 L step .12 .34, 2 R step -.3 .32, 3 L step -.1 .32", travel=(-0.18, 0.32), either_way=True),
    "balance": _steps(3, "1 L step .38 .02, 2 R touch .24 -.18, 3 R step .1 -.1", travel=(0.2, 0.0), again=False),
    "leg_lift": _steps(
        3,
        "1 L step .1 .26, 2 R lift -.1 -.48 .48, 3 R step -.16 -.02",
        sinks=((1.0, 0.06), (2.0, -0.02), (3.0, 0.03)),
        leans=((1.0, 0.0), (2.0, 0.3), (3.0, 0.0)),
    ),
    "turn": _steps(
        3,
        "1 L step .34 .02, 2 R step .68 .04, 3 L step .9 0",
        turns=((0.3, 1.0, 0.22), (1.0, 2.0, 0.5), (2.0, 3.0, 0.28)),
        travel=(0.8, 0.0),
    ),
    "chasse": _steps(3, "1 L step .36 .02, 2 R step .2 -.08, 3 L step .56 .02", travel=(0.45, 0.0)),
    "cross_walk": _steps(3, "1 L step .02 .36, 2 R step -.02 .68, 3 L touch .34 .72", travel=(0.02, 0.6), either_way=True),
}


def repertoire(metre: int) -> dict[str, Steps]:
    """Name the footwork that fits the metre; what has no way in three is left out."""
    return FOUR if metre == 4 else THREE


# Plans


@dataclass
class Landing:
    """A foot's place at a time, in the world."""

    at: float  # beats
    kind: str
    x: float
    y: float
    z: float
    yaw: float
    leave: float  # beats at which the foot may set out from here


@dataclass
class Plan:
    """All that legs and hips do in a dance, in beats since the song's first."""

    feet: tuple[list[Landing], list[Landing]]
    turns: list[Key] = field(default_factory=list)
    sinks: list[Key] = field(default_factory=list)
    leans: list[Key] = field(default_factory=list)
    hops: list[tuple[float, float, float]] = field(default_factory=list)
    first_facing: float = 0.0
    facing: float = 0.0
    home: np.ndarray = field(default_factory=lambda: np.zeros(2))  # x, z
    free: int | None = None  # the foot without weight

    @classmethod
    def standing(cls, x: float, z: float, facing: float, stance: float) -> "Plan":
        """Begin on both feet."""
        home = np.array([x, z])
        feet = tuple(
            [Landing(-99.0, "jump", *_placed(home, facing, side * stance / 2, 0.0, 0.0), facing + side * 0.2, -99.0)]
            for side in (1, -1)
        )
        return cls(feet, first_facing=facing, facing=facing, home=home)

    def face(self, at: float, over: float, by: float) -> None:
        """Turn to another side in passing, by so many radians to the left."""
        if by:
            self.facing += by
            self.turns.append(Key(at, (self.facing,), over))

    def dance(self, steps: Steps, start: float, stretch: float, mirror: bool, big: float, toe_out: float) -> None:
        """Append footwork whose count 1 falls on beat `start`; a count takes `stretch` beats."""
        sign = -1.0 if mirror else 1.0
        back = -1.0 if steps.either_way and self._ahead() > 0.12 else 1.0
        before, home = self.facing, self.home.copy()

        def beat(count: float) -> float:
            return start + (count - 1) * stretch

        for keys in (self.sinks, self.leans):
            if keys and any(keys[-1].value):
                keys.append(Key(start, (0.0,), 0.8))
        for begin, end, whole in steps.turns:
            self.facing += sign * 2 * np.pi * whole
            self.turns.append(Key(beat(end), (self.facing,), (end - begin) * stretch))
        for go in steps.goes:
            foot = go.foot ^ mirror
            air = AIRS.get(go.kind)
            wide = big if air is None else 1.0
            place = _placed(home, before, sign * go.x * wide, back * go.z * wide, go.y * (0.7 + 0.3 * big))
            yaw = self.facing_at(beat(go.on)) + (toe_out if foot == LEFT else -toe_out)
            leave = beat(go.on + (air[1] if air else 0))
            self.feet[foot].append(Landing(beat(go.on), go.kind, *place, yaw, leave))
            if air is None:
                self.free = None if go.kind == "jump" else (1 - foot if go.kind == "step" else foot)
        for keys, wanted in ((self.sinks, steps.sinks), (self.leans, steps.leans)):
            at = start - 1.0 * stretch
            for count, value in wanted:
                keys.append(Key(beat(count), (value * big,), max(0.45, min(1.2, beat(count) - at))))
                at = beat(count)
        self.hops += [(beat(begin), beat(end), high * big) for begin, end, high in steps.hops]
        x, z = steps.travel
        self.home = np.array(_placed(home, before, sign * x * big, back * z * big, 0.0))[[0, 2]]

    def _ahead(self) -> float:
        """How far before the middle of the floor the dancer stands, by the own facing."""
        return float(self.home @ (np.sin(self.facing), np.cos(self.facing)))

    def facing_at(self, at: float) -> float:
        """The facing at a beat, by the turns that are planned so far."""
        return float(keyed(np.array([at]), (self.first_facing,), self.turns)[0, 0])


def _placed(home: np.ndarray, facing: float, x: float, z: float, y: float) -> tuple[float, float, float]:
    sine, cosine = np.sin(facing), np.cos(facing)
    return float(home[0] + cosine * x + sine * z), y, float(home[1] - sine * x + cosine * z)


# Paths


@dataclass(frozen=True)
class Paths:
    """What a plan comes to, frame by frame: see `body.Intent`; support is 1 on the left foot and -1 on the right."""

    facing: np.ndarray
    toes: np.ndarray
    soles: np.ndarray
    standing: np.ndarray
    support: np.ndarray
    over: np.ndarray  # [T, 2]: x and z of the middle of each foot, weighted
    lift: np.ndarray  # metres of hops
    sink: np.ndarray
    lean: np.ndarray


def paths(plan: Plan, beats: np.ndarray, beat: float, fps: float) -> Paths:
    """Walk a plan, at frames that lie at `beats` [T] since the first beat of `beat` seconds."""
    facing = keyed(beats, (plan.first_facing,), plan.turns)[:, 0]
    lift = sum((_hop(beats, *hop) for hop in plan.hops), np.zeros(len(beats)))
    swings = [_swings(plan, foot, beat) for foot in (LEFT, RIGHT)]
    walked = [_walked(swings[foot], facing, lift, beats, beat) for foot in (LEFT, RIGHT)]
    toes, soles, standing = (np.stack(parts, 1) for parts in zip(*walked, strict=True))
    support = _support(swings, beats)
    middle = toes[..., [0, 2]] - 0.075 * np.stack((np.sin(soles[..., 0]), np.cos(soles[..., 0])), -1)
    left = (0.5 + 0.5 * support)[:, None]
    over = smoothed(left * middle[:, LEFT] + (1 - left) * middle[:, RIGHT], LAG * fps)
    sink, lean = (keyed(beats, (0.0,), keys)[:, 0] for keys in (plan.sinks, plan.leans))
    return Paths(facing, toes, soles, standing, support, over, lift, sink, lean)


LAG = 0.045  # seconds that hips blur what the feet do


def _hop(beats: np.ndarray, begin: float, end: float, high: float) -> np.ndarray:
    """Fly a parabola."""
    share = np.clip((beats - begin) / (end - begin), 0, 1)
    return 4 * high * share * (1 - share)


@dataclass(frozen=True)
class Swing:
    """A foot on its way from one place to the next, in beats."""

    foot: int
    leave: float
    origin: Landing
    goal: Landing


def _swings(plan: Plan, foot: int, beat: float) -> list[Swing]:
    """Time the ways of a foot: it lands on its count, and leaves no sooner than the other foot stands."""
    own, other = plan.feet[foot], plan.feet[1 - foot]
    shortest, longest = SWING[0] / beat, min(SWING[1] / beat, SWING_COUNTS)
    flights = {end: begin for begin, end, _ in plan.hops}
    swings = []
    for origin, goal in zip(own, own[1:], strict=False):
        if origin.kind in AIRS:
            leave = origin.leave
        elif goal.kind == "jump":
            leave = flights.get(goal.at, goal.at - longest)
        else:
            stands = max((place.at for place in other if place.at < goal.at - shortest), default=-99.0)
            leave = max(goal.at - longest, origin.leave + 0.06, stands)
            leave = min(leave, goal.at - shortest)
        swings.append(Swing(foot, leave, origin, goal))
    return swings


def _walked(
    swings: list[Swing], facing: np.ndarray, lift: np.ndarray, beats: np.ndarray, beat: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the ball of a foot [T, 3], its yaw and pitch [T, 2] and whether it stands [T]."""
    count = len(beats)
    toe, sole, standing = np.zeros((count, 3)), np.zeros((count, 2)), np.ones(count, bool)
    yaw, frame = swings[0].origin.yaw, 0
    for swing in swings:
        leave, land = np.searchsorted(beats, (swing.leave, swing.goal.at))
        yaw = _stand(swing.origin, yaw, slice(frame, leave), facing, toe, sole)
        standing[frame:leave] = swing.origin.kind not in AIRS
        _swing(swing, yaw, slice(leave, land), beats, toe, sole)
        toe[leave:land, 1] += lift[leave:land]
        standing[leave:land] = False
        _peel(swing, beats, beat, sole)
        yaw, frame = swing.goal.yaw, land
    _stand(swings[-1].goal, yaw, slice(frame, count), facing, toe, sole)
    standing[frame:] = swings[-1].goal.kind not in AIRS
    turning = np.abs(np.gradient(sole[:, 0], beats)) / beat
    sole[:, 0] = smoothed(sole[:, 0], 2.0)
    sole[:, 1] += 0.32 * smoothed(np.where(standing, np.clip(turning / 3, 0, 1), 0), 4.0)
    heel = np.minimum(sole[:, 1], 0)
    toe[:, 1] = np.maximum(toe[:, 1] + FOOT_HEIGHT, _on_heel(heel))
    return toe, sole, standing


def _on_heel(pitch: np.ndarray) -> np.ndarray:
    """How high the ball of a foot is that stands on its heel."""
    _, down, ahead = OFFSETS[INDEX["left_foot"]]
    return ANKLE_HEIGHT + np.cos(pitch) * down - np.sin(pitch) * ahead


def _pitch(place: Landing) -> float:
    return (LANDINGS.get(place.kind) or AIRS[place.kind])[0]


def _stand(place: Landing, yaw: float, frames: slice, facing: np.ndarray, toe: np.ndarray, sole: np.ndarray) -> float:
    """Stay in a place, turning on the ball of the foot where the body turns too far; give the yaw it ends with."""
    toe[frames] = place.x, place.y, place.z
    sole[frames, 1] = _pitch(place)
    for frame in range(frames.start, frames.stop):
        yaw = float(np.clip(yaw, facing[frame] - PIVOT, facing[frame] + PIVOT))
        sole[frame, 0] = yaw
    return yaw


def _swing(
    swing: Swing, yaw: float, frames: slice, beats: np.ndarray, toe: np.ndarray, sole: np.ndarray
) -> None:
    """Go through the air, higher the farther."""
    one, two = swing.origin, swing.goal
    share = (beats[frames] - swing.leave) / (two.at - swing.leave)
    gone = eased(share)[:, None]
    start, end = np.array([one.x, one.y, one.z]), np.array([two.x, two.y, two.z])
    toe[frames] = start + gone * (end - start)
    free = one.kind not in AIRS and two.kind not in AIRS
    far = float(np.hypot(*(end - start)[[0, 2]]))
    toe[frames, 1] += np.clip(0.035 + 0.12 * far, 0.045, 0.12) * free * np.sin(np.pi * share) ** 2
    sole[frames, 0] = yaw + gone[:, 0] * (two.yaw - yaw)
    sole[frames, 1] = _pitch(one) + gone[:, 0] * (_pitch(two) - _pitch(one))


def _peel(swing: Swing, beats: np.ndarray, beat: float, sole: np.ndarray) -> None:
    """Let the heel leave the floor a moment before the ball of the foot does."""
    if swing.origin.kind in AIRS or swing.goal.kind == "heel":
        return
    begin = swing.leave - 0.1 / beat
    share = np.clip((beats - begin) / (swing.goal.at - begin), 0, 1)
    sole[:, 1] += 0.45 * np.sin(np.pi * share**0.8) ** 2


def _support(swings: list[list[Swing]], beats: np.ndarray) -> np.ndarray:
    """Say on which foot the weight is: over to the other before a foot leaves, and onto the one that steps."""
    keys = []
    for swing in sorted(sum(swings, []), key=lambda one: one.leave):
        side = 1.0 if swing.foot == LEFT else -1.0
        jumps = swing.goal.kind == "jump"
        if swing.origin.kind not in AIRS:
            keys.append(Key(swing.leave + 0.04, (0.0 if jumps else -0.9 * side,), 0.36))
        if swing.goal.kind in LANDINGS:
            taken = LANDINGS[swing.goal.kind][1]
            keys.append(Key(swing.goal.at - 0.05, (0.0 if jumps else side * (taken or -0.75),), 0.5))
    return np.clip(keyed(beats, (0.0,), sorted(keys, key=lambda key: key.at))[:, 0], -1, 1)
