"""What the stage is told: where the dances lie, in which layout, what is left out, and whose they are."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from preprocessing.raw import Rights
from scraping import stage


class Splits(stage.Settings):
    by: Literal["rule", "lists", "song"] | None
    lists: Path | None
    val: float = Field(ge=0, lt=1)
    test: float = Field(ge=0, lt=1)


class Gates(stage.Settings):
    still: float = Field(gt=0, le=1)
    speed: float = Field(gt=0)
    residual: float = Field(gt=0)


class Joints(stage.Settings):
    fps: float = Field(gt=0, le=240)
    metres: float = Field(gt=0)
    up: Literal["x", "y", "z"]
    centred: bool


class Settings(stage.Settings):
    root: Path | None
    layout: Literal["aistpp", "melody", "joints"]
    read: Literal["motions", "keypoints3d"]
    music: Path | None
    workers: int = Field(ge=1, le=256)
    seconds: float = Field(gt=0)
    most_seconds: float = Field(gt=0)
    gates: Gates
    joints: Joints
    splits: Splits
    rights: Rights
