"""A person by seed: body, skin, hair, clothes, pose, light and camera. Adults only, and always dressed.

The same seed and look give the same person on every machine; two seeds never give the same one.
"""

from dataclasses import dataclass

import numpy as np

from inference.figure.body import ADULT_AGE
from inference.figure.shading import Skin, linear
from scraping.demo.hair import STYLES, Hair
from scraping.demo.poses import Pose
from scraping.demo.wardrobe import Cloth, Outfit, Shoes, Skirt, Top, Trousers

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
CLOTHS = (
    "#f2efe8", "#dcd3c2", "#b9a58a", "#1d1d22", "#2d2f3a", "#4b4f57", "#7b8088", "#1f2f52", "#2f4d7d", "#4f7fb0",
    "#9cc3d9", "#7a1f2b", "#a83236", "#d0533f", "#e2875b", "#e9b44c", "#f0d68a", "#2e5339", "#4f7a4e", "#8fae7c",
    "#2c5d5f", "#5aa6a0", "#5b3a66", "#8d6aa3", "#c79bc2", "#d77a92", "#f0b9b8", "#6b4530", "#8f6747", "#c08552",
)  # fmt: skip
TROUSER_CLOTHS = CLOTHS[:2] + CLOTHS[3:12] + CLOTHS[17:19] + ("#5b3a66", "#4a3024")
DENIMS = ("#1c2a44", "#2b4164", "#3f5d86", "#5f7fa6", "#22242b", "#8fa6bd")
LEATHERS = ("#1a1512", "#3a2417", "#5a3821", "#7d5130", "#f0ece4", "#7c1d20", "#23303f")
EXPRESSIONS = {
    "calm": {},
    "soft smile": {"mouthSmileLeft": 0.35, "mouthSmileRight": 0.35, "cheekSquintLeft": 0.2, "cheekSquintRight": 0.2},
    "smile": {
        "mouthSmileLeft": 0.65, "mouthSmileRight": 0.65, "cheekSquintLeft": 0.45, "cheekSquintRight": 0.45,
        "eyeSquintLeft": 0.2, "eyeSquintRight": 0.2,
    },
    "broad smile": {
        "mouthSmileLeft": 0.75, "mouthSmileRight": 0.75, "jawOpen": 0.12, "mouthUpperUpLeft": 0.35,
        "mouthUpperUpRight": 0.35, "mouthLowerDownLeft": 0.15, "mouthLowerDownRight": 0.15, "cheekSquintLeft": 0.5,
        "cheekSquintRight": 0.5, "eyeSquintLeft": 0.25, "eyeSquintRight": 0.25,
    },
    "laugh": {
        "mouthSmileLeft": 0.7, "mouthSmileRight": 0.7, "jawOpen": 0.3, "mouthUpperUpLeft": 0.35,
        "mouthUpperUpRight": 0.35, "cheekSquintLeft": 0.6, "cheekSquintRight": 0.6, "eyeSquintLeft": 0.4,
        "eyeSquintRight": 0.4,
    },
    "speaking": {"jawOpen": 0.18, "mouthLowerDownLeft": 0.2, "mouthLowerDownRight": 0.2, "mouthUpperUpLeft": 0.12, "mouthUpperUpRight": 0.12},
    "surprise": {"jawOpen": 0.22, "browInnerUp": 0.6, "browOuterUpLeft": 0.5, "browOuterUpRight": 0.5, "eyeWideLeft": 0.3, "eyeWideRight": 0.3},
    "wry": {"mouthSmileLeft": 0.5, "mouthDimpleLeft": 0.3, "browOuterUpRight": 0.4},
    "thoughtful": {"browInnerUp": 0.35, "mouthPressLeft": 0.3, "mouthPressRight": 0.3},
    "resolute": {"browDownLeft": 0.35, "browDownRight": 0.35, "mouthPressLeft": 0.25, "mouthPressRight": 0.25},
}  # fmt: skip
FACE_CHANGES = (
    ("cheek-bones", 0.5, True), ("cheek-volume", 0.6, True), ("cheek-inner", 0.4, True), ("chin-height-incr", 0.5, False),
    ("chin-prominent-incr", 0.5, False), ("chin-width-incr", 0.7, False), ("chin-jaw-drop-incr", 0.5, False),
    ("chin-bones-incr", 0.5, False), ("eye-scale", 0.45, True), ("eye-height2", 0.5, True), ("eye-corner1-up", None, True),
    ("forehead-scale-vert-incr", 0.4, False), ("forehead-trans-forward", 0.3, False), ("head-fat-incr", 0.4, False),
    ("head-scale-horiz-incr", 0.35, False), ("head-scale-vert-incr", 0.25, False), ("mouth-scale-horiz-incr", 0.5, False),
    ("mouth-lowerlip-volume-incr", 0.7, False), ("mouth-upperlip-volume-incr", 0.7, False), ("mouth-trans-up", 0.3, False),
    ("nose-scale-horiz-incr", 0.6, False), ("nose-scale-vert-incr", 0.5, False), ("nose-hump-incr", 0.5, False),
    ("nose-point-up", 0.6, False), ("nose-width2-incr", 0.5, False), ("nose-scale-depth-incr", 0.5, False),
    ("eyebrows-trans-up", 0.4, False), ("eyebrows-angle-up", 0.5, False), ("neck-scale-vert-incr", 0.3, False),
)  # fmt: skip
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
    draw = _Draw(np.random.Generator(np.random.PCG64([seed, LOOKS.index(look), 77])))
    female = draw.chance(0.5)
    age = draw.skewed(ADULT_AGE + 0.003, 0.97, 1.8)
    races = np.clip(draw.rng.dirichlet([0.7, 0.7, 0.7]), 0.02, 1)
    tone = _tone(draw, races)
    hair_name = _hair_name(draw, age, races, look)
    hair = _hair(draw, female, races)
    colours = tuple(linear(colour) for colour in HAIRS[hair_name])
    draw.tone = tone
    outfit, garments = _outfit(draw, female, look)
    expression = draw.pick(EXPRESSIONS, [3, 4, 4, 3, 1.5, 1, 0.5, 1, 1, 0.7])
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


