"""A person by seed: body, skin, hair, clothes, pose, light and camera. Adults only, and always dressed.

The same seed and look give the same person on every machine; two seeds never give the same one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.figure.body import ADULT_AGE
from inference.figure.hair import STYLES, Hair
from inference.figure.shading import Skin, linear
from inference.figure.wardrobe import Outfit
from scraping.demo.chance import Draw
from scraping.demo.outfits import CLOTHS, draw_outfit
from scraping.demo.poses import Pose

LOOKS = ("portrait", "fullbody", "fashion")

SKINS = (
    "#f6d7c3", "#efc6aa", "#e8b795", "#e0a983", "#d69a72", "#c98a62", "#b97852", "#a66844", "#8d5636", "#74442a",
    "#5c3520", "#472a1b",
)  # fmt: skip
LIPS = ("#b5545a", "#c2616a", "#a8404c", "#93353f", "#cc7468", "#b03060", "#9c4a3c", "#7c2f3a")
IRISES = ("#3b2313", "#4a2e17", "#5d3f1c", "#6f5a2a", "#51683a", "#3f6b58", "#3c6a8f", "#5483a8", "#66788a", "#2c1a10")
HAIRS = {
    "black": ("#14100e", "#1f1814"), "espresso": ("#241611", "#38231a"), "brown": ("#3b2417", "#5a3722"),
    "chestnut": ("#56301b", "#7a4526"), "auburn": ("#6b2c17", "#95411f"), "copper": ("#8e3f18", "#bd6429"),
    "dark blond": ("#75552f", "#a27c48"), "blond": ("#a5793f", "#d3ab68"), "fair": ("#c39b5e", "#e6c88f"),
    "grey": ("#6d6a68", "#9c9996"), "white": ("#b3afa9", "#dedbd5"),
    "pink": ("#a63d6a", "#d8719b"), "teal": ("#155a62", "#2f929a"), "violet": ("#45276e", "#7a4fb0"),
}  # fmt: skip
NATURAL_HAIRS = tuple(name for name in HAIRS if name not in ("grey", "white", "pink", "teal", "violet"))
EXPRESSIONS = {
    "calm": {"mouthSmileLeft": 0.16, "mouthSmileRight": 0.16},
    "soft smile": {"mouthSmileLeft": 0.42, "mouthSmileRight": 0.42, "cheekSquintLeft": 0.2, "cheekSquintRight": 0.2},
    "smile": {
        "mouthSmileLeft": 0.65,
        "mouthSmileRight": 0.65,
        "cheekSquintLeft": 0.45,
        "cheekSquintRight": 0.45,
        "eyeSquintLeft": 0.2,
        "eyeSquintRight": 0.2,
    },
    "broad smile": {
        "mouthSmileLeft": 0.75,
        "mouthSmileRight": 0.75,
        "jawOpen": 0.12,
        "mouthUpperUpLeft": 0.35,
        "mouthUpperUpRight": 0.35,
        "mouthLowerDownLeft": 0.15,
        "mouthLowerDownRight": 0.15,
        "cheekSquintLeft": 0.5,
        "cheekSquintRight": 0.5,
        "eyeSquintLeft": 0.25,
        "eyeSquintRight": 0.25,
    },
    "laugh": {
        "mouthSmileLeft": 0.7,
        "mouthSmileRight": 0.7,
        "jawOpen": 0.3,
        "mouthUpperUpLeft": 0.35,
        "mouthUpperUpRight": 0.35,
        "cheekSquintLeft": 0.6,
        "cheekSquintRight": 0.6,
        "eyeSquintLeft": 0.4,
        "eyeSquintRight": 0.4,
    },
    "speaking": {
        "jawOpen": 0.18,
        "mouthLowerDownLeft": 0.2,
        "mouthLowerDownRight": 0.2,
        "mouthUpperUpLeft": 0.12,
        "mouthUpperUpRight": 0.12,
    },
    "surprise": {
        "jawOpen": 0.22,
        "browInnerUp": 0.6,
        "browOuterUpLeft": 0.5,
        "browOuterUpRight": 0.5,
        "eyeWideLeft": 0.3,
        "eyeWideRight": 0.3,
    },
    "wry": {"mouthSmileLeft": 0.5, "mouthDimpleLeft": 0.3, "browOuterUpRight": 0.4},
    "thoughtful": {"browInnerUp": 0.35, "mouthPressLeft": 0.3, "mouthPressRight": 0.3},
    "resolute": {"browDownLeft": 0.35, "browDownRight": 0.35, "mouthPressLeft": 0.25, "mouthPressRight": 0.25},
}
FACE_CHANGES = (
    ("cheek-bones", 0.5, True),
    ("cheek-volume", 0.6, True),
    ("cheek-inner", 0.4, True),
    ("chin-height-incr", 0.5, False),
    ("chin-prominent-incr", 0.5, False),
    ("chin-width-incr", 0.7, False),
    ("chin-jaw-drop-incr", 0.5, False),
    ("chin-bones-incr", 0.5, False),
    ("eye-scale", 0.45, True),
    ("eye-height2", 0.5, True),
    ("eye-corner1-up", 0.5, True),
    ("forehead-scale-vert-incr", 0.4, False),
    ("forehead-trans-forward", 0.3, False),
    ("head-fat-incr", 0.4, False),
    ("head-scale-horiz-incr", 0.35, False),
    ("head-scale-vert-incr", 0.25, False),
    ("mouth-scale-horiz-incr", 0.5, False),
    ("mouth-lowerlip-volume-incr", 0.7, False),
    ("mouth-upperlip-volume-incr", 0.7, False),
    ("mouth-trans-up", 0.3, False),
    ("nose-scale-horiz-incr", 0.6, False),
    ("nose-scale-vert-incr", 0.5, False),
    ("nose-hump-incr", 0.5, False),
    ("nose-point-up", 0.6, False),
    ("nose-width2-incr", 0.5, False),
    ("nose-scale-depth-incr", 0.5, False),
    ("eyebrows-trans-up", 0.4, False),
    ("eyebrows-angle-up", 0.5, False),
    ("neck-scale-vert-incr", 0.3, False),
)
FEMALE_FACE = {
    "eye-scale": 0.3, "chin-width-incr": -0.3, "chin-prominent-incr": -0.15, "nose-scale-horiz-incr": -0.3,
    "nose-scale-vert-incr": -0.2, "nose-width2-incr": -0.3, "nose-hump-incr": -0.25, "mouth-lowerlip-volume-incr": 0.3,
    "mouth-upperlip-volume-incr": 0.3, "eyebrows-trans-up": 0.2, "cheek-bones": 0.2, "nose-scale-depth-incr": -0.2,
    "chin-bones-incr": -0.3, "chin-jaw-drop-incr": -0.3, "head-scale-horiz-incr": -0.1,
}  # fmt: skip
MALE_FACE = {"eye-scale": 0.1, "chin-width-incr": 0.1, "nose-hump-incr": -0.1}


@dataclass(frozen=True)
class Light:
    """Where light comes from and its colours, linear RGB; angles in degrees about the camera's line of sight."""

    turn: float  # of the key light, positive to the picture's right
    height: float
    key: tuple[float, float, float]
    sky: tuple[float, float, float]
    ground: tuple[float, float, float]
    rim: tuple[float, float, float]
    rim_turn: float
    softness: float


