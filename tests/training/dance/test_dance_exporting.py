"""The export of dances: a run becomes a bundle that dances the same with torch and with onnxruntime."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from safetensors.torch import save_file

from inference import bundle, dancing
from inference.errors import UserError
from inference.graph import Graph
from inference.networks.dance import DanceConfig, Denoiser
from inference.networks.dance_gan import Composer, ComposerConfig
from preprocessing import dancepacks
from training import export
from training.dance import data

ROOT = Path(__file__).resolve().parents[3]
TINY = {
    "dance": ("denoiser", Denoiser, DanceConfig(width=32, depth=1, heads=2, listening=1, window=32, genres=2)),
    "dance_gan": ("composer", Composer, ComposerConfig(width=8, levels=2, recurrent=16, layers=1, genres=2)),
}


METRICS = {
    "measured": True,
    "rows": [
        {
            "name": "this run",
            "about": "as it dances",
            "songs": 2,
            "beats": {"f1": {"value": 0.5, "interval_95": [0.4, 0.6], "n": 3}, "coverage": {"value": 1}},
            "features": {"corrected": {"fid_k": {"value": 9.0, "interval_95": None, "n": [3, 4]}}},
            "faults": {"speed": {"value": 1.0, "interval_95": None, "n": 3}},
        }
    ],
}


def write_run(kind: str, folder: Path, pack: Path, **changes: object) -> None:
    """Write a run of random weights in the units of a pack."""
    name, build, config = TINY[kind]
    torch.manual_seed(0)
    network, dances = build(config), dancepacks.read(pack)
    data.measure(network, dances, data.danced(dances, "train", 32), False)
    torch.nn.init.normal_(network.leave.weight, std=0.1)
    folder.mkdir(parents=True)
    save_file(network.state_dict(), folder / f"{name}.safetensors")
    about = {
        "run": kind, "corpus": "dances", "world": "demo", "profile": "tiny", "network": asdict(config), "steps": 3,
        "seconds": 1.5, "device": "cpu", "torch": torch.__version__, "data": {"fingerprint": dances.fingerprint},
        "genres": list(dances.genres), "started_from": None, "command": "python", "settings": {"seed": 0},
        "licence": "Apache-2.0", "commercial": True, "git": None, "finished": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(about | changes))


@pytest.fixture
def home(tmp_path, monkeypatch, drawn_dances) -> Path:
    shutil.copytree(drawn_dances, tmp_path / "data/processed/dances")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def exported(kind: str, *overrides: str) -> None:
    words = [f"run={kind}", "corpus=dances", "profile=tiny", "wandb.mode=disabled"]
    short = f"export_{kind}={{parity: {{seconds: 2}}, preview: {{songs: 1, pictures: 3, seconds: 1}}}}"
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        export.main(compose("training/export", overrides=[*words, short, *overrides]))


def test_a_run_becomes_a_bundle_that_both_back_ends_dance_alike(home, capsys):
    write_run("dance", Path("data/runs/dance"), Path("data/processed/dances"))
    Path("data/metrics/dances").mkdir(parents=True)
    Path("data/metrics/dances/dance.json").write_text(json.dumps(METRICS))
    exported("dance")
    made = bundle.load("data/exported/dance")
    assert list(made.manifest["metrics"]["rows"][0]["figures"]) == ["beats f1", "features corrected fid_k"]
    assert made.check() == 0
    assert made.manifest["parity"]["max_abs"] < 1e-4
    assert made.manifest["parity"]["max_mm"] < 0.5
    assert {"preview.png", "README.md", "model.onnx"} <= made.manifest["files"].keys()
    units = made.manifest["motion"]
    graph = dancing.OfGraph(Graph(made), made.config, units["mean"], units["std"])
    song = np.random.default_rng(0).normal(0, 1, (50, 37)).astype(np.float32)
    one, two = (dancing.sample(each, song, 4, genre=1).positions() for each in (made.network(), graph))
    assert np.abs(one - two).max() < 1e-3
    assert "ONNX within" in capsys.readouterr().out
    card = (made.folder / "README.md").read_text()
    assert "dramatis dance song.mp3 --bundle dance" in card
    assert "It knows the genres lock, pop" in card
    assert "| beats f1 | 0.5 (0.4 to 0.6) | 3 |" in card
    assert "| features corrected fid k | 9 | 3 / 4 |" in card


def test_a_starter_is_halved_and_a_composer_dances_from_its_bundle(home):
    write_run("dance_gan", Path("data/runs/dance_gan"), Path("data/processed/dances"))
    exported("dance_gan", "export_dance_gan.starter=true")
    made = bundle.load("data/starters/dance_gan")
    assert made.check() == 0
    assert "model.onnx" not in made.manifest["files"]
    song = np.zeros((40, 37), np.float32)
    assert len(dancing.sample(made.network(), song, 1)) == 40
    with pytest.raises(UserError, match="holds a dance_gan, which has no ONNX file"):
        Graph(made)


def test_a_bundle_of_real_dances_names_whose_they_are(home):
    write_run("dance_gan", Path("data/runs/dance_gan"), Path("data/processed/dances"), world="real")
    Path("data/processed/dances/NOTICE").write_text("danced by a friend")
    exported("dance_gan", "world=real")
    assert bundle.load("data/exported/dance_gan").read("NOTICE") == b"danced by a friend"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"world": "real"}, "was trained in world=real, not in demo"),
        ({"run": "dance_gan"}, "is of run=dance_gan"),
        ({"data": {"fingerprint": "other"}}, "is not the pack that the run was trained on"),
        ({"steps": "many"}, "run.json: steps"),
    ],
)
def test_a_run_that_cannot_be_exported_says_why(home, changes, said):
    write_run("dance", Path("data/runs/dance"), Path("data/processed/dances"), **changes)
    with pytest.raises(UserError, match=said):
        exported("dance")