class _Draw:
    """Short names for what is drawn from one generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.tone = np.zeros(3)  # of the skin, once drawn

    def colour(self, choices: tuple[str, ...]) -> str:
        """Pick a cloth's colour that nobody takes for skin."""
        apart = [c for c in choices if np.abs(np.sqrt(linear(c)) - np.sqrt(self.tone)).max() > 0.22]
        return self.pick(apart or ("#2d2f3a",))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def skewed(self, low: float, high: float, power: float) -> float:
        return float(low + (high - low) * self.rng.random() ** power)

    def near(self, spread: float, limit: float) -> float:
        return float(np.clip(self.rng.normal(0, spread), -limit, limit))

    def pick(self, choices: object, weights: list[float] | None = None) -> object:
        options = list(choices)
        share = None if weights is None else np.array(weights, float) / np.sum(weights)
        return options[int(self.rng.choice(len(options), p=share))]


def _tone(draw: _Draw, races: np.ndarray) -> np.ndarray:
    african, asian, _ = races / races.sum()
    depth = np.clip(8.6 * african + 2.6 * asian + 0.8 + draw.near(1.0, 2.0), 0, len(SKINS) - 1.001)
    low = int(depth)
    a, b = np.array(linear(SKINS[low])), np.array(linear(SKINS[low + 1]))
    tone = a + (b - a) * (depth - low)
    return np.clip(tone * (1 + np.array([0.02, 0, -0.03]) * draw.near(1, 2)), 0.01, 0.9)


def _hair_name(draw: _Draw, age: float, races: np.ndarray, look: str) -> str:
    if draw.chance(np.clip((age - 0.8) * 5, 0, 0.85)):
        return draw.pick(("grey", "white"))
    if draw.chance(0.12 if look == "fullbody" else 0.035):
        return draw.pick(("pink", "teal", "violet"))
    if races[2] / races.sum() < 0.4 and draw.chance(0.85):
        return draw.pick(("black", "espresso", "brown"), [3, 2, 1])
    return draw.pick(NATURAL_HAIRS)


def _hair(draw: _Draw, female: bool, races: np.ndarray) -> Hair:
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


def _phenotype(draw: _Draw, female: bool, age: float, races: np.ndarray) -> tuple[tuple[str, float], ...]:
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


def _changes(draw: _Draw, look: str, female: bool) -> tuple[tuple[str, float], ...]:
    """Vary the face; drawings get larger eyes."""
    changes = {}
    for name, most, paired in FACE_CHANGES:
        if most is None:
            value = draw.near(0.25, 0.5)
        else:
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
    draw: _Draw, female: bool, tone: np.ndarray, age: float, hair: tuple[tuple[float, ...], ...], cut: Hair, look: str
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


def _cloth(draw: _Draw, colour: str, patterns: tuple[str, ...], folds: float, **more: object) -> Cloth:
    others = [c for c in CLOTHS if np.abs(np.sqrt(linear(c)) - np.sqrt(linear(colour))).max() > 0.15]
    colours = tuple(linear(c) for c in (colour, draw.pick(others), draw.pick(others)))
    return Cloth(colours, draw.pick(patterns), draw.between(0.75, 1.35), folds * draw.between(0.7, 1.2), seed=int(draw.rng.integers(997)), **more)


