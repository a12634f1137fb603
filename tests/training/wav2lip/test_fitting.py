"""The training of experts and generators: it resumes to the bit, learns, and answers mistakes in one line."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from safetensors.torch import load_file, save_file

from inference.errors import UserError
from inference.networks.wav2lip import Generator, SyncNet, Wav2LipConfig
from tests.training import trainings
from tests.training.trainings import ROOT, column, kept, rows
from training import train
from training.wav2lip import generator

WIDTH = 0.0625
OF_BOTH = ["corpus=talks", *trainings.QUIETLY]
OF_EACH = {
    "syncnet": [
        *(f"syncnet.width={WIDTH}", "syncnet.batch=4", "syncnet.group=2"),
        *("syncnet.apart={first: 6, last: 3, steps: 30}", "syncnet.held_out={count: 2, batch: 2}"),
        *("syncnet.rate={peak: 3e-3, warmup: 5, decay: null, least: 0.0}", "syncnet.tick_steps=10"),
        "syncnet.change={mirror: 0.5, colour: 0.1, shift: 2, loudness: 0.2}",
    ],
    "wav2lip": [
        *(f"wav2lip.width={WIDTH}", "wav2lip.batch=1", "wav2lip.held_out={count: 1, batch: 1}"),
        *("wav2lip.rate={peak: 3e-3, warmup: 5, decay: null, least: 0.0}", "wav2lip.tick_steps=10"),
        *("wav2lip.weights.sync={points: [[10, 0.0], [30, 0.03]], below: null}", "wav2lip.expert=expert"),
        *("wav2lip.weights.gan.points=[[0, 0.05]]", "wav2lip.strips={steps: 20, count: 2}"),
    ],
}
NETWORKS = {"syncnet": ("expert",), "wav2lip": ("generator", "discriminator")}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch, drawn_talks) -> Path:
    """A project with a pack in both places and a random expert as a run."""
    for place in ("interim", "processed"):
        shutil.copytree(drawn_talks, tmp_path / "data" / place / "talks")
    (tmp_path / "expert").mkdir()
    torch.manual_seed(0)
    save_file(SyncNet(Wav2LipConfig(WIDTH)).state_dict(), tmp_path / "expert/expert.safetensors")
    (tmp_path / "expert/run.json").write_text('{"licence": "Apache-2.0", "commercial": true}')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trained(run: str, steps: int, *overrides: str) -> Path:
    """Train in the current folder, in this process; gives the published run."""
    words = [f"run={run}", *OF_BOTH, *OF_EACH[run], f"{run}.steps={steps}", *overrides]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        train.main(compose("training/train", overrides=words))
    return Path("data/runs", run)


@pytest.mark.parametrize("run", ["syncnet", "wav2lip"])
def test_killed_after_twenty_steps_it_ends_at_forty_as_if_never_killed(run):
    words = [f"run={run}", *OF_BOTH, *OF_EACH[run], f"{run}.steps=10000", f"{run}.checkpoint_seconds=0.001"]
    begun = trainings.killed(words, 20)
    resumed = trained(run, begun + 20).rename("resumed")
    shutil.rmtree(".work")
    whole = trained(run, begun + 20)
    for name in NETWORKS[run]:
        file = f"{name}.safetensors"
        assert (whole / file).read_bytes() == (resumed / file).read_bytes()
    assert rows(whole) == rows(resumed)


def test_an_expert_learns_what_is_heard_and_seen():
    run = trained(
        "syncnet",
        60,
        "syncnet.batch=16",
        "syncnet.group=8",
        "syncnet.tick_steps=20",
        "syncnet.held_out={count: 4, batch: 2}",
    )
    assert column(run, "held_out_accuracy")[0] == pytest.approx(0.5, abs=0.1)
    assert column(run, "accuracy")[-1] > 0.7
    assert column(run, "held_out_auc")[-1] > 0.7


def test_a_generator_learns_to_draw(packs):
    shutil.rmtree("data/processed/talks")
    packs(Path("data/processed/talks"), train=1, val=1)
    run = trained("wav2lip", 40, "wav2lip.weights.gan.points=[[0, 0.0]]", "wav2lip.rate.peak=1e-2")
    pictures = column(run, "pictures")
    assert pictures[-1] < pictures[1] * 0.7
    assert not (run / "discriminator.safetensors").exists()
    assert column(run, "weight_sync")[-1] == pytest.approx(0.03)


def test_the_expert_of_a_generator_stays_as_it_came_in_evaluation_and_out_of_the_checkpoint(monkeypatch):
    models, step = [], generator.Wav2Lip.training_step

    def watched(self, batch, number) -> None:
        models.append((self, self.expert.training, self.generator.training))
        step(self, batch, number)

    monkeypatch.setattr(generator.Wav2Lip, "training_step", watched)
    run = trained("wav2lip", 3)
    assert {(expert, drawing) for _, expert, drawing in models} == {(False, True)}
    state, came = models[0][0].expert.state_dict(), load_file("expert/expert.safetensors")
    assert all(torch.equal(value, came[name]) for name, value in state.items())
    sha256 = hashlib.sha256(Path("expert/expert.safetensors").read_bytes()).hexdigest()
    assert kept()["expert"] == json.loads((run / "run.json").read_text())["expert"]["sha256"] == sha256
    assert not [name for name in kept()["state_dict"] if name.startswith("expert")]


def test_another_expert_is_refused_by_a_checkpoint():
    trained("wav2lip", 2)
    checkpointed = kept()
    settings = type("", (), {})
    model = generator.Wav2Lip.__new__(generator.Wav2Lip)
    torch.nn.Module.__init__(model)
    model.sha256, model.settings = "0" * 64, settings
    with pytest.raises(UserError, match="was judged by the expert"):
        model.on_load_checkpoint(checkpointed)


def test_a_run_says_what_it_is():
    about = json.loads((trained("wav2lip", 2) / "run.json").read_text())
    assert (about["steps"], about["network"]) == (2, {"width": WIDTH, "edge": 96})
    assert about["mel"] == {"padding": "reflect", "lead": -1}
    assert {key: about["data"][key] for key in ("fingerprint", "clips", "train", "val_speakers")} == {
        "fingerprint": "f" * 16, "clips": 8, "train": 6, "val_speakers": 2,
    }  # fmt: skip
    assert (about["licence"], about["commercial"]) == ("Apache-2.0", True)
    assert (about["expert"]["kind"], about["expert"]["name"]) == ("run", "expert")
    samples = json.loads(Path("data/runs/wav2lip/samples/samples.json").read_text())["samples"]
    assert samples == ["step-0000000.png", "step-0000002.png"]


def test_what_is_frozen_stays_and_is_listed():
    torch.manual_seed(0)
    before = Generator(Wav2LipConfig(WIDTH)).state_dict()
    save_file(before, "before.safetensors")
    run = trained("wav2lip", 2, "init=before.safetensors", "wav2lip.freeze=[audio_encoder]")
    after = load_file(run / "generator.safetensors")
    moved = {name.partition(".")[0] for name, value in after.items() if not torch.equal(value, before[name])}
    assert moved == {"face_encoder_blocks", "face_decoder_blocks", "output_block"}
    about = json.loads((run / "run.json").read_text())
    assert about["frozen"] == ["audio_encoder", "the statistics of batch norm"]
    assert (about["started_from"]["kind"], about["started_from"]["name"]) == ("file", "before.safetensors")
    assert about["commercial"] is False  # nobody says what a file allows


@pytest.mark.parametrize(("told", "stays"), [("null", True), ("frozen", True), ("moving", False)])
def test_a_fine_tune_normalises_by_the_statistics_that_came_with_the_weights_unless_told(told, stays):
    torch.manual_seed(0)
    before = Generator(Wav2LipConfig(WIDTH)).state_dict()
    torch.save(before, "wav2lip.pth")
    run = trained("wav2lip", 1, "init=wav2lip.pth", f"wav2lip.statistics={told}")
    after = load_file(run / "generator.safetensors")
    counted = [name for name in before if "running" in name or "num_batches" in name]
    assert all(torch.equal(after[name], before[name]) for name in counted) == stays
    assert not torch.equal(*(state["output_block.0.conv_block.1.weight"] for state in (before, after)))
    about = json.loads((run / "run.json").read_text())
    assert bool(about["frozen"]) == stays
    assert (about["commercial"], "research and personal use only" in about["licence"]) == (False, True)


def test_a_reference_checkpoint_is_where_an_expert_begins():
    torch.manual_seed(1)
    before = SyncNet(Wav2LipConfig(WIDTH)).state_dict()
    wrapped = {f"module.{name}": value for name, value in before.items()}
    torch.save({"state_dict": wrapped, "optimizer": {}, "global_step": 7, "global_epoch": 1}, "lipsync_expert.pth")
    run = trained("syncnet", 1, "init=lipsync_expert.pth", "syncnet.rate.peak=1e-9")
    after = load_file(run / "expert.safetensors")
    name = "face_encoder.0.conv_block.0.weight"
    assert torch.allclose(after[name], before[name], atol=1e-6)


def test_a_training_starts_from_a_run_and_its_discriminator():
    trained("wav2lip", 2).rename("data/runs/before")
    run = trained("wav2lip", 1, "wav2lip.start=before", "wav2lip.rate.peak=1e-9")
    for name in NETWORKS["wav2lip"]:
        before, after = (load_file(Path("data/runs", each, f"{name}.safetensors")) for each in ("before", run.name))
        kernels = [key for key in before if key.endswith("0.weight")]
        assert all(torch.allclose(before[key], after[key], atol=1e-6) for key in kernels)
    assert json.loads((run / "run.json").read_text())["started_from"]["name"] == "before"


def test_without_an_expert_pictures_alone_are_learned_and_a_later_training_goes_on_from_them():
    alone = ["wav2lip.expert=null", "wav2lip.weights.sync.points=[[0, 0]]", "wav2lip.name=alone"]
    trained("wav2lip", 2, *alone)
    first = Path("data/runs/alone")
    assert json.loads((first / "run.json").read_text())["expert"] is None
    assert trained("wav2lip", 3, *alone) != first  # it resumes
    run = trained("wav2lip", 12, "wav2lip.start=alone", "wav2lip.hear=expert")
    assert json.loads((run / "run.json").read_text())["started_from"]["name"] == "alone"
    with pytest.raises(UserError, match=r"wav2lip\.expert: none is named, yet wav2lip\.weights ask for one"):
        trained("wav2lip", 2, "wav2lip.expert=null")
    with pytest.raises(UserError, match=r"none is named, yet wav2lip\.hear=expert"):
        trained("wav2lip", 2, *alone, "wav2lip.hear=expert")


def test_told_to_weigh_by_a_threshold_a_resumed_training_remembers():
    weigh = "wav2lip.weights.sync={points: [[0, 0.02]], below: 99.0}"
    trained("wav2lip", 2, weigh)
    assert kept()["schedules"]["sync"] == {"begun": 0}
    run = trained("wav2lip", 3, weigh)
    assert column(run, "weight_sync")[-1] == pytest.approx(0.02)


BOTH = """
from hydra import compose, initialize_config_dir
import sys, torch
from tests.training import trainings
from tests.training.trainings import ROOT, column, kept, rows
from training import train
from training.descent import Descent

