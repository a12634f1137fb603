"""Read and show what strangers wrote: JSON within bounds, text that cannot steer a terminal."""

import json
import math
from typing import Any

MAX_DEPTH = 32


def parse(text: str | bytes) -> Any:
    """Read JSON that says each thing once, in finite numbers, nested `MAX_DEPTH` deep at most; else `ValueError`."""
    try:
        value = json.loads(text, object_pairs_hook=_distinct, parse_float=_finite, parse_constant=_finite)
    except RecursionError:
        raise ValueError("nested too deep") from None
    _check_depth(value, MAX_DEPTH)
    return value


def plain(text: object) -> str:
    """Make text fit for a terminal: one line, without control characters, half letters or turns of direction."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(text))


def shown_json(value: Any) -> str:
    """Write JSON for a terminal and for programs: what `plain` takes out is escaped, and so kept."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return "".join(
        letter if letter.isprintable() or letter == "\n" else json.dumps(letter).strip('"') for letter in text
    )


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has the same key twice")
    return found


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:20]} is no finite number")
    return value


def _check_depth(value: Any, left: int) -> None:
    if isinstance(value, dict | list):
        if not left:
            raise ValueError("nested too deep")
        for part in value.values() if isinstance(value, dict) else value:
            _check_depth(part, left - 1)