def _outfit(draw: _Draw, female: bool, look: str) -> tuple[Outfit, tuple[str, ...]]:
    """Put an outfit together: a closed top and closed legs or skirt always, then what goes over it."""
    kinds = {"dress": 3.0, "skirt": 2.5, "trousers": 3.0, "suit": 0.8} if female else {"trousers": 5.0, "suit": 1.5, "shorts": 0.7}
    kind = draw.pick(kinds, list(kinds.values()))
    if kind == "dress":
        return _dress(draw)
    top, top_name = _top(draw, female)
    tops: list[Top] = [top]
    legs = skirt = coat_skirt = None
    if kind == "skirt":
        skirt = _skirt(draw, None)
        names = [top_name, "a skirt"]
        tops[0] = _tucked(top)
    elif kind == "suit":
        colour = draw.colour(("#1d1d22", "#2d2f3a", "#4b4f57", "#1f2f52", "#6b4530", "#7b8088", "#b9a58a", "#7a1f2b"))
        made = _cloth(draw, colour, ("plain", "plain", "pinstripes", "check"), 0.6)
        legs = Trousers(made, -0.76, draw.between(0.25, 0.5))
        tops = [_tucked(top), Top(made, "long", "v", draw.between(-0.10, -0.04), 0.019, opening=0.02 + draw.between(0, 0.03), collar=True)]
        names = [top_name, "a suit"]
    else:
        denim = draw.chance(0.5)
        colour = draw.colour(DENIMS if denim else TROUSER_CLOTHS)
        made = _cloth(draw, colour, ("denim",) if denim else ("plain", "plain", "check", "pinstripes"), 0.9)
        short = kind == "shorts"
        legs = Trousers(made, draw.between(-0.40, -0.30) if short else draw.pick((-0.76, -0.755, -0.68)), draw.between(0.1, 0.7), 0.14)
        names = [top_name, "shorts" if short else "jeans" if denim else "trousers"]
        if draw.chance(0.35):
            tops[0] = _tucked(top)
    if kind != "suit" and draw.chance(0.33):
        over, over_skirt, name = _over(draw)
        tops.append(over)
        coat_skirt = over_skirt
        names.append(name)
    belt = None
    if tops[0].hem > 0.05 and draw.chance(0.6):
        belt = Cloth((linear(draw.pick(LEATHERS)),), "leather", gloss=0.35, folds=0.1)
    bare_legs = skirt is not None or kind == "shorts"
    stockings = Cloth((linear(draw.colour(CLOTHS[3:8])),), "plain", folds=0.1) if skirt and draw.chance(0.4) else None
    shoes = _shoes(draw, boots=bare_legs, female=female)
    outfit = Outfit(tuple(tops), legs, skirt, shoes, belt, stockings, coat_skirt)
    return outfit, tuple(names)


def _tucked(top: Top) -> Top:
    return Top(top.cloth, top.sleeve, top.neckline, 0.115, min(top.loose, 0.008), top.opening, top.collar)


def _dress(draw: _Draw) -> tuple[Outfit, tuple[str, ...]]:
    made = _cloth(draw, draw.colour(CLOTHS), ("plain", "plain", "floral", "dots", "stripes", "check", "diamonds"), 0.8)
    sleeve = draw.pick(("none", "cap", "short", "elbow", "three-quarter", "long"))
    top = Top(made, sleeve, draw.pick(("crew", "v", "scoop", "boat")), 0.115, draw.between(0.004, 0.008))
    skirt = _skirt(draw, made)
    tops, coat_skirt, names = (top,), None, ["a dress"]
    if draw.chance(0.15):
        over, coat_skirt, name = _over(draw)
        tops, names = (top, over), ["a dress", name]
    belt = Cloth((linear(draw.pick(LEATHERS + CLOTHS)),), "leather", gloss=0.2, folds=0.1) if draw.chance(0.6) else None
    stockings = Cloth((linear(draw.colour(CLOTHS[3:8])),), "plain", folds=0.1) if draw.chance(0.25) else None
    return Outfit(tops, None, skirt, _shoes(draw, True, True), belt, stockings, coat_skirt), tuple(names)


def _skirt(draw: _Draw, made: Cloth | None) -> Skirt:
    cloth = made or _cloth(draw, draw.colour(CLOTHS), ("plain", "plain", "check", "floral", "denim", "leather", "stripes"), 0.7)
    hem = draw.pick((-0.30, -0.38, -0.48, -0.62)) + draw.near(0.02, 0.04)
    return Skirt(cloth, hem, draw.between(0.0, 0.32), draw.between(0.1, 1.0))


