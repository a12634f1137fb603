"""The stage as a whole: a tree of good and hostile dances goes in, a pack and a reason for each reject come out."""

import os
import pickle
import wave
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from inference.errors import UserError
from inference.motion.clip import Motion
from inference.motion.skeleton import JOINTS
from preprocessing import dancepacks
from preprocessing.dances import __main__ as dances
from preprocessing.dances import preparing, takes
from preprocessing.dances.preparing import Preparer, Task
from preprocessing.dances.settings import Settings
from preprocessing.dances.takes import Take, Tune
from scraping import stage

PACK = Path("data/processed/dances")
TRAIN, VAL, TEST, LONG = (f"gBR_sBM_cAll_d04_m{rest}" for rest in ("BR2_ch08", "BR0_ch01", "BR0_ch02", "BR3_ch09"))
BAD = {
    "gWA_sFM_cAll_d25_mWA4_ch05": "missing-music",
    "gPO_sBM_cAll_d10_mPO2_ch03": "music-not-audio",
    "gBR_sBM_cAll_d05_mBR2_ch03": "ignore-listed",
    "gBR_sBM_cAll_d05_mBR2_ch04": "foreign-globals",
    "gBR_sBM_cAll_d05_mBR2_ch05": "broken",
    "gBR_sBM_cAll_d05_mBR2_ch06": "nan",
    "gBR_sBM_cAll_d05_mBR2_ch07": "frozen",
    "gBR_sBM_cAll_d05_mBR2_ch08": "too-short",
    "gBR_sBM_cAll_d05_mBR2_ch09": "jump",
    "gBR_sBM_cAll_d05_mBR2_ch01": "not-in-task",
    "gBR_sBM_cAll_d05_mBR2_ch10": "outside",
    "gBR_sBM_cAll_d06_mBR2_ch10": "missing-motion",
    "holiday": "not-a-sequence",
}


def config(*overrides: str):
    with initialize_config_dir(str(stage.ROOT / "conf"), version_base="1.3"):
        own = ["corpus=dances", "dances.root=data/raw/dances", "dances.workers=1", "dances.seconds=2"]
        return compose("preprocessing/dances", [*own, *overrides])


def settings(*overrides: str) -> Settings:
    return stage.settings(config(*overrides), "dances", Settings)


def poses(frames: int = 180) -> dict[str, np.ndarray]:
    """Give somebody who swings both arms and sways, as AIST++ tells it, 90 units to a metre."""
    time = np.arange(frames) / 60
    turned = np.zeros((frames, 24, 3), np.float32)
    turned[:, JOINTS.index("left_shoulder"), 2] = np.sin(time * 6) - 0.5
    turned[:, JOINTS.index("right_elbow"), 1] = 1 + np.cos(time * 5)
    turned[:, 0, 1] = 0.5 * np.sin(time * 2)
    moved = np.stack([20 * np.sin(time * 2), np.full(frames, 100.0), np.full(frames, 50.0)], 1).astype(np.float32)
    return {"smpl_poses": turned.reshape(frames, 72), "smpl_trans": moved, "smpl_scaling": np.array([90.0], np.float32)}


def song(path: Path, seconds: float, bpm: float = 120.0) -> None:
    """Write clicks on each beat."""
    rate = 11_025
    samples = np.zeros(int(seconds * rate))
    click = np.exp(-np.arange(600) / 90) * np.sin(np.arange(600) * 0.8)
    for beat in np.arange(0, seconds - 0.1, 60 / bpm):
        samples[int(beat * rate) :][:600] += click
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((samples * 20_000).astype("<i2").tobytes())


class Curse:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("cursed",)


