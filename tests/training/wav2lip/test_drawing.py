import dataclasses

import numpy as np
import pytest
import torch

from inference import audio
from inference.networks.wav2lip import Generator, Wav2LipConfig
from preprocessing import talkpacks
from tests.training.wav2lip import talking
from training.metrics import mouthtruth
from training.wav2lip import drawing


@pytest.fixture(scope="module")
def talks(tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    talking.write(data)
    return talkpacks.read(data / "processed/talks"), mouthtruth.read(data / "truth/talks/truth.json")


@pytest.fixture(scope="module")
def rows(talks) -> dict[str, dict]:
    """The figures of rows that no generator made."""
    readers, _ = drawing.readers(*talks)
    ear = talking.Ear().eval()
    made = {row.name: row for row in drawing.rows({"this run": None}, 7) if row.name.startswith(("ground", "copied"))}
    for shown in drawing.clips(*talks):
        for row in made.values():
            pictures = row.make(shown)
            drawing.measure_clip(row, pictures, shown, ear, 0.3)
            drawing.measure_mouth(row, pictures, shown, readers[shown.clip.id])
    return {name: drawing.figures(row, 200, 0) for name, row in made.items()}


def value(rows: dict, row: str, figure: str) -> float:
    return rows[row][figure]["value"]


def test_the_readers_read_the_true_frames_well_and_say_so(talks):
    readers, proxy = drawing.readers(*talks)
    assert set(readers) == {clip.id for clip in talks[0].clips}
    assert proxy["correlation"] > 0.97
    assert proxy["closed_told_from_open"] > 0.95
    assert (proxy["frames"], proxy["clips"], proxy["speakers"]) == (360, 6, 3)


def test_a_reader_has_not_seen_the_clip_that_it_reads(talks):
    pack, truths = talks
    first = pack.clips[0]
    lied = truths | {first.sha256: dataclasses.replace(truths[first.sha256], opening=np.zeros(80, np.float32))}
    honest, misled = (drawing.readers(pack, known)[0] for known in (truths, lied))
    assert np.array_equal(honest[first.id].fitted.weights, misled[first.id].fitted.weights)
    second = pack.clips[1].id
    assert not np.allclose(honest[second].fitted.weights, misled[second].fitted.weights)


def test_ground_truth_has_no_distance_and_the_best_of_all_other_figures(rows):
    assert value(rows, "ground truth", "l1") == 0
    assert value(rows, "ground truth", "ssim") == 1
    assert rows["ground truth"]["psnr"]["value"] is None
    for other in set(rows) - {"ground truth"}:
        assert value(rows, other, "l1") > 0
        assert value(rows, other, "lse_d") > value(rows, "ground truth", "lse_d")
        assert (
            value(rows, other, "opening_correlation") < 0.6 < 0.97 < value(rows, "ground truth", "opening_correlation")
        )


def test_the_sound_of_another_moment_is_heard_as_such(rows):
    assert value(rows, "ground truth", "in_sync_within_1") == 1
    assert value(rows, "ground truth, sound 7 frames late", "in_sync_within_1") == 0
    assert value(rows, "ground truth, sound 7 frames early", "in_sync_within_1") == 0


def test_lips_that_shut_are_seen_to_be_and_those_of_another_moment_less(rows):
    assert value(rows, "ground truth", "closed_on_bilabials") > 0.9
    assert value(rows, "ground truth", "closed_when_open") < 0.1
    assert value(rows, "ground truth", "closed_in_silence") == 1
    assert value(rows, "copied reference", "closed_in_silence") < 1
    assert value(rows, "copied reference", "closed_when_open") > 0.1


def test_every_figure_carries_its_n_and_its_speakers(rows):
    found = rows["copied reference"]
    assert (found["l1"]["n"], found["l1"]["speakers"]) == (360, 3)
    assert found["lse_d"]["n"] == 6
    assert found["closed_on_bilabials"]["n"] == rows["ground truth"]["closed_on_bilabials"]["n"] > 6


def test_a_copy_takes_the_lower_half_of_the_reference_and_nothing_else(talks):
    shown = next(drawing.clips(*talks))
    made = drawing.copied(shown)
    assert np.array_equal(made[3, :48], shown.frames[3, :48])
    assert np.array_equal(made[3, 48:], shown.frames[33, 48:])


def test_moving_shows_frames_of_later_for_sound_that_comes_late():
    frames = np.arange(6)
    assert drawing.moved(frames, 2).tolist() == [2, 3, 4, 5, 5, 5]
    assert drawing.moved(frames, -1).tolist() == [0, 0, 1, 2, 3, 4]


def test_to_be_late_is_to_be_told_what_was_said_before():
    ours = {"this run": lambda shown, shift=0, silent=False: (shift, silent)}
    made = {row.name: row.make for row in drawing.rows(ours, 7)}
    assert made["this run"](None) == (0, False)
    assert made["this run, sound 7 frames late"](None) == (-7, False)
    assert made["this run, sound 7 frames early"](None) == (7, False)
    assert made["this run, told silence"](None) == (0, True)


class Told(torch.nn.Module):
    """Not a generator, but what one is told: the first column of the sound as brightness, over the picture it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(1))

    def forward(self, mel, face):
        upper, told = face[:, :3, :48], (mel.mean((1, 2))[:, :1, None, None] + 4) / 8
        return torch.cat([upper, told.expand(-1, 3, 48, 96)], dim=2)


def told(shown, lead: int = 0, **how) -> np.ndarray:
    drawer = drawing.Drawer(Told(), lead, batch=7)
    return drawer(shown, **how)[:, 60, 5, 0] / 255 * 8 - 4


def test_a_generator_is_told_the_sound_of_its_frame_as_it_was_taught(talks):
    shown = next(drawing.clips(*talks))
    loud = shown.mel.mean(0)
    columns = (np.arange(60) * 16 // 5).astype(int)
    assert told(shown) == pytest.approx(loud[columns], abs=0.05)
    assert told(shown, lead=-1)[1:] == pytest.approx(loud[columns[:-1]], abs=0.05)
    assert told(shown, lead=-1)[0] == audio.SILENCE
    assert told(shown, shift=4)[:50] == pytest.approx(loud[columns[4:54]], abs=0.05)
    assert (told(shown, silent=True) == audio.SILENCE).all()


def test_a_generator_sees_nothing_of_the_lower_half_that_it_draws(talks):
    shown = next(drawing.clips(*talks))
    torch.manual_seed(0)
    drawer = drawing.Drawer(Generator(Wav2LipConfig(width=0.02)).eval(), 0, batch=64)
    blind = shown.frames.copy()
    blind[:30, 48:] = 0
    other = type(shown)(**vars(shown) | {"frames": blind})
    assert np.array_equal(drawer(shown)[:30], drawer(other)[:30])
    assert not np.array_equal(drawer(shown)[30:], drawer(other)[30:])  # whose reference they are


def test_pictures_do_not_depend_on_the_batch(talks):
    shown = next(drawing.clips(*talks))
    torch.manual_seed(0)
    network = Generator(Wav2LipConfig(width=0.02)).eval()
    one, other = (drawing.Drawer(network, 0, batch)(shown) for batch in (60, 7))
    assert np.abs(one.astype(int) - other).max() <= 1


def test_without_truth_there_is_no_reader(talks):
    readers, proxy = drawing.readers(talks[0], {})
    assert readers == {}
    assert proxy == {"known": False}
    assert next(drawing.clips(talks[0], {})).where is None