@dataclass(frozen=True)
class Framing:
    """How the camera stands: `fill` is the share of the picture's height that the figure (or head) takes."""

    turn: float
    height: float  # metres of the camera over the figure's middle
    field: float  # of view, degrees
    fill: float
    shift: tuple[float, float]  # of the figure, shares of the picture
    roll: float


@dataclass(frozen=True)
class Person:
    """All that is drawn of one person."""

    seed: int
    look: str
    phenotype: tuple[tuple[str, float], ...]
    changes: tuple[tuple[str, float], ...]
    actions: tuple[tuple[str, float], ...]
    expression: str
    skin: Skin
    iris: tuple[float, float, float]
    hair: Hair
    hair_name: str
    hair_colours: tuple[tuple[float, float, float], tuple[float, float, float]]
    outfit: Outfit
    garments: tuple[str, ...]
    pose: Pose
    light: Light
    framing: Framing
    style: int  # which palette, background and brush

    def __post_init__(self) -> None:
        if dict(self.phenotype)["age"] < ADULT_AGE:
            raise ValueError(f"seed {self.seed}: age below {ADULT_AGE}; only adults are drawn")
        self.outfit.check()

    @property
    def title(self) -> str:
        """One line that says what is drawn."""
        traits = dict(self.phenotype)
        kind = "woman" if traits["gender"] > 0.5 else "man"
        age = "An older" if traits["age"] > 0.88 else "A middle-aged" if traits["age"] > 0.77 else "A young"
        hair = f"{self.hair_name} hair, {self.hair.style.replace('-', ' ')}"
        return f"{age} {kind}, {hair}, in {' and '.join(self.garments)}; {self.expression}"

    @property
    def tags(self) -> list[str]:
        return [self.look, self.hair.style, self.hair_name, *self.garments, self.expression]


