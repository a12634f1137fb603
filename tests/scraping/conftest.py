"""Real loopback servers with the routes a test needs, a fetcher in a hurry, and a small gallery built once."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from scraping.demo.server import HOST, Route, serve, write_site
from scraping.demo.site import SiteSettings, build
from scraping.fetch import Fetcher, Pace, Policy, Reply, Terms

POLICY = Policy(
    max_bytes=200_000,
    max_page_bytes=200_000,
    max_pixels=4_000_000,
    max_redirects=3,
    attempts=2,
    total_seconds=0.7,
    breaker_failures=50,
    max_wait_seconds=5,
)
PACE = Pace(concurrency=32, per_host=32, gap_seconds=0, backoff_seconds=0.01)


@dataclass(frozen=True)
class Loopback:
    """A served site: its port, and what it was asked for."""

    port: int
    log: Path

    def requests(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def paths(self) -> list[str]:
        return [request["path"] for request in self.requests()]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Loopback]]:
    """Serve routes: a str is a page's text, bytes a picture's body, a pair a Route with its page's text."""
    with ExitStack() as stack:

        def start(routes: dict[str, str | bytes | Route | tuple[Route, str]]) -> Loopback:
            folder = tmp_path / f"site-{len(list(tmp_path.glob('site-*')))}"
            folder.mkdir()
            table, pages = {}, {}
            for number, (path, answer) in enumerate(routes.items()):
                if isinstance(answer, bytes):
                    (folder / f"{number}.bin").write_bytes(answer)
                    answer = Route("image/jpeg", file=f"{number}.bin")
                if isinstance(answer, str):
                    answer = Route(), answer
                if isinstance(answer, tuple):
                    answer, pages[path] = answer
                table[path] = answer
            write_site(folder, table, pages)
            return Loopback(stack.enter_context(serve(folder, folder / "log.jsonl")), folder / "log.jsonl")

        yield start


@pytest.fixture
def fetch() -> Callable[..., list[Reply]]:
    """Fetch addresses of gallery.demo all at once and give the replies; `policy` and `pace` take changes as dicts."""

    def ask(loopback: Loopback, *paths: str, policy: dict | None = None, pace: dict | None = None, **terms: object):
        rules, speed = POLICY.model_copy(update=policy or {}), PACE.model_copy(update=pace or {})
        asked = replace(Terms(rules.max_bytes), **terms)

        async def run() -> list[Reply]:
            served = {HOST: ("127.0.0.1", loopback.port)}
            async with Fetcher(rules, speed, "test@example.org", 0, served) as fetcher:
                links = [path if "://" in path else f"http://{HOST}{path}" for path in paths]
                return await asyncio.gather(*(fetcher.fetch(link, asked) for link in links))

        return asyncio.run(run())

    return ask


@pytest.fixture(scope="session")
def draw() -> Callable[[int], Image.Image]:
    """Draw a small picture of its own for each number."""

    def make(number: int, width: int = 96, height: int = 96) -> Image.Image:
        rng = np.random.default_rng(number)
        noise = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        picture = noise.resize((width, height), Image.Resampling.BICUBIC)
        x, y = rng.integers(0, 60, 2)
        ImageDraw.Draw(picture).ellipse([x, y, x + 30, y + 30], fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
        return picture

    return make


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, draw: Callable[[int], Image.Image]) -> Path:
    """Build the galleries of two corpora from drawn pictures: gallery/<corpus> and truth/<corpus>."""
    base = tmp_path_factory.mktemp("world")
    settings = SiteSettings(
        page_length=8,
        crawl_delay_seconds=0.01,
        exact_duplicates=2,
        near_duplicates=3,
        slow_seconds=0.1,
        retry_after_seconds=1,
        huge_bytes=16_777_216,
    )
    for corpus in ("portrait", "fashion"):
        gallery = base / "gallery" / corpus
        (gallery / "pictures").mkdir(parents=True)
        people = []
        for number in range(20):
            file = f"pictures/{corpus}-{number:04d}.jpg"
            draw(number).save(gallery / file, quality=92)
            licence = "CC0-1.0" if number % 4 else "CC-BY-4.0"
            row = {"name": Path(file).stem, "file": file, "title": f"Figure {number}", "licence": licence, "tags": []}
            people.append(row | {"author": "Dramatis demo world"})
        (gallery / "people.json").write_text(json.dumps(people))
        build(gallery, base / "truth" / corpus, corpus, settings, seed=0)
    return base


@pytest.fixture
def hurry() -> tuple[Policy, Pace]:
    """The policy and pace of tests: short times, small caps, two attempts."""
    return POLICY, PACE