def lay(root: Path) -> None:
    """Lay four good dances and one of each kind of bad one."""
    motions, music = root / "motions", root / "music"
    motions.mkdir(parents=True)
    music.mkdir()
    for name in (TRAIN, VAL, TEST, *(bad for bad in BAD if bad.startswith("g"))):
        (motions / f"{name}.pkl").write_bytes(pickle.dumps(poses()))
    (motions / f"{LONG}.pkl").write_bytes(pickle.dumps(poses(300)))
    by_reason = {reason: motions / f"{name}.pkl" for name, reason in BAD.items()}
    still, leap, hole = poses(), poses(), poses()
    still["smpl_poses"][:], still["smpl_trans"][:] = 0.2, 100
    leap["smpl_trans"][90:] += 300
    hole["smpl_trans"][50] = np.nan
    by_reason["frozen"].write_bytes(pickle.dumps(still))
    by_reason["jump"].write_bytes(pickle.dumps(leap))
    by_reason["nan"].write_bytes(pickle.dumps(hole))
    by_reason["too-short"].write_bytes(pickle.dumps(poses(90)))
    by_reason["broken"].write_bytes(pickle.dumps(poses() | {"smpl_trans": np.zeros((7, 3))}))
    by_reason["foreign-globals"].write_bytes(pickle.dumps({"smpl_poses": Curse()}))
    by_reason["missing-motion"].unlink()
    by_reason["outside"].unlink()
    by_reason["outside"].symlink_to("/etc/hostname")
    by_reason["not-a-sequence"].write_bytes(b"")
    song(music / "mBR0.wav", 4, 80)
    song(music / "mBR2.wav", 4, 100)
    song(music / "mBR3.WAV", 4, 110)
    (music / "mPO2.mp3").write_text("a page of words")
    (root / "ignore_list.txt").write_text("gBR_sBM_cAll_d05_mBR2_ch03.json\n")
    (root / "splits").mkdir()
    (root / "splits/crossmodal_train.txt").write_text(f"{TRAIN} \ngBR_sBM_cAll_d06_mBR2_ch10\n")
    (root / "NOTICE").write_text("danced by a friend")
    (root / "consent.json").write_text('{"licence": "CC-BY-4.0", "consent": "made by code", "commercial": true}')


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Give a folder in which the stage has run over such a tree."""
    folder, before = tmp_path_factory.mktemp("stage"), Path.cwd()
    os.chdir(folder)
    lay(folder / "data/raw/dances")
    dances.main(config())
    yield folder
    os.chdir(before)


def test_what_is_good_is_packed_and_what_is_not_has_its_reason(ran):
    pack = dancepacks.read(PACK)
    assert {one.id: one.split for one in pack.dances} == {TRAIN: "train", LONG: "train", VAL: "val", TEST: "test"}
    assert {Path(one.source).stem: one.reason for one in dancepacks.rejects(PACK)} == BAD
    assert not Path("cursed").exists()
    assert (PACK / "NOTICE").read_text() == "danced by a friend"
    first = pack.dances[0]
    assert (first.genre, first.song, first.frames, first.licence, first.commercial) == (
        *("break", "mBR0", 90, "CC-BY-4.0", True),
    )


def test_a_motion_is_the_dance_in_metres_on_the_floor(ran):
    pack = dancepacks.read(PACK)
    found = pack.motion(next(one for one in pack.dances if one.id == TRAIN))
    made = poses()
    assert np.allclose(found.root[:, 0], made["smpl_trans"][::2, 0] / 90, atol=1e-5)
    assert np.ptp(found.root[:, 1]) < 1e-5
    assert 0 < found.positions()[..., 1].min() < 0.05
    elbow = found.matrices()[45, JOINTS.index("right_elbow")]
    angle = made["smpl_poses"][90].reshape(24, 3)[JOINTS.index("right_elbow"), 1]
    assert np.allclose(elbow[0], [np.cos(angle), 0, np.sin(angle)], atol=1e-5)
    assert 0.1 < found.contacts.mean() < 0.9


def test_a_dance_ends_with_its_song_and_hears_its_beats(ran):
    pack = dancepacks.read(PACK)
    of = next(one for one in pack.dances if one.id == LONG)
    assert of.frames == pack.song(of).frames == 120
    tempi = {one.song: one.tempo for one in pack.songs}
    assert tempi["mBR2"] == pytest.approx(100, rel=0.05)
    assert pack.music(of)[:, 34].sum() == len(pack.song(of).beats) > 3


def test_a_second_run_prepares_nothing_and_makes_the_same_bytes(ran):
    prepared = {file: file.stat().st_mtime_ns for file in Path(".work").rglob("*.np[yz]") if "prepared" in file.parts}
    before = {file.name: file.read_bytes() for file in PACK.iterdir()}
    assert len(prepared) > 6
    dances.main(config())
    assert {file: file.stat().st_mtime_ns for file in prepared} == prepared
    assert {file.name: file.read_bytes() for file in PACK.iterdir()} == before


def test_missing_songs_are_named_with_where_they_go(ran, capsys):
    dances.find(Path("data/raw/dances"), settings())
    told = capsys.readouterr().out
    assert "1 songs of 1 dances are missing (mWA4): put them into data/raw/dances/music as mWA4.wav" in told
    with pytest.raises(UserError, match=r"not one dance.*\(mBR0, mBR2, mBR3, mPO2, mWA4\): put them into .*nowhere"):
        dances.find(Path("data/raw/dances"), settings("dances.music=nowhere"))


@pytest.mark.parametrize("layout", ["aistpp", "melody", "joints"])
def test_a_folder_without_dances_is_one_line(tmp_path, layout):
    with pytest.raises(UserError, match=r"no dances of the layout|has no folder motions"):
        dances.find(tmp_path, settings(f"dances.layout={layout}"))
    with pytest.raises(UserError, match="is no folder"):
        dances.find(tmp_path / "nowhere", settings(f"dances.layout={layout}"))


def test_the_world_that_names_no_folder_is_one_line():
    with pytest.raises(UserError, match=r"dances\.root: name the folder"):
        dances.named(settings("dances.root=null").root)


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(255 - byte for byte in data[middle : middle + 40]) + data[middle + 40 :]


def prepared(folder: Path, path: Path, *overrides: str) -> dict:
    """Prepare one file in this process."""
    of = Take(path.stem, path.name, path, path.stem)
    return Preparer(settings(*overrides), folder)(Task("key", of))


def test_points_with_names_in_another_unit_and_axis_are_fitted_and_their_residual_told(tmp_path):
    frames = 60
    made = Motion.from_matrices(np.tile(np.eye(3, dtype=np.float32), (frames, 24, 1, 1)), np.zeros((frames, 3)))
    positions = made.positions() + np.sin(np.arange(frames) / 5)[:, None, None] * np.array([0.2, 0, 0])
    np.savez(tmp_path / "mine.npz", positions=100 * positions[..., [2, 0, 1]], names=JOINTS, fps=30, start=0.5)
    where = ("dances.layout=joints", "dances.joints.up=z", "dances.joints.metres=0.01")
    row = prepared(tmp_path, tmp_path / "mine.npz", *where)
    assert (row["status"], row["frames"], row["start"]) == ("kept", 60, 15)
    assert row["residuals"].keys() == set(JOINTS)
    assert max(row["residuals"].values()) < 0.02
    found = preparing.dance(tmp_path, "key")
    assert np.abs(found.positions()[30] - found.root[30] - (made.positions()[30] - made.root[30])).max() < 0.05


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"positions": np.ones((90, 3, 3)), "names": ["neck", "head", "left_hip"]}, "missing-joints"),
        ({"positions": np.ones((90, 9, 3))}, "missing-joints"),
        ({"positions": np.full((90, 17, 3), np.nan)}, "nan"),
        ({"positions": np.ones((90, 17, 2))}, "broken"),
        ({"positions": np.ones((30, 17, 3)), "fps": 30}, "too-short"),
        ({"positions": np.ones((90, 17, 3)), "fps": 0}, "broken"),
        ({"joints": np.ones((90, 17, 3))}, "broken"),
        ({"positions": np.array([{}], object)}, "broken"),
    ],
)
def test_positions_that_show_no_body_have_their_reason(tmp_path, arrays, reason):
    np.savez(tmp_path / "mine.npz", **arrays)
    row = prepared(tmp_path, tmp_path / "mine.npz", "dances.layout=joints")
    assert (row["status"], row["reason"]) == ("rejected", reason)
    assert "\n" not in row["detail"]


def test_points_that_no_body_can_be_laid_through_are_rejected_by_the_joint(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "noise.npy", rng.normal(size=(70, 17, 3)))
    row = prepared(tmp_path, tmp_path / "noise.npy", "dances.layout=joints")
    assert row["reason"] == "residual"
    assert "the skeleton fits to" in row["detail"]


@pytest.mark.parametrize("spoil", [lambda data: data[:400], lambda data: b"words", lambda data: b"", _flipped])
def test_files_of_arrays_that_are_torn_are_broken(tmp_path, spoil):
    np.savez_compressed(tmp_path / "mine.npz", positions=np.random.default_rng(0).normal(size=(90, 17, 3)))
    (tmp_path / "mine.npz").write_bytes(spoil((tmp_path / "mine.npz").read_bytes()))
    row = prepared(tmp_path, tmp_path / "mine.npz", "dances.layout=joints")
    assert (row["status"], row["reason"]) == ("rejected", "broken")


def test_a_motion_of_other_shapes_is_broken(tmp_path):
    for change in ({"smpl_poses": np.float32(1)}, {"smpl_poses": poses()["smpl_poses"].T}, {"smpl_trans": 5.0}):
        (tmp_path / "mine.pkl").write_bytes(pickle.dumps(poses() | change))
        assert prepared(tmp_path, tmp_path / "mine.pkl")["reason"] == "broken"


def test_what_has_gone_is_told_and_looked_for_again_by_the_next_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gone, found = Take("mine", "mine.pkl", tmp_path / "mine.pkl", "mBR2"), takes.Found()
    assert prepared(tmp_path, gone.path)["reason"] == "missing-file"
    gone.path.write_bytes(pickle.dumps(poses()))
    found.takes = [gone]
    journal = stage.Journal(tmp_path / "journal.jsonl")
    journal.append(preparing.key_of(gone), preparing.rejected("missing-file", "has gone"))
    tasks = dances.prepare(found, journal, settings(), tmp_path)
    assert [journal[task.key]["status"] for task in tasks.values()] == ["kept"]


def test_of_two_dances_of_one_name_the_first_is_kept(tmp_path):
    for name in ("mine.npy", "mine.npz"):
        (tmp_path / name).touch()
    song(tmp_path / "mine.wav", 1)
    found = dances.find(tmp_path, settings("dances.layout=joints"))
    assert [take.source for take in found.takes] == ["mine.npy"]
    assert [(reject.source, reject.reason) for reject in found.rejects] == [("mine.npz", "same-name")]


def test_a_dance_hears_the_song_beside_it_and_not_one_of_the_same_name_elsewhere(tmp_path):
    for name in ("pop/1", "lock/1", "krump/1", "krump/2", "songs/2"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.npy").touch()
    for name in ("pop/1", "lock/1", "songs/2"):
        song(tmp_path / f"{name}.wav", 1)
    found = dances.find(tmp_path, settings("dances.layout=joints"))
    heard = {take.source: found.tunes[take.song].source for take in found.takes}
    assert heard == {
        "pop/1.npy": "pop/1.wav",
        "lock/1.npy": "lock/1.wav",
        "krump/2.npy": "songs/2.wav",  # the only one of its name
        "songs/2.npy": "songs/2.wav",
    }
    assert found.missing == {"krump/1": ["krump/1"]}


def test_a_silent_song_is_kept_without_beats_and_a_cut_one_is_not(tmp_path):
    with wave.open(str(tmp_path / "silent.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 8000 * 3))
    worker = Preparer(settings(), tmp_path)
    row = worker(Task("silent", Tune("silent", "silent.wav", tmp_path / "silent.wav")))
    assert (row["status"], row["tempo"], row["beats"]) == ("kept", None, [])
    (tmp_path / "empty.wav").touch()
    assert worker(Task("empty", Tune("empty", "empty.wav", tmp_path / "empty.wav")))["reason"] == "empty"


def test_official_sequences_survive(assets, tmp_path):
    root = assets / "dance/aistpp/annotation"
    with pytest.raises(UserError, match=r"3 songs of 4 dances are missing \(mBR2, mJS2, mJS4\)"):
        dances.find(root, settings(f"dances.splits.lists={assets}/dance/aistpp_splits"))
    for path in sorted((root / "motions").glob("*.pkl")):
        row = prepared(tmp_path, path)
        found = preparing.dance(tmp_path, "key")
        assert row["frames"] == len(found) in (288, 960)
        assert 0.5 < np.median(found.root[:, 1]) < 1.1
        assert -0.15 < found.positions()[..., 1].min() < 0.05
        assert found.contacts.max(1).mean() > (0.75 if "gJS" in path.stem else 0.05)  # breakers hardly stand


def test_official_keypoints_give_the_motion_that_official_rotations_give(assets, tmp_path):
    name = "gJS_sBM_cAll_d03_mJS2_ch07.pkl"
    prepared(tmp_path, assets / "dance/aistpp/annotation/motions" / name)
    turned = preparing.dance(tmp_path, "key").positions()
    row = prepared(tmp_path, assets / "dance/aistpp/annotation/keypoints3d" / name, "dances.read=keypoints3d")
    fitted = preparing.dance(tmp_path, "key").positions()
    assert np.mean(list(row["residuals"].values())) < 0.05
    apart = np.linalg.norm((fitted - fitted[:, :1]) - (turned - turned[:, :1]), axis=-1)
    wrists = [JOINTS.index("left_wrist"), JOINTS.index("right_wrist")]
    assert np.median(apart[:, wrists]) < 0.08
    assert np.median(apart) < 0.06


def test_a_dance_of_dance_with_melody_survives(assets, tmp_path):
    with np.load(assets / "dance/dance_with_melody/DANCE_W_10.npz") as given:
        np.savez(tmp_path / "DANCE_W_10.npz", joints=given["joints"][:100], fps=given["fps"], start=given["start"] + 1)
    row = prepared(tmp_path, tmp_path / "DANCE_W_10.npz", "dances.layout=melody")
    assert row["status"] == "kept"
    assert row["start"] * 25 % 30 == 0  # on a frame of both
    assert np.mean(list(row["residuals"].values())) < 0.05
