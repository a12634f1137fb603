import numpy as np
import pytest
import torch

from inference.avatars import Avatars, grid
from inference.errors import UserError
from inference.networks.stylegan2 import GeneratorConfig, latents, to_uint8


@pytest.fixture(scope="module")
def avatars(shared_bundle) -> Avatars:
    return Avatars(shared_bundle)


def test_a_picture_is_what_the_generator_draws_for_that_seed(avatars):
    z = latents([5], avatars.config.z_dim)
    expected = to_uint8(avatars.generator(z, psi=0.7, noise="const"))[0].numpy()
    assert np.array_equal(next(avatars.generate([5])), expected)


def test_a_picture_does_not_depend_on_what_is_asked_for_beside_it(avatars):
    alone = next(avatars.generate([3]))
    beside = list(avatars.generate([1, 2, 3, 4]))[2]
    assert np.array_equal(alone, beside)


def test_a_picture_does_not_depend_on_the_number_of_threads_and_leaves_it(avatars, monkeypatch):
    seen = []
    draw = avatars.generator.synthesis.forward
    monkeypatch.setattr(
        avatars.generator.synthesis, "forward", lambda *a, **k: seen.append(torch.get_num_threads()) or draw(*a, **k)
    )
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    list(avatars.generate([1]))
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert (seen, after) == ([1], 2)


def test_two_seeds_are_two_people_and_a_seed_is_one(avatars):
    one, two, again = avatars.generate([1, 2, 1])
    assert not np.array_equal(one, two)
    assert np.array_equal(one, again)


def test_no_truncation_leaves_w_and_full_truncation_is_the_average_of_all(avatars):
    z = latents([4], avatars.config.z_dim)
    assert torch.equal(avatars.w(4, psi=1.0)[0], avatars.generator.mapping(z)[0])
    assert torch.allclose(avatars.w(4, psi=0.0), avatars.generator.mapping.w_avg.expand(avatars.num_ws, -1))


def test_a_cutoff_truncates_the_first_layers_alone(avatars):
    full, cut = avatars.w(4, psi=1.0), avatars.w(4, psi=0.5, cutoff=2)
    assert torch.equal(full[2:], cut[2:])
    assert not torch.equal(full[:2], cut[:2])


@pytest.mark.parametrize("psi", [float("nan"), float("inf"), 3.0])
def test_a_truncation_out_of_range_is_refused(avatars, psi):
    with pytest.raises(UserError, match="truncation"):
        avatars.w(1, psi=psi)


def test_the_ends_of_a_mix_are_the_two_people_exactly(avatars):
    a, b = avatars.w(1), avatars.w(2)
    assert torch.equal(avatars.mix(a, b, 0.0), a)
    assert torch.equal(avatars.mix(a, b, 1.0), b)


def test_a_mix_gets_nearer_to_the_other_with_every_step(avatars):
    a, b = avatars.w(1), avatars.w(2)
    distances = [float((avatars.mix(a, b, t) - b).norm()) for t in (0, 0.25, 0.5, 0.75, 1)]
    assert distances == sorted(distances, reverse=True)
    assert len(set(distances)) == 5


def test_a_crossover_takes_the_named_layers_of_the_other(avatars):
    a, b = avatars.w(1), avatars.w(2)
    child = avatars.mix(a, b, layers=[2, 3])
    assert torch.equal(child[2:4], b[2:4])
    assert torch.equal(child[:2], a[:2])
    assert torch.equal(child[4:], a[4:])


def test_an_edit_moves_the_named_layers_by_so_many_sigmas(avatars):
    ws, directions = avatars.w(1), avatars.bundle.directions()
    moved = avatars.edit(ws, 2, -3.0, layers=[1]) - ws
    assert torch.allclose(moved[1], -3 * directions.sigmas[2] * directions.components[2], atol=1e-6)
    assert moved[[0, *range(2, avatars.num_ws)]].abs().max() == 0


