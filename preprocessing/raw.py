"""The files of a raw folder, whoever laid it: which there are and may be read, by which name, and whose they are."""

import hashlib
import json
import re
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from inference.errors import UserError, one_line
from scraping import stage

MOST_NOTICE_BYTES = 2**20


class Rights(stage.Settings):
    """Under which licence, with whose consent."""

    licence: str | None
    consent: str | None
    commercial: bool


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


def notice(root: Path) -> bytes | None:
    """Read who is to be named where something is made of this folder (NOTICE), if it says so."""
    path = root / "NOTICE"
    if not path.is_file() or fault(path, root):
        return None
    if path.stat().st_size > MOST_NOTICE_BYTES:
        raise UserError(f"{path} is larger than {MOST_NOTICE_BYTES // 2**20} MiB: name in it whose the files are")
    return path.read_bytes()


def ascii_id(*parts: str) -> str:
    """Make a name of letters, digits, `_`, `.` and `-`; what loses something by it is told apart by a hash."""
    return "/".join(_plain(part) for part in parts)


def _plain(part: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", part).strip("-.")
    return plain if plain == part else f"{plain or 'x'}-{hashlib.sha1(part.encode()).hexdigest()[:8]}"


class RightsBook:
    """Under which licence and with whose consent a file may be used: the nearest consent.json says, or the YAML."""

    def __init__(self, root: Path, default: Rights) -> None:
        self.root = root
        self.default = default
        self._known: dict[Path, Rights] = {}

    def of(self, file: Path) -> Rights:
        return self._in(file.parent)

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
