"""A bundle says what the run, the pictures and the metrics say, and shows what its own weights show."""

import hashlib
import io
import json
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from PIL import Image
from safetensors.torch import load_file, save_file

from inference import bundle
from inference.errors import UserError
from inference.networks.stylegan2 import Generator, GeneratorConfig, latents, to_uint8
from preprocessing import packing
from scraping import manifest
from training import export, provenance, shipping
from training.stylegan2.discriminator import Discriminator, DiscriminatorConfig

ROOT = Path(__file__).resolve().parents[2]
LICENCES = ["CC0-1.0"] * 5 + ["CC-BY-4.0"] * 2 + ["CC-BY-NC-4.0"]
METRICS = {
    "measured": True,
    "avatars": 64,
    "truncation": 0.7,
    "seeds": "1-64",
    "reals": 3,
    "rows": [
        {
            "name": name,
            "about": f"what {name} is",
            "fid": {"value": value, "n": [64, 3], "interval_95": [value - 1, value + 1]},
            "kid": {"value": value / 1000, "n": [64, 3], "interval_95": [0.01, 0.02]},
        }
        for name, value in (("this run", 21.5), ("blurred reals", 88.0))
    ],
    "detector": {
        "of": "face",
        "avatars": {"share": 0.91, "n": 64, "interval_95": [0.82, 0.96]},
        "held_out": {"share": 1.0, "n": 3, "interval_95": [0.44, 1.0]},
    },
    "nearest": {"not": "repeated"},
}


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    """The data folder after a training of random networks on eight pictures of the demo world."""
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "data")
    write_run(tmp_path / "data")
    return tmp_path / "data"


def write_pictures(data: Path) -> None:
    hashes = [hashlib.sha256(bytes([number])).hexdigest() for number in range(len(LICENCES))]
    noise = np.random.default_rng(1).integers(0, 256, (len(hashes), 16, 16, 3), np.uint8)
    packing.write_pack(data / "processed/portrait", noise, [(name, None) for name in hashes], "white", "feed" * 4)
    rows = [
        dict.fromkeys(manifest.SCHEMA.names)
        | {"sha256": name, "licence": licence, "source": "museum", "status": "kept"}
        for name, licence in zip(hashes, LICENCES, strict=True)
    ]
    unpacked = rows[0] | {"sha256": "0" * 64, "licence": "GPL-3.0"}
    manifest.write([*rows, unpacked], data / "raw/portrait")


def write_run(data: Path, classes: int = 0, channels: int = 3, **changes) -> None:
    torch.manual_seed(1)
    shape = GeneratorConfig(16, 16, 128, 8, z_dim=32, w_dim=32, classes=classes, image_channels=channels)
    generator = Generator(shape)
    discriminator = Discriminator(DiscriminatorConfig(generator.config, 128, 8))
    folder = data / "runs/portrait"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(generator.state_dict(), folder / "ema.safetensors")
    save_file(discriminator.state_dict(), folder / "discriminator.safetensors")
    about = {"fingerprint": "feed" * 4, "count": 8, "width": 16, "height": 16, "train": 6, "held_out": 2}
    run = {"schema": 1, "run": "stylegan2", "corpus": "portrait", "world": "demo", "profile": "tiny", "kimg": 412.5}
    run |= {"seconds": 3700.0, "device": "cpu", "torch": "2.15", "network": asdict(generator.config), "data": about}
    run |= {"started_from": None, "command": "python -m training.train", "settings": {"seed": 7}, "git": None}
    (folder / "run.json").write_text(json.dumps(run | changes))


def run_export(*overrides: str) -> bundle.Bundle:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        few = ["export.directions.samples=500", "export.directions.count=4", "export.preview.avatars=6"]
        config = compose(
            "training/export", ["corpus=portrait", "profile=tiny", "wandb.mode=disabled", *few, *overrides]
        )
    export.main(config)
    place = "starters" if config.export.starter else "exported"
    return bundle.load(Path("data") / place / config.export.name)


def test_a_bundle_makes_the_pictures_of_the_averaged_generator(data):
    made = run_export()
    generator = Generator(made.config)
    generator.load_state_dict(load_file(data / "runs/portrait/ema.safetensors"))
    golden = made.tensors(bundle.GOLDEN)
    with torch.no_grad():
        expected = to_uint8(generator(latents([1, 2, 3, 4], 32), psi=0.7, noise="const"))
    assert torch.equal(golden["image"], expected)
    assert made.check() == 0
    directions = made.directions()
    assert directions.components.shape == (8, 32)
    assert (directions.principal, directions.names["sefa:0"], directions.names["sefa:3"]) == (4, 4, 7)
    assert made.manifest["directions"]["traits"] == {"named": {}, "unnamed": {}, "why": "nobody knows the truth"}


