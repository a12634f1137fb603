"""Ten genre-like ways to play and to dance, under the letters that AIST++'s names are made of.

They are caricatures by code, not recordings of a style: a letter says which repertoire the draw is from, no more.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Band:
    """Who plays what. A drum line has a letter a sixteenth, `x` loud, `o` soft; a tune has a degree a sixteenth."""

    drums: dict[str, str]
    bass: str  # `0` root, `8` octave, `5` fifth, `7` seventh below, a sixteenth each
    bass_kind: str
    chords: str  # where a chord is struck: `x` short, `-` held to the next letter
    chord_kind: str
    pad: bool
    tune_kind: str
    progressions: tuple[tuple[int, ...], ...]  # degrees of the scale, a bar each
    scale: str  # minor | major
    swing: float = 0.5  # where the second sixteenth of two lies: 0.5 is straight
    pump: float = 0.0  # how far the kick presses everything else down
    room: float = 0.5  # seconds


@dataclass(frozen=True)
class Manner:
    """How somebody dances. Names with weights are those of footwork.py and gestures.py."""

    feet: dict[str, float]
    arms: dict[str, float]
    bodies: dict[str, float]
    transit: tuple[float, float]  # beats that a gesture takes to its pose: short is sharp
    recoil: float  # how far a gesture overshoots
    bounce: float  # metres the body sinks on a beat
    sink: float  # metres the knees are bent all along
    stance: float  # metres between the feet
    sway: float  # of hips with the weight, 1 is plain
    reach: float = 1.0  # of the arms


@dataclass(frozen=True)
class Genre:
    """A genre-like draw: its letters, tempo of its song 0, tempo step, dancers, music and manner."""

    name: str
    slowest: int
    step: int
    dancers: tuple[int, int, int]
    held_out: int  # the song that AIST++ holds out of this genre
    band: Band
    manner: Manner
    waltzes: tuple[int, ...] = field(default=())  # songs in three

    def tempo(self, number: int) -> int:
        return self.slowest + self.step * number


FOUR = "x...x...x...x..."
BACK = "....x.......x..."
EIGHTHS = "x.o.x.o.x.o.x.o."
SIXTEENTHS = "x.ooo.ooo.ooo.oo"

GENRES: dict[str, Genre] = {
    "BR": Genre(
        "break-like",
        80,
        10,
        (4, 5, 6),
        0,
        Band(
            {"kick": "x.x.......xx....", "snare": "....x..o.o..x..o", "hat": EIGHTHS, "rim": "..............o."},
            "0.....0...0.8.0.",
            "slap",
            "x.....x.........",
            "brass",
            False,
            "chick",
            ((0, 0, 3, 4), (0, 0, 0, 6), (0, 3, 0, 4)),
            "minor",
            0.54,
        ),
        Manner(
            {"top_rock": 4, "kick_step": 2, "running": 1.5, "step_touch": 1, "drop": 1.5, "hop": 0.7},
            {"rock": 3, "swing": 2, "cross": 2, "point": 1, "circle": 1},
            {"bounce": 2, "twist": 2, "rock": 2},
            (0.55, 0.72),
            0.06,
            0.05,
            0.05,
            0.34,
            0.8,
        ),
    ),
    "PO": Genre(
        "pop-like",
        80,
        10,
        (10, 11, 12),
        1,
        Band(
            {"kick": "x..x..x...x.....", "clap": BACK, "hat": SIXTEENTHS, "cowbell": "..o...o...o..o.."},
            "0..0..8...0..7..",
            "synth",
            "x..x......x.....",
            "keys",
            False,
            "lead",
            ((0, 0, 5, 6), (0, 3, 5, 4), (0, 6, 5, 6)),
            "minor",
        ),
        Manner(
            {"in_place": 3, "step_touch": 2, "lunge": 2, "glide_box": 1.5, "heel_toe": 1.5},
            {"angles": 3, "wave": 3, "frame": 2, "point": 1.5},
            {"pop": 4, "isolate": 2, "twist": 1},
            (0.34, 0.48),
            0.11,
            0.03,
            0.04,
            0.3,
            0.6,
        ),
    ),
    "LO": Genre(
        "lock-like",
        80,
        10,
        (13, 14, 15),
        2,
        Band(
            {"kick": "x..x..x.x.......", "snare": "....x..o....x..o", "hat": SIXTEENTHS, "clap": "............o..."},
            "0.08..0.5.0..78.",
            "slap",
            "..x..x....x..x..",
            "chick",
            False,
            "brass",
            ((0, 3, 0, 3), (0, 0, 3, 4), (0, 6, 3, 4)),
            "major",
            0.53,
        ),
        Manner(
            {"kick_step": 3, "lunge": 2, "step_touch": 2, "drop": 1, "heel_toe": 1.5, "hop": 0.7},
            {"lock": 4, "point": 3, "clap": 2, "circle": 1.5},
            {"bounce": 2, "rock": 2, "twist": 1},
            (0.36, 0.5),
            0.1,
            0.05,
            0.06,
            0.36,
            0.8,
        ),
    ),
    "MH": Genre(
        "hip-hop-like",
        80,
        10,
        (22, 23, 24),
        3,
        Band(
            {"kick": "x.....xx..x.....", "snare": BACK, "hat": EIGHTHS, "shaker": ".o.o.o.o.o.o.o.o"},
            "0.....08..5.....",
            "round",
            "x.....x.........",
            "keys",
            True,
            "keys",
            ((0, 5, 3, 4), (0, 3, 5, 6), (0, 6, 5, 4)),
            "minor",
            0.58,
        ),
        Manner(
            {"in_place": 2, "step_touch": 3, "running": 2, "kick_step": 1.5, "drop": 1, "heel_toe": 1},
            {"swing": 3, "cross": 2, "brush": 2, "roof": 1.5, "circle": 1},
            {"bounce": 4, "rock": 2, "roll": 1},
            (0.55, 0.72),
            0.05,
            0.075,
            0.07,
            0.38,
            0.9,
        ),
    ),
    "LH": Genre(
        "LA-hip-hop-like",
        80,
        10,
        (16, 17, 18),
        4,
        Band(
            {"kick": "x.....x...x.....", "snare": BACK, "clap": BACK, "hat": "x.o.x.oox.o.xooo"},
            "0.....0...7.....",
            "deep",
            "x-------x-------",
            "pad",
            False,
            "lead",
            ((0, 5, 6, 4), (0, 5, 3, 4), (0, 3, 6, 5)),
            "minor",
        ),
        Manner(
            {"lunge": 2, "step_touch": 2, "grapevine": 1.5, "turn": 1.5, "drop": 1, "stomp": 1},
            {"frame": 2, "cross": 2, "reach": 2, "brush": 1.5, "point": 1, "wave": 1},
            {"roll": 2, "pop": 1.5, "bounce": 2, "twist": 1},
            (0.42, 0.58),
            0.08,
            0.05,
            0.06,
            0.38,
            1.0,
        ),
    ),
    "HO": Genre(
        "house-like",
        110,
        5,
        (19, 20, 21),
        5,
        Band(
            {"kick": FOUR, "clap": BACK, "hat": "..x...x...x...x.", "shaker": SIXTEENTHS},
            "..0..0.0..0..08.",
            "synth",
            "x..x..x...x..x..",
            "piano",
            True,
            "keys",
            ((0, 3, 5, 4), (0, 5, 3, 6), (0, 6, 3, 5)),
            "minor",
            0.52,
            0.5,
        ),
        Manner(
            {"shuffle": 4, "running": 2, "grapevine": 2, "heel_toe": 1.5, "step_touch": 1, "turn": 0.7},
            {"swing": 3, "circle": 3, "wave": 1, "roof": 1},
            {"jack": 4, "twist": 1.5, "bounce": 1},
            (0.55, 0.8),
            0.03,
            0.05,
            0.06,
            0.32,
            1.0,
        ),
    ),
    "WA": Genre(
        "waack-like",
        80,
        10,
        (25, 26, 27),
        0,
        Band(
            {"kick": FOUR, "snare": BACK, "hat": "x.x.x.x.x.x.x.x.", "open": "..o...o...o...o."},
            "0.8.0.8.0.8.0.8.",
            "round",
            "x--x--x---x-----",
            "pad",
            True,
            "brass",
            ((0, 3, 6, 2), (0, 5, 3, 4), (5, 6, 0, 0)),
            "minor",
            0.5,
            0.2,
        ),
        Manner(
            {"step_touch": 2, "grapevine": 2, "lunge": 2, "turn": 1.5, "in_place": 1, "cross_walk": 1.5},
            {"waack": 5, "frame": 2, "point": 1.5, "circle": 1},
            {"twist": 2, "sway": 3, "roll": 1},
            (0.42, 0.58),
            0.05,
            0.03,
            0.02,
            0.3,
            1.3,
            1.05,
        ),
    ),
    "KR": Genre(
        "krump-like",
        80,
        10,
        (28, 29, 30),
        2,
        Band(
            {"kick": "x...x.x.x.....x.", "snare": BACK, "clap": BACK, "hat": "x.x.x.x.x.x.xxxx", "tom": "..........o..o.o"},
            "0...0.0.7.....0.",
            "deep",
            "x...........x.x.",
            "brass",
            False,
            "brass",
            ((0, 0, 5, 4), (0, 0, 1, 0), (0, 5, 1, 4)),
            "minor",
            0.5,
            0.0,
            0.8,
        ),
        Manner(
            {"stomp": 4, "lunge": 2, "hop": 1.5, "drop": 1.5, "kick_step": 1},
            {"throw": 4, "punch": 3, "roof": 1, "brush": 1},
            {"pop": 3, "rock": 2, "bounce": 1.5},
            (0.36, 0.5),
            0.12,
            0.06,
            0.1,
            0.46,
            0.7,
            1.05,
        ),
    ),
    "JS": Genre(
        "street-jazz-like",
        80,
        10,
        (1, 2, 3),
        3,
        Band(
            {"kick": "x...x...x...x...", "clap": BACK, "hat": EIGHTHS, "shaker": "..o...o...o...o."},
            "0...0.0.0...5.0.",
            "synth",
            "x-----x-------x-",
            "pad",
            False,
            "lead",
            ((0, 4, 5, 3), (5, 3, 0, 4), (0, 3, 5, 4)),
            "major",
            0.5,
            0.35,
        ),
        Manner(
            {"jazz_box": 2, "cross_walk": 2, "turn": 2, "lunge": 2, "grapevine": 1.5, "kick_step": 1, "leg_lift": 1},
            {"reach": 3, "frame": 2, "vees": 2, "swing": 1, "waack": 1, "clap": 1},
            {"roll": 2, "sway": 2, "twist": 2},
            (0.45, 0.62),
            0.05,
            0.035,
            0.03,
            0.34,
            1.2,
            1.05,
        ),
        (2,),
    ),
    "JB": Genre(
        "ballet-jazz-like",
        80,
        10,
        (7, 8, 9),
        5,
        Band(
            {"kick": "o...............", "rim": "....o.......o...", "shaker": "..o...o...o...o."},
            "0.......5.......",
            "round",
            "x-..x-..x-..x-..",
            "piano",
            True,
            "piano",
            ((0, 4, 5, 3), (0, 5, 3, 4), (5, 3, 0, 4)),
            "major",
            0.5,
            0.0,
            1.0,
        ),
        Manner(
            {"waltz": 3, "balance": 2, "leg_lift": 3, "turn": 2, "chasse": 1.5, "cross_walk": 1},
            {"ballet": 5, "reach": 2, "vees": 1},
            {"sway": 3, "breathe": 3, "roll": 1},
            (0.75, 1.0),
            0.0,
            0.02,
            0.0,
            0.24,
            0.8,
            1.05,
        ),
        (0, 2, 4, 5),
    ),
}
