"""Bring dances onto the canonical skeleton and listen to their songs: a pack of motion beside music.

python -m preprocessing.dances corpus=dances
python -m preprocessing.dances corpus=dances world=real dances.root=data/raw/aistpp
python -m preprocessing.dances corpus=dances world=real dances.layout=melody dances.root=~/dance_with_melody
python -m preprocessing.dances corpus=dances world=real dances.layout=joints dances.root=~/captures
"""

import shutil
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from inference.errors import UserError
from preprocessing import dancepacks, raw
from preprocessing.dancepacks import FPS, Dance, Reject, Song
from preprocessing.dances import aistpp, folders, preparing, splits, takes
from preprocessing.dances.preparing import Preparer, Task
from preprocessing.dances.settings import Settings
from preprocessing.dances.takes import Found, Take
from scraping import stage
from scraping.workers import Died, Workers

OF_THE_TABLE = {"root", "music", "workers", "splits", "rights"}  # what changes no motion, only its row
PASSING = ("missing-file", "not-readable")  # faults of the folder: looked at again by each run


@stage.command("preprocessing/dances")
def main(config: DictConfig) -> None:
    """Run the stage on a composed config: data/raw -> data/processed."""
    settings = stage.settings(config, "dances", Settings)
    root = named(settings.root)
    found = find(root, settings)
    how = settings.model_dump(mode="json", exclude=OF_THE_TABLE)
    with stage.work("dances", config.corpus, config.world, stage.fingerprint(how, stage.code_version())) as work:
        journal = stage.Journal(work / "journal.jsonl")
        try:
            tasks = prepare(found, journal, settings, work)
            songs = {name: journal[task.key] for name, task in tasks.items() if name in found.tunes}
            rows = {take.id: journal[tasks[_mark(take)].key] for take in found.takes}
        finally:
            journal.close()
        dances, more = decide(found, rows, songs, raw.RightsBook(root, settings.rights), settings)
        rejects = sorted(found.rejects + more)
        report(dances, rejects, [rows[take.id] for take in found.takes])
        publish(dances, found, rows, songs, tasks, rejects, raw.notice(root), work, config.corpus, how)


def named(root: Path | None) -> Path:
    if root is None:
        raise UserError("dances.root: name the folder of your dances, here or in conf/world/real.yaml (docs/dance.md)")
    return root.expanduser()


def find(root: Path, settings: Settings) -> Found:
    """List what the raw folder holds: dances with a split and a song, each song once, and what is left out so far."""
    if not root.is_dir():
        raise UserError(f"dances.root: {root} is no folder: run python -m scraping.demo.dances, or name your own")
    found = aistpp.find(root, settings) if settings.layout == "aistpp" else folders.find(root, settings)
    takes.once(found)
    known = {take.id for take in found.takes} | {Path(reject.source).stem for reject in found.rejects}
    if not known:
        raise UserError(f"dances.root: no dances of the layout {settings.layout} in {root}")
    lists = splits.read_lists(found.lists) if settings.layout == "aistpp" else {}
    if lists and settings.splits.by in (None, "rule"):
        print(splits.against_rule(lists, sorted(known)), flush=True)
    found.takes, more = splits.divide(found.takes, known, lists, settings)
    found.rejects += more
    found = takes.with_music(found)
    if missing := takes.what_is_missing(found):
        print(missing, flush=True)
    if not found.takes:
        why = takes.what_is_missing(found) or _reasons(found.rejects)
        raise UserError(f"dances.root: not one dance of {root} can be used: {why}")
    used = {take.song for take in found.takes}
    found.tunes = {name: tune for name, tune in sorted(found.tunes.items()) if name in used}
    return found


def _mark(take: Take) -> str:
    return f"dance {take.id}"  # a dance and a song may have one name


def prepare(found: Found, journal: stage.Journal, settings: Settings, work: Path) -> dict[str, Task]:
    """Prepare the songs and dances that no run before has finished; give the task of each."""
    folder = work / "prepared"
    folder.mkdir(exist_ok=True)
    tasks = {name: Task(preparing.key_of(tune), tune) for name, tune in found.tunes.items()}
    tasks |= {_mark(take): Task(preparing.key_of(take), take) for take in found.takes}
    done = {key for key, row in journal.rows.items() if row.get("reason") not in PASSING}
    pending = deque(task for task in tasks.values() if task.key not in done)
    if not pending:
        return tasks
    finished = len(tasks) - len(pending)
    with Workers(min(settings.workers, len(pending)), Preparer, settings, folder) as workers:
        for task, row in stage.progress(workers.run(pending), len(tasks), "songs and dances", finished):
            if isinstance(row, Died):
                row = preparing.rejected("crashed", f"it ended the worker (exit code {row.exit_code})")
            journal.append(task.key, row)
    return tasks


