import math

import numpy as np
import pytest

from training.metrics import pictures


def some(seed: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 24, 32, 3), dtype=np.uint8)


def test_equal_pictures_have_no_distance():
    assert pictures.l1(some(0), some(0)) == 0
    assert pictures.psnr(some(0), some(0)) == math.inf
    assert pictures.ssim(some(0), some(0)) == pytest.approx(1)


def test_a_known_difference_has_a_known_distance():
    dark, light = np.full((1, 16, 16, 3), 10, np.uint8), np.full((1, 16, 16, 3), 61, np.uint8)
    assert pictures.l1(dark, light) == pytest.approx(0.2)
    assert pictures.l1(light, dark) == pytest.approx(0.2)  # no wrapping around of bytes
    assert pictures.psnr(dark, light) == pytest.approx(20 * math.log10(5))


def test_structural_similarity_of_flat_pictures_is_that_of_their_luminance():
    dark, light = np.full((1, 16, 16, 3), 10, np.uint8), np.full((1, 16, 16, 3), 61, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert pictures.ssim(dark, light) == pytest.approx((2 * 610 + c1) / (10**2 + 61**2 + c1))


def test_structural_similarity_is_that_of_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    first = some(0, 1)
    second = (0.7 * first + 0.3 * some(1, 1)).astype(np.uint8)
    planes = [pictures._luminance(each[0]) for each in (first, second)]
    theirs = metrics.structural_similarity(
        *planes, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert pictures.ssim(first, second) == pytest.approx(theirs, abs=1e-6)


def test_similarity_is_averaged_over_pictures():
    pair = some(0), some(1)
    each = [pictures.ssim(pair[0][[number]], pair[1][[number]]) for number in (0, 1)]
    assert pictures.ssim(*pair) == pytest.approx(sum(each) / 2)
