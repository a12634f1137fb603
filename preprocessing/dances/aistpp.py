"""AIST++'s layout, as released: motions/<sequence>.pkl, keypoints3d/, splits/ and ignore_list.txt; and music/.

The user brings the songs, named as the sequences name them (mBR0.wav). The demo's dances lie in the same layout.
"""

from dataclasses import replace
from pathlib import Path

from preprocessing.dancepacks import Reject
from preprocessing.dances import names, takes
from preprocessing.dances.settings import Settings
from preprocessing.dances.takes import Found, Take

IGNORED = "ignore_list.txt"


def find(root: Path, settings: Settings) -> Found:
    """List the sequences of the tree, without those that its makers advise against."""
    folder = takes.folder_of(root, settings.read)
    found = Found(music=settings.music.expanduser() if settings.music else folder.parent / "music")
    found.lists = settings.splits.lists.expanduser() if settings.splits.lists else folder.parent / "splits"
    there = takes.by_name(takes.tunes(found.music))
    ignored = read_ignored(folder.parent, found.lists)
    for source, path in takes.readable(folder, root, (".pkl",), found):
        sequence = names.parse(path.stem)
        if sequence is None:
            found.rejects.append(Reject(source, "not-a-sequence", "expected g.._s.._cAll_d.._m..._ch...pkl"))
        elif sequence.name in ignored:
            found.rejects.append(Reject(source, "ignore-listed", f"{IGNORED} names it"))
        else:
            found.takes.append(Take(sequence.name, source, path, sequence.song, sequence.genre, sequence.dancer))
            for tune in there.get(sequence.song.lower(), [])[:1]:
                tempo = names.tempo(sequence.song)
                found.tunes[sequence.song] = replace(tune, song=sequence.song, tempo=tempo)
    return found


def read_ignored(base: Path, lists: Path) -> set[str]:
    """Read the ignore list, at the tree's root or beside the splits: a name a line, as AIST++'s with `.json` behind."""
    for path in (base / IGNORED, lists / IGNORED):
        if path.is_file():
            return {line.removesuffix(".json").removesuffix(".pkl") for line in takes.listed(path)}
    print(f"{base} has no {IGNORED}: nothing is left out for its sake", flush=True)
    return set()
