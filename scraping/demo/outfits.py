"""Outfits drawn by chance: a closed top and closed legs or skirt always, then what goes over them."""

import numpy as np

from inference.figure.cloth import Cloth
from inference.figure.shading import linear
from inference.figure.wardrobe import Outfit, Shoes, Skirt, Top, Trousers
from scraping.demo.chance import Draw

CLOTHS = (
    "#f2efe8", "#dcd3c2", "#b9a58a", "#1d1d22", "#2d2f3a", "#4b4f57", "#7b8088", "#1f2f52", "#2f4d7d", "#4f7fb0",
    "#9cc3d9", "#7a1f2b", "#a83236", "#d0533f", "#e2875b", "#e9b44c", "#f0d68a", "#2e5339", "#4f7a4e", "#8fae7c",
    "#2c5d5f", "#5aa6a0", "#5b3a66", "#8d6aa3", "#c79bc2", "#d77a92", "#f0b9b8", "#6b4530", "#8f6747", "#c08552",
)  # fmt: skip
TROUSER_CLOTHS = CLOTHS[:2] + CLOTHS[3:12] + CLOTHS[17:19] + ("#5b3a66", "#4a3024")
DENIMS = ("#1c2a44", "#2b4164", "#3f5d86", "#5f7fa6", "#22242b", "#8fa6bd")
LEATHERS = ("#1a1512", "#3a2417", "#5a3821", "#7d5130", "#f0ece4", "#7c1d20", "#23303f")


def _cloth(draw: Draw, colour: str, patterns: tuple[str, ...], folds: float, **more: object) -> Cloth:
    others = [c for c in CLOTHS if np.abs(np.sqrt(linear(c)) - np.sqrt(linear(colour))).max() > 0.15]
    colours = tuple(linear(c) for c in (colour, draw.pick(others), draw.pick(others)))
    return Cloth(
        colours,
        draw.pick(patterns),
        draw.between(0.75, 1.35),
        folds * draw.between(0.7, 1.2),
        seed=int(draw.rng.integers(997)),
        **more,
    )


def draw_outfit(draw: Draw, female: bool) -> tuple[Outfit, tuple[str, ...]]:
    """Put an outfit together: a closed top and closed legs or skirt always, then what goes over it."""
    kinds = (
        {"dress": 3.0, "skirt": 2.5, "trousers": 3.0, "suit": 0.8}
        if female
        else {"trousers": 5.0, "suit": 1.5, "shorts": 0.7}
    )
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
        tops = [
            _tucked(top),
            Top(
                made, "long", "v", draw.between(-0.10, -0.04), 0.019, opening=0.02 + draw.between(0, 0.03), collar=True
            ),
        ]
        names = [top_name, "a suit"]
    else:
        denim = draw.chance(0.5)
        colour = draw.colour(DENIMS if denim else TROUSER_CLOTHS)
        made = _cloth(draw, colour, ("denim",) if denim else ("plain", "plain", "check", "pinstripes"), 0.9)
        short = kind == "shorts"
        legs = Trousers(
            made,
            draw.between(-0.40, -0.30) if short else draw.pick((-0.76, -0.755, -0.68)),
            draw.between(0.1, 0.7),
            0.14,
        )
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


def _dress(draw: Draw) -> tuple[Outfit, tuple[str, ...]]:
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


def _skirt(draw: Draw, made: Cloth | None) -> Skirt:
    cloth = made or _cloth(
        draw, draw.colour(CLOTHS), ("plain", "plain", "check", "floral", "denim", "leather", "stripes"), 0.7
    )
    hem = draw.pick((-0.30, -0.38, -0.48, -0.62)) + draw.near(0.02, 0.04)
    return Skirt(cloth, hem, draw.between(0.0, 0.32), draw.between(0.1, 1.0))


def _top(draw: Draw, female: bool) -> tuple[Top, str]:
    kinds = {
        "a T-shirt": 3,
        "a shirt": 3,
        "a sweater": 2.5,
        "a blouse": 2.5 if female else 0,
        "a roll-neck": 1,
        "a hoodie": 1,
        "a polo shirt": 0.3 if female else 1,
    }
    name = draw.pick(kinds, list(kinds.values()))
    colour = draw.colour(CLOTHS)
    hem = draw.between(-0.045, 0.02)
    if name == "a T-shirt":
        made = _cloth(draw, colour, ("plain", "stripes", "blocks", "plain"), 0.9)
        return Top(
            made,
            draw.pick(("short", "elbow", "cap", "short")),
            draw.pick(("crew", "crew", "v", "scoop")),
            hem,
            draw.between(0.008, 0.016),
        ), name
    if name in ("a shirt", "a polo shirt"):
        made = _cloth(draw, colour, ("plain", "stripes", "check", "pinstripes", "dots"), 1.0, trim="buttons")
        sleeve = "short" if name == "a polo shirt" else draw.pick(("long", "long", "three-quarter", "short"))
        return Top(made, sleeve, "crew", hem, draw.between(0.010, 0.016), collar=True), name
    if name == "a blouse":
        made = _cloth(draw, colour, ("plain", "floral", "dots", "stripes", "plain"), 1.1, gloss=0.12)
        return Top(
            made,
            draw.pick(("long", "three-quarter", "elbow", "cap", "none")),
            draw.pick(("v", "scoop", "boat")),
            hem,
            draw.between(0.008, 0.015),
        ), name
    if name == "a hoodie":
        made = _cloth(draw, colour, ("plain", "blocks"), 1.3, trim="zip")
        return Top(made, "long", "crew", hem, draw.between(0.018, 0.024), collar=True), name
    made = _cloth(draw, colour, ("knit", "knit", "stripes", "diamonds"), 0.9)
    neck = "roll" if name == "a roll-neck" else draw.pick(("crew", "v", "boat"))
    return Top(made, draw.pick(("long", "long", "three-quarter")), neck, hem, draw.between(0.010, 0.019)), name


def _over(draw: Draw) -> tuple[Top, Skirt | None, str]:
    """A jacket or coat, open in front, over a closed top."""
    opening = draw.between(0.035, 0.07)
    if draw.chance(0.5):
        leather = draw.chance(0.4)
        colour = draw.colour(LEATHERS[:4] if leather else DENIMS + CLOTHS)
        made = _cloth(
            draw, colour, ("leather",) if leather else ("denim", "plain", "check"), 1.2, gloss=0.3 if leather else 0.05
        )
        return Top(made, "long", "v", draw.between(-0.04, 0.04), 0.028, opening, True), None, "a jacket"
    made = _cloth(draw, draw.colour(CLOTHS), ("plain", "plain", "check", "pinstripes"), 1.0)
    skirt = Skirt(made, draw.between(-0.5, -0.25), 0.12, 0.12, opening=opening, loose=0.03)
    return Top(made, "long", "v", 0.08, 0.030, opening, True), skirt, "a coat"


def _shoes(draw: Draw, boots: bool, female: bool) -> Shoes:
    kind = draw.pick(("flats", "trainers", "ankle boots", "boots"), [2, 3, 2, 1.5 if boots and female else 0])
    top = {"flats": -0.762, "trainers": -0.738, "ankle boots": -0.66, "boots": -0.46}[kind]
    sole = linear("#efece6") if kind == "trainers" else linear(draw.pick(("#1a1512", "#3a2417", "#d8cfc0")))
    colour = draw.pick(CLOTHS if kind in ("trainers", "flats") else LEATHERS)
    return Shoes(Cloth((linear(colour),), "leather", folds=0.15, gloss=0.25), sole, top, draw.between(0.008, 0.022))
