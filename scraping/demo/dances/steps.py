"""The repertoire of footwork, counted as dancers count: where which foot is on which count."""

from dataclasses import dataclass

LEFT, RIGHT = 0, 1
# kind of landing: pitch of the sole (heel up), and how far the weight goes over (0 none, 1 all).
LANDINGS = {"step": (0.0, 0.62), "touch": (0.42, 0.0), "heel": (-0.38, 0.0), "jump": (0.0, 0.0)}
AIRS = {"kick": (-0.1, 0.0), "knee": (0.6, 0.0), "lift": (1.5, 0.55)}  # pitch, counts that it is held


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
    either_way: bool = False  # forward may be backward


def _steps(counts: int, words: str, **more: object) -> Steps:
    """Read footwork: `1 L step .3 .0` and so on, a fifth number for what is in the air."""
    goes = []
    for word in words.split(","):
        on, foot, kind, *place = word.split()
        goes.append(Go(float(on), "LR".index(foot), kind, *map(float, place)))
    return Steps(counts, tuple(goes), **more)


FOUR = {
    "in_place": _steps(4, "1 L step .17 .03, 2 R step -.17 -.02, 3 L step .15 -.05, 4 R step -.16 .05"),
    "step_touch": _steps(4, "1 L step .36 0, 2 R touch .14 .02, 3 R step -.36 0, 4 L touch -.14 .02"),
    "grapevine": _steps(4, "1 L step .36 0, 2 R step .5 -.2, 3 L step .84 0, 4 R touch .62 .04", travel=(0.7, 0.0)),
    "top_rock": _steps(4, "1 L step -.06 .3, 2 L step .18 -.06, 3 R step .06 .3, 4 R step -.18 -.06"),
    "kick_step": _steps(4, "1 L kick .12 .52 .34, 2 L step .16 .02, 3 R kick -.12 .52 .34, 4 R step -.16 .02"),
    "running": _steps(
        4,
        ".5 L knee .12 .12 .3, 1 L step .15 .1, 1.5 R knee -.12 .12 .3, 2 R step -.15 -.05,"
        "2.5 L knee .12 .12 .3, 3 L step .15 .06, 3.5 R knee -.12 .12 .3, 4 R step -.15 .0",
    ),
    "shuffle": _steps(
        4,
        "1 L step .24 .04, 1.5 R step .06 -.17, 2 L step .3 .02,"
        "3 R step -.24 .04, 3.5 L step -.06 -.17, 4 R step -.3 .02",
    ),
    "heel_toe": _steps(4, "1 L heel .17 .3, 2 L step .14 0, 3 R heel -.17 .3, 4 R step -.14 0"),
    "jazz_box": _steps(4, "1 L step -.1 .26, 2 R step -.2 -.16, 3 L step .24 -.14, 4 R step -.06 .12"),
    "glide_box": _steps(
        4, "1 L step .32 0, 2 R step .12 0, 3 L step .32 .28, 4 R touch .1 .26", travel=(0.2, 0.26), either_way=True
    ),
    "cross_walk": _steps(
        4, "1 L step .02 .36, 2 R step -.02 .7, 3 L touch .36 .74", travel=(0.02, 0.62), either_way=True
    ),
    "lunge": _steps(
        4, "1 L step .5 .06, 3 L step .13 .02, 4 R touch -.14 .1", sinks=((1.0, 0.14), (2.2, 0.12), (3.0, 0.0))
    ),
    "drop": _steps(
        4,
        "1 L step .3 .02, 4 L step .13 0",
        sinks=((1.0, 0.06), (2.0, 0.27), (3.0, 0.25), (4.0, 0.0)),
        leans=((1.0, 0.1), (2.0, 0.34), (3.0, 0.3), (4.0, 0.0)),
    ),
    "hop": _steps(
        4,
        "1 L jump .27 0, 1 R jump -.27 0, 2 L jump .08 .04, 2 R jump -.08 -.04,"
        "3 L jump .27 0, 3 R jump -.27 0, 4 L step .13 0",
        hops=((0.5, 1.0, 0.09), (1.5, 2.0, 0.07), (2.5, 3.0, 0.09)),
        sinks=((0.5, 0.08), (1.0, 0.1), (2.0, 0.06), (3.0, 0.12), (4.0, 0.0)),
    ),
    "stomp": _steps(
        4,
        ".45 L knee .2 .2 .38, 1 L step .3 .12, 2.45 R knee -.2 .2 .38, 3 R step -.3 .12",
        sinks=((0.5, -0.02), (1.0, 0.09), (2.4, 0.0), (3.0, 0.09), (4.0, 0.02)),
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
        "1 L step .08 .26, 2.2 R lift -.1 -.6 .46, 4 R step -.16 -.04",
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
FOUR["freeze"] = _steps(4, "1 L step .2 0, 2 R step -.2 .05, 3 L step .4 .08", sinks=((1.0, 0.03), (3.0, 0.11)))
THREE = {
    "freeze": _steps(3, "1 L step .2 0, 2 R step -.36 .08", sinks=((1.0, 0.02), (2.0, 0.08))),
    "waltz": _steps(3, "1 L step .12 .34, 2 R step -.3 .32, 3 L step -.1 .32", travel=(-0.18, 0.32), either_way=True),
    "balance": _steps(3, "1 L step .38 .02, 2 R touch .24 -.18, 3 R step .1 -.1", travel=(0.2, 0.0)),
    "leg_lift": _steps(
        3,
        "1 L step .1 .26, 2 R lift -.1 -.6 .44, 3 R step -.16 -.02",
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
    "cross_walk": _steps(
        3, "1 L step .02 .36, 2 R step -.02 .68, 3 L touch .34 .72", travel=(0.02, 0.6), either_way=True
    ),
}


def repertoire(metre: int) -> dict[str, Steps]:
    """Name the footwork that fits the metre; what has no way in three is left out."""
    return FOUR if metre == 4 else THREE
