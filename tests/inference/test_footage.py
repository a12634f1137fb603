from itertools import islice

import numpy as np
import pytest
from PIL import Image

from inference import footage
from inference.errors import UserError


def grey(level: int) -> np.ndarray:
    return np.full((48, 64, 3), level, np.uint8)


def levels(shown) -> list[tuple[int, int]]:
    return [(number, round(float(picture.mean()) / 10)) for number, picture in shown]


def test_too_short_a_video_goes_back_and_forth_without_a_jump(film):
    seen = footage.load(film("x.mp4", [grey(10 * number) for number in range(5)]))
    expected = [0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3]
    assert levels(seen.swing(5, 12)) == [(number, number) for number in expected]


def test_backwards_it_is_read_in_pieces_that_fit_into_memory(film, monkeypatch):
    seen = footage.load(film("x.mp4", [grey(10 * number) for number in range(12)]))
    monkeypatch.setattr(footage, "BACKWARDS_BYTES", 4 * seen.frame_bytes)
    assert [number for number, _ in seen.swing(12, 30)] == [footage.bounce(made, 12)[0] for made in range(30)]
    assert levels(seen.swing(12, 9, first=13)) == [(number, number) for number in range(9, 0, -1)]


def test_where_less_comes_on_the_way_back_each_frame_keeps_its_number(film, monkeypatch):
    shown = footage.load(film("x.mp4", [grey(20 * number) for number in range(6)]))
    read = shown.read
    monkeypatch.setattr(shown, "read", lambda first, count: islice(read(first, count), count - 1 if first else count))
    assert [number for number, _ in shown.swing(6, 9)] == [0, 1, 2, 3, 4, 5, 4, 3, 2]
    assert levels(shown.swing(6, 9))[6:] == [(4, 6), (3, 6), (2, 4)]


def test_a_video_of_one_frame_stands_still(film):
    assert levels(footage.load(film("x.mp4", [grey(100)])).swing(1, 3)) == [(0, 10)] * 3


def test_a_picture_that_is_transparent_lies_on_white(tmp_path):
    Image.fromarray(np.zeros((40, 30, 4), np.uint8), "RGBA").save(tmp_path / "x.png")
    seen = footage.load(tmp_path / "x.png", still_fps=30)
    assert (seen.width, seen.height, seen.fps) == (30, 40, 30)
    assert next(seen.read()).min() == 255


def test_a_picture_larger_than_any_video_is_made_smaller_and_that_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(footage.video, "MOST_PIXELS", 1200)
    Image.new("RGB", (80, 60), (200, 0, 0)).save(tmp_path / "x.png")
    seen = footage.load(tmp_path / "x.png")
    assert (seen.width, seen.height, seen.still.shape) == (40, 30, (30, 40, 3))
    assert seen.notes == ["x.png: of its 80x60 pixels a video is made with 40x30"]


def test_a_broken_video_ends_where_it_ends_with_a_note(film):
    path = film("x.mp4", [grey(10 * (number % 20)) for number in range(60)])
    data = bytearray(path.read_bytes())
    middle = (data.index(b"mdat") + len(data)) // 2
    data[middle : middle + 60] = b"\xff" * 60
    path.write_bytes(data)
    seen = footage.load(path)
    assert len(list(seen.read())) > 10
    assert len(seen.notes) == 1


@pytest.mark.parametrize(("name", "data"), [("x.txt", b"words"), ("x.mp4", b""), ("x.png", b"\x89PNG\r\n\x1a\n")])
def test_what_is_neither_picture_nor_video_is_told_in_a_line(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=name):
        footage.load(tmp_path / name)


def test_frames_from_the_middle_are_those_of_the_whole(film):
    seen = footage.load(film("x.mp4", [grey(10 * number) for number in range(20)]))
    assert [picture.tolist() for picture in seen.read(7, 3)] == [p.tolist() for p in islice(seen.read(), 7, 10)]
