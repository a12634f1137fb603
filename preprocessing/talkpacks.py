"""The talk pack: clips of one speaking face each, as crops at 25 frames a second beside the mel of what is said.

frames-00000.npy ...   uint8 [N, 96, 96, 3] RGB, at most 256 MiB each; a clip lies in one shard
mels-00000.npy ...     float32 [T, 80], 80 columns a second, of the clips of the frames' shard of that number
boxes.npy              float32 [N of all shards, 4]: each crop's x0, y0, x1, y1 in pixels of its source
clips.parquet          a row a clip: where it lies, whose it is, what is said, under which licence
rejects.parquet        source, reason, detail
pack.json              schema, fps, edge, count, frames, splits, licences, commercial, fingerprint, and the expert that
                       put the clips in sync, where one did

Time 0 of a clip's mel is the time of its first frame.
"""

import dataclasses
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from inference import audio
from inference.errors import UserError

SCHEMA = 1
FPS = 25
EDGE = 96
SPLITS = ("train", "val", "test")
SHARD_BYTES = 256 * 2**20
FRAME_BYTES = EDGE * EDGE * 3
INDEX = {
    "id": pl.String,  # ASCII
    "speaker": pl.String,
    "split": pl.String,  # train | val | test
    "source": pl.String,  # path below the raw folder, NFC
    "sha256": pl.String,  # of the source's bytes
    "text": pl.String,  # NFC; null where nobody wrote it down
    "start": pl.Float64,  # seconds into the source, of the first frame
    "frames": pl.Int32,
    "shard": pl.Int32,
    "row": pl.Int32,  # of the first frame
    "mel_row": pl.Int32,
    "columns": pl.Int32,
    "av_offset": pl.Int32,  # frames by which the audio came later than the picture, before it was shifted
    "confidence": pl.Float64,
    "shifted": pl.Int32,  # frames by which the audio has been moved to an earlier time
    "speech": pl.Float64,  # share of the frames in which somebody speaks
    "licence": pl.String,
    "consent": pl.String,
    "commercial": pl.Boolean,
    "box": pl.List(pl.Float64),  # median over the clip, in pixels of the source
}
REJECTS = {"source": pl.String, "reason": pl.String, "detail": pl.String}


@dataclass(frozen=True)
class Clip:
    """One row of clips.parquet; `shard`, `row` and `mel_row` are the writer's to fill in."""

    id: str
    speaker: str
    split: str
    source: str
    sha256: str
    text: str | None
    start: float
    frames: int
    columns: int
    speech: float
    licence: str | None
    consent: str | None
    commercial: bool
    box: tuple[float, float, float, float]
    av_offset: int | None = None
    confidence: float | None = None
    shifted: int = 0
    shard: int = -1
    row: int = -1
    mel_row: int = -1


class Content(NamedTuple):
    """What a clip consists of: uint8 [N, 96, 96, 3], float32 [80, T], float32 [N, 4]."""

    frames: np.ndarray
    mel: np.ndarray
    boxes: np.ndarray


class Reject(NamedTuple):
    """A source, or a part of one, that is no use; `reason` is a slug, `detail` one line."""

    source: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Talks:
    """An opened pack; frames and mels are read from disk as they are asked for."""

    clips: list[Clip]
    fingerprint: str
    commercial: bool
    frame_shards: list[np.ndarray]
    mel_shards: list[np.ndarray]
    all_boxes: np.ndarray

    def of(self, split: str) -> list[Clip]:
        return [clip for clip in self.clips if clip.split == split]

    def frames(self, clip: Clip, first: int = 0, count: int | None = None) -> np.ndarray:
        """Give frames of a clip, uint8 [count, 96, 96, 3] RGB, as a view of the file; by default all."""
        count = clip.frames - first if count is None else count
        if not 0 <= first <= first + count <= clip.frames:
            raise IndexError(f"{clip.id} has {clip.frames} frames: {count} from {first} on are none of them")
        return self.frame_shards[clip.shard][clip.row + first : clip.row + first + count]

    def mel(self, clip: Clip) -> np.ndarray:
        """Give the mel of a clip, float32 [80, T], as a view of the file."""
        return self.mel_shards[clip.shard][clip.mel_row : clip.mel_row + clip.columns].T

    def window(self, clip: Clip, frame: float) -> np.ndarray:
        """Give what is heard from a frame on, float32 [80, 16]: 200 ms, silence before and after the clip."""
        return audio.window(self.mel(clip), frame, FPS)

    def boxes(self, clip: Clip) -> np.ndarray:
        """Give where the crops of a clip were taken, float32 [frames, 4] in pixels of the source."""
        before = sum(len(shard) for shard in self.frame_shards[: clip.shard]) + clip.row
        return self.all_boxes[before : before + clip.frames]


