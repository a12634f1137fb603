"""Build the site around a corpus's rendered pictures: its pages, its rules, and what one meets on the real web."""

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars
from PIL import Image
from pydantic import Field

from scraping import stage
from scraping.demo import hostile, templates
from scraping.demo.server import Route, write_site

FEWEST = 8  # people: five of them misbehave, each at a place of its own
ENDLESS = {"fashion"}  # corpora whose listing needs a browser
MEDIA_TYPES = {".jpg": "image/jpeg", ".png": "image/png"}
PRIVATE_TARGET = "http://10.0.0.7/secret.jpg"

Maker = Callable[[Image.Image], bytes]


class SiteSettings(stage.Settings):
    """conf/scraping/demo.yaml, `demo.site`."""

    page_length: int = Field(ge=1)  # cards of a static page, or of a batch of the endless one
    crawl_delay_seconds: float = Field(ge=0)
    exact_duplicates: int = Field(ge=0)
    near_duplicates: int = Field(ge=0)
    slow_seconds: float = Field(ge=0)
    retry_after_seconds: int = Field(ge=0)
    huge_bytes: int = Field(ge=1)


@dataclass(frozen=True)
class Served:
    """A served file that shows an original's person in other bytes."""

    file: Path
    original_name: str
    sha256: str
    transform: str


@dataclass(frozen=True)
class Work:
    """One work of the gallery: its page, its picture's address and how that answers."""

    slug: str
    title: str
    picture: str  # its address: a path, or absolute
    author: str | None
    licence: str | None
    tags: list[str]
    route: Route | None = None  # of the picture's path; None where nothing answers there
    page_path: str = ""
    head: str = ""
    after: str | None = None  # the slug of the work behind which it has to stand
    expected: tuple[str, str | None] | None = None  # (status, reason) in the manifest, of special works

    @property
    def link(self) -> str:
        return self.page_path or f"/works/{self.slug}"


@dataclass
class Builder:
    """What is being built: works in order, extra routes, served variants."""

    gallery: Path
    settings: SiteSettings
    works: list[Work]
    routes: dict[str, Route] = field(default_factory=dict)
    served: list[Served] = field(default_factory=list)

    def variant(self, original: Work, name: str, suffix: str, make: Maker) -> Route:
        """Make a file out of an original's picture, and give the route that serves it."""
        with Image.open(self.gallery / original.route.file) as picture:
            body = make(picture.convert("RGB"))
        file = f"served/{name}{suffix}"
        (self.gallery / file).parent.mkdir(exist_ok=True)
        (self.gallery / file).write_bytes(body)
        kind = MEDIA_TYPES.get(suffix, "image/gif" if suffix == ".gif" else "image/svg+xml")
        return Route(type=kind, file=file, sha256=hashlib.sha256(body).hexdigest())

    def shows(self, original: Work, route: Route, transform: str) -> None:
        """Note that a served variant shows its original's person."""
        self.served.append(Served(self.gallery / route.file, original.slug, route.sha256, transform))


def build(gallery: Path, truth: Path, corpus: str, settings: SiteSettings, seed: int) -> list[Served]:
    """Write the site of a gallery of pictures/ and people.json; expected outcomes go to `truth`/routes.parquet."""
    people = json.loads((gallery / "people.json").read_text(encoding="utf-8"))
    builder = Builder(gallery, settings, [_work(gallery, person) for person in people])
    rng = random.Random(f"{seed}/site/{corpus}")
    originals = list(builder.works)
    _misbehave(builder)
    specials = [*_repeats(builder, originals, rng), *_files(builder, originals), *_addresses(builder, originals)]
    works = _mix(builder.works, specials, settings.page_length, rng)
    routes, pages = _write_pages(corpus, works, settings)
    write_site(gallery, routes | builder.routes, pages)
    truth.mkdir(parents=True, exist_ok=True)
    expected = [(work.picture, *work.expected) for work in works if work.expected]
    polars.DataFrame(expected, schema=["path", "expected_status", "expected_reason"], orient="row").write_parquet(
        truth / "routes.parquet"
    )
    return builder.served


def _work(gallery: Path, person: dict) -> Work:
    file = person["file"]
    body = (gallery / file).read_bytes()
    route = Route(type=MEDIA_TYPES[Path(file).suffix], file=file, sha256=hashlib.sha256(body).hexdigest())
    picture = f"/files/{Path(file).name}"
    return Work(
        person["name"], person["title"], picture, person["author"], person["licence"], person.get("tags", []), route
    )


