"""Choreographs a dance to a score and dances it: phrases of eight counts, a small vocabulary, accents with the music.

The music decides more than the beat: a full phrase is danced larger, a calm one at half the pace, a fill ends in a
turn, and where everything falls silent the dancer freezes.
"""

from dataclasses import dataclass

import numpy as np

from inference.motion.skeleton import HEIGHT
from scraping.demo.dances.body import Intent, posed
from scraping.demo.dances.curves import Key, drift, keyed, smoothed, window
from scraping.demo.dances.footwork import Paths, Plan, paths
from scraping.demo.dances.genres import GENRES, Manner
from scraping.demo.dances.gestures import ARMS, BODIES, REST, Pose, Sway, mirrored, shape, waved
from scraping.demo.dances.songs import Phrase, Score
from scraping.demo.dances.steps import AIRS, Steps, repertoire

FPS = 60  # AIST++'s
LEVELS = (0.8, 0.95, 1.12)  # how large a phrase of each level is danced
VOCABULARY = {"feet": 3, "arms": 3, "bodies": 2}  # what one dance draws of its genre
LARGE = {"tilt": 1.3, "low": 1.5, "high": 1.5, "head": 1.2}  # times what a body does by itself
ARM_WEIGHTS = np.array([0.8, 0.8, 0.35, 0.25, 0.0, 0.0])  # how far each angle throws a hand
QUICKEST = 0.17  # seconds that a hand takes for a radian of its arm
HURRIED = 0.5  # seconds: where a beat is shorter, arms do nothing between beats
LONG = 0.55  # seconds a beat from which on steps are as long as the figures say
RESTLESS = {"tilt": 0.012, "low": 0.016, "high": 0.02, "head": 0.035}  # radians of drift
DIAGONALS = (-0.6, 0.0, 0.6)


@dataclass(frozen=True)
class Dancer:
    """What is one's own in how one dances."""

    big: float
    sharp: float  # below 1 poses come faster
    late: float  # seconds behind the beat; people who move to one are a little ahead of it
    lean: float  # radians forward
    arms: tuple[float, ...]  # radians by which the six angles are off
    follow: float  # seconds that an elbow comes after its shoulder
    restless: float


@dataclass(frozen=True)
class Dance:
    """A dance at 60 fps from the song's start."""

    poses: np.ndarray  # float32 [T, 24, 3]: local rotations as axis-angle
    root: np.ndarray  # float32 [T, 3]: metres
    hits: tuple[float, ...]  # seconds at which a foot lands or a gesture arrives, as planned


def dance(score: Score, seed: int, seconds: float) -> Dance:
    """Draw a choreography for a song and dance it."""
    rng = np.random.Generator(np.random.PCG64([seed, 503]))
    manner = GENRES[score.genre].manner
    choreography = _Choreography(score, manner, _dancer(rng), rng)
    for number, phrase in enumerate(score.phrases):
        choreography.phrase(number, phrase)
    choreography.end()
    times = np.arange(round(seconds * FPS)) / FPS
    poses, root = posed(choreography.intent(times))
    return Dance(poses.astype(np.float32), root.astype(np.float32), choreography.hits(seconds))


def _dancer(rng: np.random.Generator) -> Dancer:
    return Dancer(
        big=rng.uniform(0.88, 1.1),
        sharp=rng.uniform(0.88, 1.15),
        late=float(np.clip(rng.normal(-0.022, 0.006), -0.035, -0.01)),
        lean=rng.uniform(-0.02, 0.06),
        arms=tuple(rng.normal(0, (0.06, 0.06, 0.1, 0.12, 0.06, 0.06))),
        follow=rng.uniform(0.01, 0.03),
        restless=rng.uniform(0.6, 1.2),
    )


@dataclass(frozen=True)
class _Mood:
    """How a stretch of beats is danced: with which bodies and how strongly."""

    start: float
    end: float
    body: str
    strength: float


