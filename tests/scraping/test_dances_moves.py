"""Demo dances: feet that stand stay, bones keep to a body's limits, and what moves comes to rest on the beat."""

import numpy as np
import pytest
import torch

from inference.motion import kinematics, rotations
from inference.motion.skeleton import FOOT_HEIGHT, INDEX
from scraping.demo.dances import curves, moves, songs
from scraping.demo.dances.body import Intent, arm, posed
from scraping.demo.dances.genres import GENRES
from scraping.demo.dances.gestures import ARMS, BODIES, SHAPES
from scraping.demo.dances.steps import FOUR, THREE

SECONDS = 10.0
BALLS = [INDEX["left_foot"], INDEX["right_foot"]]


def placed(poses: np.ndarray, root: np.ndarray) -> np.ndarray:
    turned = rotations.matrix_from_axis_angle(torch.from_numpy(poses))
    return kinematics.forward(turned, torch.from_numpy(root)).numpy()


@pytest.fixture(scope="module")
def danced() -> dict[str, tuple[songs.Score, moves.Dance, np.ndarray]]:
    """A dance of every genre: its score, itself, and its joints [T, 24, 3]."""
    made = {}
    for number, genre in enumerate(GENRES):
        score = songs.score(genre, number % 6, 40 + number, SECONDS + 2)
        dance = moves.dance(score, 70 + number, SECONDS)
        made[genre] = score, dance, placed(dance.poses, dance.root)
    return made


def test_a_dance_runs_at_60_fps_in_finite_numbers(danced):
    for _, dance, joints in danced.values():
        assert dance.poses.shape == (600, 24, 3)
        assert np.isfinite(joints).all()


def test_standing_feet_do_not_slide(danced):
    for genre, (_, _, joints) in danced.items():
        balls = joints[:, BALLS]
        speed = np.linalg.norm(np.diff(balls[..., [0, 2]], axis=0), axis=-1) * moves.FPS
        stands = balls[1:, :, 1] < FOOT_HEIGHT + 0.002
        assert np.median(speed[stands]) < 0.001, genre
        assert speed[stands].mean() < 0.03, genre  # metres a second, at most in the frame before a foot leaves


def test_feet_stay_on_the_floor_or_over_it_and_one_mostly_stands(danced):
    for genre, (_, _, joints) in danced.items():
        heights = joints[:, BALLS, 1] - FOOT_HEIGHT
        assert heights.min() > -0.005, genre
        assert (heights.min(1) < 0.01).mean() > 0.8, genre


def test_motion_is_smooth(danced):
    for genre, (_, _, joints) in danced.items():
        steps = np.linalg.norm(np.diff(joints, axis=0), axis=-1) * moves.FPS
        assert steps.max() < 12, genre  # metres a second: a hand that is thrown
        assert steps[:, 0].max() < 3.5, genre


def test_both_feet_step_and_the_body_travels(danced):
    for genre, (_, dance, joints) in danced.items():
        ranges = np.ptp(joints[:, BALLS], axis=0)[:, [0, 2]].max(1)
        assert (ranges > 0.15).all(), genre
        assert np.ptp(dance.root[:, [0, 2]], axis=0).max() < 4, genre


def test_motion_comes_to_rest_on_the_beat_rather_than_between(danced):
    on, between = [], []
    for score, _, joints in danced.values():
        speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1).mean(1)
        beats = np.array([beat for beat in score.beats[1:] if beat < SECONDS - 0.5])
        on.append(speed[np.round(beats * moves.FPS).astype(int) - 1].mean())
        between.append(speed[np.round((beats + 0.7 * score.beat) * moves.FPS).astype(int) - 1].mean())
    assert (np.array(on) < np.array(between)).all()
    assert np.mean(on) < 0.55 * np.mean(between)


