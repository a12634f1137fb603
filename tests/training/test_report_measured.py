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
    names = {"this run": 40, "starter": 60, "real half against real half": 20, "blurred reals": 120, "noise": 400}
    rows = [
        {"name": name, "about": f"about {name}", "fid": distance(fid), "kid": distance(fid / 1000)}
        for name, fid in names.items()
    ]
    rows[0]["kid_to_training_pictures"] = distance(0.033)
    found = {"avatars": rate(0.9), "held_out": rate(0.98, 49), "starter": rate(0.8), "noise": rate(0.02, 64)}
    apart = {"median": 5.0, "n": 64}, {"median": 6.25, "n": 49}
    near = {"avatars": apart[0], "held_out": apart[1], "ratio": 0.8, "nearer_than_any_held_out": 2}
    figures = {
        "measured": True, "avatars": 256, "truncation": 0.7, "seeds": "0-255", "reals": 49, "rows": rows,
        "detector": {"of": "face", "by": "YuNet", "ratio": 0.918, **found},
        "nearest": {"of": "seeds 0-63, to 196 training pictures", "features": near},
    }  # fmt: skip
    path = tmp_path / "avatars.json"
    path.write_text(json.dumps(figures))
    return path


def test_every_row_carries_its_n_and_its_intervals(metrics):
    rows = {row.name: row for row in measured(metrics, "portrait", "").rows}
    assert (rows["this run"].fid, rows["this run"].fid_interval) == ("40.0", "36.0 to 44.0")
    assert (rows["this run"].kid, rows["this run"].kid_interval) == ("40.0", "36.0 to 44.0")
    assert all(row.n == "256 against 49" for row in rows.values())


def test_the_rows_that_only_compare_are_told_from_ours(metrics):
    rows = measured(metrics, "portrait", "").rows
    assert [row.name for row in rows if row.ours] == ["this run", "starter"]


def test_a_rate_stands_beside_that_of_the_held_out_reals(metrics):
    found = measured(metrics, "portrait", "")
    assert [(rate.share, rate.n) for rate in found.rates] == [
        ("90.0 %", 256), ("80.0 %", 256), ("98.0 %", 49), ("2.0 %", 64),
    ]  # fmt: skip
    assert found.ratio == "91.8 %"
    assert "seeds 0-255 at truncation 0.7" in found.people


def test_a_rate_that_has_none_to_stand_beside_is_not_called_none(metrics):
    figures = json.loads(metrics.read_text())
    figures["detector"]["ratio"] = None
    metrics.write_text(json.dumps(figures))
    assert measured(metrics, "portrait", "").ratio == "an unknown share"


def test_a_network_is_also_compared_with_what_it_was_trained_on(metrics):
    rows = measured(metrics, "portrait", "").rows
    assert rows[0].about == "about this run; KID x 1000 to its own training pictures 33.0"
    assert rows[1].about == "about starter"


def test_the_distances_to_training_pictures_stand_beside_those_of_held_out_reals(metrics):
    says = measured(metrics, "portrait", "").nearest
    assert "of 64 avatars, as made or mirrored, to the nearest training picture is 5, that of 49 held-out" in says
    assert "reals 6.25; 2 of the avatars" in says


def test_the_next_run_is_compared_by_the_fine_tuned_row(metrics):
    assert measured(metrics, "portrait", "").digest == {"fid": 40, "kid_x1000": 40, "detected": 0.9, "ratio": 0.918}


def test_what_was_not_measured_says_why(tmp_path):
    path = tmp_path / "avatars.json"
    assert measured(path, "portrait", "") is None
    path.write_text(json.dumps({"measured": False, "why": "no Inception network"}))
    assert measured(path, "portrait", "").why_not == "no Inception network"
