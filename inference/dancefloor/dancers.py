"""Who dances: adults by seed, dressed for it: shirt or sweater, long trousers, trainers, hair that stays in place."""

from dataclasses import dataclass

import numpy as np

from inference.figure.cloth import Cloth
from inference.figure.hair import Hair
from inference.figure.shading import Skin, linear
from inference.figure.wardrobe import Outfit, Shoes, Top, Trousers

SKINS = ("#f3cfb6", "#e3ad88", "#cf9269", "#ad7049", "#835032", "#5a3521")
HAIRS = (
    ("#16110f", "#2a201a"),
    ("#33201a", "#553423"),
    ("#5c3119", "#8a5330"),
    ("#8f6a3a", "#c79d62"),
    ("#7d2f1c", "#a94b26"),
)
IRISES = ("#3b2313", "#5d3f1c", "#51683a", "#3c6a8f")
# A bright one above, a quiet one below; both far from any skin.
TOPS = ("#e8483f", "#f2c230", "#2f8f83", "#3566c4", "#f4f1ea", "#7a3fb0", "#22262f", "#e06aa0", "#4f9a3c")
TROUSERS = ("#22252e", "#2b4164", "#4a4d55", "#5b4a3f", "#1c2a44", "#6d7178")
ACCENTS = ("#f4f1ea", "#1d1f26", "#f2c230", "#e8483f", "#5aa6d8")
SOLES = ("#f0ece6", "#f0ece6", "#d8cfc0", "#23262e")
MALE_HAIR = ("crop", "quiff", "side-part", "curls", "buzz", "afro")
FEMALE_HAIR = ("bun", "bun", "curls", "afro", "side-part")
ADULT = (0.67, 0.74)  # of the body's scale of ages: young adults
SMILE = {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5, "cheekSquintLeft": 0.25, "cheekSquintRight": 0.25}


@dataclass(frozen=True)
class Dancer:
    """What a dancer looks like."""

    phenotype: dict[str, float]
    skin: Skin
    iris: tuple[float, float, float]
    hair: Hair
    hair_colours: tuple[tuple[float, float, float], tuple[float, float, float]]
    outfit: Outfit


def dancer(seed: int) -> Dancer:
    """Draw somebody by a seed: the same one every time."""
    rng = np.random.Generator(np.random.PCG64([seed, 2011]))
    female = bool(rng.random() < 0.5)
    tone = linear(_pick(rng, SKINS))
    hair = tuple(linear(colour) for colour in _pick(rng, HAIRS if np.mean(tone) > 0.15 else HAIRS[:2]))
    style = _pick(rng, FEMALE_HAIR if female else MALE_HAIR)
    return Dancer(
        phenotype=_phenotype(rng, female, tone),
        skin=_skin(rng, female, tone, hair[0], style),
        iris=linear(_pick(rng, IRISES)),
        hair=Hair(style, rng.uniform(0.9, 1.15), rng.uniform(0, 1), rng.choice([-1.0, 1.0]), 0.0, True, seed % 997),
        hair_colours=hair,
        outfit=_outfit(rng, seed % 997),
    )


def _pick(rng: np.random.Generator, choices: tuple) -> object:
    return choices[int(rng.integers(len(choices)))]


def _phenotype(rng: np.random.Generator, female: bool, tone: tuple[float, ...]) -> dict[str, float]:
    african = float(np.clip(1 - np.mean(tone) / 0.45, 0.05, 0.9))
    other = rng.uniform(0.2, 0.8) * (1 - african)
    return {
        "gender": rng.uniform(0.88, 0.97) if female else rng.uniform(0.03, 0.12),
        "age": rng.uniform(*ADULT),
        "muscle": rng.uniform(0.5, 0.68),
        "weight": rng.uniform(0.36, 0.5),
        "height": rng.uniform(0.42, 0.6),
        "proportions": rng.uniform(0.15, 0.45),
        "cupsize": rng.uniform(0.25, 0.45),
        "firmness": 0.7,
        "african": african,
        "asian": other,
        "caucasian": 1 - african - other,
    }


def _skin(rng: np.random.Generator, female: bool, tone: tuple[float, ...], hair: tuple[float, ...], style: str) -> Skin:
    lip = np.array(tone) * [0.8, 0.45, 0.45]
    return Skin(
        tone=tone,
        lip=tuple(map(float, lip)),
        brow=tuple(map(float, np.minimum(np.array(hair) * 0.8, np.array(tone) * 0.5))),
        lip_paint=rng.uniform(0.3, 0.8) if female else 0.1,
        blush=0.5 if female else 0.25,
        brow_weight=0.95 if female else 1.3,
        brow_arch=0.7 if female else 0.25,
        stubble=0.0 if female else _pick(rng, (0.0, 0.0, 0.35)),
        scalp=0.9 if style == "buzz" else 0.8,
    )


def _outfit(rng: np.random.Generator, seed: int) -> Outfit:
    colour, accent = _pick(rng, TOPS), _pick(rng, ACCENTS)
    kind = _pick(rng, ("T-shirt", "T-shirt", "hoodie", "sweater"))
    pattern = _pick(
        rng, {"T-shirt": ("plain", "stripes", "blocks"), "hoodie": ("plain",), "sweater": ("stripes", "blocks")}[kind]
    )
    colours = tuple(linear(each) for each in (colour, accent, accent))
    cloth = Cloth(colours, pattern, 1.1, rng.uniform(0.8, 1.2), seed=seed)
    sleeve = _pick(rng, ("short", "elbow")) if kind == "T-shirt" else "long"
    loose = {"T-shirt": 0.014, "hoodie": 0.020, "sweater": 0.016}[kind]
    top = Top(cloth, sleeve, "crew", rng.uniform(0.01, 0.05), loose, collar=kind == "hoodie")
    below = _pick(rng, tuple(each for each in TROUSERS if each != colour))
    denim = "denim" if below in ("#2b4164", "#1c2a44") else "plain"
    legs = Trousers(Cloth((linear(below),), denim, 1.0, 0.9, seed=seed + 1), -0.755, rng.uniform(0.35, 0.65))
    shoes = Shoes(
        Cloth((linear(_pick(rng, ACCENTS)),), "leather", folds=0.15, gloss=0.25),
        linear(_pick(rng, SOLES)),
        -0.735,
        0.018,
    )
    outfit = Outfit((top,), legs, None, shoes)
    outfit.check()
    return outfit
