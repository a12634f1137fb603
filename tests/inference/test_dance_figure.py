"""The person who dances: sides, limbs and feet are those of the skeleton; always an adult, always dressed."""

import numpy as np
import pytest

pytest.importorskip("anny", reason="the extra `figure` is not installed")

from inference.dancefloor.camera import Camera
from inference.dancefloor.dancers import dancer
from inference.dancefloor.ensemble import Ensemble
from inference.dancefloor.figure import Figure
from inference.dancefloor.floor import STUDIO, Floor
from inference.dancefloor.retarget import AXES, about, between
from inference.dancefloor.video import Film
from inference.figure.body import ADULT_AGE, is_compiled
from inference.motion.clip import Motion
from inference.motion.skeleton import HEIGHT, INDEX, JOINTS, OFFSETS, PARENTS

if not is_compiled():
    pytest.skip("the body is not compiled on this machine: a demo stage does it", allow_module_level=True)

CAMERA = Camera(np.array([0.0, 1.65, 5.0]), np.array([0.0, 0.95, 0.0]), 160, 160, 330.0)
BONES = {
    "shoulder": ("upperarm01", "lowerarm01", "elbow"),
    "elbow": ("lowerarm01", "wrist", "wrist"),
    "hip": ("upperleg01", "lowerleg01", "knee"),
    "knee": ("lowerleg01", "foot", "ankle"),
}


