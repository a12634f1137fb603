"""What a training starts from: found by name or path, read whole, and binding what comes of it."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from inference.errors import UserError
from training import sources
from training.sources import Source


@pytest.fixture
def run(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = Path("data/runs/before")
    folder.mkdir(parents=True)
    save_file({"weight": torch.ones(2)}, folder / "network.safetensors")
    (folder / "run.json").write_text(json.dumps({"licence": "CC0-1.0", "commercial": True, "genres": ["pop"]}))
    return folder


def test_a_run_is_found_by_its_name_and_by_its_path(run):
    assert sources.locate("before", "dance") == run
    assert sources.locate("./data/runs/before", "dance") == run
    with pytest.raises(UserError, match=r"dance\.start=other: no bundle and no run at .*start=null trains"):
        sources.locate("other", "dance")


def test_a_run_gives_its_weights_and_what_they_allow(run):
    found = sources.read(run, "network", "dance")
    assert found.state["weight"].tolist() == [1, 1]
    assert found.about["genres"] == ["pop"]
    assert found.source == Source("run", "before", sources.sha256(run / "network.safetensors"), "CC0-1.0", True)


@pytest.mark.parametrize("broken", ["network.safetensors", "run.json"])
def test_a_broken_run_gets_one_line(run, broken):
    (run / broken).write_text("[")
    with pytest.raises(UserError, match="is no whole run") as told:
        sources.read(run, "network", "dance")
    assert "\n" not in str(told.value)


def test_what_a_run_does_not_hold_gets_one_line(run):
    with pytest.raises(UserError, match=r"holds no other\.safetensors"):
        sources.read(run, "other", "dance")


def test_what_is_drawn_by_this_code_is_as_free_as_this_code():
    ours = Source("starter", "dance", "0" * 64, "Apache-2.0", True)
    assert sources.terms("dances", ["CC0-1.0"], True, "demo", ours) == ("Apache-2.0", True)


def test_what_is_trained_is_no_freer_than_data_and_source():
    bound = Source("run", "before", "0" * 64, "research only", False)
    said, commercial = sources.terms("dances", ["CC-BY-4.0", None], True, "real", bound)
    assert said == "as the dances allow: CC-BY-4.0, not stated; as the run before allows: research only"
    assert not commercial
    assert sources.terms("dances", ["CC-BY-4.0"], True, "real", None) == ("as the dances allow: CC-BY-4.0", True)
    assert sources.terms("dances", ["CC-BY-4.0"], True, "demo", bound)[1] is False