def test_an_edit_leaves_its_input_alone(avatars):
    ws = avatars.w(1)
    before = ws.clone()
    avatars.edit(ws, 0, 2.0)
    avatars.mix(ws, avatars.w(2), 0.5)
    assert torch.equal(ws, before)


def test_a_direction_goes_by_name_where_the_bundle_names_it(avatars):
    ws = avatars.w(1)
    assert torch.equal(avatars.edit(ws, "light", 1.0), avatars.edit(ws, 1, 1.0))


def test_rows_behind_the_principal_ones_go_by_name_alone(make_bundle):
    about = {"file": "directions.safetensors", "count": 2, "names": {"sefa:0": 2}}
    avatars = Avatars(make_bundle("closed", directions=about))
    moved = avatars.edit(avatars.w(1), "sefa:0", 1.0) - avatars.w(1)
    assert torch.allclose(moved[0], avatars.bundle.directions().components[2], atol=1e-6)
    assert avatars.directions == 2
    with pytest.raises(UserError, match="direction 2 must be a number from 0 to 1, or one of sefa:N"):
        avatars.edit(avatars.w(1), 2, 1.0)


@pytest.mark.parametrize(
    "wrong",
    [{"direction": 4}, {"direction": "age"}, {"sigmas": float("nan")}, {"layers": [8]}, {"layers": [-1]}],
)
def test_an_edit_out_of_range_is_refused(avatars, wrong):
    with pytest.raises(UserError):
        avatars.edit(avatars.w(1), **{"direction": 0, "sigmas": 1.0} | wrong)


def test_a_slider_passes_through_the_person_at_zero(avatars):
    ws = avatars.w(6)
    row = list(avatars.slider(ws, 0, [-4, 0, 4]))
    assert np.array_equal(row[1], avatars.picture(ws))
    assert not np.array_equal(row[0], row[2])


def test_a_walk_of_pictures_begins_and_ends_with_the_two(avatars):
    a, b = avatars.w(1), avatars.w(2)
    walk = list(avatars.interpolate(a, b, 3))
    assert np.array_equal(walk[0], avatars.picture(a))
    assert np.array_equal(walk[-1], avatars.picture(b))


def test_bodies_are_drawn_twice_as_tall_as_wide(make_bundle):
    tall = GeneratorConfig(height=32, width=16, channel_base=256, channel_max=16, z_dim=24, w_dim=24)
    avatars = Avatars(make_bundle("fullbody", tall))
    assert next(avatars.generate([1])).shape == (32, 16, 3)


def test_a_conditional_bundle_wants_a_label(make_bundle):
    classes = GeneratorConfig(height=16, width=16, channel_base=64, channel_max=8, z_dim=8, w_dim=8, classes=2)
    bundle = make_bundle("classes", classes)
    first, second = (next(Avatars(bundle, label=label).generate([1])) for label in (0, 1))
    assert not np.array_equal(first, second)
    with pytest.raises(UserError, match="label None"):
        Avatars(bundle)


def test_a_grid_keeps_the_order_and_fills_up_with_white():
    tiles = [np.full((2, 3, 3), level, np.uint8) for level in (10, 20, 30)]
    sheet = grid(tiles, columns=2)
    assert sheet.shape == (4, 6, 3)
    assert sheet[[0, 0, 2, 2], [0, 3, 0, 3], 0].tolist() == [10, 20, 30, 255]


def test_a_grid_without_columns_is_about_square():
    bodies = [np.zeros((128, 64, 3), np.uint8)] * 8
    assert grid(bodies).shape == (256, 256, 3)


def test_a_gap_lies_between_tiles_only():
    tiles = [np.zeros((2, 2, 3), np.uint8)] * 4
    sheet = grid(tiles, columns=2, gap=1)
    assert sheet.shape == (5, 5, 3)
    assert (sheet[2] == 255).all()
    assert (sheet[0, :2] == 0).all()
