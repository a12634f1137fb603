"""Traits are read as well as it is said, and a direction is named only where it does what its name says."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn

from inference.errors import UserError
from inference.networks.stylegan2 import GeneratorConfig
from preprocessing import packing
from training.stylegan2 import naming, traits

NAMES = ("skin", "light", "build")
ASKED = naming.Settings(
    people=80, shown=6, truncation=0.7, batch=16, seed=1, apart=True, least_read=0.3, least_moved=1.0
)


def drawn(looks: Tensor) -> Tensor:
    """Draw looks [N, 2]: how light the upper half is, and how much lighter the right one: [N, 3, 32, 32] in -1..1."""
    pictures = torch.zeros(len(looks), 3, 32, 32)
    pictures[:, :, :16] += 0.25 * looks[:, 0, None, None, None]
    return pictures + 0.2 * looks[:, 1, None, None, None] * torch.linspace(-1, 1, 32)


class Painter(nn.Module):
    """A generator whose pictures show the first two numbers of w, and hide the others."""

    def __init__(self) -> None:
        super().__init__()
        self.config = GeneratorConfig(32, 32, 64, 8, z_dim=6, w_dim=6)
        self.mapping = nn.Identity()
        self.mapping.forward = lambda z, labels: z
        self.mapping.w_avg = torch.zeros(6)

    def broadcast(self, w: Tensor) -> Tensor:
        return w[:, None]

    def synthesis(self, ws: Tensor, noise: str) -> Tensor:
        return drawn(ws[:, 0, :2])


@pytest.fixture(scope="module")
def people() -> naming.People:
    draw = torch.Generator().manual_seed(3)
    looks = torch.randn(60, 3, generator=draw)
    pictures = drawn(looks[:, :2]) + 0.05 * torch.randn(60, 3, 32, 32, generator=draw)
    shown = ((pictures.clamp(-1, 1) + 1) * 127.5).byte().permute(0, 2, 3, 1).numpy()
    return naming.People(shown, looks.double().numpy(), NAMES)


def named(people: naming.People | None, **changes: object) -> tuple[Tensor, dict]:
    asked = ASKED.model_copy(update=changes)
    return naming.named_directions(Painter(), people, lambda rows: torch.ones(len(rows)).double(), asked)


def test_what_pictures_show_is_read_and_what_they_do_not_show_is_not(people):
    _, left_out = traits.learn(people.pictures, people.truth, NAMES)
    skin, light, build = (traits.correlation(left_out[:, place], people.truth[:, place]) for place in range(3))
    assert min(skin[1], light[1]) > 0.9
    assert build[1] < 0.3


def test_a_mirror_turns_the_light_and_nothing_else(people):
    reader, _ = traits.learn(people.pictures, people.truth, NAMES)
    seen, mirrored = reader(people.pictures), reader(people.pictures[:, :, ::-1])
    assert np.allclose(mirrored, seen * [1, -1, 1])
    assert seen[:, 1].std() > 0.5


def test_what_all_others_read_is_what_a_fit_without_the_one_gives(monkeypatch):
    monkeypatch.setattr(traits, "RIDGES", np.array([0.7]))
    draw = np.random.default_rng(5)
    seen, wanted = draw.normal(size=(20, 30)), draw.normal(size=20)
    centred = seen - seen.mean(axis=0)
    _, left_out = traits._ridge(centred, wanted - wanted.mean(), centred=True)
    others = seen[1:] - seen[1:].mean(axis=0)
    row = np.linalg.solve(others.T @ others + 0.7 * np.eye(30), others.T @ (wanted[1:] - wanted[1:].mean()))
    expected = (seen[0] - seen[1:].mean(axis=0)) @ row + wanted[1:].mean()
    assert left_out[0] + wanted.mean() == pytest.approx(expected, abs=1e-9)


def test_directions_are_named_after_what_they_do_with_their_numbers(people):
    rows, about = named(people)
    assert list(about["named"]) == ["skin", "light"]
    assert rows[0, 0] > 0.95
    assert rows[1, 1] > 0.95
    skin = about["named"]["skin"]
    assert skin["monotone"]
    assert skin["score"][3] == 0
    assert abs(skin["else"]["light"]) < 0.2 * skin["moved"]
    assert skin["apart"]
    assert "read" in about["unnamed"]["build"]


def test_what_is_nothing_held_apart_may_be_named_with_what_goes_with_it(people, monkeypatch):
    refuse = naming._refused
    monkeypatch.setattr(naming, "_refused", lambda name, effect, asked: effect["apart"] or refuse(name, effect, asked))
    about = named(people)[1]
    assert [trait["apart"] for trait in about["named"].values()] == [False, False]
    assert list(about["unnamed"]) == ["build"]
    assert not named(people, apart=False)[1]["named"]["skin"]["apart"]


def test_what_moves_too_little_or_another_trait_as_much_stays_unnamed(people):
    assert "less than 50" in named(people, least_moved=50.0)[1]["unnamed"]["skin"]
    effect = {"monotone": True, "moved": 2.0, "score": [], "else": {"hair": -2.5, "light": 1.0}}
    assert naming._refused("skin", effect, ASKED) == "it moves hair as much or more"
    assert "does not rise" in naming._refused("skin", effect | {"monotone": False}, ASKED)


def test_traits_that_go_together_are_told_apart_where_it_is_asked_for():
    draw = torch.Generator().manual_seed(1)
    w = torch.randn(500, 4, generator=draw).double()
    units = torch.stack([w[:, 0], w[:, 0] + 0.5 * w[:, 1]], dim=1)
    together, apart = (naming.regressed(w, units, apart=choice) for choice in (False, True))
    assert abs(together[0] @ together[1]) > 0.8
    assert abs(apart[1, 0]) < 0.2 < 0.9 < abs(apart[1, 1])


def test_where_nobody_knows_the_truth_nothing_is_named(people, tmp_path):
    assert naming.read_people(tmp_path, tmp_path / "absent") is None
    rows, about = named(None)
    assert (len(rows), about) == (0, {"named": {}, "unnamed": {}, "why": "nobody knows the truth"})
    few = naming.People(people.pictures[:9], people.truth[:9], NAMES)
    assert named(few)[1]["why"] == "the truth is known of 9 people, 30 are needed"


def test_people_are_those_of_the_pack_whose_truth_is_known(tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (3, 16, 16, 3), np.uint8)
    packing.write_pack(tmp_path / "pack", noise, [(name * 64, None) for name in "abc"], "white", "feed" * 4)
    (tmp_path / "truth").mkdir()
    rows = {"sha256": ["c" * 64, "a" * 64], "traits": [json.dumps({"age": age}) for age in (0.9, 0.7)]}
    pl.DataFrame(rows).write_parquet(tmp_path / "truth/truth.parquet")
    found = naming.read_people(tmp_path / "pack", tmp_path / "truth")
    assert np.array_equal(found.pictures, noise[[0, 2]])
    assert (found.truth.tolist(), found.names) == ([[0.7], [0.9]], ("age",))
    pl.DataFrame({"sha256": ["a" * 64]}).write_parquet(tmp_path / "truth/truth.parquet")
    with pytest.raises(UserError, match="says nothing of traits"):
        naming.read_people(tmp_path / "pack", tmp_path / "truth")
