"""The stage as a command, against the demo gallery of the test world."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import hydra
import polars
import pytest
from omegaconf import DictConfig

from inference.errors import UserError
from scraping import manifest, scrape, stage

ROOT = Path(__file__).resolve().parents[2]
HURRY = ["scrape.policy.total_seconds=0.8", "scrape.pace.backoff_seconds=0.05"]


def command(gallery: Path | None, *overrides: str) -> list[str]:
    serve = [f"scrape.serve={gallery}"] if gallery else []
    return [sys.executable, "-m", "scraping.scrape", "corpus=portrait", *serve, *HURRY, *overrides]


def run(cwd: Path, *args: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(args, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)


def composed(*overrides: str) -> DictConfig:
    """Compose the stage's config as the command line would: starting a process takes seconds."""
    with hydra.initialize_config_dir(str(ROOT / "conf"), version_base=None):
        return hydra.compose("scraping/scrape", ["corpus=portrait", *HURRY, *overrides])


def requests(cwd: Path) -> list[str]:
    (log,) = cwd.glob(".work/scrape/portrait/demo/*/access.jsonl")
    return [json.loads(line)["path"] for line in log.read_text().splitlines()]


def journaled(cwd: Path) -> set[str]:
    """List the paths of the pictures that a run has finished; its last line may be torn."""
    (journal,) = cwd.glob(".work/scrape/portrait/demo/*/fetched.jsonl")
    whole = [line for line in journal.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return {json.loads(line)["key"].removeprefix("http://gallery.demo") for line in whole}


@pytest.fixture(scope="module")
def scraped(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One undisturbed run; gives its working folder."""
    cwd = tmp_path_factory.mktemp("scraped")
    done = run(cwd, *command(world / "gallery/portrait"))
    assert done.returncode == 0, done.stderr
    return cwd


def test_every_special_address_ends_as_it_should(scraped, world):
    found = manifest.read(scraped / "data/raw/portrait").with_columns(
        path=polars.col("url").str.strip_prefix("http://gallery.demo")
    )
    expected = polars.read_parquet(world / "truth/portrait/routes.parquet")
    ended = {row["path"]: (row["status"], row["reason"]) for row in found.to_dicts()}
    wanted = {path: (status, reason) for path, status, reason in expected.iter_rows()}
    assert len(wanted) > 30
    assert {path: ended.get(path) for path in wanted} == wanted


def test_all_other_pictures_are_kept_with_licence_author_and_evidence(scraped):
    found = manifest.read(scraped / "data/raw/portrait").filter(polars.col("status") == "kept")
    plain = found.filter(polars.col("url").str.contains("/files/portrait-"))
    assert len(plain) == 15  # of 20, five stand at difficult addresses
    assert set(plain["licence"]) == {"CC0-1.0", "CC-BY-4.0"}
    assert set(plain["author"]) == {"Dramatis demo world"}
    assert all(row["licence_evidence"].startswith(row["page_url"]) for row in plain.iter_rows(named=True))


def test_the_forbidden_part_was_never_requested(scraped):
    assert not [path for path in requests(scraped) if path.startswith(("/private/", "/reserved/"))]


def test_kept_files_are_stored_once_by_their_sha256_and_no_name_of_the_web_becomes_a_path(scraped):
    raw = scraped / "data/raw/portrait"
    kept = manifest.read(raw).filter(polars.col("status") == "kept")
    assert sorted(kept["file"]) == sorted(f"files/{file.name}" for file in (raw / "files").iterdir())
    assert set(kept["sha256"]) == {file.stem for file in (raw / "files").iterdir()}
    assert {path.name for path in raw.iterdir()} == {"files", "manifest.parquet", "NOTICE"}


def test_a_second_run_asks_for_nothing_and_publishes_the_same_bytes(scraped, world, monkeypatch):
    monkeypatch.chdir(scraped)
    before = (scraped / "data/raw/portrait/manifest.parquet").read_bytes()
    asked = len(requests(scraped))
    scrape.main(composed(f"scrape.serve={world / 'gallery/portrait'}"))
    assert len(requests(scraped)) == asked
    assert (scraped / "data/raw/portrait/manifest.parquet").read_bytes() == before


def test_retry_failed_asks_only_for_what_may_pass(scraped, world, monkeypatch):
    monkeypatch.chdir(scraped)
    asked = len(requests(scraped))
    scrape.main(composed(f"scrape.serve={world / 'gallery/portrait'}", "scrape.retry_failed=true"))
    again = {path for path in requests(scraped)[asked:] if path.startswith(("/files/", "/odd/"))}
    assert again == {"/odd/broken-server.jpg", "/odd/dripping.jpg", "/odd/promises-more.jpg"}


def test_killed_at_any_moment_it_resumes_without_asking_again_and_ends_the_same(scraped, world, tmp_path):
    args = command(world / "gallery/portrait")
    for finished in (3, 20):
        _kill_after(finished, args, tmp_path)
        done = journaled(tmp_path)
        asked = len(requests(tmp_path))
        assert len(done) >= finished
    resumed = run(tmp_path, *args)
    assert resumed.returncode == 0, resumed.stderr
    assert not done & set(requests(tmp_path)[asked:])
    first, second = (manifest.read(cwd / "data/raw/portrait") for cwd in (scraped, tmp_path))
    varying = ["fetched_at", "attempts"]
    assert first.drop(varying).equals(second.drop(varying))


def _kill_after(finished: int, args: list[str], cwd: Path) -> None:
    """Start the stage and kill it once its journal holds so many pictures."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(args, cwd=cwd, env=environment, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        journals = list(cwd.glob(".work/scrape/portrait/demo/*/fetched.jsonl"))
        if journals and journals[0].read_bytes().count(b"\n") >= finished:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended before it was killed"


def test_a_full_disk_stops_the_run_with_its_own_error_and_loses_nothing(world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = composed(f"scrape.serve={world / 'gallery/portrait'}")
    room = iter(range(10))

    def write(path: Path, data: bytes) -> None:
        if next(room, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        path.write_bytes(data)

    with monkeypatch.context() as patch:
        patch.setattr(stage, "write_atomically", write)
        with pytest.raises(OSError, match="No space left"):
            scrape.main(config)
    done, asked = journaled(tmp_path), len(requests(tmp_path))
    assert not (tmp_path / "data").exists()
    scrape.main(config)
    assert len(done) >= 10
    assert not done & set(requests(tmp_path)[asked:])


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["world=real"], "scrape.sources.portrait: no sources for world=real"),
        (["scrape.contact=null"], "scrape.contact: not set"),
        (["scrape.contact=me"], "scrape.contact: value error, not an e-mail or web address (got 'me')"),
        (["scrape.policy.attempts=many"], "scrape.policy.attempts: input should be a valid integer"),
        (["scrape.serve=nowhere"], "nowhere: no gallery here; make it first"),
        (["+scrape.sources.portrait.gallery.colour=red"], "colour: extra inputs are not permitted"),
        (["scrape.sources.portrait.gallery.item='a['"], "no CSS selector"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_value(tmp_path, monkeypatch, overrides, line):
    monkeypatch.chdir(tmp_path)
    config = composed(*overrides)
    with pytest.raises(UserError) as caught:
        scrape.main(config)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_as_a_command_a_mistake_ends_with_its_line_and_exit_code_2(tmp_path):
    done = run(tmp_path, *command(None, "world=real"))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: scrape.sources.portrait: no sources for world=real")
    assert "Traceback" not in done.stderr


def test_a_folder_is_scraped_with_its_duplicates_and_broken_files_named(tmp_path, draw, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures = tmp_path / "mine"
    pictures.mkdir()
    draw(1).save(pictures / "a.png")
    draw(2).save(pictures / "b.jpg")
    (pictures / "c.png").write_bytes((pictures / "a.png").read_bytes())
    (pictures / "d.jpg").write_bytes(b"<html>")
    (pictures / "e.jpg").write_bytes(bytes(1000))
    source = f"{{kind: folder, path: {pictures}, licence: CC-BY-4.0, author: Me, label: null}}"
    scrape.main(composed(f"+scrape.sources.portrait.mine={source}", "scrape.policy.max_bytes=900000", "world=real"))
    rows = manifest.read(tmp_path / "data/raw/portrait").select("url", "status", "reason").rows()
    assert rows == [
        ("file:a.png", "kept", None),
        ("file:b.jpg", "kept", None),
        ("file:c.png", "rejected", "exact-duplicate"),
        ("file:d.jpg", "rejected", "not-a-picture"),
        ("file:e.jpg", "rejected", "not-a-picture"),
    ]
