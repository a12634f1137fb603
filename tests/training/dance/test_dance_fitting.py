"""The training of dances: it resumes to the bit, learns, and answers mistakes in one line."""

import functools
import json
import shutil
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from safetensors.torch import load_file

from inference.errors import UserError
from inference.networks.dance import DanceConfig, Denoiser
from inference.networks.dance_gan import Composer, ComposerConfig
from tests.training import trainings
from tests.training.trainings import ROOT, column, kept, rows
from training import train

OF_BOTH = ["corpus=dances", *trainings.QUIETLY]
AROUND = "window: 32, batch: 4, tick_steps: 10, precision: float32, held_out: {count: 2, batch: 2}"
RATE = "rate: {peak: 3.0e-3, warmup: 5, decay: null, least: 0.0}, sheets: {steps: 1000, count: 1}"
OF_EACH = {
    "dance": f"dance={{{AROUND}, {RATE}, width: 32, depth: 1, heads: 2, listening: 1}}",
    "dance_gan": f"dance_gan={{{AROUND}, {RATE}, width: 8, levels: 2, recurrent: 16, layers: 1}}",
}
BUILT = {
    "dance": lambda shape: Denoiser(DanceConfig(**shape)),
    "dance_gan": lambda shape: Composer(ComposerConfig(**shape)),
}
FILES = {"dance": ["denoiser"], "dance_gan": ["composer", "discriminator"]}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch, none_held_out) -> Path:
    shutil.copytree(none_held_out, tmp_path / "data/processed/dances")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def held_out(home, drawn_dances) -> None:
    """Have two dances to validate on."""
    shutil.rmtree("data/processed/dances")
    shutil.copytree(drawn_dances, "data/processed/dances")


@functools.cache
def composed(run: str) -> DictConfig:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("training/train", overrides=[f"run={run}", *OF_BOTH, OF_EACH[run]])


def trained(run: str, steps: int, *overrides: str) -> Path:
    """Train in the current folder, in this process; gives the published run."""
    train.main(OmegaConf.merge(composed(run), OmegaConf.from_dotlist([f"{run}.steps={steps}", *overrides])))
    return Path("data/runs", run)


@pytest.mark.parametrize("run", ["dance", "dance_gan"])
def test_stopped_and_resumed_it_ends_as_if_never_stopped(run, held_out):
    trained(run, 4, f"{run}.tick_steps=2")
    resumed = trained(run, 7, f"{run}.tick_steps=2").rename("resumed")
    shutil.rmtree(".work")
    whole = trained(run, 7, f"{run}.tick_steps=2")
    for name in FILES[run]:
        assert (whole / f"{name}.safetensors").read_bytes() == (resumed / f"{name}.safetensors").read_bytes()
    assert rows(whole) == rows(resumed)


def test_killed_while_it_trains_it_ends_as_if_never_killed():
    words = ["run=dance", *OF_BOTH, OF_EACH["dance"], "dance.steps=10000", "dance.checkpoint_seconds=0.001"]
    begun = trainings.killed(words, 3)
    resumed = trained("dance", begun + 2).rename("resumed")
    shutil.rmtree(".work")
    whole = trained("dance", begun + 2)
    assert (whole / "denoiser.safetensors").read_bytes() == (resumed / "denoiser.safetensors").read_bytes()


def test_a_diffusion_learns_the_dance_and_hears_its_music(held_out):
    run = trained("dance", 120, "dance.tick_steps=60", "dance.batch=16", "dance.held_out={count: 8, batch: 8}")
    right, wrong = column(run, "held_out_loss"), column(run, "held_out_other_song")
    assert right[-1] < 0.5 * right[0]
    assert right[-1] < 0.9 * wrong[-1]


def test_a_gan_learns_the_dance(held_out):
    run = trained("dance_gan", 60, "dance_gan.tick_steps=30", "dance_gan.batch=8")
    right = column(run, "held_out_loss")
    assert right[-1] < 0.7 * right[0]
    assert column(run, "discriminator")[-1] > 0


def test_what_is_kept_is_the_average_of_the_weights():
    run = trained("dance", 3)
    state, average = kept()["state_dict"], load_file(run / "denoiser.safetensors")
    name = "moving.0.feed.0.weight"
    assert torch.equal(average[name], state[f"averaged.{name}"])
    assert not torch.equal(average[name], state[f"denoiser.{name}"])


