"""The dance pack: motions on the canonical skeleton at 30 frames a second, beside the features of whole songs.

rotations.npy          float32 [N, 144]: 24 joints of 6 numbers (inference/motion/rotations.py), dance after dance
root.npy               float32 [N, 3]: pelvis in metres, y up, floor at 0
contacts.npy           uint8 [N, 4]: whether ankle and foot, left then right, stand
music.npy              float32 [M, 37]: features at 30 frames a second, song after song, each whole and once, as they
                       are; mean and std to normalise by stand in pack.json
dances.parquet         a row a dance: where it lies, who dances to what, under which licence
songs.parquet          a row a song: where its features lie, its tempo and beats
rejects.parquet        source, reason, detail
pack.json              schema, fps, joints, count, frames, songs, splits, genres, licences, commercial, fingerprint,
                       statistics of the music and of the motion of the training dances, residuals of the joints
NOTICE                 of the raw folder, where it has one: who is to be named

Frame i of a dance hears frame `start + i` of its song.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from inference.errors import UserError
from inference.motion.clip import Motion

SCHEMA = 1
FPS = 30
JOINTS = 24
COLUMNS = 37  # of the music: the 35 of the literature, then sine and cosine of the phase of the beat
MEASURED = 33  # of these, envelope, MFCC and chroma; the others lie between -1 and 1 by what they are
VECTOR = 151  # of a frame: contacts 4, root 3, rotations 144
SPLITS = ("train", "val", "test")
INDEX = {
    "id": pl.String,  # ASCII
    "genre": pl.String,  # null where nobody says
    "dancer": pl.String,
    "song": pl.String,
    "split": pl.String,  # train | val | test; no song of train is in another
    "frames": pl.Int32,
    "row": pl.Int64,  # of the first frame
    "start": pl.Int32,  # frames into the song
    "music_row": pl.Int64,  # what the first frame hears
    "seconds": pl.Float64,
    "residual": pl.Float64,  # metres between the joints that were given and those of the motion, mean; 0 of rotations
    "licence": pl.String,
    "consent": pl.String,
    "commercial": pl.Boolean,
    "source": pl.String,  # path below the raw folder, NFC
    "sha256": pl.String,  # of the source's bytes
}
SONGS = {
    "song": pl.String,
    "frames": pl.Int32,
    "row": pl.Int64,
    "seconds": pl.Float64,
    "tempo": pl.Float64,  # beats a minute; null where none was found
    "beats": pl.List(pl.Float64),  # seconds
    "source": pl.String,
    "sha256": pl.String,
}
REJECTS = {"source": pl.String, "reason": pl.String, "detail": pl.String}
FILES = {"rotations": ("<f4", JOINTS * 6), "root": ("<f4", 3), "contacts": ("|u1", 4)}


@dataclass(frozen=True)
class Dance:
    """One row of dances.parquet; `row` and `music_row` are the writer's to fill in."""

    id: str
    genre: str | None
    dancer: str | None
    song: str
    split: str
    frames: int
    start: int
    residual: float
    licence: str | None
    consent: str | None
    commercial: bool
    source: str
    sha256: str
    seconds: float = 0.0
    row: int = -1
    music_row: int = -1


@dataclass(frozen=True)
class Song:
    """One row of songs.parquet; `row` is the writer's to fill in."""

    song: str
    frames: int
    seconds: float
    tempo: float | None
    beats: tuple[float, ...]
    source: str
    sha256: str
    row: int = -1


