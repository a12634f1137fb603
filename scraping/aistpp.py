"""Fetch AIST++'s annotations from their release, or take them from a folder: data/raw/aistpp in the official layout.

python -m scraping.aistpp corpus=dances world=real
python -m scraping.aistpp corpus=dances world=real aistpp.folder=~/downloads aistpp.music=~/aist/wav

The archives of the release carry no checksums: what the first fetch got is pinned, and another content refused from
then on. The songs are not part of AIST++ (AIST Dance DB, under terms of its own): whoever has them brings them.
"""

import hashlib
import json
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import pydantic
from omegaconf import DictConfig
from pydantic import Field

from inference.errors import UserError, one_line
from scraping import archives, stage

PINS = "pins.json"
NOTHING = "nothing was fetched: the world is not real, or aistpp.parts names nothing\n"
MEMBER = {
    "motions": re.compile(r"[A-Za-z0-9_]{1,80}\.pkl"),
    "keypoints3d": re.compile(r"[A-Za-z0-9_]{1,80}\.pkl"),
    "keypoints2d": re.compile(r"[A-Za-z0-9_]{1,80}\.pkl"),
    "cameras": re.compile(r"(mapping\.txt|setting[0-9_]{1,20}\.json)"),
}
LISTS = {
    "crossmodal_train.txt": "splits/crossmodal_train.txt",
    "crossmodal_test.txt": "splits/crossmodal_test.txt",
    "ignore_list.txt": "ignore_list.txt",
}
MOST_MEMBERS = 20_000
MOST_MEMBER_BYTES = 2**26
MOST_BYTES = 2**34  # of a part, unpacked; the largest, keypoints2d, is about 4 GB
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
SONGS = re.compile(r"(m[A-Z]{2}[0-9])\.(wav|mp3|ogg|opus|flac|m4a)", re.IGNORECASE)
NOTICE = """AIST++ Dance Motion Dataset: annotations (motions, keypoints, cameras, splits) by Google LLC, CC BY 4.0.
Li, Yang, Ross, Kanazawa: AI Choreographer: Music Conditioned 3D Dance Generation with AIST++, ICCV 2021.
https://google.github.io/aistplusplus_dataset

The dances and their music are from the AIST Dance Video Database (Tsuchida, Fukayama, Hamasaki, Goto, ISMIR 2019),
whose own terms of use hold for videos and music; neither is part of what was fetched.
"""
CONSENT = {
    "licence": "CC-BY-4.0 (annotations of AIST++)",
    "consent": "dancers of the AIST Dance Video Database, under its terms of use",
    "commercial": False,  # the music's terms are for research
}

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Source(stage.Settings):
    """Where the same bytes stand."""

    mirrors: tuple[str, ...]
    sha256: Sha256 | None
    most_bytes: pydantic.PositiveInt


class Settings(stage.Settings):
    """conf/scraping/aistpp.yaml."""

    parts: tuple[Literal["motions", "keypoints3d", "keypoints2d", "cameras", "lists"], ...]
    folder: Path | None
    music: Path | None
    sources: dict[str, Source]
    patience: archives.Patience


@stage.command("scraping/aistpp")
def main(config: DictConfig) -> None:
    """Run the stage on a composed config: the release, mirrors or a folder -> data/raw/aistpp."""
    settings = stage.settings(config, "aistpp", Settings)
    target = Path("data/raw/aistpp")
    with stage.work("aistpp", config.corpus, config.world, "archives") as work:
        out = work / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        if config.world != "real" or not settings.parts:
            (out / "NOTHING.txt").write_text(NOTHING)
        else:
            build(settings, out, work, target)
        stage.publish(out, target)


def build(
    settings: Settings, out: Path, work: Path, target: Path, served: Mapping[str, tuple[str, int]] | None = None
) -> None:
    """Lay the parts that were asked for, the lists, the songs that are there and their rights into a folder."""
    pins, brought = Pins(work.parent / PINS, target / PINS), own_songs(settings.music)
    for name, place in places(settings.parts):
        local = _local(settings.folder, name, place)
        if local is not None and local.is_dir():
            count = copy(local, out / place, MEMBER[place])
        else:
            file = local or obtain(name, settings, work / "downloads", pins, served)
            try:
                count = lay(file, out / place, MEMBER.get(place))
            except UserError:
                if local is None:  # a page in its place, perhaps: it is not what the next fetch has to be like
                    file.unlink()
                    pins.drop(name)
                raise
        print(f"{name}: {count} files", flush=True)
    print(f"music: {bring_songs(brought, target / 'music', out / 'music')}", flush=True)
    (out / "NOTICE").write_text(NOTICE)
    (out / "consent.json").write_text(json.dumps(CONSENT, indent=2) + "\n")
    (out / PINS).write_text(pins.text())


