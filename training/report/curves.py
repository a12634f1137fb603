"""Curves as plain SVG paths: what history.csv says of a training, drawn without any script."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars

WIDTH, HEIGHT = 340, 180
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 24
CHARTS = {
    "Losses": {"generator": "loss_g", "discriminator": "loss_d"},
    "What the discriminator says": {
        "reals": "scores_real",
        "held-out reals": "scores_held_out",
        "fakes": "scores_fake",
    },
    "Augmentation": {"p": "p", "r_t": "r_t"},
    "R1": {"R1 penalty": "r1"},
    "Path length": {"path length penalty": "path_length"},
    "Gradient norms": {"generator": "grad_g", "discriminator": "grad_d"},
    "Throughput": {"kimg/s": "kimg_per_second"},
}


@dataclass(frozen=True)
class Line:
    """One curve: its name, its last value, its path."""

    name: str
    last: str
    path: str


@dataclass(frozen=True)
class Chart:
    """A titled frame with curves; ticks are (position in pixels, label)."""

    title: str
    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]


def charts(history: Path, wanted: Mapping[str, Mapping[str, str]] = CHARTS, over: str = "kimg") -> list[Chart]:
    """Draw every chart of which history.csv holds at least one column with a number in it, over one of its columns."""
    table = polars.read_csv(history, infer_schema_length=None, null_values=["", "nan", "NaN", "inf", "-inf"])
    numbers = {name: table[name].cast(polars.Float64).to_list() for name in table.columns}
    drawn = []
    for title, columns in wanted.items():
        series = {name: numbers[column] for name, column in columns.items() if any_number(numbers.get(column, []))}
        if series:
            drawn.append(chart(title, numbers[over], series))
    return drawn


def chart(title: str, x: list[float], series: dict[str, list[float | None]]) -> Chart:
    """Lay out named series over one x; a curve passes over its Nones: what is regularised lazily has many."""
    values = [value for curve in series.values() for value in curve if value is not None]
    x_ticks, y_ticks = ticks(min(x), max(x)), ticks(min(values), max(values))
    right, top = max(max(x), x_ticks[-1]), max(max(values), y_ticks[-1])
    left, bottom = min(min(x), x_ticks[0]), min(min(values), y_ticks[0])

    def across(value: float) -> float:
        return round(LEFT + (value - left) / (right - left) * (WIDTH - LEFT - RIGHT), 1)

    def up(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - bottom) / (top - bottom) * (HEIGHT - TOP - BOTTOM), 1)

    lines = []
    for name, curve in series.items():
        points = [(across(at), up(y)) for at, y in zip(x, curve, strict=True) if y is not None]
        last = next(value for value in reversed(curve) if value is not None)
        lines.append(Line(name, f"{last:.3g}", path(points)))
    return Chart(
        title,
        lines,
        [(across(tick), f"{tick:g}") for tick in x_ticks],
        [(up(tick), f"{tick:g}") for tick in y_ticks],
    )


def path(points: list[tuple[float, float]]) -> str:
    """Write an SVG path through points."""
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Choose up to `most` + 1 round numbers (1, 2 or 5 times a power of ten apart) that span low to high."""
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-9):
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    least = (high - low) / most
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if power * factor >= least * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def any_number(values: list[float | None]) -> bool:
    return any(value is not None for value in values)
