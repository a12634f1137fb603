"""The denoiser and the composer: what they take and give, and what they are told."""

import pytest
import torch

from inference.networks.dance import DanceConfig, Denoiser, Rotary, patched, schedule
from inference.networks.dance_gan import Composer, ComposerConfig, slow_noise

SMALL = DanceConfig(width=32, depth=2, heads=2, listening=1, patch=2, window=16, genres=2)


def awake(network: torch.nn.Module) -> torch.nn.Module:
    """Draw the weights that begin at zero too, so that all that is told can be heard."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return network.eval()


def asked(count: int = 2) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "noisy": torch.randn(count, 16, 151, generator=generator),
        "level": torch.full((count,), 0.3),
        "music": torch.randn(count, 16, 37, generator=generator),
        "genre": torch.zeros(count),
        "heard": torch.ones(count),
    }


def test_the_schedule_goes_from_motion_to_noise_and_keeps_the_variance():
    alpha, sigma = schedule(torch.linspace(0, 1, 5))
    assert torch.allclose(alpha.square() + sigma.square(), torch.ones(5))
    assert alpha[0] == 1
    assert sigma[-1] == 1


def test_attention_sees_how_far_apart_two_moments_are_and_not_where():
    rotary = Rotary(12, 8)
    queries, keys = torch.randn(1, 1, 1, 8).expand(1, 1, 12, 8), torch.randn(1, 1, 1, 8).expand(1, 1, 12, 8)
    scores = (rotary(queries) @ rotary(keys).transpose(-1, -2))[0, 0]
    assert torch.allclose(scores[2, 5], scores[6, 9], atol=1e-5)
    assert not torch.allclose(scores[2, 5], scores[2, 6], atol=1e-3)


def test_frames_of_a_patch_lie_beside_each_other_in_order():
    frames = torch.arange(8.0).reshape(1, 4, 2)
    assert patched(frames, 2)[0, 1].tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize("name", ["noisy", "level", "music", "genre", "heard"])
def test_a_denoiser_hears_all_that_it_is_told(name):
    network, first = awake(Denoiser(SMALL)), asked()
    other = first | {name: 1 - first[name]}
    with torch.no_grad():
        made, changed = network(**first), network(**other)
    assert made.shape == (2, 16, 151)
    assert not torch.allclose(made, changed, atol=1e-4)


def test_unheard_music_says_nothing():
    network, first = awake(Denoiser(SMALL)), asked() | {"heard": torch.zeros(2)}
    with torch.no_grad():
        assert torch.equal(network(**first), network(**first | {"music": 9 - first["music"]}))


def test_an_untrained_denoiser_says_the_mean():
    network = Denoiser(SMALL)
    network.motion_mean += 3.0
    with torch.no_grad():
        made = network(**asked())
    assert torch.equal(network.restored(made), torch.full_like(made, 3.0))


def test_music_counts_in_units_of_the_songs_of_the_training():
    network, first = awake(Denoiser(SMALL)), asked()
    with torch.no_grad():
        before = network(**first)
        network.music_mean += 2.0
        network.music_std *= 3.0
        after = network(**first | {"music": 3 * first["music"] + 2})
    assert torch.allclose(before, after, atol=1e-4)


@pytest.mark.parametrize("frames", [1, 13, 40])
def test_a_composer_dances_songs_of_any_length(frames):
    network = awake(Composer(ComposerConfig(width=8, levels=2, recurrent=16, noise=4)))
    noise = slow_noise(2, frames, 4, 10, torch.Generator().manual_seed(0))
    with torch.no_grad():
        made = network(torch.randn(2, frames, 37), noise, torch.zeros(2))
    assert made.shape == (2, frames, 151)
    assert not torch.allclose(made[0], made[1], atol=1e-3)


def test_slow_noise_goes_straight_from_number_to_number():
    noise = slow_noise(1, 21, 3, 10, torch.Generator().manual_seed(0))
    assert torch.allclose(noise[:, 5], (noise[:, 0] + noise[:, 10]) / 2, atol=1e-6)


@pytest.mark.parametrize(("wrong", "line"), [({"heads": 3}, "even parts"), ({"patch": 7}, "whole patches")])
def test_a_shape_that_does_not_go_together_is_refused(wrong, line):
    with pytest.raises(ValueError, match=line):
        DanceConfig(**{"width": 32, "window": 16, "heads": 2, **wrong})
