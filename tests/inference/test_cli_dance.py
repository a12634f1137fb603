"""The command `dramatis dance`, with a network of random weights about a standing figure."""

import json
import os
import wave
from dataclasses import asdict
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from inference import bundle as bundles
from inference import cli, golden, mark
from inference.errors import UserError
from inference.motion.clip import Motion
from inference.motion.skeleton import HEIGHT, JOINTS
from inference.networks.dance import DanceConfig, Denoiser

TINY = DanceConfig(width=16, depth=1, heads=2, listening=1, patch=2, window=30, genres=2)
RATE = 22050


def denoiser() -> Denoiser:
    """Draw weights that dance a little about a T-pose."""
    torch.manual_seed(0)
    made = Denoiser(TINY).eval().requires_grad_(False)
    stance = Motion.from_matrices(
        np.tile(np.eye(3, dtype=np.float32), (1, len(JOINTS), 1, 1)), np.float32([[0, HEIGHT, 0]])
    )
    made.motion_mean.copy_(torch.from_numpy(stance.to_vector()[0]))
    made.motion_std.fill_(0.1)
    made.leave.weight.normal_(0, 0.3)
    return made


def manifest(network: Denoiser, /, **changes: object) -> dict:
    units = {
        what: {
            "fps": 30,
            "mean": getattr(network, f"{what}_mean").tolist(),
            "std": getattr(network, f"{what}_std").tolist(),
        }
        for what in ("music", "motion")
    }
    return {
        "name": "dance",
        "version": "0.1.0",
        "task": "dance",
        "network": {"kind": "dance", **asdict(TINY)},
        "precision": "float32",
        "licences": {"weights": "CC0-1.0", "code": "Apache-2.0", "data": "CC0-1.0"},
        "commercial": True,
        "demo": True,
        "genres": ["lock", "ballet jazz"],
        **units,
        "provenance": {},
        "metrics": {},
        "created": "2026-01-01T00:00:00Z",
        **changes,
    }


@pytest.fixture(scope="module")
def network() -> Denoiser:
    return denoiser()


@pytest.fixture(scope="module")
def places(tmp_path_factory, network) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    given = {
        "noisy": torch.randn(2, TINY.window, golden.MOTION),
        "level": torch.tensor([0.8, 0.2]),
        "music": torch.randn(2, TINY.window, TINY.music),
        "genre": torch.tensor([0.0, 2.0]),
        "heard": torch.tensor([1.0, 0.0]),
    }
    answers = given | {"motion": golden.dance(network, given, list(given)).contiguous()}
    tensors = {bundles.MODEL: network.state_dict(), bundles.GOLDEN: answers}
    bundles.write(folder / "dance", manifest(network), tensors)
    return folder


@pytest.fixture(autouse=True)
def a_place_of_its_own(places, tmp_path, monkeypatch):
    monkeypatch.setenv("DRAMATIS_BUNDLES", str(places))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def song(tmp_path) -> str:
    write_song(tmp_path / "song.wav", 2.4)
    return "song.wav"


def write_song(path: Path, seconds: float, level: float = 0.8, rate: int = RATE) -> None:
    """Click twice a second."""
    times = np.arange(round(seconds * rate)) / rate
    since = times % 0.5
    samples = level * np.exp(-since * 60) * np.sin(2 * np.pi * 900 * times)
    with wave.open(str(path), "wb") as stream:
        stream.setparams((1, 2, rate, 0, "NONE", ""))
        stream.writeframes((samples * 32767).astype("<i2").tobytes())


def dramatis(*words: str, code: int = 0) -> None:
    assert cli.run(["dance", *words]) == code


