"""What the name of an AIST++ sequence tells: genre, dancer, song, and the part that it plays in the music task."""

import re
from dataclasses import dataclass

GENRES = {
    "BR": "break",
    "PO": "pop",
    "LO": "lock",
    "MH": "middle hip-hop",
    "LH": "LA-style hip-hop",
    "HO": "house",
    "WA": "waack",
    "KR": "krump",
    "JS": "street jazz",
    "JB": "ballet jazz",
}
SEQUENCE = re.compile(r"g([A-Z]{2})_s([A-Z]{2})_c(All|\d\d)_d(\d+)_m([A-Z]{2})(\d+)_ch(\d+)")
SONG = re.compile(r"m([A-Z]{2})(\d)")
# One song of each genre; what is danced to it trains nothing.
HELD_OUT = frozenset({"mLH4", "mKR2", "mBR0", "mLO2", "mJB5", "mWA0", "mJS3", "mMH3", "mHO5", "mPO1"})
# Of the basic dances (sBM) to a held-out song. These two choreographies train nothing with any other song either.
PART = {1: "val", 2: "test"}


@dataclass(frozen=True)
class Sequence:
    """A name, taken apart."""

    name: str
    genre: str
    situation: str  # BM basic, FM advanced
    dancer: str
    song: str
    choreography: int


def parse(name: str) -> Sequence | None:
    """Take a name apart; None for what is no name of a sequence."""
    found = SEQUENCE.fullmatch(name)
    if not found or found[1] not in GENRES:
        return None
    genre, situation, _, dancer, of, number, choreography = found.groups()
    return Sequence(name, GENRES[genre], situation, f"d{dancer}", f"m{of}{number}", int(choreography))


def official(sequence: Sequence) -> str | None:
    """Give the split of AIST++'s music task (its `crossmodal` lists), by its rule; None for one that it leaves out.

    Over the names of the whole release the rule gives the 980, 20 and 20 of the published lists.
    """
    is_shown = sequence.situation == "BM" and sequence.choreography in PART
    if sequence.song in HELD_OUT:
        return PART[sequence.choreography] if is_shown else None
    return None if is_shown else "train"


def tempo(song: str) -> float | None:
    """Give the beats a minute that the name of a song tells: 80 + 10 k, of house 110 + 5 k; None for other names."""
    found = SONG.fullmatch(song)
    if not found or found[1] not in GENRES:
        return None
    genre, number = found[1], int(found[2])
    return 110.0 + 5 * number if genre == "HO" else 80.0 + 10 * number
