"""The people on the page come out of the exported bundle."""

import base64
import dataclasses
import io
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inference import bundle as bundles
from inference import cli
from inference.avatars import Avatars
from inference.errors import UserError
from inference.networks.stylegan2 import Generator, GeneratorConfig
from preprocessing import packing
from training.report.cast import Cast, cast
from training.report.settings import Settings

CONFIG = GeneratorConfig(height=16, width=8, channel_base=64, channel_max=8, z_dim=8, w_dim=8)
SETTINGS = Settings(
    corpora={"fashion": "models"}, pairs=1, rejects_a_reason=1, sources=1, thumbnail=16, avatars=5, truncation=0.7,
    samples=2, sample_edge=64, mixed=3, directions=2, sigmas=[-1, 0, 2], nearest=1,
    dances=1, films={"count": 1, "seconds": 1},
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A bundle of random weights, a pack of four pictures, and which of them are near avatar 2 and 3."""
    folder = tmp_path_factory.mktemp("data")
    torch.manual_seed(5)
    manifest = {
        "name": "fashion", "version": "1", "task": "avatar", "precision": "float32", "subject": "body",
        "network": {"kind": "stylegan2", **dataclasses.asdict(CONFIG)}, "commercial": True, "demo": True,
        "licences": {"weights": "Apache-2.0", "code": "Apache-2.0", "data": {"CC0-1.0": 3, "CC-BY-4.0": 1}},
        "provenance": {"git": None, "command": "python -m training.train"}, "metrics": {}, "created": "2026-01-01",
    }  # fmt: skip
    directions = {"components": torch.eye(8)[:3], "sigmas": torch.ones(3), "mean": torch.zeros(8)}
    tensors = {bundles.MODEL: Generator(CONFIG).state_dict(), bundles.DIRECTIONS: directions}
    bundles.write(folder / "fashion", manifest, tensors)
    pictures = [np.full((16, 8, 3), 60 * number, np.uint8) for number in range(4)]
    packing.write_pack(folder / "pack", pictures, [(str(number), None) for number in range(4)], "white", "f00d")
    near = {seed: [{"sha256": sha256, "distance": 0.5} for sha256 in "312"] for seed in ("2", "3")}
    (folder / "nearest.json").write_text(json.dumps(near))
    (folder / "avatars.json").write_text(json.dumps({"truncation": 0.7}))
    return folder


@pytest.fixture(scope="module")
def shown(data) -> Cast:
    return cast(data / "fashion", data, data / "pack", SETTINGS)


@pytest.fixture(scope="module")
def avatars(data) -> Avatars:
    return Avatars(bundles.load(data / "fashion"))


def test_nobody_is_picked_out_of_the_people(shown, avatars):
    assert [person["seed"] for person in shown.people] == [1, 2, 3, 4, 5]
    for person in shown.people:
        assert close(person["picture"], avatars.picture(avatars.w(person["seed"], 0.7)))


def test_the_mixes_take_shape_from_the_left_and_colour_from_above(shown, avatars):
    assert [len(row) for row in shown.mixes] == [4, 4, 4, 4]
    first, last = map(int, shown.layers.split("-"))
    assert 0 < first < last == avatars.num_ws - 1
    ws = avatars.w(2, 0.7).clone()
    ws[first:] = avatars.w(3, 0.7)[first:]
    assert close(shown.mixes[2][3]["picture"], avatars.picture(ws))


def test_a_slider_in_its_middle_is_the_person(shown, avatars):
    assert [len(slider["pictures"]) for slider in shown.sliders] == [3, 3]
    assert all(slider["pictures"][1] == shown.people[0]["picture"] for slider in shown.sliders)
    assert len({slider["pictures"][2] for slider in shown.sliders}) == 2


def test_an_avatar_stands_beside_the_training_pictures_that_were_found_nearest(shown):
    assert [one["seed"] for one in shown.nearest] == ["2"]
    assert shown.nearest[0]["picture"] == shown.people[1]["picture"]
    levels = [np.asarray(opened(near["picture"])).mean() for near in shown.nearest[0]["near"]]
    assert levels == pytest.approx([180, 60, 120], abs=4)


def test_neighbours_that_are_no_longer_in_the_pack_are_one_line(data, tmp_path):
    packing.write_pack(tmp_path / "pack", [np.zeros((16, 8, 3), np.uint8)], [("9", None)], "white", "f00d")
    with pytest.raises(UserError, match=r"nearest\.json speaks of pictures that are not in .*evaluate again"):
        cast(data / "fashion", data, tmp_path / "pack", SETTINGS)


def test_the_commands_on_the_page_make_such_pictures(shown, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRAMATIS_BUNDLES", str(data))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))  # where the certificate lies
    for command in shown.commands.values():
        assert cli.run(shlex.split(command)[1:]) == 0
    sheet = np.asarray(Image.open("fashion-sliders.png").convert("RGB"))
    pictures = [opened(picture) for picture in shown.sliders[0]["pictures"]]
    assert sheet.shape[1] == len(pictures) * CONFIG.width
    assert np.abs(sheet[:16, :8].astype(float) - np.asarray(pictures[0], float)).mean() < 12


def test_the_card_says_whose_and_which_it_is(shown, data):
    card = dict(shown.card)
    assert card["sha256"] == bundles.load(data / "fashion").sha256
    assert card["licence"].endswith("trained on CC0-1.0 (3), CC-BY-4.0 (1)")


def test_where_no_bundle_is_there_are_no_people(tmp_path, data):
    assert cast(tmp_path, data, data / "pack", SETTINGS) is None


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")


def close(uri: str, picture: np.ndarray) -> bool:
    """Tell whether an encoded picture is this one, as far as its encoding keeps it."""
    other = np.asarray(opened(uri), float)
    return other.shape == picture.shape and np.abs(other.mean(axis=(0, 1)) - picture.mean(axis=(0, 1))).max() < 12
