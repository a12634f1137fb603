"""Tables of figures on the page: each figure with its interval and its N, and where it was read from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

OURS = ("this run", "this run, feet locked", "starter")  # every other row says what the figures of these mean

LARGE = 100_000


@dataclass(frozen=True)
class Column:
    """A figure that rows have: its heading, how a value is written, which values are better, how to read it."""

    heading: str
    shape: str
    better: str = ""
    reading: str = ""


@dataclass(frozen=True)
class Cell:
    """A figure in a table."""

    value: str
    interval: str
    n: str
    verdict: str = ""  # better, worse or same, where it says so


@dataclass(frozen=True)
class Row:
    """A line of a table."""

    name: str
    about: str
    cells: list[Cell]
    ours: bool | None  # None: it is neither ours nor beside ours


@dataclass(frozen=True)
class Table:
    """Figures of several rows, and where they were read from."""

    columns: list[Column]
    rows: list[Row]
    source: str
    command: str
    why_not: str

    @property
    def headings(self) -> list[str]:
        return [column.heading for column in self.columns]


def table(figures: dict, columns: Mapping[str, Column], source: Path, command: str) -> Table:
    """Lay out rows under the headings of which at least one row has a figure; `a.b` is the figure b of what is in a."""
    there = {path: column for path, column in columns.items() if any(known(at(row, path)) for row in figures["rows"])}
    return Table(
        columns=list(there.values()),
        rows=[
            Row(
                name=row["name"],
                about=row.get("about", ""),
                cells=[cell(at(row, path), column.shape) for path, column in there.items()],
                ours=row["name"] in OURS,
            )
            for row in figures["rows"]
        ],
        source=str(source),
        command=command.strip(),
        why_not="" if figures["measured"] else figures["why"],
    )


def at(row: dict, path: str) -> dict | None:
    """Find a figure of a row, or None where it has none."""
    return reduce(lambda part, key: (part or {}).get(key), path.split("."), row)


def cell(figure: dict | None, shape: str) -> Cell:
    """Write one figure; its N counts clips, frames, sounds or dances."""
    if not known(figure):
        return Cell("", "", "")
    return Cell(written(value(figure), shape), interval(figure, shape), counted(figure, shape))


def written(number: float, shape: str) -> str:
    """Write a number in its shape; a very large one, of which only the size matters, by its power of ten."""
    return shape.format(number) if abs(number) < LARGE else f"{number:.1e}"


def interval(figure: dict, shape: str) -> str:
    """Write the ends of a figure's interval, where it has one."""
    return " to ".join(written(end, shape) for end in figure["interval_95"] or [])


def counted(figure: dict, shape: str) -> str:
    """Say of how many a figure is; a distance is of some against others, and has a floor in its own unit."""
    counts = figure["n"] if isinstance(figure["n"], list) else [figure["n"]]
    floor = f", floor {written(figure['floor'], shape)}" if figure.get("floor") is not None else ""
    return "N " + " against ".join(f"{count:g}" for count in counts) + floor


def known(figure: dict | None) -> bool:
    return figure is not None and value(figure) is not None


def value(figure: dict) -> float | None:
    """Give what a figure says: a mean's value, or a share of clips."""
    return figure["value"] if "value" in figure else figure["share"]
