"""The manifest's round trip and the NOTICE made from it."""

from scraping import manifest


def row(url: str, status: str = "kept", **more: object) -> dict:
    usual = {"url": url, "page_url": f"{url}.html", "source": "g", "redirects": [], "optout": [], "attempts": 1}
    said = {"licence": "CC0-1.0", "author": "Ada", "title": "A face", "robots": "allowed", "status": status}
    return dict.fromkeys(manifest.SCHEMA.names) | usual | said | more


def test_rows_come_back_as_they_were_written(tmp_path):
    rows = [
        row("http://a/1", redirects=["http://a/2"], optout=[], sha256="ab", bytes=5, width=3, height=4, phash="0f" * 8),
        row("http://a/3", "refused", reason="opt-out", optout=["x-robots-tag: noai"], http_status=200),
    ]
    manifest.write(rows, tmp_path)
    assert manifest.read(tmp_path).to_dicts() == rows


def test_the_same_rows_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        manifest.write([row("http://a/1"), row("http://a/2")], tmp_path / name)
    one, two = ((tmp_path / name / manifest.FILE).read_bytes() for name in ("one", "two"))
    assert one == two


def test_the_notice_names_each_kept_picture_under_its_licence_and_author():
    rows = [
        row("http://a/1", licence="CC-BY-4.0", author="Bo"),
        row("http://a/2"),
        row("http://a/3", author=None, title=None),
        row("http://a/4", "rejected", author="Nobody"),
    ]
    lines = manifest.notice(rows).splitlines()
    assert lines[0].startswith("This folder holds 3 pictures")
    assert lines[2:5] == ["CC-BY-4.0 (1 pictures)", "", "  Bo"]
    assert "    A face - http://a/2.html" in lines
    assert lines[lines.index("  author not stated") + 1] == "    untitled - http://a/3.html"
    assert "Nobody" not in manifest.notice(rows)


def test_counts_tell_the_kept_from_each_reason():
    rows = [row("1"), row("2"), row("3", "failed", reason="http-404")]
    assert manifest.counts(rows) == {"kept": 2, "failed: http-404": 1}
