"""history.csv: a row of figures every so often, taken back where a killed training wrote more than it saved."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from scraping import stage


class History:
    """A CSV whose first column only grows."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, columns

    def append(self, row: Mapping[str, float]) -> None:
        """Write the columns that a row has; the others stay empty."""
        new = not self.path.exists()
        with open(self.path, "a", newline="") as stream:
            writer = csv.DictWriter(stream, self.columns, restval="")
            if new:
                writer.writeheader()
            writer.writerow({name: f"{row[name]:.6g}" for name in self.columns if name in row})

    def forget_after(self, last: float) -> None:
        """Drop what a killed run wrote after its last checkpoint: it is about to happen again."""
        if not self.path.exists():
            return
        lines = [line for line in self.path.read_text().splitlines(keepends=True) if line.endswith("\n")]
        if not lines:  # a full disk left not even the header whole
            self.path.unlink()
            return
        kept = [row for row in lines[1:] if float(row.split(",")[0]) <= last + 1e-9]
        stage.write_atomically(self.path, "".join([lines[0], *kept]).encode())
