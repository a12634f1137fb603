"""Dancing a song: any length, the same for the same seed, windows that agree, and what is known kept to the bit."""

import numpy as np
import pytest
import torch

from inference.dancing import Known, OfGraph, Windows, columns, sample
from inference.errors import UserError
from inference.motion import settling
from inference.motion.clip import Motion
from inference.motion.skeleton import INDEX
from inference.networks.dance import DanceConfig, Denoiser, schedule
from inference.networks.dance_gan import Composer, ComposerConfig

CONFIG = DanceConfig(width=16, depth=1, heads=2, listening=0, patch=2, window=16, genres=2)


@pytest.fixture(scope="module")
def network() -> Denoiser:
    """A denoiser of random weights, each of which is heard."""
    built = Denoiser(CONFIG)
    generator = torch.Generator().manual_seed(0)
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    return built.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def composer() -> Composer:
    torch.manual_seed(0)
    return Composer(ComposerConfig(width=8, levels=2, recurrent=16, noise=4)).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def graph(network) -> OfGraph:
    """The same denoiser, as another back end runs it."""

    def run(*arrays):
        return [network(*(torch.from_numpy(each) for each in arrays)).numpy()]

    return OfGraph(run, CONFIG, network.motion_mean.numpy(), network.motion_std.numpy())


def song(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, 37)).astype(np.float32)


class Oracle:
    """A network that always says the same motion, whose every frame says which it is; and what it was asked."""

    config = CONFIG
    motion_mean, motion_std = torch.zeros(151), torch.ones(151)

    def __init__(self) -> None:
        self.levels: list[float] = []

    def encode(self, music: torch.Tensor, heard: torch.Tensor) -> torch.Tensor:
        return music

    def denoise(self, noisy, level, music, genre) -> torch.Tensor:
        self.levels.append(float(level[0]))
        said = torch.zeros(*noisy.shape)
        said[..., 4] = music[..., 0]  # the root is where the music says
        said[..., 7::6] = said[..., 11::6] = 1
        return said


@pytest.mark.parametrize("frames", [1, 15, 16, 17, 100])
def test_a_song_of_any_length_is_danced_to_its_end(network, composer, frames):
    for each in (network, composer):
        motion = sample(each, song(frames), steps=2)
        assert len(motion) == frames
        assert set(np.unique(motion.contacts)) <= {0.0, 1.0}


def test_the_same_seed_is_the_same_dance_and_another_is_another(network, composer):
    for each in (network, composer):
        first, again, other = (sample(each, song(40), seed, steps=2).to_vector() for seed in (1, 1, 2))
        assert np.array_equal(first, again)
        assert np.abs(first - other).max() > 1e-3


def test_music_and_genre_are_heard(network, composer):
    for each, genre in ((network, 1), (composer, 0)):
        first = sample(each, song(40), steps=2).to_vector()
        assert np.abs(first - sample(each, song(40, 1), steps=2).to_vector()).max() > 1e-3
        if genre:
            assert np.abs(first - sample(each, song(40), steps=2, genre=genre).to_vector()).max() > 1e-4


def test_every_frame_is_danced_to_its_own_music():
    music = np.zeros((100, 37), np.float32)
    music[:, 0] = np.arange(100)
    motion = sample(Oracle(), music, steps=3, guidance=1.0)
    assert np.allclose(motion.root[:, 0], np.arange(100), atol=1e-3)


def test_noise_falls_from_all_to_little_slowly_at_first():
    oracle = Oracle()
    sample(oracle, song(16), steps=4, guidance=1.0)
    assert np.allclose(oracle.levels, [1, 1 - 0.25**1.5, 1 - 0.5**1.5, 1 - 0.75**1.5])


class Gauss(Oracle):
    """The exact denoiser of numbers that are normally distributed about 2 with a deviation of 0.5."""

    def denoise(self, noisy, level, music, genre) -> torch.Tensor:
        alpha, sigma = schedule(level[0])
        gain = 0.25 * alpha / (0.25 * alpha**2 + sigma**2)
        return 2 + gain * (noisy - 2 * alpha)


def test_few_steps_come_near_the_distribution():
    roots = np.concatenate([sample(Gauss(), song(64), seed, steps=16, guidance=1.0).root for seed in range(8)])
    assert roots.mean() == pytest.approx(2, abs=0.05)
    assert roots.std() == pytest.approx(0.5 * np.linalg.norm(settling.HALF_BAND), abs=0.04)  # no frame knows another


def test_guidance_leads_away_from_what_is_danced_to_nothing():
    class Two(Oracle):
        def encode(self, music, heard):
            return heard

        def denoise(self, noisy, level, music, genre):
            return torch.zeros_like(noisy) + music[:, None, None]

    for guidance in (1.0, 2.5):
        root = sample(Two(), song(16), steps=2, guidance=guidance).root
        assert np.allclose(root, guidance)


