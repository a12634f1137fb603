"""Layouts of joint positions: dance_with_melody's pairs of NAME.npz and NAME.ogg, and folders of a user's own."""

import re
from pathlib import Path

from inference.errors import UserError
from preprocessing.dances import takes
from preprocessing.dances.settings import Settings
from preprocessing.dances.takes import Found, Take
from preprocessing.raw import ascii_id

MELODY = {"C": "cha-cha", "R": "rumba", "T": "tango", "W": "waltz"}


def find(root: Path, settings: Settings) -> Found:
    """List the files of positions, each with the song of its own name; a folder around them names the genre.

    The song lies where the dance does, or is the only one of that name.
    """
    if not root.is_dir():
        raise UserError(f"dances.root: {root} is no folder: name the one that holds your dances")
    found = Found(music=settings.music.expanduser() if settings.music else root)
    there = takes.tunes(found.music)
    named = takes.by_name(there)
    kinds = (".npz",) if settings.layout == "melody" else (".npz", ".npy")
    for source, path in takes.readable(root, root, kinds, found):
        place = source.rpartition(".")[0]
        parts = place.split("/")
        genre = _melody(path.stem) if settings.layout == "melody" else (parts[0] if len(parts) > 1 else None)
        alone = named.get(parts[-1].lower(), [])
        tune = there.get(place.lower()) or (alone[0] if len(alone) == 1 else None)
        found.takes.append(Take(ascii_id(*parts), source, path, tune.song if tune else place, genre))
        if tune:
            found.tunes[tune.song] = tune
    return found


def _melody(name: str) -> str | None:
    """Read the genre from a name as DANCE_W_12."""
    found = re.fullmatch(r"DANCE_([A-Z])_\d+", name)
    return MELODY.get(found[1]) if found else None
