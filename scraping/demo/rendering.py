"""Rendering many people: processes of one thread, each with a studio of its own."""

import io
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from inference.errors import UserError
from inference.figure.body import is_compiled
from scraping import stage
from scraping.demo.looks import draw
from scraping.demo.people import person
from scraping.demo.studio import Studio
from scraping.workers import Died, Workers


@dataclass(frozen=True)
class Job:
    """One picture to draw."""

    name: str
    look: str
    seed: int
    suffix: str  # jpg or png
    scale: float
    jpeg_quality: int
    folder: Path  # gets pictures/ and masks/


def results(jobs: Sequence[Job], workers: int) -> Iterator[tuple[str, dict]]:
    """Draw all jobs; yields name and row of each as it is done, in no order."""
    if jobs and not is_compiled():
        with Workers(1, compiler) as once:  # once a machine, in a process that gives its memory back
            list(once.run(deque([None])))
    with Workers(workers, drawer) as processes:
        for job, row in processes.run(deque(jobs)):
            if isinstance(row, Died):
                line = f"drawing {job.name} ended its process twice (exit code {row.exit_code}), perhaps for memory"
                raise UserError(f"{line}: free some or lower demo.workers, then run again; nothing is lost")
            yield job.name, row


def compiler() -> Callable[[None], None]:
    """Give what compiles the body, by loading a studio."""

    def compile_once(_: None) -> None:
        Studio()

    return compile_once


def drawer() -> Callable[[Job], dict]:
    """Load what a process shares between its pictures, and give what draws one."""
    cv2.setNumThreads(1)
    studio = Studio()
    return lambda job: draw_one(studio, job)


def draw_one(studio: Studio, job: Job) -> dict:
    """Draw a person; picture and mask are on disk before the row is returned."""
    subject = person(job.seed, job.look)
    sitting = studio.sit(subject, job.scale)
    drawn = draw(sitting)
    truth = studio.truth(sitting, drawn.mask)
    picture, mask = Image.fromarray(drawn.picture), Image.fromarray((drawn.mask * 255 + 0.5).astype(np.uint8))
    how = {"format": "PNG"} if job.suffix == "png" else {"format": "JPEG", "quality": job.jpeg_quality}
    file = f"pictures/{job.name}.{job.suffix}"
    stage.write_atomically(job.folder / file, _encoded(picture, **how))
    stage.write_atomically(job.folder / "masks" / f"{job.name}.png", _encoded(mask, format="PNG"))
    shown = {"file": file, "title": subject.title, "tags": subject.tags, "seed": job.seed}
    return {**shown, "width": picture.width, "height": picture.height, **truth}


def _encoded(picture: Image.Image, **how: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, **how)
    return buffer.getvalue()
