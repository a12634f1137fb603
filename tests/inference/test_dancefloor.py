"""How dances are seen: the camera, sticks, pose pictures, and a steady beat."""

from fractions import Fraction

import numpy as np
import pytest

from inference import music
from inference.dancefloor import openpose, skeleton, tempo
from inference.dancefloor.camera import Camera, arranged, beside, follow
from inference.dancefloor.floor import PLACES, STUDIO, Floor
from inference.dancefloor.video import Excerpt, Film
from inference.errors import UserError
from inference.motion.clip import Motion
from inference.motion.skeleton import HEIGHT, INDEX, JOINTS, OFFSETS, PARENTS

CAMERA = Camera(np.array([0.0, 1.65, 5.0]), np.array([0.0, 0.95, 0.0]), 320, 240, 500.0)


def t_pose() -> np.ndarray:
    places = np.zeros((len(JOINTS), 3))
    places[0] = [0, HEIGHT, 0]
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            places[joint] = places[parent] + OFFSETS[joint]
    return places


def still(frames: int, turn: float = 0.0) -> Motion:
    """Somebody who stands in a T-pose, turned about the vertical by so many radians."""
    matrices = np.tile(np.eye(3, dtype=np.float32), (frames, len(JOINTS), 1, 1))
    sin, cos = np.sin(turn), np.cos(turn)
    matrices[:, 0] = [[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]
    return Motion.from_matrices(matrices, np.tile(np.float32([0, HEIGHT, 0]), (frames, 1)))


def near(picture: np.ndarray, place: np.ndarray, reach: int = 3) -> np.ndarray:
    x, y = np.round(place).astype(int)
    return picture[y - reach : y + reach + 1, x - reach : x + reach + 1].reshape(-1, 3).astype(int)


# -- the camera --------------------------------------------------------------------------------------------------------


def test_who_faces_the_camera_has_the_left_hand_at_the_right_of_the_picture_and_the_head_above():
    places, depths = CAMERA.project(t_pose())
    assert places[INDEX["left_wrist"], 0] > places[INDEX["pelvis"], 0] > places[INDEX["right_wrist"], 0]
    assert places[INDEX["head"], 1] < places[INDEX["left_foot"], 1]
    assert depths[INDEX["left_foot"]] < depths[INDEX["left_ankle"]]  # toes point at it


def test_the_floor_is_mapped_as_its_points_are_projected():
    points = np.array([[0.3, 0, -0.4], [-1.0, 0, 1.2]])
    mapped = np.column_stack([points[:, [0, 2]], [1, 1]]) @ CAMERA.floor().T
    assert mapped[:, :2] / mapped[:, 2:] == pytest.approx(CAMERA.project(points)[0])
    far = CAMERA.project(np.array([0.0, 0.0, -1e6]))[0]
    assert far[1] == pytest.approx(CAMERA.horizon, abs=0.1)


def test_the_camera_follows_calmly_at_one_distance_and_keeps_the_dancer_in_the_picture():
    positions = np.repeat(t_pose()[None, None], 90, 1)
    positions[0, :, :, 0] += np.linspace(0, 3, 90)[:, None]
    positions[0, ::2, :, 0] += 0.04  # a tremble that it does not take part in
    cameras = follow(positions, 320, 320, 30)
    eyes = np.array([camera.eye for camera in cameras])
    assert np.ptp(eyes[:, 1]) == 0
    assert len({camera.focal for camera in cameras}) == 1
    assert np.abs(np.diff(eyes[:, 0], 2)).max() < 0.002
    shown = np.stack([camera.project(joints)[0] for camera, joints in zip(cameras, positions[0], strict=True)])
    assert ((shown > 0) & (shown < 320)).all()


def test_dancers_are_turned_to_the_camera_and_stand_about_the_origin():
    motions = [still(4, turn) for turn in (0.0, 2.5, -1.2)]
    for turned, root in arranged([(motion.matrices(), np.add(motion.root, [2.0, 0, 1.0])) for motion in motions]):
        assert turned[0, 0] @ [0, 0, 1] == pytest.approx([0, 0, 1], abs=1e-6)
        assert root[0] == pytest.approx([0, HEIGHT, 0], abs=1e-6)


def test_dancers_who_hold_their_arms_out_stand_so_far_apart_that_hands_do_not_meet():
    arms = np.repeat(np.repeat(t_pose()[None, None], 3, 0), 4, 1)
    placed = beside(arms)
    assert placed[:, 0, 0, 0].sum() == pytest.approx(0)
    assert (placed[1:, ..., 0].min((1, 2)) > placed[:-1, ..., 0].max((1, 2)) + 0.1).all()
    close = beside(arms * [0.3, 1, 1])
    assert np.diff(close[:, 0, 0, 0]) == pytest.approx([1.3, 1.3])
    assert (beside(arms[:1]) == arms[:1]).all()


# -- sticks ------------------------------------------------------------------------------------------------------------


def test_the_left_side_is_warm_the_right_side_cool_where_the_joints_are():
    picture, places = skeleton.draw(t_pose(), CAMERA), CAMERA.project(t_pose())[0]
    left, right = (near(picture, places[INDEX[f"{side}_elbow"]], 1).mean(0) for side in ("left", "right"))
    assert left[0] > left[2] + 60
    assert right[2] > right[0] + 60
    assert picture.shape == (240, 320, 3)


def test_a_shadow_falls_on_the_floor_alone():
    empty, shaded = (
        Floor(STUDIO, CAMERA).picture(CAMERA, shade) for shade in (None, np.full((240, 320), 255, np.uint8))
    )
    assert (shaded[:30] == empty[:30]).all()
    assert shaded[-1].mean() < 0.6 * empty[-1].mean()


def test_the_floor_moves_with_the_camera_and_the_backdrop_does_not():
    floor = Floor(PLACES[1], CAMERA)
    step = np.array([0.3, 0, 0])
    aside = Camera(CAMERA.eye + step, CAMERA.target + step, 320, 240, 500.0)
    here, there = floor.picture(CAMERA), floor.picture(aside)
    assert (here[:20] == there[:20]).all()
    assert (here[-20:] != there[-20:]).any()


def test_a_sheet_has_a_row_for_each_motion():
    positions = np.repeat(t_pose()[None], 9, 0)
    assert skeleton.sheet([positions, positions], pictures=3, edge=64).shape == (128, 192, 3)


# -- pose pictures -----------------------------------------------------------------------------------------------------


def test_colours_go_around_the_wheel_as_published():
    assert openpose.COLOURS == [
        (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0),
        (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255),
        (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
    ]  # fmt: skip


def test_points_of_a_detector_are_reordered_and_the_neck_lies_between_the_shoulders():
    coco = np.column_stack([np.arange(17), 100 + np.arange(17), np.linspace(0.1, 0.9, 17)])
    points = openpose.of_coco(coco)
    order = [0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
    assert all((points[k] == coco[number]).all() for k, number in enumerate(order) if number is not None)
    assert points[1] == pytest.approx([5.5, 105.5, coco[5, 2]])


def test_a_motion_gives_the_same_sides_as_the_skeleton():
    points = openpose.of_joints(t_pose(), np.eye(3), CAMERA)
    at = dict(zip(openpose.POINTS, points, strict=True))
    assert at["left_wrist"][0] > at["left_shoulder"][0] > at["right_shoulder"][0] > at["right_wrist"][0]
    assert at["left_eye"][0] > at["nose"][0] > at["right_eye"][0]
    assert at["nose"][1] < at["neck"][1] < at["left_hip"][1]


@pytest.mark.parametrize(
    ("turn", "hidden"),
    [(0, set()), (np.pi, {"nose", "left_eye", "right_eye"}), (np.pi / 2, {"left_eye", "left_ear"})],
)
def test_what_of_the_face_looks_away_is_left_out(turn, hidden):
    head = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    points = openpose.of_joints(t_pose(), head, CAMERA)
    assert {name for name, point in zip(openpose.POINTS, points, strict=True) if point[2] < openpose.LEAST} == hidden


def test_limbs_are_dimmed_under_full_points_and_unsure_ones_are_left_out():
    points = np.zeros((18, 3))
    points[[2, 3]] = [[20, 30, 1], [80, 30, 1]]  # right shoulder and elbow
    points[4] = [80, 90, 0.2]  # a wrist that nobody is sure of
    picture = openpose.draw(points, 128, 128, stick=4)
    assert tuple(picture[30, 50]) == (153, 102, 0)  # the third limb's colour at 0.6
    assert tuple(picture[30, 20]) == openpose.COLOURS[2]
    assert (picture[60:] == 0).all()
    assert len(np.unique(picture[:, 50].any(-1))) == 2
    assert picture[:, 50].any(-1).sum() == 9  # 4 to each side


# -- a film ------------------------------------------------------------------------------------------------------------


def test_a_film_gives_a_frame_for_each_of_the_motion():
    film = Film([still(5), still(5)], "openpose", 161, 121)
    pictures = list(film.pictures())
    assert (len(pictures), pictures[0].shape, film.seconds) == (5, (120, 160, 3), Fraction(1, 6))


def test_an_unknown_way_to_draw_is_named():
    with pytest.raises(UserError, match="--render 'oil' must be skeleton, openpose or figure"):
        Film([still(2)], "oil", 64, 64)


class Sound:
    rate, layout, channels = 100, "mono", 1

    def blocks(self):
        for first in range(0, 300, 70):
            yield np.arange(first, min(first + 70, 300), dtype=np.float32)[None]


@pytest.mark.parametrize(("seconds", "samples"), [(Fraction(7, 5), 140), (Fraction(2), 200), (Fraction(9), 300)])
def test_an_excerpt_is_the_beginning_of_the_sound(seconds, samples):
    heard = np.concatenate(list(Excerpt(Sound(), seconds).blocks()), axis=1)[0]
    assert heard.tolist() == list(range(samples))


# -- a steady beat -----------------------------------------------------------------------------------------------------


def heard(beats: np.ndarray, seconds: float = 20.0) -> music.Features:
    array = np.zeros((round(seconds * 30), music.COLUMNS), np.float32)
    return music.Features(array, beats, music.tempo_of(beats), seconds)


def test_a_wavering_beat_with_gaps_becomes_steady_and_fills_the_song():
    rng = np.random.default_rng(0)
    true = 0.31 + 0.5 * np.arange(40)
    found = np.delete(true + rng.normal(0, 0.012, 40), [4, 5, 20, 39])
    steady = tempo.locked(heard(found))
    assert steady.tempo == pytest.approx(120, abs=0.3)
    assert steady.beats == pytest.approx(true, abs=0.02)
    assert steady.array[:, music.BEAT].sum() == 40
    assert steady.array[round(true[10] * 30), music.PHASE] == pytest.approx([0, 1], abs=0.25)


def test_a_song_of_no_beats_cannot_be_locked():
    with pytest.raises(UserError, match="--bpm-lock needs 4 beats, and 0 were heard"):
        tempo.locked(heard(np.zeros(0)))
