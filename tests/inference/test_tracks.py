import numpy as np
import pytest

from inference import tracks
from inference.faces import Face


def face(x: float, y: float = 20.0, edge: float = 40.0, score: float = 0.9) -> Face:
    return Face((x, y, x + edge, y + edge), score, ((0.0, 0.0),) * 5)


def test_the_framing_is_a_little_larger_than_yunets_box_and_stays_on_its_middle():
    x0, y0, x1, y1 = tracks.framing(Face((100.0, 50.0, 180.0, 150.0), 0.9, ((0.0, 0.0),) * 5))
    assert (x0 + x1) / 2 == pytest.approx(140)
    assert (x1 - x0) / 80 == pytest.approx(1.045)
    assert (y0, y1) == pytest.approx((47.2, 154.1))


def test_the_framing_meets_s3fds_published_boxes_better_than_yunets_do():
    """Three faces of S3FD.pytorch's picture: YuNet's box, and the red box that S3FD drew."""
    pairs = [
        ((654.1, 117.9, 734.8, 216.6), (653, 117, 735, 219)),
        ((440.2, 329.5, 540.7, 466.6), (437, 324, 542, 471)),
        ((816.3, 368.1, 907.6, 496.1), (815, 367, 913, 503)),
    ]
    framed = [tracks.framing(Face(yunet, 0.9, ((0.0, 0.0),) * 5)) for yunet, _ in pairs]
    met = [tracks.overlap(box, s3fd) for box, (_, s3fd) in zip(framed, pairs, strict=True)]
    assert np.mean(met) > 0.93 > np.mean([tracks.overlap(*pair) for pair in pairs])


def test_boxes_overlap_by_their_share_of_the_union():
    assert tracks.overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert tracks.overlap((0, 0, 2, 2), (2, 0, 4, 2)) == 0


def test_two_people_who_trade_places_in_the_list_stay_two_tracks():
    left, right = [face(10 + step) for step in range(8)], [face(200 - step) for step in range(8)]
    frames = [[a, b] if step % 2 else [b, a] for step, (a, b) in enumerate(zip(left, right, strict=True))]
    found = tracks.track(frames)
    assert [len(one) for one in found] == [8, 8]
    for one in found:
        assert np.abs(np.diff(one.array()[:, 0])).max() == pytest.approx(1)


def test_frames_without_the_face_are_filled_in_a_straight_line():
    (found,) = tracks.track([[face(10)], [], None, [face(16)]])
    assert found.found == [True, False, False, True]
    assert np.diff(found.array()[:, 0]).tolist() == pytest.approx([2, 2, 2])
    assert found.scores == [0.9, 0.9]


def test_a_face_that_stays_away_ends_its_track():
    frames = [[face(10)], *[[]] * 4, [face(10)]]
    assert [len(one) for one in tracks.track(frames, patience=3)] == [1, 1]
    assert [len(one) for one in tracks.track(frames, patience=4)] == [6]


def test_frames_in_which_nobody_looked_end_no_track():
    (found,) = tracks.track([[face(10)], *[None] * 20, [face(10)]], patience=3)
    assert len(found) == 22


def test_a_cut_ends_a_track_even_where_a_face_stands_in_the_same_place():
    found = tracks.track([[face(10)]] * 10, cuts=[6])
    assert [(one.first, one.end) for one in found] == [(0, 6), (6, 10)]


def test_a_jump_to_elsewhere_begins_another_track():
    found = tracks.track([[face(10)], [face(10)], [face(100)]])
    assert [(one.first, len(one)) for one in found] == [(0, 2), (2, 1)]


def test_smoothing_has_no_lag():
    """A steady movement comes out as it went in, and one to and fro keeps its turning point."""
    steady = np.arange(40)[:, None] * np.array([2.0, 1.0, 2.0, 1.0]) + np.array([0, 0, 50, 60])
    assert np.allclose(tracks.smooth(steady), steady)
    turning = np.zeros((41, 4)) + np.array([0, 0, 50, 60])
    turning[:, [0, 2]] += (20 - np.abs(np.arange(41) - 20))[:, None]
    assert tracks.smooth(turning)[:, 0].argmax() == 20


def test_smoothing_calms_trembling_and_drops_a_slip():
    rng = np.random.default_rng(1)
    still = np.tile([10.0, 20.0, 60.0, 80.0], (50, 1))
    trembling = still + rng.normal(scale=1, size=still.shape)
    assert np.abs(tracks.smooth(trembling) - still).mean() < 0.5 * np.abs(trembling - still).mean()
    slipped = still.copy()
    slipped[25] += 30
    assert np.abs(tracks.smooth(slipped) - still).max() < 1e-9


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_shortest_tracks_are_smoothed_too(count):
    boxes = np.tile([1.0, 2.0, 3.0, 4.0], (count, 1))
    assert np.allclose(tracks.smooth(boxes), boxes)


def ramp(width: int = 60, height: int = 40) -> np.ndarray:
    """Red tells the column, green the row."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([4 * columns, 5 * rows, np.zeros_like(rows)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("box", [(10.0, 8.0, 34.0, 32.0), (10.5, 8.25, 34.5, 32.25), (4.0, 2.0, 58.0, 38.0)])
def test_a_crop_shows_its_box_to_a_fraction_of_a_pixel(box):
    cut = tracks.crop(ramp(), box, 12)
    across, down = (box[2] - box[0]) / 12, (box[3] - box[1]) / 12
    columns = box[0] + (np.arange(12) + 0.5) * across - 0.5
    rows = box[1] + (np.arange(12) + 0.5) * down - 0.5
    assert cut.shape == (12, 12, 3)
    assert np.allclose(cut[..., 0], 4 * columns[None], atol=1.1)
    assert np.allclose(cut[..., 1], 5 * rows[:, None], atol=1.1)


@pytest.mark.parametrize("edge", [8, 40])
def test_a_crop_that_leaves_the_picture_goes_on_with_its_rim(edge):
    cut = tracks.crop(ramp(), (-20.0, -20.0, 20.0, 20.0), edge)
    assert cut[: edge // 2 - 1, : edge // 2 - 1].max() <= 2
    assert cut[-1, -1, 0] > 60
