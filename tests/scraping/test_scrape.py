"""The stage as a command, against the demo gallery of the test world."""

import errno
import json
import os
import shutil
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
VARYING = ["fetched_at", "attempts"]
RULES = {"/robots.txt", "/.well-known/tdmrep.json"}
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


def journaled(cwd: Path, journal: str = "fetched") -> set[str]:
    """List the paths that a run's journal holds; its last line may be torn."""
    files = cwd.glob(f".work/scrape/portrait/demo/*/{journal}.jsonl")
    lines = [line for file in files for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return {json.loads(line)["key"].partition("http://gallery.demo")[2] for line in lines}


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


def test_killed_at_any_moment_it_asks_again_only_for_what_was_on_its_way_and_ends_the_same(scraped, world, tmp_path):
    args = command(world / "gallery/portrait")
    runs: list[tuple[set[str], set[str]]] = []
    logged = 0
    for finished in (2, 12, 25):
        _kill_after(finished, args, tmp_path)
        log = requests(tmp_path)
        runs.append((set(log[logged:]) - RULES, journaled(tmp_path, "found") | journaled(tmp_path)))
        logged = len(log)
    resumed = run(tmp_path, *args)
    assert resumed.returncode == 0, resumed.stderr
    runs.append((set(requests(tmp_path)[logged:]) - RULES, set()))
    at_once = 16  # pages; of pictures it is fewer
    for number, (asked, held) in enumerate(runs):
        later = set().union(*(further for further, _ in runs[number + 1 :]))
        assert not held & later
        assert len(asked & later) <= at_once
    first, second = (manifest.read(cwd / "data/raw/portrait") for cwd in (scraped, tmp_path))
    assert first.drop(VARYING).equals(second.drop(VARYING))


def _kill_after(finished: int, args: list[str], cwd: Path) -> None:
    """Start the stage and kill it once its journal holds so many pictures."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(args, cwd=cwd, env=environment, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None and len(journaled(cwd)) < finished:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended before it was killed"


def test_what_was_fetched_but_not_examined_when_it_was_killed_is_not_asked_again(scraped, world, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(scraped, tmp_path, dirs_exist_ok=True))
    (journal,) = tmp_path.glob(".work/scrape/portrait/demo/*/fetched.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if "status" not in json.loads(line)["row"]))
    fetched, asked = journaled(tmp_path), len(requests(tmp_path))
    assert len(fetched) > 20
    scrape.main(composed(f"scrape.serve={world / 'gallery/portrait'}"))
    assert not fetched & set(requests(tmp_path)[asked:])
    first, second = (manifest.read(cwd / "data/raw/portrait") for cwd in (scraped, tmp_path))
    assert first.drop(VARYING).equals(second.drop(VARYING))


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
        (["scrape.policy.attempts=0"], "scrape.policy.attempts: input should be greater than 0 (got 0)"),
        (["scrape.policy.max_redirects=-1"], "scrape.policy.max_redirects: input should be greater than or equal to 0"),
        (["scrape.policy.total_seconds=0"], "scrape.policy.total_seconds: input should be greater than 0"),
        (["scrape.policy.max_wait_seconds=nan"], "scrape.policy.max_wait_seconds: input should be a finite number"),
        (["scrape.policy.max_bytes=0"], "scrape.policy.max_bytes: input should be greater than 0"),
        (["scrape.pace.concurrency=0"], "scrape.pace.concurrency: input should be greater than 0"),
        (["scrape.pace.per_host=0"], "scrape.pace.per_host: input should be greater than 0"),
        (["scrape.pace.gap_seconds=-1"], "scrape.pace.gap_seconds: input should be greater than or equal to 0"),
        (["scrape.pace.backoff_seconds=inf"], "scrape.pace.backoff_seconds: input should be a finite number"),
        (["scrape.limits.items=0"], "scrape.limits.items: input should be greater than 0"),
        (["scrape.browser.step_seconds=0"], "scrape.browser.step_seconds: input should be greater than 0"),
        (["scrape.browser.stable_steps=0"], "scrape.browser.stable_steps: input should be greater than 0"),
        (["scrape.browser.max_seconds=0.5"], "scrape.browser.max_seconds: input should be greater than or equal to 1"),
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
    source = f"{{kind: folder, path: {pictures}, licence: CC-BY-4.0}}"
    scrape.main(composed(f"+scrape.sources.portrait.mine={source}", "scrape.policy.max_bytes=900000", "world=real"))
    rows = manifest.read(tmp_path / "data/raw/portrait").select("url", "status", "reason").rows()
    assert rows == [
        ("file:a.png", "kept", None),
        ("file:b.jpg", "kept", None),
        ("file:c.png", "rejected", "exact-duplicate"),
        ("file:d.jpg", "rejected", "not-a-picture"),
        ("file:e.jpg", "rejected", "not-a-picture"),
    ]


def test_a_file_that_two_folders_hold_under_one_name_is_kept_once(tmp_path, draw, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "yours"):
        (tmp_path / name).mkdir()
        draw(1).save(tmp_path / name / "a.png")
    folders = {name: f"{{kind: folder, path: {name}, licence: CC0}}" for name in ("mine", "yours")}
    sources = [f"+scrape.sources.portrait.{name}={source}" for name, source in folders.items()]
    scrape.main(composed(*sources, "world=real"))
    rows = manifest.read(tmp_path / "data/raw/portrait").select("source", "status", "detail").rows()
    assert rows == [("mine", "kept", None), ("yours", "rejected", "same bytes as file:a.png of mine")]
