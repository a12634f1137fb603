"""The part that ships.

from inference import Avatars, grid, load

avatars = Avatars(load("portrait"))
sheet = grid(avatars.generate(["minji", 7]))     # uint8 HxWx3
"""

from importlib import import_module
from typing import Any

HOMES = {"Avatars": "inference.avatars", "grid": "inference.avatars", "load": "inference.bundle"}
__all__ = ["Avatars", "grid", "load"]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)
