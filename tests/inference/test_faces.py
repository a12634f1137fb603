import numpy as np
import pytest

from inference import media
from inference.faces import FaceDetector


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def portrait(assets) -> np.ndarray:
    path = assets / "images/photos/test_portrait_images/portrait_im/img_1585.png"
    return np.asarray(media.flatten(media.decode(path.read_bytes(), 10**8)))


def test_there_is_no_face_in_noise_or_on_a_plain_ground(detector):
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    assert detector.detect(noise) == []
    assert detector.detect(np.full((50, 400, 3), 200, np.uint8)) == []


def test_a_face_is_found_with_its_landmarks_in_place(detector, portrait):
    (face,) = detector.detect(portrait)
    right_eye, left_eye, nose, right_mouth, _ = face.landmarks
    x0, y0, x1, y1 = face.box
    assert x0 < right_eye[0] < nose[0] < left_eye[0] < x1
    assert y0 < right_eye[1] < nose[1] < right_mouth[1] < y1


def test_a_small_face_in_a_large_picture_is_found_where_it_is(detector, portrait):
    height, width = portrait.shape[:2]
    street = np.full((4 * height, 4 * width, 3), 120, np.uint8)
    street[:height, 3 * width :] = portrait
    (near,), (far,) = detector.detect(portrait), detector.detect(street)
    moved = np.add(near.box, (3 * width, 0, 3 * width, 0))
    assert np.allclose(far.box, moved, atol=0.05 * width)
