"""AI-Hub 538 (OLKAVS), Korean lip-reading, in the folders it is delivered in.

Sessions of five minutes, lip_{J|K}_{noise}_{F|M}_{age}_{C|E}{speaker}_{A..I}_{index}: a label JSON under
라벨링데이터, mp4 (30 fps) and wav under 원천데이터, found here by their names wherever they lie. Sound is delivered
with view A alone: the other views, filmed on the same clock, take that one. The label holds the sentences with their
times, and a face box for every frame.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.errors import one_line
from preprocessing import raw
from preprocessing.talkpacks import Reject
from preprocessing.talks.korean import spoken
from preprocessing.talks.settings import AIHub
from preprocessing.talks.takes import Take

NAME = re.compile(r"lip_[JK]_\d_[FM]_(?P<age>\d+)_(?P<speaker>[CE]\d+)_(?P<view>[A-I])_\d+")
FPS = 30.0
PRIORS = 25  # boxes kept of a sentence: enough to tell whose face it is
MOST_LABEL_BYTES = 2**26


@dataclass(frozen=True)
class Session:
    """One label file and what its name tells."""

    name: str
    label: Path
    source: str
    age: int
    speaker: str
    view: str


def find(root: Path, settings: AIHub, notation: str) -> tuple[list[Take], list[Reject]]:
    """List the sentences of all sessions of the views and ages asked for."""
    found, rejects = [], []
    there: dict[str, tuple[str, Path]] = {}
    for name, path in raw.files(root):
        if NAME.fullmatch(path.stem) or path.is_dir():
            fault = raw.fault(path, root)
            if fault:
                rejects.append(Reject(name, *fault))
            else:
                there[path.name] = (name, path)
    for session in _sessions(there):
        if session.view not in settings.views:
            continue  # as if it were not there: most people fetch nine views and use one
        if session.age not in settings.ages:
            rejects.append(Reject(session.source, "age", f"a speaker of age group {session.age}: see clips.aihub.ages"))
            continue
        try:
            found += _takes(session, there, settings, notation, rejects)
        except _Broken as error:
            rejects.append(Reject(session.source, error.args[0], error.args[1]))
    return found, rejects


class _Broken(Exception):
    """A session that cannot be used: reason and detail."""


def _sessions(there: dict[str, tuple[str, Path]]) -> Iterator[Session]:
    for source, path in there.values():
        named = NAME.fullmatch(path.stem)
        if path.suffix == ".json" and named:
            yield Session(path.stem, path, source, int(named["age"]), named["speaker"], named["view"])


def _takes(session: Session, there: dict, settings: AIHub, notation: str, rejects: list[Reject]) -> Iterator[Take]:
    label = _label(session.label)
    video = there.get(f"{session.name}.mp4")
    if video is None:
        raise _Broken("missing-file", f"its video {session.name}.mp4 is nowhere in the folder")
    frontal = re.sub(rf"_{session.view}_(\d+)$", r"_A_\1", session.name)
    audio = there.get(f"{session.name}.wav") or there.get(f"{frontal}.wav")
    if audio is None:
        raise _Broken("missing-file", f"its sound {frontal}.wav is nowhere in the folder")
    boxes = _boxes(label)
    for number, sentence in enumerate(_sentences(label)):
        source = f"{video[0]}#{number}"
        try:
            first, last = float(sentence["start_time"]), float(sentence["end_time"])
            said = str(sentence["sentence_text"])
        except (KeyError, TypeError, ValueError) as error:
            rejects.append(Reject(source, "broken-label", f"sentence {number}: {one_line(error, 160)}"))
            continue
        if not (math.isfinite(first) and math.isfinite(last) and 0 <= first < last):
            rejects.append(Reject(source, "broken-label", f"sentence {number} goes from {first} to {last} s"))
            continue
        start = max(0.0, first - settings.margin)
        yield Take(
            id=raw.ascii_id(session.speaker, f"{session.name}-{number:03d}"),
            source=source,
            speaker=session.speaker,
            video=video[1],
            audio=audio[1],
            text=spoken(said, notation),
            start=start,
            seconds=last + settings.margin - start,
            prior=_prior(boxes, start, last + settings.margin),
        )


def _label(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as stream:
            found = json.loads(stream.read(MOST_LABEL_BYTES))
    except (ValueError, RecursionError) as error:
        raise _Broken("broken-label", one_line(error, 160)) from None
    found = found[0] if isinstance(found, list) and found else found
    if not isinstance(found, dict):
        raise _Broken("broken-label", "no list of one label")
    return found


def _sentences(label: dict) -> list[dict]:
    found = label.get("Sentence_info")
    if not isinstance(found, list):
        raise _Broken("broken-label", "Sentence_info is no list")
    return found


def _boxes(label: dict) -> Sequence[Sequence[float]]:
    """Give the face boxes of all frames: x0, y0, x1, y1; none where the label has none.

    Only their key says the order, and the corpus' own script cuts rows out by the x's: it is decided by the
    picture, in which they must meet the face that was found.
    """
    faces = label.get("Bounding_box_info")
    faces = faces.get("Face_bounding_box") if isinstance(faces, dict) else None
    boxes = faces.get("xtl_ytl_xbr_ybr") if isinstance(faces, dict) else None
    return boxes if isinstance(boxes, list) else []


def _prior(boxes: Sequence[Sequence[float]], start: float, end: float) -> tuple[tuple[float, ...], ...]:
    """Choose boxes evenly over a sentence; a frame without a legible box is an empty one."""
    if not boxes:
        return ()
    at = [start + (end - start) * (step + 0.5) / PRIORS for step in range(PRIORS)]
    return tuple(_box(boxes[int(time * FPS)]) if int(time * FPS) < len(boxes) else () for time in at)


def _box(values: Any) -> tuple[float, ...]:
    try:
        box = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        return ()
    return box if len(box) == 4 and all(math.isfinite(value) for value in box) else ()
