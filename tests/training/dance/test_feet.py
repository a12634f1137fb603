import numpy as np
import pytest

from tests.training.dance import swinging
from training.dance.metrics import feet

LEFT, RIGHT = swinging.FEET[:2], swinging.FEET[2:]


def sliding(speed: float, fps: float, joints: list[int], frames: int = 60) -> np.ndarray:
    positions = swinging.standing(frames)
    positions[:, joints, 2] += speed * np.arange(frames)[:, None] / fps
    return positions


def bouncing(seconds: float, fps: float, slide: float = 0.3, speed: float = 1.0) -> np.ndarray:
    """Feet slide evenly while the root goes from side to side."""
    positions = sliding(slide, fps, swinging.FEET, round(seconds * fps) + 1)
    positions[:, 0, 0] += speed * 0.2 * np.sin(2 * np.pi * np.arange(len(positions)) / fps)
    return positions


def test_feet_that_slide_are_measured_in_centimetres_a_second():
    assert feet.footing(sliding(0.25, 30, swinging.FEET), 30).skate == pytest.approx(25)
    assert feet.footing(sliding(0.25, 60, swinging.FEET), 60).skate == pytest.approx(25)
    assert feet.footing(sliding(0.25, 30, LEFT), 30).skate == pytest.approx(12.5)
    assert feet.footing(swinging.standing(60), 30).skate == 0


def test_feet_that_tremble_slide_as_much_whatever_the_rate_of_the_clip():
    trembling = sliding(0.1, 120, swinging.FEET, 241)
    trembling[::2, swinging.FEET, 0] += 0.002  # back at the next frame: 24 cm/s at 120 frames a second
    found = [feet.footing(trembling[:: 120 // fps], fps).skate for fps in (30, 60, 120)]
    assert found == pytest.approx([10, 10, 10])


def test_a_foot_that_turns_on_its_ball_or_is_lifted_does_not_slide():
    turning = sliding(0.4, 30, [LEFT[0]])
    lifted = sliding(2.0, 30, LEFT)
    lifted[:, LEFT, 1] += 0.1
    assert feet.footing(turning, 30).skate == 0
    assert feet.footing(lifted, 30).skate == 0


def test_somebody_in_the_air_has_no_skate_and_floats():
    positions = sliding(1.0, 30, swinging.FEET)
    positions[:, :, 1] += 0.5
    found = feet.footing(positions, 30)
    assert found.skate is None
    assert found.floating == pytest.approx(50)
    assert found.penetration == 0


def test_a_foot_in_the_floor_is_as_deep_as_it_is():
    positions = swinging.standing(10)
    positions[:5, LEFT, 1] -= 0.03
    found = feet.footing(positions, 30)
    assert (found.penetration, found.sunk, found.floating) == pytest.approx((1.5, 0.5, 0), abs=1e-4)


def test_legacy_pfc_falls_with_the_square_of_the_frame_rate_and_corrected_stays():
    legacy = [feet.pfc(bouncing(4, fps), fps, "legacy") for fps in (30, 60)]
    corrected = [feet.pfc(bouncing(4, fps), fps, "corrected") for fps in (30, 60)]
    assert legacy[0] / legacy[1] == pytest.approx(4, rel=0.02)
    assert corrected[0] == pytest.approx(corrected[1], rel=0.02)


def test_a_jolt_of_the_root_divides_legacy_pfc_and_hardly_moves_the_corrected():
    smooth = bouncing(4, 30)
    jolted = smooth.copy()
    jolted[60, 0, 0] += 0.15
    assert feet.pfc(jolted, 30, "legacy") < feet.pfc(smooth, 30, "legacy") / 5
    assert feet.pfc(jolted, 30, "corrected") == pytest.approx(feet.pfc(smooth, 30, "corrected"), rel=0.1)


def test_who_falls_needs_no_feet_and_who_rises_does():
    falling, rising = bouncing(1, 30, speed=0), bouncing(1, 30, speed=0)
    drop = 9.81 / 2 * (np.arange(31) / 30) ** 2
    falling[:, 0, 1] -= drop
    rising[:, 0, 1] += drop
    assert feet.pfc(falling, 30, "corrected") == 0
    assert feet.pfc(rising, 30, "corrected") == pytest.approx((0.3 / 30) ** 2 * 1e4, rel=1e-3)


def test_a_frozen_clip_is_nothing_by_nothing_in_legacy_and_zero_corrected():
    assert feet.pfc(swinging.standing(30), 30, "legacy") is None
    assert feet.pfc(swinging.standing(30), 30, "corrected") == 0
