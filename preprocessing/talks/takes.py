"""A take: what one source says about a piece of video that may become clips. Found on disk, not looked into yet."""

import hashlib
import json
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inference.errors import UserError, one_line
from preprocessing.talkpacks import SPLITS, Reject
from preprocessing.talks.settings import Rights, Splits

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


def nfc(text: str) -> str:
    """Compose Hangul: the same name may be stored letter by letter (macOS) or in syllables."""
    return unicodedata.normalize("NFC", text)


def files(root: Path) -> Iterator[tuple[str, Path]]:
    """Give every file below a folder with its NFC path, in order, and links to folders, which are not entered."""
    found = (path for path in root.rglob("*") if path.is_symlink() or not path.is_dir())
    yield from sorted((nfc(path.relative_to(root).as_posix()), path) for path in found)


def fault(path: Path, root: Path) -> tuple[str, str] | None:
    """Say why a path must not be read (reason, detail): it leads out of the root, to nothing, or to no file."""
    real = path.resolve()
    if not real.is_relative_to(root.resolve()):
        return "outside", "a link that leads out of the folder"
    if not real.exists():
        return "missing-file", "named, but not there"
    if not stat.S_ISREG(real.stat().st_mode):
        return "not-a-file", "no regular file"
    return None


def ascii_id(*parts: str) -> str:
    """Make a name of letters, digits, `_`, `.` and `-`; what loses something by it is told apart by a hash."""
    return "/".join(_plain(part) for part in parts)


def _plain(part: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", part).strip("-.")
    return plain if plain == part else f"{plain or 'x'}-{hashlib.sha1(part.encode()).hexdigest()[:8]}"


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


class RightsBook:
    """Under which licence and with whose consent a video may be used: the nearest consent.json says, or the YAML."""

    def __init__(self, root: Path, default: Rights) -> None:
        self.root = root
        self.default = default
        self._known: dict[Path, Rights] = {}

    def of(self, video: Path) -> Rights:
        return self._in(video.parent)

    def _in(self, folder: Path) -> Rights:
        if folder not in self._known:
            path = folder / "consent.json"
            if path.is_file() and fault(path, self.root) is None:
                self._known[folder] = _rights(path)
            elif folder == self.root or self.root not in folder.parents:
                self._known[folder] = self.default
            else:
                self._known[folder] = self._in(folder.parent)
        return self._known[folder]


def _rights(path: Path) -> Rights:
    try:
        said = json.loads(path.read_text("utf-8"))
        return Rights(**{name: said[name] for name in Rights.model_fields})
    except (ValueError, KeyError, TypeError) as error:
        why = one_line(error, 120)
        raise UserError(
            f'{path}: {why}: expected {{"licence": "...", "consent": "...", "commercial": false}}'
        ) from None
