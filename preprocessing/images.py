"""Clean the scraped pictures of a corpus into a training set.

python -m preprocessing.images corpus=portrait
python -m preprocessing.images corpus=fashion images.background=transparent images.workers=1
"""

import shutil
import zipfile
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from omegaconf import DictConfig

from inference import media, weights
from inference.errors import UserError
from preprocessing import dedupe, packing
from preprocessing.clean import Cleaned, Cleaner, Settings, Task, read
from preprocessing.quality import Rejected
from scraping import manifest, stage
from scraping.workers import Died, Workers

BOX = pl.List(pl.Float64)
DECISIONS = {
    "sha256": pl.String,
    "url": pl.String,
    "subject": pl.String,  # what was looked for: body | face | matte
    "status": pl.String,  # kept | rejected
    "reason": pl.String,
    "detail": pl.String,
    "duplicate_of": pl.String,
    "phash": pl.String,
    "person_box": BOX,  # x0, y0, x1, y1 in pixels of the upright picture, as all boxes here
    "face_box": BOX,
    "score": pl.Float64,
    "crop": BOX,  # may leave the picture
    "blur": pl.Float64,  # 0 sharp to 1 blurred, at the finished scale
    "matte_source": pl.String,  # the network, or the picture's own alpha
    "matte_max": pl.Float64,  # the network's raw confidence
    "matte_fraction": pl.Float64,  # of the crop
    "matte_soft": pl.Float64,  # uncertain pixels to each solid one
    "matte_fit": pl.Float64,  # agreement of matte and detection
    "contact": pl.Struct(dict.fromkeys(("left", "top", "right", "bottom"), pl.Float64)),
    "detector_sha256": pl.String,
    "matte_sha256": pl.String,
}
DETECTOR = {"body": "yolov5nu", "face": "yunet"}
PASSING = ("missing-file", "changed-file")  # faults of the raw folder, not of the picture: looked at again by each run


class Store:
    """What is finished: a journal of rows, and one growing file with the pixels and mattes that the rows point into."""

    def __init__(self, folder: Path) -> None:
        self.journal = stage.Journal(folder / "journal.jsonl")
        for sha256 in [key for key, row in self.journal.rows.items() if row["reason"] in PASSING]:
            del self.journal.rows[sha256]
        self.blobs = open(folder / "blobs.bin", "ab+")  # noqa: SIM115 (lives as long as the store)

    def add(self, sha256: str, cleaned: Cleaned) -> None:
        """Put the blobs on disk, then the row that speaks of them."""
        row = dict(cleaned.row)
        if cleaned.picture is not None:
            row["picture"] = [*self._append(cleaned.picture.tobytes()), list(cleaned.picture.shape)]
            row["matte"] = self._append(cleaned.matte)
        self.journal.append(sha256, row)

    def picture(self, sha256: str) -> np.ndarray:
        start, length, shape = self.journal[sha256]["picture"]
        return np.frombuffer(self._read(start, length), np.uint8).reshape(shape)

    def matte(self, sha256: str) -> bytes:
        return self._read(*self.journal[sha256]["matte"])

    def close(self) -> None:
        self.journal.close()
        self.blobs.close()

    def _append(self, data: bytes) -> tuple[int, int]:
        start = self.blobs.seek(0, 2)  # whatever a kill left behind the last row is passed over
        self.blobs.write(data)
        self.blobs.flush()
        return start, len(data)

    def _read(self, start: int, length: int) -> bytes:
        self.blobs.seek(start)
        return self.blobs.read(length)


@stage.command("preprocessing/images")
def main(config: DictConfig) -> None:
    """Run the stage on a composed config: data/raw -> data/interim, data/processed."""
    settings = stage.settings(config, "images", Settings)
    raw = Path("data/raw") / config.corpus
    rows = read_rows(raw, config.corpus)
    how = (settings.model_dump(exclude={"workers"}), _weights(settings))
    # Not of the manifest: the same picture is cleaned once, however often and whenever it is scraped.
    print_of = stage.fingerprint(how, stage.code_version(), files=[Path(__file__).with_name("person.py")])
    with stage.work("images", config.corpus, config.world, print_of) as work:
        store = Store(work)
        try:
            groups = group(rows, raw, settings, work)
            clean(groups, raw, settings, store)
            decisions = decide(rows, groups, store, settings)
            report(decisions)
            publish(decisions, store, rows, settings, work, config.corpus, how)
        finally:
            store.close()