def test_a_generator_of_transparent_pictures_is_shown_on_white(data):
    write_run(data, channels=4)
    made = run_export()
    assert made.config.image_channels == 4
    assert made.tensors(bundle.GOLDEN)["image"].shape == (4, 16, 16, 3)
    assert made.check() == 0


def test_the_same_run_gives_the_same_bytes(data):
    first = {file.name: file.read_bytes() for file in run_export().folder.iterdir()}
    shutil.rmtree("data/exported")
    shutil.rmtree(".work")
    assert {file.name: file.read_bytes() for file in run_export().folder.iterdir()} == first
    assert set(first) == {
        *("bundle.json", "model.safetensors", "directions.safetensors", "golden.safetensors"),
        *("preview.png", "README.md"),
    }


def test_the_preview_holds_the_first_seeds_in_their_order(data):
    made = run_export("export.preview.columns=3")
    with Image.open(io.BytesIO(made.read("preview.png"))) as picture:
        shown = np.asarray(picture)
    with torch.no_grad():
        fourth = to_uint8(made.generator()(latents([4], 32), psi=0.7, noise="const"))[0].numpy()
    assert shown.shape == (2 * 16, 3 * 16, 3)
    assert shown[16:, :16].astype(int) == pytest.approx(fourth.astype(int), abs=1)  # a batch rounds in its own way


def test_a_generator_with_classes_shows_each_in_turn(data):
    write_run(data, classes=3)
    made = run_export()
    assert made.tensors(bundle.GOLDEN)["labels"].tolist() == [1, 2, 0, 1]
    assert made.check() == 0


def test_a_manifest_counts_the_licences_of_the_pictures_in_the_pack_alone(data):
    made = run_export()
    assert made.manifest["licences"]["data"] == {"CC0-1.0": 5, "CC-BY-4.0": 2, "CC-BY-NC-4.0": 1}
    assert made.manifest["provenance"]["sources"] == {"museum": 8}
    assert (made.manifest["demo"], made.manifest["subject"]) == (True, "face")
    assert (made.manifest["licences"]["weights"], made.manifest["commercial"]) == ("Apache-2.0", True)


def test_weights_from_the_real_world_are_as_free_as_the_least_free_picture(data):
    write_run(data, world="real")
    made = run_export("world=real")
    assert made.manifest["commercial"] is False
    assert made.manifest["licences"]["weights"] == "as the data allows: CC0-1.0, CC-BY-4.0, CC-BY-NC-4.0"
    assert made.read("NOTICE") == (data / "raw/portrait/NOTICE").read_bytes()
    assert "A toy" not in made.read("README.md").decode()


def test_weights_are_no_freer_than_what_they_were_started_from(data):
    start = {"kind": "bundle", "name": "museum", "sha256": "0" * 64, "loaded": [], "missing": [], "commercial": False}
    write_run(data, started_from=start | {"licence": "as the data allows: CC-BY-NC-4.0"})
    made = run_export()
    bound = "Apache-2.0; as the bundle museum allows: as the data allows: CC-BY-NC-4.0"
    assert (made.manifest["commercial"], made.manifest["licences"]["weights"]) == (False, bound)
    assert "Commercial use: no" in made.read("README.md").decode()
    write_run(data, started_from=start | {"licence": "Apache-2.0", "commercial": True})
    assert run_export().manifest["commercial"] is True
    write_run(data, world="real", started_from=start | {"licence": "CC0-1.0", "commercial": True})
    assert run_export("world=real").manifest["commercial"] is False  # for the pictures' sake


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        *(("CC0-1.0", True), ("CC-BY-2.5", True), ("CC-BY", True), ("PDM-1.0", True), ("Apache-2.0", True)),
        *(("CC-BY-SA-4.0", False), ("CC-BY-ND-4.0", False), ("GPL-3.0", False), ("not stated", False)),
    ],
)
def test_commerce_needs_a_licence_that_allows_it_without_conditions(licence, free):
    assert provenance.is_free({"CC0-1.0": 9, licence: 1}) is free


def test_the_card_says_every_number_with_its_n_beside_the_rows_that_judge_it(data):
    (data / "metrics/portrait").mkdir(parents=True)
    (data / "metrics/portrait/avatars.json").write_text(json.dumps(METRICS))
    made = run_export("export.people=seeds 100000 to 100013")
    card = made.read("README.md").decode()
    assert "| this run (what this run is) | 21.5 (20.5 to 22.5) | 64 / 3 | 0.0215 (0.01 to 0.02) | 64 / 3 |" in card
    assert "| blurred reals (what blurred reals is) | 88 (87 to 89) |" in card
    assert "64 avatars at truncation 0.7, seeds 1-64, none picked:" in card
    assert "| these avatars | 0.91 (0.82 to 0.96) | 64 |" in card
    assert "| held-out pictures | 1 (0.44 to 1) | 3 |" in card
    assert made.manifest["metrics"] == {key: METRICS[key] for key in METRICS if key != "nearest"}


