"""Where the feet go: the paths of two feet and of the weight on them, from steps put one behind the other.

A foot that stands does not slide: its ball stays where it landed, and it turns on it only where the body turns away.
"""

from dataclasses import dataclass, field
from itertools import chain, pairwise

import numpy as np

from inference.motion.skeleton import ANKLE_HEIGHT, FOOT_HEIGHT, INDEX, OFFSETS
from scraping.demo.dances.curves import Key, eased, keyed, smoothed
from scraping.demo.dances.steps import AIRS, LANDINGS, LEFT, RIGHT, Steps

SWING = (0.15, 0.44)  # seconds at least and at most from lifting a foot to setting it down
SWING_COUNTS = 0.62
SHIFT = (0.4, 0.9)  # beats at least and at most that weight takes to go over
PIVOT = 0.7  # radians that the body turns over a standing foot before the foot turns with it
LAG = 0.045  # seconds that hips blur what the feet do


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

        def beat(count: float) -> float:  # what comes before the first count is a pick-up, never stretched
            return start + (count - 1) * (stretch if count >= 1 else 1.0)

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
    for origin, goal in pairwise(own):
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


def _swing(swing: Swing, yaw: float, frames: slice, beats: np.ndarray, toe: np.ndarray, sole: np.ndarray) -> None:
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
    goals = []
    for swing in sorted(chain(*swings), key=lambda one: one.leave):
        side = 1.0 if swing.foot == LEFT else -1.0
        jumps = swing.goal.kind == "jump"
        if swing.origin.kind not in AIRS:
            goals.append((swing.leave + 0.06, 0.0 if jumps else -0.9 * side))
        if swing.goal.kind in LANDINGS:
            taken = LANDINGS[swing.goal.kind][1]
            goals.append((swing.goal.at - 0.05, 0.0 if jumps else side * (taken or -0.75)))
    goals.sort()
    since = [-9.0, *(at for at, _ in goals)]
    keys = [
        Key(at, (value,), float(np.clip(at - before + 0.22, *SHIFT)))
        for (at, value), before in zip(goals, since, strict=False)
    ]
    return np.clip(keyed(beats, (0.0,), keys)[:, 0], -1, 1)
