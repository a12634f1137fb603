import math

import pytest
import torch

from inference.errors import UserError
from training.stylegan2.augment import (
    SETS,
    Augment,
    Controller,
    Draw,
    Transforms,
    colouring,
    gains,
    is_channels_last,
    lookup,
)
from training.stylegan2.corrupting import amplify, filters
from training.stylegan2.resampling import SYM6, resample, resample_axes, resample_turned


def seed(number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def noise(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(shape, generator=seed(99), dtype=dtype) * 2 - 1


def blob(height: int, width: int) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    return torch.exp(-((x - width * 0.4) ** 2 + (y - height * 0.45) ** 2) / 18)[None, None]


def matrix(*rows: list[float]) -> torch.Tensor:
    return torch.tensor([*rows, [0, 0, 1]], dtype=torch.float64)[None]


def test_the_filter_is_the_orthogonal_wavelet_of_six_vanishing_moments():
    for shift in range(6):
        product = (SYM6[2 * shift :] * SYM6[: 12 - 2 * shift]).sum()
        assert product == pytest.approx(float(shift == 0), abs=1e-10)
    alternating = SYM6 * torch.tensor([1.0, -1.0] * 6)
    for moment in range(6):
        assert (alternating * (torch.arange(12).double() - 5) ** moment).sum() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", SETS)
def test_with_p_0_pictures_are_what_was_given(name):
    pictures = noise(4, 3, 16, 16)
    assert torch.equal(Augment(name)(pictures, seed()), pictures)


def test_pictures_that_no_transform_meets_are_exactly_what_was_given():
    pictures = noise(64, 3, 16, 16)
    augmented = Augment("people", 0.1)(pictures, seed())
    same = (augmented == pictures).flatten(1).all(1)
    assert 0.9**8 - 0.2 < same.float().mean() < 0.9**8 + 0.2


def test_xflip_alone_gives_the_mirrored_picture_or_the_picture():
    pictures = noise(64, 3, 8, 16)
    augmented = Augment(Transforms(xflip=1), 1)(pictures, seed())
    mirrored = (augmented == pictures.flip(3)).flatten(1).all(1)
    assert torch.equal(augmented[~mirrored], pictures[~mirrored])
    assert 16 < mirrored.sum() < 48


def test_quarter_turns_are_exact():
    pictures = noise(64, 3, 16, 16)
    augmented = Augment(Transforms(rotate90=1), 1)(pictures, seed())
    turns = torch.stack([(augmented == pictures.rot90(turn, (2, 3))).flatten(1).all(1) for turn in range(4)])
    assert torch.equal(turns.sum(0), torch.ones(64))
    assert (turns.sum(1) > 4).all()


def test_whole_translation_moves_pixels_exactly_and_reflects_the_edge():
    picture = noise(1, 3, 16, 8)
    moved = resample_axes(picture, matrix([1, 0, -2], [0, 1, 3]))
    padded = torch.nn.functional.pad(picture, (2, 0, 0, 3), "reflect")
    assert torch.equal(moved, padded[:, :, 3:, :8])


def test_whole_translation_reaches_an_eighth_of_width_and_of_height():
    draw = Draw(4000, seed(), SETS["blit"], 1)
    draw.transforms = Transforms(whole_translation=1)
    where = lookup(draw, width=64, height=128)
    for row, most in ((0, 8), (1, 16)):
        assert where[:, row, 2].unique().tolist() == list(range(-most, most + 1))


def test_the_quick_ways_along_the_axes_are_the_general_way():
    pictures = noise(2, 3, 24, 16, dtype=torch.float64)
    for where in (matrix([1.1, 0, 3.3], [0, -0.8, -1.2]), matrix([-0.7, 0, 9.5], [0, 1.4, 0.25])):
        both = where.expand(2, 3, 3)
        torch.testing.assert_close(resample_axes(pictures, both), resample(pictures, both))
        turned = both[:, [1, 0, 2]]
        torch.testing.assert_close(resample_turned(pictures, turned), resample(pictures, turned))


def test_raising_and_lowering_the_resolution_changes_nothing_inside():
    pictures = noise(1, 3, 40, 32, dtype=torch.float64)
    inside = (..., slice(8, -8), slice(8, -8))
    same = resample(pictures, matrix([1, 0, 0], [0, 1, 0]))
    torch.testing.assert_close(same[inside], pictures[inside], atol=1e-9, rtol=0)


def test_mirroring_through_the_filter_moves_nothing():
    picture = blob(32, 40)
    mirrored = resample(picture, matrix([-1, 0, 0], [0, 1, 0]))
    torch.testing.assert_close(mirrored, picture.flip(3), atol=4e-3, rtol=0)


def test_a_rotation_of_a_tall_picture_is_one_in_pixels():
    tall, cos, sin = blob(96, 48), math.cos(0.5), math.sin(0.5)
    turned = resample(tall, matrix([cos, -sin, 0], [sin, cos, 0]))
    y, x = torch.meshgrid(torch.arange(96).double() - 47.5, torch.arange(48).double() - 23.5, indexing="ij")
    x, y = cos * x - sin * y, sin * x + cos * y
    expected = torch.exp(-((x + 23.5 - 48 * 0.4) ** 2 + (y + 47.5 - 96 * 0.45) ** 2) / 18)
    torch.testing.assert_close(turned[0, 0], expected, atol=0.02, rtol=0)


@pytest.mark.parametrize("name", ["bg", "people"])
def test_geometry_has_no_drift(name):
    where = lookup(Draw(20000, seed(), SETS[name], 0.8), width=64, height=128)
    place = torch.linalg.inv(where)[:, :2, 2]  # where the centre of the picture comes to lie
    error = place.std(0) / math.sqrt(len(place))
    assert (place.mean(0).abs() < 4 * error).all()
    assert torch.linalg.det(where).abs().log().mean().abs() < 0.02


def test_colours_have_no_drift():
    colour = colouring(Draw(20000, seed(), SETS["people"], 0.8))
    grey = colour[:, :3, :3].sum(2)  # what becomes of white
    assert grey.log().mean().abs() < 0.02
    assert colour[:, :3, 3].mean().abs() < 0.02


def test_colour_follows_the_matrices_of_the_paper():
    colour = colouring(Draw(500, seed(), Transforms(lumaflip=1, hue=1), 1))
    linear = colour[:, :3, :3]
    torch.testing.assert_close(linear @ linear.mT, torch.eye(3).double().expand(500, 3, 3))
    luma = linear.sum((1, 2)) / 3
    assert set(luma.round(decimals=6).tolist()) == {-1.0, 1.0}


def test_people_are_neither_rotated_nor_made_negative_nor_recoloured():
    draw = Draw(500, seed(), SETS["people"], 1)
    where, colour = lookup(draw, 64, 64), colouring(draw)
    assert (where[:, 0, 1] == 0).all()
    assert (where[:, 1][:, 1] > 0).all()
    red = colour[:, :3, :3] @ torch.tensor([1.0, 0, 0], dtype=torch.float64)
    assert (red[:, 0] > red[:, 1]).all()
    torch.testing.assert_close(red[:, 1], red[:, 2])


def test_scale_is_the_same_along_both_axes_and_stretch_keeps_the_area():
    x, y = lookup(Draw(2000, seed(), Transforms(scale=1), 1), 64, 128)[:, [0, 1], [0, 1]].T
    torch.testing.assert_close(x, y)
    assert x.log2().std() == pytest.approx(0.2, abs=0.01)
    x, y = lookup(Draw(2000, seed(), Transforms(stretch=1), 1), 64, 128)[:, [0, 1], [0, 1]].T
    torch.testing.assert_close(x * y, torch.ones_like(x))
    assert x.log2().std() == pytest.approx(0.2, abs=0.01)


def test_contrast_scales_what_brightness_has_shifted():
    colour = colouring(Draw(2000, seed(), Transforms(brightness=1, contrast=1), 1))
    contrast, shift = colour[:, 0, 0], colour[:, 0, 3]
    assert contrast.log2().std() == pytest.approx(0.5, abs=0.02)
    assert (shift / contrast).std() == pytest.approx(0.2, abs=0.01)


def test_each_transform_is_executed_with_probability_p():
    for name in ("scale", "rotate_before", "translation"):
        where = lookup(Draw(20000, seed(), Transforms(**{name: 1}), 0.36), 64, 64)
        share = (where != torch.eye(3)).flatten(1).any(1).double().mean()
        assert share == pytest.approx(0.2 if name == "rotate_before" else 0.36, abs=0.015)
    both = lookup(Draw(20000, seed(), Transforms(rotate_before=1, rotate_after=1), 0.36), 64, 64)
    assert (both[:, 0, 1] != 0).double().mean() == pytest.approx(0.36, abs=0.015)


def test_a_seed_gives_the_same_bits_and_another_gives_others():
    augment, pictures = Augment("bgc", 0.6), noise(8, 3, 16, 16)
    assert torch.equal(augment(pictures, seed(3)), augment(pictures, seed(3)))
    assert not torch.equal(augment(pictures, seed(3)), augment(pictures, seed(4)))


def test_a_generators_state_resumes_exactly():
    augment, pictures, generator = Augment("people", 0.6), noise(8, 3, 16, 16), seed()
    augment(pictures, generator)
    state = generator.get_state()
    once = augment(pictures, generator)
    again = torch.Generator()
    again.set_state(state)
    assert torch.equal(augment(pictures, again), once)


def test_as_many_numbers_are_drawn_whatever_p_and_the_set_are():
    states = []
    for name, p in (("bgc", 0.8), ("blit", 0.0)):
        generator = seed()
        Augment(name, p)(noise(4, 3, 16, 16), generator)
        states.append(generator.get_state())
    assert torch.equal(*states)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("p", [0.0, 0.8])
def test_tall_pictures_keep_their_layout_in_memory_and_stay_sane(layout, p):
    pictures = noise(8, 3, 128, 64).contiguous(memory_format=layout)
    augmented = Augment("bgc", p)(pictures, seed())
    assert (augmented.shape, augmented.dtype) == (pictures.shape, pictures.dtype)
    assert is_channels_last(augmented) == (layout == torch.channels_last)
    assert augmented.abs().max() < 40


def test_grey_pictures_are_what_grey_colours_become():
    grey = noise(16, 1, 16, 16)
    colour = Augment("bgc", 0.8)(grey.expand(-1, 3, -1, -1).contiguous(), seed())
    torch.testing.assert_close(Augment("bgc", 0.8)(grey, seed()), colour.mean(1, keepdim=True), atol=1e-4, rtol=1e-4)


def test_the_sets_are_those_of_the_paper_and_people_are_spared_more():
    """Eighteen transforms; two rotations are one, which comes before or after the stretching."""
    parts = {letter: {name for name, rate in vars(SETS[key]).items() if rate} for letter, key in zip(
        "bgcfn", ("blit", "geom", "color", "filter", "noise"), strict=True
    )}  # fmt: skip
    assert [len(parts[letter]) for letter in "bgcfn"] == [3, 5, 5, 4, 1]
    for name in ("bg", "bgc", "bgcf", "bgcfn"):
        assert {key for key, rate in vars(SETS[name]).items() if rate} == set().union(*(parts[each] for each in name))
    assert all(rate == 1 for rate in vars(SETS["bgcfnc"]).values())
    people = {name for name, rate in vars(SETS["people"]).items() if rate}
    assert not people & (parts["f"] | parts["n"] | {"cutout", "hue", "lumaflip", "rotate90", "rotate_before"})


def test_bands_share_the_frequencies_and_together_change_nothing():
    bank = filters()
    assert bank.shape == (4, 43)
    whole = torch.zeros(43).double()
    whole[21] = 1
    torch.testing.assert_close(bank.sum(0), whole, atol=1e-12, rtol=0)
    spectrum = torch.fft.rfft(bank, 4096).abs()
    middle = (spectrum * torch.linspace(0, 1, 2049)).sum(1) / spectrum.sum(1)
    assert 0 < middle[0] < 1 / 8 < middle[1] < 1 / 4 < middle[2] < 1 / 2 < middle[3] < 1
    assert bank.sum(1).tolist() == pytest.approx([1, 0, 0, 0], abs=1e-12)


def test_a_band_is_amplified_alone_and_the_edge_is_reflected():
    pictures = noise(2, 3, 12, 16, dtype=torch.float64)
    same, twice = torch.ones(2, 4).double(), torch.tensor([[2.0, 2, 2, 2]] * 2).double()
    torch.testing.assert_close(amplify(pictures, same), pictures)
    torch.testing.assert_close(amplify(pictures, twice), 4 * pictures)  # once along each axis
    flat = torch.ones(2, 3, 12, 16).double()
    lowest, highest = (torch.tensor([row] * 2).double() for row in ([3, 1, 1, 1], [1, 1, 1, 3]))
    torch.testing.assert_close(amplify(flat, lowest), 9 * flat)
    torch.testing.assert_close(amplify(flat, highest), flat)


def test_amplifying_keeps_the_power_of_a_natural_picture_and_happens_with_p():
    found = gains(Draw(20000, seed(), Transforms(band_2=1), 0.3))
    executed = (found != 1).any(1)
    assert executed.double().mean() == pytest.approx(0.3, abs=0.015)
    power = (found.square() * torch.tensor([10.0, 1, 1, 1]).double() / 13).sum(1)
    torch.testing.assert_close(power, torch.ones_like(power))
    ratio = (found[:, 1] / found[:, 0])[executed]
    assert (float(ratio.log2().mean()), float(ratio.log2().std())) == pytest.approx((0, 1), abs=0.05)
    assert torch.equal(found[:, 0], found[:, 2])


def test_noise_has_a_tenth_of_deviation_at_most_often_and_no_mean():
    pictures = torch.zeros(400, 3, 16, 16)
    augmented = Augment(Transforms(noise=1), 1)(pictures, seed())
    sigma = augmented.flatten(1).std(1)
    assert sigma.square().mean().sqrt() == pytest.approx(0.1, abs=0.01)
    assert augmented.mean() == pytest.approx(0, abs=1e-3)
    assert (augmented[:, 0] != augmented[:, 1]).any(), "each channel has its own"


def test_cutout_makes_a_quarter_of_the_picture_grey_wherever_it_falls():
    pictures = torch.ones(2000, 3, 8, 16)
    augmented = Augment(Transforms(cutout=1), 0.5)(pictures, seed())
    cut = (augmented == 0).all(1)
    assert torch.equal(augmented, torch.where(cut[:, None], 0.0, 1.0).expand_as(augmented))
    rows, columns = cut.any(2).sum(1), cut.any(1).sum(1)
    assert (cut.flatten(1).any(1)).float().mean() == pytest.approx(0.5, abs=0.05)
    assert (rows.max(), columns.max(), rows[rows > 0].min(), columns[columns > 0].min()) == (4, 8, 2, 4)
    assert cut.float().mean((1, 2))[rows > 0].mean() == pytest.approx(0.4375**2, abs=0.02)
    share = cut.double().mean(0)
    torch.testing.assert_close(share, share.flip(1), atol=0.05, rtol=0)


def test_colours_and_noise_leave_alpha_and_what_is_not_seen_alone():
    straight, opacity = noise(16, 3, 8, 8, dtype=torch.float64), torch.rand(16, 1, 8, 8, generator=seed(5)).double()
    opacity[:, :, :2], opacity[:, :, 2:4] = 0, 1
    pictures = torch.cat([(straight + 1) * opacity - 1, 2 * opacity - 1], 1)
    for name in ("color", "noise"):
        augmented = Augment(name, 0.8)(pictures, seed())
        assert torch.equal(augmented[:, 3], pictures[:, 3])
        assert (augmented[:, :3, :2] == -1).all()
        assert not torch.equal(augmented[:, :3, 2:], pictures[:, :3, 2:])
    recoloured = Augment("color", 0.8)(straight, seed())
    torch.testing.assert_close(Augment("color", 0.8)(pictures, seed())[:, :3], (recoloured + 1) * opacity - 1)
    cut = Augment("cutout", 1)(pictures.clamp(min=-0.9), seed())
    assert ((cut == -1).all(1).flatten(1).sum(1) > 0).all(), "a hole is transparent"


@pytest.mark.parametrize(
    ("name", "number"), [("people", 0), ("bgc", 1), ("bgc", 2), ("filter", 1), ("noise", 1), ("bgcfnc", 3)]
)
def test_gradients_of_gradients_are_right(name, number):
    augment, pictures = Augment(name, 0.6), noise(4, 3, 3, 4, dtype=torch.float64).requires_grad_()
    assert not torch.equal(augment(pictures, seed(number)), pictures)
    assert torch.autograd.gradcheck(lambda given: augment(given, seed(number)), pictures)
    assert torch.autograd.gradgradcheck(lambda given: augment(given, seed(number)) ** 2, pictures)


def test_an_unknown_set_and_colours_of_five_channels_are_refused():
    with pytest.raises(UserError, match="take one of blit, geom"):
        Augment("everything")
    with pytest.raises(UserError, match="5 channels"):
        Augment("color", 0.8)(noise(4, 5, 8, 8), seed())


def test_p_moves_by_the_pictures_seen_towards_the_target():
    augment = Augment("people", 0.5)
    controller = Controller(augment, target=0.6, ada_kimg=1, interval=2)
    assert controller.observe(torch.ones(16)) is None
    assert controller.observe(torch.ones(16)) == 1
    assert float(augment.p) == pytest.approx(0.532)
    assert [controller.observe(torch.tensor([1.0] * 12 + [-1.0] * 4)) for _ in range(2)] == [None, 0.5]
    assert float(augment.p) == pytest.approx(0.5)


def test_p_stays_between_0_and_its_limit():
    augment = Augment("people")
    controller = Controller(augment, target=0.6, ada_kimg=0.01, interval=1)
    controller.observe(-torch.ones(16))
    assert float(augment.p) == 0
    controller.observe(torch.ones(16))
    assert float(augment.p) == pytest.approx(0.8)


def test_a_controller_resumes_in_the_middle_of_an_interval():
    scores = [noise(16) + 0.9 for _ in range(6)]
    whole, first, second = (Controller(Augment("bgc", 0.3), 0.6, 1) for _ in range(3))
    expected = [whole.observe(score) for score in scores]
    for score in scores[:3]:
        first.observe(score)
    second.load_state_dict(first.state_dict())
    assert [second.observe(score) for score in scores[3:]] == expected[3:]
    assert torch.equal(second.augment.p, whole.augment.p)
