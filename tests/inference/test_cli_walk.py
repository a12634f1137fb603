"""Sheets and videos of several people: what stands where, and that a walk comes back to where it began."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from inference import cli
from inference.avatars import Avatars

pytestmark = pytest.mark.usefixtures("a_place_of_its_own")


def tile(sheet: np.ndarray, row: int, column: int) -> np.ndarray:
    return sheet[32 * row : 32 * (row + 1), 32 * column : 32 * (column + 1)]


def refused(capsys, *words: str) -> str:
    assert cli.run(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert not [path for path in Path().iterdir() if path.suffix in (".png", ".mp4")]
    return line


def test_a_sheet_of_mixes_has_rows_of_a_columns_of_b_and_both_at_its_edges(avatars, capsys):
    assert cli.run(["mix", "1-2", "5,minji,7", "--grid", "--layers", "0-3", "--out", "x.png", "--json"]) == 0
    sheet, recipe = np.asarray(Image.open("x.png")), json.loads(capsys.readouterr().out)["files"][0]["recipe"]
    two, minji = avatars.w(2), avatars.w("minji")
    assert sheet.shape == (3 * 32, 4 * 32, 3)
    assert (tile(sheet, 0, 0) == 255).all()
    assert np.array_equal(tile(sheet, 0, 2), avatars.picture(minji))
    assert np.array_equal(tile(sheet, 2, 0), avatars.picture(two))
    assert np.array_equal(tile(sheet, 2, 2), avatars.picture(avatars.mix(two, minji, layers=[0, 1, 2, 3])))
    assert (recipe["rows"], recipe["seeds"][:3]) == (2, [1, 2, 5])


def test_a_strip_of_truncations_has_a_row_for_each_person(avatars):
    assert cli.run(["generate", "--seeds", "3,4", "--truncation", "0..1", "--steps", "3", "--out", "x.png"]) == 0
    sheet = np.asarray(Image.open("x.png"))
    assert sheet.shape == (2 * 32, 3 * 32, 3)
    assert np.array_equal(tile(sheet, 0, 0), tile(sheet, 1, 0))  # the average person
    assert np.array_equal(tile(sheet, 1, 1), avatars.picture(avatars.w(4, 0.5)))
    assert np.array_equal(tile(sheet, 0, 2), avatars.picture(avatars.w(3, 1.0)))


def test_a_walk_visits_everybody_in_order_and_its_last_frame_leads_into_the_first(avatars):
    people = [avatars.w(seed) for seed in (1, 2, 3)]
    frames = list(avatars.walk(people, 12))
    for stop, person in enumerate(people):
        assert np.array_equal(frames[4 * stop], avatars.picture(person))
    steps = [np.abs(a.astype(int) - b).mean() for a, b in zip(frames, frames[1:] + frames[:1], strict=True)]
    assert steps[-1] < max(steps[:-1])


def test_a_walk_in_some_layers_leaves_the_first_person_the_others(avatars, monkeypatch):
    drawn = []
    monkeypatch.setattr(Avatars, "picture", lambda _, ws: drawn.append(ws))
    list(avatars.walk([avatars.w(1), avatars.w(2), avatars.w(3)], 9, layers=[6, 7]))
    assert all((ws[:6] == avatars.w(1)[:6]).all() for ws in drawn)
    assert (drawn[3][6:] == avatars.w(2)[6:]).all()


def test_the_command_writes_a_marked_video_of_the_asked_length(capsys):
    assert cli.run(["walk", "--seeds", "1,minji,3", "--seconds", "0.4", "--out", "x.mp4", "--json"]) == 0
    recipe = json.loads(capsys.readouterr().out)["files"][0]["recipe"]
    assert (recipe["command"], recipe["seconds"], recipe["seeds"][::2]) == ("walk", 0.4, [1, 3])
    with av.open("x.mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) == 10
    assert cli.run(["verify", "x.mp4"]) == 0


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["walk", "--seeds", "1"], "'1' must be two people"),
        (["walk", "--seeds", "1-100", "--seconds", "1"], "too short for 100 people: give 8"),
        (["walk", "--seeds", "1-3", "--seconds", "1000"], "--seconds 1000"),
        (["walk", "--layers", "9"], "layers 9"),
        (["walk", "--out", "x.png"], ".mp4"),
        (["mix", "1", "2", "--grid", "--out", "x.mp4"], "--grid"),
        (["mix", "1-2", "3", "--grid", "--steps", "3"], "--grid"),
        (["mix", "1-5000", "1-5000", "--grid"], "million"),
        (["generate", "--truncation", "0..1", "--out", "x/"], "a strip of truncations"),
        (["generate", "--truncation", "0..1", "--columns", "2"], "a strip of truncations"),
        (["generate", "--truncation", "0..9"], "truncation 9"),
        (["generate", "--steps", "3"], "--truncation a range like 0..1"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(capsys, words, named):
    assert named in refused(capsys, *words)
