"""The report page says what the data say: three figures recomputed from tables and pixels, by other means."""

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import polars
import pytest
from PIL import Image

from inference.errors import UserError
from scraping import manifest
from training import report


@pytest.fixture(scope="module")
def data(repro) -> Path:
    return repro.folder / "data"


@pytest.fixture(scope="module")
def page(data) -> str:
    return (data / "exported/report/index.html").read_text()


@pytest.fixture(scope="module")
def truth(data) -> dict[str, dict]:
    """The truth by sha256, with the resolution of the file that was stored: a repeat may be a rescaled one."""
    stored = {row["sha256"]: row for row in manifest.read(data / "raw/fashion").to_dicts() if row["sha256"]}
    people = polars.read_parquet(data / "truth/fashion/truth.parquet").to_dicts()
    return {
        row["sha256"]: row | {side: stored[row["sha256"]][side] for side in ("width", "height")}
        for row in people
        if row["sha256"] in stored
    }


@pytest.fixture(scope="module")
def decisions(data) -> list[dict]:
    return polars.read_parquet(data / "interim/fashion/decisions.parquet").to_dicts()


def headline(page: str, corpus: str, label: str) -> str:
    """Read a figure off the page as a reader would: the value above its label, in the corpus' section."""
    section = page.partition(f'<section id="{corpus}">')[2].partition("</section>")[0]
    return re.search(rf"<b>([^<]+)</b>{label}", section)[1]


def test_the_size_of_a_pack_is_the_number_of_its_pictures(data, page):
    for corpus in ("portrait", "fullbody", "fashion"):
        pictures = sum(len(np.load(shard)) for shard in (data / "processed" / corpus).glob("images-*.npy"))
        assert headline(page, corpus, "in the pack") == str(pictures)


def test_the_share_of_people_found_is_that_of_overlapping_boxes(page, decisions, truth):
    overlaps = []
    for row in decisions:
        if row["sha256"] in truth and row["reason"] != "near-duplicate":
            person = truth[row["sha256"]]
            size = np.array([person["width"], person["height"]] * 2)
            overlaps.append(overlap(row["person_box"], np.array(person["box"]) * size) if row["person_box"] else 0.0)
    share = np.mean([value >= 0.5 for value in overlaps])
    assert headline(page, "fashion", f"of {len(overlaps)} people found") == f"{100 * share:.1f} %"


def test_the_overlap_of_mattes_is_that_of_their_pixels_with_the_masks(data, page, decisions, truth):
    kept = [row for row in decisions if row["status"] == "kept" and row["sha256"] in truth]
    with zipfile.ZipFile(data / "interim/fashion/mattes-00000.zip") as archive:
        values = [matte_overlap(row, truth[row["sha256"]], archive.read(f"{row['sha256']}.png")) for row in kept]
    shown = float(headline(page, "fashion", f"matte IoU, N {len(kept)}"))
    assert shown == pytest.approx(np.mean(values), abs=0.01)  # another resampling at the edges
    metrics = json.loads((data / "metrics/fashion/cleaning.json").read_text())
    assert shown == pytest.approx(metrics["matting"]["iou"]["mean"], abs=5e-4)


def test_every_figure_names_its_json_and_its_command(page):
    for corpus in ("portrait", "fullbody", "fashion"):
        assert f"data/metrics/{corpus}/cleaning.json" in page
        assert f"python -m preprocessing.measure corpus={corpus}" in page


def test_the_page_loads_nothing(page):
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)[^\"]*\"", page)


def test_what_a_site_writes_is_shown_as_text():
    hostile = '<img src=x onerror="alert(1)">'
    row = {
        "step": "scraping",
        "reason": "no-licence",
        "count": 1,
        "detail": hostile,
        "example": hostile,
        "pictures": [],
    }
    numbers = {"candidates": 1, "stored": 0, "packed": 0, "resolution": "64x64"}
    section = report.Section(
        name="portrait", counts=numbers, counts_json="", counts_command="", headline=[], measures=[], duplicates=None,
        routes=None, unmeasured=hostile, measures_json="", measures_command="", sources=[], cell=1, pairs=[],
        rejects=[row],
    )  # fmt: skip
    assert hostile not in report.page([section], "real", "demo")


def test_an_absent_step_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = report.Settings(corpora=["portrait"], pairs=1, rejects_a_reason=1, sources=1, thumbnail=16)
    with pytest.raises(UserError, match="data/metrics has none of portrait"):
        report.sections_of(settings, "demo", "tiny")


def overlap(first, second) -> float:
    sides = [min(first[axis + 2], second[axis + 2]) - max(first[axis], second[axis]) for axis in (0, 1)]
    inner = max(sides[0], 0) * max(sides[1], 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return inner / (sum(areas) - inner)


def matte_overlap(row: dict, person: dict, matte: bytes) -> float:
    mask = Image.open(io.BytesIO(person["mask"])).convert("L")
    mask = mask.resize((person["width"], person["height"])).crop([round(edge) for edge in row["crop"]])
    found = np.asarray(Image.open(io.BytesIO(matte))) >= 128
    drawn = np.asarray(mask.resize(found.shape[::-1], Image.Resampling.BOX)) >= 128
    return (found & drawn).sum() / (found | drawn).sum()
