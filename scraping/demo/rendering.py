"""Rendering many people: processes of one thread, each with a studio of its own."""

import io
import multiprocessing
import os
from collections.abc import Iterator, Sequence
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

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PATIENCE_SECONDS = 300
_studio: Studio


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
    if not jobs:
        return
    os.environ |= dict.fromkeys(THREADS, "1")  # one worker a core: no threads beside it
    context = multiprocessing.get_context("spawn")
    if not is_compiled():
        with context.Pool(1) as pool:  # once a machine, in a process that gives its memory back
            pool.apply(prepare)
    with context.Pool(min(workers, len(jobs)), initializer=prepare) as pool:
        drawn = pool.imap_unordered(draw_one, jobs)
        for _ in jobs:
            try:
                yield drawn.next(timeout=PATIENCE_SECONDS)
            except multiprocessing.TimeoutError:  # a pool replaces a killed worker, but its job is gone
                raise UserError(
                    f"no picture for {PATIENCE_SECONDS} s: a rendering process was killed, perhaps for memory; "
                    "free some or lower demo.workers, then run again: nothing is lost"
                ) from None


def prepare() -> None:
    """Load what a process shares between its pictures."""
    global _studio
    cv2.setNumThreads(1)
    _studio = Studio()


def draw_one(job: Job) -> tuple[str, dict]:
    """Draw a person; picture and mask are on disk before the row is returned."""
    subject = person(job.seed, job.look)
    sitting = _studio.sit(subject, job.scale)
    drawn = draw(sitting)
    truth = _studio.truth(sitting, drawn.mask)
    picture, mask = Image.fromarray(drawn.picture), Image.fromarray((drawn.mask * 255 + 0.5).astype(np.uint8))
    how = {"format": "PNG"} if job.suffix == "png" else {"format": "JPEG", "quality": job.jpeg_quality}
    file = f"pictures/{job.name}.{job.suffix}"
    stage.write_atomically(job.folder / file, _encoded(picture, **how))
    stage.write_atomically(job.folder / "masks" / f"{job.name}.png", _encoded(mask, format="PNG"))
    shown = {"file": file, "title": subject.title, "tags": subject.tags, "seed": job.seed}
    return job.name, {**shown, "width": picture.width, "height": picture.height, **truth}


def _encoded(picture: Image.Image, **how: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, **how)
    return buffer.getvalue()
