"""The training command: it resumes to the bit, stops in order, publishes, sweeps, and answers mistakes in one line."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from safetensors.torch import load_file

from inference.errors import UserError
from preprocessing import packing
from training import checkpoints, train
from training.stylegan2 import callbacks, module

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    *("corpus=portrait", "profile=tiny", "trainer=cpu", "trainer.threads=1", "wandb.mode=disabled"),
    *("train.start=null", "train.ada.start=0.3", "train.ada.kimg=0.1", "train.tick_kimg=0.04"),
]
NETWORKS = ("generator", "ema", "discriminator")
BATCH = 8


def write_pack(
    folder: Path, count: int = 60, shape: tuple[int, int] = (16, 16), labels: int = 0, channels: int = 3
) -> None:
    rng = np.random.default_rng(0)
    pictures = list(rng.integers(0, 256, (count, *shape, channels), np.uint8))
    names = [hashlib.sha256(bytes([number])).hexdigest() for number in range(count)]
    sources = [(name, f"class {number % labels}" if labels else None) for number, name in enumerate(names)]
    packing.write_pack(folder / "data/processed/portrait", pictures, sources, "white", "f" * 16)


def trained(*overrides: str, kimg: float = 0.016) -> Path:
    """Train in the current folder, in this process; gives the published run."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        train.main(compose("training/train", overrides=[*SMALL, f"max_kimg={kimg}", *overrides]))
    return Path("data/runs/portrait")