def write(
    folder: Path,
    clips: Sequence[Clip],
    contents: Iterable[Content],
    rejects: Sequence[Reject],
    fingerprint: str,
    expert: Mapping[str, str] | None = None,
) -> None:
    """Write clips and, in the same order, what they consist of into a new folder."""
    folder.mkdir(parents=True)
    placed = _placed(clips)
    contents = iter(contents)
    boxes = []
    for shard, members in itertools.groupby(placed, key=lambda clip: clip.shard):
        boxes += _write_shard(folder, shard, list(members), contents)
    np.save(folder / "boxes.npy", np.concatenate(boxes) if boxes else np.zeros((0, 4), np.float32))
    rows = [dataclasses.asdict(clip) for clip in placed]
    pl.DataFrame(rows, schema=INDEX).write_parquet(folder / "clips.parquet")
    pl.DataFrame(list(rejects), schema=REJECTS, orient="row").write_parquet(folder / "rejects.parquet")
    about = {
        "schema": SCHEMA,
        "fps": FPS,
        "edge": EDGE,
        "count": len(placed),
        "frames": sum(clip.frames for clip in placed),
        "speakers": len({clip.speaker for clip in placed}),
        "splits": {split: sum(clip.split == split for clip in placed) for split in SPLITS},
        "licences": dict(Counter(clip.licence or "unstated" for clip in placed).most_common()),
        "commercial": bool(placed) and all(clip.commercial for clip in placed),
        "rejects": dict(Counter(reject.reason for reject in rejects).most_common()),
        "fingerprint": fingerprint,
    }
    if expert:
        about["expert"] = dict(expert)
    (folder / "pack.json").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n")


def _placed(clips: Sequence[Clip]) -> list[Clip]:
    """Give each clip its place: the next shard begins where a clip would not fit."""
    most = max(1, SHARD_BYTES // FRAME_BYTES)
    shard = row = mel_row = 0
    placed = []
    for clip in clips:
        if row and row + clip.frames > most:
            shard, row, mel_row = shard + 1, 0, 0
        placed.append(dataclasses.replace(clip, shard=shard, row=row, mel_row=mel_row))
        row, mel_row = row + clip.frames, mel_row + clip.columns
    return placed


def _write_shard(folder: Path, shard: int, clips: Sequence[Clip], contents: Iterator[Content]) -> list[np.ndarray]:
    """Stream the contents of the clips of one shard into its two files; give their boxes."""
    frames = sum(clip.frames for clip in clips)
    columns = sum(clip.columns for clip in clips)
    boxes = []
    with (
        open(folder / f"frames-{shard:05d}.npy", "wb") as pictures,
        open(folder / f"mels-{shard:05d}.npy", "wb") as mels,
    ):
        _write_header(pictures, "|u1", (frames, EDGE, EDGE, 3))
        _write_header(mels, "<f4", (columns, audio.MELS))
        for clip in clips:
            content = next(contents)
            assert content.frames.shape == (clip.frames, EDGE, EDGE, 3), f"{clip.id}: {content.frames.shape}"
            assert content.mel.shape == (audio.MELS, clip.columns), f"{clip.id}: {content.mel.shape}"
            assert content.boxes.shape == (clip.frames, 4), f"{clip.id}: {content.boxes.shape}"
            pictures.write(np.ascontiguousarray(content.frames, np.uint8).data)
            mels.write(np.ascontiguousarray(content.mel.T, "<f4").data)
            boxes.append(content.boxes.astype(np.float32))
    return boxes


def _write_header(stream, kind: str, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": shape})


def read(folder: Path) -> Talks:
    """Open a pack without reading its frames."""
    if not (folder / "pack.json").exists():
        raise UserError(f"{folder} holds no talks (no pack.json): run python -m {_maker(folder)} corpus=talks first")
    about = json.loads((folder / "pack.json").read_text())
    if about.get("schema") != SCHEMA or about.get("edge") != EDGE:
        raise UserError(
            f"{folder} is a pack of schema {about.get('schema')} and edge {about.get('edge')}, this code reads "
            f"{SCHEMA} and {EDGE}: pack it again"
        )
    frames = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("frames-*.npy"))]
    assert sum(len(shard) for shard in frames) == about["frames"], f"{folder} lost a shard"
    rows = pl.read_parquet(folder / "clips.parquet").to_dicts()
    return Talks(
        clips=[Clip(**row | {"box": tuple(row["box"])}) for row in rows],
        fingerprint=about["fingerprint"],
        commercial=about["commercial"],
        frame_shards=frames,
        mel_shards=[np.load(path, mmap_mode="r") for path in sorted(folder.glob("mels-*.npy"))],
        all_boxes=np.load(folder / "boxes.npy"),
    )


def rejects(folder: Path) -> list[Reject]:
    """Read what was left out of a pack, and why."""
    return [Reject(*row) for row in pl.read_parquet(folder / "rejects.parquet").rows()]


def _maker(folder: Path) -> str:
    return "preprocessing.sync" if folder.parent.name == "processed" else "preprocessing.talks"
