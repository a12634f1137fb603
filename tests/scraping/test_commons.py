"""The Commons source on responses in the API's format, served from loopback."""

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from scraping import stage
from scraping.commons import Commons, address, describe, queries, read_answer
from scraping.demo.server import HOST, Route
from scraping.fetch import Fetcher
from scraping.sources import Finder, Limits, find

RECORDED = Path(__file__).parent / "recorded"
API = f"http://{HOST}/w/api.php"


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.json").read_text(encoding="utf-8")


def source(categories=(), searches=()) -> Commons:
    return Commons(
        kind="commons",
        api=API,
        categories=list(categories),
        searches=list(searches),
        width=1024,
        batch=50,
        refuse_restrictions=["personality"],
        label=None,
    )


@pytest.fixture
def ask(site, hurry, tmp_path):
    """Find the candidates of a source whose API answers as given: a list of (further query, answer)."""

    def run(asked: Commons, answers: list[tuple[dict, str | Route]], robots: str = ""):
        (query,) = queries(asked)
        paths = {address(asked, query | more).removeprefix(f"http://{HOST}"): answer for more, answer in answers}
        loopback = site({**paths, "/robots.txt": robots})
        policy, pace = hurry

        async def collect():
            journal = stage.Journal(tmp_path / "found.jsonl")
            async with Fetcher(policy, pace, "test@example.org", 0, {HOST: ("127.0.0.1", loopback.port)}) as fetcher:
                finder = Finder(fetcher, journal, Limits(pages=9, items=99), None, False)
                return await find("commons", asked, finder)

        return asyncio.run(collect()), loopback

    return run


def test_a_category_is_read_through_its_continuation(ask):
    more = {"gcmcontinue": "file|50414c41|1234", "continue": "gcmcontinue||"}
    found, _ = ask(source(["Samples"]), [({}, recorded("category_first")), (more, recorded("category_second"))])
    names = [candidate.title.partition(":")[0] for candidate in found]
    assert names == ["Sample portrait one", "Sample drawing", "Answered later", "Somebody known", "No terms"]
    first = found[0]
    assert first.url.endswith("/1024px-Sample_portrait_one.jpg")
    assert (first.licence, first.author) == ("CC-BY-SA-4.0", "Sample author")
    assert first.title == "Sample portrait one: A sample description, in two lines"
    assert first.licence_evidence == f"{first.page_url} LicenseShortName: CC BY-SA 4.0"
    assert [candidate.licence for candidate in found[2:]] == ["PDM-1.0", "CC-BY-4.0", None]


def test_what_is_no_picture_or_restricted_is_settled_without_asking(ask):
    more = {"gcmcontinue": "file|50414c41|1234", "continue": "gcmcontinue||"}
    found, loopback = ask(source(["Samples"]), [({}, recorded("category_first")), (more, recorded("category_second"))])
    settled = [(entry.outcome["status"], entry.outcome["reason"]) for entry in found if entry.outcome]
    assert settled == [("rejected", "unsupported-format"), ("refused", "restricted")]
    assert all(path.startswith("/w/api.php?") for path in loopback.paths())


def test_a_search_comes_in_the_order_of_its_ranks(ask):
    found, loopback = ask(source(searches=["portrait"]), [({}, recorded("search"))])
    assert [candidate.title for candidate in found] == ["Ranked first: a", "Ranked second: b"]
    asked = parse_qs(urlsplit(loopback.paths()[0]).query)
    assert asked["gsrsearch"] == ["portrait filetype:bitmap"]
    assert asked["maxlag"] == ["5"]


def test_the_api_made_for_programs_is_asked_though_crawlers_are_kept_out_of_it(ask):
    found, _ = ask(source(searches=["portrait"]), [({}, recorded("search"))], robots="User-agent: *\nDisallow: /w/")
    assert len(found) == 2


def test_a_busy_api_is_left_alone_for_as_long_as_it_says_and_then_asked_again(ask):
    busy = Route("application/json", headers={"Retry-After": "1"})
    found, loopback = ask(source(["Samples"]), [({}, (busy, recorded("busy")))])
    assert [(entry.outcome["reason"], entry.outcome["kind"]) for entry in found] == [("api-error", "retriable")]
    first, second = loopback.requests()
    assert second["time"] - first["time"] >= 0.95


def test_an_error_of_the_api_is_reported_in_its_own_words(ask):
    found, loopback = ask(source(["Samples"]), [({}, recorded("invalid"))])
    assert found[0].outcome["detail"] == "invalidcategory: The category name you entered is not valid."
    assert len(loopback.paths()) == 1


@pytest.mark.parametrize(
    "answer",
    [
        "null",
        "[]",
        "7",
        "<html>",
        "[" * 100_000,
        '{"error": "no"}',
        '{"query": null}',
        '{"query": {"pages": [null]}}',
        '{"query": {"pages": [{"title": "File:a.jpg", "imageinfo": [{"url": 3}]}]}}',
        '{"query": {"pages": [{"title": "File:a.jpg", "imageinfo": [{"url": "a", "extmetadata": {"Artist": 1}}]}]}}',
        '{"query": {"pages": [{"title": "File:a.jpg", "imageinfo": [{"url": "a", "extmetadata": [1]}]}]}}',
        '{"continue": "for ever"}',
    ],
)
def test_what_is_no_answer_of_the_api_is_a_failure_and_not_the_end(answer):
    row = read_answer(answer.encode())
    assert (row["status"], row["reason"], row["kind"]) == ("failed", "api-error", "permanent")
    assert len(row["detail"]) <= 200


def test_a_file_of_which_nothing_is_stated_is_still_listed():
    answer = (
        '{"query": {"pages": [{"title": "File:a.jpg", "imageinfo": [{"url": "http://a/b.jpg", "extmetadata": []}]}]}}'
    )
    (entry,) = read_answer(answer.encode())["files"]
    assert describe(entry, source())["url"] == "http://a/b.jpg"
    assert describe(entry, source())["licence"] is None