def person(seed: int, look: str) -> Person:
    """Draw the person of a seed, as she or he is shown in one of `LOOKS`."""
    draw = Draw(np.random.Generator(np.random.PCG64([seed, LOOKS.index(look), 77])))
    female = draw.chance(0.5)
    age = draw.skewed(ADULT_AGE + 0.003, 0.97, 1.8)
    races = np.clip(draw.rng.dirichlet([0.7, 0.7, 0.7]), 0.02, 1)
    tone = _tone(draw, races)
    hair_name = _hair_name(draw, age, races, look)
    hair = _hair(draw, female, races)
    colours = tuple(linear(colour) for colour in HAIRS[hair_name])
    draw.tone = tone
    outfit, garments = draw_outfit(draw, female)
    expression = draw.pick(EXPRESSIONS, [2.5, 4.5, 4.5, 3, 1.5, 0.8, 0.4, 1, 0.5, 0.5])
    frame = _framing(draw, look)
    return Person(
        seed=seed,
        look=look,
        phenotype=_phenotype(draw, female, age, races),
        changes=_changes(draw, look, female),
        actions=tuple((name, value * draw.between(0.8, 1.1)) for name, value in EXPRESSIONS[expression].items()),
        expression=expression,
        skin=_skin(draw, female, tone, age, colours, hair, look),
        iris=linear(draw.pick(IRISES[:4] if races[2] < 0.35 else IRISES)),
        hair=hair,
        hair_name=hair_name,
        hair_colours=colours,
        outfit=outfit,
        garments=garments,
        pose=_pose(draw, look, frame),
        light=_light(draw, look),
        framing=frame,
        style=int(draw.rng.integers(1 << 30)),
    )


def traits(person: Person) -> dict[str, float]:
    """Put into numbers what a picture may show of a person: what directions of a generator can be named after.

    More gender is more of a woman, more skin and hair are lighter ones (0 to 1 as displayed), more light comes from the
    picture's right (the sine of its angle), more smile is a broader one.
    """
    body, actions = dict(person.phenotype), dict(person.actions)
    return {
        "gender": body["gender"],
        "age": body["age"],
        "build": body["weight"],
        "skin": _shown(person.skin.tone),
        "hair": _shown(np.mean(person.hair_colours, axis=0)),
        "light": round(math.sin(math.radians(person.light.turn)), 4),
        "smile": round(actions.get("mouthSmileLeft", 0.0), 4),
    }


def _shown(colour: Sequence[float] | np.ndarray) -> float:
    """Give the brightness of a linear colour as a screen shows it, 0 to 1."""
    return round(float(np.mean(colour)) ** (1 / 2.2), 4)


def _tone(draw: Draw, races: np.ndarray) -> np.ndarray:
    african, asian, _ = races / races.sum()
    depth = np.clip(8.6 * african + 2.6 * asian + 0.8 + draw.near(1.0, 2.0), 0, len(SKINS) - 1.001)
    low = int(depth)
    a, b = np.array(linear(SKINS[low])), np.array(linear(SKINS[low + 1]))
    tone = a + (b - a) * (depth - low)
    return np.clip(tone * [0.9, 0.86, 0.82] * (1 + np.array([0.02, 0, -0.03]) * draw.near(1, 2)), 0.01, 0.9)


def _hair_name(draw: Draw, age: float, races: np.ndarray, look: str) -> str:
    if draw.chance(np.clip((age - 0.8) * 5, 0, 0.85)):
        return draw.pick(("grey", "white"))
    if draw.chance(0.12 if look == "fullbody" else 0.035):
        return draw.pick(("pink", "teal", "violet"))
    if races[2] / races.sum() < 0.4 and draw.chance(0.85):
        return draw.pick(("black", "espresso", "brown"), [3, 2, 1])
    return draw.pick(NATURAL_HAIRS)


