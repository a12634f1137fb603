"""Options of commands whose errors name the value (Typer's own do not)."""

import math
import re
from typing import Any

import typer

from inference.errors import UserError


def numeric(*names: str, help: str, whole: tuple[int, int] | None = None) -> Any:
    """Make an option for a number, or a whole one in a range."""

    def read(text: str | float) -> float:
        text = str(text)
        try:
            value = float(text) if whole is None else int(text) if re.fullmatch("[0-9]{1,9}", text) else None
        except ValueError:
            value = None
        if value is None or not math.isfinite(value) or (whole and not whole[0] <= value <= whole[1]):
            wanted = f"a whole number from {whole[0]} to {whole[1]}" if whole else "a number"
            raise UserError(f"{names[0]} {text[:60]!r} must be {wanted}")
        return value

    return typer.Option(*names, parser=read, metavar="N" if whole else "NUMBER", help=help)