def test_windows_cover_a_song_evenly_and_average_to_what_they_agree_on():
    windows = Windows(100, 16, 5)
    assert (windows.starts[0], windows.starts[-1]) == (0, 84)
    assert max(np.diff(windows.starts)) <= 11
    sequence = torch.randn(100, 3)
    assert torch.allclose(windows.joined(windows.cut(sequence, windows.starts)), sequence, atol=1e-6)


def test_where_windows_differ_one_goes_over_into_the_other():
    windows = Windows(27, 16, 5)
    joined = windows.joined(torch.stack([torch.zeros(16, 1), torch.ones(16, 1)]))[:, 0]
    assert joined[:11].eq(0).all()
    assert joined[16:].eq(1).all()
    assert joined.diff().abs().max() < 0.2


def test_the_graph_of_a_network_dances_as_the_network(network, graph):
    made, again = (sample(each, song(40), 3, steps=3, genre=2).to_vector() for each in (network, graph))
    assert np.allclose(made, again, atol=1e-5)


# -- what is known -----------------------------------------------------------------------------------------------------


def moving(frames: int, composer: Composer) -> Motion:
    return sample(composer, song(frames, 7), 5)


def test_in_between_keeps_the_beginning_and_the_end_to_the_bit(network, composer, graph):
    given = moving(8, composer)
    known = Known.placed(given, 60) | Known.placed(given, 60, 52)
    for each in (network, composer, graph):
        made = sample(each, song(60), steps=3, known=known).to_vector()
        assert np.array_equal(made[:8], given.to_vector())
        assert np.array_equal(made[52:], given.to_vector())


@pytest.mark.parametrize("part", ["upper", "lower"])
def test_half_a_body_is_kept_to_the_bit_and_the_other_is_danced(network, composer, graph, part):
    given, where = moving(60, composer), columns(part)
    known = Known.placed(given, 60, part=part)
    for each in (network, composer, graph):
        made = sample(each, song(60), 9, steps=3, known=known).to_vector()
        assert np.array_equal(made[:, where], given.to_vector()[:, where])
        assert np.abs(made[:, ~where] - given.to_vector()[:, ~where]).max() > 0.01


def test_the_legs_the_root_and_the_contacts_are_the_lower_half():
    lower = columns("lower")
    assert lower[:7].all()
    named = lower[7:].reshape(24, 6).all(1)
    assert {name for name in INDEX if named[INDEX[name]]} == {
        "pelvis", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_foot",
        "right_foot",
    }  # fmt: skip
    assert np.array_equal(columns("upper"), ~lower)


def test_what_is_made_comes_up_to_what_is_known():
    class Still(Composer):
        def forward(self, music, noise, genre):
            return torch.zeros(1, music.shape[1], 151)

    composer = Still(ComposerConfig(width=8, levels=1, recurrent=8))
    known = Known(np.ones((40, 151), np.float32), np.arange(40)[:, None] // np.full((1, 151), 20) == 1)
    root = sample(composer, song(40), known=known).root[:, 0]
    assert np.allclose(root[20:], 1)
    assert np.allclose(root[:10], 0)
    assert np.diff(root).max() < 0.11


# -- mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("music", "more", "line"),
    [
        (np.zeros((20, 35)), {}, r"are \[20, 35\], expected \[frames, 37\]"),
        (np.zeros((0, 37)), {}, r"are \[0, 37\]"),
        (np.full((20, 37), np.nan), {}, "are not finite"),
        (np.zeros((20, 37)), {"genre": 3}, "genre 3 is none of the 2"),
        (np.zeros((20, 37)), {"steps": 0}, "0 steps lead nowhere"),
        (np.zeros((20, 37)), {"overlap": 1.0}, "cannot overlap by 16"),
        (np.zeros((20, 37)), {"known": Known(np.zeros((9, 151)), np.zeros((9, 151), bool))}, "9 frames are known"),
    ],
)
def test_a_mistake_gets_one_line(network, music, more, line):
    with pytest.raises(UserError, match=line):
        sample(network, music, **more)


def test_broken_weights_are_told_and_no_nan_leaves(network):
    class Broken(Oracle):
        def denoise(self, noisy, level, music, genre):
            return torch.full_like(noisy, torch.nan)

    with pytest.raises(UserError, match="its weights are broken"):
        sample(Broken(), song(20))


def test_known_nan_is_refused():
    values = np.full((4, 151), np.nan, np.float32)
    with pytest.raises(UserError, match="not finite"):
        Known(values, np.ones((4, 151), bool))
    Known(values, np.zeros((4, 151), bool))


def test_a_known_motion_outside_of_the_dance_is_refused(composer):
    with pytest.raises(UserError, match="outside of a dance of 20 frames"):
        Known.placed(moving(8, composer), 20, 20)