def refused(capsys, *words: str) -> str:
    """Run what must be refused: exit code 2, one line on stderr, nothing left behind."""
    before = sorted(os.listdir())
    dramatis(*words, code=2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert sorted(os.listdir()) == before
    return line


def test_a_song_becomes_a_marked_video_as_long_as_it_with_its_sound(song, capsys):
    dramatis(song, "--render", "skeleton", "--size", "96x96", "--dancers", "2", "--genre", "ballet jazz", "--json")
    told = json.loads(capsys.readouterr().out)
    verdict = mark.read(Path("dance.mp4"))
    assert (verdict.state, verdict.generated) == ("valid", True)
    assert verdict.recipe == told["recipe"] | {key: verdict.recipe[key] for key in ("schema", "dramatis", "label")}
    assert (told["frames"], told["dancers"], told["recipe"]["seeds"]) == (72, 2, [1, 2])
    with av.open("dance.mp4") as container:
        lengths = [float(stream.duration * stream.time_base) for stream in container.streams]
        assert container.streams.video[0].average_rate == 30
    assert lengths == pytest.approx([2.4, 2.4], abs=0.05)
    assert sorted(os.listdir()) == ["config", "dance.mp4", "song.wav"]


def test_the_same_seed_is_the_same_dance_and_another_is_another(song):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        dramatis(song, "--render", "none", "--npz", "--seed", str(seed), "--out", f"{name}.mp4", "--seconds", "1")
    a, b, c = (Path(f"{name}.npz").read_bytes() for name in "abc")
    assert a == b != c


def test_motions_are_written_for_other_programs(song):
    dramatis(song, "--render", "none", "--bvh", "--gltf", "--npz", "--dancers", "2", "--seconds", "1", "--out", "x.mp4")
    assert sorted(os.listdir()) == ["song.wav", *(f"x-{n}.{kind}" for n in (1, 2) for kind in ("bvh", "glb", "npz"))]
    assert len(Motion.load(Path("x-1.npz"))) == 30
    assert Path("x-2.bvh").read_text().startswith("HIERARCHY")
    assert Path("x-1.glb").read_bytes()[:4] == b"glTF"


def test_feet_are_held_unless_it_is_switched_off(song):
    for name, word in (("held", "--foot-lock"), ("free", "--no-foot-lock")):
        dramatis(song, "--render", "none", "--npz", "--out", f"{name}.mp4", word)
    held, free = (Motion.load(Path(f"{name}.npz")) for name in ("held", "free"))
    assert (held.rotations != free.rotations).any() or (held.root != free.root).any()


@pytest.mark.parametrize(("seconds", "level", "rate"), [(1.0, 0.8, RATE), (1.5, 0.0, RATE), (1.5, 0.5, 8000)])
def test_short_silent_and_narrow_songs_are_danced_to(seconds, level, rate, capsys):
    write_song(Path("song.wav"), seconds, level, rate)
    dramatis("song.wav", "--render", "none", "--npz")
    assert len(Motion.load(Path("dance.npz"))) == round(30 * seconds)
    assert ("no beat was heard" in capsys.readouterr().err) == (level == 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["away.wav"], "'away.wav' is not there"),
        (["."], "'.' is no file: give a sound file"),
        (
            ["song.wav", "--genre", "waltz"],
            "--genre 'waltz' is unknown to bundle dance, it must be one of lock, ballet jazz",
        ),
        (["song.wav", "--render", "oil"], "--render 'oil' must be skeleton, openpose, figure or none"),
        (["song.wav", "--render", "none"], "--render none makes no video: ask for --bvh, --gltf or --npz"),
        (
            ["song.wav", "--render", "none", "--npz", "--visible"],
            "--visible goes with a video, and --render none makes",
        ),
        (["song.wav", "--out", "dance.npz"], "--out 'dance.npz' must end in .mp4"),
        (["song.wav", "--size", "9x9"], "--size '9x9' must be like 1280x720"),
        (["song.wav", "--seconds", "0"], "--seconds 0 must be above 0"),
        (["song.wav", "--out", "dance.gif"], "--out 'dance.gif' must end in .mp4"),
        (["song.wav", "--backend", "jax"], "--backend 'jax' must be torch or onnx"),
        (["song.wav", "--render", "none", "--npz", "--backend", "onnx"], "holds no model.onnx, as starters do not"),
    ],
)
def test_mistakes_are_told_in_one_line(song, words, said, capsys):
    assert said in refused(capsys, *words)


def test_a_dance_does_not_take_the_place_of_its_song(song, capsys):
    Path(song).rename("song.mp4")
    for out in ("song.mp4", "./song.mp4"):
        assert "would take the place of the song song.mp4" in refused(capsys, "song.mp4", "--out", out)


def test_the_ending_says_which_file_is_wanted_where_no_video_is(song):
    dramatis(song, "--render", "none", "--seconds", "1", "--out", "turn.bvh")
    assert sorted(os.listdir()) == ["song.wav", "turn.bvh"]


def test_what_is_no_sound_is_told(tmp_path, capsys):
    (tmp_path / "song.wav").write_text("not a song")
    assert "song.wav cannot be danced to (not-audio" in refused(capsys, "song.wav", "--render", "none", "--npz")


def test_the_golden_dance_comes_out_the_same_and_a_changed_network_is_found(places, network, tmp_path):
    assert bundles.load("dance").check() == 0
    changed = {name: value.clone() for name, value in network.state_dict().items()}
    changed["leave.bias"] += 0.5
    answers = bundles.load("dance").tensors(bundles.GOLDEN)
    other = bundles.write(tmp_path / "other", manifest(network), {bundles.MODEL: changed, bundles.GOLDEN: answers})
    assert other.check() == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"genres": ["lock"]}, "genres ['lock'] must be words"),
        ({"genres": ["lock", "../x"]}, "must be words of letters"),
        ({"motion": {"fps": 30, "mean": [0.0] * 151, "std": [0.0] * 151}}, "motion std"),
        ({"music": {"fps": 30, "mean": [0.0] * 36, "std": [1.0] * 37}}, "music mean"),
        ({"network": {"kind": "dance", **asdict(TINY), "heads": 3}}, "even parts of a width"),
        ({"network": {"kind": "dance", **asdict(TINY), "width": 1 << 20}}, "network width 1048576 must be"),
        ({"network": {"kind": "wav2lip", "width": 1.0, "edge": 96}}, "unknown for dance, dance or dance_gan"),
    ],
)
def test_a_manifest_that_cannot_be_is_refused(network, tmp_path, changes, said):
    with pytest.raises(UserError) as error:
        bundles.write(tmp_path / "wrong", manifest(network, **changes), {bundles.MODEL: network.state_dict()})
    assert said in str(error.value)


def test_the_doctor_knows_who_can_dance(capsys):
    assert cli.run(["doctor"]) in (0, 1)  # avatars are another matter
    printed = capsys.readouterr().out
    assert "music to dance at width 16" in printed
    assert "\nready to dance" in printed