class _Choreography:
    """Collects, phrase by phrase, what feet, arms and body do."""

    def __init__(self, score: Score, manner: Manner, dancer: Dancer, rng: np.random.Generator) -> None:
        self.score, self.manner, self.dancer, self.rng = score, manner, dancer, rng
        x, z = rng.uniform(-0.25, 0.25, 2)
        self.plan = Plan.standing(x, z, float(rng.choice(DIAGONALS)) / 2, manner.stance)
        self.arms: tuple[list[Key], list[Key]] = ([], [])
        self.moods: list[_Mood] = []
        self.waves: list[tuple[float, float, float]] = []
        self.freezes: list[tuple[float, float]] = []
        fits = repertoire(score.metre)
        self.feet = self._vocabulary({name: share for name, share in manner.feet.items() if name in fits}, "feet")
        self.gestures = self._vocabulary(manner.arms, "arms")
        self.bodies = self._vocabulary(manner.bodies, "bodies")
        self.ways = {name: int(rng.integers(len(ARMS[name]))) for name in self.gestures}
        self.first_mirror = bool(rng.random() < 0.5)

    def _vocabulary(self, weights: dict[str, float], what: str) -> list[str]:
        names, shares = list(weights), np.array(list(weights.values()), float)
        count = min(VOCABULARY[what], len(names))
        return [str(name) for name in self.rng.choice(names, count, replace=False, p=shares / shares.sum())]

    # Planning

    def phrase(self, number: int, phrase: Phrase) -> None:
        """Dance two halves: a figure, then its mirror image, its repetition or another."""
        start = float(number * self.score.counts)
        stretch = 2.0 if phrase.level == 0 else 1.0
        big = self.dancer.big * LEVELS[phrase.level]
        self._face(start)
        body = self.bodies[number % len(self.bodies)]
        self.moods.append(_Mood(start, start + self.score.counts, body, big * (0.75 if phrase.level == 0 else 1.0)))
        halves = 1 if stretch == 2 else 2
        of_half = self.score.metre * stretch
        figure = self.feet[number % len(self.feet)]
        gesture = self.gestures[(number + number // 2) % len(self.gestures)]
        for half in range(halves):
            last = half == halves - 1
            if half and self.rng.random() < 0.3:
                figure = str(self.rng.choice(self.feet))
            name = self._accented(figure, phrase) if last else figure
            at = start + half * of_half
            flipped = self._step(repertoire(self.score.metre)[name], at, stretch, big)
            poses = ARMS[gesture][self.ways[gesture]]
            self._gesture(gesture, mirrored(poses) if flipped else poses, at, stretch, big)
            if last and phrase.stop:
                self._freeze(at, of_half)

    def _accented(self, figure: str, phrase: Phrase) -> str:
        """End a phrase as its music ends: frozen where it stops, in a turn where the drums run on."""
        if phrase.stop:
            return "freeze"
        if phrase.fill and phrase.level:
            turning = [name for name in ("turn", "spin") if name in repertoire(self.score.metre)]
            if self.rng.random() < 0.6:
                return str(self.rng.choice(turning))
        return figure

    def _face(self, start: float) -> None:
        front = 2 * np.pi * np.round(self.plan.facing / (2 * np.pi))
        wanted = front + float(self.rng.choice(DIAGONALS, p=(0.25, 0.5, 0.25)))
        self.plan.face(start + 0.3, 1.0, wanted - self.plan.facing if start else 0.0)

    def _step(self, steps: Steps, at: float, stretch: float, big: float) -> bool:
        """Begin with the foot that is free; tell whether that mirrored the figure."""
        flipped = self.first_mirror if self.plan.free is None else bool(self.plan.free)
        short = float(np.clip(self.score.beat / LONG, 0.75, 1))  # fast songs are danced in small steps
        self.plan.dance(steps, at, stretch, flipped, short * min(big, 1.08), 0.24)
        return flipped

    def _gesture(self, name: str, poses: tuple[Pose, ...], at: float, stretch: float, big: float) -> None:
        if name == "wave":
            self.waves.append((at, at + self.score.metre * stretch, big))
        low, high = self.manner.transit
        over = self.rng.uniform(low, high) * self.dancer.sharp * (1 + 0.5 * (stretch - 1))
        over = max(over, 0.17 / self.score.beat)
        before = at - 1.0
        for on, *names in poses:
            hurried = on % 1 and stretch * self.score.beat < HURRIED
            if hurried or on >= self.score.metre + 1:
                continue
            beat = at + (on - 1) * stretch
            for side in range(2):
                self._reach(side, names[side], beat, min(over, max(0.25, beat - before)), big)
            before = beat

    def _reach(self, side: int, name: str, beat: float, over: float, big: float) -> None:
        angles = np.array(shape(name, min(1.1, big * self.manner.reach)))
        before = np.array(self.arms[side][-1].value if self.arms[side] else angles)
        change = np.abs(angles + self.dancer.arms - before) @ ARM_WEIGHTS
        least = QUICKEST * change / self.score.beat
        self.arms[side].append(Key(beat, tuple(angles + self.dancer.arms), max(over, least)))

    def _freeze(self, at: float, counts: float) -> None:
        """Strike a pose on the last count that sounds, and hold it."""
        hit = at + counts - 2
        for side in range(2):
            self.arms[side][:] = [key for key in self.arms[side] if key.at < hit - 0.3]
        strong = [("high", "hip"), ("point_up", "chest"), ("shelf", "high"), ("low", "up"), ("hip", "head")]
        pose = strong[self.rng.integers(len(strong))]
        for side, name in enumerate(pose):
            self._reach(side, name, hit, 0.4, self.dancer.big)
        self.freezes.append((hit + 0.2, at + counts - 0.45))

    def end(self) -> None:
        """Finish in a pose on the last chord."""
        last = float(len(self.score.phrases) * self.score.counts)
        self._step(repertoire(self.score.metre)["freeze"], last, 1.0, 1.0)
        for side, name in enumerate(("crown", "low")):
            self._reach(side, name, last, 0.8, 1.0)
        self.freezes.append((last + self.score.metre - 1.5, last + 99))

    def hits(self, seconds: float) -> tuple[float, ...]:
        """Name the times at which something is planned to arrive."""
        beats = {place.at for foot in self.plan.feet for place in foot if place.kind not in AIRS}
        beats |= {key.at for side in self.arms for key in side}
        times = sorted(round(self.score.lead + beat * self.score.beat, 4) for beat in beats)
        return tuple(time for time in times if 0 <= time < seconds)

    # Dancing

    def intent(self, times: np.ndarray) -> Intent:
        """Work the plan out, frame by frame."""
        beats = (times - self.dancer.late - self.score.lead) / self.score.beat
        walk = paths(self.plan, beats, self.score.beat, FPS)
        alive = 1 - 0.92 * sum((window(beats, *freeze, 0.3) for freeze in self.freezes), np.zeros(len(beats)))
        sway = self._sway(beats, alive)
        self._stride(walk, sway)
        restless = self.dancer.restless * drift(times, 12, self.rng) * (0.4 + 0.6 * alive[:, None])
        for part, share, turns in zip(
            ("tilt", "low", "high", "head"), (0.012, 0.016, 0.02, 0.035), range(4), strict=True
        ):
            setattr(sway, part, getattr(sway, part) + share * restless[:, 3 * turns : 3 * turns + 3])
        sway.head[:, 1] += _spotting(walk.facing)
        return Intent(
            facing=walk.facing,
            hips=self._hips(walk, sway, times),
            tilt=sway.tilt,
            low=sway.low,
            high=sway.high,
            head=sway.head,
            arms=self._arms(beats, alive, times),
            toes=walk.toes,
            soles=walk.soles,
            standing=walk.standing,
        )

    def _sway(self, beats: np.ndarray, alive: np.ndarray) -> Sway:
        whole = Sway.still(len(beats))
        bounce = np.zeros(len(beats))
        for mood in self.moods:
            part = Sway.still(len(beats))
            BODIES[mood.body](beats, part)
            weight = mood.strength * alive * window(beats, mood.start - 0.25, mood.end - 0.25, 0.5)
            for name, large in LARGE.items():
                setattr(whole, name, getattr(whole, name) + large * weight[:, None] * getattr(part, name))
            bounce += weight * (part.sink + 0.7 * (0.5 + 0.5 * np.cos(2 * np.pi * beats)) ** 1.2)
        whole.sink = self.manner.bounce * bounce
        return whole

    def _stride(self, walk: Paths, sway: Sway) -> None:
        """Let hips and shoulders answer the legs: the free hip drops, shoulders turn against hips, depth bends hips."""
        sine, cosine = np.sin(walk.facing), np.cos(walk.facing)
        apart = walk.toes[:, 0] - walk.toes[:, 1]
        ahead = smoothed(np.clip(apart[:, 0] * sine + apart[:, 2] * cosine, -0.7, 0.7), 4.0)
        support = smoothed(walk.support, 4.0)
        roll = 0.11 * self.manner.sway * support
        sway.tilt[:, 2] += roll
        sway.low[:, 2] -= 0.9 * roll
        sway.high[:, 2] -= 0.35 * roll
        sway.tilt[:, 1] -= 0.38 * ahead
        sway.low[:, 1] += 0.4 * ahead
        sway.high[:, 1] += 0.34 * ahead
        deep = walk.sink + self.manner.sink
        sway.tilt[:, 0] += 0.45 * walk.lean + 0.9 * deep + 0.5 * self.dancer.lean
        sway.low[:, 0] += 0.55 * walk.lean + 0.25 * deep + 0.5 * self.dancer.lean

    def _hips(self, walk: Paths, sway: Sway, times: np.ndarray) -> np.ndarray:
        sink = self.manner.sink + sway.sink + walk.sink
        back = -0.3 * np.maximum(sink, 0) - 0.12 * walk.lean
        side = 0.022 * self.manner.sway * smoothed(walk.support, 4.0)
        wander = 0.006 * drift(times, 2, self.rng)
        x = walk.over[:, 0] + np.cos(walk.facing) * side + np.sin(walk.facing) * back + wander[:, 0]
        z = walk.over[:, 1] - np.sin(walk.facing) * side + np.cos(walk.facing) * back + wander[:, 1]
        return np.stack((x, HEIGHT - 0.012 - sink + walk.lift, z), 1)

    def _arms(self, beats: np.ndarray, alive: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Reach from pose to pose, elbows and wrists a moment behind; [T, 2, 6]."""
        late = self.dancer.follow / self.score.beat
        arms = np.zeros((len(beats), 2, 6))
        for side in range(2):
            start = np.array(shape(REST[side], 1.0)) + self.dancer.arms
            keys = sorted(self.arms[side], key=lambda key: key.at)
            for columns, behind in (((0, 1), -0.5 * late), ((2, 3), 0.4 * late), ((4, 5), 1.2 * late)):
                some = list(columns)
                parts = [Key(key.at, tuple(np.array(key.value)[some]), key.over) for key in keys]
                arms[:, side, some] = keyed(beats - behind, tuple(start[some]), parts, self.manner.recoil)
        strength = sum((much * window(beats, start, end, 0.6) for start, end, much in self.waves), np.zeros(len(beats)))
        arms += waved(beats, strength)
        arms += 0.035 * self.dancer.restless * drift(times, 12, self.rng).reshape(-1, 2, 6) * alive[:, None, None]
        arms[..., 2] = np.maximum(arms[..., 2], 0.08)  # elbows do not bend backwards
        return arms


def _spotting(facing: np.ndarray) -> np.ndarray:
    """Look to the front as long as the neck allows, and be there again first: as dancers turn."""
    off = 2 * np.pi * np.round(facing / (2 * np.pi)) - facing
    return smoothed(0.75 * np.clip(off, -1.1, 1.1), 5.0)
