import dataclasses
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from safetensors.torch import save_file

from inference import bundle
from inference.errors import UserError
from inference.networks.stylegan2 import Generator, GeneratorConfig
from preprocessing import packing
from training import evaluate
from training.metrics import detectors, neighbours
from training.stylegan2 import measuring
from training.stylegan2.data import held_out

ROOT = Path(__file__).resolve().parents[2]
CONFIG = GeneratorConfig(height=16, width=16, channel_base=64, channel_max=8, z_dim=8, w_dim=8)
QUICK = (
    "evaluate.avatars=5",
    "evaluate.distances.pictures=4",
    "evaluate.nearest.avatars=2",
    "evaluate.nearest.count=3",
)


def composed(*overrides: str):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("training/evaluate", overrides=["corpus=portrait", *overrides])


def settings(*overrides: str) -> measuring.Settings:
    return measuring.stage.settings(composed(*overrides), "evaluate", measuring.Settings)


def generator(config: GeneratorConfig = CONFIG) -> Generator:
    torch.manual_seed(3)
    return Generator(config)


def write_run(folder: Path, config: GeneratorConfig = CONFIG) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(generator(config).state_dict(), folder / "ema.safetensors")
    about = {"schema": 1, "network": dataclasses.asdict(config), "kimg": 0.5, "data": {"fingerprint": "f00d"}}
    (folder / "run.json").write_text(json.dumps(about))


def write_pack(folder: Path, count: int) -> list[str]:
    rng = np.random.default_rng(0)
    names = [hashlib.sha256(bytes([number])).hexdigest() for number in range(count)]
    discs = [np.full((16, 16, 3), 255, np.uint8) for _ in names]
    pictures = [
        cv2.circle(disc, (8, 8), int(rng.integers(2, 7)), rng.integers(0, 200, 3).tolist(), -1) for disc in discs
    ]
    packing.write_pack(folder, pictures, [(name, None) for name in names], "white", "f00d")
    return names


def write_starter(folder: Path) -> None:
    manifest = {
        "name": "portrait", "version": "1", "task": "avatar", "precision": "float32", "subject": "face",
        "network": {"kind": "stylegan2", **dataclasses.asdict(CONFIG)}, "commercial": True, "demo": True,
        "licences": {"weights": "Apache-2.0", "code": "Apache-2.0", "data": {}}, "metrics": {},
        "provenance": {"git": None, "command": "python -m training.train"}, "created": "2026-01-01",
    }  # fmt: skip
    bundle.write(folder, manifest, {bundle.MODEL: generator().state_dict()})


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> dict:
    """A run of random weights, a starter of the same weights and a pack of discs, measured once."""
    folder = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_run(Path("data/runs/portrait"))
        write_starter(Path("data/starters/portrait"))
        names = write_pack(Path("data/processed/portrait"), 16)
        Path("data/metrics/portrait").mkdir(parents=True)
        Path("data/metrics/portrait/cleaning.json").write_text("{}")
        evaluate.main(composed(*QUICK))
        found = {file.stem: json.loads(file.read_text()) for file in Path("data/metrics/portrait").iterdir()}
    return found | {"names": names}


def test_every_row_holds_as_many_pictures_and_is_measured_against_the_held_out_ones(measured):
    figures, unseen = measured["avatars"], sum(map(held_out, measured["names"]))
    assert [row["name"] for row in figures["rows"]] == [
        "this run", "starter", "real half against real half", "slightly blurred reals", "blurred reals", "noise"
    ]  # fmt: skip
    assert figures["reals"] == unseen
    for row in figures["rows"]:
        for distance in (row["fid"], row["kid"]):
            assert distance["n"] == [4, unseen]
            assert distance["interval_95"][0] <= distance["value"] <= distance["interval_95"][1]


def test_what_dvc_sets_side_by_side_is_flat_and_as_in_the_rows(measured):
    figures = measured["avatars"]
    assert not any(isinstance(value, dict | list) for value in figures["summary"].values())
    assert figures["summary"]["starter_kid"] == figures["rows"][1]["kid"]["value"]
    assert figures["summary"]["blurred_fid"] == figures["rows"][4]["fid"]["value"]


def test_the_same_weights_get_the_same_figures_whether_run_or_starter(measured):
    ours, starter = measured["avatars"]["rows"][:2]
    assert ours["kid"] == starter["kid"]
    assert ours["fid"] == starter["fid"]


def test_rates_carry_their_n_and_noise_shows_no_face(measured):
    detector = measured["avatars"]["detector"]
    assert detector["of"] == "face"
    assert detector["avatars"]["n"] == 5
    assert detector["reals"]["n"] == 16
    assert detector["held_out"]["n"] == sum(map(held_out, measured["names"]))
    assert detector["noise"]["share"] == 0
    assert detector["ratio"] is None  # discs have no face either