def _hair(draw: Draw, female: bool, races: np.ndarray) -> Hair:
    coily = races[0] / races.sum() > 0.45
    weights = dict.fromkeys(STYLES, 1.0)
    for style in ("buzz", "crop", "quiff", "side-part"):
        weights[style] = 0.15 if female else 3.0
    for style in ("bob", "lob", "long", "waves", "ponytail", "bun", "braids"):
        weights[style] = 1.6 if female else 0.1
    weights["curls"] = 1.2
    weights["afro"] = 2.2 if coily else 0.15
    return Hair(
        style=draw.pick(weights, list(weights.values())),
        volume=draw.between(0.8, 1.25),
        length=draw.between(0, 1),
        part=draw.between(-1, 1),
        fringe=draw.between(0.5, 1.0) if draw.chance(0.3) else 0.0,
        tuck=draw.chance(0.4),
        seed=int(draw.rng.integers(1 << 20)),
    )


def _phenotype(draw: Draw, female: bool, age: float, races: np.ndarray) -> tuple[tuple[str, float], ...]:
    gender = 0.93 + draw.near(0.05, 0.07) if female else 0.07 + draw.near(0.05, 0.07)
    values = {
        "gender": gender,
        "age": age,
        "muscle": 0.5 + draw.near(0.15, 0.3) + (0 if female else 0.08),
        "weight": 0.45 + draw.near(0.16, 0.36),
        "height": (0.42 if female else 0.55) + draw.near(0.13, 0.3),
        "proportions": draw.between(0.15, 0.75),
        "cupsize": draw.between(0.25, 0.6),
        "firmness": draw.between(0.5, 0.8),
        "african": float(races[0]),
        "asian": float(races[1]),
        "caucasian": float(races[2]),
    }
    return tuple((name, round(float(value), 4)) for name, value in values.items())


def _changes(draw: Draw, look: str, female: bool) -> tuple[tuple[str, float], ...]:
    """Vary the face; drawings get larger eyes."""
    changes = {}
    for name, most, paired in FACE_CHANGES:
        value = draw.near(most * 0.5, most)
        value += FEMALE_FACE.get(name, 0.0) if female else MALE_FACE.get(name, 0.0)
        if name == "eye-scale":
            value += {"portrait": 0.15, "fullbody": 0.6, "fashion": 0.05}[look]
        for label in (f"l-{name}", f"r-{name}") if paired else (name,):
            changes[_full_label(label)] = round(float(np.clip(value, -1, 1)), 4)
    return tuple(changes.items())


def _full_label(label: str) -> str:
    """Complete the names of paired changes as MakeHuman spells them."""
    if label.endswith(("-incr", "-up", "-forward")):
        return label
    return f"{label}-incr"


def _skin(
    draw: Draw, female: bool, tone: np.ndarray, age: float, hair: tuple[tuple[float, ...], ...], cut: Hair, look: str
) -> Skin:
    depth = float(tone.mean())
    painted = draw.between(0.3, 1.0) if female and draw.chance(0.65) else draw.between(0.0, 0.2)
    natural = tone * [0.80, 0.46, 0.46]
    lip = natural + (np.array(linear(draw.pick(LIPS))) - natural) * (0.15 + 0.8 * painted)
    brow = np.array(hair[0]) * 0.75 if depth < 0.5 else np.array(hair[0]) * 0.85
    return Skin(
        tone=tuple(map(float, tone)),
        lip=tuple(map(float, lip)),
        brow=tuple(map(float, np.minimum(brow, tone * 0.5))),
        lip_paint=painted,
        blush=draw.between(0.2, 0.9) if female else draw.between(0.1, 0.4),
        brow_weight=draw.between(0.75, 1.15) if female else draw.between(1.05, 1.5),
        brow_arch=draw.between(0.3, 1.1) if female else draw.between(0.0, 0.5),
        shadow=draw.between(0.3, 0.8) if female and draw.chance(0.5) else 0.0,
        shadow_colour=linear(draw.pick(("#4b2d2a", "#3a2a44", "#5b3a2a", "#2b3b4a", "#6b3a4a"))),
        freckles=draw.between(0.4, 1.0) if depth > 0.35 and draw.chance(0.25) else 0.0,
        stubble=0.0 if female else draw.pick((0.0, 0.25, 0.5, 0.95), [4, 3, 2, 1.2]),
        scalp=0.9 if cut.style == "buzz" else 0.8,
        nail=linear(draw.pick(CLOTHS)) if female and draw.chance(0.3) else None,
    )


