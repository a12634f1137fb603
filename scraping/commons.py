"""Wikimedia Commons through its API: files of categories or searches, with licence, author and description.

The API is an interface made for programs, under its own etiquette (a User-Agent with contact, one request at a time,
maxlag); the pictures themselves are fetched under robots.txt like any other.
"""

from typing import Any, Literal
from urllib.parse import urlencode

import pydantic
from bs4 import BeautifulSoup

from scraping import stage
from scraping.fetch import retry_after_seconds
from scraping.licences import spdx

BUSY = {"maxlag", "ratelimited", "readonly"}
BUSY_SECONDS = 5.0  # the pause that the API's manual asks for where the answer names none
PICTURES = {"image/jpeg", "image/png", "image/webp", "image/gif"}
DESCRIPTION_LENGTH = 300


class Commons(stage.Settings):
    """Files of categories (`Category:` left out) and of full-text searches."""

    kind: Literal["commons"]
    api: str
    categories: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    width: pydantic.PositiveInt  # pixels of the rendering that is asked for; a smaller original comes as it is
    batch: pydantic.PositiveInt
    refuse_restrictions: list[str]  # e.g. personality: rights of the person shown, whatever the licence says
    label: str | None = None


class Stated(pydantic.BaseModel):
    """One field of a file's metadata."""

    value: Any = None


class Picture(pydantic.BaseModel):
    """What the API says about a file."""

    url: str
    thumburl: str | None = None
    descriptionurl: str | None = None
    mime: str | None = None
    extmetadata: dict[str, Stated] | tuple[()] | None = None  # an empty list where nothing is stated


class Page(pydantic.BaseModel):
    """One file of an answer; without imageinfo where a later answer of the same query completes it."""

    title: str
    index: int = 0
    imageinfo: list[Picture] = []


class Pages(pydantic.BaseModel):
    """The files of an answer."""

    pages: list[Page] = []


class Refusal(pydantic.BaseModel):
    """Why the API did not answer."""

    code: str = ""
    info: str = ""


class Answer(pydantic.BaseModel):
    """One answer of the API, as far as it is read here."""

    error: Refusal | None = None
    query: Pages = Pages()
    more: dict[str, str | int] | None = pydantic.Field(None, alias="continue")


def queries(source: Commons) -> list[dict[str, str]]:
    """List the generators that the source's categories and searches stand for."""
    limit = str(source.batch)
    of_categories = [
        {"generator": "categorymembers", "gcmtitle": f"Category:{name}", "gcmtype": "file", "gcmlimit": limit}
        for name in source.categories
    ]
    of_searches = [
        {"generator": "search", "gsrsearch": f"{words} filetype:bitmap", "gsrnamespace": "6", "gsrlimit": limit}
        for words in source.searches
    ]
    return of_categories + of_searches


def address(source: Commons, query: dict[str, str]) -> str:
    """Build the API address of one page of a query."""
    usual = {
        "action": "query",
        "format": "json",
        "formatversion": "2",
        "prop": "imageinfo",
        "iiprop": "url|size|mime|extmetadata",
        "iiextmetadatalanguage": "en",
        "iiurlwidth": str(source.width),
        "maxlag": "5",
    }
    return f"{source.api}?{urlencode(usual | query)}"


def read_answer(body: bytes) -> dict:
    """Read one answer: its `files` and where it `continue`s, or the outcome of a refusal."""
    try:
        answer = Answer.model_validate_json(body)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        detail = f"no answer of the API: {'.'.join(map(str, first['loc']))} {first['msg']}"[:200]
        return {"status": "failed", "reason": "api-error", "detail": detail, "kind": "permanent"}
    if answer.error:
        kind = "retriable" if answer.error.code in BUSY else "permanent"
        detail = f"{answer.error.code}: {answer.error.info}"[:200]
        return {"status": "failed", "reason": "api-error", "detail": detail, "kind": kind}
    listed = sorted(answer.query.pages, key=lambda page: page.index)  # a search tells ranks but keeps no order
    files = [{"title": page.title, **page.imageinfo[0].model_dump()} for page in listed if page.imageinfo]
    return {"files": files, "continue": answer.more}


def pause_seconds(retry_after: str) -> float:
    """Tell how long to leave a busy API alone."""
    return retry_after_seconds(retry_after) or BUSY_SECONDS


def describe(entry: dict, source: Commons) -> dict:
    """Turn a file's record into a candidate's fields."""
    said = entry.get("extmetadata") or {}
    stated = {name: _text(said.get(name, {}).get("value")) for name in ("LicenseShortName", "LicenseUrl", "License")}
    name, proof = next(((key, text) for key, text in stated.items() if spdx(text)), ("LicenseShortName", ""))
    page = entry.get("descriptionurl")
    shown = _text(said.get("ImageDescription", {}).get("value"))
    title = entry["title"].removeprefix("File:").rpartition(".")[0]
    return {
        "url": entry.get("thumburl") or entry["url"],
        "page_url": page,
        "licence": spdx(proof),
        "licence_evidence": f"{page} {name}: {proof}" if proof else None,
        "author": _text(said.get("Artist", {}).get("value")) or None,
        "title": f"{title}: {shown[:DESCRIPTION_LENGTH]}" if shown else title,
        "label": source.label,
        "outcome": _verdict(entry, said, source),
    }


def _verdict(entry: dict, said: dict, source: Commons) -> dict | None:
    """Settle at once what need not be asked for."""
    if entry.get("mime") not in PICTURES:
        detail = f"{entry.get('mime')} is no picture we read"
        return {"status": "rejected", "reason": "unsupported-format", "detail": detail, "kind": "permanent"}
    restrictions = _text(said.get("Restrictions", {}).get("value")).split("|")
    refused = [word for word in restrictions if word in source.refuse_restrictions]
    if refused:
        return {"status": "refused", "reason": "restricted", "detail": ", ".join(refused), "kind": "policy"}
    return None


def _text(value: object) -> str:
    """Take the words out of a field that may hold HTML."""
    text = "" if value is None else str(value)
    if "<" in text or "&" in text:
        text = BeautifulSoup(text, "lxml").get_text(" ")
    return " ".join(text.split())
