"""Where candidates come from: `gallery` pages, a local `folder`, lists of `urls`, Wikimedia `commons`.

A source only finds addresses and what is said about them; the pictures are fetched by one hand, in scrape.py.
"""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import polars
import pydantic

from inference.errors import UserError
from scraping import browser, commons, pages, robots, stage
from scraping.fetch import Fetcher, Problem, Reply, Terms
from scraping.licences import spdx

PICTURE_SUFFIXES = {*(".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".svg")}
SIDECAR_MAX_BYTES = 64 * 1024

Item = TypeVar("Item")
Result = TypeVar("Result")
Rule = Annotated[str, pydantic.AfterValidator(pages.checked_rule)]


# What a source may leave out has its default here: no YAML holds defaults for the entries that a user names.
class Gallery(stage.Settings):
    """Listings that link to picture pages; via the browser, endless listings instead of ones with a `next` page."""

    kind: Literal["gallery"]
    via: Literal["static", "browser"]
    start: list[str] = pydantic.Field(min_length=1)
    item: Rule
    next: Rule | None = None
    page: pages.PageRules
    private_addresses: bool = False


class Folder(stage.Settings):
    """Local pictures. What `<file>.json` or `<stem>.json` beside one says goes before licence, author and label."""

    kind: Literal["folder"]
    path: str
    licence: str | None = None
    author: str | None = None
    label: str | None = None


class Columns(stage.Settings):
    """Which columns of a table hold what."""

    url: str = "url"
    page_url: str | None = None
    licence: str | None = None
    author: str | None = None
    title: str | None = None
    label: str | None = None


class Urls(stage.Settings):
    """A list of addresses: one a line (.txt), or a table (.csv, .parquet)."""

    kind: Literal["urls"]
    path: str
    columns: Columns = Columns()
    licence: str | None = None
    author: str | None = None
    label: str | None = None
    private_addresses: bool = False


Source = Annotated[Gallery | Folder | Urls | commons.Commons, pydantic.Field(discriminator="kind")]


class Limits(stage.Settings):
    """How much one source may bring."""

    pages: pydantic.PositiveInt
    items: pydantic.PositiveInt


@dataclass(frozen=True)
class Candidate:
    """A picture that was found, and what its page says about it."""

    url: str
    page_url: str | None = None
    licence: str | None = None
    licence_evidence: str | None = None
    author: str | None = None
    title: str | None = None
    label: str | None = None
    outcome: dict | None = None  # of a candidate that is settled before any picture is asked


@dataclass(frozen=True)
class Finder:
    """What finding needs. Each finished page is journaled, so that a resumed run does not ask for it again."""

    fetcher: Fetcher
    journal: stage.Journal
    limits: Limits
    browser: browser.BrowserSettings
    retry_failed: bool

    async def once(self, key: str, make: Callable[[], Awaitable[dict]]) -> dict:
        """Give the journaled row of a step, or make and journal it."""
        if key in self.journal:
            row = self.journal[key]
            if not (self.retry_failed and row.get("kind") == "retriable"):
                return row
        row = await make()
        self.journal.append(key, row)
        return row


async def find(name: str, source: Source, finder: Finder) -> list[Candidate]:
    """Find a source's candidates, in the order in which the source lists them."""
    step = f"{name}/{stage.fingerprint(source.model_dump())}"
    if isinstance(source, Folder):
        found = _folder(source)
    elif isinstance(source, Urls):
        found = _urls(source)
    elif isinstance(source, commons.Commons):
        found = await _commons(step, source, finder)
    else:
        found = await _gallery(step, source, finder)
    if not found:
        place = source.path if isinstance(source, Folder | Urls) else "its pages"
        raise UserError(
            f"scrape source {name} ({source.kind}) found no picture in {place}: check its path, address and rules"
        )
    return found[: finder.limits.items]


async def each(items: Iterable[Item], work: Callable[[Item], Awaitable[Result]], workers: int) -> list[Result]:
    """Do the work on every item, some at a time, results in order; the first exception stops the rest and is raised."""
    queue = list(enumerate(items))
    results: dict[int, Result] = {}
    waiting = iter(queue)

    async def worker() -> None:
        for index, item in waiting:
            results[index] = await work(item)

    tasks = [asyncio.create_task(worker()) for _ in range(min(workers, len(queue)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [results[index] for index, _ in queue]


def ticks(total: int, label: str) -> Callable[[], None]:
    """Show progress for work that ends in no order: each call tells of one more item done."""
    steps = stage.progress(itertools.repeat(None), total, label)
    next(steps)
    return lambda: next(steps)


def outcome_of(reply: Reply) -> dict:
    """Put a reply into the manifest's words; `kind` tells what may be tried again."""
    problem = reply.problem
    row = {
        "redirects": list(reply.redirects),
        "fetched_at": reply.fetched_at,
        "http_status": reply.status,
        "attempts": reply.attempts,
        "robots": reply.robots,
        "optout": list(reply.optout),
    }
    if problem is None:
        return row
    status = "refused" if problem.kind == "policy" else "failed"
    if problem.reason == "too-many-bytes":
        status = "rejected"
    return row | {"status": status, "reason": problem.reason, "detail": problem.detail, "kind": problem.kind}


def settled(status: str, reason: str, detail: str, **more: object) -> dict:
    """Build the outcome of a candidate that is decided without asking for its picture."""
    return {"status": status, "reason": reason, "detail": detail, "kind": "permanent", **more}


async def _gallery(step: str, source: Gallery, finder: Finder) -> list[Candidate]:
    links, failed = await (_scroll if source.via == "browser" else _leaf_through)(step, source, finder)

    links = links[: finder.limits.items]
    tick = ticks(len(links), f"{step.partition('/')[0]} pages")

    async def visit(link: str) -> list[Candidate]:
        row = await finder.once(f"{step}/page/{link}", lambda: _read_page(link, source, finder))
        tick()
        return [Candidate(**entry) for entry in row["candidates"]]

    found = await each(links, visit, finder.fetcher.pace.concurrency)
    return [candidate for part in found for candidate in part] + failed


async def _leaf_through(step: str, source: Gallery, finder: Finder) -> tuple[list[str], list[Candidate]]:
    """Follow a listing from page to page; a page that fails ends its listing and is itself reported."""
    links: dict[str, None] = {}
    failed: list[Candidate] = []
    seen: set[str] = set()
    for start in source.start:
        url: str | None = start
        while url and url not in seen and len(seen) < finder.limits.pages and len(links) < finder.limits.items:
            seen.add(url)
            row = await finder.once(f"{step}/listing/{url}", lambda url=url: _read_listing(url, source, finder))
            if row.get("status"):
                failed.append(Candidate(url, url, outcome=row))
            links |= dict.fromkeys(row.get("items", []))
            url = row.get("following")
    return list(links), failed


async def _read_listing(url: str, source: Gallery, finder: Finder) -> dict:
    reply = await finder.fetcher.fetch(url, _page_terms(source, finder))
    if reply.problem:
        return outcome_of(reply)
    listing = await asyncio.to_thread(pages.read_listing, reply.body, reply.url, source.item, source.next)
    return asdict(listing)


async def _scroll(step: str, source: Gallery, finder: Finder) -> tuple[list[str], list[Candidate]]:
    links: dict[str, None] = {}
    failed: list[Candidate] = []
    for start in source.start:
        key = f"{step}/scroll/{finder.limits.items}/{start}"
        row = await finder.once(key, lambda start=start: _scroll_page(start, source, finder))
        if row.get("status"):
            failed.append(Candidate(start, start, outcome=row))
        links |= dict.fromkeys(row.get("items", []))
    return list(links), failed


async def _scroll_page(start: str, source: Gallery, finder: Finder) -> dict:
    """Scroll a page in the browser, once robots.txt allows it."""
    fetcher = finder.fetcher
    refusal = await fetcher.judge(start, _page_terms(source, finder))
    if refusal is not None:
        return outcome_of(refusal)
    target = await fetcher.target_of(start, source.private_addresses)
    if isinstance(target, Problem):
        return outcome_of(Reply(start, problem=target))
    rules = await fetcher.rules(start, source.private_addresses)
    rule, attribute = pages.split_rule(source.item)
    task = browser.Scroll(
        *(start, rule, attribute or "href", finder.limits.items, fetcher.host(start).gap, rules.disallowed)
    )
    try:
        items = await browser.scroll(task, target, fetcher.user_agent, finder.browser)
    except browser.PageFailed as error:
        return settled("failed", "browser", str(error)) | {"kind": "retriable"}
    if not items:  # not journaled as an empty listing: the page may have had a bad day
        return settled("failed", "no-items", f"no {source.item} appeared") | {"kind": "retriable"}
    return {"items": items}


async def _read_page(url: str, source: Gallery, finder: Finder) -> dict:
    """Read a picture's page into candidates; a page that fails is a candidate that failed."""
    reply = await finder.fetcher.fetch(url, _page_terms(source, finder))
    outcome = outcome_of(reply)
    if reply.problem:
        return {"candidates": [asdict(Candidate(url, url, outcome=outcome))], "kind": reply.problem.kind}
    found = await asyncio.to_thread(pages.read_page, reply.body, reply.url, source.page)
    said = {key: getattr(found, key) for key in ("licence", "licence_evidence", "author", "title", "label")}
    verdict = None
    if found.optout:
        detail = "; ".join(found.optout)
        verdict = settled("refused", "opt-out", detail, robots=reply.robots, optout=found.optout)
    if not found.pictures:
        detail = f"no {source.page.picture} on the page"
        return {"candidates": [asdict(Candidate(url, url, outcome=outcome | settled("failed", "no-picture", detail)))]}
    return {"candidates": [asdict(Candidate(link, url, **said, outcome=verdict)) for link in found.pictures]}


def _page_terms(source: Gallery, finder: Finder) -> Terms:
    return Terms(finder.fetcher.policy.max_page_bytes, robots.PAGE_TAGS, source.private_addresses)


async def _commons(step: str, source: commons.Commons, finder: Finder) -> list[Candidate]:
    """Ask the API page by page, following its `continue`."""
    found: list[Candidate] = []
    for query in commons.queries(source):
        more: dict | None = {}
        asked = 0
        while more is not None and asked < finder.limits.pages and len(found) < finder.limits.items:
            url = commons.address(source, query | more)
            row = await finder.once(f"{step}/api/{url}", lambda url=url: _ask_commons(url, finder))
            if row.get("status"):
                found.append(Candidate(url, url, outcome=row))
            for entry in row.get("files", []):
                found.append(Candidate(**commons.describe(entry, source)))
            more, asked = row.get("continue"), asked + 1
    return found


async def _ask_commons(url: str, finder: Finder) -> dict:
    """Ask once; the API's own "too busy" is waited for, as its etiquette asks."""
    fetcher = finder.fetcher
    terms = Terms(fetcher.policy.max_page_bytes, frozenset(), ask_robots=False)
    for _ in range(fetcher.policy.attempts):
        reply = await fetcher.fetch(url, terms)
        if reply.problem:
            return outcome_of(reply)
        row = commons.read_answer(reply.body)
        if row.get("kind") != "retriable":
            break
        fetcher.host(url).pause(commons.pause_seconds(reply.header("retry-after")))
    return (outcome_of(reply) | row) if row.get("status") else row


def _folder(source: Folder) -> list[Candidate]:
    base = Path(source.path).expanduser()
    if not base.is_dir():
        raise UserError(f"{source.path}: no such folder; a source of kind folder needs the path of one with pictures")
    files = sorted(path for path in base.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())
    return [_local(path, base, source) for path in files]


def _local(path: Path, base: Path, source: Folder) -> Candidate:
    name = path.relative_to(base).as_posix()
    sidecars = (path.with_name(path.name + ".json"), path.with_suffix(".json"))
    sidecar = next((file for file in sidecars if file.is_file()), None)
    said = _read_sidecar(sidecar) if sidecar else {}
    evidence = "from config"
    if sidecar and said.get("licence"):
        evidence = f"{sidecar.relative_to(base).as_posix()}: {said['licence'][: pages.EVIDENCE_LENGTH]}"
    licence = said.get("licence") or source.licence
    return Candidate(
        url=f"file:{name}",
        page_url=said.get("page_url"),
        licence=spdx(licence) or licence,
        licence_evidence=evidence if licence else None,
        author=said.get("author") or source.author,
        title=said.get("title") or path.stem,
        label=said.get("label") or source.label,
    )


def _read_sidecar(path: Path) -> dict[str, str]:
    """Read what a sidecar says; one that is no JSON object of strings says nothing."""
    if path.stat().st_size > SIDECAR_MAX_BYTES:
        return {}
    try:
        said = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return {}
    return {key: value for key, value in said.items() if isinstance(value, str)} if isinstance(said, dict) else {}


def _urls(source: Urls) -> list[Candidate]:
    path = Path(source.path).expanduser()
    if not path.is_file():
        raise UserError(f"{source.path}: no such file; a source of kind urls needs a .txt, .csv or .parquet")
    if path.suffix == ".txt":
        rows: Iterable[dict] = [{"url": line} for line in _lines(path)]
    elif path.suffix in (".csv", ".parquet"):
        rows = _table(path, source.columns)
    else:
        raise UserError(f"{source.path}: a list of addresses is a .txt, .csv or .parquet, not {path.suffix or 'bare'}")
    found = []
    for row in rows:
        licence = row.get("licence") or source.licence
        evidence = f"{path.name}: {row['licence']}" if row.get("licence") else "from config"
        extra = {"licence": spdx(licence) or licence, "licence_evidence": evidence if licence else None}
        usual = {"author": row.get("author") or source.author, "label": row.get("label") or source.label}
        found.append(Candidate(**{**row, **extra, **usual}))
    return found


def _lines(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}: save the list of addresses as UTF-8") from None
    return [line for line in lines if line and not line.startswith("#")]


def _table(path: Path, columns: Columns) -> Iterable[dict]:
    try:
        frame = polars.read_csv(path, infer_schema=False) if path.suffix == ".csv" else polars.read_parquet(path)
    except polars.exceptions.PolarsError as error:
        raise UserError(f"{path}: not a readable {path.suffix[1:]}: {str(error).splitlines()[0]}") from None
    wanted = {key: column for key, column in columns.model_dump().items() if column}
    missing = [column for column in wanted.values() if column not in frame.columns]
    if missing:
        raise UserError(f"{path}: no column {missing[0]!r}; it has {', '.join(frame.columns)}")
    frame = frame.select(polars.col(column).cast(polars.String).alias(key) for key, column in wanted.items())
    return [row for row in frame.iter_rows(named=True) if row["url"]]
