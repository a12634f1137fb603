import dataclasses

import numpy as np
import pytest
import torch

from inference import offsets
from inference.networks.wav2lip import SyncNet, Wav2LipConfig
from preprocessing import talkpacks
from tests.training.wav2lip import talking
from training.metrics import mouthtruth
from training.wav2lip import listening

SETTINGS = listening.Settings(least=5, by_shift=[1, 10], within=1, replant=7, silent=-3.9, speaking=0.3)


@pytest.fixture(scope="module", params=[0, 5, -5])
def measured(request, tmp_path_factory) -> tuple[int, dict, dict]:
    """An expert that hears well and one that learned nothing, on talks with a planted offset."""
    data = tmp_path_factory.mktemp("data")
    talking.write(data, request.param)
    torch.manual_seed(0)
    deaf = SyncNet(Wav2LipConfig(width=0.02)).eval()
    truths = mouthtruth.read(data / "truth/talks/truth.json")
    talks = talkpacks.read(data / "interim/talks")
    figures = listening.measure({"ear": talking.Ear().eval(), "deaf": deaf}, talks, truths, SETTINGS, 200, 0)
    return request.param, *figures["rows"]


def test_who_hears_well_tells_in_sync_from_shifted_and_who_learned_nothing_does_not(measured):
    _, ear, deaf = measured
    assert ear["auc"]["value"] > 0.9
    assert ear["auc_clips"]["value"] > ear["auc"]["value"]
    assert ear["accuracy"]["value"] > 0.75
    assert 0.35 < deaf["auc"]["value"] < 0.65
    assert deaf["auc_clips"]["value"] < 0.9
    assert ear["auc"]["speakers"] == 3
    assert ear["auc_by_shift"]["10"] > ear["auc_by_shift"]["1"]


def test_a_planted_offset_is_found_with_its_sign(measured):
    offset, ear, _ = measured
    assert ear["found_as_filmed"]["share"] == 1
    assert ear["found_as_filmed"]["n"] == 6
    assert ear["found_planted"]["n"] == (6 if offset else 0)


def test_clips_that_are_shifted_again_are_found_too(measured):
    _, ear, deaf = measured
    assert ear["found_shifted_again"]["share"] == 1
    assert ear["found_shifted_again"]["n"] == 6
    assert deaf["found_shifted_again"]["share"] < 1


def test_the_sweep_has_its_valley_at_the_true_offset(measured):
    _, ear, _ = measured
    known = [np.inf if value is None else value for value in ear["sweep"]]
    assert int(np.argmin(known)) == offsets.SPAN
    assert ear["lse"]["distance"]["n"] == 6


def test_an_offset_that_is_not_there_is_not_found(measured, tmp_path):
    offset, _, _ = measured
    talking.write(tmp_path, offset)
    truths = mouthtruth.read(tmp_path / "truth/talks/truth.json")
    lied = {name: type(truth)(**vars(truth) | {"offset": truth.offset + 4}) for name, truth in truths.items()}
    talks = talkpacks.read(tmp_path / "interim/talks")
    row = listening.measure({"ear": talking.Ear().eval()}, talks, lied, SETTINGS, 200, 0)["rows"][0]
    assert row["found_as_filmed"]["share"] == 0
    assert set(row["found_as_filmed"]["errors"]) == {-4}


def test_a_clip_that_is_shifted_again_is_found_where_it_was_shifted_to(tmp_path):
    talking.write(tmp_path, offset=2, clips=1)
    talks = talkpacks.read(tmp_path / "interim/talks")
    truths = mouthtruth.read(tmp_path / "truth/talks/truth.json")
    heard = [listening.listen(talking.Ear().eval(), talks, clip, truths[clip.sha256], SETTINGS) for clip in talks.clips]
    assert listening.found(heard, 0, [4, -5, 0])["offsets"] == [6, -3, 2]
    assert listening.found(heard, 0, [4, -5, 0])["share"] == 1


def test_what_the_pack_has_moved_is_taken_off_the_planted_offset(tmp_path):
    talking.write(tmp_path, offset=5, clips=1)
    talks = talkpacks.read(tmp_path / "interim/talks")
    clip = talks.clips[0]
    truth = mouthtruth.read(tmp_path / "truth/talks/truth.json")[clip.sha256]
    moved = dataclasses.replace(clip, shifted=4)
    assert listening.listen(talking.Ear().eval(), talks, moved, truth, SETTINGS).offset == 1


def test_cosines_are_those_of_the_frame_so_many_frames_later():
    sounds, faces = np.eye(8, dtype=np.float32), np.eye(8, dtype=np.float32)[:5]
    found = listening.cosines(sounds[[7, 0, 1, 2, 3, 4, 5, 6]], faces, offset=1, span=2)
    assert found[:, 2].tolist() == [1] * 5
    assert np.nansum(found) == 5
    assert np.isnan(found[0]).tolist() == [True, False, False, False, False]


def test_two_silent_sounds_are_not_told_apart(tmp_path):
    talking.write(tmp_path)
    talks = talkpacks.read(tmp_path / "interim/talks")
    heard = listening.listen(talking.Ear().eval(), talks, talks.clips[0], None, SETTINGS)
    assert heard.silent[-3:].all()
    every = listening.drawn_pairs(heard, 5, np.random.default_rng(0))
    muted = type(heard)(**vars(heard) | {"silent": np.ones_like(heard.silent)})
    assert 20 < len(every) < len(heard.faces)
    assert len(listening.drawn_pairs(muted, 5, np.random.default_rng(0))) == 0


def test_a_clip_in_which_little_is_said_is_asked_for_no_offset(tmp_path):
    talking.write(tmp_path)
    talks = talkpacks.read(tmp_path / "interim/talks")
    loud = SETTINGS.model_copy(update={"speaking": 0.9})
    row = listening.measure({"ear": talking.Ear().eval()}, talks, {}, loud, 200, 0)["rows"][0]
    assert (row["clips"], row["clips_that_speak"]) == (6, 0)
    assert row["found_shifted_again"]["share"] is None
    assert row["lse"]["distance"]["value"] is None
    assert set(row["sweep"]) == {None}


def test_a_clip_of_few_frames_has_no_score():
    few = np.ones((1, 4), np.float32)
    assert listening.lse_of(few, few) is None
    assert listening.lse_of(np.ones((2, 4), np.float32), np.ones((9, 4), np.float32)) is not None