def pose(**turns: tuple[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Joints turned in the world [24, 3, 3] and their places [24, 3]; turns are an axis and degrees, by joint."""
    turned, places = np.zeros((len(JOINTS), 3, 3)), np.zeros((len(JOINTS), 3))
    for joint, (name, parent) in enumerate(zip(JOINTS, PARENTS, strict=True)):
        local = about(*turns[name]) if name in turns else np.eye(3)
        turned[joint] = local if parent < 0 else turned[parent] @ local
        places[joint] = [0, HEIGHT, 0] if parent < 0 else places[parent] + turned[parent] @ OFFSETS[joint]
    return turned, places


@pytest.fixture(scope="module")
def ensemble() -> Ensemble:
    return Ensemble([3], Floor(STUDIO, CAMERA))


@pytest.fixture(scope="module")
def figure(ensemble) -> Figure:
    return ensemble.figures[0]


DANCED = {
    "pelvis": (1, 25.0), "left_shoulder": (2, -60.0), "left_elbow": (1, -70.0), "right_shoulder": (1, 40.0),
    "right_elbow": (1, 50.0), "left_hip": (0, -50.0), "left_knee": (0, 60.0), "spine2": (0, 15.0),
}  # fmt: skip


@pytest.mark.parametrize("turns", [{}, DANCED])
def test_arms_and_legs_point_where_the_skeletons_do(figure, turns):
    turned, places = pose(**turns)
    heads = figure.body.pose(figure.shape, figure.retarget(turned), {}).heads
    for end, side in (("L", "left"), ("R", "right")):
        for joint, (bone, after, next_joint) in BONES.items():
            theirs = heads[figure.body.bone[f"{after}.{end}"]] - heads[figure.body.bone[f"{bone}.{end}"]]
            ours = AXES @ (places[INDEX[f"{side}_{next_joint}"]] - places[INDEX[f"{side}_{joint}"]])
            cosine = theirs @ ours / np.linalg.norm(theirs) / np.linalg.norm(ours)
            assert cosine > np.cos(np.radians(1.0)), (side, joint)


def test_the_left_hand_is_the_left_one(figure):
    turned, places = pose(left_shoulder=(2, 80.0))
    vertices = figure.vertices(turned, places)
    highest = vertices[vertices[:, 2].argmax()]
    assert highest[0] > 0.05  # x is to the figure's left


def test_a_bent_elbow_brings_the_hand_ahead_with_the_thumb_up_and_the_palm_in(figure):
    turned, _ = pose(left_elbow=(1, -90.0))
    heads = figure.body.pose(figure.shape, figure.retarget(turned), {}).heads
    at = {name: heads[figure.body.bone[f"{name}.L"]] for name in ("lowerarm01", "wrist", "finger1-3", "finger5-1")}
    assert at["wrist"][1] < at["lowerarm01"][1] - 0.2  # -y is ahead
    assert at["finger1-3"][0] < at["finger5-1"][0]  # palm down: the thumb is on the inside


@pytest.mark.parametrize("turns", [{}, DANCED, {"left_hip": (0, -80.0), "left_knee": (0, 90.0)}])
def test_whoever_stands_stands_on_the_floor_and_whoever_jumps_is_above_it(figure, turns):
    turned, places = pose(**turns)
    lowest = min(places[INDEX[f"{side}_foot"], 1] for side in ("left", "right"))
    places[:, 1] -= lowest - 0.02  # the ball of the lower foot on the floor
    assert figure.vertices(turned, places)[:, 2].min() == pytest.approx(0, abs=1e-5)
    places[:, 1] += 0.3
    assert figure.vertices(turned, places)[:, 2].min() == pytest.approx(0.3 * figure.scale, abs=0.03)


def hand_and_thigh(figure: Figure, clear: bool, **turns: tuple[int, float]) -> tuple[np.ndarray, float]:
    """Where the left knuckles are [3], and how far from the middle of a thigh."""
    moves = figure.body.moves(figure.shape, figure.retarget(pose(**turns)[0]))
    moves = figure.clearance(moves) if clear else moves
    heads = np.einsum("jik,jk->ji", moves[:, :, :3], figure.shape.heads) + moves[:, :, 3]
    hand, hip, knee = (heads[figure.body.bone[name]] for name in ("finger3-1.L", "upperleg01.L", "lowerleg01.L"))
    along = (knee - hip) / np.linalg.norm(knee - hip)
    return hand, float(np.linalg.norm(np.cross(hand - hip, along)))


def test_hands_that_hang_down_are_beside_the_thighs_and_not_in_them(figure):
    assert hand_and_thigh(figure, False, left_shoulder=(2, -95.0))[1] < 0.08
    assert hand_and_thigh(figure, True, left_shoulder=(2, -95.0))[1] > 0.11


def test_arms_that_are_free_are_left_as_they_are_to_the_bit(figure):
    moves = figure.body.moves(figure.shape, figure.retarget(pose(**DANCED)[0]))
    assert np.array_equal(figure.clearance(moves), moves)


def test_an_arm_goes_around_a_thigh_without_a_jump(figure):
    bends = [(0, float(degrees)) for degrees in range(-20, 40, 2)]
    free, cleared = (
        np.array([hand_and_thigh(figure, clear, left_shoulder=(2, -95.0), spine2=bend)[0] for bend in bends])
        for clear in (False, True)
    )
    assert np.abs(cleared - free).max() > 0.03
    assert np.linalg.norm(np.diff(cleared, axis=0), axis=1).max() < 0.12  # through its middle it would leap 0.2


def test_half_way_between_two_turns_is_half_of_it():
    assert between(np.eye(3), about(1, 80.0), 0.5) == pytest.approx(about(1, 40.0))
    assert between(about(0, 30.0), about(0, 30.0), 0.5) == pytest.approx(about(0, 30.0))


def test_dancers_are_adults_and_dressed_whatever_the_seed():
    for seed in range(60):
        who = dancer(seed)
        assert who.phenotype["age"] >= ADULT_AGE
        who.outfit.check()
        assert not who.hair.hangs


def test_a_picture_shows_the_dancer_and_a_shadow_beside_the_feet(ensemble):
    turned, places = pose(left_shoulder=(2, -50.0), right_shoulder=(2, 50.0))
    picture = ensemble.picture(turned[None], places[None], CAMERA)
    empty = ensemble.floor.picture(CAMERA)
    changed = np.abs(picture.astype(int) - empty).max(-1) > 12
    head = CAMERA.project(places[INDEX["head"]])[0].round().astype(int)
    assert changed[head[1], head[0]]
    assert 0.04 < changed.mean() < 0.4
    beside = np.array([[x, 0, z] for x in np.arange(0.25, 0.6, 0.05) for z in np.arange(-0.6, 0, 0.05)])
    x, y = CAMERA.project(beside)[0].round().astype(int).T
    assert (picture[y, x].sum(-1) < 0.85 * empty[y, x].sum(-1)).mean() > 0.1  # the light comes from the other side


def test_a_film_draws_each_frame_in_two_threads_as_one_would(ensemble, monkeypatch):
    still = np.tile(np.eye(3, dtype=np.float32), (5, len(JOINTS), 1, 1))
    motion = Motion.from_matrices(still, np.float32([[0, HEIGHT, 0]] * 5))
    monkeypatch.setattr("inference.dancefloor.ensemble.Ensemble", lambda looks, floor: ensemble)
    film = Film([motion], "figure", CAMERA.width, CAMERA.height, [3])
    pictures = list(film.pictures())
    assert len(pictures) == 5
    alone = ensemble.picture(film.turned[:, 4], film.positions[:, 4], film.cameras[4])
    assert (pictures[4] == alone).all()


def test_the_same_pose_is_the_same_picture(ensemble):
    turned, places = pose(**DANCED)
    one, two = (ensemble.picture(turned[None], places[None], CAMERA) for _ in range(2))
    assert (one == two).all()
