import numpy as np
import pytest

from tests.training.dance import swinging
from training.dance.metrics import kinetic, sampling


def walking(fps: float, speed: float = 1.2, seconds: float = 2.0) -> np.ndarray:
    positions = swinging.standing(round(seconds * fps) + 1)
    positions[:, :, 2] += speed * np.arange(len(positions))[:, None] / fps
    return positions


def by_kind(vector: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(vector.reshape(24, 3).T)


@pytest.mark.parametrize("mode", ["legacy", "corrected"])
def test_an_even_walk_has_the_square_of_its_speed_and_no_vertical_energy(mode):
    across, up, _ = by_kind(kinetic.features(walking(60), 60, mode))
    np.testing.assert_allclose(across, 1.2**2)
    np.testing.assert_allclose(up, 0, atol=1e-20)


def test_corrected_an_even_walk_takes_no_force_and_a_fall_takes_gravity():
    assert by_kind(kinetic.features(walking(60), 60, "corrected"))[2].max() < 1e-9
    falling = swinging.standing(61)
    falling[:, :, 1] -= 9.81 / 2 * (np.arange(61)[:, None] / 60) ** 2
    np.testing.assert_allclose(by_kind(kinetic.features(falling, 60, "corrected"))[2], 9.81)


def test_legacy_force_is_3540_times_the_distance_from_where_the_root_began():
    still = swinging.standing(30)
    force = by_kind(kinetic.features(still, 60, "legacy"))[2]
    away = np.linalg.norm(sampling.zero_start(still)[0], axis=1)
    np.testing.assert_allclose(force, (60**2 - 60) * away)
    assert by_kind(kinetic.features(still, 60, "corrected"))[2].max() == 0


def test_only_legacy_frames_tell_where_one_stands():
    here = swinging.swaying(2, 60, 0.5)
    there = here + np.array([2.0, 0, 0])
    np.testing.assert_allclose(kinetic.of_frames(here, "corrected"), kinetic.of_frames(there, "corrected"), atol=1e-8)
    assert by_kind(kinetic.of_frames(there, "legacy"))[2][0] > 3 * 3540 * 0.5


def test_velocities_are_averaged_over_five_frames_cut_at_the_ends():
    positions = swinging.standing(12)
    positions[5:, 0, 0] = 0.1  # one jump of the root between frames 4 and 5
    seen = [0, 0, 1 / 5, 1 / 5, 1 / 5, 1 / 5, 1 / 5, 0, 0, 0, 0]  # share of the jump around frames 1..11
    across = by_kind(kinetic.of_frames(positions, "corrected"))[0][0]
    assert across == pytest.approx(np.mean((np.array(seen) * 0.1 * 60) ** 2))


def test_corrected_features_hardly_depend_on_the_frame_rate_of_the_clip():
    slow, fast = (kinetic.features(swinging.swaying(4, fps, 1.0), fps, "corrected") for fps in (30, 60))
    np.testing.assert_allclose(slow, fast, rtol=0.03, atol=1e-6)


def test_what_is_no_motion_is_refused():
    with pytest.raises(ValueError, match="not a number"):
        kinetic.features(np.full((9, 24, 3), np.nan), 60, "legacy")
    with pytest.raises(ValueError, match="at least 4 frames"):
        kinetic.features(np.zeros((3, 24, 3)), 60, "legacy")