Descent.on_train_end = lambda self: torch.save(dict(self.named_parameters()), f"rank{self.global_rank}.pt")
with initialize_config_dir(sys.argv[1], version_base="1.3"):
    train.main(compose("training/train", overrides=sys.argv[2:]))
"""


def test_two_processes_over_gloo_train_in_step(home):
    (home / "both.py").write_text(BOTH)
    words = ["run=syncnet", *OF_BOTH, *OF_EACH["syncnet"], "syncnet.steps=2", "trainer.devices=2"]
    done = subprocess.run(
        [sys.executable, "both.py", str(ROOT / "conf"), *words], env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = (torch.load(home / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize(
    ("run", "override", "line"),
    [
        ("syncnet", "syncnet.batch=7", "syncnet.batch: 7 windows are no whole groups of 2"),
        ("syncnet", "syncnet.start=nobody", "syncnet.start=nobody: no bundle and no run"),
        ("syncnet", "init=nobody.pth", "nobody.pth is not there"),
        ("syncnet", "init=expert/run.json", "run.json"),
        ("syncnet", "syncnet.name=..", "syncnet.name"),
        ("syncnet", "syncnet.rate.peak=1e9", "the training diverged before"),
        ("wav2lip", "init=expert/expert.safetensors", "holds a sync expert of .* expected a generator"),
        ("wav2lip", "wav2lip.expert=nobody", "wav2lip.expert: nobody is not there"),
        ("wav2lip", "wav2lip.freeze=[mouth]", "wav2lip.freeze: 'mouth' is no part of the generator"),
        ("wav2lip", "wav2lip.freeze=[audio_encoder]", "audio_encoder would stay at random"),
        ("wav2lip", "wav2lip.statistics=frozen", "from scratch there are none"),
        ("wav2lip", "wav2lip.weights.gan.points=[[0, 0.99]]", "wav2lip.weights: .* come to 1.02"),
        ("wav2lip", "wav2lip.start=expert", "expert"),
    ],
)
def test_a_mistake_gets_one_line(run, override, line):
    with pytest.raises(UserError, match=line.replace("[", r"\[")) as told:
        trained(run, 40, override)
    assert "\n" not in str(told.value)


def test_another_width_than_that_of_the_source_gets_one_line():
    with pytest.raises(UserError, match=r"of another shape .*set width to that of the source"):
        trained("syncnet", 1, "syncnet.width=0.125", "syncnet.start=./expert")


@pytest.mark.parametrize("broken", ["missing", "empty"])
def test_a_pack_that_is_not_there_or_empty_gets_one_line(broken, drawn_talks):
    from preprocessing import talkpacks

    shutil.rmtree("data/interim/talks")
    if broken == "empty":
        talkpacks.write(Path("data/interim/talks"), [], [], [], "e" * 16)
    with pytest.raises(UserError, match=r"data/interim/talks holds no") as told:
        trained("syncnet", 1)
    assert "\n" not in str(told.value)


def test_settings_of_stylegan2_are_not_silently_taken(capfd, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train", "run=syncnet", *OF_BOTH, "train.seed=1"])
    with pytest.raises(SystemExit) as ended:
        train.main()
    assert ended.value.code == 2
    assert "train.seed is a setting of run=stylegan2" in capfd.readouterr().err


def test_measured_more_often_it_goes_on_and_with_other_settings_it_starts_anew(capsys):
    trained("syncnet", 2)
    trained("syncnet", 3, "syncnet.tick_steps=1")
    trained("syncnet", 3, "syncnet.seed=1")
    begun = [line for line in capsys.readouterr().out.splitlines() if line.startswith("training a sync expert")]
    assert ["resumed at step 2" in line for line in begun] == [False, True, False]
