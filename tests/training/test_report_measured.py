"""The metrics of the avatars on the page."""

import json

import pytest

from training.report.measured import measured


def distance(value: float) -> dict:
    return {"value": value, "n": [256, 49], "interval_95": [0.9 * value, 1.1 * value]}


def rate(share: float, n: int = 256) -> dict:
    return {"share": share, "n": n, "interval_95": [share - 0.02, min(1, share + 0.02)]}


@pytest.fixture
def metrics(tmp_path):
    names = {"fine-tuned": 40, "starter": 60, "real half against real half": 20, "blurred reals": 120, "noise": 400}
    figures = {
        "measured": True, "avatars": 256, "truncation": 0.7, "seeds": "1-256", "reals": 49,
        "rows": [{"name": name, "fid": distance(fid), "kid": distance(fid / 1000)} for name, fid in names.items()],
        "detector": {
            "of": "face", "avatars": rate(0.9), "held_out": rate(0.98, 49), "starter": rate(0.8), "ratio": 0.918,
        },
        "nearest": {},
    }  # fmt: skip
    path = tmp_path / "avatars.json"
    path.write_text(json.dumps(figures))
    return path


def test_every_row_carries_its_n_and_its_intervals(metrics):
    rows = {row.name: row for row in measured(metrics, "portrait", "").rows}
    assert (rows["fine-tuned"].fid, rows["fine-tuned"].fid_interval) == ("40.0", "36.0 to 44.0")
    assert (rows["fine-tuned"].kid, rows["fine-tuned"].kid_interval) == ("40.0", "36.0 to 44.0")
    assert all(row.n == "256 against 49" for row in rows.values())


def test_the_rows_that_only_compare_are_told_from_ours(metrics):
    rows = measured(metrics, "portrait", "").rows
    assert [row.name for row in rows if row.ours] == ["fine-tuned", "starter"]


def test_a_rate_stands_beside_that_of_the_held_out_reals(metrics):
    found = measured(metrics, "portrait", "")
    assert [(rate.share, rate.n) for rate in found.rates] == [("90.0 %", 256), ("80.0 %", 256), ("98.0 %", 49)]
    assert found.ratio == "92 %"


def test_the_next_run_is_compared_by_the_fine_tuned_row(metrics):
    assert measured(metrics, "portrait", "").digest == {"fid": 40, "kid_x1000": 40, "detected": 0.9, "ratio": 0.918}


def test_what_was_not_measured_says_why(tmp_path):
    path = tmp_path / "avatars.json"
    assert measured(path, "portrait", "") is None
    path.write_text(json.dumps({"measured": False, "why": "no Inception network"}))
    assert measured(path, "portrait", "").why_not == "no Inception network"
