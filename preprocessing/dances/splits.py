"""Which dances train and which are held out: by AIST++'s own rule, by lists, or by song."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from inference.errors import UserError
from preprocessing.dancepacks import SPLITS, Reject
from preprocessing.dances import names
from preprocessing.dances.settings import Settings, Splits
from preprocessing.dances.takes import Take, listed

LIST = "crossmodal_{}.txt"
ENOUGH = 3  # songs of a genre from which on some of them are held out


def read_lists(folder: Path) -> dict[str, str]:
    """Read crossmodal_train.txt, _val.txt and _test.txt, those that are there: the split of each name."""
    found: dict[str, str] = {}
    for split in SPLITS:
        path = folder / LIST.format(split)
        if path.is_file():
            found |= dict.fromkeys(listed(path), split)
    return found


def divide(
    takes: Sequence[Take], known: set[str], lists: Mapping[str, str], settings: Settings
) -> tuple[list[Take], list[Reject]]:
    """Give every dance its split. `known` are all sequences that lie there, also those that were rejected."""
    by = settings.splits.by or ("rule" if settings.layout == "aistpp" else "song")
    if by == "song":
        return by_song(takes, settings.splits), []
    if by == "lists" and not lists:
        raise UserError(f"dances.splits.by: lists, but there is no {LIST.format('train')}: name dances.splits.lists")
    of = {take.id: _official(take.id) if by == "rule" else lists.get(take.id) for take in takes}
    why = ("not-in-task", "AIST++'s music task leaves it out") if by == "rule" else ("not-listed", "in no list")
    rejects = [Reject(take.source, *why) for take in takes if of[take.id] is None]
    rejects += [
        Reject(name, "missing-motion", f"{LIST.format(split)} names it, but it is not there")
        for name, split in lists.items()
        if name not in known
    ]
    kept, more = _apart([replace(take, split=of[take.id]) for take in takes if of[take.id]])
    return kept, rejects + more


def _official(name: str) -> str | None:
    sequence = names.parse(name)
    return names.official(sequence) if sequence else None


def against_rule(lists: Mapping[str, str], all_names: Sequence[str] = ()) -> str:
    """Say in one line how lists compare with AIST++'s own rule.

    `all_names` are the sequences that are there: what a list lacks of them is noticed too.
    """
    wrong = sorted(name for name, split in lists.items() if _official(name) != split)
    there = set(lists.values())
    wrong += sorted(name for name in all_names if _official(name) in there and name not in lists)
    counts = ", ".join(f"{sum(of == split for of in lists.values())} {split}" for split in SPLITS if split in there)
    if wrong:
        return f"the lists ({counts}) differ from AIST++'s rule in {len(wrong)} names, the first: {wrong[0]}"
    return f"the lists ({counts}) are what AIST++'s rule gives"


def _apart(takes: Sequence[Take]) -> tuple[list[Take], list[Reject]]:
    """Take out of training what is danced to a song that is held out."""
    held = {take.song for take in takes if take.split != "train"}
    leaking = [take for take in takes if take.split == "train" and take.song in held]
    rejects = [
        Reject(take.source, "held-out-song", f"{take.song} is held out, no dance to it trains") for take in leaking
    ]
    return [take for take in takes if take not in leaking], rejects


def by_song(takes: Sequence[Take], shares: Splits) -> list[Take]:
    """Hold out whole songs, of each genre that has enough of them: which ones, the hash of their names says."""
    home: dict[str, str] = {}
    for genre in sorted({take.genre or "" for take in takes}):
        songs = sorted({take.song for take in takes if (take.genre or "") == genre} - home.keys(), key=_hash)
        if len(songs) >= ENOUGH:
            test = max(1, round(shares.test * len(songs))) if shares.test else 0
            val = max(1, round(shares.val * len(songs))) if shares.val else 0
            home |= dict.fromkeys(songs[:test], "test") | dict.fromkeys(songs[test : test + val], "val")
        home |= dict.fromkeys([song for song in songs if song not in home], "train")
    return [replace(take, split=home[take.song]) for take in takes]


def _hash(song: str) -> str:
    return hashlib.sha256(song.encode()).hexdigest()