def decide(
    found: Found, rows: dict[str, dict], songs: dict[str, dict], rights: raw.RightsBook, settings: Settings
) -> tuple[list[Dance], list[Reject]]:
    """Give each dance its row, cut to where its song ends, or the reason for which it is left out."""
    dances, rejects = [], []
    for take in found.takes:
        row, song = rows[take.id], songs[take.song]
        if song["status"] != "kept":
            detail = f"its song {found.tunes[take.song].source}: {song['detail']}"
            rejects.append(Reject(take.source, f"music-{song['reason']}", detail))
        elif row["status"] != "kept":
            rejects.append(Reject(take.source, row["reason"], row["detail"]))
        else:
            frames = min(row["frames"], song["frames"] - row["start"])
            if frames / FPS < settings.seconds:
                detail = f"{max(0, frames) / FPS:.1f} s before its song ends, {settings.seconds:g} needed"
                rejects.append(Reject(take.source, "too-short", detail))
            else:
                dances.append(_dance(take, row, frames, rights))
    return dances, rejects


def _dance(take: Take, row: dict, frames: int, rights: raw.RightsBook) -> Dance:
    said = rights.of(take.path)
    residuals = row["residuals"].values()
    return Dance(
        id=take.id,
        genre=take.genre,
        dancer=take.dancer,
        song=take.song,
        split=take.split or "train",
        frames=frames,
        start=row["start"],
        residual=sum(residuals) / len(residuals) if residuals else 0.0,
        licence=said.licence,
        consent=said.consent,
        commercial=said.commercial,
        source=take.source,
        sha256=row["sha256"],
    )


def report(dances: Sequence[Dance], rejects: Sequence[Reject], rows: Sequence[dict]) -> None:
    """Print what became of the dances, how well they were fitted, and how fast."""
    counts = ", ".join(f"{sum(dance.split == split for dance in dances)} {split}" for split in dancepacks.SPLITS)
    seconds = sum(dance.frames for dance in dances) / FPS
    print(f"kept {len(dances)} dances, {seconds:.0f} s ({counts}); rejected: {_reasons(rejects) or 'none'}", flush=True)
    worst = sorted(((metres, joint) for joint, metres in residuals_of(rows).items()), reverse=True)
    if worst:
        mean = sum(metres for metres, _ in worst) / len(worst)
        joints = ", ".join(f"{joint} {100 * metres:.1f}" for metres, joint in worst[:3])
        print(f"the fit leaves {100 * mean:.1f} cm a joint, most at {joints} cm", flush=True)


def residuals_of(rows: Sequence[dict]) -> dict[str, float]:
    """Give the mean residual of each joint in metres over the dances that were kept."""
    kept = [row["residuals"] for row in rows if row["status"] == "kept" and row["residuals"]]
    joints = sorted({joint for residuals in kept for joint in residuals})
    return {joint: _mean([residuals[joint] for residuals in kept if joint in residuals]) for joint in joints}


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 6)


def publish(
    dances: Sequence[Dance],
    found: Found,
    rows: dict[str, dict],
    songs: dict[str, dict],
    tasks: dict[str, Task],
    rejects: Sequence[Reject],
    notice: bytes | None,
    work: Path,
    corpus: str,
    how: dict,
) -> None:
    """Write the pack and move it to its place; with nothing kept, the rejects alone tell why."""
    built, target, folder = work / "out", Path("data/processed") / corpus, work / "prepared"
    shutil.rmtree(built, ignore_errors=True)
    used = [name for name in found.tunes if name in {dance.song for dance in dances}]
    heard = [_song(name, found.tunes[name].source, songs[name]) for name in used]
    dancepacks.write(
        built,
        dances,
        (preparing.dance(folder, tasks[f"dance {dance.id}"].key).slice(0, dance.frames) for dance in dances),
        heard,
        (preparing.song(folder, tasks[name].key) for name in used),
        rejects,
        stage.fingerprint(how, [vars(dance) for dance in dances], [vars(song) for song in heard]),
        residuals_of([rows[dance.id] for dance in dances]),
    )
    if notice is not None:
        (built / "NOTICE").write_bytes(notice)
    stage.publish(built, target)
    if not dances:
        table = target / "rejects.parquet"
        raise UserError(f"not one dance of {corpus} was kept ({_reasons(rejects)}): {table} says why each")


def _song(name: str, source: str, row: dict) -> Song:
    beats = tuple(row["beats"])
    return Song(name, row["frames"], row["seconds"], row["tempo"], beats, source, row["sha256"])


def _reasons(rejects: Sequence[Reject]) -> str:
    counts = Counter(reject.reason for reject in rejects).most_common()
    return ", ".join(f"{count} {reason}" for reason, count in counts)


if __name__ == "__main__":
    main()
