import numpy as np
import pytest
import torch

from inference.networks.dance import DanceConfig, Denoiser
from preprocessing import dancepacks
from tests.training.dance import swinging
from training.dance import rows
from training.dance.retrieval import Retriever


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows") / "dances"
    swinging.write_pack(folder)
    return dancepacks.read(folder)


@pytest.fixture
def clips(pack):
    return rows.clips(pack, "test", 4.0, 2, {})


def made(pack, clip, name: str, seed: int = 0) -> np.ndarray:
    return next(row for row in rows.unlearned(pack, [0, 1]) if row.name == name).make(clip, seed)


def test_clips_are_the_held_out_dances_cut_with_the_beats_that_fall_into_them(pack, clips):
    assert [clip.dance.id for clip in clips] == ["dance4", "dance5"]
    assert [(clip.frames, len(clip.music)) for clip in clips] == [(121, 121)] * 2
    np.testing.assert_allclose(clips[0].beats, np.arange(0, 121, 20) / 30)
    np.testing.assert_allclose(clips[0].others[0], np.arange(0, 121, 22) / 30)  # the other song of the test first
    assert len(clips[0].others) == 2


def test_each_song_is_as_often_another_song_as_any(tmp_path):
    swinging.write_pack(tmp_path / "dances", held_out=4)
    found = rows.clips(dancepacks.read(tmp_path / "dances"), "test", 4.0, 1, {})
    gaps = [round(30 * clip.others[0][1]) for clip in found]
    assert gaps == [18, 20, 22, 16]  # of songs 3, 4, 5 and, after the last, 2


def test_known_beats_go_before_tracked_ones(pack):
    found = rows.clips(pack, "test", 4.0, 1, {"song4": np.array([0.5, 3.9, 4.2])})
    np.testing.assert_allclose(found[0].beats, [0.5, 3.9])


def test_every_row_gives_as_many_frames_as_the_clip_and_the_same_for_the_same_seed(pack, clips):
    for row in rows.unlearned(pack, [0, 1]):
        first, again = row.make(clips[0], 0), row.make(clips[0], 0)
        assert first.shape == (121, 24, 3)
        np.testing.assert_array_equal(first, again)


def test_noise_differs_by_seed_and_clip_and_sways_less_when_it_is_slow(pack, clips):
    noise, other = (made(pack, clips[0], rows.NOISE, seed) for seed in (0, 1))
    elsewhere = made(pack, clips[1], rows.NOISE)
    assert np.abs(noise - other).max() > 0.05
    assert np.abs(noise - elsewhere).max() > 0.05
    speed = [np.abs(np.diff(made(pack, clips[0], name), axis=0)).mean() for name in (rows.NOISE, rows.SWAY)]
    assert speed[1] < speed[0] / 4


def test_the_true_row_is_what_was_danced(pack, clips):
    np.testing.assert_array_equal(made(pack, clips[1], rows.TRUE), pack.motion(clips[1].dance, 0, 121).positions())


def test_retrieval_finds_the_song_that_is_there_and_the_moment_that_is_asked_for(pack):
    retriever, dance = Retriever(pack), pack.of("train")[2]
    found = retriever.find(pack.music(dance, 40, 100))
    assert (found.dance.id, found.first, found.count) == (dance.id, 40, 100)


def test_retrieval_takes_from_training_alone_and_is_shorter_where_no_dance_is_as_long(pack):
    dance = pack.of("test")[0]
    found = Retriever(pack).find(np.tile(pack.music(dance), (2, 1)))
    assert found.dance.split == "train"
    assert (found.first, found.count) == (0, 200)


def test_a_network_dances_once_for_the_rows_that_look_at_it_and_is_told_the_genre_if_so_asked(clips):
    torch.manual_seed(0)
    network = Denoiser(DanceConfig(width=16, depth=1, heads=2, listening=1, window=60, genres=2)).eval()
    for weight in network.parameters():  # none of its layers is silent any more
        torch.nn.init.normal_(weight, std=0.3)
    dancer, asked = (rows.Dancer(network, ["pop", "lock"], rows.Asked(2, 1.0, genre)) for genre in ("none", "own"))
    assert dancer(clips[0], 0) is dancer(clips[0], 0)
    assert (dancer.number("lock"), asked.number("lock"), asked.number("waltz"), asked.number(None)) == (0, 2, 0, 0)
    assert np.abs(dancer(clips[0], 0).rotations - asked(clips[0], 0).rotations).max() > 1e-4
