"""Windows of dances: the same for the same position, danced about the origin, mirrored whole."""

import numpy as np
import pytest
import torch

from inference.motion.clip import Motion
from inference.networks.dance import DanceConfig, Denoiser
from preprocessing import dancepacks
from training.dance import data

PLAIN, MIRRORED = data.Change(mirror=0.0), data.Change(mirror=1.0)


@pytest.fixture
def dances(drawn_dances) -> dancepacks.Dances:
    return dancepacks.read(drawn_dances)


def test_a_position_is_always_the_same_window_and_all_are_drawn(dances):
    drawn = data.Drawn(dances, "train", 30, PLAIN, seed=1)
    assert all(torch.equal(first, again) for first, again in zip(drawn[5], drawn[5], strict=True))
    genres = {int(drawn[position].genre) for position in range(40)}
    assert genres == {1, 2}


def test_motion_and_music_of_a_window_are_of_the_same_moment(dances):
    each = data.danced(dances, "train", 30)[2]
    taken = data.sample(dances, each, 17, 30)
    assert np.array_equal(taken.music, dances.music(each.dance, 17, 30))
    assert np.array_equal(taken.motion[:, 7:], dances.motion(each.dance, 17, 30).to_vector()[:, 7:])


def test_dances_are_danced_about_the_origin(dances):
    each = data.danced(dances, "train", 30)[0]
    whole = data.sample(dances, each, 0, each.dance.frames).motion
    assert whole[:, [4, 6]].mean(0).abs().max() < 1e-4
    assert whole[:, 5].mean() > 0.5  # over the floor


def test_a_mirrored_window_is_the_mirrored_motion(dances):
    each = data.danced(dances, "train", 30)[0]
    plain, mirrored = (Motion.from_vector(data.sample(dances, each, 3, 30, flip).motion.numpy()) for flip in (0, 1))
    assert np.allclose(mirrored.positions(), plain.mirrored().positions(), atol=1e-5)
    drawn = data.Drawn(dances, "train", 30, MIRRORED, seed=1)[0], data.Drawn(dances, "train", 30, PLAIN, seed=1)[0]
    assert torch.allclose(drawn[0].motion[:, 4], -drawn[1].motion[:, 4], atol=1e-6)


def test_held_out_windows_are_spread_and_come_with_another_song(dances):
    held = data.HeldOut(dances, "val", 30, 4)
    assert [each.dance.id for each, _ in held.places] == ["dance6", "dance7", "dance6", "dance7"]
    assert held.places[0][1] < held.places[2][1]
    elsewhere = dances.music(held.places[1][0].dance, held.places[1][1], 30)
    assert np.array_equal(held[0].other, elsewhere)


def test_a_network_is_given_the_units_of_what_it_is_trained_on(dances):
    network = Denoiser(DanceConfig(width=16, depth=1, heads=2, listening=0, window=30))
    found = data.danced(dances, "train", 30)
    data.measure(network, dances, found, mirrored=True)
    vectors = torch.cat(
        [data.sample(dances, each, 0, each.dance.frames, flip).motion for each in found for flip in (0, 1)]
    )
    seen = network.normalised(vectors)
    assert seen.mean(0).abs().max() < 1e-3
    wide = vectors.std(0) > data.LEAST
    assert torch.allclose(seen[:, wide].std(0), torch.ones(int(wide.sum())), atol=0.01)
    assert seen.std(0).max() < 1.01  # what hardly moves is not blown up
    assert torch.allclose(network.music_mean, torch.tensor(dances.about["music"]["mean"]))