class Reject(NamedTuple):
    """A source that is no use; `reason` is a slug, `detail` one line."""

    source: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Dances:
    """An opened pack; motions and music are read from disk as they are asked for."""

    dances: list[Dance]
    songs: list[Song]
    genres: list[str]
    about: dict  # pack.json
    arrays: dict[str, np.ndarray]  # rotations, root, contacts, music

    @property
    def fingerprint(self) -> str:
        return self.about["fingerprint"]

    @property
    def commercial(self) -> bool:
        return self.about["commercial"]

    def of(self, split: str) -> list[Dance]:
        return [dance for dance in self.dances if dance.split == split]

    def song(self, dance: Dance) -> Song:
        """Give the song of a dance."""
        return next(song for song in self.songs if song.song == dance.song)

    def label(self, dance: Dance) -> int:
        """Number the genre of a dance from 1 on; 0 is a dance of which nobody says."""
        return self.genres.index(dance.genre) + 1 if dance.genre is not None else 0

    def motion(self, dance: Dance, first: int = 0, count: int | None = None) -> Motion:
        """Give frames of a dance, by default all."""
        rows = _rows(dance.id, dance.row, dance.frames, first, count)
        return Motion(
            rotations=np.array(self.arrays["rotations"][rows]).reshape(-1, JOINTS, 6),
            root=np.array(self.arrays["root"][rows]),
            contacts=self.arrays["contacts"][rows].astype(np.float32),
            fps=FPS,
        )

    def music(self, dance: Dance, first: int = 0, count: int | None = None) -> np.ndarray:
        """Give what frames of a dance hear, float32 [count, 37], as a view of the file; by default all of its frames.

        It may go on after the dance has ended, to the end of the song.
        """
        song = self.song(dance)
        count = dance.frames - first if count is None else count
        return self.arrays["music"][_rows(song.song, song.row, song.frames, dance.start + first, count)]

    def whole(self, song: Song) -> np.ndarray:
        """Give the features of a whole song, float32 [frames, 37], as a view of the file."""
        return self.arrays["music"][song.row : song.row + song.frames]

    def normalised(self, music: np.ndarray) -> np.ndarray:
        """Z-score features by the training songs of this pack: float32 of the same shape."""
        mean, std = (np.array(self.about["music"][name], np.float32) for name in ("mean", "std"))
        return (music - mean) / std


def _rows(name: str, row: int, frames: int, first: int, count: int | None) -> slice:
    count = frames - first if count is None else count
    if not 0 <= first <= first + count <= frames:
        raise IndexError(f"{name} has {frames} frames: {count} from {first} on are none of them")
    return slice(row + first, row + first + count)


def read(folder: Path) -> Dances:
    """Open a pack without reading its frames."""
    if not (folder / "pack.json").exists():
        raise UserError(
            f"{folder} holds no dances (no pack.json): run python -m preprocessing.dances corpus={folder.name} first"
        )
    about = json.loads((folder / "pack.json").read_text())
    if about.get("schema") != SCHEMA or about.get("fps") != FPS:
        raise UserError(
            f"{folder} is a pack of schema {about.get('schema')} and {about.get('fps')} frames a second, this code "
            f"reads {SCHEMA} and {FPS}: pack it again"
        )
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in (*FILES, "music")}
    assert all(len(arrays[name]) == about["frames"] for name in FILES), f"{folder} lost frames"
    songs = pl.read_parquet(folder / "songs.parquet").to_dicts()
    return Dances(
        dances=[Dance(**row) for row in pl.read_parquet(folder / "dances.parquet").to_dicts()],
        songs=[Song(**row | {"beats": tuple(row["beats"])}) for row in songs],
        genres=about["genres"],
        about=about,
        arrays=arrays,
    )


def rejects(folder: Path) -> list[Reject]:
    """Read what was left out of a pack, and why."""
    return [Reject(*row) for row in pl.read_parquet(folder / "rejects.parquet").rows()]


def write(
    folder: Path,
    dances: Sequence[Dance],
    motions: Iterable[Motion],
    songs: Sequence[Song],
    features: Iterable[np.ndarray],
    rejects: Sequence[Reject],
    fingerprint: str,
    residuals: Mapping[str, float] | None = None,
) -> None:
    """Write dances and songs and, in the same order, what they consist of into a new folder.

    `residuals` are what the fit of positions left of each joint, in metres, where positions were fitted.
    """
    folder.mkdir(parents=True)
    songs = _after_each_other(songs)
    where = {song.song: song for song in songs}
    placed = [
        dataclasses.replace(dance, music_row=where[dance.song].row + dance.start, seconds=dance.frames / FPS)
        for dance in _after_each_other(dances)
    ]
    heard = _write_music(folder, songs, features, {dance.song for dance in placed if dance.split == "train"})
    moved = _write_motions(folder, placed, motions)
    _write_table(folder / "dances.parquet", [dataclasses.asdict(dance) for dance in placed], INDEX)
    _write_table(folder / "songs.parquet", [dataclasses.asdict(song) for song in songs], SONGS)
    pl.DataFrame(list(rejects), schema=REJECTS, orient="row").write_parquet(folder / "rejects.parquet")
    about = {
        "schema": SCHEMA,
        "fps": FPS,
        "joints": JOINTS,
        "count": len(placed),
        "frames": sum(dance.frames for dance in placed),
        "seconds": round(sum(dance.seconds for dance in placed), 3),
        "songs": len(songs),
        "splits": {split: sum(dance.split == split for dance in placed) for split in SPLITS},
        "genres": sorted({dance.genre for dance in placed if dance.genre is not None}),
        "licences": dict(Counter(dance.licence or "unstated" for dance in placed).most_common()),
        "commercial": bool(placed) and all(dance.commercial for dance in placed),
        "rejects": dict(Counter(reject.reason for reject in rejects).most_common()),
        "music": heard,
        "motion": moved,
        "residuals": dict(residuals or {}),
        "fingerprint": fingerprint,
    }
    (folder / "pack.json").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n")