def _misbehave(builder: Builder) -> None:
    """Give five good pictures an address with a difficulty that a patient scraper overcomes."""
    settings, works = builder.settings, builder.works
    wait = {"Retry-After": str(settings.retry_after_seconds)}
    unsafe = 'inline; filename="../../x.jpg"'
    difficulties = [
        ("/files/slow.jpg", {"delay_seconds": settings.slow_seconds}),
        ("/files/busy.jpg", {"first_status": 429, "first_headers": wait}),
        ("/files/flaky.jpg", {"first_status": 503}),
        ("/files/..%2f..%2f..%2fetc%2fpasswd.jpg", {"headers": {"Content-Disposition": unsafe}}),
    ]
    step = len(works) // (len(difficulties) + 2)
    for number, (path, behaviour) in enumerate(difficulties, start=1):
        work = works[number * step]
        works[number * step] = replace(
            work, picture=path, route=replace(work.route, **behaviour), expected=("kept", None)
        )
    moved = works[-1 - step]
    builder.routes["/files/moved.jpg"] = Route(status=302, headers={"Location": moved.picture})
    builder.routes[moved.picture] = moved.route
    works[-1 - step] = replace(moved, picture="/files/moved.jpg", route=None, expected=("kept", None))


def _repeats(builder: Builder, originals: list[Work], rng: random.Random) -> list[Work]:
    """Show some originals again: the same bytes at another address, and nearly the same ones."""
    settings, found = builder.settings, []
    for number, original in enumerate(rng.sample(originals, settings.exact_duplicates), start=1):
        path = f"/reprints/{number}{Path(original.route.file).suffix}"
        again = _special(original, f"reprint-{number}", path, original.route, "rejected", "exact-duplicate")
        found.append(replace(again, title=original.title, after=original.slug))
    for number, original in enumerate(rng.sample(originals, settings.near_duplicates), start=1):
        transform = list(hostile.NEAR)[number % len(hostile.NEAR)]
        route = builder.variant(original, f"near-{number}", ".jpg", hostile.NEAR[transform])
        builder.shows(original, route, transform)
        again = _special(original, f"edition-{number}", f"/editions/{number}.jpg", route, "kept", None)
        found.append(replace(again, title=original.title, after=original.slug))
    return found


def _files(builder: Builder, originals: list[Work]) -> list[Work]:
    """Add files that are awkward but good, and files that are no use."""
    found = []
    for number, (name, suffix, make) in enumerate(
        [("cmyk", ".jpg", hostile.cmyk), ("16-bit", ".png", hostile.deep), ("exif-rotated", ".jpg", hostile.turned)]
    ):
        original = originals[-1 - number]
        route = builder.variant(original, name, suffix, make)
        builder.shows(original, route, name)
        found.append(_special(original, name, f"/odd/{name}{suffix}", route, "kept", None))
    useless = [
        ("truncated", ".jpg", hostile.truncated, "truncated"),
        ("page-as-picture", ".jpg", hostile.page, "not-a-picture"),
        ("bomb", ".png", hostile.bomb, "too-many-pixels"),
        ("animated", ".gif", hostile.animated, "animated"),
        ("drawing", ".svg", hostile.drawing, "unsupported-format"),
    ]
    for name, suffix, make, reason in useless:
        route = builder.variant(originals[0], name, suffix, make)
        found.append(_special(originals[0], name, f"/odd/{name}{suffix}", route, "rejected", reason))
    return found