def _pose(draw: Draw, look: str, frame: Framing) -> Pose:
    pairs = (
        ("hang", "hang"), ("loose", "hang"), ("hang", "loose"), ("akimbo", "hang"), ("hang", "akimbo"), 
        ("akimbo", "akimbo"),
        ("pocket", "hang"), ("hang", "pocket"), ("pocket", "pocket"), ("front", "loose"), ("behind", "behind"),
        ("wave", "hang"), ("hang", "wave"), ("fold", "front"), ("loose", "loose"), ("akimbo", "pocket"),
    )  # fmt: skip
    weights = [2, 2, 2, 2, 2, 1.2, 2, 2, 1.2, 1, 1, 0.7, 0.7, 0.8, 2, 1]
    left, right = draw.pick(pairs, weights)
    legs = draw.pick(("stand", "contrapposto", "walk", "apart", "cross"), [2, 4, 3, 1, 0.8])
    if legs == "walk":
        left, right = draw.pick(
            (("hang", "hang"), ("loose", "loose"), ("hang", "pocket"), ("wave", "hang")), [4, 3, 1, 0.5]
        )
    if look == "portrait":
        left, right, legs = "hang", "hang", "stand"
    turn = draw.near(16, 32)
    head_turn = float(np.clip((frame.turn - turn) * draw.between(0.4, 1.0) + draw.near(7, 14), -30, 30))
    # towards the camera, mostly; eyes turn at most so far
    look_turn, look_nod = frame.turn - turn - head_turn + draw.near(3, 6), draw.near(1.5, 3)
    return Pose(
        left_arm=left,
        right_arm=right,
        legs=legs,
        lean=1.0 if draw.chance(0.5) else -1.0,
        turn=turn,
        bend=draw.near(1.5, 3),
        twist=draw.near(4, 8),
        head=(head_turn, draw.near(3, 6), draw.near(4, 8)),
        gaze=(float(np.clip(look_turn, -18, 18)), look_nod),
        stride=draw.between(0.7, 1.15),
        slack=(draw.between(0, 1), draw.between(0, 1)),
        curl=draw.between(20, 36),
    )


def _light(draw: Draw, look: str) -> Light:
    warm = np.array([1.0, 0.86, 0.70])
    cool = np.array([0.80, 0.90, 1.0])
    blend = draw.between(0, 1)
    key = (warm + (np.array([1.0, 0.98, 0.95]) - warm) * blend) * draw.between(2.0, 2.7)
    sky = (cool + (np.array([1.0, 0.97, 0.92]) - cool) * (1 - blend) * draw.between(0, 1)) * draw.between(0.5, 0.85)
    ground = np.array([0.55, 0.48, 0.42]) * draw.between(0.35, 0.7)
    rim = (cool if draw.chance(0.6) else warm) * draw.between(0.3, 1.4)
    side = 1 if draw.chance(0.5) else -1
    return Light(
        turn=side * draw.between(18, 60),
        height=draw.between(28, 58),
        key=tuple(map(float, key)),
        sky=tuple(map(float, sky)),
        ground=tuple(map(float, ground)),
        rim=tuple(map(float, rim)),
        rim_turn=-side * draw.between(125, 160),
        softness=draw.between(0.05, 0.22),
    )


def _framing(draw: Draw, look: str) -> Framing:
    if look == "portrait":
        return Framing(
            draw.near(12, 22), draw.between(-0.05, 0.08), draw.between(20, 30), draw.between(0.46, 0.56),
            (draw.near(0.03, 0.06), draw.between(-0.02, 0.03)), draw.near(1.5, 3),
        )  # fmt: skip
    return Framing(
        draw.near(10, 22), draw.between(-0.15, 0.35), draw.between(24, 36),
        draw.between(0.84, 0.92) if look == "fullbody" else draw.between(0.72, 0.90),
        (draw.near(0.03, 0.08), draw.near(0.01, 0.02)), 0.0,
    )  # fmt: skip