def test_a_dance_answers_nearly_every_beat(danced):
    for genre, (score, dance, _) in danced.items():
        calm = [phrase.level == 0 for phrase in score.phrases]
        beats = [b for n, b in enumerate(score.beats[:-1]) if b < SECONDS and not calm[n // score.counts]]
        gaps = [np.abs(np.array(dance.hits) - beat).min() for beat in beats]
        assert np.mean(np.array(gaps) < 0.01) > 0.6, genre


def test_the_same_seed_dances_the_same_and_another_one_differently():
    score = songs.score("JS", 1, 3, SECONDS)
    one, again, other = (moves.dance(score, seed, 5.0) for seed in (1, 1, 2))
    assert one.poses.tobytes() == again.poses.tobytes()
    assert not np.allclose(one.poses, other.poses, atol=0.1)


def test_a_dancer_freezes_where_the_music_stops():
    seeds = (songs.score("LO", 1, seed, 12.0) for seed in range(100))
    score = next(found for found in seeds if found.phrases[0].stop)
    dance = moves.dance(score, 5, 8.0)
    joints = placed(dance.poses, dance.root)
    speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1).mean(1) * moves.FPS
    silent = score.beats[score.counts - 1]
    held = slice(round((silent - 0.4 * score.beat) * moves.FPS), round((silent + 0.1 * score.beat) * moves.FPS))
    assert speed[held].mean() < 0.35 * speed.mean()


def test_every_genre_draws_from_what_there_is():
    for genre in GENRES.values():
        manner = genre.manner
        assert manner.feet.keys() <= FOUR.keys()
        assert len(manner.feet.keys() & THREE.keys()) >= 3 or not genre.waltzes or genre.name == "street-jazz-like"
        assert manner.arms.keys() <= ARMS.keys()
        assert manner.bodies.keys() <= BODIES.keys()


@pytest.mark.parametrize(("table", "counts"), [(FOUR, 4), (THREE, 3)])
def test_footwork_fits_its_counts_and_begins_with_the_left_foot(table, counts):
    for name, steps in table.items():
        assert steps.counts == counts, name
        assert steps.goes[0].foot == 0, name
        assert all(0 < go.on <= counts for go in steps.goes), name


def test_the_names_of_arm_shapes_in_patterns_are_known():
    used = {name for ways in ARMS.values() for way in ways for _, *names in way for name in names}
    assert used <= SHAPES.keys()


@pytest.mark.parametrize("side", ["left", "right"])
def test_arms_point_where_a_shape_says(side):
    upper, fore = np.array([0.6, 0.7, 0.4]), np.array([-0.2, 0.9, 0.3])
    angles = np.array([[*arm(tuple(upper), tuple(fore)), 0, 0]])
    joints = placed(*(part.astype(np.float32) for part in posed(still(np.stack((angles, angles), 1)))))[0]
    parts = [joints[INDEX[f"{side}_{name}"]] for name in ("shoulder", "elbow", "wrist")]
    mirror = np.array([1 if side == "left" else -1, 1, 1])
    for wanted, bone in ((upper, parts[1] - parts[0]), (fore, parts[2] - parts[1])):
        cosine = (wanted * mirror) @ bone / np.linalg.norm(wanted) / np.linalg.norm(bone)
        assert cosine > 0.98  # the bones at rest do not lie on the axis to the degree


def still(arms: np.ndarray) -> Intent:
    """Stand still with arms [1, 2, 6]."""
    nought, toes = np.zeros((1, 3)), np.array([[[0.12, FOOT_HEIGHT, 0.1], [-0.12, FOOT_HEIGHT, 0.1]]])
    hips = np.array([[0.0, 0.9, 0.0]])
    standing = np.ones((1, 2), bool)
    return Intent(np.zeros(1), hips, nought, nought, nought, nought, arms, toes, np.zeros((1, 2, 2)), standing)


def test_legs_reach_the_feet_and_hips_come_down_where_they_would_not():
    intent = still(np.zeros((1, 2, 6)))
    intent.hips[0, 1] = 2.0
    poses, root = posed(intent)
    joints = placed(poses.astype(np.float32), root.astype(np.float32))
    assert joints[0, BALLS] == pytest.approx(intent.toes[0], abs=0.002)
    assert root[0, 1] < 1.1


def test_keyed_curves_arrive_at_their_keys():
    times = np.linspace(0, 4, 401)
    keys = [curves.Key(1.0, (2.0,), 0.5), curves.Key(3.0, (-1.0,), 1.0)]
    values = curves.keyed(times, (0.5,), keys)[:, 0]
    assert values[[0, 50, 100, 200, 300, 400]] == pytest.approx([0.5, 0.5, 2, 2, -1, -1])