def _top(draw: _Draw, female: bool) -> tuple[Top, str]:
    kinds = {"a T-shirt": 3, "a shirt": 3, "a sweater": 2.5, "a blouse": 2.5 if female else 0, "a roll-neck": 1, "a hoodie": 1, "a polo shirt": 0.3 if female else 1}
    name = draw.pick(kinds, list(kinds.values()))
    colour = draw.colour(CLOTHS)
    hem = draw.between(-0.06, 0.0)
    if name == "a T-shirt":
        made = _cloth(draw, colour, ("plain", "stripes", "blocks", "plain"), 0.9)
        return Top(made, draw.pick(("short", "elbow", "cap", "short")), draw.pick(("crew", "crew", "v", "scoop")), hem, draw.between(0.008, 0.016)), name
    if name in ("a shirt", "a polo shirt"):
        made = _cloth(draw, colour, ("plain", "stripes", "check", "pinstripes", "dots"), 1.0, trim="buttons")
        sleeve = "short" if name == "a polo shirt" else draw.pick(("long", "long", "three-quarter", "short"))
        return Top(made, sleeve, "crew", hem, draw.between(0.010, 0.016), collar=True), name
    if name == "a blouse":
        made = _cloth(draw, colour, ("plain", "floral", "dots", "stripes", "plain"), 1.1, gloss=0.12)
        return Top(made, draw.pick(("long", "three-quarter", "elbow", "cap", "none")), draw.pick(("v", "scoop", "boat")), hem, draw.between(0.008, 0.015)), name
    if name == "a hoodie":
        made = _cloth(draw, colour, ("plain", "blocks"), 1.3, trim="zip")
        return Top(made, "long", "crew", hem, draw.between(0.018, 0.024), collar=True), name
    made = _cloth(draw, colour, ("knit", "knit", "stripes", "diamonds"), 0.9)
    neck = "roll" if name == "a roll-neck" else draw.pick(("crew", "v", "boat"))
    return Top(made, draw.pick(("long", "long", "three-quarter")), neck, hem, draw.between(0.010, 0.019)), name


def _over(draw: _Draw) -> tuple[Top, Skirt | None, str]:
    """A jacket or coat, open in front, over a closed top."""
    opening = draw.between(0.035, 0.07)
    if draw.chance(0.5):
        leather = draw.chance(0.4)
        colour = draw.colour(LEATHERS[:4] if leather else DENIMS + CLOTHS)
        made = _cloth(draw, colour, ("leather",) if leather else ("denim", "plain", "check"), 1.2, gloss=0.3 if leather else 0.05)
        return Top(made, "long", "v", draw.between(-0.04, 0.04), 0.028, opening, True), None, "a jacket"
    made = _cloth(draw, draw.colour(CLOTHS), ("plain", "plain", "check", "pinstripes"), 1.0)
    skirt = Skirt(made, draw.between(-0.5, -0.25), 0.12, 0.12, opening=opening, loose=0.03)
    return Top(made, "long", "v", 0.08, 0.030, opening, True), skirt, "a coat"


def _shoes(draw: _Draw, boots: bool, female: bool) -> Shoes:
    kind = draw.pick(("flats", "trainers", "ankle boots", "boots"), [2, 3, 2, 1.5 if boots and female else 0])
    top = {"flats": -0.762, "trainers": -0.738, "ankle boots": -0.66, "boots": -0.46}[kind]
    sole = linear("#efece6") if kind == "trainers" else linear(draw.pick(("#1a1512", "#3a2417", "#d8cfc0")))
    colour = draw.pick(CLOTHS if kind in ("trainers", "flats") else LEATHERS)
    return Shoes(Cloth((linear(colour),), "leather", folds=0.15, gloss=0.25), sole, top, draw.between(0.008, 0.022))


def _pose(draw: _Draw, look: str, frame: Framing) -> Pose:
    pairs = (
        ("hang", "hang"), ("loose", "hang"), ("hang", "loose"), ("akimbo", "hang"), ("hang", "akimbo"), ("akimbo", "akimbo"),
        ("pocket", "hang"), ("hang", "pocket"), ("pocket", "pocket"), ("front", "loose"), ("behind", "behind"),
        ("wave", "hang"), ("hang", "wave"), ("fold", "front"), ("loose", "loose"), ("akimbo", "pocket"),
    )  # fmt: skip
    weights = [2, 2, 2, 2, 2, 1.2, 2, 2, 1.2, 1, 1, 0.7, 0.7, 0.8, 2, 1]
    left, right = draw.pick(pairs, weights)
    legs = draw.pick(("stand", "contrapposto", "walk", "apart", "cross"), [2, 4, 3, 1, 0.8])
    if legs == "walk":
        left, right = draw.pick((("hang", "hang"), ("loose", "loose"), ("hang", "pocket"), ("wave", "hang")), [4, 3, 1, 0.5])
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
        curl=draw.between(14, 30),
    )


def _light(draw: _Draw, look: str) -> Light:
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


def _framing(draw: _Draw, look: str) -> Framing:
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


