import numpy as np
import pytest

from training.dance.metrics import frechet


def drawn(seed: int, count: int, width: int = 6, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, scale, (count, width))


def placed(features: np.ndarray, true: np.ndarray, mode: str = "corrected") -> tuple[np.ndarray, np.ndarray]:
    space = frechet.space(true, mode)
    return space.place(features), space.place(true)


def test_fid_is_that_of_the_two_gaussians():
    ours, true = placed(drawn(0, 20000, 2, shift=1, scale=2), drawn(1, 20000, 2))
    assert frechet.fid(ours, true) == pytest.approx(2 * 1**2 + 2 * (2 - 1) ** 2, rel=0.05)


def test_fid_does_not_depend_on_the_units_of_a_feature():
    ours, true, units = drawn(0, 50, shift=0.5), drawn(1, 80), np.array([1, 10, 1e3, 1e-3, 5, 7])
    assert frechet.fid(*placed(ours * units, true * units)) == pytest.approx(frechet.fid(*placed(ours, true)))


def test_fid_of_the_published_features_is_what_scipys_root_gives(assets):
    for kind, wanted in (("kinetic", 52.2534), ("manual", 51.7468)):  # legacy, 20 sequences for truth, 10 for ours
        files = sorted((assets / f"dance/aistpp_gt_features/{kind}_features").glob("*.npy"))
        features = np.array([np.load(file) for file in files])
        assert frechet.fid(*placed(features[20:], features[:20], "legacy")) == pytest.approx(wanted, abs=1e-3)


def test_few_dances_of_the_truth_itself_are_far_from_it_in_fid_and_near_in_kid():
    true = drawn(0, 400, 40)
    ours, rest = placed(drawn(1, 30, 40), true)
    assert frechet.fid(ours, rest) > 10
    assert abs(frechet.kid(ours, rest)) < 0.2


def test_the_floor_is_what_as_many_true_dances_score():
    ours, true = placed(drawn(1, 30, 40), drawn(0, 400, 40))
    assert frechet.floor(true, 30, 3, 0) == pytest.approx(frechet.fid(ours, true), rel=0.2)
    assert frechet.floor(true, 30, 1, 0) == frechet.floor(true, 30, 1, 0)
    assert frechet.floor(true, 399, 1, 0) is None


def test_a_feature_that_never_varies_in_truth_explodes_legacy_and_is_left_out_else():
    true, ours = drawn(0, 30), drawn(1, 30)
    true[:, 2], ours[:, 2] = 0.1, 0.10001
    assert frechet.fid(*placed(ours, true, "legacy")) > 1e9
    assert frechet.fid(*placed(ours, true)) < 3
    assert frechet.space(true, "corrected").kept.sum() == 5


def test_diversity_is_the_mean_distance_of_two_dances():
    assert frechet.diversity(np.array([[0.0, 0], [3, 4], [0, 0]])) == pytest.approx(10 / 3)
    assert frechet.diversity(np.zeros((1, 2))) is None


def test_too_few_dances_have_no_distance():
    assert frechet.fid(drawn(0, 2), drawn(1, 9)) is None
    assert frechet.kid(drawn(0, 2), drawn(1, 9)) is None


def test_an_interval_leaves_out_songs_and_is_none_of_a_single_one():
    true = drawn(0, 200)
    alike = {name: drawn(number, 10, shift=0.5) for number, name in enumerate("abcdef", 1)}
    one_apart = alike | {"f": drawn(6, 10, shift=3)}
    widths = []
    for groups in (alike, one_apart):
        value, (low, high) = frechet.jackknife(groups, true)
        assert low < value < high
        widths.append(high - low)
    assert widths[1] > 2 * widths[0]
    assert frechet.jackknife({"a": alike["a"]}, true)[1] is None
    assert frechet.jackknife({}, true) == (None, None)


def test_the_published_features_have_the_diversity_that_scipy_and_bailandos_code_find(assets):
    found = {}
    for kind in ("kinetic", "manual"):
        files = sorted((assets / f"dance/aistpp_gt_features/{kind}_features").glob("*.npy"))
        features = np.array([np.load(file) for file in files])
        found[kind] = frechet.diversity(frechet.space(features, "legacy").place(features))
    assert found["kinetic"] == pytest.approx(10.12108, abs=1e-4)
    assert found["manual"] == pytest.approx(7.69706, abs=1e-4)
