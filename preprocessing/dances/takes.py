"""What a raw folder holds: dances to be read, the songs that they are danced to, and what cannot be used."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inference.errors import UserError
from preprocessing.dancepacks import Reject
from preprocessing.raw import fault, files

SOUNDS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".wma", ".aif", ".aiff")


@dataclass(frozen=True)
class Take:
    """One dance, found on disk and not looked into yet."""

    id: str  # ASCII
    source: str  # path below the root, NFC
    path: Path
    song: str
    genre: str | None = None
    dancer: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Tune:
    """One song, found on disk and not listened to yet."""

    song: str
    source: str
    path: Path
    tempo: float | None = None  # where its name tells it


@dataclass
class Found:
    """What a layout makes of a raw folder; `missing` says of each song that is not there who dances to it."""

    takes: list[Take] = field(default_factory=list)
    tunes: dict[str, Tune] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=dict)
    music: Path = Path()  # where the songs are looked for
    lists: Path = Path()  # where the lists of the splits are


def tunes(folder: Path) -> dict[str, Tune]:
    """List the songs in a folder by where they lie, in lower case; of two forms of a song, the one with less loss."""
    found: dict[str, Tune] = {}
    if folder.is_dir():
        listed = [(name, path) for name, path in files(folder) if path.suffix.lower() in SOUNDS]
        for name, path in sorted(listed, key=lambda pair: (SOUNDS.index(pair[1].suffix.lower()), pair[0])):
            if fault(path, folder) is None:
                place = name.rpartition(".")[0]
                found.setdefault(place.lower(), Tune(place, name, path))
    return found


def by_name(there: Mapping[str, Tune]) -> dict[str, list[Tune]]:
    """Give the songs of each name, in lower case, wherever they lie; those with less loss first."""
    found: dict[str, list[Tune]] = {}
    for place, tune in there.items():
        found.setdefault(place.rpartition("/")[2], []).append(tune)
    return found


def listed(path: Path) -> list[str]:
    """Read a list of names, one a line."""
    try:
        return path.read_text("utf-8-sig").split()  # a published list has a space behind one of its names
    except UnicodeDecodeError:
        raise UserError(f"{path} is no list that can be read: save it as UTF-8, a name a line") from None


def readable(folder: Path, root: Path, suffixes: Iterable[str], found: Found) -> list[tuple[str, Path]]:
    """List the files of some kinds with their paths below the root; what must not be read is rejected."""
    kept = []
    for name, path in files(folder):
        if path.suffix.lower() in suffixes:
            source = (folder.relative_to(root) / name).as_posix()
            problem = fault(path, folder)
            if problem:
                found.rejects.append(Reject(source, *problem))
            else:
                kept.append((source, path))
    return kept


def once(found: Found) -> None:
    """Keep of dances that have one name the first."""
    first: dict[str, Take] = {}
    for take in found.takes:
        if first.setdefault(take.id, take) is not take:
            detail = f"{first[take.id].source} has the name {take.id} already"
            found.rejects.append(Reject(take.source, "same-name", detail))
    found.takes = list(first.values())


def with_music(found: Found) -> Found:
    """Set aside the dances whose song is not there."""
    kept = []
    for take in found.takes:
        if take.song in found.tunes:
            kept.append(take)
        else:
            found.missing.setdefault(take.song, []).append(take.id)
            detail = f"its song {take.song} is not in {found.music.name}/"
            found.rejects.append(Reject(take.source, "missing-music", detail))
    found.takes = kept
    return found


def what_is_missing(found: Found) -> str:
    """Say in one line which songs are missing and where they go; empty where none is."""
    if not found.missing:
        return ""
    dances = sum(len(ids) for ids in found.missing.values())
    names = _shortened(sorted(found.missing))
    example = sorted(found.missing)[0]
    return (
        f"{len(found.missing)} songs of {dances} dances are missing ({names}): put them into {found.music} as "
        f"{example}{SOUNDS[0]} or {', '.join(SOUNDS[1:4])}, or name their folder with dances.music=FOLDER "
        "(docs/dance.md says where AIST++'s music is had)"
    )


def _shortened(names: Sequence[str], most: int = 60) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def folder_of(root: Path, name: str) -> Path:
    """Find a folder of the raw tree, also where the archive's own folder stands around it."""
    for base in (root, root / "aist_plusplus_final", root / "annotation"):
        if (base / name).is_dir():
            return base / name
    raise UserError(f"dances.root: {root} has no folder {name}/: expected AIST++'s layout, or another dances.layout")
