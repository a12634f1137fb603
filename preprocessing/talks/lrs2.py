"""LRS2's layout: main/<speaker>/<clip>.mp4 with <clip>.txt beside it, and lists of `speaker/clip`. Any language."""

from pathlib import Path

from inference.errors import UserError
from preprocessing import raw
from preprocessing.talkpacks import Reject
from preprocessing.talks import takes
from preprocessing.talks.korean import spoken
from preprocessing.talks.takes import VIDEOS, Take


def find(root: Path, notation: str) -> tuple[list[Take], list[Reject]]:
    """List what the tree holds, each clip one utterance."""
    main = root / "main"
    if not main.is_dir():
        raise UserError(f"{root} has no folder main/: expected main/<speaker>/<clip>.mp4, or clips.layout=folder")
    found, rejects, shown = [], [], {}
    there = dict(raw.files(main))
    for name, path in there.items():
        if path.suffix.lower() not in VIDEOS and not path.is_dir():
            continue
        stem = name.rpartition(".")[0]
        speaker, _, clip = stem.rpartition("/")
        fault = raw.fault(path, main)
        if fault or not speaker:
            reason = fault or ("no-speaker", "not in a folder of its speaker")
            rejects.append(Reject(f"main/{name}", *reason))
            shown[f"rejected {name}"] = stem
            continue
        take = Take(
            id=raw.ascii_id(*speaker.split("/"), clip),
            source=f"main/{name}",
            speaker=speaker,
            video=path,
            audio=path,
            text=spoken(takes.said(there, stem, main), notation),
        )
        found.append(take)
        shown[take.id] = stem
    kept, unlisted = takes.listed(found, takes.read_lists(root), shown)
    return kept, rejects + unlisted
