import json
import subprocess
import sys

import numpy as np
import pytest

from inference import media, weights
from inference.errors import UserError

person = pytest.importorskip("preprocessing.person", reason="ultralytics is an extra")


@pytest.fixture(scope="module")
def detector() -> person.PersonDetector:
    return person.PersonDetector(longest=320, score=0.4)


def test_there_is_nobody_in_noise(detector):
    assert detector.detect(np.random.default_rng(0).integers(0, 256, (320, 200, 3), np.uint8)) == []


def test_the_largest_person_comes_first(detector, assets):
    path = assets / "images/photos/test_human_images/Two_dancers.jpg"
    people = detector.detect(np.asarray(media.flatten(media.decode(path.read_bytes(), 10**8))))
    assert len(people) >= 2
    assert [one.area for one in people] == sorted((one.area for one in people), reverse=True)


def test_a_photographed_person_is_boxed_within_the_picture(detector, assets):
    path = sorted((assets / "images/fashion_photos").iterdir())[7]
    picture = np.asarray(media.flatten(media.decode(path.read_bytes(), 10**8)))
    (x0, y0, x1, y1), height = detector.detect(picture)[0].box, picture.shape[0]
    assert 0 <= x0 < x1 <= picture.shape[1]
    assert 0.6 * height < y1 - y0 <= height


def test_ultralytics_reports_nothing_and_writes_nothing_at_home():
    settings = json.loads((person.HOME / "Ultralytics/settings.json").read_text())
    assert settings["sync"] is False
    assert str(person.HOME).startswith(str(person.stage.ROOT))


def test_absent_weights_are_one_line_and_no_download_by_ultralytics(monkeypatch, tmp_path):
    monkeypatch.setenv("DRAMATIS_WEIGHTS", str(tmp_path))
    (tmp_path / "yolov5nu.pt").write_bytes(b"something else")
    weights.path.cache_clear()
    with pytest.raises(UserError, match="not the pinned"):
        person.PersonDetector(longest=320, score=0.4)
    weights.path.cache_clear()


def test_only_the_adapter_brings_ultralytics_in():
    code = "import sys, preprocessing.images, preprocessing.measure; sys.exit('ultralytics' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=person.stage.ROOT).returncode == 0
