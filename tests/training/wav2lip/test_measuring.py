import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from PIL import Image
from safetensors.torch import save_file

from inference import bundle
from inference.errors import UserError
from inference.networks.wav2lip import Generator, SyncNet, Wav2LipConfig
from tests.training.wav2lip import talking
from training import evaluate
from training.finished import Run
from training.metrics import syncnet_v2
from training.wav2lip import measuring

ROOT = Path(__file__).resolve().parents[3]
CONFIG = Wav2LipConfig(width=0.02)
QUICK = {"syncnet": ("draws=100", "device=cpu"), "wav2lip": ("draws=100", "device=cpu", "strips.clips=2")}


def composed(run: str, *overrides: str):
    quick = [f"evaluate_{run}.{setting}" for setting in QUICK[run]]
    asked = [f"run={run}", "corpus=talks", *quick, *overrides]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("training/evaluate", overrides=asked)


def network(kind: type, seed: int = 3):
    torch.manual_seed(seed)
    return kind(CONFIG)


def write_run(run: str, about: dict | None = None) -> None:
    folder = Path("data/runs") / run
    folder.mkdir(parents=True, exist_ok=True)
    name, kind = {"syncnet": ("expert", SyncNet), "wav2lip": ("generator", Generator)}[run]
    save_file(network(kind).state_dict(), folder / f"{name}.safetensors")
    said = {
        "schema": 1, "run": run, "network": dataclasses.asdict(CONFIG), "steps": 7, "data": {"fingerprint": "f00d"},
        "mel": {"padding": "reflect", "lead": 0},
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(said | (about or {})))


