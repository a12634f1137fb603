"""What the page says about a training."""

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from training.report import trained
from training.report.settings import Settings

SETTINGS = Settings(
    corpora={"portrait": "portraits"}, pairs=1, rejects_a_reason=1, sources=1, thumbnail=16, avatars=2, truncation=0.7,
    samples=3, sample_edge=64, mixed=2, directions=2, sigmas=[-1, 1], nearest=1,
    dances=1, films={"count": 1, "seconds": 1},
)  # fmt: skip
STARTED = {
    "kind": "starter", "name": "portrait", "sha256": "ab" * 32, "loaded": ["a", "b"],
    "missing": [], "mismatched": ["c"], "unused": [],
}  # fmt: skip


@pytest.fixture
def run(tmp_path) -> Path:
    about = {
        "kimg": 12.0, "seconds": 540.0, "device": "cpu", "command": "python -m training.train", "started_from": STARTED,
        "network": {"width": 64, "height": 64, "channel_max": 128},
        "data": {"fingerprint": "f00d", "train": 200, "held_out": 45},
    }  # fmt: skip
    (tmp_path / "samples").mkdir()
    listed = [{"kimg": 3.0 * tick, "file": f"{tick}.png", "psi": 1.0} for tick in range(5)]
    for tick, one in enumerate(listed):
        Image.new("RGB", (256, 128), (50 * tick, 0, 0)).save(tmp_path / "samples" / one["file"])
    (tmp_path / "samples/samples.json").write_text(json.dumps({"seeds": [0], "samples": listed}))
    (tmp_path / "run.json").write_text(json.dumps(about))
    (tmp_path / "history.csv").write_text("kimg,loss_g,loss_d\n0,1,1\n12,0.5,1.2\n")
    return tmp_path


def test_samples_go_from_the_first_to_the_last_in_their_order(run):
    samples = trained.training(run, SETTINGS).samples
    assert [sample["kimg"] for sample in samples] == ["0", "6", "12"]
    reds = [picture(sample["picture"]).getpixel((5, 5))[0] for sample in samples]
    assert reds == pytest.approx([0, 100, 200], abs=8)


def test_samples_are_shrunk_to_what_a_page_can_carry(run):
    assert {picture(sample["picture"]).size for sample in trained.training(run, SETTINGS).samples} == {(64, 32)}


def test_the_facts_name_what_it_started_from_and_what_of_it_was_loaded(run):
    facts = dict(trained.training(run, SETTINGS).facts)
    assert facts["trained for"] == "12 kimg in 9 min on cpu"
    assert facts["started from"] == "the starter portrait (abababababab): 2 tensors loaded, 1 mismatched"


def test_a_training_from_scratch_says_so(run):
    about = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(about | {"started_from": None}))
    assert dict(trained.training(run, SETTINGS).facts)["started from"] == "nothing: from scratch"


def test_where_nothing_was_trained_there_is_nothing_to_tell(tmp_path):
    assert trained.training(tmp_path, SETTINGS) is None


def picture(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