def places(parts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Give each file to be had and the place of what it holds."""
    for part in parts:
        if part == "lists":
            yield from LISTS.items()
        else:
            yield f"{part}.zip", part


def _local(folder: Path | None, name: str, place: str) -> Path | None:
    """Find a file, or the folder that it would unpack to, in the folder that the user named."""
    if folder is None:
        return None
    folder = folder.expanduser()
    if not folder.is_dir():
        raise UserError(f"aistpp.folder: {folder} is no folder: name the one that holds AIST++'s archives")
    inside = [base / way for base in (folder, folder / "aist_plusplus_final") for way in (name, place)]
    return next((path for path in inside if path.exists()), None)


class Pins:
    """The sha256 of each file as it was first fetched, kept beside the work folders and with what is published."""

    def __init__(self, path: Path, published: Path) -> None:
        self.path = path
        self.known: dict[str, dict[str, str]] = {}
        for place in (published, path):
            if place.is_file():
                self.known |= json.loads(place.read_text())

    def of(self, name: str, source: Source) -> tuple[str | None, str]:
        """Give the sha256 that a file must have and who says so; None before its first fetch."""
        if source.sha256:
            return source.sha256, "aistpp.sources"
        pin = self.known.get(name)
        return (pin["sha256"], f"{self.path} ({pin['fetched_at']})") if pin else (None, "")

    def add(self, name: str, url: str, sha256: str) -> None:
        fetched_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.known[name] = {"sha256": sha256, "url": url, "fetched_at": fetched_at}
        stage.write_atomically(self.path, self.text().encode())

    def drop(self, name: str) -> None:
        if self.known.pop(name, None):
            stage.write_atomically(self.path, self.text().encode())

    def text(self) -> str:
        return json.dumps(self.known, indent=2, sort_keys=True) + "\n"


def obtain(
    name: str, settings: Settings, folder: Path, pins: Pins, served: Mapping[str, tuple[str, int]] | None = None
) -> Path:
    """Give the verified local copy of a file, fetching it from the first mirror that has it as it is pinned."""
    source = settings.sources.get(name)
    if source is None or not source.mirrors:
        raise UserError(f"aistpp.sources: no mirror of {name}: name one, or lay the file into aistpp.folder")
    wanted, who = pins.of(name, source)
    file = folder / name
    if file.exists() and wanted == sha256_of(file):
        return file
    problems = []
    for url in source.mirrors:
        print(f"fetching {name} from {url}", flush=True)
        try:
            archives.download(url, file, source.most_bytes, settings.patience, served)
        except archives.NotFetched as error:
            problems.append(str(error))
            continue
        found = sha256_of(file)
        if wanted is None:
            pins.add(name, url, found)
            return file
        if found == wanted:
            return file
        file.unlink()
        problems.append(f"{url} has sha256 {found}, but {wanted} is pinned by {who}")
    raise UserError(f"{name} was not had: {'; '.join(problems)}: name another mirror, or lay it into aistpp.folder")


def sha256_of(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def lay(file: Path, place: Path, members: re.Pattern[str] | None) -> int:
    """Unpack an archive into its place, or lay a list there; give the number of files."""
    if members:
        return extract(file, place, members)
    place.parent.mkdir(exist_ok=True)
    shutil.copyfile(file, place)
    return 1


def extract(archive: Path, folder: Path, members: re.Pattern[str]) -> int:
    """Write the members whose own names are as expected, no path of theirs taken over; give their number."""
    folder.mkdir(parents=True)
    count = 0
    try:
        with zipfile.ZipFile(archive) as files:
            wanted = [member for member in files.infolist() if _is_wanted(member, members)]
            sizes = [member.file_size for member in wanted]
            if len(sizes) > MOST_MEMBERS or max(sizes, default=0) > MOST_MEMBER_BYTES or sum(sizes) > MOST_BYTES:
                raise UserError(f"{archive}: more or larger files than AIST++ has: not unpacked")
            if strange := next((member for member in wanted if member.compress_type not in PACKED), None):
                raise UserError(f"{archive}: {strange.filename[:80]} is packed as AIST++'s files are not: not unpacked")
            for member in wanted:
                # Reads no more than the size that was checked, and compares the checksum at its end.
                with files.open(member) as packed, open(folder / _base(member), "wb") as plain:
                    shutil.copyfileobj(packed, plain)
                count += 1
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{archive}: no archive that can be unpacked ({one_line(error)}): fetch it again") from None
    if not count:
        raise UserError(f"{archive}: none of its files is named {members.pattern}: it is another archive")
    return count


def _base(member: zipfile.ZipInfo) -> str:
    return member.filename.rpartition("/")[2]


def _is_wanted(member: zipfile.ZipInfo, members: re.Pattern[str]) -> bool:
    return not member.is_dir() and "__MACOSX" not in member.filename and bool(members.fullmatch(_base(member)))


def copy(source: Path, folder: Path, members: re.Pattern[str]) -> int:
    """Copy the files of an unpacked part; give their number."""
    folder.mkdir(parents=True)
    wanted = sorted(path for path in source.iterdir() if path.is_file() and members.fullmatch(path.name))
    for path in wanted:
        shutil.copyfile(path, folder / path.name)
    if not wanted:
        raise UserError(f"{source}: none of its files is named {members.pattern}")
    return len(wanted)


def own_songs(folder: Path | None) -> dict[str, Path]:
    """Find the songs in the folder that the user named, by their names in lower case."""
    if folder is None:
        return {}
    folder = folder.expanduser()
    if not folder.is_dir():
        raise UserError(f"aistpp.music: {folder} is no folder: name the one that holds mBR0.wav and so on")
    if not (found := _songs(folder)):
        raise UserError(
            f"aistpp.music: no song in {folder} has the name of one of AIST++'s: expected mBR0.wav, mBR1.wav"
        )
    return found


def bring_songs(brought: Mapping[str, Path], before: Path, folder: Path) -> str:
    """Copy the songs that were brought, and what stood in the tree before; say how many there are."""
    found = (_songs(before) if before.is_dir() else {}) | brought
    if not found:
        return "none; AIST++'s songs are yours to bring: aistpp.music=FOLDER"
    folder.mkdir()
    for path in found.values():
        shutil.copyfile(path, folder / path.name)
    return f"{len(found)} songs"


def _songs(folder: Path) -> dict[str, Path]:
    there = (path for path in sorted(folder.rglob("*"), reverse=True) if path.is_file())
    return {path.stem.lower(): path for path in there if SONGS.fullmatch(path.name)}


if __name__ == "__main__":
    main()
