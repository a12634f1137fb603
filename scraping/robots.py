"""What a site allows: robots.txt by RFC 9309, and the signals by which it opts its pictures out of training.

Signals honoured: `X-Robots-Tag` and robots meta tags (noai, noimageai and their kin), TDM reservation (header, meta
tag, /.well-known/tdmrep.json), `Content-Signal: ai-train=no` and `Content-Usage: train-ai=n` (robots.txt and header).
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from protego import Protego

AGENT = "dramatis"  # our product token, as robots.txt and X-Robots-Tag would name it
ROBOTS_MAX_BYTES = 512 * 1024  # RFC 9309 asks for 500 KiB at least; what lies behind is not read
TDMREP = "/.well-known/tdmrep.json"

# A page that is kept out of search indexes (a listing's second page) does not thereby speak about its pictures.
PAGE_TAGS = frozenset({"noai", "noimageai", "noimageindex"})
PICTURE_TAGS = PAGE_TAGS | {"noindex", "none"}
VALUED_TAGS = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
REFUSALS = {"ai-train": {"no", "n"}, "train-ai": {"no", "n"}}


@dataclass(frozen=True)
class Rules:
    """What one origin asks of us."""

    robots: Protego | None = None
    disallowed: tuple[str, ...] = ()  # path patterns; allowances among them are `allows`'s to weigh
    usage: tuple[tuple[str, str], ...] = ()  # (path prefix, signal) of robots.txt that reserve against training
    reserved: tuple[str, ...] = ()  # path patterns of tdmrep.json

    def allows(self, url: str) -> bool:
        return self.robots is None or self.robots.can_fetch(url, AGENT)

    @property
    def delay_seconds(self) -> float:
        return (self.robots and self.robots.crawl_delay(AGENT)) or 0.0

    def optouts(self, url: str) -> list[str]:
        """List the origin's reservations that cover this address."""
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        found = [f"robots.txt {signal}" for prefix, signal in self.usage if path.startswith(prefix)]
        return found + [f"tdmrep.json {pattern}" for pattern in self.reserved if _covers(pattern, path)]


def rules_from(status: int, body: bytes) -> Rules | None:
    """Read robots.txt: 2xx is parsed, 4xx allows all, everything else (429, 5xx) disallows all: None."""
    if 200 <= status < 300:
        text = body[:ROBOTS_MAX_BYTES].decode("utf-8-sig", errors="replace")
        disallowed = tuple(value for name, value in _our_lines(text) if name == "disallow" and value)
        return Rules(Protego.parse(text), disallowed, tuple(usage_reservations(text)))
    if 400 <= status < 500 and status != 429:
        return Rules()
    return None


def usage_reservations(text: str) -> list[tuple[str, str]]:
    """Read Content-Signal and Content-Usage lines of the group that applies to us as (path prefix, signal)."""
    found = []
    for name, value in _our_lines(text):
        if name in ("content-signal", "content-usage"):
            path, rest = value.split(None, 1) if value.startswith("/") and " " in value else ("/", value)
            found += [(path, f"{name}: {signal}") for signal in refused_uses(rest)]
    return found


def _our_lines(text: str) -> list[tuple[str, str]]:
    """List the (name, value) lines of the groups for our agent, or else of those for all."""
    groups: list[_Group] = []
    for line in text.splitlines():
        name, colon, value = (part.strip() for part in line.partition("#")[0].partition(":"))
        if not colon:
            continue
        if name.lower() == "user-agent":
            if not groups or groups[-1].lines:
                groups.append(_Group())
            groups[-1].agents.add(value.lower())
        elif groups:
            groups[-1].lines.append((name.lower(), value))
    ours = [group for group in groups if AGENT in group.agents] or [group for group in groups if "*" in group.agents]
    return [line for group in ours for line in group.lines]


def refused_uses(value: str) -> list[str]:
    """Pick from `search=yes, ai-train=no` what reserves against training."""
    pairs = (part.strip().lower().partition("=") for part in value.split(","))
    return [f"{key.strip()}={flag.strip()}" for key, _, flag in pairs if flag.strip() in REFUSALS.get(key.strip(), ())]


def reserved_paths(body: bytes) -> list[str]:
    """Read the path patterns that a tdmrep.json reserves; a file that is no such list reserves nothing."""
    try:
        entries = json.loads(body) if body else []
    except (ValueError, RecursionError):
        return []
    if not isinstance(entries, list):
        return []
    return [
        str(entry.get("location", "/"))
        for entry in entries
        if isinstance(entry, dict) and str(entry.get("tdm-reservation")) == "1"
    ]


def header_optouts(headers: Iterable[tuple[str, str]], tags: frozenset[str]) -> list[str]:
    """List the opt-out signals in a response's headers (names in lower case) that speak to us."""
    found = []
    for name, value in headers:
        if name == "x-robots-tag":
            found += [f"x-robots-tag: {tag}" for tag in robots_tags(value) if tag in tags]
        elif name == "tdm-reservation" and value.strip() == "1":
            found.append("tdm-reservation: 1")
        elif name in ("content-signal", "content-usage"):
            found += [f"{name}: {signal}" for signal in refused_uses(value)]
    return list(dict.fromkeys(found))


def robots_tags(value: str) -> list[str]:
    """Split an X-Robots-Tag into the directives for every agent or for ours.

    `googlebot: noindex, noai` speaks to one agent; the colons of `unavailable_after: 25 Jun 2030 15:00:00 PST` to none.
    """
    tags, for_us = [], True
    for part in value.lower().split(","):
        head, colon, rest = (piece.strip() for piece in part.partition(":"))
        if colon and re.fullmatch(r"[a-z][a-z_*-]*", head):
            if head in VALUED_TAGS:
                continue
            for_us, head = head in (AGENT, "*"), rest
        if for_us and head:
            tags.append(head)
    return tags


def meta_optouts(metas: Iterable[Mapping[str, str]], tags: frozenset[str] = PAGE_TAGS) -> list[str]:
    """List the opt-out signals in a page's `<meta name= content=>` tags."""
    found = []
    for meta in metas:
        name, content = meta.get("name", "").strip().lower(), meta.get("content", "")
        if name in ("robots", AGENT):
            found += [f"meta {name}: {tag}" for tag in robots_tags(content) if tag in tags]
        elif name == "tdm-reservation" and content.strip() == "1":
            found.append("meta tdm-reservation: 1")
    return list(dict.fromkeys(found))


@dataclass
class _Group:
    """A record of robots.txt: the agents named, then their lines."""

    agents: set[str] = field(default_factory=set)
    lines: list[tuple[str, str]] = field(default_factory=list)


def _covers(pattern: str, path: str) -> bool:
    """Match a tdmrep.json location: a prefix with `*` for anything and `$` for the end. No regex: a site writes it."""
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    last = rest.pop() if rest and pattern.endswith("$") else None
    at = len(first)
    for piece in rest:
        at = path.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    if last is not None:
        return path.endswith(last) and len(path) - len(last) >= at
    return not pattern.endswith("$") or at == len(path)