def _addresses(builder: Builder, originals: list[Work]) -> list[Work]:
    """Add addresses that fail, mislead, or are not ours to ask."""
    base, settings = originals[0], builder.settings
    good, size = base.route, (builder.gallery / base.route.file).stat().st_size

    def to(place: str) -> Route:
        return Route(status=302, headers={"Location": place})

    zeros = Route("image/jpeg", zeros=settings.huge_bytes)
    opted_out = replace(good, headers={"X-Robots-Tag": "noai, noimageai"})
    table: list[tuple[str, Route | None, str, str | None]] = [
        ("/odd/missing.jpg", None, "failed", "http-404"),
        ("/odd/broken-server.jpg", Route(status=500), "failed", "http-500"),
        ("/odd/dripping.jpg", replace(good, drip_seconds=0.5), "failed", "timeout"),
        ("/odd/promises-more.jpg", replace(good, length=size * 2), "failed", "incomplete"),
        ("/odd/promises-less.jpg", replace(good, length=size // 2), "rejected", "truncated"),
        ("/odd/huge.jpg", zeros, "rejected", "too-many-bytes"),
        ("/odd/endless.jpg", replace(zeros, announced=False), "rejected", "too-many-bytes"),
        ("/odd/loop-a.jpg", to("/odd/loop-b.jpg"), "refused", "too-many-redirects"),
        ("/odd/inward.jpg", to(PRIVATE_TARGET), "refused", "private-address"),
        ("/odd/sneaky.jpg", to("/private/visitors.jpg"), "refused", "robots-disallowed"),
        ("/odd/file-scheme.jpg", to("file:///etc/passwd"), "refused", "bad-address"),
        ("/odd/opted-out.jpg", opted_out, "refused", "opt-out"),
        ("/reserved/mined.jpg", good, "refused", "opt-out"),
        ("/private/forbidden.jpg", good, "refused", "robots-disallowed"),
    ]
    builder.routes["/odd/loop-b.jpg"] = to("/odd/loop-a.jpg")
    builder.routes["/private/visitors.jpg"] = good
    found = [_special(base, Path(path).stem, path, route, status, reason) for path, route, status, reason in table]
    meta = '<meta name="robots" content="noai, noimageai">\n'
    told = _special(base, "meta-opted-out", "/odd/meta-opted-out.jpg", good, "refused", "opt-out")
    bare = _special(base, "no-licence", "/odd/no-licence.jpg", good, "rejected", "no-licence")
    narrow = _special(base, "narrow-licence", "/odd/narrow-licence.jpg", good, "refused", "licence-not-allowed")
    hidden = _special(base, "hidden", "/private/hidden", None, "refused", "robots-disallowed")
    found += [replace(told, head=meta), replace(bare, licence=None), replace(narrow, licence="CC-BY-NC-ND-4.0")]
    # The page itself is forbidden: what its picture's address would be is never known.
    return [*found, replace(hidden, page_path="/private/hidden")]


def _special(original: Work, slug: str, path: str, route: Route | None, status: str, reason: str | None) -> Work:
    title = slug.replace("-", " ").capitalize()
    return replace(original, slug=slug, title=title, picture=path, route=route, expected=(status, reason))


def _mix(works: list[Work], specials: list[Work], page_length: int, rng: random.Random) -> list[Work]:
    """Strew the specials among the works: what takes long near the start, a repeat behind what it repeats."""
    works = list(works)
    for special in specials:
        first = 1 + next((index for index, work in enumerate(works) if work.slug == special.after), -1)
        last = min(page_length, len(works)) if special.expected[0] == "failed" else len(works)
        works.insert(rng.randint(max(first, last // 2), last), special)
    return works


def _write_pages(corpus: str, works: list[Work], settings: SiteSettings) -> tuple[dict[str, Route], dict[str, str]]:
    """Build every page and the route of every picture."""
    pages = {
        "/style.css": templates.STYLE,
        "/robots.txt": f"User-agent: *\nDisallow: /private/\nCrawl-delay: {settings.crawl_delay_seconds:g}\n",
        "/.well-known/tdmrep.json": json.dumps([{"location": "/reserved/", "tdm-reservation": 1}]),
    }
    types = {"/style.css": "text/css", "/robots.txt": "text/plain", "/.well-known/tdmrep.json": "application/json"}
    cards = [(work.link, work.picture, work.title) for work in works]
    batches = [cards[start : start + settings.page_length] for start in range(0, len(cards), settings.page_length)]
    if corpus in ENDLESS:
        pages[f"/{corpus}/"] = templates.endless(corpus)
        pages["/scroll.js"], types["/scroll.js"] = templates.SCROLL, "text/javascript"
        for number, batch in enumerate(batches):
            path = f"/{corpus}/batch/{number}.json"
            entries = [{"link": link, "picture": picture, "title": title} for link, picture, title in batch]
            pages[path] = json.dumps({"cards": entries, "last": number == len(batches) - 1}, ensure_ascii=False)
            types[path] = "application/json"
    else:
        for number, batch in enumerate(batches, start=1):
            shown = [templates.card(*card) for card in batch]
            pages[templates.listing_path(corpus, number)] = templates.listing(corpus, shown, number, len(batches))
    pages["/"] = pages[f"/{corpus}/"]
    routes = {path: Route(type=types.get(path, Route.type)) for path in pages}
    for work in works:
        pages[work.link] = templates.work(
            corpus, work.title, work.picture, work.author, work.licence, work.tags, work.head
        )
        routes[work.link] = Route()
        if work.route and work.picture != work.link:
            routes[work.picture] = work.route
    return routes, pages
