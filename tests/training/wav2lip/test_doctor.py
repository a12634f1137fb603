"""The data check: what it says of a pack whose sounds are shuffled, and of each other fault."""

import json
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from training.wav2lip import doctor

ROOT = Path(__file__).resolve().parents[3]
FIGURES = {
    "train": 40, "speakers": 40, "audible": 0.9, "still": 0, "one_batch": 1.0, "offsets_by": "the expert taught here",
    "held_out": {"held_out_accuracy": 0.8}, "held_out_shuffled": {"held_out_accuracy": 0.5},
    "offsets": {"clips": 8, "near": 0.9, "most_often": 0, "histogram": {"0": 8}},
}  # fmt: skip


def examined(*overrides: str) -> dict:
    small = ["learner.width=0.0625", "learner.batch=8", "learner.rate.peak=5e-3", "learner.apart.last=3", "threads=1"]
    words = ["corpus=talks", "profile=tiny", *(f"doctor.{each}" for each in [*small, "held_out=2", *overrides])]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        doctor.main(compose("training/wav2lip/doctor", overrides=words))
    return json.loads(Path("data/metrics/talks/doctor.json").read_text())


def test_on_shuffled_sounds_it_says_that_sound_and_picture_do_not_belong_together(tmp_path, monkeypatch, packs):
    packs(tmp_path / "data/interim/talks", shuffled=True)
    monkeypatch.chdir(tmp_path)
    figures = examined("batch_steps=40", "steps=12", "clips=1")
    assert figures["one_batch"] > 0.9
    assert figures["held_out"]["held_out_accuracy"] < 0.6
    assert "sound and picture do not belong together" in figures["verdict"][-1]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"one_batch": 0.5}, "not even one batch is learned"),
        ({"audible": 0.2}, "only 20% of the windows are audible"),
        ({"still": 3}, "the mouths of 3 clips do not move"),
        ({"speakers": 1}, "1 speakers: the expert would learn their faces"),
        ({"held_out": {"held_out_accuracy": 0.52}}, "holds for no other clip"),
        ({"offsets": {"clips": 8, "near": 0.1, "most_often": 4, "histogram": {"4": 8}}}, "heard 4 frames off"),
        ({"offsets": {"clips": 8, "near": 0.3, "most_often": 0, "histogram": {"0": 2}}}, "the offsets of clips differ"),
    ],
)
def test_each_fault_has_its_line(changed, line):
    assert doctor.complaints(FIGURES) == []
    assert len(found := doctor.complaints(FIGURES | changed)) == 1
    assert line in found[0]
