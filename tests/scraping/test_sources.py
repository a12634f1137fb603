"""The sources that need no site of their own: folders and lists of addresses."""

import asyncio
import json

import polars
import pytest

from inference.errors import UserError
from scraping.sources import Candidate, Columns, Finder, Folder, Limits, Urls, each, find


def found(source, items: int = 99):
    return asyncio.run(find("mine", source, Finder(None, None, Limits(pages=9, items=items), None, False)))


def folder(path, **more) -> Folder:
    return Folder(kind="folder", path=str(path), **more)


def urls(path, columns=None, **more) -> Urls:
    return Urls(kind="urls", path=str(path), columns=Columns(**(columns or {})), **more)


def test_a_folder_gives_its_pictures_in_order_with_the_configured_licence(tmp_path):
    for name in ("b.PNG", "a/c.jpg", "notes.txt", "a/d.svg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    candidates = found(folder(tmp_path, licence="CC BY 4.0", author="Ada"))
    assert [candidate.url for candidate in candidates] == ["file:a/c.jpg", "file:a/d.svg", "file:b.PNG"]
    assert {(c.licence, c.licence_evidence, c.author) for c in candidates} == {("CC-BY-4.0", "from config", "Ada")}


def test_a_sidecar_goes_before_the_configured_licence(tmp_path):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a.jpg.json").write_text(json.dumps({"licence": "CC0-1.0", "author": "Bo", "label": "bust", "n": 3}))
    (tmp_path / "b.json").write_text("not json")
    (tmp_path / "c.json").write_text("[" * 60_000)
    first, second, third = found(folder(tmp_path, licence="CC-BY-4.0"))
    assert (first.licence, first.author, first.label) == ("CC0-1.0", "Bo", "bust")
    assert first.licence_evidence == "a.jpg.json: CC0-1.0"
    for other in (second, third):
        assert (other.licence, other.licence_evidence) == ("CC-BY-4.0", "from config")


@pytest.mark.parametrize(("name", "line"), [("", "found no picture"), ("missing", "no such folder")])
def test_an_empty_or_missing_folder_is_said_so(tmp_path, name, line):
    with pytest.raises(UserError, match=line):
        found(folder(tmp_path / name))


def test_a_list_of_addresses_is_read_as_text_or_table(tmp_path):
    (tmp_path / "list.txt").write_text("# mine\nhttp://a.example/1.jpg\n\nhttp://a.example/2.jpg\n")
    table = polars.DataFrame({"url": ["http://a.example/1.jpg", None], "terms": ["CC BY 4.0", None], "n": [1, 2]})
    table.write_csv(tmp_path / "list.csv")
    table.write_parquet(tmp_path / "list.parquet")
    assert [c.url[-5:] for c in found(urls(tmp_path / "list.txt", licence="CC0-1.0"))] == ["1.jpg", "2.jpg"]
    for name in ("list.csv", "list.parquet"):
        (candidate,) = found(urls(tmp_path / name, {"licence": "terms"}))
        assert (candidate.licence, candidate.licence_evidence) == ("CC-BY-4.0", f"{name}: CC BY 4.0")


def test_a_table_without_the_named_column_lists_those_it_has(tmp_path):
    (tmp_path / "list.csv").write_text("link,by\nhttp://a.example/1.jpg,Ada\n")
    with pytest.raises(UserError, match="no column 'url'; it has link, by"):
        found(urls(tmp_path / "list.csv"))


def test_a_list_needs_no_more_than_its_path(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfhttp://a.example/1.jpg\r\n")
    (candidate,) = found(Urls(kind="urls", path=str(tmp_path / "list.txt")))
    assert candidate == Candidate("http://a.example/1.jpg")


@pytest.mark.parametrize("name", ["list.txt", "list.csv", "list.xlsx", "list.parquet"])
def test_a_list_that_cannot_be_read_is_named(tmp_path, name):
    (tmp_path / name).write_bytes("url\nhttp://a.example/f\u00fcr.jpg\n".encode("latin-1"))
    with pytest.raises(UserError, match=name):
        found(urls(tmp_path / name))


def test_a_source_brings_no_more_than_its_limit(tmp_path):
    (tmp_path / "list.txt").write_text("\n".join(f"http://a.example/{n}.jpg" for n in range(50)))
    assert len(found(urls(tmp_path / "list.txt"), items=7)) == 7


def test_work_on_many_keeps_its_order_and_raises_the_first_error_itself():
    async def slow_first(number: int) -> int:
        await asyncio.sleep(0.02 if number == 0 else 0)
        return number * 10

    async def failing(number: int) -> None:
        raise OSError(28, "No space left on device") if number == 3 else asyncio.CancelledError

    assert asyncio.run(each(range(5), slow_first, 3)) == [0, 10, 20, 30, 40]
    with pytest.raises(OSError, match="No space"):
        asyncio.run(each([3], failing, 1))
