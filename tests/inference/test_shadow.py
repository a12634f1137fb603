"""Shadows of moving figures, and pixels that are lit once."""

import numpy as np
import pytest

pytest.importorskip("warp", reason="the extra `figure` is not installed")

import warp as wp

from inference.figure.mesh import Mesh
from inference.figure.raster import Lamp, Raster, bake
from inference.figure.rays import Camera
from inference.figure.shading import plain
from inference.figure.shadow import ShadowMap

SQUARE = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
FACES = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
OVERHEAD = np.array([0.0, 0.001, 1.0])


def thrown(height: float, extent: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """Hold a small square over a large one that is a grid of points; gives the light on those, and the points."""
    steps = np.linspace(-1, 1, 21, dtype=np.float32)
    points = np.array([[x, y, 0] for x in steps for y in steps], np.float32)
    lid = SQUARE * extent + np.array([0, 0, height], np.float32)
    shadows = ShadowMap(OVERHEAD, 3.0, 128)
    vertices = np.concatenate([lid, points])
    light = shadows.throw(vertices, wp.array(FACES, dtype=wp.int32, device="cpu"), np.zeros(3))
    return light[4:], points


def test_what_is_under_something_is_in_its_shadow_and_what_is_beside_it_is_not():
    light, points = thrown(0.5)
    under = (np.abs(points[:, :2]) < 0.35).all(1)
    beside = (np.abs(points[:, :2]) > 0.45).any(1)
    assert (light[under] == 0).all()
    assert (light[beside] == 1).all()


def test_what_lies_on_something_is_not_shaded_by_it():
    light, _ = thrown(0.01)
    assert (light == 1).all()


def test_the_silhouette_is_as_large_as_what_throws_it():
    shadows = ShadowMap(OVERHEAD, 3.0, 150)
    shadows.throw(SQUARE * 0.5, wp.array(FACES, dtype=wp.int32, device="cpu"), np.zeros(3))
    assert (shadows.silhouette() > 0).sum() == pytest.approx(50 * 50, rel=0.05)


def test_samples_that_are_alike_may_be_lit_once():
    """The same cover, and nearly the same colour, as each sample lit by itself."""
    camera = Camera(np.array([0.0, -3.0, 2.0]), np.zeros(3), 48, 48, 60.0)
    lamp = Lamp(np.array([0.0, -0.6, 0.8]), *np.eye(3), np.array([0.0, 1.0, 0.0]), np.zeros(3))
    mesh = Mesh("square", SQUARE, FACES, np.zeros((4, 6), np.float32))
    paint = bake([mesh], {"square": plain((0.5, 0.4, 0.3))}, camera.eye, [np.ones(2, bool)])
    drawn = [
        Raster(paint, 48, 48, 3, alike).draw(SQUARE, np.ones((4, 2), np.float32), np.eye(3)[None], camera, lamp)
        for alike in (-1.0, 0.1)
    ]
    (each, cover), (once, same) = drawn
    assert (cover == same).all()
    assert once == pytest.approx(each, abs=0.02)
    assert (once != each).any()
