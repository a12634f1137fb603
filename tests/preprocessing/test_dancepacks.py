import json
import math

import numpy as np
import pytest
import torch

from inference import music
from inference.errors import UserError
from inference.motion import clip, rotations
from inference.motion.clip import Motion
from preprocessing import dancepacks
from preprocessing.dancepacks import Dance, Reject, Song


def motion(frames: int, seed: int) -> Motion:
    rng = np.random.default_rng(seed)
    turned = rotations.matrix_from_axis_angle(torch.from_numpy(rng.normal(0, 0.3, (frames, 24, 3)))).numpy()
    standing = rng.integers(0, 2, (frames, 4))
    return Motion.from_matrices(turned, rng.normal(size=(frames, 3)), standing=standing)


def dance(name: str, song: str, frames: int, split: str = "train", **more) -> Dance:
    about = {"genre": "house", "dancer": "d01", "start": 0, "residual": 0.0, "licence": "CC-BY-4.0", "consent": None}
    about |= {"commercial": True, "source": f"motions/{name}.pkl", "sha256": "ab" * 32}
    return Dance(id=name, song=song, split=split, frames=frames, **about | more)


def tune(name: str, frames: int, **more) -> Song:
    about = {"seconds": frames / 30, "tempo": 120.0, "beats": (0.5, 1.0), "source": f"music/{name}.wav", "sha256": "cd"}
    return Song(song=name, frames=frames, **about | more)


DANCES = [
    dance("a", "x", 40),
    dance("b", "y", 30, "val", genre=None, commercial=False),
    dance("c", "x", 20, start=25, genre="break"),
]
MOTIONS = [motion(of.frames, seed) for seed, of in enumerate(DANCES)]
SONGS = [tune("x", 60), tune("y", 30, tempo=None, beats=())]
HEARD = [np.random.default_rng(seed).normal(3, 2, (of.frames, 37)).astype(np.float32) for seed, of in enumerate(SONGS)]
REJECTS = [Reject("motions/z.pkl", "nan", "numbers that are none")]


@pytest.fixture
def pack(tmp_path):
    dancepacks.write(tmp_path / "dances", DANCES, MOTIONS, SONGS, HEARD, REJECTS, "f00d", {"left_hip": 0.01})
    return tmp_path / "dances"


def test_motions_come_back_whole_and_in_part(pack):
    dances = dancepacks.read(pack)
    for of, made in zip(dances.dances, MOTIONS, strict=True):
        found = dances.motion(of)
        assert all(np.array_equal(getattr(found, n), getattr(made, n)) for n in ("rotations", "root", "contacts"))
    part = dances.motion(dances.dances[2], 5, 10)
    assert np.array_equal(part.root, MOTIONS[2].root[5:15])
    with pytest.raises(IndexError, match="20 frames"):
        dances.motion(dances.dances[2], 15, 10)


def test_a_dance_hears_its_song_from_where_it_starts(pack):
    dances = dancepacks.read(pack)
    third = dances.dances[2]
    assert np.array_equal(dances.music(third, 3, 5), HEARD[0][28:33])
    assert np.array_equal(dances.music(third), HEARD[0][25:45])
    assert np.array_equal(dances.arrays["music"][third.music_row], HEARD[0][25])
    assert np.array_equal(dances.whole(dances.song(third)), HEARD[0])


def test_music_goes_on_after_the_dance_to_the_end_of_the_song_and_no_further(pack):
    dances = dancepacks.read(pack)
    assert len(dances.music(dances.dances[2], 20, 15)) == 15
    with pytest.raises(IndexError, match="x has 60 frames"):
        dances.music(dances.dances[2], 20, 16)


def test_songs_keep_tempo_and_beats_or_have_none(pack):
    songs = dancepacks.read(pack).songs
    assert (songs[0].tempo, songs[0].beats) == (120.0, (0.5, 1.0))
    assert (songs[1].tempo, songs[1].beats) == (None, ())


def test_music_is_normalised_by_the_songs_that_train_and_its_marks_are_left_alone(pack):
    dances = dancepacks.read(pack)
    normal = dances.normalised(HEARD[0])
    assert np.allclose(normal[:, :33].mean(0), 0, atol=1e-4)
    assert np.allclose(normal[:, :33].std(0), 1, atol=1e-3)
    assert np.array_equal(normal[:, 33:], HEARD[0][:, 33:])


def test_the_statistics_of_the_motion_are_those_of_the_training_dances(pack):
    about = json.loads((pack / "pack.json").read_text())
    trained = np.concatenate([MOTIONS[0].to_vector(), MOTIONS[2].to_vector()])
    for name, values in (("mean", trained.mean(0)), ("min", trained.min(0)), ("max", trained.max(0))):
        assert np.allclose(about["motion"][name], values, atol=1e-5)
    steps = np.concatenate([np.diff(MOTIONS[0].root, axis=0), np.diff(MOTIONS[2].root, axis=0)])
    assert np.allclose(about["motion"]["step"]["std"], steps.std(0), atol=1e-5)


def test_the_manifest_tells_splits_genres_licences_rejects_and_residuals(pack):
    about = json.loads((pack / "pack.json").read_text())
    assert about["splits"] == {"train": 2, "val": 1, "test": 0}
    assert (about["frames"], about["songs"], about["genres"]) == (90, 2, ["break", "house"])
    assert (about["licences"], about["commercial"], about["rejects"]) == ({"CC-BY-4.0": 3}, False, {"nan": 1})
    assert about["residuals"] == {"left_hip": 0.01}
    assert dancepacks.rejects(pack) == REJECTS


def test_a_genre_is_a_number_and_none_is_zero(pack):
    dances = dancepacks.read(pack)
    assert [dances.label(of) for of in dances.dances] == [2, 0, 1]
    assert [of.id for of in dances.of("train")] == ["a", "c"]


def test_the_same_dances_make_the_same_bytes(pack, tmp_path):
    dancepacks.write(tmp_path / "again", DANCES, MOTIONS, SONGS, HEARD, REJECTS, "f00d", {"left_hip": 0.01})
    one, two = sorted(pack.iterdir()), sorted((tmp_path / "again").iterdir())
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]


def test_a_pack_without_dances_is_read_as_one(tmp_path):
    dancepacks.write(tmp_path / "dances", [], [], [], [], [], "")
    dances = dancepacks.read(tmp_path / "dances")
    assert (dances.dances, dances.genres) == ([], [])
    assert all(math.isfinite(value) for value in dances.about["motion"]["std"])


def test_what_is_no_pack_or_another_schema_is_one_line(pack, tmp_path):
    with pytest.raises(UserError, match=r"no pack\.json.*preprocessing\.dances corpus=dances"):
        dancepacks.read(tmp_path / "elsewhere/dances")
    about = json.loads((pack / "pack.json").read_text())
    (pack / "pack.json").write_text(json.dumps(about | {"schema": 0}))
    with pytest.raises(UserError, match="schema 0"):
        dancepacks.read(pack)


def test_the_pack_speaks_of_music_and_motion_as_the_library_does():
    assert (dancepacks.COLUMNS, dancepacks.FPS) == (music.COLUMNS, music.FPS)
    assert music.CHROMA.stop == dancepacks.MEASURED
    assert (dancepacks.VECTOR, dancepacks.FPS) == (clip.VECTOR, clip.FPS)