def write_bundle(folder: Path, task: str, kind: type, seed: int = 3) -> bundle.Bundle:
    manifest = {
        "name": folder.name, "version": "1", "task": task, "precision": "float32", "commercial": True, "demo": True,
        "network": {"kind": kind.__name__.lower().replace("generator", "wav2lip"), **dataclasses.asdict(CONFIG)},
        "mel": {"padding": "reflect", "lead": 0}, "expert": {"name": "syncnet", "sha256": "ab" * 32}, "metrics": {},
        "licences": {"weights": "Apache-2.0", "code": "Apache-2.0", "data": {}}, "created": "2026-01-01",
        "provenance": {"git": None, "command": "python -m training.train"},
    }  # fmt: skip
    return bundle.write(folder, manifest, {bundle.MODEL: network(kind, seed).state_dict()})


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Networks of random weights, starters of the same weights and drawn talks, measured once; in their folder."""
    folder = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        talking.write(Path("data"), offset=2, clips=1)
        write_run("syncnet")
        write_run("wav2lip", {"expert": {"name": "syncnet", "sha256": "cd" * 32}})
        write_bundle(Path("data/exported/syncnet"), "sync", SyncNet)
        write_bundle(Path("data/starters/syncnet"), "sync", SyncNet)
        write_bundle(Path("data/starters/lipsync"), "lipsync", Generator)
        Path("data/metrics/talks").mkdir(parents=True)
        Path("data/metrics/talks/other.json").write_text("{}")
        evaluate.main(composed("syncnet"))
        evaluate.main(composed("wav2lip"))
        yield Path("data/metrics/talks").absolute()


def figures(measured: Path, name: str) -> dict:
    return json.loads((measured / f"{name}.json").read_text())


def test_an_expert_stands_beside_its_starter_and_one_that_learned_nothing(measured):
    found = figures(measured, "sync")
    assert [row["name"] for row in found["rows"]] == ["this run", "starter", "untrained"]
    ours, starter, untrained = found["rows"]
    assert ours["auc"] == starter["auc"] != untrained["auc"]
    assert (found["run"], found["steps"], found["trained_on"]) == ("syncnet", 7, "f00d")
    assert found["data"] == {"fingerprint": "f00d", "split": "test", "clips": 3, "speakers": 3, "frames": 180}


def test_every_row_of_pictures_is_there_and_ours_equals_the_starter_of_the_same_weights(measured):
    found = figures(measured, "lipsync")
    assert [row["name"] for row in found["rows"]] == [
        "this run", "starter", "this run, sound 7 frames late", "this run, sound 7 frames early",
        "this run, told silence", "ground truth", "ground truth, sound 7 frames late",
        "ground truth, sound 7 frames early", "copied reference",
    ]  # fmt: skip
    ours, starter = found["rows"][:2]
    for name in ("l1", "ssim", "psnr", "lse_d", "lse_c", "opening_correlation", "closed_on_bilabials"):
        assert ours[name] == starter[name]
        assert ours[name]["speakers"] == 3
    assert found["mouth"]["correlation"] > 0.9
    assert "l1" not in found["rows"][4]


def test_what_taught_the_generator_and_what_heard_it_are_named(measured):
    found = figures(measured, "lipsync")
    heard = bundle.load(measured.parents[1] / "exported/syncnet")
    assert found["expert"]["weights_sha256"] == heard.manifest["files"][bundle.MODEL]
    assert found["expert"]["taught_by"]["sha256"] == "cd" * 32
    assert "which did not teach the generator" in found["heard_by"]
    same = Run(None, {"expert": {"sha256": heard.manifest["files"][bundle.MODEL]}})
    assert "which taught the generator" in measuring.heard_by(heard, same)["heard_by"]


def test_strips_show_the_same_moments_in_every_row(measured):
    strips = json.loads((measured / "strips/strips.json").read_text())
    assert len(strips) == 2
    assert len({strip["speaker"] for strip in strips}) == 2
    for strip in strips:
        assert list(strip["rows"]) == ["this run", "starter", "ground truth", "copied reference"]
        assert {Image.open(measured / "strips" / file).size for file in strip["rows"].values()} == {(16 * 96, 96)}
        assert len(strip["truth"]) == len(strip["openings"]["this run"]) == 60
        assert Image.open(measured / "strips" / strip["mel"]).size[1] == 80


def test_what_other_stages_keep_in_the_folder_stays(measured):
    assert figures(measured, "other") == {}


def test_a_second_measurement_gives_the_same_bytes(measured, monkeypatch):
    monkeypatch.chdir(measured.parents[2])
    before = (measured / "sync.json").read_bytes()
    evaluate.main(composed("syncnet"))
    assert (measured / "sync.json").read_bytes() == before


def test_where_nobody_is_held_out_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    talking.write(Path("data"), split="train", clips=1)
    write_run("syncnet")
    evaluate.main(composed("syncnet"))
    found = json.loads(Path("data/metrics/talks/sync.json").read_text())
    assert found["measured"] is False
    assert "none of the 3 clips" in found["why"]


def test_real_talks_of_which_nothing_is_known_exactly_are_measured_without(measured, tmp_path, monkeypatch):
    shutil.copytree(measured.parents[1], tmp_path / "data")
    shutil.rmtree(tmp_path / "data/truth")
    shutil.rmtree(tmp_path / "data/starters")
    monkeypatch.chdir(tmp_path)
    evaluate.main(composed("wav2lip"))
    found = json.loads(Path("data/metrics/talks/lipsync.json").read_text())
    assert found["mouth"] == {"known": False}
    assert "opening_correlation" not in found["rows"][0]
    assert found["rows"][0]["l1"]["n"] == 180
    assert "starter" not in [row["name"] for row in found["rows"]]


def test_no_run_names_the_command_that_makes_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    talking.write(Path("data"), clips=1)
    with pytest.raises(UserError, match=r"run\.json is not there: run python -m training\.train run=wav2lip"):
        evaluate.main(composed("wav2lip"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda run: (run / "expert.safetensors").write_bytes(b"short"),
        lambda run: (run / "run.json").write_text("{"),
        lambda run: (run / "run.json").write_text("[]"),
        lambda run: write_run("syncnet", {"network": {"width": 0.05}}),
        lambda run: write_run("syncnet", {"data": {}}),
    ],
)
def test_a_damaged_run_is_one_line(tmp_path, monkeypatch, damage):
    monkeypatch.chdir(tmp_path)
    talking.write(Path("data"), clips=1)
    write_run("syncnet")
    damage(Path("data/runs/syncnet"))
    with pytest.raises(UserError, match="holds no whole run") as caught:
        evaluate.main(composed("syncnet"))
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_syncnets_are_refused_before_anything_is_measured(measured, monkeypatch):
    monkeypatch.chdir(measured.parents[2])
    with pytest.raises(UserError, match=r"evaluate_wav2lip\.syncnet_v2=nowhere\.model is not there"):
        evaluate.main(composed("wav2lip", "evaluate_wav2lip.syncnet_v2=nowhere.model"))


@pytest.mark.parametrize("real", [False, True])
def test_published_weights_want_the_videos_where_the_talks_lie(measured, monkeypatch, tmp_path, real):
    monkeypatch.chdir(measured.parents[2])
    torch.save(syncnet_v2.SyncNetV2().state_dict(), tmp_path / "syncnet_v2.model")
    asked = [f"evaluate_wav2lip.syncnet_v2={tmp_path}/syncnet_v2.model"]
    asked += ["world=real", f"clips.root={tmp_path}/lrs2"] if real else []
    where = str(tmp_path / "lrs2") if real else "data/raw/talks"
    with pytest.raises(UserError, match=rf"{where}/.*00000\.mp4: evaluate_wav2lip\.syncnet_v2 needs the videos"):
        evaluate.main(composed("wav2lip", *asked))
