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
        name="break-like",
        slowest=80,
        step=10,
        dancers=(4, 5, 6),
        held_out=0,
        band=Band(
            drums={"kick": "x.x.......xx....", "snare": "....x..o.o..x..o", "hat": EIGHTHS, "rim": "..............o."},
            bass="0.....0...0.8.0.",
            bass_kind="slap",
            chords="x.....x.........",
            chord_kind="brass",
            pad=False,
            tune_kind="chick",
            progressions=((0, 0, 3, 4), (0, 0, 0, 6), (0, 3, 0, 4)),
            scale="minor",
            swing=0.54,
        ),
        manner=Manner(
            feet={"top_rock": 4, "kick_step": 2, "running": 1.5, "step_touch": 1, "drop": 1.5, "hop": 0.7},
            arms={"rock": 3, "swing": 2, "cross": 2, "point": 1, "circle": 1},
            bodies={"bounce": 2, "twist": 2, "rock": 2},
            transit=(0.55, 0.72),
            recoil=0.06,
            bounce=0.05,
            sink=0.05,
            stance=0.34,
            sway=0.8,
        ),
    ),
    "PO": Genre(
        name="pop-like",
        slowest=80,
        step=10,
        dancers=(10, 11, 12),
        held_out=1,
        band=Band(
            drums={"kick": "x..x..x...x.....", "clap": BACK, "hat": SIXTEENTHS, "cowbell": "..o...o...o..o.."},
            bass="0..0..8...0..7..",
            bass_kind="synth",
            chords="x..x......x.....",
            chord_kind="keys",
            pad=False,
            tune_kind="lead",
            progressions=((0, 0, 5, 6), (0, 3, 5, 4), (0, 6, 5, 6)),
            scale="minor",
        ),
        manner=Manner(
            feet={"in_place": 3, "step_touch": 2, "lunge": 2, "glide_box": 1.5, "heel_toe": 1.5},
            arms={"angles": 3, "wave": 3, "frame": 2, "point": 1.5},
            bodies={"pop": 4, "isolate": 2, "twist": 1},
            transit=(0.34, 0.48),
            recoil=0.11,
            bounce=0.03,
            sink=0.04,
            stance=0.3,
            sway=0.6,
        ),
    ),
    "LO": Genre(
        name="lock-like",
        slowest=80,
        step=10,
        dancers=(13, 14, 15),
        held_out=2,
        band=Band(
            drums={
                "kick": "x..x..x.x.......",
                "snare": "....x..o....x..o",
                "hat": SIXTEENTHS,
                "clap": "............o...",
            },
            bass="0.08..0.5.0..78.",
            bass_kind="slap",
            chords="..x..x....x..x..",
            chord_kind="chick",
            pad=False,
            tune_kind="brass",
            progressions=((0, 3, 0, 3), (0, 0, 3, 4), (0, 6, 3, 4)),
            scale="major",
            swing=0.53,
        ),
        manner=Manner(
            feet={"kick_step": 3, "lunge": 2, "step_touch": 2, "drop": 1, "heel_toe": 1.5, "hop": 0.7},
            arms={"lock": 4, "point": 3, "clap": 2, "circle": 1.5},
            bodies={"bounce": 2, "rock": 2, "twist": 1},
            transit=(0.36, 0.5),
            recoil=0.1,
            bounce=0.05,
            sink=0.06,
            stance=0.36,
            sway=0.8,
        ),
    ),
    "MH": Genre(
        name="hip-hop-like",
        slowest=80,
        step=10,
        dancers=(22, 23, 24),
        held_out=3,
        band=Band(
            drums={"kick": "x.....xx..x.....", "snare": BACK, "hat": EIGHTHS, "shaker": ".o.o.o.o.o.o.o.o"},
            bass="0.....08..5.....",
            bass_kind="round",
            chords="x.....x.........",
            chord_kind="keys",
            pad=True,
            tune_kind="keys",
            progressions=((0, 5, 3, 4), (0, 3, 5, 6), (0, 6, 5, 4)),
            scale="minor",
            swing=0.58,
        ),
        manner=Manner(
            feet={"in_place": 2, "step_touch": 3, "running": 2, "kick_step": 1.5, "drop": 1, "heel_toe": 1},
            arms={"swing": 3, "cross": 2, "brush": 2, "roof": 1.5, "circle": 1},
            bodies={"bounce": 4, "rock": 2, "roll": 1},
            transit=(0.55, 0.72),
            recoil=0.05,
            bounce=0.075,
            sink=0.07,
            stance=0.38,
            sway=0.9,
        ),
    ),
    "LH": Genre(
        name="LA-hip-hop-like",
        slowest=80,
        step=10,
        dancers=(16, 17, 18),
        held_out=4,
        band=Band(
            drums={"kick": "x.....x...x.....", "snare": BACK, "clap": BACK, "hat": "x.o.x.oox.o.xooo"},
            bass="0.....0...7.....",
            bass_kind="deep",
            chords="x-------x-------",
            chord_kind="pad",
            pad=False,
            tune_kind="lead",
            progressions=((0, 5, 6, 4), (0, 5, 3, 4), (0, 3, 6, 5)),
            scale="minor",
        ),
        manner=Manner(
            feet={"lunge": 2, "step_touch": 2, "grapevine": 1.5, "turn": 1.5, "drop": 1, "stomp": 1},
            arms={"frame": 2, "cross": 2, "reach": 2, "brush": 1.5, "point": 1, "wave": 1},
            bodies={"roll": 2, "pop": 1.5, "bounce": 2, "twist": 1},
            transit=(0.42, 0.58),
            recoil=0.08,
            bounce=0.05,
            sink=0.06,
            stance=0.38,
            sway=1.0,
        ),
    ),
    "HO": Genre(
        name="house-like",
        slowest=110,
        step=5,
        dancers=(19, 20, 21),
        held_out=5,
        band=Band(
            drums={"kick": FOUR, "clap": BACK, "hat": "..x...x...x...x.", "shaker": SIXTEENTHS},
            bass="..0..0.0..0..08.",
            bass_kind="synth",
            chords="x..x..x...x..x..",
            chord_kind="piano",
            pad=True,
            tune_kind="keys",
            progressions=((0, 3, 5, 4), (0, 5, 3, 6), (0, 6, 3, 5)),
            scale="minor",
            swing=0.52,
            pump=0.5,
        ),
        manner=Manner(
            feet={"shuffle": 4, "running": 2, "grapevine": 2, "heel_toe": 1.5, "step_touch": 1, "turn": 0.7},
            arms={"swing": 3, "circle": 3, "wave": 1, "roof": 1},
            bodies={"jack": 4, "twist": 1.5, "bounce": 1},
            transit=(0.55, 0.8),
            recoil=0.03,
            bounce=0.05,
            sink=0.06,
            stance=0.32,
            sway=1.0,
        ),
    ),
    "WA": Genre(
        name="waack-like",
        slowest=80,
        step=10,
        dancers=(25, 26, 27),
        held_out=0,
        band=Band(
            drums={"kick": FOUR, "snare": BACK, "hat": "x.x.x.x.x.x.x.x.", "open": "..o...o...o...o."},
            bass="0.8.0.8.0.8.0.8.",
            bass_kind="round",
            chords="x--x--x---x-----",
            chord_kind="pad",
            pad=True,
            tune_kind="brass",
            progressions=((0, 3, 6, 2), (0, 5, 3, 4), (5, 6, 0, 0)),
            scale="minor",
            pump=0.2,
        ),
        manner=Manner(
            feet={"step_touch": 2, "grapevine": 2, "lunge": 2, "turn": 1.5, "in_place": 1, "cross_walk": 1.5},
            arms={"waack": 5, "frame": 2, "point": 1.5, "circle": 1},
            bodies={"twist": 2, "sway": 3, "roll": 1},
            transit=(0.42, 0.58),
            recoil=0.05,
            bounce=0.03,
            sink=0.02,
            stance=0.3,
            sway=1.3,
            reach=1.05,
        ),
    ),
    "KR": Genre(
        name="krump-like",
        slowest=80,
        step=10,
        dancers=(28, 29, 30),
        held_out=2,
        band=Band(
            drums={
                "kick": "x...x.x.x.....x.",
                "snare": BACK,
                "clap": BACK,
                "hat": "x.x.x.x.x.x.xxxx",
                "tom": "..........o..o.o",
            },
            bass="0...0.0.7.....0.",
            bass_kind="deep",
            chords="x...........x.x.",
            chord_kind="brass",
            pad=False,
            tune_kind="brass",
            progressions=((0, 0, 5, 4), (0, 0, 1, 0), (0, 5, 1, 4)),
            scale="minor",
            room=0.8,
        ),
        manner=Manner(
            feet={"stomp": 4, "lunge": 2, "hop": 1.5, "drop": 1.5, "kick_step": 1},
            arms={"throw": 4, "punch": 3, "roof": 1, "brush": 1},
            bodies={"pop": 3, "rock": 2, "bounce": 1.5},
            transit=(0.36, 0.5),
            recoil=0.12,
            bounce=0.06,
            sink=0.1,
            stance=0.46,
            sway=0.7,
            reach=1.05,
        ),
    ),
    "JS": Genre(
        name="street-jazz-like",
        slowest=80,
        step=10,
        dancers=(1, 2, 3),
        held_out=3,
        band=Band(
            drums={"kick": FOUR, "clap": BACK, "hat": EIGHTHS, "shaker": "..o...o...o...o."},
            bass="0...0.0.0...5.0.",
            bass_kind="synth",
            chords="x-----x-------x-",
            chord_kind="pad",
            pad=False,
            tune_kind="lead",
            progressions=((0, 4, 5, 3), (5, 3, 0, 4), (0, 3, 5, 4)),
            scale="major",
            pump=0.35,
        ),
        manner=Manner(
            feet={
                "jazz_box": 2,
                "cross_walk": 2,
                "turn": 2,
                "lunge": 2,
                "grapevine": 1.5,
                "kick_step": 1,
                "leg_lift": 1,
            },
            arms={"reach": 3, "frame": 2, "vees": 2, "swing": 1, "waack": 1, "clap": 1},
            bodies={"roll": 2, "sway": 2, "twist": 2},
            transit=(0.45, 0.62),
            recoil=0.05,
            bounce=0.035,
            sink=0.03,
            stance=0.34,
            sway=1.2,
            reach=1.05,
        ),
        waltzes=(2,),
    ),
    "JB": Genre(
        name="ballet-jazz-like",
        slowest=80,
        step=10,
        dancers=(7, 8, 9),
        held_out=5,
        band=Band(
            drums={"kick": "o...............", "rim": "....o.......o...", "shaker": "..o...o...o...o."},
            bass="0.......5.......",
            bass_kind="round",
            chords="x-..x-..x-..x-..",
            chord_kind="piano",
            pad=True,
            tune_kind="piano",
            progressions=((0, 4, 5, 3), (0, 5, 3, 4), (5, 3, 0, 4)),
            scale="major",
            room=1.0,
        ),
        manner=Manner(
            feet={"waltz": 3, "balance": 2, "leg_lift": 3, "turn": 2, "chasse": 1.5, "cross_walk": 1},
            arms={"ballet": 5, "reach": 2, "vees": 1},
            bodies={"sway": 3, "breathe": 3, "roll": 1},
            transit=(0.75, 1.0),
            recoil=0.0,
            bounce=0.02,
            sink=0.0,
            stance=0.24,
            sway=0.8,
            reach=1.05,
        ),
        waltzes=(0, 2, 4, 5),
    ),
}
