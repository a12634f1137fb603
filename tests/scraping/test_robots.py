"""What robots.txt, headers, meta tags and tdmrep.json mean to us."""

import pytest

from scraping.robots import (
    PAGE_TAGS,
    PICTURE_TAGS,
    Rules,
    header_optouts,
    meta_optouts,
    reserved_paths,
    robots_tags,
    rules_from,
    usage_reservations,
)

SITE = "http://site.example"


def test_the_longest_rule_wins_and_our_own_group_replaces_the_one_for_all():
    text = b"User-agent: *\nDisallow: /\n\nUser-agent: Dramatis\nDisallow: /p\nAllow: /p/open\n"
    rules = rules_from(200, text)
    assert rules.allows(f"{SITE}/anything")
    assert not rules.allows(f"{SITE}/p/closed")
    assert rules.allows(f"{SITE}/p/open/1.jpg")


def test_a_byte_order_mark_does_not_hide_the_first_line():
    assert not rules_from(200, b"\xef\xbb\xbfUser-agent: *\nDisallow: /").allows(f"{SITE}/a")


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        ("noai, noimageai", ["noai", "noimageai"]),
        ("googlebot: noindex", []),
        ("googlebot: noindex, noai", []),
        ("dramatis: noai", ["noai"]),
        ("googlebot: nofollow, dramatis: noai", ["noai"]),
        ("unavailable_after: 25 Jun 2030 15:00:00 PST, noai", ["noai"]),
        ("max-image-preview: large, NOAI", ["noai"]),
    ],
)
def test_x_robots_tag_is_split_into_what_speaks_to_us(value, tags):
    assert robots_tags(value) == tags


def test_noindex_speaks_about_a_picture_but_not_about_the_pictures_of_a_page():
    headers = [("x-robots-tag", "noindex")]
    assert header_optouts(headers, PICTURE_TAGS) == ["x-robots-tag: noindex"]
    assert header_optouts(headers, PAGE_TAGS) == []


def test_several_signals_are_all_noted():
    headers = [("x-robots-tag", "noai"), ("x-robots-tag", "bingbot: none"), ("tdm-reservation", "1")]
    assert header_optouts(headers, PICTURE_TAGS) == ["x-robots-tag: noai", "tdm-reservation: 1"]


def test_meta_tags_opt_out_for_all_or_for_us():
    metas = [
        {"name": "robots", "content": "index, noimageai"},
        {"name": "googlebot", "content": "noai"},
        {"name": "TDM-Reservation", "content": "1"},
    ]
    assert meta_optouts(metas) == ["meta robots: noimageai", "meta tdm-reservation: 1"]


def test_content_signals_count_for_the_group_that_applies():
    text = "User-agent: other\nContent-Signal: ai-train=no\n\nUser-agent: *\nContent-Signal: search=yes, ai-train=yes\n"
    assert usage_reservations(text) == []
    assert usage_reservations(text.replace("other", "Dramatis")) == [("/", "content-signal: ai-train=no")]


def test_content_usage_may_cover_a_part_of_the_site():
    rules = rules_from(200, b"User-agent: *\nContent-Usage: /art/ train-ai=n\n")
    assert rules.optouts(f"{SITE}/art/1.jpg") == ["robots.txt content-usage: train-ai=n"]
    assert rules.optouts(f"{SITE}/news/1.jpg") == []


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("/", "/a", True),
        ("/art/", "/arts", False),
        ("/*.jpg$", "/a/b.jpg", True),
        ("/*.jpg$", "/a/b.jpg?x", False),
        ("/a*b*c", "/a--b--c--", True),
        ("/a*b*c", "/a--c--b", False),
        ("/a$", "/a", True),
        ("/a$", "/ab", False),
        ("/aa*aa$", "/aaa", False),
        ("/" + "*a" * 40 + "b", "/" + "a" * 4000, False),
    ],
)
def test_a_tdmrep_pattern_covers_what_it_says(pattern, path, covered):
    (reserved,) = reserved_paths(f'[{{"location": "{pattern}", "tdm-reservation": 1}}]'.encode())
    assert bool(Rules(reserved=(reserved,)).optouts(SITE + path)) == covered


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'[1, {"location": "/x", "tdm-reservation": 0}]', b"[" * 200_000]
)
def test_a_tdmrep_file_that_reserves_nothing_reserves_nothing(body):
    assert reserved_paths(body) == []
