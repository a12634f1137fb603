"""Stage `scrape`: find candidates, fetch what may be fetched, write data/raw/<corpus> with its manifest and NOTICE.

python -m scraping.scrape corpus=portrait
"""

import asyncio
import hashlib
import os
import re
import shutil
import signal
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import imagehash
import pydantic
from omegaconf import DictConfig

from inference import media
from inference.errors import UserError
from scraping import browser, manifest, stage
from scraping.demo import server
from scraping.fetch import Fetcher, Pace, Policy, Terms
from scraping.network import host_name, normal
from scraping.sources import Candidate, Finder, Folder, Limits, Source, each, find, outcome_of, settled, ticks

RAW = Path("data/raw")
EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif"}
LAYOUT = 2  # of the work folder: one that is laid out otherwise is not resumed
PHASH_LONGEST = 256  # pixels; a large JPEG is decoded smaller for its perceptual hash, which sees 32x32

Result = TypeVar("Result")


class Settings(stage.Settings):
    """conf/scraping/scrape.yaml."""

    contact: str | None
    seed: int
    serve: str | None  # a gallery folder of the demo world, served on loopback under its fixed name
    retry_failed: bool
    licences: list[str]
    limits: Limits
    policy: Policy
    pace: Pace
    browser: browser.BrowserSettings
    sources: dict[str, dict[str, Source]]  # by corpus, by name

    @pydantic.field_validator("contact")
    @classmethod
    def _reachable(cls, contact: str | None) -> str | None:
        """Refuse what a site's owner could not answer to, or what would break a header."""
        if contact is not None and not re.fullmatch(r"[!-~]*[!-~](@|://)[!-~]+", contact):
            raise ValueError("not an e-mail or web address")
        return contact


@stage.command("scraping/scrape")
def main(config: DictConfig) -> None:
    settings = stage.settings(config, "scrape", Settings)
    corpus, world = config.corpus, config.world
    sources = _configured(settings, corpus, world)
    identity = server.identity(Path(settings.serve)) if settings.serve else None
    fingerprint = stage.fingerprint(LAYOUT, settings.policy.model_dump(), identity)
    with stage.work("scrape", corpus, world, fingerprint) as folder:
        with _served(settings, folder) as served:
            rows = _run(collect(sources, settings, folder, served, corpus))
        stage.publish(_build(rows, folder), RAW / corpus)
    summary = ", ".join(f"{count} {outcome}" for outcome, count in manifest.counts(rows).items())
    print(f"{corpus}: {summary}")
    retriable = sum(row["status"] == "failed" and row["kind"] == "retriable" for row in rows)
    if retriable and not settings.retry_failed:
        print(f"{corpus}: {retriable} failures may pass another time: scrape.retry_failed=true asks for them again")
    if not any(row["status"] == "kept" for row in rows):
        raise UserError(f"{corpus}: none of {len(rows)} candidates could be kept ({summary}); see {RAW / corpus}")


def _run(work: Coroutine[None, None, list[dict]]) -> list[dict]:
    """Run to the end. SIGTERM cancels the work, so that connections and browser are closed in order, and exits."""

    async def stoppable() -> list[dict]:
        task = asyncio.ensure_future(work)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    before = signal.getsignal(signal.SIGTERM)
    try:
        return asyncio.run(stoppable())
    except asyncio.CancelledError:
        raise SystemExit(128 + signal.SIGTERM) from None
    finally:
        signal.signal(signal.SIGTERM, before)  # asyncio leaves the default behind


