"""What the stage is told: where the videos lie, what makes a clip, and whose they are."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from preprocessing.raw import Rights
from scraping import stage

Share = Field(ge=0, le=1)


class Detector(stage.Settings):
    longest: tuple[int, ...] = Field(min_length=1)
    score: float = Share
    every: int = Field(ge=1, le=25)
    overlap: float = Share
    patience: int = Field(ge=0)


class FaceGates(stage.Settings):
    height: float = Field(gt=0)
    found: float = Share
    turn: float = Field(gt=0)
    others: float = Field(gt=0)
    blur: float = Share


class Speech(stage.Settings):
    threshold: float = Share
    least: float = Share
    silent: float = Share


class Splits(stage.Settings):
    val: float = Field(ge=0, lt=1)
    test: float = Field(ge=0, lt=1)


class AIHub(stage.Settings):
    views: str = Field(pattern="^[A-I]+$")
    ages: tuple[int, ...]
    margin: float = Field(ge=0, le=2)


class Settings(stage.Settings):
    root: Path | None
    layout: Literal["lrs2", "aihub", "folder"]
    workers: int = Field(ge=1, le=256)
    most_pixels: int = Field(gt=0)
    most_seconds: float = Field(gt=0)
    frames: tuple[int, int]
    detector: Detector
    face: FaceGates
    speech: Speech
    splits: Splits
    rights: Rights
    aihub: AIHub
    notation: Literal["first", "second"]
