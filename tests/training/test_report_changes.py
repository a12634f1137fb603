"""What changed since the previous run."""

import json

from training.report import changes


def figures(fid: float, packed: int = 100, kimg: float = 20.0) -> dict:
    return {"cleaning": {"packed": packed}, "avatars": {"fid": fid, "kimg": kimg}}


def test_a_first_run_has_nothing_before_it(tmp_path):
    assert changes.remember(tmp_path / "figures.json", {"portrait": figures(50)}) is None


def test_a_run_is_compared_with_the_last_one_that_differed(tmp_path):
    file = tmp_path / "figures.json"
    first, second = {"portrait": figures(50)}, {"portrait": figures(40)}
    changes.remember(file, first)
    assert changes.remember(file, second) == first
    assert changes.remember(file, second) == first  # the same report made again
    assert json.loads(file.read_text())["last"] == second


def test_less_is_better_of_a_distance_and_more_of_pictures():
    found = {change.label: change for change in changes.changes(figures(50, 100), figures(40, 120))}
    assert (found["FID"].arrow, found["FID"].verdict, found["FID"].before, found["FID"].now) == (
        "▼", "better", "50", "40",
    )  # fmt: skip
    assert (found["pictures in the pack"].arrow, found["pictures in the pack"].delta) == ("▲", "+20")
    assert found["kimg trained"].verdict == "same"


def test_what_got_worse_is_called_worse():
    found = {change.label: change.verdict for change in changes.changes(figures(40), figures(50))}
    assert found["FID"] == "worse"


def test_what_only_one_run_has_is_not_compared():
    labels = [change.label for change in changes.changes({"cleaning": {"packed": 5}, "avatars": {}}, figures(40))]
    assert labels == ["pictures in the pack"]