def command(folder: Path, *overrides: str) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "training.train", *SMALL, *overrides]
    return subprocess.Popen(
        words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def checkpoint(folder: Path = Path()) -> Path | None:
    return next((folder / ".work/train").glob("portrait/*/*/last.ckpt"), None)


def steps(file: Path) -> int:
    return torch.load(file, weights_only=True)["steps"]


def rows(run: Path) -> list[list[str]]:
    """The history without its clock."""
    lines = [line.split(",") for line in (run / "history.csv").read_text().splitlines()]
    return [[line[0], *line[3:]] for line in lines]


def same(first: Path, second: Path) -> bool:
    return all(
        (first / f"{name}.safetensors").read_bytes() == (second / f"{name}.safetensors").read_bytes()
        for name in NETWORKS
    )


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    write_pack(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_killed_after_twenty_steps_it_ends_as_if_never_killed(home):
    first = command(home, "max_kimg=1000", "train.checkpoint_seconds=0.001")
    while not (found := checkpoint(home)) or steps(found) < 20:
        assert first.poll() is None, first.stdout.read()
        time.sleep(0.05)
    first.kill()
    first.wait()
    kimg = (steps(checkpoint(home)) + 20) * BATCH / 1000
    second = command(home, f"max_kimg={kimg}")
    said, _ = second.communicate(timeout=500)
    assert second.returncode == 0, said
    assert f"resumed at {kimg - 20 * BATCH / 1000:g} kimg" in said
    (home / "data/runs/portrait").rename(home / "killed")
    shutil.rmtree(home / ".work")
    whole = trained(kimg=kimg)
    assert same(whole, home / "killed")
    assert rows(whole) == rows(home / "killed")
    known = ("training a ", "kimg ", "data/runs", "train: done", "p has reached ")
    assert [line for line in said.splitlines() if not line.startswith(known)] == []


def test_told_to_stop_it_saves_and_goes_on_later_to_the_same_end(monkeypatch):
    whole = trained(kimg=0.08).rename("whole")
    stopped = callbacks.Average.on_train_batch_end

    def stop(self, trainer, module, *rest) -> None:
        stopped(self, trainer, module, *rest)
        if module.steps == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    checkpoint().unlink()
    monkeypatch.setattr(callbacks.Average, "on_train_batch_end", stop)
    with pytest.raises(SystemExit) as ended:
        trained(kimg=0.08)
    monkeypatch.setattr(callbacks.Average, "on_train_batch_end", stopped)
    assert ended.value.code == 128 + signal.SIGTERM
    assert steps(checkpoint()) == 6
    assert same(trained(kimg=0.08), whole)


def test_a_longer_training_continues_and_the_same_again_trains_nothing(capsys):
    whole = trained(kimg=0.16).rename("whole")
    checkpoint().unlink()
    trained(kimg=0.08)
    capsys.readouterr()
    longer = trained(kimg=0.16)
    assert "resumed at 0.08 kimg" in capsys.readouterr().out
    assert same(longer, whole)
    assert rows(longer) == rows(whole)
    again = trained(kimg=0.16)
    assert same(again, whole)
    assert json.loads((again / "run.json").read_text())["kimg"] == 0.16
    with pytest.raises(UserError, match=r"max_kimg: 0\.08, and this training stands at 0\.16 already.*last\.ckpt"):
        trained(kimg=0.08)
    assert same(again, whole)


def test_other_settings_data_or_weights_start_anew(capsys):
    trained()
    trained("train.gamma=7")
    trained()
    begun = [line for line in capsys.readouterr().out.splitlines() if line.startswith("training a ")]
    assert ["resumed" in line for line in begun] == [False, False, True]


def test_other_pixels_of_the_same_pictures_start_anew(capsys, home):
    trained()
    shard = next((home / "data/processed/portrait").glob("images-*.npy"))
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    trained()
    assert "resumed" not in capsys.readouterr().out


def test_layers_that_come_from_no_training_are_not_frozen():
    with pytest.raises(UserError, match=r"freeze: discriminator\.b16\.fromrgb\.bias would stay at random"):
        trained("train.discriminator.freeze=1")
    trained().rename("data/runs/before")
    kept = trained("train.discriminator.freeze=1", "train.start=before")
    name = "b16.fromrgb.weight"
    before, after = (load_file(run / "discriminator.safetensors")[name] for run in (Path("data/runs/before"), kept))
    assert torch.equal(before, after)


def test_a_run_says_what_it_is_and_holds_what_others_read():
    run = trained(kimg=0.08)
    about = json.loads((run / "run.json").read_text())
    assert (about["kimg"], about["started_from"], about["network"]["height"]) == (0.08, None, 16)
    parts = about["data"].pop("train") + about["data"].pop("held_out")
    size = {"width": 16, "height": 16}
    assert about["data"] == {"fingerprint": "f" * 16, "count": parts, "background": "white", **size}
    assert str(Path.cwd()) not in json.dumps(about | {"command": ""})
    assert tuple(rows(run)[0]) == (callbacks.HISTORY[0], *callbacks.HISTORY[3:])
    assert [row[0] for row in rows(run)[1:]] == ["0.04", "0.08"]
    samples = json.loads((run / "samples/samples.json").read_text())["samples"]
    assert [each["kimg"] for each in samples] == [0, 0.016, 0.032, 0.048, 0.064, 0.08]
    assert all((run / "samples" / each["file"]).exists() for each in samples)


def test_it_starts_from_another_run_and_a_resumed_one_tells_from_which():
    trained(kimg=0.08).rename("data/runs/before")
    run = trained("train.start=before", kimg=0.008)
    about = json.loads((run / "run.json").read_text())["started_from"]
    assert (about["kind"], about["name"], about["missing"]) == ("run", "before", [])
    before, after = (load_file(Path("data/runs", name, "ema.safetensors")) for name in ("before", "portrait"))
    change = max(float((after[name] - before[name]).abs().max()) for name in before)
    assert 0 < change < 0.1  # one step of Adam away
    assert json.loads((trained("train.start=before", kimg=0.016) / "run.json").read_text())["started_from"] == about


@pytest.mark.parametrize(("shape", "labels"), [((16, 8), 0), ((16, 16), 3)])
def test_other_aspects_and_classes_train_too(tmp_path, monkeypatch, shape, labels):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").rename("other")
    write_pack(tmp_path, 60, shape, labels)
    network = json.loads((trained(kimg=0.04) / "run.json").read_text())["network"]
    assert (network["height"], network["width"], network["classes"]) == (*shape, labels)


def test_transparent_pictures_make_transparent_ones(tmp_path):
    (tmp_path / "data").rename("other")
    write_pack(tmp_path, 60, channels=4)
    run = trained("train.alpha=true", "train.ada.transforms=bgcfnc", "train.ada.start=0.8", kimg=0.04)
    network = json.loads((run / "run.json").read_text())["network"]
    assert network["image_channels"] == 4
    assert load_file(run / "discriminator.safetensors")["b16.fromrgb.weight"].shape[1] == 4


def test_a_sweep_publishes_its_runs_side_by_side_and_watches_each(wandb_here, monkeypatch, capfd):
    words = [word for word in SMALL if not word.startswith("wandb")]
    monkeypatch.setattr(sys, "argv", ["train", "-m", *words, "max_kimg=0.04", "train.gamma=1,2"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    kept = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    train.main()
    wandb_here()
    for each, handler in zip((signal.SIGTERM, signal.SIGINT), kept, strict=True):
        signal.signal(each, handler)
    names = sorted(folder.name for folder in Path("data/runs").iterdir())
    assert len(names) == 2
    assert all(f",train.gamma={gamma}," in name for gamma, name in enumerate(names, start=1))
    assert not same(*(Path("data/runs", name) for name in names))
    watched = [file.read_bytes() for file in Path(".work/wandb").glob("offline-run-*/*.wandb")]
    assert len(watched) == 2
    for word in (*callbacks.HISTORY, "file:data/processed/portrait/pack.json", "ema.safetensors", "f" * 16):
        assert all(word.encode() in each for each in watched), word
    assert list(Path(".work/wandb").glob("offline-run-*/files/media/images/samples*.png"))
    assert "wandb" not in "".join(capfd.readouterr())


BOTH = """
from hydra import compose, initialize_config_dir
import sys, torch
from training import train
from training.stylegan2.module import Stylegan2

def keep(self):
    state = self.state_dict()
    with self.training_of(0):
        self.descend(0, (self.global_rank + 1) * self.generator.synthesis.b4.const.sum())
    state["gradient"] = self.generator.synthesis.b4.const.grad
    torch.save(state, f"rank{self.global_rank}.pt")

Stylegan2.on_train_end = keep
with initialize_config_dir(sys.argv[1], version_base="1.3"):
    train.main(compose("training/train", overrides=sys.argv[2:]))
"""


def test_two_processes_over_gloo_train_in_step(home):
    (home / "both.py").write_text(BOTH)
    words = [*SMALL, "trainer.devices=2", "max_kimg=0.04"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "both.py", str(ROOT / "conf"), *words],
        cwd=home, env=environment, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = (torch.load(home / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert torch.equal(first["gradient"], torch.full_like(first["gradient"], 1.5))
    assert done.stdout.count("training a StyleGAN2") == 1
    assert "2 x " in done.stdout


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("train.batch=7", "train.batch: 7 does not fall into 1 processes with groups of 2"),
        ("train.ada.transforms=people2", "people2"),
        ("train.start=nobody", "'nobody' is none of the trainings"),
        ("train.name=..", "train.name"),
        ("train.gamma=-1", "train.gamma"),
        ("max_kimg=soon", "train.max_kimg"),
        ("trainer.accelerator=abacus", "trainer.accelerator"),
        ("trainer.devices=none", "trainer.devices=none"),
        ("wandb.mode=loud", "wandb.mode"),
        ("train.lr_generator=1e6", "the training diverged before"),
    ],
)
def test_a_mistake_gets_one_line(override, line):
    with pytest.raises(UserError, match=line) as told:
        trained(override, "train.lr_discriminator=1e6" if "lr_" in override else "run=stylegan2", kimg=0.4)
    assert "\n" not in str(told.value)


def test_a_pack_of_an_odd_shape_gets_one_line(tmp_path):
    (tmp_path / "data").rename("other")
    write_pack(tmp_path, 60, (24, 24))
    with pytest.raises(UserError, match="are 24x24"):
        trained()


def test_a_pack_too_small_to_hold_any_picture_out_is_trained_on_all_the_same(tmp_path):
    (tmp_path / "data").rename("other")
    write_pack(tmp_path, 1, (16, 16))
    rows = (trained(kimg=0.04) / "history.csv").read_text().splitlines()
    assert "scores_held_out" in rows[0]
    assert len(rows) > 1


def test_a_damaged_checkpoint_gets_one_line():
    trained()
    found = checkpoint()
    found.write_bytes(found.read_bytes()[:2000])
    with pytest.raises(UserError, match=r"last\.ckpt is damaged: delete it"):
        trained(kimg=0.04)


def test_a_full_disk_keeps_the_last_checkpoint():
    trained()
    before = checkpoint().read_bytes()
    checkpoint().with_name("last.ckpt.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left on device.*last\.ckpt"):
        trained(kimg=0.04)
    assert checkpoint().read_bytes() == before
    assert not list(checkpoint().parent.glob("*.part"))


def test_what_diverged_is_no_checkpoint(tmp_path):
    model = SimpleNamespace(seen={"loss_g": [torch.tensor(torch.nan)]}, pictures_seen=8)
    model.diverged = partial(module.Stylegan2.diverged, model)
    model.stop_if_diverged = partial(module.Stylegan2.stop_if_diverged, model)
    saved = []
    with pytest.raises(UserError, match=r"diverged before 0\.008 kimg"):
        checkpoints.Checkpoints(tmp_path, 1).save(SimpleNamespace(save_checkpoint=saved.append), model)
    assert not saved


def test_a_checkpoint_that_would_run_code_is_not_read(tmp_path):
    torch.save({"state_dict": Path("x")}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="is damaged"):
        checkpoints.WholeFiles().load_checkpoint(tmp_path / "last.ckpt")
