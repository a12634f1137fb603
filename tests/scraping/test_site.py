"""The gallery that is built around rendered pictures, and its server."""

import hashlib
import io
import json
from pathlib import Path
from urllib.request import Request, urlopen

import imagehash
import pytest
from PIL import Image

from inference import media
from inference.errors import UserError
from scraping.demo import hostile, server
from scraping.demo.site import SiteSettings, build

SETTINGS = SiteSettings(
    page_length=6,
    crawl_delay_seconds=0.01,
    exact_duplicates=2,
    near_duplicates=3,
    slow_seconds=0.1,
    retry_after_seconds=1,
    huge_bytes=1_000_000,
)


def make(folder: Path, draw) -> list:
    (folder / "pictures").mkdir(parents=True)
    people = []
    for number in range(8):
        draw(number, 120, 180).save(folder / f"pictures/fullbody-{number}.png")
        row = {"name": f"fullbody-{number}", "file": f"pictures/fullbody-{number}.png", "title": 'A "tall" <man>'}
        people.append(row | {"author": "Dramatis demo world", "licence": "CC0-1.0", "tags": []})
    (folder / "people.json").write_text(json.dumps(people))
    return build(folder, folder / "truth", "fullbody", SETTINGS, seed=3)


def files(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_the_same_seed_builds_the_same_site(tmp_path, draw):
    make(tmp_path / "one", draw)
    make(tmp_path / "two", draw)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_served_variant_shows_its_original_uncropped(tmp_path, draw):
    served = make(tmp_path, draw)
    assert {row.transform for row in served} == {*hostile.NEAR, "cmyk", "16-bit", "exif-rotated"}
    for row in served:
        body = row.file.read_bytes()
        assert hashlib.sha256(body).hexdigest() == row.sha256
        shown = media.decode(body, max_pixels=10**6)
        original = Image.open(tmp_path / f"pictures/{row.original_name}.png")
        assert abs(shown.width / shown.height - original.width / original.height) < 0.01
        assert imagehash.phash(shown) - imagehash.phash(original) <= 8


def test_a_bomb_is_small_says_its_true_size_and_is_refused_by_its_header():
    body = hostile.bomb(None)
    assert len(body) < 200_000
    assert media.probe(body).width == 30_000
    with pytest.raises(media.MediaError) as caught:
        media.decode(body, max_pixels=64_000_000)
    assert caught.value.reason == "too-many-pixels"


def test_a_bomb_is_a_whole_picture_were_someone_to_decode_it(monkeypatch):
    monkeypatch.setattr(hostile, "BOMB_SIDE", 80)
    picture = Image.open(io.BytesIO(hostile.bomb(None)))
    picture.load()
    assert picture.size == (80, 80)


def test_every_route_leads_to_bytes_that_its_hash_names(tmp_path, draw):
    make(tmp_path, draw)
    site = json.loads((tmp_path / server.SITE).read_text())
    pages = json.loads((tmp_path / server.PAGES).read_text())
    for path, route in site["routes"].items():
        if "file" in route:
            assert hashlib.sha256((tmp_path / route["file"]).read_bytes()).hexdigest() == route["sha256"]
        elif route.get("status", 200) == 200 and "zeros" not in route:
            assert pages[path]


def test_titles_are_escaped_on_every_page(tmp_path, draw):
    make(tmp_path, draw)
    pages = json.loads((tmp_path / server.PAGES).read_text())
    assert not [path for path, page in pages.items() if "<man>" in page]
    assert "A &quot;tall&quot; &lt;man&gt;" in pages["/fullbody/"]


def test_the_server_answers_only_what_its_table_names_and_logs_before_it_answers(tmp_path, draw):
    make(tmp_path, draw)
    log = tmp_path / "log.jsonl"
    with server.serve(tmp_path, log) as port:
        for path, status in (("/fullbody/", 200), ("/../people.json", 404), ("/pictures/fullbody-0.png", 404)):
            request = Request(f"http://127.0.0.1:{port}{path}", headers={"User-Agent": "me"})
            try:
                answered = urlopen(request).status
            except OSError as error:
                answered = error.code
            assert answered == status
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["path"], line["status"], line["agent"]) for line in lines] == [
        ("/fullbody/", 200, "me"),
        ("/../people.json", 404, "me"),
        ("/pictures/fullbody-0.png", 404, "me"),
    ]


def test_a_changed_gallery_is_another_gallery(tmp_path, draw):
    make(tmp_path, draw)
    before = server.identity(tmp_path)
    draw(99, 120, 180).save(tmp_path / "pictures/fullbody-0.png")
    build(tmp_path, tmp_path / "truth", "fullbody", SETTINGS, seed=3)
    assert server.identity(tmp_path) != before


def test_a_missing_gallery_is_said_so(tmp_path):
    with pytest.raises(UserError, match=r"make it first: python -m scraping.demo corpus=portrait"):
        server.identity(tmp_path / "portrait")
