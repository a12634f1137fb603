"""Cut clips of people who speak out of videos: a pack of face crops and the mel of what they say.

python -m preprocessing.talks corpus=talks
python -m preprocessing.talks corpus=talks world=real clips.root=~/lrs2
python -m preprocessing.talks corpus=talks world=real clips.layout=folder clips.root=~/videos
"""

import math
import shutil
from collections import Counter, deque
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from inference import weights
from inference.errors import UserError
from preprocessing import talkpacks
from preprocessing.raw import RightsBook
from preprocessing.talkpacks import Clip, Reject
from preprocessing.talks import aihub, cutting, folder, lrs2, takes
from preprocessing.talks.cutting import Cutter, Task
from preprocessing.talks.settings import Settings
from preprocessing.talks.takes import Take
from scraping import stage
from scraping.workers import Died, Workers

OF_THE_TABLE = {"root", "layout", "workers", "splits", "rights", "notation"}  # what changes no clip, only its row
PASSING = ("missing-file", "not-readable")  # faults of the folder: looked at again by each run


@stage.command("preprocessing/talks")
def main(config: DictConfig) -> None:
    """Run the stage on a composed config: data/raw -> data/interim."""
    settings = stage.settings(config, "clips", Settings)
    root = named(settings.root)
    found, rejects = find(root, settings)
    how = settings.model_dump(mode="json", exclude=OF_THE_TABLE), used_weights()
    with stage.work("talks", config.corpus, config.world, stage.fingerprint(how, stage.code_version())) as work:
        journal = stage.Journal(work / "journal.jsonl")
        try:
            keys = {take.id: _key(take) for take in found}
            cut(found, keys, journal, settings, work)
            clips, files, more = decide(found, keys, journal, RightsBook(root, settings.rights), settings)
        finally:
            journal.close()
        rejects = sorted(rejects + more)
        report(clips, rejects, [journal[keys[take.id]] for take in found])
        publish(clips, [work / "clips" / file for file in files], rejects, work, config.corpus, how)


def named(root: Path | None) -> Path:
    if root is None:
        raise UserError("clips.root: name the folder of your talks, here or in conf/world/real.yaml (docs/lipsync.md)")
    return root.expanduser()


def find(root: Path, settings: Settings) -> tuple[list[Take], list[Reject]]:
    """List what the raw folder holds, each take with the split of its speaker."""
    if not root.is_dir():
        raise UserError(f"clips.root: {root} is no folder: run python -m scraping.demo.talks, or name your own")
    if settings.layout == "lrs2":
        found, rejects = lrs2.find(root, settings.notation)
    elif settings.layout == "aihub":
        found, rejects = aihub.find(root, settings.aihub, settings.notation)
    else:
        found, rejects = folder.find(root, settings.notation)
    first: dict[str, Take] = {}
    for take in found:
        if first.setdefault(take.id, take) is not take:
            rejects.append(Reject(take.source, "same-name", f"{first[take.id].source} has the name {take.id} already"))
    kept, more = takes.divide(list(first.values()), settings.splits)
    if not kept:
        why = _reasons(rejects + more) or "nothing there"
        raise UserError(f"clips.root: no videos of the layout {settings.layout} in {root} ({why})")
    return kept, rejects + more


def used_weights() -> dict[str, str]:
    """Name the networks used by the sha256 of their weights, once they are there and verified."""
    for name in ("yunet", "silero_vad"):
        weights.path(name)
    return {name: weights.TABLE[name].sha256 for name in ("yunet", "silero_vad")}


def _key(take: Take) -> str:
    """Name a take's clips by what they are made from: other bytes under the same name are another take."""
    about = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in (take.video, take.audio)]
    return stage.fingerprint(take.id, about, take.start, take.seconds, take.whole, take.prior)


def cut(found: list[Take], keys: dict[str, str], journal: stage.Journal, settings: Settings, work: Path) -> None:
    """Cut the takes that no run before has finished."""
    clips = work / "clips"
    clips.mkdir(exist_ok=True)
    done = {key for key, row in journal.rows.items() if row["pieces"] and row["pieces"][0].get("reason") not in PASSING}
    pending = deque(Task(keys[take.id], take) for take in found if keys[take.id] not in done)
    if not pending:
        return
    finished = len(found) - len(pending)
    with Workers(min(settings.workers, len(pending)), Cutter, settings, clips) as workers:
        for task, row in stage.progress(workers.run(pending), len(found), "cutting", finished):
            if isinstance(row, Died):
                detail = f"cutting it ended the worker (exit code {row.exit_code})"
                row = cutting.rejected("crashed", detail)
            journal.append(task.key, row)