async def collect(
    sources: dict[str, Source], settings: Settings, folder: Path, served: dict[str, tuple[str, int]], corpus: str
) -> list[dict]:
    """Find and fetch, resuming what the work folder knows; gives the manifest's rows in order."""
    found, fetched = stage.Journal(folder / "found.jsonl"), stage.Journal(folder / "fetched.jsonl")
    blobs = folder / "blobs"
    blobs.mkdir(exist_ok=True)
    for part in blobs.glob("*.part"):  # of a run that was killed while writing
        part.unlink()
    try:
        async with Fetcher(settings.policy, settings.pace, settings.contact or "", settings.seed, served) as fetcher:
            finder = Finder(fetcher, found, settings.limits, settings.browser, settings.retry_failed)
            candidates: dict[str, tuple[str, Candidate]] = {}
            for name, source in sources.items():
                for candidate in await find(name, source, finder):
                    # An address that a second page shows too is one candidate; a local file belongs to its source.
                    local = candidate.url.startswith("file:")
                    key = f"{name}/{candidate.url}" if local else normal(candidate.url) or candidate.url
                    candidates.setdefault(key, (name, candidate))
            with ThreadPoolExecutor(os.cpu_count()) as threads:
                obtain = Obtain(sources, settings, fetcher, fetched, blobs, threads)
                return _mark_duplicates(await _in_turn(obtain, list(candidates.values()), corpus))
    finally:
        found.close()
        fetched.close()


@dataclass(frozen=True)
class Obtain:
    """Bring one candidate to its end: the row that the manifest will hold, its bytes stored under their sha256."""

    sources: dict[str, Source]
    settings: Settings
    fetcher: Fetcher
    journal: stage.Journal
    blobs: Path
    threads: ThreadPoolExecutor
    storing: asyncio.Lock = field(default_factory=asyncio.Lock)  # the same bytes may come twice at once

    async def __call__(self, entry: tuple[str, Candidate]) -> dict:
        name, candidate = entry
        outcome = candidate.outcome or self._by_licence(candidate) or await self._once(name, candidate)
        said = {key: getattr(candidate, key) for key in ("licence", "licence_evidence", "author", "title", "label")}
        blank = dict.fromkeys(manifest.SCHEMA.names) | {"redirects": [], "optout": [], "attempts": 0, "robots": "n/a"}
        known = {"url": candidate.url, "page_url": candidate.page_url, "source": name, "kind": None}
        return blank | known | said | outcome

    def _by_licence(self, candidate: Candidate) -> dict | None:
        if candidate.licence is None:
            detail = candidate.licence_evidence or "no licence is stated"
            return settled("rejected", "no-licence", detail)
        if candidate.licence not in self.settings.licences:
            return settled("refused", "licence-not-allowed", f"{candidate.licence} is not in scrape.licences")
        return None

    async def _once(self, name: str, candidate: Candidate) -> dict:
        source = self.sources[name]
        if isinstance(source, Folder):
            path = Path(source.path).expanduser() / candidate.url.removeprefix("file:")
            stat = path.stat()
            key = f"{path.absolute()} {stat.st_size} {stat.st_mtime_ns}"
        else:
            allow_private = getattr(source, "private_addresses", False)
            key = f"private {candidate.url}" if allow_private else candidate.url
        if key in self.journal:
            row = self.journal[key]
            if "status" not in row:  # fetched by a run that was killed before it had examined it
                return await self._examined(key, row, await self._aside((self.blobs / row["sha256"]).read_bytes))
            if not (self.settings.retry_failed and row.get("kind") == "retriable"):
                return row
        if isinstance(source, Folder):
            row, body = _read_local(path, self.settings.policy.max_bytes)
        else:
            reply = await self.fetcher.fetch(
                candidate.url, Terms(self.settings.policy.max_bytes, allow_private=allow_private)
            )
            row, body = outcome_of(reply), reply.body
        if "status" in row:
            self.journal.append(key, row)
            return row
        async with self.storing:
            row["sha256"] = await asyncio.to_thread(store, body, self.blobs)
        self.journal.append(key, row)
        return await self._examined(key, row, body)

    async def _examined(self, key: str, row: dict, body: bytes) -> dict:
        """Judge a body that is on disk. Two rows for one address, so that a kill in between does not ask again."""
        row = row | await self._aside(examine, body, row["sha256"], self.settings.policy.max_pixels)
        self.journal.append(key, row)
        return row

    async def _aside(self, work: Callable[..., Result], *args: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self.threads, work, *args)


def store(body: bytes, blobs: Path) -> str:
    """Put a body on disk under its sha256, which is given."""
    sha256 = hashlib.sha256(body).hexdigest()
    if not (blobs / sha256).exists():
        stage.write_atomically(blobs / sha256, body)
    return sha256