@pytest.mark.parametrize("run", ["dance", "dance_gan"])
def test_a_run_says_what_it_is_and_what_builds_it_again(run):
    folder = trained(run, 2)
    about = json.loads((folder / "run.json").read_text())
    assert (about["steps"], about["genres"], about["network"]["genres"]) == (2, ["lock", "pop"], 2)
    assert {key: about["data"][key] for key in ("dances", "train", "val_songs")} == {
        "dances": 6, "train": 6, "val_songs": 0,
    }  # fmt: skip
    assert (about["licence"], about["commercial"]) == ("Apache-2.0", True)
    network = BUILT[run](about["network"])
    network.load_state_dict(load_file(folder / f"{FILES[run][0]}.safetensors"))
    assert float(network.motion_std.min()) >= 0.0999
    assert float(network.motion_mean[5]) == pytest.approx(0.97, abs=0.05)  # the pelvis is over the floor


def test_sheets_show_danced_over_true_poses(held_out):
    run = trained("dance", 2)
    listed = json.loads((run / "samples/samples.json").read_text())
    assert listed == {"rows": ["danced", "true"], "samples": ["step-0000000.png", "step-0000002.png"]}
    width, height = Image.open(run / "samples/step-0000002.png").size
    assert width == 4 * height  # eight poses by two rows


@pytest.mark.parametrize("run", ["dance", "dance_gan"])
def test_a_training_starts_from_a_run(run):
    trained(run, 2).rename("data/runs/before")
    after = trained(run, 1, f"{run}.start=before", f"{run}.rate.peak=1e-9")
    for name in FILES[run]:
        states = [load_file(Path("data/runs", each, f"{name}.safetensors")) for each in ("before", after.name)]
        assert all(torch.allclose(states[0][key], states[1][key], atol=1e-6) for key in states[0])
    assert json.loads((after / "run.json").read_text())["started_from"]["name"] == "before"


def test_a_genre_keeps_what_it_learned_whatever_its_number():
    before = trained("dance", 2).rename("data/runs/before")
    about = json.loads((before / "run.json").read_text())
    (before / "run.json").write_text(json.dumps(about | {"genres": ["pop", "waack"]}))
    after = load_file(trained("dance", 1, "dance.start=before", "dance.rate.peak=1e-9") / "denoiser.safetensors")
    learned = load_file(before / "denoiser.safetensors")["genre.weight"]
    assert torch.allclose(after["genre.weight"], learned[[0, 0, 1]], atol=1e-6)  # none, lock: never seen, pop


def test_a_gan_starts_from_one_that_knows_other_genres():
    before = trained("dance_gan", 2).rename("data/runs/before")
    about = json.loads((before / "run.json").read_text())
    (before / "run.json").write_text(json.dumps(about | {"genres": ["pop", "waack"]}))
    after = trained("dance_gan", 1, "dance_gan.start=before", "dance_gan.rate.peak=1e-9")
    learned, kept = (load_file(folder / "composer.safetensors")["genre.weight"] for folder in (before, after))
    assert torch.allclose(kept, learned[[0, 0, 1]], atol=1e-6)


def test_looked_at_more_often_it_goes_on_and_with_another_seed_it_starts_anew(capsys):
    trained("dance", 1)
    trained("dance", 2, "dance.tick_steps=1")
    trained("dance", 2, "dance.seed=1")
    begun = [line for line in capsys.readouterr().out.splitlines() if line.startswith("training a dance")]
    assert ["resumed at step 1" in line for line in begun] == [False, True, False]


@pytest.mark.parametrize(
    ("run", "override", "line"),
    [
        ("dance", "dance.start=nobody", "dance.start=nobody: no bundle and no run"),
        ("dance", "dance.name=..", "dance.name"),
        ("dance", "dance.heads=3", "dance: expected a width of even parts"),
        ("dance", "dance.window=120", "none of the 6 dances to train on is 120 frames long"),
        ("dance", "dance.rate.peak=1e12", "the training diverged before"),
        ("dance_gan", "dance_gan.layers=0", "dance_gan.layers"),
    ],
)
def test_a_mistake_gets_one_line(run, override, line):
    with pytest.raises(UserError, match=line) as told:
        trained(run, 12, override)
    assert "\n" not in str(told.value)


def test_another_size_than_that_of_the_source_gets_one_line():
    trained("dance", 1).rename("data/runs/before")
    with pytest.raises(UserError, match=r"is \[32\] there and \[64\] here; set width"):
        trained("dance", 1, "dance.width=64", "dance.start=before")


def test_a_pack_that_is_not_there_gets_one_line():
    shutil.rmtree("data/processed/dances")
    with pytest.raises(UserError, match=r"holds no dances .*preprocessing.dances"):
        trained("dance", 1)
