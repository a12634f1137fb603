"""Pictures per second of the scraper, all safety on, from a loopback server: python -m benchmarks.scraping --json

Three ways fetch the same pictures from the same server (a process of its own), turn by turn:

- `bare`: httpx alone, as many requests at once, bodies thrown away. It is no floor of ours: it decodes nothing.
- `examined`: httpx, then what any data set needs of a picture: sha256, a full decode that proves it whole, a perceptual
  hash, the bytes on disk. On two cores the server takes part of one, so decoding (about 4 ms of CPU a picture of
  512x768) bounds what can be reached.
- `ours`: the stage's own `collect`: the same examination, and robots.txt, opt-out signals, the judged address, caps,
  total time, pace, the journal, the manifest's rows. `share_of_examined` is what the safety costs.
"""

import argparse
import asyncio
import contextlib
import io
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from scraping.browser import BrowserSettings
from scraping.demo.server import HOST, Route, write_site
from scraping.fetch import Pace, Policy
from scraping.scrape import Settings, collect, examine, store
from scraping.sources import Columns, Limits, Urls

AT_ONCE = 16
MAX_PIXELS = 64_000_000


def make_site(folder: Path, count: int) -> list[str]:
    """Write a site of photo-like JPEGs, 512x768, and give their paths."""
    rng = np.random.default_rng(0)
    base = Image.fromarray(rng.integers(0, 256, (96, 64, 3), dtype=np.uint8)).resize(
        (512, 768), Image.Resampling.BICUBIC
    )
    routes = {"/robots.txt": Route("text/plain")}
    for number in range(count):
        out = io.BytesIO()
        base.rotate(number % 360, expand=False).save(out, "JPEG", quality=88, comment=str(number).encode())
        (folder / f"{number}.jpg").write_bytes(out.getvalue())
        routes[f"/{number}.jpg"] = Route("image/jpeg", file=f"{number}.jpg")
    write_site(folder, routes, {"/robots.txt": "User-agent: *\nDisallow: /private/\n"})
    return [path for path in routes if path.endswith(".jpg")]


def keep(body: bytes, blobs: Path) -> dict:
    """Store a body and examine it, as the stage does."""
    return examine(body, store(body, blobs), MAX_PIXELS)


async def fetch_bare(port: int, paths: list[str], blobs: Path | None) -> int:
    """Fetch with httpx alone; examine and store the bodies where `blobs` is given."""
    waiting, total = iter(paths), 0
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor() as threads:
        async with httpx.AsyncClient(limits=httpx.Limits(max_connections=AT_ONCE), trust_env=False) as client:

            async def work() -> None:
                nonlocal total
                for path in waiting:
                    body = (await client.get(f"http://127.0.0.1:{port}{path}")).content
                    if blobs is not None:
                        await loop.run_in_executor(threads, keep, body, blobs)
                    total += len(body)

            await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return total


def fetch_ours(port: int, paths: list[str], folder: Path) -> int:
    """Fetch with the stage's own hand; gives the bytes kept."""
    (folder / "list.txt").write_text("".join(f"http://{HOST}{path}\n" for path in paths))
    common = {"licence": "CC0-1.0", "author": None, "label": None, "private_addresses": False}
    source = Urls(kind="urls", path=str(folder / "list.txt"), columns=Columns(url="url"), **common)
    policy = {"max_bytes": 33554432, "max_page_bytes": 4194304, "max_pixels": MAX_PIXELS, "max_redirects": 5}
    times = {"attempts": 3, "total_seconds": 60, "breaker_failures": 10, "max_wait_seconds": 120}
    settings = Settings(
        contact="benchmark@example.org",
        seed=0,
        serve=None,
        retry_failed=False,
        licences=["CC0-1.0"],
        limits=Limits(pages=1, items=len(paths)),
        policy=Policy(**policy, **times),
        pace=Pace(concurrency=AT_ONCE, per_host=AT_ONCE, gap_seconds=0, backoff_seconds=1),
        browser=BrowserSettings(binary=None, driver=None, flags=[], step_seconds=1, stable_steps=1, max_seconds=1),
        sources={},
    )
    with contextlib.redirect_stdout(sys.stderr):  # its progress; the result alone goes to stdout
        rows = asyncio.run(collect({"list": source}, settings, folder, {HOST: ("127.0.0.1", port)}, "benchmark"))
    assert all(row["status"] == "kept" for row in rows)
    return sum(row["bytes"] for row in rows)


def measure(count: int, rounds: int) -> dict:
    """Run the three ways turn by turn; medians over the rounds."""
    rates: dict[str, list[float]] = {"bare": [], "examined": [], "ours": []}
    with tempfile.TemporaryDirectory() as name:
        site = Path(name) / "site"
        site.mkdir()
        paths = make_site(site, count)
        command = [sys.executable, "-m", "scraping.demo.server", str(site)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            port = int(re.search(r":(\d+)/", server.stdout.readline()).group(1))
            for number in range(rounds):
                for way, done in rates.items():
                    folder = Path(name) / f"{way}-{number}"
                    folder.mkdir()
                    started = time.perf_counter()
                    if way == "ours":
                        total = fetch_ours(port, paths, folder)
                    else:
                        total = asyncio.run(fetch_bare(port, paths, folder if way == "examined" else None))
                    done.append(count / (time.perf_counter() - started))
            server.terminate()
    median = {way: statistics.median(done) for way, done in rates.items()}
    return {
        "pictures": count,
        "rounds": rounds,
        "mean_bytes": total // count,
        **{f"{way}_pictures_per_s": round(rate, 1) for way, rate in median.items()},
        "share_of_bare": round(median["ours"] / median["bare"], 3),
        "share_of_examined": round(median["ours"] / median["examined"], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Pictures per second from a loopback server, all safety on.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    result = measure(args.pictures, args.rounds)
    if args.json:
        print(json.dumps(result))
    else:
        print("\n".join(f"{name:24} {value}" for name, value in result.items()))


if __name__ == "__main__":
    main()
