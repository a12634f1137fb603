from collections import Counter
from dataclasses import replace

import pytest

from inference.figure.cloth import PATTERNS
from inference.figure.hair import STYLES
from inference.figure.wardrobe import NECKLINES, SLEEVES, Outfit, Shoes, Skirt, Trousers
from scraping.demo.people import LOOKS, Person, person, traits

SEEDS = range(700)


@pytest.fixture(scope="module")
def crowd():
    return [person(seed, look) for look in LOOKS for seed in SEEDS]


def test_everyone_is_an_adult(crowd):
    assert min(dict(one.phenotype)["age"] for one in crowd) >= 0.67


def test_traits_say_what_is_drawn(crowd):
    for one in crowd[::50]:
        shown = traits(one)
        assert (shown["gender"] > 0.5) == ("woman" in one.title)
        assert (shown["light"] > 0) == (one.light.turn > 0)
    white, black = (next(one for one in crowd if one.hair_name == name) for name in ("white", "black"))
    assert traits(white)["hair"] > 2 * traits(black)["hair"]
    older, young = (next(one for one in crowd if one.title.startswith(word)) for word in ("An older", "A young"))
    assert traits(older)["age"] > traits(young)["age"]


def test_a_person_below_age_cannot_be_made(crowd):
    with pytest.raises(ValueError, match="only adults"):
        replace(crowd[0], phenotype=tuple({**dict(crowd[0].phenotype), "age": 0.6}.items()))


def test_everyone_wears_a_closed_top_and_something_over_hips_and_thighs(crowd):
    for one in crowd:
        inner, outfit = one.outfit.tops[0], one.outfit
        assert inner.opening == 0
        assert inner.neckline in NECKLINES
        below = outfit.legs or outfit.skirt
        assert below.hem < -0.2
        assert inner.hem < 0.15


def test_an_outfit_that_leaves_the_body_bare_cannot_be_worn(crowd):
    dressed = next(one.outfit for one in crowd if isinstance(one.outfit.legs, Trousers))
    bare = [
        replace(dressed, legs=None, skirt=None),
        replace(dressed, tops=(replace(dressed.tops[0], opening=0.05),)),
        replace(dressed, tops=(replace(dressed.tops[0], hem=0.3),)),
        replace(dressed, legs=None, skirt=Skirt(dressed.legs.cloth, -0.1, 0.1, 0.1)),
        replace(dressed, legs=None, skirt=Skirt(dressed.legs.cloth, -0.5, 0.1, 0.1, opening=0.05)),
    ]
    for outfit in bare:
        with pytest.raises(ValueError, match="does not cover"):
            outfit.check()


def test_same_seed_same_person():
    assert person(7, "fashion") == person(7, "fashion")


def seen(one: Person) -> dict[str, object]:
    """What one sees at a glance, in few steps each; a bust shows no legs, and no arms that differ."""
    worn = one.outfit.tops if one.look == "portrait" else _garments(one.outfit)
    step = lambda value, size: int(value // size)  # noqa: E731
    return {
        "hair": (one.hair.style, one.hair_name),
        "cut": (step(one.hair.length, 0.34), one.hair.fringe > 0),
        "skin": tuple(step(channel**0.5, 0.1) for channel in one.skin.tone),
        "garments": one.garments,
        "colours": tuple(garment.cloth.colours[0] for garment in worn),
        "patterns": tuple(garment.cloth.pattern for garment in worn),
        "pose": (one.pose.left_arm, one.pose.right_arm, one.pose.legs, one.pose.lean),
        "turn": step(one.framing.turn - one.pose.turn, 15),
        "expression": one.expression,
    }


@pytest.mark.parametrize("kind", LOOKS)
def test_no_two_people_look_alike(crowd, kind):
    glances = [tuple(seen(one).values()) for one in crowd if one.look == kind]
    assert len(set(glances)) == len(SEEDS)


@pytest.mark.parametrize("kind", LOOKS)
def test_no_trait_is_that_of_most_people(crowd, kind):
    glances = [seen(one) for one in crowd if one.look == kind]
    for trait in glances[0]:
        ((_, most),) = Counter(glance[trait] for glance in glances).most_common(1)
        assert most < 0.6 * len(glances), trait


def test_every_hair_style_occurs(crowd):
    assert set(Counter(one.hair.style for one in crowd)) == set(STYLES)


def test_every_kind_of_garment_occurs(crowd):
    names = {name for one in crowd for name in one.garments}
    assert names >= {
        "a dress",
        "a skirt",
        "a shirt",
        "trousers",
        "jeans",
        "shorts",
        "a coat",
        "a jacket",
        "a suit",
        "a sweater",
    }
    tops = [top for one in crowd for top in one.outfit.tops]
    assert {top.sleeve for top in tops} == set(SLEEVES)
    assert {top.neckline for top in tops} == set(NECKLINES)


def test_every_pattern_occurs(crowd):
    cloths = [garment.cloth for one in crowd for garment in _garments(one.outfit)]
    assert {cloth.pattern for cloth in cloths} == set(PATTERNS)


def _garments(outfit: Outfit) -> list:
    worn = [*outfit.tops, outfit.legs, outfit.skirt, outfit.coat_skirt, outfit.shoes]
    return [garment for garment in worn if garment is not None]


def test_titles_name_nobody(crowd):
    starts = ("A young ", "A middle-aged ", "An older ")
    assert all(one.title.startswith(starts) for one in crowd)


def test_everyone_has_shoes(crowd):
    assert all(isinstance(one.outfit.shoes, Shoes) for one in crowd)
