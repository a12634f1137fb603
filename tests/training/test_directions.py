"""Directions of W: principal ones are those of its covariance, closed-form ones those of the network's weights."""

import numpy as np
import pytest
import torch

from inference.networks.stylegan2 import Generator, GeneratorConfig
from training.stylegan2.directions import closed_form_directions, moments, principal_directions, spread


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(1)
    return Generator(GeneratorConfig(8, 8, 64, 8, z_dim=16, w_dim=16)).eval()


def test_they_are_those_of_a_singular_value_decomposition_of_all_w_at_once(generator):
    mean, covariance = moments(generator, samples=1000, batch=128, seed=3)
    components, share = principal_directions(covariance, 16)
    z = torch.from_numpy(np.random.RandomState(3).randn(1000, 16).astype(np.float32))
    w = generator.mapping(z).detach().numpy().astype(np.float64)
    _, singular, rows = np.linalg.svd(w - w.mean(axis=0), full_matrices=False)
    assert np.allclose(mean, w.mean(axis=0), atol=1e-6)
    assert np.allclose(spread(covariance, components), singular / np.sqrt(999), rtol=1e-4)
    assert np.allclose(np.abs((components.numpy() * rows).sum(axis=1)), 1, atol=1e-4)  # but for the sign
    assert share.sum() == pytest.approx(1)


@pytest.mark.parametrize("kind", ["principal", "closed form"])
def test_the_deviation_of_w_along_a_component_is_its_sigma(generator, kind):
    _, covariance = moments(generator, samples=4000, batch=1000, seed=3)
    rows = principal_directions(covariance, 2)[0] if kind == "principal" else closed_form_directions(generator, 2)
    w = generator.mapping(torch.randn(4000, 16, generator=torch.Generator().manual_seed(9))).detach().double()
    assert torch.allclose((w @ rows.t()).std(dim=0), spread(covariance, rows), rtol=0.1)


def test_a_sign_is_no_chance_and_neither_are_the_bytes(generator):
    (_, covariance), (_, again) = (moments(generator, samples=500, batch=100, seed=3) for _ in range(2))
    rows = principal_directions(covariance, 4)[0]
    assert (rows.gather(1, rows.abs().argmax(dim=1, keepdim=True)) > 0).all()
    assert torch.equal(rows, principal_directions(again, 4)[0])


def test_the_closed_form_finds_the_one_direction_that_all_convolutions_answer_to():
    torch.manual_seed(2)
    generator = Generator(GeneratorConfig(8, 8, 64, 8, z_dim=16, w_dim=16))
    planted = torch.nn.functional.normalize(torch.randn(16), dim=0)
    for name, weight in generator.synthesis.named_parameters():
        if name.endswith("affine.weight") and "torgb" not in name:
            weight.data += 20 * torch.outer(torch.randn(len(weight)), planted)
    rows = closed_form_directions(generator, 3)
    assert abs(float(rows[0].float() @ planted)) > 0.99
    assert torch.allclose(rows @ rows.t(), torch.eye(3, dtype=rows.dtype), atol=1e-9)


def test_a_mean_far_from_where_the_sums_are_taken_costs_no_digits(generator):
    """Squares of 1000 summed in single precision would leave nothing of a variance."""
    moved = Generator(generator.config)
    moved.load_state_dict(generator.state_dict())
    moved.mapping.w_avg += 1000.0
    (_, found), (_, near) = (moments(one, samples=500, batch=100, seed=3) for one in (moved, generator))
    rows = principal_directions(near, 3)[0]
    assert torch.allclose(spread(found, rows), spread(near, rows), rtol=1e-4)
