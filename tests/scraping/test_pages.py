"""Reading listings and picture pages with CSS rules."""

import pydantic
import pytest

from scraping.pages import PageRules, read_listing, read_page

URL = "http://site.example/art/1"
RULES = PageRules(
    picture="figure img", licence="a[rel~=license]@href", author=".by", title="h1", label="dd.kind@data-kind"
)
PAGE = """<html><head><base href="/deep/"><meta name="robots" content="noai"></head><body>
<h1> A  woman
in red </h1><p class="by">Ada &amp; co</p><dl><dd class="kind" data-kind="portrait">x</dd></dl>
<figure><img src="1.jpg#top"><img src="//cdn.example/2.jpg"><img src="data:image/png;base64,AA"><img></figure>
<a rel="nofollow license" href="https://creativecommons.org/licenses/by/4.0/">licence</a></body></html>"""


def test_a_page_says_what_its_pictures_are_and_proves_the_licence():
    found = read_page(PAGE.encode(), URL, RULES)
    assert found.pictures == ["http://site.example/deep/1.jpg", "http://cdn.example/2.jpg"]
    assert (found.licence, found.author, found.title) == ("CC-BY-4.0", "Ada & co", "A woman in red")
    assert found.label == "portrait"
    assert found.licence_evidence == f"{URL} a[rel~=license]@href: https://creativecommons.org/licenses/by/4.0/"
    assert found.optout == ["meta robots: noai"]


def test_a_licence_that_is_not_recognised_leaves_its_words_as_evidence():
    page = b'<a rel="license" href="/terms">ours</a><figure><img src="a.jpg"></figure>'
    found = read_page(page, URL, RULES)
    assert found.licence is None
    assert found.licence_evidence.endswith(": /terms")


def test_a_listing_gives_each_link_once_and_its_next_page():
    html = b'<a class="w" href="/w/1">a</a><a class="w" href="/w/1#x">b</a><a class="w" href="javascript:x()">c</a>'
    listing = read_listing(
        html + b'<a rel="next" href="?page=2">more</a>', "http://site.example/l", ".w", "a[rel=next]"
    )
    assert listing.items == ["http://site.example/w/1"]
    assert listing.following == "http://site.example/l?page=2"


@pytest.mark.parametrize("html", [b"", b"\x00\xff\xfe", b"<" * 5000, b"<div>" * 20000])
def test_a_broken_page_is_an_empty_one(html):
    assert read_page(html, URL, RULES).pictures == []


def test_a_rule_that_is_no_selector_is_named():
    with pytest.raises(pydantic.ValidationError, match="no CSS selector"):
        PageRules(picture="img[", licence="a")
