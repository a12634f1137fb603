"""Curves of a training as SVG paths."""

import itertools
import re

import pytest

from training.report import curves


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 17), (0.0021, 0.0024), (5, 5), (0, 0), (1e-9, 4e6)])
def test_ticks_are_few_round_numbers_that_span_the_values(low, high):
    marks = curves.ticks(low, high)
    assert marks[0] <= low
    assert marks[-1] >= high
    assert 2 <= len(marks) <= 7
    steps = {round(second - first, 12) for first, second in itertools.pairwise(marks)}
    assert f"{steps.pop():.0e}"[0] in "125"


def test_a_curve_goes_where_its_values_are():
    drawn = curves.chart("loss", [0, 5, 10], {"one": [0.0, 1.0, 0.0]})
    points = [tuple(map(float, point.split())) for point in re.split("[ML]", drawn.lines[0].path)[1:]]
    bottom, right = curves.HEIGHT - curves.BOTTOM, curves.WIDTH - curves.RIGHT
    assert points == [(curves.LEFT, bottom), ((curves.LEFT + right) / 2, curves.TOP), (right, bottom)]


def test_a_curve_passes_over_ticks_without_a_value_and_tells_its_last_one():
    line = curves.chart("R1", [0, 1, 2, 3], {"r1": [0.5, None, 0.25, None]}).lines[0]
    assert line.path.count("L") == 1
    assert line.last == "0.25"


def test_charts_are_drawn_of_the_columns_that_hold_numbers(tmp_path):
    history = tmp_path / "history.csv"
    history.write_text("kimg,loss_g,loss_d,p,scores_held_out\n0,1.5,1.2,0,\n0.5,nan,1.1,0.02,\n1,1.1,1.0,0.04,\n")
    drawn = {chart.title: [line.name for line in chart.lines] for chart in curves.charts(history)}
    assert drawn == {"Losses": ["generator", "discriminator"], "Augmentation": ["p"]}
