"""Any folder of videos: the folder a video lies in names its speaker, or its own name where it lies at the top."""

from pathlib import Path

from preprocessing import raw
from preprocessing.talkpacks import Reject
from preprocessing.talks import takes
from preprocessing.talks.korean import spoken
from preprocessing.talks.takes import VIDEOS, Take


def find(root: Path, notation: str) -> tuple[list[Take], list[Reject]]:
    """List the videos; each is cut where its shots, its speaker and the longest clip end."""
    found, rejects, shown = [], [], {}
    there = dict(raw.files(root))
    for name, path in there.items():
        if path.suffix.lower() not in VIDEOS and not path.is_dir():
            continue
        stem = name.rpartition(".")[0]
        fault = raw.fault(path, root)
        if fault:
            rejects.append(Reject(name, *fault))
            shown[f"rejected {name}"] = stem
            continue
        # Two videos of one stem may lie side by side.
        ending = "" if f"{stem}.mp4" == name else path.suffix.lower()
        take = Take(
            id=raw.ascii_id(*f"{stem}{ending}".split("/")),
            source=name,
            speaker=stem.rpartition("/")[0] or stem,
            video=path,
            audio=path,
            text=spoken(takes.said(there, stem, root), notation),
            whole=False,
        )
        found.append(take)
        shown[take.id] = stem
    kept, unlisted = takes.listed(found, takes.read_lists(root), shown)
    return kept, rejects + unlisted
