"""The weight of a loss over a training."""

import pytest
from pydantic import ValidationError

from training.wav2lip.schedule import Schedule, Weight


def schedule(points, below=None) -> Schedule:
    return Schedule(Weight(points=points, below=below))


def test_a_weight_is_a_line_through_its_points():
    weight = schedule([(10, 0.0), (20, 0.03), (40, 0.01)])
    assert [weight.at(step) for step in (0, 10, 15, 20, 30, 40, 99)] == pytest.approx(
        [0, 0, 0.015, 0.03, 0.02, 0.01, 0.01]
    )
    assert schedule([(0, 0.03)]).at(0) == 0.03


def test_under_a_threshold_it_begins_once_and_stays():
    weight = schedule([(0, 0.01)], below=0.75)
    seen = []
    for step, held_out in ((10, 0.9), (20, 0.76), (30, 0.74), (40, 0.9)):
        weight.observe(step, held_out)
        seen.append(weight.at(step))
    assert seen == [0, 0, 0.01, 0.01]


def test_what_it_has_seen_is_kept():
    before, after = schedule([(0, 0.0), (10, 0.1)], below=0.75), schedule([(0, 0.0), (10, 0.1)], below=0.75)
    before.observe(100, 0.5)
    after.load_state_dict(before.state_dict())
    assert after.at(105) == pytest.approx(0.05)


@pytest.mark.parametrize("points", [[], [(5, 0.1), (5, 0.2)], [(5, 0.1), (1, 0.2)], [(0, 1.0)], [(-1, 0.1)]])
def test_points_out_of_order_or_range_are_refused(points):
    with pytest.raises(ValidationError):
        Weight(points=points, below=None)