def examine(body: bytes, sha256: str, max_pixels: int) -> dict:
    """Judge whether a body is a picture; gives its part of the manifest's row."""
    row: dict = {"sha256": sha256, "bytes": len(body)}
    try:
        seen = media.probe(body)
        row |= {"media_type": seen.media_type, "width": seen.width, "height": seen.height}
        picture = media.flatten(media.decode(body, max_pixels, longest=PHASH_LONGEST))
    except media.MediaError as error:
        return row | {"status": "rejected", "reason": error.reason, "detail": str(error), "kind": "permanent"}
    name = f"{sha256}.{EXTENSIONS[seen.media_type]}"
    return row | {"phash": str(imagehash.phash(picture)), "file": f"files/{name}", "status": "kept"}


async def _in_turn(obtain: Obtain, entries: list[tuple[str, Candidate]], corpus: str) -> list[dict]:
    """Obtain all, each host at its own pace: a slow host holds no one else up."""
    by_host: dict[str, list[int]] = defaultdict(list)
    for index, (_, candidate) in enumerate(entries):
        by_host[host_name(candidate.url)].append(index)
    tick = ticks(len(entries), f"{corpus} pictures")
    rows: dict[int, dict] = {}

    async def work(index: int) -> None:
        rows[index] = await obtain(entries[index])
        tick()

    async def work_host(indices: list[int]) -> None:
        # Two more than the host's slots: pictures are examined while others are on their way.
        await each(indices, work, obtain.settings.pace.per_host + 2)

    await each(by_host.values(), work_host, len(by_host))
    return [rows[index] for index in range(len(entries))]


def _mark_duplicates(rows: list[dict]) -> list[dict]:
    """Keep the first row of each sha256, in the manifest's order; a near duplicate is cleaning's to judge."""
    first: dict[str, dict] = {}
    for row in rows:
        if row["status"] != "kept":
            continue
        owner = first.setdefault(row["sha256"], row)
        if owner is not row:
            detail = f"same bytes as {owner['url']} of {owner['source']}"
            row |= {"status": "rejected", "reason": "exact-duplicate", "detail": detail, "file": None}
    return rows


def _build(rows: list[dict], folder: Path) -> Path:
    """Build the folder to publish: the kept files, linked from the work folder, the manifest and the NOTICE."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    (out / "files").mkdir(parents=True)
    for row in rows:
        if row["status"] == "kept":
            os.link(folder / "blobs" / row["sha256"], out / row["file"])
    manifest.write(rows, out)
    return out


def _read_local(path: Path, max_bytes: int) -> tuple[dict, bytes]:
    """Read a file of a folder source under the byte cap, as an outcome and its bytes."""
    row = {"fetched_at": datetime.now(UTC).isoformat(timespec="milliseconds"), "robots": "n/a"}
    try:
        with open(path, "rb") as file:
            body = file.read(max_bytes + 1)
    except OSError as error:
        return row | settled("failed", "unreadable", error.strerror or type(error).__name__), b""
    if len(body) > max_bytes:
        return row | settled("rejected", "too-many-bytes", f"over {max_bytes} bytes"), b""
    return row, body


def _configured(settings: Settings, corpus: str, world: str) -> dict[str, Source]:
    """Give the corpus's sources, or say how to name some."""
    sources = settings.sources.get(corpus, {})
    if not sources:
        raise UserError(
            f"scrape.sources.{corpus}: no sources for world={world}; name some in conf/world/{world}.yaml"
            " (kinds: gallery, folder, urls, commons), or use world=demo"
        )
    if not settings.contact and any(not isinstance(source, Folder) for source in sources.values()):
        raise UserError(
            "scrape.contact: not set; hosts must be able to reach who scrapes them: scrape.contact=you@example.org"
        )
    return sources


@contextmanager
def _served(settings: Settings, folder: Path) -> Iterator[dict[str, tuple[str, int]]]:
    """Serve the demo gallery while scraping, where one is configured; gives names mapped to loopback addresses."""
    if not settings.serve:
        yield {}
        return
    with server.serve(Path(settings.serve), folder / "access.jsonl") as port:
        yield {server.HOST: ("127.0.0.1", port)}


if __name__ == "__main__":
    main()
