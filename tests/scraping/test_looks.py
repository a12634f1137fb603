"""The demo people as drawn: dressed, faces free, masks exact."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from inference.figure import look
from inference.figure.hair import STYLES
from inference.figure.shading import plain
from scraping.demo.looks import draw
from scraping.demo.people import LOOKS, person
from scraping.demo.studio import Studio


@pytest.fixture(scope="module")
def studio():
    return Studio("cpu")


def seen(sitting, points):
    """Names of the pieces first met on the way to points; None where there is nothing."""
    places, _ = sitting.camera.project(points)
    face, where = sitting.scene.cast(sitting.camera, places)
    hits = sitting.scene.hits(sitting.camera, places, face, where)
    names = [None] * len(points)
    for index, piece in zip(hits.sample, hits.piece, strict=True):
        names[index] = sitting.scene.names[piece]
    return names, hits


@pytest.mark.parametrize("seed", range(16))
def test_torso_and_hips_are_covered_by_garments(studio, seed):
    sitting = studio.sit(person(seed, "fashion"), 0.4)
    hidden = np.flatnonzero(studio.wardrobe.always_hidden[: studio.body.skin_vertices])[::3]
    names, hits = seen(sitting, sitting.posed.vertices[hidden])
    assert None not in names
    bare = hits.chart[hits.piece == sitting.scene.names.index("skin"), :3]
    on_arm = np.abs(bare[:, 0]) > 0.17  # a hand before the body is no bare body
    neck = bare[:, 2] > 0.44
    assert (on_arm | neck).all()
    view = look(sitting.scene, sitting.camera)
    place = view.hits.chart[:, :3]
    torso = (place[:, 2] > -0.16) & (place[:, 2] < 0.42) & (np.abs(place[:, 0]) < 0.17)
    assert not (view.of("skin") & torso).any()


def test_skin_of_torso_and_hips_is_in_no_scene(studio):
    for seed in range(20, 40):
        scene = studio.sit(person(seed, LOOKS[seed % 3]), 0.2).scene
        skin = scene.meshes[scene.names.index("skin")]
        place = skin.chart[np.unique(skin.triangles), :3]
        torso = (place[:, 2] > -0.15) & (place[:, 2] < 0.42) & (np.abs(place[:, 0]) < 0.13)
        assert not torso.any()


@pytest.mark.parametrize("style", STYLES)
def test_hair_leaves_the_face_free(studio, style):
    one = person(3, "portrait")
    ahead = replace(one.pose, turn=0.0, head=(0.0, 0.0, 0.0))
    frame = replace(one.framing, turn=0.0, height=0.0, roll=0.0)
    for fringe in (0.0, 1.0):
        hair = replace(one.hair, style=style, fringe=fringe, volume=1.25, length=1.0)
        sitting = studio.sit(replace(one, hair=hair, pose=ahead, framing=frame), 0.4)
        place = studio.body.template
        features = (np.abs(place[:, 0]) < 0.05) & (place[:, 1] < -0.12) & (place[:, 2] > 0.63) & (place[:, 2] < 0.757)
        points = sitting.posed.vertices[np.flatnonzero(features[: studio.body.skin_vertices])]
        assert not [name for name in seen(sitting, points)[0] if name and name.startswith("hair")]


@pytest.mark.parametrize("kind", LOOKS)
def test_same_seed_same_bytes(studio, kind):
    first, second = (draw(studio.sit(person(5, kind), 0.4)) for _ in range(2))
    assert first.picture.tobytes() == second.picture.tobytes()
    assert first.mask.tobytes() == second.mask.tobytes()


@pytest.mark.parametrize("kind", LOOKS)
def test_mask_is_where_the_figure_is_drawn(studio, kind):
    sitting = studio.sit(person(9, kind), 0.5)
    drawn = draw(sitting)
    recoloured = draw(replace(sitting, materials=dict.fromkeys(sitting.materials, plain((0.9, 0.0, 0.9)))))
    assert (drawn.mask == recoloured.mask).all()
    changed = np.abs(drawn.picture.astype(int) - recoloured.picture).max(2) > 12
    near = cv2.dilate((drawn.mask > 0).astype(np.uint8), np.ones((9, 9))) > 0  # the lens spreads light a little
    assert not changed[~near].any()
    assert changed[drawn.mask == 1].mean() > 0.8


def test_truth_agrees_with_the_picture(studio):
    sitting = studio.sit(person(11, "fashion"), 0.5)
    drawn = draw(sitting)
    truth = studio.truth(sitting, drawn.mask)
    height, width = drawn.mask.shape
    rows, columns = np.nonzero(drawn.mask >= 0.5)
    assert truth["box"][0] * width == pytest.approx(columns.min(), abs=0.01)
    assert truth["box"][3] * height == pytest.approx(rows.max() + 1, abs=0.01)
    points = truth["keypoints"]
    assert len(points) == 17
    assert points["nose"][1] < points["left_hip"][1] < points["left_knee"][1] < points["left_ankle"][1]
    left, top, right, bottom = truth["face_box"]
    assert left < points["nose"][0] < right
    assert top < points["nose"][1] < bottom


def test_mouth_opening_is_measured(studio):
    one = person(2, "portrait")
    closed, opened = (
        studio.mouth_open(studio.sit(replace(one, actions=actions), 0.2).posed) for actions in ((), (("jawOpen", 0.8),))
    )
    assert closed < 0.1
    assert opened > 0.3