def test_the_nearest_of_each_seed_are_pictures_that_were_trained_on(measured):
    near = measured["nearest"]
    assert list(near) == ["0", "1"]
    for row in near.values():
        assert len({one["sha256"] for one in row}) == 3
        assert not any(held_out(one["sha256"]) for one in row)
        assert [one["distance"] for one in row] == sorted(one["distance"] for one in row)
    assert measured["avatars"]["nearest"]["features"]["avatars"]["n"] == 2


def test_what_another_stage_keeps_in_the_folder_stays(measured):
    assert measured["cleaning"] == {}


def test_a_pack_with_too_few_held_out_pictures_is_said_not_to_be_measured(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(Path("data/runs/portrait"))
    write_pack(Path("data/processed/portrait"), 4)
    evaluate.main(composed())
    figures = json.loads(Path("data/metrics/portrait/avatars.json").read_text())
    assert figures["measured"] is False
    assert "held out" in figures["why"]


def test_no_run_names_the_command_that_makes_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pack(Path("data/processed/portrait"), 4)
    with pytest.raises(UserError, match=r"run\.json is not there: run python -m training\.train"):
        evaluate.main(composed())


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda run: (run / "ema.safetensors").write_bytes(b"short"), "holds no whole run"),
        (lambda run: (run / "run.json").write_text("{"), "holds no whole run"),
        (lambda run: (run / "run.json").write_text("[]"), "holds no whole run"),
        (lambda run: write_run(run, dataclasses.replace(CONFIG, width=8)), "pictures of"),
    ],
)
def test_a_damaged_run_is_one_line(tmp_path, monkeypatch, damage, line):
    monkeypatch.chdir(tmp_path)
    write_run(Path("data/runs/portrait"))
    write_pack(Path("data/processed/portrait"), 4)
    damage(Path("data/runs/portrait"))
    with pytest.raises(UserError, match=line) as caught:
        evaluate.main(composed())
    assert "\n" not in str(caught.value)


def test_avatars_do_not_depend_on_the_batch_and_follow_the_seeds():
    network = generator().eval()
    whole = measuring.make(network, range(3, 9), 0.7, 6)
    assert whole.shape == (6, 16, 16, 3)
    assert np.abs(whole.astype(int) - measuring.make(network, range(3, 9), 0.7, 4)).max() <= 1
    assert np.abs(whole[2:].astype(int) - measuring.make(network, range(5, 9), 0.7, 6)).max() <= 1


def test_a_run_that_there_is_not_is_named_with_those_that_there_are():
    with pytest.raises(UserError, match="run=nobody is none of stylegan2"):
        evaluate.main(OmegaConf.merge(composed(), {"run": "nobody"}))


def test_wrong_settings_are_named():
    with pytest.raises(UserError, match=r"evaluate\.avatars"):
        settings("evaluate.avatars=0")
    with pytest.raises(UserError, match=r"evaluate\.precision"):
        settings("evaluate.precision=half")


def test_real_and_made_pictures_are_shown_at_the_same_size_on_white():
    shown = detectors.shown(np.zeros((64, 32, 3), np.uint8), 160, 16)
    assert shown.shape == (192, 112, 3)
    assert (shown[:16] == 255).all()
    assert (shown[16:-16, 16:-16] == 0).all()


def test_exactly_one_counts_neither_none_nor_two():
    found = detectors.exactly_one([1, 1, 0, 2])
    assert (found["share"], found["n"], found["none"], found["more"]) == (0.5, 4, 1, 1)
    assert detectors.exactly_one([])["share"] is None


def test_a_copy_lies_at_distance_zero_and_pulls_the_summary_down():
    rng = np.random.default_rng(0)
    training, unseen = (rng.integers(0, 256, (n, 8, 8, 3), dtype=np.uint8) for n in (6, 4))
    spaces = [neighbours.pixels(pictures) for pictures in (training[:2], unseen, training)]
    copies, others = (neighbours.euclidean(each, spaces[2]) for each in spaces[:2])
    assert neighbours.nearest(copies, list("abcdef"), 1)[1][0] == {
        "sha256": "b",
        "distance": pytest.approx(0, abs=0.01),
    }
    summary = neighbours.summary(copies, others)
    assert summary["ratio"] < 0.01
    assert summary["nearer_than_any_held_out"] == 2


def test_a_copy_in_a_mirror_is_a_copy_too():
    training = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    shown = np.stack([training[3], training[1][:, ::-1]])
    apart = neighbours.either_way_round(shown, neighbours.pixels(training), neighbours.pixels)
    assert apart.argmin(axis=1).tolist() == [3, 1]
    assert apart.min(axis=1) == pytest.approx(0, abs=0.01)
    assert np.sort(apart, axis=1)[:, 1].min() > 50


def test_pixel_distance_is_a_root_mean_square():
    pair = neighbours.pixels(np.stack([np.full((4, 4, 3), 10, np.uint8), np.full((4, 4, 3), 13, np.uint8)]))
    assert neighbours.euclidean(pair[:1], pair[1:])[0, 0] == pytest.approx(3, abs=1e-3)