def decide(
    found: list[Take], keys: dict[str, str], journal: stage.Journal, rights: RightsBook, settings: Settings
) -> tuple[list[Clip], list[str], list[Reject]]:
    """Give each piece its row: clips and their files in the order of the takes, and what was left out."""
    clips, rejects = [], []
    for take in found:
        row = journal[keys[take.id]]
        kept = [piece for piece in row["pieces"] if piece["status"] == "kept"]
        for number, piece in enumerate(kept):
            name = take.id if take.whole else f"{take.id}-{number:03d}"
            clips.append((_clip(name, take, row["sha256"], piece, rights), piece["file"]))
        rejects += [Reject(_place(take, p), p["reason"], p["detail"]) for p in row["pieces"] if p not in kept]
        if not row["pieces"]:
            rejects.append(Reject(take.source, "no-face", "no face stays long enough"))
    quiet = _too_quiet([clip for clip, _ in clips], settings)
    rejects += [Reject(c.source, "silent", f"speech in {c.speech:.0%} of it") for c, _ in clips if c.id in quiet]
    clips = [(clip, file) for clip, file in clips if clip.id not in quiet]
    return [clip for clip, _ in clips], [file for _, file in clips], rejects


def _clip(name: str, take: Take, sha256: str, piece: dict, rights: RightsBook) -> Clip:
    said = rights.of(take.video)
    return Clip(
        id=name,
        speaker=take.speaker,
        split=take.split or "train",
        source=take.source,
        sha256=sha256,
        text=take.text if piece["share"] > 0.9 else None,  # else nobody knows which part of it is heard
        start=piece["start"],
        frames=piece["frames"],
        columns=piece["columns"],
        speech=piece["speech"],
        licence=said.licence,
        consent=said.consent,
        commercial=said.commercial,
        box=tuple(piece["box"]),
    )


def _place(take: Take, piece: dict) -> str:
    """Name a part of a video by its second."""
    return take.source if take.whole or piece.get("start") is None else f"{take.source}@{piece['start']:.2f}"


def _too_quiet(clips: list[Clip], settings: Settings) -> set[str]:
    """Choose the silent clips that are too many: a network must see closed mouths, but not learn from them alone.

    Each split keeps its share, and one at least; which stay is drawn by the hash of their names.
    """
    dropped = set()
    for split in talkpacks.SPLITS:
        members = [clip for clip in clips if clip.split == split]
        silent = [clip.id for clip in members if clip.speech < settings.speech.least]
        room = math.ceil(settings.speech.silent * (len(members) - len(silent)))
        dropped.update(sorted(silent, key=stage.fingerprint)[room:])
    return dropped


def report(clips: list[Clip], rejects: list[Reject], rows: list[dict]) -> None:
    """Print what became of the videos, and how fast."""
    splits = ", ".join(f"{sum(clip.split == split for clip in clips)} {split}" for split in talkpacks.SPLITS)
    seconds = sum(clip.frames for clip in clips) / talkpacks.FPS
    print(f"kept {len(clips)} clips, {seconds:.0f} s ({splits}); rejected: {_reasons(rejects) or 'none'}", flush=True)
    shown = sum(row["seconds"] for row in rows)
    took = sum(row["took"] for row in rows)
    if took:
        print(f"{shown:.0f} s of video took {took:.0f} s of one core: {shown / took:.1f} times real time", flush=True)


def publish(clips: list[Clip], files: list[Path], rejects: list[Reject], work: Path, corpus: str, how: tuple) -> None:
    """Write the pack and move it to its place; with nothing kept, the rejects alone tell why."""
    built, target = work / "out", Path("data/interim") / corpus
    shutil.rmtree(built, ignore_errors=True)
    print_of = stage.fingerprint(how, [vars(replace(clip, text=None)) for clip in clips])
    talkpacks.write(built, clips, (cutting.read(file) for file in files), rejects, print_of)
    stage.publish(built, target)
    if not clips:
        table = target / "rejects.parquet"
        raise UserError(f"not one clip of {corpus} was kept ({_reasons(rejects)}): {table} says why each")


def _reasons(rejects: list[Reject]) -> str:
    counts = Counter(reject.reason for reject in rejects).most_common()
    return ", ".join(f"{count} {reason}" for reason, count in counts)


if __name__ == "__main__":
    main()
