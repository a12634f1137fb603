import hashlib
import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from inference.errors import UserError
from preprocessing import images, measure, quality
from scraping import stage

TRUTH, RAW, INTERIM = (Path("data") / step / "fullbody" for step in ("truth", "raw", "interim"))


@pytest.fixture
def settings(config) -> measure.Settings:
    return stage.settings(config(stage="measure"), "measure", measure.Settings)


@pytest.fixture
def world(raw, config, figure, encode):
    """Three people and a smaller repeat of the last one, cleaned, with the truth about them beside."""
    drawn = [figure(seed, ground=None) for seed in range(3)]
    repeat = drawn[2].resize((120, 240), Image.Resampling.LANCZOS)
    files = [encode(picture) for picture in (*drawn, repeat)]
    raw(*files)
    images.main(config())
    masks = [np.asarray(picture.getchannel("A")) for picture in (*drawn, drawn[2])]
    write_truth(files, masks)


def write_truth(files: list[bytes], masks: list[np.ndarray]) -> None:
    hashes = [hashlib.sha256(data).hexdigest() for data in files]
    rows = []
    for index, mask in enumerate(masks):
        buffer = io.BytesIO()
        Image.fromarray(mask).save(buffer, "PNG")
        row = {"sha256": hashes[index], "original_sha256": hashes[min(index, 2)], "mask": buffer.getvalue()}
        rows.append(row | {"box": list(quality.extent(mask)), "face_box": None})
    TRUTH.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(rows).write_parquet(TRUTH / "truth.parquet")
    routes = [("/0", "kept", None), ("/1", "rejected", "truncated"), ("/nowhere", "failed", "http-404")]
    schema = ["path", "expected_status", "expected_reason"]
    pl.DataFrame(routes, schema=schema, orient="row").write_parquet(TRUTH / "routes.parquet")


def test_exact_mattes_and_boxes_score_high_and_chance_scores_low(world, settings):
    figures = measure.measure(TRUTH, RAW, INTERIM, settings)
    detection, matting = figures["detection"], figures["matting"]
    assert detection["found"] == {"n": 3, "mean": 1.0, "interval_95": [1.0, 1.0]}
    assert detection["box_overlap"]["mean"] > 0.97 > detection["chance_box_overlap"]["mean"]
    assert matting["iou"]["n"] == 3
    assert matting["iou"]["mean"] > 0.97
    assert matting["mean_absolute_error"]["mean"] < 0.01 < matting["chance_box_mean_absolute_error"]["mean"]
    assert matting["chance_full_iou"]["mean"] < matting["chance_box_iou"]["mean"] < 0.9


def test_a_truth_that_lies_elsewhere_is_noticed(world, settings):
    truth = pl.read_parquet(TRUTH / "truth.parquet")
    aside = [[box[0] + 0.3, box[1], box[2] + 0.3, box[3]] for box in truth["box"]]
    truth.with_columns(pl.Series("box", aside)).write_parquet(TRUTH / "truth.parquet")
    detection = measure.measure(TRUTH, RAW, INTERIM, settings)["detection"]
    assert detection["found"]["mean"] == 0.0
    assert detection["box_overlap"]["mean"] < 0.3


def test_faces_of_which_none_was_found_are_still_faces(world, settings):
    table = pl.read_parquet(INTERIM / "decisions.parquet")
    table.with_columns(subject=pl.lit("face")).write_parquet(INTERIM / "decisions.parquet")
    truth = pl.read_parquet(TRUTH / "truth.parquet")
    truth.with_columns(face_box=pl.col("box")).write_parquet(TRUTH / "truth.parquet")
    detection = measure.measure(TRUTH, RAW, INTERIM, settings)["detection"]
    assert detection["of"] == "faces"
    assert (detection["found"]["n"], detection["found"]["mean"]) == (3, 0.0)


def test_planted_repeats_are_counted(world, settings):
    figures = measure.measure(TRUTH, RAW, INTERIM, settings)
    assert figures["duplicates"]["near_planted"] == figures["duplicates"]["near_caught"] == 1
    assert figures["duplicates"]["near_false"] == 0
    assert (figures["pictures"]["people_stored"], figures["pictures"]["people_kept"]) == (3, 3)


def test_each_address_is_held_to_how_it_should_have_ended(world, settings):
    routes = measure.measure(TRUTH, RAW, INTERIM, settings)["routes"]
    assert (routes["n"], routes["right"]) == (3, 1)
    assert [row["actual"] for row in routes["rows"]] == [["kept", None], ["kept", None], ["never seen", None]]


def test_the_interval_holds_the_mean_and_comes_again_with_its_seed(settings):
    values = np.random.default_rng(0).random(50)
    one, two = (measure._statistics(values, settings) for _ in range(2))
    assert one == two
    low, high = one["interval_95"]
    assert low < one["mean"] < high
    assert high - low == pytest.approx(4 * values.std() / np.sqrt(50), rel=0.2)


def test_a_mask_is_laid_over_a_crop_that_leaves_the_picture():
    mask = np.zeros((100, 50), np.uint8)
    mask[:50] = 255
    laid = measure._over_crop(mask, crop=(-25, 0, 25, 100), size=(50, 100), shape=(40, 40))
    assert laid[:19, 21:].min() == 255
    assert not laid[:, :19].any()
    assert not laid[21:].any()


def test_real_pictures_have_no_truth_and_say_so(raw, config):
    raw()
    measure.main(config("world=real", stage="measure"))
    figures = json.loads(Path("data/metrics/fullbody/cleaning.json").read_text())
    assert figures["measured"] is False
    assert "world=real" in figures["why"]


def test_absent_truth_names_the_stage_that_makes_it(raw, config):
    raw()
    with pytest.raises(UserError, match=r"scraping\.demo corpus=fullbody"):
        measure.main(config(stage="measure"))
