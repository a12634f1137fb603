"""A take: what one source says about a piece of video that may become clips. Found on disk, not looked into yet."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inference.errors import UserError
from preprocessing.raw import fault, nfc
from preprocessing.talkpacks import SPLITS, Reject
from preprocessing.talks.settings import Splits

VIDEOS = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".ogv"}
MOST_TEXT_BYTES = 2**20
HELD_OUT_FIRST = {"test": 0, "val": 1, "train": 2}


@dataclass(frozen=True)
class Take:
    """A whole video, or seconds of it, in which one person may speak."""

    id: str  # ASCII
    source: str  # path below the root, NFC
    speaker: str
    video: Path
    audio: Path
    text: str | None = None
    split: str | None = None  # where a list says
    start: float = 0.0
    seconds: float | None = None
    whole: bool = True  # one utterance: what is said is lost where it is cut
    prior: tuple[tuple[float, ...], ...] = ()  # face boxes that came along, of frames spread evenly over the take


def said(there: dict[str, Path], stem: str, root: Path) -> str | None:
    """Read the transcript that lies beside a video under the same name, if one does."""
    path = there.get(f"{stem}.txt")
    return None if path is None or fault(path, root) else read_text(path)


def read_text(path: Path) -> str | None:
    """Read what is said from a text file, NFC: after `Text:` where a line begins so, else the first line.

    None where the file holds no text: it is in neither UTF-8 nor the older Korean code page.
    """
    with open(path, "rb") as stream:
        lines = _lines(stream.read(MOST_TEXT_BYTES))
    if not lines:
        return None
    said = next((line.split(":", 1)[1] for line in lines if line.startswith("Text:")), lines[0])
    return " ".join(said.split()) or None


def _lines(data: bytes) -> list[str] | None:
    """Decode lines of UTF-8 or of the older Korean code page, NFC; None where they are neither."""
    for encoding in ("utf-8-sig", "cp949"):
        try:
            return nfc(data.decode(encoding)).splitlines()
        except UnicodeDecodeError:
            continue
    return None


def read_lists(root: Path) -> dict[str, str]:
    """Read train.txt, val.txt and test.txt, here or in filelists/: the split of each line; one in two is held out."""
    found: dict[str, str] = {}
    for split in sorted(SPLITS, key=HELD_OUT_FIRST.__getitem__):
        for path in (root / f"{split}.txt", root / "filelists" / f"{split}.txt"):
            if path.is_file():
                lines = _lines(path.read_bytes())
                if lines is None:
                    raise UserError(f"{path} is no list that can be read: save it as UTF-8, a clip a line")
                found = {line.strip(): split for line in lines if line.strip()} | found
    return found


def listed(takes: Sequence[Take], lines: dict[str, str], shown: dict[str, str]) -> tuple[list[Take], list[Reject]]:
    """Give takes the split in which a list names them; without lists they stay as they are.

    `shown` is the name in the lists of each take, by its id, and of what was rejected. A line is a name, or a name
    and what else the list tells of it (LRS2's test.txt).
    """
    if not lines:
        return list(takes), []
    there = set(shown.values())
    names = {line if line in there else line.split()[0]: split for line, split in lines.items()}
    rejects = [
        Reject(name, "missing-file", f"{split}.txt names it, but it is not there")
        for name, split in names.items()
        if name not in there
    ]
    for take in takes:
        if shown[take.id] not in names:
            rejects.append(Reject(take.source, "not-listed", "in none of train.txt, val.txt and test.txt"))
    kept = [replace(take, split=names[shown[take.id]]) for take in takes if shown[take.id] in names]
    return kept, rejects


def divide(takes: Sequence[Take], shares: Splits) -> tuple[list[Take], list[Reject]]:
    """Give every take a split such that no speaker is in two of them.

    A speaker whom lists put into two stays in the one that is held out more; one of whom no list speaks is put where
    the hash of the name says, and of three such speakers or more at least one is held out for each.
    """
    home: dict[str, str] = {}
    for take in takes:
        if take.split:
            home[take.speaker] = min(take.split, home.get(take.speaker, "train"), key=HELD_OUT_FIRST.__getitem__)
    home |= _by_hash(sorted({take.speaker for take in takes} - home.keys()), shares)
    kept, rejects = [], []
    for take in takes:
        split = home[take.speaker]
        if take.split not in (None, split):
            detail = f"{take.split}.txt has it, but its speaker is held out for {split}"
            rejects.append(Reject(take.source, "speaker-in-two-splits", detail))
        else:
            kept.append(replace(take, split=split))
    return kept, rejects


def _by_hash(speakers: Iterable[str], shares: Splits) -> dict[str, str]:
    ranked = sorted((hashlib.sha256(nfc(speaker).encode()).digest(), speaker) for speaker in speakers)
    home = {}
    for place, (digest, speaker) in enumerate(ranked):
        share = int.from_bytes(digest[:8]) / 2**64
        enough = len(ranked) >= 3
        if shares.test and (share < shares.test or (enough and place == 0)):
            home[speaker] = "test"
        elif shares.val and (share < shares.test + shares.val or (enough and place == (1 if shares.test else 0))):
            home[speaker] = "val"
        else:
            home[speaker] = "train"
    return home
