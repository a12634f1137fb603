"""Read gallery pages with CSS rules: what a listing links to, and what a picture's page says about its picture."""

from dataclasses import dataclass

import pydantic
import soupsieve
from bs4 import BeautifulSoup, Tag

from scraping import robots, stage
from scraping.licences import spdx
from scraping.network import absolute

FIRST_AMONG = 10  # elements that a rule for a text may match; the text of thousands, each in the other, takes minutes
EVIDENCE_LENGTH = 200
TEXT_LENGTH = 500  # of what a page says about its picture; no title needs more


class PageRules(stage.Settings):
    """Where a picture's page says what: `css` for an element's text, `css@attribute` for an attribute."""

    picture: str
    licence: str
    author: str | None = None
    title: str | None = None
    label: str | None = None

    @pydantic.field_validator("*")
    @classmethod
    def _compiles(cls, rule: str | None) -> str | None:
        return None if rule is None else checked_rule(rule)


@dataclass(frozen=True)
class Listing:
    """What a listing page links to."""

    items: list[str]
    following: str | None


@dataclass(frozen=True)
class Found:
    """What a picture's page says."""

    pictures: list[str]
    licence: str | None
    licence_evidence: str | None
    author: str | None
    title: str | None
    label: str | None
    optout: list[str]


def checked_rule(rule: str) -> str:
    """Check that a rule's selector can be read; `ValueError` where it cannot."""
    try:
        soupsieve.compile(split_rule(rule)[0])
    except soupsieve.SelectorSyntaxError as error:
        raise ValueError(f"no CSS selector: {str(error).splitlines()[0]}") from None
    return rule


def split_rule(rule: str) -> tuple[str, str | None]:
    """Split `css@attribute`; the attribute is None where the rule means the text."""
    css, _, attribute = rule.partition("@")
    return css.strip(), attribute.strip() or None


def read_listing(html: bytes, url: str, item: str, following: str | None) -> Listing:
    """Read a listing's links to picture pages and to its next page; both rules give an attribute, `href` by default."""
    soup = BeautifulSoup(html, "lxml")
    base = _base(soup, url)
    items = [absolute(base, value) for value in _values(soup, item, "href")]
    onward = [absolute(base, value) for value in _values(soup, following, "href")] if following else []
    return Listing([link for link in dict.fromkeys(items) if link], next(filter(None, onward), None))


def read_page(html: bytes, url: str, rules: PageRules) -> Found:
    """Read a picture's page: its pictures, and the licence with the words that prove it."""
    soup = BeautifulSoup(html, "lxml")
    base = _base(soup, url)
    pictures = [absolute(base, value) for value in _values(soup, rules.picture, "src")]
    stated = _first(soup, rules.licence)
    metas = [{key: str(value) for key, value in meta.attrs.items()} for meta in soup.select("meta[name][content]")]
    return Found(
        pictures=[link for link in dict.fromkeys(pictures) if link],
        licence=spdx(stated),
        licence_evidence=f"{url} {rules.licence}: {stated[:EVIDENCE_LENGTH]}" if stated else None,
        author=_first(soup, rules.author),
        title=_first(soup, rules.title),
        label=_first(soup, rules.label),
        optout=robots.meta_optouts(metas),
    )


def _values(soup: BeautifulSoup, rule: str, usual: str | None, limit: int = 0) -> list[str]:
    css, attribute = split_rule(rule)
    return [value for tag in soup.select(css, limit=limit) if (value := _value(tag, attribute or usual))]


def _first(soup: BeautifulSoup, rule: str | None) -> str | None:
    values = _values(soup, rule, None, limit=FIRST_AMONG) if rule else []
    return values[0][:TEXT_LENGTH] if values else None


def _value(tag: Tag, attribute: str | None) -> str:
    raw = tag.get(attribute, "") if attribute else tag.get_text(" ")
    return " ".join((" ".join(raw) if isinstance(raw, list) else str(raw)).split())


def _base(soup: BeautifulSoup, url: str) -> str:
    tag = soup.select_one("base[href]")
    return (absolute(url, str(tag["href"])) if tag else None) or url