def test_the_card_says_what_it_is_a_toy_of_and_how_to_use_it(data):
    card = run_export("export.people=seeds 100000 to 100013").read("README.md").decode()
    assert "**A toy.**" in card
    assert "dramatis generate --bundle portrait --seeds 1-16" in card
    assert "Not measured: python -m training.evaluate has not run" in card
    for said in (
        "412.5 thousand",
        "1 h 2 min on cpu",
        "seeds 100000 to 100013",
        "| CC-BY-NC-4.0 | 1 |",
        "Seeds 1 to 6,",
        "YuNet (MIT) and U2-Net (Apache-2.0). Nothing of them is in the bundle.",
    ):
        assert said in card


@pytest.mark.parametrize(
    ("corpus", "said"),
    [
        ("fullbody", "chose and cut out the pictures: YOLOv5nu (AGPL-3.0) and U2-Net"),
        ("fullbody images.subject=matte", "of others cut out the pictures: U2-Net"),
    ],
)
def test_the_card_says_which_networks_of_others_chose_the_pictures(data, corpus, said):
    for folder in ("raw", "processed", "runs"):
        (data / folder / "portrait").rename(data / folder / "fullbody")
    about = data / "runs/fullbody/run.json"
    about.write_text(about.read_text().replace('"portrait"', '"fullbody"'))
    made = run_export(*f"corpus={corpus}".split())
    assert said in made.read("README.md").decode()
    assert made.manifest["subject"] == "body"


def test_a_starter_is_halved_with_its_discriminator_and_golden_of_the_halved_weights(data):
    made = run_export("export.starter=true")
    stored = load_file(made.folder / bundle.DISCRIMINATOR)
    assert made.manifest["precision"] == "float16"
    assert stored["b16.fromrgb.weight"].dtype == torch.float16
    assert made.check() == 0
    assert not Path("data/exported").exists()


def test_a_starter_of_less_training_or_more_bytes_than_allowed_is_refused(data, monkeypatch):
    monkeypatch.setattr(shipping, "STARTER_BYTES", 20_000)
    with pytest.raises(UserError, match=r"a starter has at most 0\.02 MB, this one 0\.\d\d:"):
        run_export("export.starter=true")
    write_run(data, kimg=199.0)
    with pytest.raises(UserError, match="trained for 199 kimg, a starter for at least 200"):
        run_export("export.starter=true")
    assert not Path("data/starters").exists()


def test_what_does_not_belong_to_the_run_is_refused_in_one_line(data):
    with pytest.raises(UserError, match="trained in world=demo, not in real"):
        run_export("world=real")
    about = json.loads((data / "processed/portrait/pack.json").read_text())
    (data / "processed/portrait/pack.json").write_text(json.dumps(about | {"fingerprint": "other"}))
    with pytest.raises(UserError, match="not the pack that portrait was trained on"):
        run_export()


def test_a_run_that_is_absent_incomplete_or_failed_is_refused_in_one_line(data):
    ema = data / "runs/portrait/ema.safetensors"
    state = load_file(ema)
    save_file(state | {"synthesis.b4.const": state["synthesis.b4.const"] * torch.nan}, ema)
    with pytest.raises(UserError, match=r"synthesis\.b4\.const holds values that are not finite"):
        run_export()
    ema.write_bytes(ema.read_bytes()[:-1])
    with pytest.raises(UserError, match="no whole safetensors file"):
        run_export()
    (data / "runs/portrait/run.json").write_text('{"corpus": "portrait"}')
    with pytest.raises(UserError, match="world: field required"):
        run_export()
    shutil.rmtree(data / "runs")
    with pytest.raises(UserError, match=r"run python -m training\.train run=stylegan2 corpus=portrait first"):
        run_export()


def test_a_file_to_export_belongs_to_the_other_algorithms(data):
    with pytest.raises(UserError, match=r"init=expert\.pth is for run=syncnet and run=wav2lip"):
        run_export("init=expert.pth")


def test_a_bundle_that_stands_there_stays_when_an_export_fails(data):
    before = run_export().sha256
    write_run(data, kimg=500.0)
    (data / "raw/portrait/manifest.parquet").unlink()
    with pytest.raises(UserError, match="nothing else says whose"):
        run_export()
    assert bundle.load("data/exported/portrait").sha256 == before


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words], cwd=folder, check=True)


def test_a_revision_tells_committed_code_from_changed(tmp_path):
    assert provenance.revision(tmp_path) is None
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "--message", "a")
    assert provenance.revision(tmp_path)["clean"] is True
    (tmp_path / "code.py").write_text("")
    git(tmp_path, "add", "code.py")
    assert provenance.revision(tmp_path)["clean"] is False


def test_weights_and_biases_refers_to_the_bundle(data, wandb_here):
    run_export("wandb.mode=offline")
    wandb_here()
    (watched,) = Path(".work/wandb").glob("offline-run-*/*.wandb")
    assert b"file:data/exported/portrait/model.safetensors" in watched.read_bytes()
