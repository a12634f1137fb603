"""Fetch big files to disk: resumed where they were left, capped, hop by hop to public addresses alone.

For files whose address their publisher gives to programs (a release's archives): no page and no picture comes so.
"""

import asyncio
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

import httpcore
import httpx
import pydantic

from scraping import stage
from scraping.fetch import REDIRECTS, RETRIABLE_STATUS
from scraping.network import GuardedBackend, NameUnknown, PrivateAddress, absolute

LINE_SECONDS = 15.0


class Patience(stage.Settings):
    """How long and how often an address is tried."""

    attempts: pydantic.PositiveInt
    stall_seconds: pydantic.PositiveFloat  # without a byte
    backoff_seconds: pydantic.NonNegativeFloat  # the first; it doubles with each further attempt
    max_redirects: pydantic.NonNegativeInt


class NotFetched(Exception):
    """An address that gave nothing: the message says why."""


class _Again(Exception):
    """A failure that another attempt may mend."""


def download(
    url: str, target: Path, most_bytes: int, patience: Patience, served: Mapping[str, tuple[str, int]] | None = None
) -> None:
    """Fetch an address to a file; what a run before got of it, kept in `<target>.part`, is not asked for again.

    `served` maps names to the loopback addresses that serve them, for tests. Raises `NotFetched`.
    """
    asyncio.run(_download(url, target, most_bytes, patience, served or {}))


async def _download(url: str, target: Path, most: int, patience: Patience, served: Mapping) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(target)
    for attempt in range(patience.attempts):
        before = part.held()
        try:
            async with httpcore.AsyncConnectionPool(network_backend=GuardedBackend(served, False)) as pool:
                await _follow(pool, url, part, most, patience)
            part.finish()
            return
        except _Again as error:
            why = str(error)
        except PrivateAddress as error:
            raise NotFetched(f"{url}: leads to a private address ({error})") from None
        except NameUnknown as error:
            why = str(error)
            if error.lasting:
                break
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            if isinstance(error, OSError) and error.errno in stage.NO_ROOM_OR_RIGHTS:
                raise
            why = f"{type(error).__name__} {error}".strip()
        if attempt + 1 < patience.attempts:
            grown = part.held() > before
            await asyncio.sleep(patience.backoff_seconds * (1 if grown else 2**attempt))
    raise NotFetched(f"{url}: {why[:200]}")


class _Part:
    """What there is of a file so far, and the mark by which its server tells that it is still the same."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self.mark = target.with_name(f"{target.name}.part.etag")

    def held(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def headers(self) -> list[tuple[str, str]]:
        """Ask for the rest only where the server can tell that it is the rest of the same file."""
        if not self.held() or not self.mark.exists():
            return []
        return [("Range", f"bytes={self.held()}-"), ("If-Range", self.mark.read_text())]

    def begin(self, mark: str) -> BinaryIO:
        self.mark.unlink(missing_ok=True)
        stream = open(self.path, "wb")  # noqa: SIM115 (closed by whoever writes)
        if mark and not mark.startswith("W/"):
            self.mark.write_text(mark)
        return stream

    def go_on(self) -> BinaryIO:
        return open(self.path, "ab")

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self.mark.unlink(missing_ok=True)

    def finish(self) -> None:
        self.mark.unlink(missing_ok=True)
        self.path.replace(self.target)


async def _follow(pool: httpcore.AsyncConnectionPool, url: str, part: _Part, most: int, patience: Patience) -> None:
    for _ in range(patience.max_redirects + 1):
        location = await _ask(pool, url, part, most, patience)
        if location is None:
            return
        further = absolute(url, location)
        if further is None or (url.startswith("https:") and not further.startswith("https:")):
            raise NotFetched(f"{url}: redirects to {location[:200]}, which is no https address")
        url = further
    raise NotFetched(f"{url}: more than {patience.max_redirects} redirects")


async def _ask(pool: httpcore.AsyncConnectionPool, url: str, part: _Part, most: int, patience: Patience) -> str | None:
    """Send one request: give where it redirects to, or write what it answers and give None."""
    target = httpx.URL(url)
    address = httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path)
    agent = f"Dramatis/{version('dramatis')}"
    headers = [("Host", target.netloc.decode("ascii")), ("User-Agent", agent), ("Accept-Encoding", "identity")]
    timeout = dict.fromkeys(("connect", "read", "write", "pool"), patience.stall_seconds)
    async with pool.stream(
        "GET", address, headers=[*headers, *part.headers()], extensions={"timeout": timeout}
    ) as answer:
        fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
        if answer.status in REDIRECTS and "location" in fields:
            return fields["location"]
        if answer.status == 416:
            part.drop()
            raise _Again("the server has less of it than we")
        if answer.status not in (200, 206):
            problem = _Again if answer.status in RETRIABLE_STATUS else NotFetched
            raise problem(f"{url}: answered {answer.status}")
        held = part.held() if answer.status == 206 else 0
        if answer.status == 206 and not fields.get("content-range", "").startswith(f"bytes {held}-"):
            part.drop()
            raise _Again("the server gave another part of it than was asked for")
        announced = held + int(fields.get("content-length") or 0)  # h11 lets through digits alone
        if announced > most:
            raise NotFetched(f"{url}: {announced} bytes announced, {most} allowed")
        with part.go_on() if held else part.begin(fields.get("etag") or fields.get("last-modified") or "") as stream:
            await _write(answer, stream, held, announced, most, part.target.name)
    return None


async def _write(answer: httpcore.Response, stream: BinaryIO, held: int, whole: int, most: int, name: str) -> None:
    told = time.monotonic()
    async for chunk in answer.aiter_stream():
        held += len(chunk)
        if held > most:
            raise NotFetched(f"{name}: over {most} bytes")
        stream.write(chunk)
        if time.monotonic() - told > LINE_SECONDS:
            told = time.monotonic()
            print(f"{name}: {held / 1e6:.0f} of {whole / 1e6:.0f} MB", flush=True)
