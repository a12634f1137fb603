"""Where the results of commands go: checked before the work, marked, and put in their place whole."""

import contextlib
import fcntl
import functools
import hashlib
import io
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.errors import UserError

if TYPE_CHECKING:  # numpy and the mark wait until there is something to write
    import numpy as np

MAX_PIXELS = 64_000_000
RESAMPLING = ("bicubic", "nearest")
PART = re.compile(r"\.[0-9a-f]{16}\.part(\.\w+)?")


@dataclass
class Output:
    """A file, or a folder of files, and what was written there."""

    path: Path
    is_folder: bool
    scale: int = 1
    resample: str = "bicubic"
    visible: bool = False
    written: list[dict] = field(default_factory=list)

    @property
    def is_video(self) -> bool:
        return not self.is_folder and self.path.suffix.lower() == ".mp4"

    def check_size(self, width: int, height: int) -> None:
        """Refuse a picture that would be larger than anybody looks at, before it is drawn."""
        width, height = width * self.scale, height * self.scale
        if width * height > MAX_PIXELS:
            raise UserError(
                f"a picture of {width}x{height} pixels is more than {MAX_PIXELS // 10**6} million: ask for fewer "
                f"people, a smaller --scale, or single files (--out FOLDER)"
            )

    def check_writable(self) -> None:
        """Try to write where the results will go, before they are made."""
        folder = self.path if self.is_folder else self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise UserError(f"--out {self.path} cannot be written ({why}): give another place") from None

    def enlarge(self, picture: "np.ndarray") -> "np.ndarray":
        """Scale an HxWx3 picture up and label it, as asked for."""
        import numpy as np
        from PIL import Image

        if self.scale > 1:
            height, width = picture.shape[:2]
            how = Image.Resampling[self.resample.upper()]
            image = Image.fromarray(picture).resize((width * self.scale, height * self.scale), how)
            picture = np.asarray(image)
        if self.visible:
            from inference import mark

            picture = mark.label(picture)
        return picture

    def save(
        self, picture: "np.ndarray", recipe: dict[str, Any], name: str | None = None, composite: bool = False
    ) -> None:
        """Write a picture as a marked PNG: to the file, or in the folder under that name."""
        from PIL import Image

        picture = self.enlarge(picture)
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        pixels = hashlib.sha256(picture.tobytes()).hexdigest()
        self._mark(buffer.getvalue(), "image/png", recipe | {"pixels_sha256": pixels}, name, composite)

    def save_video(self, data: bytes, recipe: dict[str, Any], composite: bool = False) -> None:
        """Write an MP4, marked."""
        self._mark(data, "video/mp4", recipe, None, composite)

    def film(self, name: str | None = None) -> Path:
        """Give the place of an MP4: the file, or in the folder the one of that name."""
        return self.path / f"{name}.mp4" if self.is_folder else self.path

    def save_film(self, made: Path, recipe: dict[str, Any], name: str | None = None, composite: bool = False) -> None:
        """Mark an MP4 that lies beside its place, and put it there whole: however long, it is never held in memory."""
        from inference import mark

        recipe = {"schema": 1, "dramatis": version(), **recipe, "label": self.visible}
        path = self.film(name)
        with part(path) as marked:
            mark.sign_video(made, marked, recipe, version(), composite)
            with open(marked, "rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            marked.replace(path)
        self.written.append({"path": str(path), "sha256": digest, "recipe": recipe})

    def _mark(
        self, data: bytes, media_type: str, recipe: dict[str, Any], name: str | None, composite: bool = False
    ) -> None:
        from inference import mark

        looks = {"scale": self.scale, "resample": self.resample if self.scale > 1 else None, "label": self.visible}
        recipe = {"schema": 1, "dramatis": version(), **recipe, **looks}
        data = mark.sign(data, media_type, recipe, version(), composite)
        path = self.path / f"{name}.png" if self.is_folder else self.path
        write(path, data)
        self.written.append({"path": str(path), "sha256": hashlib.sha256(data).hexdigest(), "recipe": recipe})


def output(text: str, endings: tuple[str, ...], folders: bool = False, each: bool = False, **looks: Any) -> Output:
    """Tell a file from a folder: a folder is there, ends in /, has no ending, or is asked for with `each`."""
    path = Path(text)
    if looks.get("resample", "bicubic") not in RESAMPLING:
        raise UserError(f"--resample {looks['resample']!r} must be {' or '.join(RESAMPLING)}")
    is_folder = each or path.is_dir() or text.endswith("/") or not path.suffix
    if not text or (not folders if is_folder else path.suffix.lower() not in endings):
        raise UserError(f"--out {text!r} must end in {' or '.join(endings)}{', or be a folder' if folders else ''}")
    return Output(path, is_folder, **looks)


def spare(path: Path, sources: Mapping[str, Path]) -> None:
    """Refuse to put a result in the place of what it is made from, by what that is called."""
    for name, source in sources.items():
        if path.exists() and path.samefile(source):
            raise UserError(f"--out {path} would take the place of {name} {source}: give another name")


def write(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Put a file in its place whole or not at all."""
    with part(path, mode) as made:
        made.write_bytes(data)
        made.replace(path)


@contextlib.contextmanager
def part(path: Path, mode: int = 0o666) -> Iterator[Path]:
    """Give an empty file beside a place, to be filled and moved there; what was not moved is gone at the end.

    Who is killed leaves it behind, and the next one who makes something in that folder clears it away: its maker locks
    it, and locks end with their process.
    """
    _clear(path.parent.resolve())
    made, handle = _begun(path, mode)
    try:
        yield made
    finally:
        made.unlink(missing_ok=True)
        os.close(handle)


def _begun(path: Path, mode: int) -> tuple[Path, int]:
    while True:
        made = path.with_name(f".{secrets.token_hex(8)}.part{path.suffix}")
        handle = os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        with contextlib.suppress(OSError):  # a file system without locks: there nothing is cleared either
            fcntl.flock(handle, fcntl.LOCK_EX)
        if made.exists():
            return made, handle
        os.close(handle)  # somebody cleared it away before it was locked


@functools.cache  # once a process: a cast of thousands would look through all of it for each
def _clear(folder: Path) -> None:
    """Delete the parts that nobody makes any more."""
    for left in folder.iterdir():
        if PART.fullmatch(left.name) and left.is_file():
            with contextlib.suppress(OSError), open(left, "r+b") as stream:  # locked, or somebody else's
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()


def version() -> str:
    """Give the version of this package; of a working tree that was never installed, that it is one."""
    try:
        return metadata.version("dramatis")
    except metadata.PackageNotFoundError:
        return "0+source"
