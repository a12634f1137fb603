import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from PIL import Image, ImageFilter

from inference.errors import UserError
from preprocessing import images, packing
from scraping import manifest

ROOT = Path(__file__).resolve().parents[2]
INTERIM, PROCESSED = Path("data/interim/fullbody"), Path("data/processed/fullbody")


def decisions() -> pl.DataFrame:
    return pl.read_parquet(INTERIM / "decisions.parquet")


def published() -> dict[str, bytes]:
    return {str(file): file.read_bytes() for folder in (INTERIM, PROCESSED) for file in sorted(folder.iterdir())}


@pytest.fixture
def people(figure, encode) -> list[bytes]:
    """Encoded drawings of four people, on transparency: their alpha is their matte."""
    return [encode(figure(seed, ground=None)) for seed in range(4)]


def test_each_reject_stands_in_the_table_with_its_reason(raw, config, figure, encode, people):
    someone = figure(9, ground=None)
    folder = raw(
        *people[:2],
        people[0],
        encode(figure(1, ground=None).resize((120, 240), Image.Resampling.LANCZOS)),
        people[2][:-400],
        encode(someone.filter(ImageFilter.GaussianBlur(9))),
        encode(someone.resize((20, 40))),
        encode(Image.new("RGB", (160, 320), "gray")),
        people[3],
        encode(figure(7, ground=None)),
    )
    kept_files = pl.read_parquet(folder / "manifest.parquet")["file"].to_list()
    (folder / kept_files[-1]).unlink()
    (folder / kept_files[-2]).write_bytes(b"other bytes")
    images.main(config())
    assert decisions()["reason"].to_list() == [
        *(None, None, "exact-duplicate", "near-duplicate", "truncated"),
        *("blurred", "too-small", "no-foreground", "changed-file", "missing-file"),
    ]
    rejected = decisions().filter(pl.col("status") == "rejected")
    assert rejected["detail"].null_count() == 0
    assert not any("\n" in detail for detail in rejected["detail"])
    assert decisions()["duplicate_of"][3] == decisions()["sha256"][1]


def test_the_pack_holds_what_was_kept_in_the_manifests_order(raw, config, people):
    raw(*people, labels=["coat", "dress", "coat", "shirt"])
    images.main(config("images.background=transparent"))
    pack = packing.read_pack(PROCESSED)
    assert (pack.width, pack.height, pack.channels, len(pack)) == (64, 128, 4, 4)
    assert pack.index["sha256"].to_list() == decisions()["sha256"].to_list()
    assert pack.index["label"].to_list() == ["coat", "dress", "coat", "shirt"]
    assert pack.image(0)[0, 0].tolist() == [0, 0, 0, 0]
    assert pack.image(0)[64, 32, 3] == 255


def test_a_second_run_cleans_nothing_again_and_publishes_the_same(raw, config, people, monkeypatch):
    raw(*people)
    images.main(config())
    first = published()
    monkeypatch.setattr(images, "Workers", None)
    images.main(config())
    assert published() == first


def cleaned() -> list[str]:
    """The sha256 of each picture that was cleaned, in order, once for each time."""
    (journal,) = Path(".work/images").rglob("journal.jsonl")
    return [json.loads(line)["key"] for line in journal.read_text().splitlines()]


def test_pictures_scraped_at_another_time_are_the_same_pictures(raw, config, people, monkeypatch):
    folder = raw(*people)
    images.main(config())
    first = published()
    rows = manifest.read(folder).to_dicts()
    manifest.write([row | {"fetched_at": "2031-05-06T07:08:09Z"} for row in rows], folder)
    monkeypatch.setattr(images, "Workers", None)
    images.main(config())
    assert published() == first


def test_one_more_picture_is_cleaned_alone(raw, config, people):
    folder = raw(*people[:3])
    images.main(config())
    before, first = cleaned(), packing.read_pack(PROCESSED).fingerprint
    raw(*people)
    images.main(config())
    assert cleaned()[:3] == before
    assert len(set(cleaned())) == len(cleaned()) == 4
    assert packing.read_pack(PROCESSED).fingerprint != first
    assert manifest.read(folder)["sha256"].to_list() == packing.read_pack(PROCESSED).index["sha256"].to_list()


def test_a_larger_repeat_scraped_later_takes_the_smaller_ones_place(raw, config, figure, encode):
    large = figure(1, ground=None)
    small = encode(large.resize((120, 240), Image.Resampling.LANCZOS))
    raw(small)
    images.main(config())
    raw(small, encode(large))
    images.main(config())
    assert decisions()["reason"].to_list() == ["near-duplicate", None]


