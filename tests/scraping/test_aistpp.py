"""AIST++ comes from a folder or a mirror, as it was first, and nothing of an archive lands where it likes."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from inference.errors import UserError
from scraping import aistpp, archives, stage
from scraping.aistpp import Pins, Settings, Source, build, sha256_of

NAMES = ("gBR_sBM_cAll_d04_mBR0_ch01", "gHO_sFM_cAll_d20_mHO5_ch13")
TREE = Path("data/raw/aistpp")


def archive(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as files:
        for name, data in members:
            files.writestr(name, data)
    return buffer.getvalue()


MOTIONS = archive(*((f"motions/{name}.pkl", name.encode()) for name in NAMES))


def config(*overrides: str):
    with initialize_config_dir(str(stage.ROOT / "conf"), version_base="1.3"):
        return compose("scraping/aistpp", ["corpus=dances", "world=real", "aistpp.parts=[motions]", *overrides])


def settings(**changes) -> Settings:
    made = stage.settings(config(), "aistpp", Settings)
    quick = archives.Patience(attempts=1, stall_seconds=2, backoff_seconds=0, max_redirects=1)
    return made.model_copy(update={"patience": quick, **changes})


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "downloads").mkdir()
    return tmp_path


def test_archives_in_a_folder_of_ones_own_are_unpacked_and_songs_brought(here):
    (here / "downloads/motions.zip").write_bytes(MOTIONS)
    (here / "wav").mkdir()
    for name in ("mBR0.wav", "holiday.wav"):
        (here / f"wav/{name}").write_bytes(b"sound")
    aistpp.main(config(f"aistpp.folder={here}/downloads", f"aistpp.music={here}/wav"))
    assert sorted(file.stem for file in (TREE / "motions").iterdir()) == sorted(NAMES)
    assert [file.name for file in (TREE / "music").iterdir()] == ["mBR0.wav"]
    assert json.loads((TREE / "consent.json").read_text())["commercial"] is False
    assert "CC BY 4.0" in (TREE / "NOTICE").read_text()


def test_songs_that_stood_in_the_tree_outlive_another_fetch(here):
    (here / "downloads/motions").mkdir()
    (here / f"downloads/motions/{NAMES[0]}.pkl").write_bytes(b"")
    (TREE / "music").mkdir(parents=True)
    (TREE / "music/mHO5.mp3").write_bytes(b"sound")
    aistpp.main(config(f"aistpp.folder={here}/downloads"))
    assert (TREE / "music/mHO5.mp3").read_bytes() == b"sound"


def fetched(here: Path, site, source: Source, body: bytes) -> Path:
    """Fetch the motions from a server on loopback that gives these bytes."""
    loopback = site({"/motions.zip": body})
    out, work = here / "out", here / "work/archives"
    work.mkdir(parents=True, exist_ok=True)
    out.mkdir()
    given = settings(sources={"motions.zip": source})
    build(given, out, work, here / "published", {"files.demo": ("127.0.0.1", loopback.port)})
    return out


MIRROR = Source(mirrors=("http://files.demo/motions.zip",), sha256=None, most_bytes=10**6)


def test_the_first_fetch_pins_what_it_got_and_another_content_is_refused(here, site):
    out = fetched(here, site, MIRROR, MOTIONS)
    assert len(list((out / "motions").iterdir())) == 2
    assert json.loads((out / "pins.json").read_text())["motions.zip"]["url"] == MIRROR.mirrors[0]
    (here / "work/archives/downloads/motions.zip").unlink()
    (here / "out").rename(here / "before")
    with pytest.raises(UserError, match=r"motions.zip was not had.*has sha256 .* is pinned by"):
        fetched(here, site, MIRROR, archive(("motions/other.pkl", b"other")))


def test_what_was_fetched_and_is_as_pinned_is_not_fetched_again(here, site):
    fetched(here, site, MIRROR, MOTIONS)
    (here / "out").rename(here / "before")
    fetched(here, site, MIRROR, b"a server that now gives nonsense")
    assert len(list((here / "out/motions").iterdir())) == 2


def test_a_mirror_that_fails_is_followed_by_the_next(here, site):
    both = MIRROR.model_copy(update={"mirrors": ("http://files.demo/gone.zip", *MIRROR.mirrors)})
    assert (fetched(here, site, both, MOTIONS) / "motions").is_dir()


def test_a_pin_of_the_settings_goes_before_what_was_fetched_first(here):
    pins = Pins(here / "pins.json", here / "published.json")
    pins.add("motions.zip", "http://a", "a" * 64)
    assert Pins(here / "pins.json", here / "x").of("motions.zip", MIRROR)[0] == "a" * 64
    assert pins.of("motions.zip", MIRROR.model_copy(update={"sha256": "b" * 64}))[0] == "b" * 64


def test_members_of_an_archive_land_under_their_own_names_alone(here):
    hostile = archive(
        ("../../motions/gBR_x.pkl", b"1"),
        ("motions/evil.sh", b"2"),
        ("__MACOSX/motions/._a.pkl", b"3"),
        ("a/b.pkl", b""),
    )
    (here / "hostile.zip").write_bytes(hostile)
    assert aistpp.extract(here / "hostile.zip", here / "out/motions", aistpp.MEMBER["motions"]) == 2
    assert sorted(str(file.relative_to(here / "out")) for file in (here / "out").rglob("*.*")) == [
        "motions/b.pkl",
        "motions/gBR_x.pkl",
    ]


def test_an_archive_that_unpacks_to_too_much_or_is_none_is_one_line(here, monkeypatch):
    (here / "bomb.zip").write_bytes(MOTIONS)
    monkeypatch.setattr(aistpp, "MOST_MEMBER_BYTES", 3)
    with pytest.raises(UserError, match="not unpacked"):
        aistpp.extract(here / "bomb.zip", here / "a", aistpp.MEMBER["motions"])
    (here / "words.zip").write_bytes(b"words")
    with pytest.raises(UserError, match="no archive"):
        aistpp.extract(here / "words.zip", here / "b", aistpp.MEMBER["motions"])


def test_a_part_that_unpacks_to_too_much_in_all_is_not_unpacked(here, monkeypatch):
    (here / "many.zip").write_bytes(MOTIONS)
    monkeypatch.setattr(aistpp, "MOST_BYTES", len(NAMES[0]) + 1)
    with pytest.raises(UserError, match="not unpacked"):
        aistpp.extract(here / "many.zip", here / "out", aistpp.MEMBER["motions"])


def test_a_torn_member_is_one_line(here):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("a.pkl", bytes(range(256)) * 40)
    data = bytearray(packed.getvalue())
    data[40:44] = b"\xff\xff\xff\xff"
    (here / "torn.zip").write_bytes(data)
    with pytest.raises(UserError, match="no archive that can be unpacked") as told:
        aistpp.extract(here / "torn.zip", here / "out", aistpp.MEMBER["motions"])
    assert "\n" not in str(told.value)


def test_what_was_first_fetched_and_is_no_archive_is_not_pinned(here, site):
    with pytest.raises(UserError, match="no archive that can be unpacked"):
        fetched(here, site, MIRROR, b"<html>log in to this network</html>")
    shutil.rmtree(here / "out")
    assert (fetched(here, site, MIRROR, MOTIONS) / "motions").is_dir()


def test_a_folder_of_songs_that_is_none_or_has_none_is_one_line(here):
    (here / "wav").mkdir()
    for folder, line in (("nowhere", "is no folder"), ("wav", r"no song in .*expected mBR0\.wav")):
        with pytest.raises(UserError, match=line):
            aistpp.own_songs(here / folder)


def test_in_the_demo_world_nothing_is_fetched(here):
    aistpp.main(config("world=demo"))
    assert [file.name for file in TREE.iterdir()] == ["NOTHING.txt"]


def test_the_published_lists_are_the_ones_that_are_pinned(assets):
    pinned = stage.settings(config(), "aistpp", Settings).sources
    for name in ("crossmodal_train.txt", "crossmodal_test.txt"):
        assert sha256_of(assets / "dance/aistpp_splits" / name) == pinned[name].sha256
