import pickle
import zipfile

import cv2
import numpy as np
import pytest
import torch

from inference import weights
from inference.errors import UserError
from training.metrics import archive, distances, inception

# Features 0, 511, 1023, 1535, 2047 and the mean of all, from the archive itself run once on `ramp`.
GOLDEN = {
    (64, 64): ([0.432642, 0.010657, 0.162035, 0.159898, 0.010943], 0.221763),
    (128, 64): ([0.754523, 0.033281, 0.005076, 0.013309, 0.015736], 0.230323),
    (256, 256): ([0.342878, 0.349905, 0.063813, 0.01349, 0.12095], 0.239353),
}


def ramp(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    bands = x * 255 // (width - 1), y * 255 // (height - 1), (x * 7 + y * 13) % 256
    return np.stack(bands, 2).astype(np.uint8)[None]


@pytest.fixture(scope="module")
def features() -> inception.Features:
    return inception.Features()


@pytest.mark.parametrize("shape", GOLDEN, ids=str)
def test_features_are_those_that_the_archive_itself_gives(features, shape):
    found = features(ramp(*shape))[0]
    chosen, mean = GOLDEN[shape]
    assert found[[0, 511, 1023, 1535, 2047]] == pytest.approx(chosen, abs=2e-5)
    assert found.mean() == pytest.approx(mean, abs=2e-6)


def test_features_do_not_depend_on_the_batch(features):
    pair = np.concatenate([ramp(64, 64), ramp(64, 64)[:, ::-1]])
    assert features(pair)[1] == pytest.approx(features(pair[1:])[0], abs=1e-4)
    assert features(pair[:0]).shape == (0, 2048)


def test_the_resizing_samples_at_multiples_with_no_half_pixel():
    line = np.arange(64, dtype=np.float64) * 4
    row = inception.presented(torch.from_numpy(np.tile(line.astype(np.uint8), (64, 1))[None, :, :, None].repeat(3, 3)))
    expected = np.interp(np.arange(299) * 64 / 299, np.arange(64), line)
    assert row[0, 0, 0].numpy() * 128 + 128 == pytest.approx(expected, abs=1e-3)


def test_the_resizing_is_exact_in_half_precision_too():
    picture = torch.from_numpy(ramp(64, 64))
    with torch.autocast("cpu", torch.bfloat16):
        half = inception.presented(picture)
    assert torch.equal(half, inception.presented(picture))


def test_every_tensor_of_the_archive_is_read():
    tensors = archive.tensors(weights.path("inception"))
    assert len(tensors) == 376
    assert sum(tensor.numel() for tensor in tensors.values()) == 21_802_784


class Calls:
    """A pickle of this runs a command when it is loaded without restraint."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return __import__("os").system, (self.command,)


def test_an_archive_that_names_anything_else_is_refused_and_runs_nothing(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.pt", "w") as file:
        file.writestr("a/data.pkl", pickle.dumps(Calls(f"touch {tmp_path}/ran")))
    with pytest.raises(UserError, match="system"):
        archive.tensors(tmp_path / "bad.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"PK" + data])
def test_a_damaged_archive_is_one_line(tmp_path, damage):
    whole = weights.path("inception").read_bytes()[-200_000:]
    (tmp_path / "half.pt").write_bytes(damage(whole))
    with pytest.raises(UserError, match=r"half\.pt is no TorchScript archive"):
        archive.tensors(tmp_path / "half.pt")


def gaussians(n: int, d: int, shift: float = 0.0, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, scale, (n, d))


def test_fid_of_known_gaussians():
    """|0 - 1|^2 * 4 + 4 * (1 - 2)^2 = 8 for standard deviations 1 and 2 in four dimensions."""
    found = distances.fid(gaussians(40_000, 4), gaussians(40_000, 4, shift=1.0, scale=2.0, seed=1))
    assert found.value == pytest.approx(8.0, rel=0.02)
    assert found.interval_95[0] < 8.0 < found.interval_95[1]
    assert found.n == (40_000, 40_000)


@pytest.mark.parametrize("n", [12, 60])
def test_fid_equals_the_root_of_the_product_of_covariances_also_with_fewer_pictures_than_features(n):
    first, second = gaussians(n, 30), gaussians(n, 30, 0.5, 1.5, seed=1)
    covariances = [np.cov(features, rowvar=False) for features in (first, second)]
    eigenvalues = np.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(0)
    expected = ((first.mean(0) - second.mean(0)) ** 2).sum() + sum(map(np.trace, covariances))
    assert distances.frechet(first, second) == pytest.approx(expected - 2 * np.sqrt(eigenvalues).sum(), rel=1e-5)


def test_fid_of_a_set_with_itself_is_nothing():
    assert distances.frechet(gaussians(50, 100), gaussians(50, 100)) == pytest.approx(0, abs=1e-8)


def test_kid_equals_its_definition_pair_by_pair():
    first, second = gaussians(7, 5), gaussians(4, 5, seed=1)

    def mean(x, y, same):
        pairs = [(a @ b / 5 + 1) ** 3 for i, a in enumerate(x) for j, b in enumerate(y) if not (same and i == j)]
        return np.mean(pairs)

    expected = mean(first, first, True) + mean(second, second, True) - 2 * mean(first, second, False)
    assert distances.kid(first, second).value == pytest.approx(expected)


def test_kid_has_no_bias_for_small_sets_and_its_interval_holds_the_truth_as_often_as_it_says():
    found = [distances.kid(gaussians(30, 8, seed=2 * i), gaussians(20, 8, 1.0, seed=2 * i + 1)) for i in range(300)]
    truth = distances.kid(gaussians(4000, 8, seed=1001), gaussians(4000, 8, 1.0, seed=1002)).value
    assert np.mean([each.value for each in found]) == pytest.approx(truth, rel=0.1)
    held = np.mean([each.interval_95[0] < truth < each.interval_95[1] for each in found])
    assert 0.88 < held <= 0.99
    same = [distances.kid(gaussians(30, 8, seed=2 * i), gaussians(20, 8, seed=2 * i + 1)).value for i in range(300)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(300)


def test_fid_falls_as_the_sets_grow_and_kid_does_not():
    small, large = ([gaussians(n, 20, seed=seed) for seed in (1, 2)] for n in (20, 200))
    assert distances.frechet(*small) > 2 * distances.frechet(*large)
    assert abs(distances.kid(*small).value) < 1


def test_leaving_out_follows_from_sums_exactly():
    first, second = gaussians(9, 5), gaussians(6, 5, seed=1)
    left = [distances.kid(np.delete(first, i, 0), second).value for i in range(9)]
    left_second = [distances.kid(first, np.delete(second, i, 0)).value for i in range(6)]
    half = distances.Z95 * np.sqrt(8 * np.var(left) + 5 * np.var(left_second))
    low, high = distances.kid(first, second).interval_95
    assert high - low == pytest.approx(2 * half)


def test_wilson_of_known_shares():
    assert distances.wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert distances.wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert distances.wilson(0, 0) == (0.0, 1.0)


def test_noise_is_farther_than_blur_and_blur_farther_than_the_other_half(features):
    rng = np.random.default_rng(0)
    pictures = np.stack([disc(rng) for _ in range(24)])
    blurred = np.stack([cv2.GaussianBlur(picture, (0, 0), 3) for picture in pictures[:8]])
    noise = rng.integers(0, 256, blurred.shape, dtype=np.uint8)
    reals, half, blurred, noise = (features(each) for each in (pictures[8:16], pictures[16:], blurred, noise))
    for distance in (distances.kid, distances.fid):
        values = [distance(other, reals).value for other in (half, blurred, noise)]
        assert values[2] > 1.5 * values[1] > 2 * values[0]


def disc(rng: np.random.Generator) -> np.ndarray:
    picture = np.full((64, 64, 3), 255, np.uint8)
    centre = tuple(int(value) for value in rng.integers(20, 44, 2))
    return cv2.circle(picture, centre, int(rng.integers(8, 18)), rng.integers(0, 200, 3).tolist(), -1)