def read_rows(raw: Path, corpus: str) -> list[dict]:
    """Read what scraping kept, in the manifest's order."""
    if not (raw / manifest.FILE).exists():
        raise UserError(f"{raw / manifest.FILE} is not there: run python -m scraping.scrape corpus={corpus} first")
    rows = manifest.read(raw).filter(pl.col("status") == "kept").to_dicts()
    if not rows:
        raise UserError(f"{raw} holds no picture that scraping kept: its manifest's column `reason` says why")
    return rows


def group(rows: list[dict], raw: Path, settings: Settings, work: Path) -> list[list[dict]]:
    """Gather the pictures that show the same, the best first: most pixels, then most bytes. Most groups hold one.

    Only where two phashes come close are the pictures looked at, and only at a fraction of their scale.
    """
    unique = list({row["sha256"]: row for row in rows}.values())
    pairs = dedupe.similar_pairs([row["phash"] for row in unique], settings.duplicates.phash_bits)
    pairs = _confirmed(pairs, unique, raw, settings, work)
    rank = [(-row["width"] * row["height"], -row["bytes"], row["sha256"]) for row in unique]
    return [[unique[index] for index in members] for members in dedupe.clusters(len(unique), pairs, rank.__getitem__)]


def _confirmed(
    pairs: list[tuple[int, int]], rows: list[dict], raw: Path, settings: Settings, work: Path
) -> list[tuple[int, int]]:
    """Keep the pairs that also look alike; each answer is kept for the next run."""
    known = stage.Journal(work / "pairs.jsonl")
    keys = {pair: "-".join(sorted(rows[index]["sha256"] for index in pair)) for pair in pairs}
    new = [pair for pair in pairs if keys[pair] not in known]
    looks = {index: _look(rows[index], raw, settings) for index in sorted({index for pair in new for index in pair})}
    for first, second in new:
        if looks[first] is not None and looks[second] is not None:
            alikeness = dedupe.alikeness(looks[first], looks[second])
            known.append(keys[first, second], {"alike": alikeness >= settings.duplicates.alikeness})
    known.close()
    return [pair for pair in pairs if keys[pair] in known and known[keys[pair]]["alike"]]


def _look(row: dict, raw: Path, settings: Settings) -> np.ndarray | None:
    """Make a picture's small look, or None where it cannot be had: cleaning it will give it its reason."""
    try:
        data = read(Task(row["sha256"], raw / row["file"]))
        return dedupe.look(media.decode(data, settings.max_pixels, longest=4 * dedupe.LOOK))
    except (media.MediaError, Rejected):
        return None


def clean(groups: list[list[dict]], raw: Path, settings: Settings, store: Store) -> None:
    """Clean the best picture of each group; where it is rejected, the next best."""
    pending = deque(task for task in (_next(members, raw, store) for members in groups) if task)
    if not pending:
        return
    done = len(groups) - len(pending)
    with Workers(min(settings.workers, len(pending)), Cleaner, settings) as workers:
        for _ in stage.progress(_settle(groups, pending, workers, raw, store), len(groups), "cleaning", done):
            pass


def _settle(
    groups: list[list[dict]], pending: deque[Task], workers: Workers, raw: Path, store: Store
) -> Iterator[list[dict]]:
    """Yield each group once one of it is kept or all are rejected."""
    group_of = {row["sha256"]: members for members in groups for row in members}
    for task, result in workers.run(pending):
        if isinstance(result, Died):
            detail = f"cleaning it ended the worker (exit code {result.exit_code})"
            result = Cleaned({"status": "rejected", "reason": "crashed", "detail": detail})
        store.add(task.sha256, result)
        members = group_of[task.sha256]
        following = _next(members, raw, store)
        if following:
            pending.append(following)
        else:
            yield members


def _next(members: list[dict], raw: Path, store: Store) -> Task | None:
    """Give the best picture of a group that is still to be tried, or None where one was kept or all were rejected."""
    for row in members:
        if row["sha256"] not in store.journal:
            return Task(row["sha256"], raw / row["file"])
        if store.journal[row["sha256"]]["status"] == "kept":
            return None
    return None


