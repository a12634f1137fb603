from pathlib import Path

import numpy as np
import pytest
import yaml

from inference import framing
from inference.faces import Face

CONF = Path(__file__).resolve().parents[2] / "conf/preprocessing/images.yaml"
FACE = Face(box=(40.0, 30.0, 80.0, 80.0), score=0.9, landmarks=())


def test_it_is_framed_as_the_corpora_are():
    asked = yaml.safe_load(CONF.read_text())["images"]["face"]
    assert (asked["side"], asked["level"], asked["lift"]) == (framing.SIDE, framing.LEVEL, framing.LIFT)


def test_a_face_stands_where_it_is_wanted():
    crop = framing.around_face(FACE, tall=1, side=2.4, level=0.45)
    assert crop[2] - crop[0] == crop[3] - crop[1] == 120
    assert (60 - crop[0]) / 120 == pytest.approx(0.5, abs=0.01)
    assert (55 - crop[1]) / 120 == pytest.approx(0.45, abs=0.01)


def test_a_crop_that_leaves_the_picture_below_moves_up_but_not_far():
    assert framing.lift((0, 50, 100, 150), height=140, most=0.2) == (0, 40, 100, 140)
    assert framing.lift((0, 50, 100, 150), height=100, most=0.2) == (0, 30, 100, 130)
    assert framing.lift((0, 50, 100, 150), height=200, most=0.2) == (0, 50, 100, 150)


def test_beyond_the_picture_its_edge_goes_on():
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    wide = framing.cut(picture, (-1, -1, 6, 4))
    assert wide.shape == (5, 7)
    assert wide[0, 0] == picture[0, 0]
    assert (wide[2, 5:] == picture[1, 3]).all()
