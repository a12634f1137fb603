"""The fast drawing of a moving figure, beside the rays that it stands in for."""

import numpy as np
import pytest

from inference.figure import Camera, Mesh, Scene, look
from inference.figure.raster import Lamp, Raster, bake
from inference.figure.shading import plain

CAMERA = Camera(np.array([0.0, -4.0, 0.0]), np.zeros(3), 40, 40, 60.0)
BLACK = np.zeros(3)
OVERHEAD = Lamp(np.array([0.0, -0.8, 0.6]), np.ones(3), BLACK, BLACK, np.array([0.0, 1.0, 0.0]), BLACK)


def ball(name: str, centre: tuple[float, float, float], radius: float) -> Mesh:
    turn, polar = np.meshgrid(np.linspace(0, 2 * np.pi, 25), np.linspace(0, np.pi, 13), indexing="ij")
    away = np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], axis=-1)
    index = np.arange(25 * 13).reshape(25, 13)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    triangles = np.concatenate([np.column_stack([a, b, c]), np.column_stack([a, c, d])]).astype(np.int32)
    vertices = (np.array(centre) + radius * away.reshape(-1, 3)).astype(np.float32)
    return Mesh(name, vertices, triangles, np.zeros((len(vertices), 6), np.float32), away.reshape(-1, 3))


def drawn(*meshes: Mesh, colours: dict, lamp: Lamp = OVERHEAD, samples: int = 4) -> tuple[np.ndarray, np.ndarray]:
    materials = {name: plain(colour, gloss=0.0) for name, colour in colours.items()}
    everything = [np.ones(len(mesh.triangles), bool) for mesh in meshes]
    paint = bake(meshes, materials, CAMERA.eye, everything)
    vertices = np.concatenate([mesh.vertices for mesh in meshes])
    turns = np.repeat(np.eye(3)[None], len(meshes), 0)
    light = np.ones((len(vertices), 2), np.float32)
    raster = Raster(paint, CAMERA.width, CAMERA.height, samples)
    return raster.draw(vertices, light, turns, CAMERA, lamp)


def test_it_covers_what_rays_find():
    mesh = ball("ball", (0.3, 0.0, -0.1), 0.8)
    _, cover = drawn(mesh, colours={"ball": (1, 1, 1)})
    assert cover[..., 0] == pytest.approx(look(Scene([mesh], "cpu"), CAMERA).coverage, abs=0.13)
    assert cover.mean() == pytest.approx(look(Scene([mesh], "cpu"), CAMERA).coverage.mean(), rel=0.01)


def test_what_is_nearer_hides_what_is_behind_in_any_order():
    near, far = ball("near", (0, -1.0, 0), 0.3), ball("far", (0, 1.0, 0), 0.9)
    colours = {"near": (1, 0, 0), "far": (0, 1, 0)}
    one, two = drawn(near, far, colours=colours)[0], drawn(far, near, colours=colours)[0]
    assert one == pytest.approx(two)
    assert one[20, 20, 0] > 0.2
    assert one[20, 20, 1] == 0
    assert one[20, 10, 1] > 0.1
    assert one[20, 10, 0] == 0


def test_light_falls_from_where_the_lamp_stands():
    colour, _ = drawn(ball("ball", (0, 0, 0), 0.9), colours={"ball": (0.5, 0.5, 0.5)})
    assert colour[12, 20, 0] > 1.5 * colour[28, 20, 0]  # the key light is above


def test_nothing_is_drawn_outside_and_the_same_input_gives_the_same_bytes():
    mesh = ball("ball", (0, 0, 0), 0.5)
    colour, cover = (values.copy() for values in drawn(mesh, colours={"ball": (1, 1, 1)}))
    again, _ = drawn(mesh, colours={"ball": (1, 1, 1)})
    assert colour.tobytes() == again.tobytes()
    assert not colour[cover[..., 0] == 0].any()
    assert not cover[:5].any()


def test_paint_that_changes_within_a_triangle_is_kept():
    vertices = np.array([[-1, 0, -1], [1, 0, -1], [0, 0, 1.2]], np.float32)
    chart = np.column_stack([vertices, np.zeros((3, 3))]).astype(np.float32)
    mesh = Mesh("sheet", vertices, np.array([[0, 1, 2]], np.int32), chart)

    def ramp(hits):
        made = plain((1, 1, 1), gloss=0.0)(hits)
        return type(made)(np.repeat(hits.chart[:, :1] * 0.5 + 0.5, 3, 1), *list(vars(made).values())[1:])

    paint = bake([mesh], {"sheet": ramp}, CAMERA.eye, [np.ones(1, bool)])
    raster = Raster(paint, 40, 40, 2)
    colour, _ = raster.draw(vertices, np.ones((3, 2), np.float32), np.eye(3)[None], CAMERA, OVERHEAD)
    row = colour[27, 10:30, 0]
    assert (np.diff(row) > 0).all()