def _after_each_other(items: Sequence) -> list:
    row, placed = 0, []
    for item in items:
        placed.append(dataclasses.replace(item, row=row))
        row += item.frames
    return placed


def _write_table(path: Path, rows: list[dict], schema: dict) -> None:
    pl.DataFrame(rows, schema=schema).write_parquet(path)


def _write_header(stream, kind: str, rows: int, width: int) -> None:
    np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": (rows, width)})


class _Statistics:
    """Mean, deviation and range of rows that come in pieces."""

    def __init__(self, width: int) -> None:
        self.count = 0
        self.sum, self.squares = np.zeros(width), np.zeros(width)
        self.least, self.most = np.full(width, np.inf), np.full(width, -np.inf)

    def take(self, rows: np.ndarray) -> None:
        if len(rows):
            rows = rows.astype(np.float64)
            self.count += len(rows)
            self.sum += rows.sum(axis=0)
            self.squares += (rows**2).sum(axis=0)
            self.least, self.most = np.minimum(self.least, rows.min(axis=0)), np.maximum(self.most, rows.max(axis=0))

    def told(self) -> dict[str, list[float]]:
        """Give mean, std, min and max; of nothing, those of a constant 0. What hardly varies has a deviation of 1."""
        if not self.count:
            self.count, self.least, self.most = 1, self.sum * 0, self.sum * 0
        mean = self.sum / self.count
        std = np.sqrt(np.maximum(0, self.squares / self.count - mean**2))
        found = {"mean": mean, "std": np.where(std < 1e-4, 1.0, std), "min": self.least, "max": self.most}
        return {name: [round(float(value), 7) for value in values] for name, values in found.items()}


def _write_music(folder: Path, songs: Sequence[Song], features: Iterable[np.ndarray], training: set[str]) -> dict:
    """Write the songs; give what the training ones are normalised by."""
    statistics, features = _Statistics(MEASURED), iter(features)
    with open(folder / "music.npy", "wb") as stream:
        _write_header(stream, "<f4", sum(song.frames for song in songs), COLUMNS)
        for song in songs:
            array = next(features)
            assert array.shape == (song.frames, COLUMNS), f"{song.song}: {array.shape}"
            stream.write(np.ascontiguousarray(array, "<f4").data)
            if song.song in training:
                statistics.take(array[:, :MEASURED])
    told, rest = statistics.told(), COLUMNS - MEASURED
    return {"columns": COLUMNS, "mean": told["mean"] + [0.0] * rest, "std": told["std"] + [1.0] * rest}


def _write_motions(folder: Path, dances: Sequence[Dance], motions: Iterable[Motion]) -> dict:
    """Write the motions; give the statistics of the training ones, as vectors and from frame to frame of the root."""
    vectors, steps, motions = _Statistics(VECTOR), _Statistics(3), iter(motions)
    frames = sum(dance.frames for dance in dances)
    with ExitStack() as stack:
        streams = {name: stack.enter_context(open(folder / f"{name}.npy", "wb")) for name in FILES}
        for name, (kind, width) in FILES.items():
            _write_header(streams[name], kind, frames, width)
        for dance in dances:
            parts = _parts(next(motions))
            for name, part in parts.items():
                kind, width = FILES[name]
                assert part.shape == (dance.frames, width), f"{dance.id}: {name} {part.shape}"
                streams[name].write(np.ascontiguousarray(part, kind).data)
            if dance.split == "train":
                vectors.take(np.concatenate([parts["contacts"], parts["root"], parts["rotations"]], axis=1))
                steps.take(np.diff(parts["root"], axis=0))
    return {**vectors.told(), "step": steps.told()}


def _parts(motion: Motion) -> dict[str, np.ndarray]:
    return {
        "rotations": motion.rotations.reshape(len(motion.root), JOINTS * 6),
        "root": motion.root,
        "contacts": (np.asarray(motion.contacts) > 0.5).astype(np.uint8),
    }