def decide(rows: list[dict], groups: list[list[dict]], store: Store, settings: Settings) -> pl.DataFrame:
    """Give each row of the manifest its decision, in the manifest's order."""
    repeats = _repeats(groups, store)
    same = {"subject": settings.subject, **_weights(settings)}
    seen, decisions = set(), []
    for row in rows:
        sha256 = row["sha256"]
        decision = {"sha256": sha256, "url": row["url"], "phash": row["phash"], **same}
        if sha256 in seen:
            detail = "the same bytes stood under another address"
            decision |= {"status": "rejected", "reason": "exact-duplicate", "detail": detail, "duplicate_of": sha256}
        elif sha256 in repeats:
            best = repeats[sha256]
            detail = f"shows the same as {best['sha256'][:12]}, {_advantage(best, row)}"
            decision |= {"status": "rejected", "reason": "near-duplicate", "detail": detail}
            decision["duplicate_of"] = best["sha256"]
        else:
            decision |= {key: value for key, value in store.journal[sha256].items() if key in DECISIONS}
        seen.add(sha256)
        decisions.append({name: decision.get(name) for name in DECISIONS})
    return pl.DataFrame(decisions, schema=DECISIONS)


def _repeats(groups: list[list[dict]], store: Store) -> dict[str, dict]:
    """Name for each picture behind the kept one of its group that kept one: an earlier run may have cleaned both."""
    found = {}
    for members in groups:
        kept = (place for place, row in enumerate(members) if store.journal[row["sha256"]]["status"] == "kept")
        best = next(kept, len(members))
        found |= {row["sha256"]: members[best] for row in members[best + 1 :]}
    return found


def _advantage(best: dict, other: dict) -> str:
    """Say by what `group` preferred the best."""
    if best["width"] * best["height"] > other["width"] * other["height"]:
        return "which is larger"
    if best["bytes"] > other["bytes"]:
        return "which has as many pixels in more bytes"
    return "which is no smaller"


def report(decisions: pl.DataFrame) -> None:
    """Print what became of the pictures."""
    counts = Counter(reason or "kept" for reason in decisions["reason"])
    kept = counts.pop("kept", 0)
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
    print(f"kept {kept} of {len(decisions)} pictures" + (f"; rejected: {reasons}" if reasons else ""), flush=True)


def publish(
    decisions: pl.DataFrame, store: Store, rows: list[dict], settings: Settings, work: Path, corpus: str, how: tuple
) -> None:
    """Write decisions, mattes and pack and move them to their places; with nothing kept, the decisions alone."""
    interim, processed = work / "out" / "interim", work / "out" / "processed"
    shutil.rmtree(work / "out", ignore_errors=True)
    interim.mkdir(parents=True)
    decisions.write_parquet(interim / "decisions.parquet")
    kept = decisions.filter(pl.col("status") == "kept")["sha256"].to_list()
    _write_mattes(interim / "mattes-00000.zip", kept, store)
    stage.publish(interim, Path("data/interim") / corpus)
    if not kept:
        reasons = Counter(decisions["reason"]).most_common(3)
        why = ", ".join(f"{count} {reason}" for reason, count in reasons)
        table = Path("data/interim") / corpus / "decisions.parquet"
        shutil.rmtree(Path("data/processed") / corpus, ignore_errors=True)  # a pack of other decisions
        raise UserError(f"none of the {len(decisions)} pictures of {corpus} was kept ({why}): {table} says why each")
    labels = {row["sha256"]: row["label"] for row in rows}
    sources = [(sha256, labels[sha256]) for sha256 in kept]
    pictures: Iterator[np.ndarray] = (store.picture(sha256) for sha256 in kept)
    packing.write_pack(processed, pictures, sources, settings.background, stage.fingerprint(how, sources))
    stage.publish(processed, Path("data/processed") / corpus)


def _write_mattes(path: Path, kept: list[str], store: Store) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for sha256 in kept:
            archive.writestr(zipfile.ZipInfo(f"{sha256}.png", packing.ZIP_TIME), store.matte(sha256))


def _weights(settings: Settings) -> dict[str, str | None]:
    """Name the networks used by the sha256 of their weights, once they are there and verified."""
    detector = DETECTOR.get(settings.subject)
    for name in filter(None, (detector, settings.matte.model)):
        weights.path(name)
    return {
        "detector_sha256": weights.TABLE[detector].sha256 if detector else None,
        "matte_sha256": weights.TABLE[settings.matte.model].sha256,
    }


if __name__ == "__main__":
    main()
