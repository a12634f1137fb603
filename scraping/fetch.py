"""The one polite downloader: robots.txt first, the host's pace, limits on everything, and outcomes as values.

Every address that the project asks for over HTTP goes through `Fetcher.fetch`, also each hop of a redirect.
"""

import asyncio
import random
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Annotated
from urllib.parse import urlsplit

import httpcore
import httpx
import pydantic

from scraping import robots, stage
from scraping.network import GuardedBackend, NameUnknown, PrivateAddress, absolute, host_name, normal

REDIRECTS = {301, 302, 303, 307, 308}
RETRIABLE_STATUS = {408, 425, 429, 500, 502, 503, 504}
TDMREP_MAX_BYTES = 256 * 1024

Seconds = Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)]


class Policy(stage.Settings):
    """What decides how an address ends. It is part of the work folder's fingerprint."""

    max_bytes: pydantic.PositiveInt
    max_page_bytes: pydantic.PositiveInt
    max_pixels: pydantic.PositiveInt
    max_redirects: pydantic.NonNegativeInt
    attempts: pydantic.PositiveInt
    total_seconds: Annotated[Seconds, pydantic.Field(gt=0)]  # of one exchange, from connecting to the last byte
    breaker_failures: pydantic.PositiveInt  # failures in a row after which a host is left alone
    max_wait_seconds: Seconds  # a host that asks for a longer pause or Crawl-delay is left alone


class Pace(stage.Settings):
    """How fast, within what the hosts allow. It changes no outcome and no fingerprint."""

    concurrency: pydantic.PositiveInt
    per_host: pydantic.PositiveInt
    gap_seconds: Seconds  # between the starts of two requests to a host; a Crawl-delay raises it
    backoff_seconds: Seconds  # the first; it doubles with each further attempt


@dataclass(frozen=True)
class Problem:
    """Why an address gave nothing. `kind`: retriable (another time may do), permanent, or policy (not ours to have)."""

    kind: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Terms:
    """Under which limits an address is asked."""

    max_bytes: int
    tags: frozenset[str] = robots.PICTURE_TAGS  # the X-Robots-Tag words that refuse it
    allow_private: bool = False
    # False is for what a site documents for programs (an API endpoint, the files that carry its rules), never for
    # pages or pictures.
    ask_robots: bool = True
    cut: bool = False  # read what fits into max_bytes and leave the rest


@dataclass(frozen=True)
class Reply:
    """How an address ended: a body, or a problem."""

    url: str  # the last one asked
    redirects: tuple[str, ...] = ()  # where each redirect led, in order
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()  # names in lower case
    body: bytes = b""
    robots: str = "n/a"
    optout: tuple[str, ...] = ()
    attempts: int = 0  # requests begun for this address, redirects not counted; 0 where policy forbade the first
    fetched_at: str = ""
    problem: Problem | None = None

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


