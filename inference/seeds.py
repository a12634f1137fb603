"""Seeds by number and by name."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass

from inference.errors import UserError

MAX_SEED = 2**32 - 1
MAX_COUNT = 10_000
NAME = re.compile(r"[^\W\d_][^,\n]{0,99}")
RANGE = re.compile(r"([0-9]{1,10})(?:-([0-9]{1,10}))?")


@dataclass(frozen=True)
class Seed:
    """A seed, and the name that it came from."""

    number: int
    name: str | None = None

    @property
    def title(self) -> str:
        return self.name or str(self.number)


def seed_of(seed: int | str) -> int:
    """Give the seed of a name: the first 32 bits of its sha256 (NFC, UTF-8); a number stands for itself."""
    if isinstance(seed, str):
        if not _is_name(seed):
            raise UserError(f"name {_shown(seed)} must begin with a letter and hold no comma, 100 characters at most")
        return int.from_bytes(hashlib.sha256(unicodedata.normalize("NFC", seed).encode()).digest()[:4], "big")
    if not (0 <= seed <= MAX_SEED and seed == int(seed)):
        raise UserError(f"seed {seed} must be a whole number from 0 to {MAX_SEED}, or a name")
    return int(seed)


def parse(text: str) -> list[Seed]:
    """Read seeds like "1-4,9,minji", in their order; too many are refused before they are counted out."""
    seeds: list[Seed] = []
    for part in (part.strip() for part in text.split(",")):
        found = RANGE.fullmatch(part)
        if found:
            first = seed_of(int(found[1]))
            last = first if found[2] is None else seed_of(int(found[2]))
            if last < first:
                raise UserError(f"seeds {part!r} run backwards: write {last}-{first}")
            if len(seeds) + last - first >= MAX_COUNT:
                raise UserError(f"seeds {_shown(text)} are more than {MAX_COUNT} at once: ask for fewer")
            seeds.extend(Seed(number) for number in range(first, last + 1))
        elif _is_name(part):
            seeds.append(Seed(seed_of(part), part))
        else:
            raise UserError(f"seeds {_shown(text)}: {_shown(part)} is no number, range like 1-16, or name")
    if len(seeds) > MAX_COUNT:
        raise UserError(f"seeds {_shown(text)} are more than {MAX_COUNT} at once: ask for fewer")
    return seeds


def shorten(numbers: list[int]) -> str:
    """Write numbers as they are asked for: [1, 2, 3, 9] is "1-3,9"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _is_name(text: str) -> bool:
    return bool(NAME.fullmatch(text)) and text.isprintable()


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
