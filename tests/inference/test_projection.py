"""The search comes near to pictures that the generator draws, and a found person goes wherever a seed does."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from inference import bundle as bundles
from inference import cli, people, projection
from inference.avatars import Avatars
from inference.errors import UserError
from inference.networks.stylegan2 import GeneratorConfig
from inference.projection import Search

STARTER = Path(__file__).resolve().parents[2] / "data/starters/portrait"


pytestmark = pytest.mark.usefixtures("a_place_of_its_own")


def found(avatars: Avatars, pictures: np.ndarray, **how: object) -> Search:
    search = Search(avatars.generator, pictures, **how)
    while search.done < search.steps:
        search.step()
    return search


@pytest.fixture
def person(avatars) -> Path:
    people.Found(avatars.w(9).numpy(), people.model_of(avatars.bundle), "cafe").save(Path("me.npz"))
    return Path("me.npz")


def test_a_picture_of_the_generators_own_is_come_nearer_than_by_any_of_many_seeds():
    avatars = Avatars(bundles.load(STARTER))
    truth = avatars.picture(avatars.w(5))
    search = found(avatars, truth[None], steps=60)
    seeds = [np.abs(picture.astype(int) - truth).mean() for picture in avatars.generate(range(100, 130))]
    made = avatars.picture(search.ws[0])
    assert np.abs(made.astype(int) - truth).mean() < 0.6 * min(seeds)
    assert torch.equal(search.ws[0][0], search.ws[0][1])


def test_a_search_stays_among_the_generators_people(avatars, monkeypatch):
    picture = avatars.picture(avatars.w(5))[None]
    near = found(avatars, picture, steps=60)
    monkeypatch.setattr(projection, "PULL", 0.0)
    free = found(avatars, picture, steps=60)
    near_off, free_off = (float((each.w.detach() - each.mean).norm()) for each in (near, free))
    assert near_off < 0.9 * free_off


def test_w_plus_gives_every_layer_its_own(avatars):
    search = found(avatars, avatars.picture(avatars.w(5))[None], steps=3, plus=True)
    assert not torch.equal(search.ws[0][0], search.ws[0][1])


def test_a_search_leaves_the_generator_and_its_noise_alone_and_comes_again(avatars):
    before = avatars.picture(avatars.w(1))
    first, again = (found(avatars, before[None], steps=3, seed=4).ws for _ in range(2))
    assert torch.equal(first, again)
    assert np.array_equal(avatars.picture(avatars.w(1)), before)
    assert not torch.equal(first, found(avatars, before[None], steps=3, seed=5).ws)


def test_noise_that_draws_is_told_from_noise_that_is_none():
    plain = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    drawn = plain.roll(1, 3) * 0.7 + plain * 0.7
    assert projection.correlation(drawn) > 20 * projection.correlation(plain)


def test_the_distance_tells_a_near_miss_from_a_wide_one_where_pixels_alone_do_not():
    line = torch.zeros(1, 3, 32, 32)
    line[:, :, :, 8] = 1.0
    near, far = line.roll(2, 3), line.roll(14, 3)
    assert (near - line).abs().mean() == (far - line).abs().mean()
    assert projection.distance(near, line) < 0.8 * projection.distance(far, line)
    assert projection.distance(line, line + 0.5) == pytest.approx(0.5)


def test_bodies_are_searched_for_as_well(make_bundle):
    tall = GeneratorConfig(height=32, width=16, channel_base=256, channel_max=16, z_dim=24, w_dim=24)
    avatars = Avatars(make_bundle("fullbody", tall))
    assert found(avatars, avatars.picture(avatars.w(1))[None], steps=2).ws.shape == (1, 8, 24)


def test_the_command_writes_person_picture_and_film_and_marks_what_is_seen(avatars, capsys):
    Image.fromarray(avatars.picture(avatars.w(3))).save("x.png")
    words = ["project", "x.png", "--whole", "--steps", "8", "--film", "--out", "me.npz", "--consent", "mine", "--json"]
    assert cli.run(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert [file["path"] for file in told["files"]] == ["me.png", "me.mp4"]
    assert told["files"][0]["recipe"]["consent"] == {"statement": "mine"}
    beside = np.asarray(Image.open("me.png"))
    ws = torch.from_numpy(people.load(Path("me.npz"), avatars.bundle).ws)
    assert np.array_equal(beside, np.hstack([avatars.picture(avatars.w(3)), avatars.picture(ws)]))
    with av.open("me.mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) == 8 + 25
    assert cli.run(["verify", "me.png", "me.mp4"]) == 0


def test_a_face_is_framed_and_laid_on_white_before_it_is_searched_for(portrait, avatars, monkeypatch):
    seen = []
    monkeypatch.setattr("inference.cli_project._search", lambda _, wanted, *how: seen.append(wanted) or [avatars.w(1)])
    tile = portrait(0, 160)
    tile[tile.min(axis=2) > 235] = 30, 140, 150
    canvas = np.full((300, 400, 3), (30, 140, 150), np.uint8)
    canvas[100:260, 220:380] = tile
    Image.fromarray(canvas).save("x.png")
    assert cli.run(["project", "x.png"]) == 0
    whole = np.asarray(Image.fromarray(portrait(0, 160)).resize((32, 32), Image.Resampling.LANCZOS))
    assert np.abs(seen[0].astype(int) - whole).mean() < 25
    assert np.abs(seen[0].astype(int) - whole).mean() < np.abs(255 - whole.astype(int)).mean() / 2
    assert seen[0][:4, [*range(4), *range(-4, 0)]].mean() > 240


def test_who_was_found_goes_wherever_a_seed_does(avatars, person, capsys):
    assert cli.run(["edit", "--from", "me.npz", "--direction", "0", "--sigmas", "0", "--out", "a.png"]) == 0
    assert cli.run(["mix", "2", "--from", "me.npz", "--share", "0", "--out", "b.png", "--json"]) == 0
    assert cli.run(["walk", "--seeds", "2", "--from", "me.npz", "--seconds", "0.2", "--out", "c.mp4"]) == 0
    assert cli.run(["mix", "2-3", "--from", "me.npz", "--grid", "--out", "d.png"]) == 0
    them = avatars.picture(avatars.w(9))
    assert np.array_equal(np.asarray(Image.open("a.png")), them)
    assert np.array_equal(np.asarray(Image.open("b.png")), them)
    assert np.array_equal(np.asarray(Image.open("d.png"))[32:, :32], them)
    assert '"picture_sha256": "cafe"' in capsys.readouterr().out


def test_a_person_of_another_generator_or_no_person_is_refused(avatars, make_bundle, person):
    other = make_bundle("other", GeneratorConfig(32, 32, 128, 8, z_dim=24, w_dim=24))
    with pytest.raises(UserError, match="found with another generator than that of other"):
        people.load(person, other)
    for name, arrays in {
        "shape": {"w": np.zeros((1, 3, 24), np.float32)},
        "not finite": {"w": np.full((1, 8, 24), np.nan, np.float32)},
        "no person": {"v": np.zeros(3)},
    }.items():
        np.savez("wrong.npz", **arrays)
        with pytest.raises(UserError, match=name):
            people.load(Path("wrong.npz"), avatars.bundle)
    np.savez("pickled.npz", w=np.array([{}], dtype=object))
    with pytest.raises(UserError, match="holds no person"):
        people.load(Path("pickled.npz"), avatars.bundle)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["project", "absent.png"], "absent.png: no such file"),
        (["project", "text.png"], "text.png cannot be read (not-a-picture"),
        (["project", "plain.png"], "plain.png shows no face"),
        (["project", "plain.png", "--out", "me.png"], "must end in .npz"),
        (["project", "plain.png", "--steps", "0"], "--steps '0'"),
        (["edit", "--from", "absent.npz"], "absent.npz is not there"),
        (["edit", "--from", "text.png"], "text.png holds no person"),
        (["mix", "1"], "takes two, A and B, or --from"),
        (["mix", "1", "2", "--from", "me.npz"], "takes two, A and B, or --from"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(capsys, words, named):
    Path("text.png").write_text("no picture")
    Image.new("RGB", (64, 64), "white").save("plain.png")
    assert cli.run(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert named in line
    assert sorted(path.name for path in Path().iterdir() if path.is_file()) == ["plain.png", "text.png"]


def test_what_is_found_does_not_take_the_place_of_the_picture(avatars, capsys):
    Image.fromarray(avatars.picture(avatars.w(4))).save("me.png")
    before = Path("me.png").read_bytes()
    assert cli.run(["project", "me.png", "--whole", "--out", "me.npz", "--steps", "2"]) == 2
    assert "--out me.png would take the place of PICTURE me.png" in capsys.readouterr().err
    assert (Path("me.png").read_bytes(), Path("me.npz").exists()) == (before, False)
