import dataclasses
import json
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from safetensors.torch import save_file

from inference.errors import UserError
from inference.networks.dance import DanceConfig, Denoiser
from inference.networks.dance_gan import Composer, ComposerConfig
from tests.training.dance import swinging
from training.dance import measuring, rows

ROOT = Path(__file__).resolve().parents[3]
DIFFUSION = DanceConfig(width=16, depth=1, heads=2, listening=1, window=60)
GAN = ComposerConfig(width=8, levels=2, recurrent=8, layers=1, noise=4)
QUICK = ("draws=100", "device=cpu", "steps=2", "seeds=[0,1]", "seconds=5", "window=2", "floor_draws=2", "others=1")
ROWS = {
    "this run", "this run, feet locked", "run dance_gan", "this run, music shuffled", "ground truth", "noise",
    "random sway", "retrieval",
}  # fmt: skip


def composed(run: str = "dance", *overrides: str):
    quick = [f"evaluate_{run}.{setting}" for setting in QUICK]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("training/evaluate", overrides=[f"run={run}", "corpus=dances", *quick, *overrides])


def write_run(run: str, **about) -> Path:
    folder = Path("data/runs") / run
    folder.mkdir(parents=True, exist_ok=True)
    name, kind, config = {"dance": ("denoiser", Denoiser, DIFFUSION), "dance_gan": ("composer", Composer, GAN)}[run]
    torch.manual_seed(1)
    network = kind(config)
    for weight in network.parameters():  # none of its layers is silent: of a body without any rotation there is none
        torch.nn.init.normal_(weight, std=0.2)
    save_file(network.state_dict(), folder / f"{name}.safetensors")
    said = {"run": run, "network": dataclasses.asdict(config), "steps": 7, "data": {"fingerprint": "f00d"}}
    (folder / "run.json").write_text(json.dumps(said | about))
    return folder


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Networks of random weights and a pack of six dances, measured once; in their folder."""
    folder = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        swinging.write_pack(Path("data/processed/dances"))
        write_run("dance")
        write_run("dance_gan", data={"fingerprint": "cafe"})
        measuring.main(composed())
        yield json.loads(Path("data/metrics/dances/dance.json").read_text())


def row(measured: dict, name: str) -> dict:
    return next(one for one in measured["rows"] if one["name"] == name)


def test_every_row_stands_in_the_table_with_all_of_its_figures(measured):
    assert {one["name"] for one in measured["rows"]} == ROWS
    for one in measured["rows"]:
        assert one["songs"] == 2
        assert one["dances"] == 2 * len(one["seeds"])
        assert {"precision", "recall", "f1", "chance_f1", "legacy_precision", "legacy_recall"} <= one["beats"].keys()
        assert one["features"]["legacy"]["fid_k"]["n"] == [one["dances"], 6]
        assert one["features"]["corrected"]["fid_g"]["n"][1] == 4 * 3  # windows of two seconds in four training dances
        assert one["feet"]["pfc"]["value"] is not None


def test_who_was_trained_on_other_dances_is_said_to_be(measured):
    assert row(measured, "run dance_gan")["about"].endswith("trained on other dances than these (cafe)")
    assert row(measured, "this run")["about"] == "as the network dances"


def test_where_no_other_song_is_long_enough_the_shuffled_row_says_that_it_knows_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    swinging.write_pack(Path("data/processed/dances"), held_out=1)
    monkeypatch.setattr(rows, "_others", lambda *of: [])
    write_run("dance_gan")
    measuring.main(composed("dance_gan", "evaluate_dance_gan.seeds=[0]"))
    assert "this run, music shuffled: F1 unknown" in capsys.readouterr().out
    told = json.loads(Path("data/metrics/dances/dance_gan.json").read_text())
    assert row(told, "this run")["beats"]["f1"]["interval_95"] is None  # of a single song there is none


def test_figures_have_intervals_over_songs_and_a_value_for_each_seed(measured):
    figure = row(measured, "this run")["beats"]["f1"]
    assert len(figure["by_seed"]) == 2
    assert figure["n"] == 4
    assert figure["songs"] == 2
    assert figure["interval_95"][0] <= figure["value"] <= figure["interval_95"][1]


def test_ground_truth_is_nearer_to_training_than_noise_and_swings_with_its_music(measured):
    true, noise = row(measured, "ground truth"), row(measured, "noise")
    assert true["features"]["corrected"]["fid_k"]["value"] < noise["features"]["corrected"]["fid_k"]["value"]
    assert true["beats"]["f1"]["value"] > 0.9 > noise["beats"]["f1"]["value"]
    assert true["faults"]["jerk"]["value"] < noise["faults"]["jerk"]["value"]


def test_shuffled_music_changes_the_beats_and_nothing_else(measured):
    ours, shuffled = row(measured, "this run"), row(measured, "this run, music shuffled")
    assert shuffled["faults"] == ours["faults"]
    assert shuffled["features"] == ours["features"]
    assert shuffled["beats"]["legacy_recall"] != ours["beats"]["legacy_recall"]


def test_differences_are_ours_less_each_other_row(measured):
    found = {(one["figure"], one["row"]): one for one in measured["differences"]}
    speed = found["faults.jerk", "noise"]
    ours, noise = (row(measured, name)["faults"]["jerk"]["value"] for name in ("this run", "noise"))
    assert speed["value"] == pytest.approx(ours - noise, abs=2e-3)
    assert {name for _, name in found} == ROWS - {"this run"}


def test_what_is_printed_names_every_row_and_how_far_it_is_from_ours(measured):
    lines: list[str] = []
    measuring.say(measured, lines.append)
    assert {line.split(":")[0] for line in lines[: len(ROWS)]} == ROWS
    one = next(one for one in measured["differences"] if (one["figure"], one["row"]) == ("beats.f1", "retrieval"))
    said = f"F1 of this run less that of retrieval, song by song: {one['value']:.3f}"
    assert any(line.startswith(said) for line in lines)


def test_it_says_of_what_and_how_it_was_measured(measured):
    assert measured["data"] == {"fingerprint": "f00d", "split": "test", "dances": 2, "songs": 2, "seconds": 10.0}
    assert measured["sampled"] == {"seeds": [0, 1], "steps": 2, "guidance": 2.0, "genre": "none"}
    assert measured["beats"].startswith("as tracked")
    assert measured["trained_on"] == "f00d"


def test_known_beats_are_used_and_the_tracker_is_measured_by_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    swinging.write_pack(Path("data/processed/dances"))
    write_run("dance_gan")
    truth = Path("data/truth/dances/truth.json")
    truth.parent.mkdir(parents=True)
    truth.write_text(json.dumps({"songs": {"song4": {"beats": [0.1, 0.77, 1.43]}, "unknown": {"beats": []}}}))
    measuring.main(composed("dance_gan"))
    told = json.loads(Path("data/metrics/dances/dance_gan.json").read_text())
    assert told["beats"] == "known exactly"
    assert told["tracked"]["songs"] == 1
    assert told["tracked"]["f1"] < 0.5


def test_where_nothing_is_held_out_nothing_is_measured_and_it_says_why(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    swinging.write_pack(Path("data/processed/dances"), held_out=0)
    write_run("dance")
    measuring.main(composed())
    told = json.loads(Path("data/metrics/dances/dance.json").read_text())
    assert not told["measured"]
    assert "none of the 6 dances is held out" in capsys.readouterr().out


def test_a_run_that_is_not_there_or_not_whole_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"run python -m training\.train run=dance corpus=dances first"):
        measuring.read_run("dance", Path("data/runs/dance"))
    folder = write_run("dance", network={"width": 24, "heads": 2})
    with pytest.raises(UserError, match="holds no whole run"):
        measuring.read_run("dance", folder)


@pytest.mark.parametrize("name", ["window", "seconds"])
def test_clips_too_short_to_be_measured_are_one_line(name):
    with pytest.raises(UserError, match=rf"evaluate_dance\.{name}: input should be greater"):
        measuring.main(composed("dance", f"evaluate_dance.{name}=0.01"))


def test_a_truth_that_is_none_is_one_line(tmp_path):
    swinging.write_pack(tmp_path / "pack")
    (tmp_path / "truth.json").write_text('{"songs": {"song1": {}}}')
    with pytest.raises(UserError, match="is no truth of dances"):
        measuring.read_truth(tmp_path / "truth.json", measuring.dancepacks.read(tmp_path / "pack"))