@dataclass
class Host:
    """The pace of one host: its slots, the gap between two requests, pauses it asked for, failures in a row."""

    slots: asyncio.Semaphore
    gap: float
    order: asyncio.Lock = field(default_factory=asyncio.Lock)
    not_before: float = 0.0
    failures: int = 0
    closed: str = ""  # why the host is left alone from now on

    @asynccontextmanager
    async def turn(self, everyone: asyncio.Semaphore) -> AsyncIterator[None]:
        """Wait for a slot of the host, the gap and any pause, and a slot of the whole fetcher; then go at once.

        A pause that begins while we wait counts too, and the gap runs from the moment of going.
        """
        async with self.slots:
            async with self.order:
                await self._depart(everyone)
            try:
                yield
            finally:
                everyone.release()

    async def _depart(self, everyone: asyncio.Semaphore) -> None:
        while True:
            while (wait := self.not_before - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            await everyone.acquire()
            if time.monotonic() >= self.not_before:
                break
            everyone.release()  # the host asked for a pause meanwhile: others may go first
        self.not_before = time.monotonic() + self.gap

    def pause(self, seconds: float) -> None:
        self.not_before = max(self.not_before, time.monotonic() + seconds)


class Fetcher:
    """Fetch politely. Use as `async with Fetcher(...) as fetcher: reply = await fetcher.fetch(url)`."""

    def __init__(
        self, policy: Policy, pace: Pace, contact: str, seed: int, served: Mapping[str, tuple[str, int]]
    ) -> None:
        self.policy, self.pace, self.seed = policy, pace, seed
        self.user_agent = f"Dramatis/{version('dramatis')} (+{contact})"
        self._slots = asyncio.Semaphore(pace.concurrency)
        self._hosts: dict[str, Host] = {}
        self._rules: dict[tuple[str, bool], asyncio.Task[robots.Rules | Problem]] = {}
        self._backends = {allow_private: GuardedBackend(served, allow_private) for allow_private in (False, True)}
        # Two pools, so that a connection opened where private addresses are allowed is never reused where they are not.
        self._pools = {
            allow_private: httpcore.AsyncConnectionPool(
                max_connections=pace.concurrency * 2,
                keepalive_expiry=30.0,
                network_backend=backend,
            )
            for allow_private, backend in self._backends.items()
        }

    async def __aenter__(self) -> "Fetcher":
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self._rules.values():
            task.cancel()
        for pool in self._pools.values():
            await pool.aclose()

    async def fetch(self, url: str, terms: Terms) -> Reply:
        """Fetch an address under all limits, trying anew where that may help; a failure is the reply's `problem`."""
        jitter = random.Random(f"{self.seed}/fetch/jitter/{url}")
        asked = 0
        url = normal(url) or url
        for attempt in range(self.policy.attempts):
            reply = await self._follow(url, terms)
            asked += reply.attempts
            retriable = reply.problem is not None and reply.problem.kind == "retriable"
            if not retriable or not reply.attempts or attempt + 1 == self.policy.attempts:
                break
            await asyncio.sleep(self.pace.backoff_seconds * 2**attempt * (0.5 + jitter.random()))
        return replace(reply, attempts=asked, fetched_at=datetime.now(UTC).isoformat(timespec="milliseconds"))

    async def judge(self, url: str, terms: Terms) -> Reply | None:
        """Decide whether an address may be asked at all, which may ask for its robots.txt; None where it may."""
        if normal(url) is None:
            return Reply(url, problem=Problem("policy", "bad-address", f"no http(s) address: {url[:200]}"))
        if self.host(url).closed:
            return self._closed(url)
        if not terms.ask_robots:
            return None
        rules = await self.rules(url, terms.allow_private)
        if isinstance(rules, Problem):
            return Reply(url, robots="disallowed" if rules.reason == "robots-disallowed" else "n/a", problem=rules)
        if not rules.allows(url):
            return Reply(url, robots="disallowed", problem=Problem("policy", "robots-disallowed", "by robots.txt"))
        optout = tuple(rules.optouts(url))
        if optout:
            return Reply(url, robots="allowed", optout=optout, problem=Problem("policy", "opt-out", "; ".join(optout)))
        return None

    async def rules(self, url: str, allow_private: bool = False) -> robots.Rules | Problem:
        """Give the rules of an address's origin; however many ask at once, they wait for one and the same answer."""
        parts = urlsplit(url)
        key = (f"{parts.scheme}://{parts.netloc}", allow_private)
        if key not in self._rules:
            self._rules[key] = asyncio.create_task(self._ask_rules(*key))
        return await asyncio.shield(self._rules[key])

    def host(self, url: str) -> Host:
        """Give the pace of an address's host."""
        name = host_name(url)
        if name not in self._hosts:
            self._hosts[name] = Host(asyncio.Semaphore(self.pace.per_host), self.pace.gap_seconds)
        return self._hosts[name]

    async def target_of(self, url: str, allow_private: bool) -> tuple[str, int | None] | Problem:
        """Give the judged address that a browser may connect to for this host, and a port where that is given too."""
        try:
            return await self._backends[allow_private].judged(host_name(url))
        except PrivateAddress as error:
            return Problem("policy", "private-address", str(error))
        except NameUnknown as error:
            return Problem("retriable", "dns", str(error))

    def _closed(self, url: str) -> Reply:
        return Reply(url, problem=Problem("retriable", "host-closed", self.host(url).closed))

    async def _ask_rules(self, origin: str, allow_private: bool) -> robots.Rules | Problem:
        terms = Terms(robots.ROBOTS_MAX_BYTES, frozenset(), allow_private, ask_robots=False, cut=True)
        reply = await self.fetch(f"{origin}/robots.txt", terms)
        if reply.problem is not None and reply.status is None:
            # No answer disallows all (RFC 9309), and its own reason tells more than "disallowed" would.
            return replace(reply.problem, detail=f"robots.txt: {reply.problem.detail}")
        torn = reply.problem is not None and reply.status == 200  # half of a robots.txt allows what its end forbids
        rules = None if torn else robots.rules_from(reply.status, reply.body)
        if rules is None:
            return Problem("policy", "robots-disallowed", f"robots.txt: {reply.problem.detail}")
        if rules.delay_seconds > self.policy.max_wait_seconds:
            return Problem("policy", "robots-disallowed", f"robots.txt asks for {rules.delay_seconds:g} s a request")
        host = self.host(origin)
        host.gap = max(host.gap, rules.delay_seconds)
        host.pause(host.gap)
        if not rules.allows(origin + robots.TDMREP):
            return rules
        tdmrep = await self._follow(origin + robots.TDMREP, replace(terms, max_bytes=TDMREP_MAX_BYTES, cut=False))
        return replace(rules, reserved=tuple(robots.reserved_paths(b"" if tdmrep.problem else tdmrep.body)))

    async def _follow(self, url: str, terms: Terms) -> Reply:
        """Make one attempt, hop by hop; each hop is judged as if it were the first."""
        redirects: tuple[str, ...] = ()
        asked = 0
        for _ in range(self.policy.max_redirects + 1):
            refusal = await self.judge(url, terms)
            if refusal is not None:
                return replace(refusal, redirects=redirects, attempts=asked)
            host = self.host(url)
            async with host.turn(self._slots):
                reply = self._closed(url) if host.closed else await self._exchange(url, terms)
                self._learn(host, reply)
            asked = asked or reply.attempts
            verdict = "allowed" if terms.ask_robots else "n/a"
            reply = replace(reply, redirects=redirects, robots=verdict, attempts=asked)
            location = reply.header("location")
            if reply.status not in REDIRECTS or not location:
                return reply
            url = absolute(url, location) or location
            redirects += (url,)
        detail = f"more than {self.policy.max_redirects}, the last to {url[:200]}"
        return replace(reply, redirects=redirects, problem=Problem("policy", "too-many-redirects", detail))

    async def _exchange(self, url: str, terms: Terms) -> Reply:
        """Send one request and read its answer; nothing that a server does raises."""
        reply = Reply(url, attempts=1)
        try:
            target = httpx.URL(url)
            address = httpcore.URL(
                scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path
            )
            headers = {"Host": target.netloc.decode("ascii"), "User-Agent": self.user_agent}
            headers |= {"Accept": "*/*", "Accept-Encoding": "identity"}
            async with asyncio.timeout(self.policy.total_seconds):
                async with self._pools[terms.allow_private].stream("GET", address, headers=headers) as answer:
                    return await _receive(reply, answer, terms)
        except PrivateAddress as error:
            problem = Problem("policy", "private-address", str(error))
            return replace(reply, attempts=0, problem=problem)
        except NameUnknown as error:
            return replace(reply, problem=Problem("permanent" if error.lasting else "retriable", "dns", str(error)))
        except (TimeoutError, httpcore.TimeoutException):
            return replace(reply, problem=Problem("retriable", "timeout", f"over {self.policy.total_seconds:g} s"))
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
            return replace(reply, problem=_connection_problem(error))

    def _learn(self, host: Host, reply: Reply) -> None:
        """Take from an answer what the host asks for: a pause, or to be left alone."""
        problem = reply.problem
        if problem is None or problem.kind != "retriable":
            if reply.status is not None:
                host.failures = 0
            return
        if not reply.attempts:
            return
        wait = retry_after_seconds(reply.header("retry-after"))
        if wait > self.policy.max_wait_seconds:
            host.closed = f"{reply.url.split('/')[2]} asks for a pause of {wait:.0f} s"
        elif wait > 0:
            host.pause(wait)
        elif reply.status == 429:
            host.pause(self.pace.backoff_seconds)
        if reply.status != 429:
            host.failures += 1
        if host.failures >= self.policy.breaker_failures:
            host.closed = f"{host.failures} failures in a row, the last: {problem.reason}"


def retry_after_seconds(value: str) -> float:
    """Read a Retry-After header, seconds or a date, as seconds from now; 0 where there is none."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return 0.0
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


async def _receive(reply: Reply, answer: httpcore.Response, terms: Terms) -> Reply:
    """Judge an answer by its head, and read its body only where it is wanted."""
    fields = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in answer.headers)
    reply = replace(reply, status=answer.status, headers=fields)
    if answer.status in REDIRECTS and reply.header("location"):
        return reply
    if answer.status != 200:
        kind = "retriable" if answer.status in RETRIABLE_STATUS else "permanent"
        return replace(reply, problem=Problem(kind, f"http-{answer.status}", f"answered {answer.status}"))
    optout = tuple(robots.header_optouts(fields, terms.tags)) if terms.tags else ()
    if optout:
        return replace(reply, optout=optout, problem=Problem("policy", "opt-out", "; ".join(optout)))
    length = reply.header("content-length")
    if length and int(length) > terms.max_bytes and not terms.cut:  # h11 lets through digits alone
        detail = f"{int(length)} bytes announced, {terms.max_bytes} allowed"
        return replace(reply, problem=Problem("permanent", "too-many-bytes", detail))
    if reply.header("content-encoding") not in ("", "identity", "gzip", "deflate"):
        return replace(reply, problem=Problem("permanent", "corrupt", "an encoding that was not asked for"))
    try:
        return await _read(reply, answer, terms)
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        return replace(reply, problem=Problem("retriable", "incomplete", f"{type(error).__name__}: {error}"[:200]))


async def _read(reply: Reply, answer: httpcore.Response, terms: Terms) -> Reply:
    """Read the body, unpacked, up to the cap; the connection is dropped at the first byte beyond it."""
    packed = reply.header("content-encoding") in ("gzip", "deflate")
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 32) if packed else None
    body = bytearray()
    async for chunk in answer.aiter_stream():
        try:
            body += unpack.decompress(chunk, terms.max_bytes + 1 - len(body)) if unpack else chunk
        except zlib.error as error:
            return replace(reply, problem=Problem("permanent", "corrupt", f"content-encoding: {error}"))
        if len(body) > terms.max_bytes:
            if terms.cut:
                break
            return replace(reply, problem=Problem("permanent", "too-many-bytes", f"over {terms.max_bytes} bytes"))
    return replace(reply, body=bytes(body[: terms.max_bytes]))


def _connection_problem(error: Exception) -> Problem:
    detail = f"{type(error).__name__}: {error}"[:200]
    if isinstance(error, ssl.SSLError) or isinstance(error.__context__, ssl.SSLError):
        return Problem("permanent", "tls", detail)
    return Problem("retriable", "connection", detail)
