"""Presets say what the published trainer's say; `auto` is worked out of resolution, batch and devices."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from safetensors.torch import save_file

from inference.errors import UserError
from inference.networks.stylegan2 import Generator, GeneratorConfig
from preprocessing import packing
from scraping import stage
from training import runs, train
from training.machine import TrainerSettings
from training.stylegan2 import fitting, presets
from training.stylegan2.fitting import Settings

CONF = Path(__file__).resolve().parents[2] / "conf"
PRESETS = sorted(file.stem for file in (CONF / "preset").glob("*.yaml"))


def settings(*overrides: str, resolution: int = 256, processes: int = 1) -> Settings:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("training/train", ["corpus=portrait", *overrides])
    presets.settle(config.train, resolution, processes)
    return stage.settings(config, "train", Settings)


@pytest.mark.parametrize(
    ("name", "batch", "group", "base", "layers", "rate", "gamma", "average"),
    [
        ("stylegan2", 32, 4, 32768, 8, 0.002, 10, 10),
        ("paper256", 64, 8, 16384, 8, 0.0025, 1, 20),
        ("paper512", 64, 8, 32768, 8, 0.0025, 0.5, 20),
        ("paper1024", 32, 4, 32768, 8, 0.002, 2, 10),
        ("auto", 16, 4, 16384, 2, 0.0025, 0.8192, 5),
    ],
)
def test_a_preset_says_what_the_published_trainer_says(name, batch, group, base, layers, rate, gamma, average):
    found = settings(f"preset={name}", "profile=tiny")
    assert (found.batch, found.discriminator.mbstd_group) == (batch, group)
    for network in (found.generator, found.discriminator):
        assert (network.channel_base, network.channel_max, network.conv_clamp) == (base, 512, 256)
    assert found.generator.mapping_layers == layers
    assert (found.lr_generator, found.lr_discriminator, found.ema_kimg) == (rate, rate, average)
    assert found.gamma == pytest.approx(gamma)
    assert found.ema_ramp == (0.05 if name == "auto" else None)


@pytest.mark.parametrize(
    ("resolution", "processes", "batch", "group", "base", "rate", "gamma"),
    [
        *((64, 1, 32, 4, 16384, 0.0025, 0.0256), (512, 1, 8, 4, 32768, 0.0025, 6.5536)),
        *((1024, 1, 4, 4, 32768, 0.002, 52.4288), (1024, 8, 32, 4, 32768, 0.002, 6.5536)),
        *((256, 8, 64, 4, 16384, 0.0025, 0.2048), (2048, 1, 2, 2, 32768, 0.002, 419.4304)),
        (256, 5, 60, 4, 16384, 0.0025, 0.0002 * 65536 / 60),  # 64 do not fall into 5 processes
    ],
)
def test_auto_follows_resolution_and_devices(resolution, processes, batch, group, base, rate, gamma):
    found = settings("preset=auto", resolution=resolution, processes=processes)
    assert (found.batch, found.discriminator.mbstd_group, found.generator.channel_base) == (batch, group, base)
    assert found.lr_generator == rate
    assert found.gamma == pytest.approx(gamma)
    assert found.ema_kimg == batch * 10 / 32


def test_what_is_given_counts_and_one_value_may_be_left_to_auto():
    found = settings("preset=auto", "train.batch=6", "train.lr_generator=0.001")
    assert (found.batch, found.discriminator.mbstd_group, found.lr_generator) == (6, 3, 0.001)
    assert found.gamma == pytest.approx(0.0002 * 65536 / 6)
    assert settings("train.gamma=auto", "train.batch=16").gamma == pytest.approx(0.8192)
    with pytest.raises(UserError, match=r"train\.r1_interval"):
        settings("train.r1_interval=auto")
    with pytest.raises(UserError, match=r"train\.batch"):
        settings("preset=auto", "train.batch=many")


def test_without_a_preset_nothing_changes():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("training/train", ["corpus=portrait"])
        assert config.train.batch == 16
    assert "auto" not in json.dumps(settings().model_dump())


@pytest.mark.parametrize(
    ("devices", "count"), [(1, 1), ("2", 2), ("0,3", 2), ("[0, 1, 2]", 3), ("0,", 1), ("auto", 1)], ids=str
)
def test_processes_are_as_many_as_devices(devices, count):
    assert TrainerSettings(accelerator="cpu", devices=devices, threads=None, workers=0).processes == count


def test_a_preset_is_no_setting_of_other_runs(monkeypatch):
    asked = type("Asked", (), {"overrides": type("All", (), {"task": ["run=wav2lip", "preset=auto"]})})
    monkeypatch.setattr(runs.HydraConfig, "initialized", lambda: True)
    monkeypatch.setattr(runs.HydraConfig, "get", lambda: asked)
    with pytest.raises(UserError, match="preset is a setting of run=stylegan2"):
        runs.refuse_settings_of_others("wav2lip")


def test_a_run_records_what_auto_came_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures = np.zeros((12, 16, 16, 3), np.uint8)
    names = [(f"{number * 7:08x}" * 8, None) for number in range(12)]
    packing.write_pack(tmp_path / "data/processed/portrait", pictures, names, "white", "f" * 16)
    small = [f"train.{part}.channel_max=8" for part in ("generator", "discriminator")]
    small += ["train.generator.z_dim=8", "train.generator.w_dim=8", "train.batch=4", "train.start=null"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        where = ["corpus=portrait", "profile=tiny", "trainer=cpu", "wandb.mode=disabled", "max_kimg=0.004"]
        train.main(compose("training/train", [*where, "preset=auto", *small]))
    about = json.loads(Path("data/runs/portrait/run.json").read_text())
    assert about["settings"]["gamma"] == pytest.approx(0.0002 * 256 / 4)
    assert about["network"]["conv_clamp"] == 256


def test_width_and_depth_are_those_of_what_is_started_from(tmp_path, capsys):
    config = GeneratorConfig(16, 16, 256, 32, z_dim=24, w_dim=20, mapping_layers=5, conv_clamp=256)
    save_file(Generator(config).state_dict(), tmp_path / "ema.safetensors")
    (tmp_path / "run.json").write_text(json.dumps({"network": asdict(config)}))
    start = f"train.start={tmp_path}"
    found = fitting.as_started(settings("profile=tiny", start))
    assert found.generator.model_dump() == {
        "channel_base": 256, "channel_max": 32, "z_dim": 24, "w_dim": 20, "mapping_layers": 5, "conv_clamp": 256
    }  # fmt: skip
    assert "generator.mapping_layers 5 (2 here)" in capsys.readouterr().out
    assert fitting.as_started(found) == found
    assert capsys.readouterr().out == ""
