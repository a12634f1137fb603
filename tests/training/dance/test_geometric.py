import numpy as np
import pytest

from inference.motion.skeleton import MIRROR
from tests.training.dance import swinging
from training.dance.metrics import geometric

OTHER = {"right": "left", "left": "right"}


def named(positions: np.ndarray, fps: float, mode: str) -> dict[str, float]:
    names = [question.name for question in geometric.questions(mode)]
    return dict(zip(names, geometric.features(positions, fps, mode), strict=True))


def joint(name: str) -> int:
    return geometric.JOINTS.index(name)


def dancing(seed: int, frames: int = 150) -> np.ndarray:
    """Joints that go their own smooth ways around the rest pose."""
    rng = np.random.default_rng(seed)
    at = np.arange(frames)[:, None, None] / 60
    pace, phase = rng.uniform(0.5, 2, (24, 3)), rng.uniform(0, 6, (24, 3))
    return swinging.standing(frames) + 0.25 * rng.normal(size=(24, 3)) * np.sin(2 * np.pi * pace * at + phase)


def test_a_t_pose_lifts_its_arms_holds_its_hands_wide_and_nothing_else():
    answers = named(swinging.standing(5), 60, "corrected")
    yes = {name for name, share in answers.items() if share == 1}
    assert yes == {"right upper arm lifted", "left upper arm lifted", "hands wide apart"}
    assert all(share == 0 for name, share in answers.items() if name not in yes)


def test_a_hand_held_up_is_above_the_neck_and_one_at_the_knee_is_low():
    positions = swinging.standing(5)
    positions[:, joint("rwrist"), :] = positions[:, joint("head"), :] + [-0.2, 0.2, 0]
    positions[:, joint("lwrist"), :] = positions[:, joint("lknee"), :] - [0, 0.25, 0]
    answers = named(positions, 60, "legacy")
    assert (answers["right hand above the neck"], answers["left hand above the neck"]) == (1, 0)
    assert (answers["right hand low"], answers["left hand low"]) == (0, 1)


def test_legacy_takes_every_speed_for_twice_what_it_is():
    positions = swinging.standing(10)
    positions[:, joint("rwrist"), 1] += 0.45 * np.arange(10) / 60  # m/s, between 1.25 and 2.5 arms a second
    assert named(positions, 60, "legacy")["right hand fast"] == 1
    assert named(positions, 60, "corrected")["right hand fast"] == 0


def test_legacy_never_looks_at_the_hand_that_moves_up():
    positions = swinging.standing(10)
    positions[:, joint("rwrist"), 1] += 1.0 * np.arange(10) / 60
    assert named(positions, 60, "corrected")["right hand moves up"] == 1
    assert named(positions, 60, "legacy")["right hand moves up"] == 0


def test_corrected_asks_the_same_of_both_sides_and_legacy_does_not():
    there = dancing(1)
    mirrored = there[:, list(MIRROR)] * [-1, 1, 1]
    here, seen = named(there, 60, "corrected"), named(mirrored, 60, "corrected")
    sided = [name for name in here if name.split()[0] in OTHER]
    for name in sided:
        side, rest = name.split(" ", 1)
        assert here[name] == pytest.approx(seen[f"{OTHER[side]} {rest}"]), name
    legacy = geometric.features(there, 60, "legacy"), geometric.features(mirrored, 60, "legacy")
    assert abs(legacy[0][14] - legacy[1][15]) > 0.1  # a foot in front, and the other behind


def test_which_way_each_question_of_a_direction_asks():
    positions = swinging.standing(10)
    positions[:, joint("rankle"), 2] += 0.5
    positions[:, joint("lankle"), 2] -= 0.5
    positions[:, joint("rwrist"), 2] -= 2 * np.arange(10) / 60
    positions[:, joint("lwrist"), 2] += 2 * np.arange(10) / 60
    legacy, mended = named(positions, 60, "legacy"), named(positions, 60, "corrected")
    asked = ("right foot in front", "left foot behind", "right hand moves back", "left hand moves forth")
    assert [legacy[name] for name in asked] == [1, 1, 1, 1]
    mirrored = ("right foot in front", "left foot in front", "right hand moves forth", "left hand moves forth")
    assert [mended[name] for name in mirrored] == [1, 0, 0, 1]


def test_hands_that_near_each_other_approach():
    positions = swinging.standing(10)
    positions[:, joint("lwrist"), 0] -= 1.0 * np.arange(10) / 60
    assert named(positions, 60, "corrected")["hands approach"] == 1
    assert named(positions[::-1], 60, "corrected")["hands approach"] == 0
    assert named(positions[::-1], 60, "legacy")["hands approach"] == 1  # the released code asks the opposite


def test_a_body_of_any_size_gives_the_corrected_answers():
    there = dancing(2)
    np.testing.assert_allclose(
        geometric.of_frames(there, "corrected"), geometric.of_frames(1.3 * there, "corrected"), atol=1e-9
    )
    assert np.abs(geometric.of_frames(there, "legacy") - geometric.of_frames(1.3 * there, "legacy")).max() > 0.02


def test_fact_calls_feet_apart_only_what_is_far_apart():
    positions = swinging.standing(5)
    positions[:, joint("rankle"), 0] -= 0.15
    positions[:, joint("lankle"), 0] += 0.15
    assert named(positions, 60, "legacy")["feet wide apart"] == 1
    assert named(positions, 60, "legacy-fact")["feet wide apart"] == 0
