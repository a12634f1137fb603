"""The report page says what the data say: three figures recomputed from tables and pixels, by other means."""

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import polars
import pytest
import yaml
from PIL import Image

from inference.errors import UserError
from scraping import manifest
from training.report import __main__ as report
from training.report.cleaning import Cleaning
from training.report.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def data(repro) -> Path:
    return repro.folder / "data"


@pytest.fixture(scope="module")
def page(data) -> str:
    return (data / "report/index.html").read_text()


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
    section = page.partition(f'<section class="details" id="{corpus}">')[2].partition("</section>")[0]
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


def test_the_page_begins_with_people_of_each_kind_and_the_command_that_makes_them(page):
    walls = re.findall(r'<section class="meet" id="meet-(\w+)">(.*?)</section>', page, re.DOTALL)
    assert [name for name, _ in walls] == ["portrait", "fullbody", "fashion", "talks", "dances"]
    for name, wall in walls[:3]:
        seeds = [int(seed) for seed in re.findall(r'<button type="button" value="(\d+)"', wall)]
        assert seeds == list(range(1, len(seeds) + 1))
        assert f"dramatis generate --bundle {name} --truncation 0.7 --seeds 1-{len(seeds)} --out {name}.png" in wall
    assert page.index('id="meet-fashion"') < page.index('<section class="details"')


def test_a_first_run_says_so(page):
    assert page.count("This is the first run") == 3


def test_the_plots_of_dvc_load_nothing(repro):
    result = repro.dvc("plots", "show", "-o", "plots")
    assert result.returncode == 0, result.stderr
    plots = (repro.folder / "plots/index.html").read_text()
    assert "<script src=" not in plots
    assert all(f'"{name}/history.csv"' in plots for name in ("portrait", "fullbody", "fashion"))


def test_the_page_stays_small(page):
    assert len(page) < 12_000_000


def test_what_a_site_writes_is_shown_as_text():
    hostile = '<img src=x onerror="alert(1)">'
    row = {"step": "scraping", "reason": "no", "count": 1, "detail": hostile, "example": hostile, "pictures": []}
    assert hostile not in report.page([corpus(rejects=[row], unmeasured=hostile)], "real", "demo")


def test_a_corpus_without_a_network_says_so_in_one_line():
    page = report.page([corpus()], "demo", "demo")
    assert page.count("No network was trained on portrait yet") == 1
    assert "How good they are" not in page
    assert "Mixes" not in page


def test_what_changed_is_shown_with_both_values():
    one = corpus()
    before = {"portrait": {"cleaning": {"packed": 3}, "avatars": {"made": None}}}
    one = report.compared(one, before, report.figures([one]))
    row = re.search(r"pictures in the pack.*?</tr>", report.page([one], "demo", "demo"))[0]
    assert re.findall(r"<td[^>]*>([^<]*)</td>", row) == ["3", "5", "▲ +2"]


def test_an_absent_step_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = yaml.safe_load((ROOT / "conf/training/report.yaml").read_text())["report"]
    with pytest.raises(UserError, match="data/metrics has none of portrait"):
        report.gather(Settings(**settings), "")


def corpus(**changes) -> report.Corpus:
    """A corpus that was cleaned and no more."""
    counts = {"candidates": 9, "stored": 7, "packed": 5, "resolution": "64x64"}
    parts = {
        "counts": counts, "headline": [], "measures": [], "duplicates": None, "routes": None, "unmeasured": "",
        "measures_json": "", "measures_command": "", "sources": [], "cell": 1, "pairs": [], "rejects": [], **changes,
    }  # fmt: skip
    return report.Corpus("portrait", "portraits", Cleaning(**parts), cast=None, training=None, measured=None)


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
