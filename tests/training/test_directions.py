"""The principal directions of W are those of its covariance, found without holding all of it."""

import numpy as np
import pytest
import torch

from inference.networks.stylegan2 import Generator, GeneratorConfig
from training.stylegan2.directions import principal_directions


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(1)
    return Generator(GeneratorConfig(8, 8, 64, 8, z_dim=16, w_dim=16)).eval()


def test_they_are_those_of_a_singular_value_decomposition_of_all_w_at_once(generator):
    found = principal_directions(generator, count=16, samples=1000, batch=128, seed=3)
    z = torch.from_numpy(np.random.RandomState(3).randn(1000, 16).astype(np.float32))
    w = generator.mapping(z).detach().numpy().astype(np.float64)
    _, singular, rows = np.linalg.svd(w - w.mean(axis=0), full_matrices=False)
    assert np.allclose(found["mean"], w.mean(axis=0), atol=1e-6)
    assert np.allclose(found["sigmas"], singular / np.sqrt(999), rtol=1e-4)
    assert np.allclose(np.abs((found["components"].numpy() * rows).sum(axis=1)), 1, atol=1e-4)  # but for the sign
    assert found["share"].sum() == pytest.approx(1)


def test_the_deviation_of_w_along_a_component_is_its_sigma(generator):
    found = principal_directions(generator, count=2, samples=4000, batch=1000, seed=3)
    w = generator.mapping(torch.randn(4000, 16, generator=torch.Generator().manual_seed(9))).detach()
    assert torch.allclose((w @ found["components"].t()).std(dim=0), found["sigmas"], rtol=0.1)


def test_a_sign_is_no_chance_and_neither_are_the_bytes(generator):
    found = principal_directions(generator, count=4, samples=500, batch=100, seed=3)
    again = principal_directions(generator, count=4, samples=500, batch=100, seed=3)
    rows = found["components"]
    assert (rows.gather(1, rows.abs().argmax(dim=1, keepdim=True)) > 0).all()
    assert all(torch.equal(tensor, again[name]) for name, tensor in found.items())


def test_a_mean_far_from_where_the_sums_are_taken_costs_no_digits(generator):
    """Squares of 1000 summed in single precision would leave nothing of a variance."""
    moved = Generator(generator.config)
    moved.load_state_dict(generator.state_dict())
    moved.mapping.w_avg += 1000.0
    found = principal_directions(moved, count=3, samples=500, batch=100, seed=3)
    near = principal_directions(generator, count=3, samples=500, batch=100, seed=3)
    assert torch.allclose(found["sigmas"], near["sigmas"], rtol=1e-4)
