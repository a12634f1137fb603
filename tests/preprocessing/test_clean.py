import numpy as np
import pytest
from PIL import Image

from preprocessing import clean, matting
from preprocessing.quality import Rejected
from scraping import stage


class Recorded:
    """A matter that gives one matte whatever it is shown, and remembers what it was shown."""

    def __init__(self, coverage: np.ndarray, confidence: float = 1.0) -> None:
        self.matte = matting.Matte(coverage, confidence)
        self.shown: list[Image.Image] = []

    def __call__(self, picture: Image.Image) -> matting.Matte:
        self.shown.append(picture)
        return self.matte


def bust(chest: int) -> np.ndarray:
    """A matte of a head, and of shoulders covered to `chest` (0..255)."""
    coverage = np.zeros((320, 320), np.uint8)
    coverage[90:200, 110:210] = 255
    coverage[200:, 40:280] = chest
    return coverage


FACE = clean.Subject(box=(120.0, 100.0, 200.0, 190.0), crop=(0, 0, 320, 320))
GREY = np.full((320, 320, 3), 128, np.uint8)


@pytest.fixture
def cleaner(config) -> clean.Cleaner:
    settings = stage.settings(config("images.subject=face", "images.gates.fit=0.8"), "images", clean.Settings)
    return clean.Cleaner(settings)


def test_a_clear_matte_is_not_made_again(cleaner):
    cleaner.matter = Recorded(bust(chest=0))
    assert np.array_equal(cleaner._best_look(bust(chest=255), GREY, FACE), bust(chest=255))
    assert cleaner.matter.shown == []


def test_a_matte_that_lost_the_shoulders_is_made_again_and_the_better_one_stays(cleaner):
    cleaner.matter = Recorded(bust(chest=255))
    assert np.array_equal(cleaner._best_look(bust(chest=0), GREY, FACE), bust(chest=255))
    assert len(cleaner.matter.shown) == 1


def test_a_second_look_that_is_worse_changes_nothing(cleaner):
    cleaner.matter = Recorded(np.zeros((320, 320), np.uint8))
    assert np.array_equal(cleaner._best_look(bust(chest=0), GREY, FACE), bust(chest=0))


def test_a_matte_without_shoulders_is_rejected(cleaner):
    with pytest.raises(Rejected, match="agree to") as caught:
        cleaner._check_matte(bust(chest=0), FACE, GREY.shape, {})
    assert caught.value.reason == "matte-off-subject"


def test_an_unsure_network_is_rejected_by_its_raw_confidence(cleaner):
    with pytest.raises(Rejected) as caught:
        cleaner._check_confidence(matting.Matte(bust(chest=255), confidence=0.1))
    assert caught.value.reason == "no-foreground"


@pytest.mark.parametrize(("clear", "used"), [(0.0, False), (0.01, False), (0.5, True), (0.99, False)])
def test_a_pictures_own_alpha_is_its_matte_where_it_cuts_something_out(clear, used):
    alpha = np.full((100, 10), 255, np.uint8)
    alpha[: round(100 * clear)] = 0
    picture = Image.fromarray(np.dstack((np.zeros((100, 10, 3), np.uint8), alpha)))
    assert (clean.own_alpha(picture) is not None) == used
    assert clean.own_alpha(picture.convert("RGB")) is None


def test_a_large_jpeg_decoded_small_gives_its_boxes_in_full_pixels(config, figure, encode, tmp_path):
    settings = stage.settings(config("images.decode_longest=300"), "images", clean.Settings)
    rows = []
    for scale in (1, 4):
        path = tmp_path / f"{scale}.jpg"
        path.write_bytes(encode(figure(1).resize((160 * scale, 320 * scale), Image.Resampling.LANCZOS), quality=95))
        sha256 = clean.hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append(clean.Cleaner(settings)(clean.Task(sha256, path)).row)
    assert rows[1]["status"] == "kept"
    assert np.allclose(rows[1]["person_box"], 4 * np.array(rows[0]["person_box"]), atol=12)
