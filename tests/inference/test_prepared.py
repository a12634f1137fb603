import numpy as np
import pytest

from inference import footage, prepared
from inference.errors import UserError
from inference.faces import FaceDetector
from inference.media import MediaError

EDGE = 160


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dramatis" / "faces"


def scene(*faces: tuple[np.ndarray, int], width: int = 480, height: int = 200) -> np.ndarray:
    """Put faces at places from the left."""
    picture = np.full((height, width, 3), 128, np.uint8)
    for face, x in faces:
        picture[20 : 20 + len(face), x : x + len(face)] = face
    return picture


def middles(found: prepared.Prepared) -> np.ndarray:
    return (found.boxes[:, 0] + found.boxes[:, 2]) / 2


def found_in(path, wanted: int = 1, **choices) -> prepared.Prepared:
    return prepared.prepare(footage.load(path), wanted, **choices)


def test_a_moving_face_is_followed_though_few_frames_are_looked_at(film, portrait):
    face = portrait(1, EDGE)
    found = found_in(film("x.mp4", [scene((face, 10 + 4 * number)) for number in range(23)]))
    assert len(found) == 23
    assert np.abs(middles(found) - (10 + EDGE / 2 + 4 * np.arange(23))).max() < 8


def test_frames_without_a_face_have_no_box_to_the_frame(film, portrait):
    there = [number not in range(11, 27) for number in range(40)]
    found = found_in(film("x.mp4", [scene((portrait(1, EDGE), 100)) if is_there else scene() for is_there in there]))
    assert (found.owner >= 0).tolist() == there


@pytest.mark.parametrize(
    ("who", "x"), [("largest", 320), ("leftmost", 70), ("rightmost", 320), ("80,100", 70), ("310,90", 320)]
)
def test_of_several_faces_the_rule_or_the_point_chooses(film, portrait, who, x):
    pictures = [scene((portrait(1, 120), 10), (portrait(2, EDGE), 240))] * 6
    found = found_in(film("x.mp4", pictures), who=who)
    assert found.most == 2
    assert np.abs(middles(found) - x).max() < 15


def test_nobody_takes_over_from_the_chosen_one_who_looks_away(film, portrait):
    both = scene((portrait(1, 120), 10), (portrait(2, EDGE), 240))
    pictures = [both] * 12 + [scene((portrait(2, EDGE), 240))] * 12 + [both] * 6
    found = found_in(film("x.mp4", pictures), who="leftmost")
    assert np.nanmax(middles(found)) < 100
    assert (found.owner < 0).tolist() == [False] * 12 + [True] * 12 + [False] * 6


def test_another_shot_shows_another_person_at_rest(film, portrait):
    pictures = [scene((portrait(1, EDGE), 20))] * 12 + [255 - scene((255 - portrait(2, EDGE), 300))] * 12
    found = found_in(film("x.mp4", pictures))
    assert len(found.rest) == 2
    assert found.owner.tolist() == [found.owner[0]] * 12 + [found.owner[12]] * 12
    assert found.owner[0] != found.owner[12]


def test_what_was_found_once_is_not_looked_for_again(film, portrait, cache, monkeypatch):
    path = film("x.mp4", [scene((portrait(1, EDGE), 20))] * 6)
    first = found_in(path)
    monkeypatch.setattr(FaceDetector, "detect", lambda *_: pytest.fail("looked again"))
    again = found_in(path.rename(path.with_name("other.mp4")))
    assert np.array_equal(again.boxes, first.boxes)
    assert np.array_equal(again.rest, first.rest)
    (kept,) = cache.iterdir()
    assert kept.stat().st_mode & 0o077 == 0


def test_a_broken_file_in_the_cache_is_no_obstacle(film, portrait, cache):
    path = film("x.mp4", [scene((portrait(1, EDGE), 20))] * 6)
    first = found_in(path)
    (kept,) = cache.iterdir()
    kept.write_bytes(b"rubbish")
    assert np.array_equal(found_in(path).boxes, first.boxes)


def test_a_video_that_breaks_behind_a_seek_is_told_by_its_reason(film, portrait, monkeypatch):
    shown = footage.load(film("x.mp4", [scene((portrait(1, EDGE), 20))] * 3))
    read = shown.read
    monkeypatch.setattr(shown, "read", lambda *at, **how: iter(()) if at else read(**how))
    with pytest.raises(MediaError, match="no longer"):
        prepared.prepare(shown, 1, cached=False)


def test_a_cache_that_cannot_be_written_is_told_and_no_obstacle(film, portrait, cache):
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    shown = footage.load(film("x.mp4", [scene((portrait(1, EDGE), 20))] * 3))
    assert len(prepared.prepare(shown, 1)) == 3
    assert "cannot be written" in shown.notes[0]


def test_nothing_is_kept_where_nothing_is_to_be(film, portrait, cache):
    found_in(film("x.mp4", [scene((portrait(1, EDGE), 20))] * 3), cached=False)
    assert not cache.exists()


def test_a_video_in_which_nobody_is_seen_is_told_in_a_line(film):
    with pytest.raises(UserError, match="no face was found"):
        found_in(film("x.mp4", [scene()] * 8))


def test_a_point_beside_all_faces_is_told_as_such(film, portrait):
    with pytest.raises(UserError, match=r"--who 470,10: no face of .*480x200 pixels"):
        found_in(film("x.mp4", [scene((portrait(1, 120), 10))] * 6), who="470,10")


@pytest.mark.parametrize("who", ["tallest", "3", "1,2,3", "a,b", "-1,4"])
def test_a_rule_that_there_is_not_is_told_in_a_line(who):
    with pytest.raises(UserError, match="--who"):
        prepared.check_rule(who)


def test_a_face_of_48_pixels_in_a_full_body_picture_is_found(tmp_path, portrait):
    from PIL import Image

    picture = np.full((1100, 500, 3), 200, np.uint8)
    picture[60:126, 200:266] = portrait(3, 66)
    picture[126:1000, 180:290] = (90, 40, 60)
    Image.fromarray(picture).save(tmp_path / "x.png")
    found = found_in(tmp_path / "x.png")
    x0, y0, x1, y1 = found.boxes[0]
    assert 24 < y1 - y0 < 56
    assert abs((x0 + x1) / 2 - 233) < 5