def test_a_file_that_was_missing_is_cleaned_once_it_is_back(raw, config, people):
    folder = raw(*people)
    file = folder / manifest.read(folder)["file"][1]
    file.unlink()
    images.main(config())
    assert decisions()["reason"].to_list() == [None, "missing-file", None, None]
    file.write_bytes(people[1])
    images.main(config())
    assert decisions()["reason"].null_count() == 4


def test_a_repeat_says_truly_by_what_the_other_is_better(raw, config, figure, encode):
    drawn = figure(1)
    raw(*(encode(drawn, quality=quality) for quality in (95, 60)), encode(drawn.resize((120, 240)), quality=95))
    images.main(config("images.gates.blur=1"))
    details = [detail.partition(", ")[2] for detail in decisions()["detail"].drop_nulls()]
    assert details == ["which has as many pixels in more bytes", "which is larger"]


def test_a_killed_process_goes_on_where_it_was_and_gives_the_same_bytes(raw, config, figure, encode):
    raw(*(encode(figure(seed)) for seed in range(12)))
    images.main(config())
    whole = published()
    shutil.rmtree(".work")
    run = start()
    deadline = time.monotonic() + 60
    while not (journals := list(Path(".work/images").rglob("journal.jsonl"))) or not journals[0].stat().st_size:
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    before = cleaned()
    assert 0 < len(before) < 12
    run = start()
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 0, errors
    assert cleaned()[: len(before)] == before
    assert len(set(cleaned())) == len(cleaned()) == 12
    assert published() == whole


def start() -> subprocess.Popen:
    words = ["corpus=fullbody", "profile=tiny", "images.subject=matte", "images.workers=1"]
    command = [sys.executable, "-m", "preprocessing.images", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_number_of_workers_changes_no_byte(raw, config, people):
    raw(*people)
    images.main(config("images.workers=1"))
    one = published()
    for journal in Path(".work/images").rglob("journal.jsonl"):
        journal.unlink()
    images.main(config("images.workers=3"))
    assert published() == one


def test_where_the_best_of_two_alike_is_no_use_the_other_is_kept(raw, config, figure, encode):
    good = figure(1, ground=None)
    cut = Image.new("RGBA", (320, 600))  # twice as large, but its feet are cut off
    cut.paste(good.resize((320, 640), Image.Resampling.LANCZOS).crop((0, 0, 320, 560)), (0, 40))
    raw(encode(cut), encode(good))
    images.main(config("images.duplicates.phash_bits=16", "images.duplicates.alikeness=0.5"))
    assert decisions()["reason"].to_list() == ["cut-off", None]


def test_another_setting_is_other_work(raw, config, people):
    raw(*people)
    images.main(config())
    white = packing.read_pack(PROCESSED).image(0).copy()
    images.main(config("images.background=keep", "images.width=32"))
    assert packing.read_pack(PROCESSED).image(0).shape == (64, 32, 3) != white.shape


def test_with_nothing_kept_the_table_still_says_why(raw, config, encode):
    raw(encode(Image.new("RGB", (160, 320), "gray")))
    with pytest.raises(UserError, match="none of the 1 pictures of fullbody was kept") as caught:
        images.main(config())
    assert "\n" not in str(caught.value)
    assert decisions()["reason"].to_list() == ["no-foreground"]


def test_an_empty_or_absent_raw_folder_is_one_line(raw, config):
    raw()
    with pytest.raises(UserError, match="holds no picture"):
        images.main(config())
    Path("data/raw/fullbody/manifest.parquet").unlink()
    with pytest.raises(UserError, match=r"run python -m scraping\.scrape corpus=fullbody first"):
        images.main(config())


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("images.background=green", "images.background"),
        ("images.workers=0", "images.workers"),
        ("images.person.longest=333", "images.person.longest"),
        ("images.gates.blur=7", "images.gates.blur"),
        ("+images.matte.glow=1", "images.matte.glow"),
    ],
)
def test_a_wrong_value_is_named(raw, config, people, override, line):
    raw(*people)
    with pytest.raises(UserError, match=line):
        images.main(config(override))


def test_real_photographs_become_whole_people(raw, config, assets):
    paths = sorted((assets / "images/fashion_photos").iterdir())[500:504]
    raw(*[path.read_bytes() for path in paths])
    images.main(config("images.subject=body"))
    table = decisions()
    assert (table["status"] == "kept").sum() >= 3
    assert table["matte_fit"].drop_nulls().min() > 0.6
