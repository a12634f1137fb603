import numpy as np
import pytest

from inference.figure import Camera, Mesh, Scene, load_body, look
from inference.figure.mesh import cut, smooth_normals
from inference.figure.picture import lit, surfaces
from inference.figure.shading import linear, plain

# What anny 0.6.2 itself gives for the shape and pose of the test below: vertex, place in metres.
RECORDED = {
    0: [-0.03571, -0.43221, 0.53518],
    331: [-0.00723, -0.39522, 0.49757],
    5000: [-0.20812, 0.29792, -0.94172],
    8000: [0.02675, -0.42703, 0.56253],
    13000: [0.09112, 0.16679, -0.36426],
    14300: [-0.54314, -0.31781, -0.13175],
    18500: [0.24795, 0.28046, -0.43379],
    19000: [-0.01608, -0.29244, 0.18336],
}


@pytest.fixture(scope="module")
def body():
    return load_body()


def turn(radians):
    c, s = np.cos(radians), np.sin(radians)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def rectangle(name, left, right, low, high, y=0.0):
    corners = np.array([[left, y, low], [right, y, low], [right, y, high], [left, y, high]], np.float32)
    return Mesh(name, corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32), np.zeros((4, 6), np.float32))


def camera(size=20):
    """Looks along +y; a metre at distance 1 is `size` pixels."""
    return Camera(np.array([0.0, -1.0, 0.0]), np.zeros(3), size, size, float(size))


def test_body_agrees_with_anny(body):
    shape = body.shape({"gender": 0.2, "age": 0.8, "african": 0.1, "weight": 0.7}, {"nose-hump-incr": -0.5})
    rotations = dict.fromkeys(("upperarm01.L", "head", "root"), turn(0.5))
    posed = body.pose(shape, rotations, {"jawOpen": 0.3})
    np.testing.assert_allclose(posed.vertices[list(RECORDED)], list(RECORDED.values()), atol=2e-5)


@pytest.mark.parametrize("age", [0.0, 0.33, 0.66])
def test_body_refuses_to_be_a_child(body, age):
    with pytest.raises(ValueError, match="only adults"):
        body.shape({"age": age}, {})


def test_body_holds_no_shape_of_a_child(body):
    parts = {part for label in body.labels for part in label.split(":")[1].split("-")}
    assert {"young", "old"} <= parts
    assert not {"newborn", "baby", "child"} & parts


def test_a_facial_action_moves_the_face_and_nothing_else(body):
    shape = body.shape({"age": 0.7}, {})
    moved = np.linalg.norm(body.pose(shape, {}, {"jawOpen": 1.0}).vertices - body.pose(shape, {}, {}).vertices, axis=1)
    assert moved.max() > 0.01
    assert moved[body.template[:, 2] < 0.4].max() == 0


def test_cut_leaves_the_positive_side_with_a_clean_edge():
    square = rectangle("square", 0, 1, 0, 1)
    piece = cut(square.triangles, 0.25 - square.vertices[:, 0])
    left = piece(square.vertices)
    a, b, c = (left[piece.triangles[:, corner]] for corner in range(3))
    assert left[:, 0].max() == pytest.approx(0.25)
    assert 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() == pytest.approx(0.25)


def test_coverage_is_the_share_of_a_pixel():
    half_a_pixel = 0.5 / 20
    view = look(Scene([rectangle("wall", -0.2 + half_a_pixel, 0.2, -0.2, 0.2)], "cpu"), camera())
    assert view.coverage[10, 6] == pytest.approx(0.5)
    assert view.coverage[10, 7:14].tolist() == [1.0] * 7
    assert view.coverage.sum() == pytest.approx(7.5 * 8)


def test_what_is_before_hides_what_is_behind():
    scene = Scene([rectangle("far", -1, 1, -1, 1, 0.5), rectangle("near", -0.1, 0.1, -0.1, 0.1)], "cpu")
    face, _ = scene.cast(camera(), np.array([[10.0, 10.0], [2.0, 2.0]]))
    assert [scene.names[scene.piece[index]] for index in face] == ["near", "far"]


def test_a_roof_keeps_the_light_of_above_away():
    roof = Mesh(
        "roof", np.array([[-1, -1, 1], [1, -1, 1], [0, 1, 1]], np.float32), np.array([[0, 1, 2]]), np.zeros((3, 6))
    )
    scene = Scene([rectangle("wall", -0.4, 0.4, -0.4, 0.4), roof], "cpu")
    view = look(scene, camera())
    above, ahead = (
        lit(scene, view, surfaces(view, _plain(scene)), np.array(way), 0.01, 2, 1).key
        for way in ([0.0, -0.1, 1.0], [0.0, -1.0, 0.0])
    )
    assert above.mean() < 0.05
    assert ahead.mean() > 0.95


def test_normals_of_a_ball_point_outwards(body):
    eye = body.group("helper-l-eye")
    normals = smooth_normals(body.template, eye)[np.unique(eye)]
    outward = body.template[np.unique(eye)] - body.template[np.unique(eye)].mean(0)
    assert ((normals * outward).sum(1) > 0).all()


def _plain(scene):
    return dict.fromkeys(scene.names, plain(linear("#808080")))
