"""Count the pictures in which a detector finds exactly one face or person."""

from collections.abc import Callable, Iterable

import cv2
import numpy as np

from inference.faces import FaceDetector
from training.metrics.distances import wilson

WHITE = (255, 255, 255)

Counter = Callable[[np.ndarray], int]


def face_counter(longest: int, margin: int, score: float) -> Counter:
    """Count faces by YuNet in pictures shown with a longest side of `longest` pixels and a white margin around."""
    detector = FaceDetector((longest + 2 * margin,), score)
    return lambda picture: len(detector.detect(shown(picture, longest, margin)))


def person_counter(longest: int, margin: int, score: float, threads: int) -> Counter:
    """Count people by YOLOv5; the side with both margins is a multiple of 32."""
    from preprocessing.person import PersonDetector  # AGPL-3.0, an extra: loaded where bodies are measured

    detector = PersonDetector(longest + 2 * margin, score, threads=threads)
    return lambda picture: len(detector.detect(shown(picture, longest, margin)))


def shown(picture: np.ndarray, longest: int, margin: int) -> np.ndarray:
    """Bring HxWx3 uint8 to `longest` pixels, bicubic, on white: real pictures and made ones alike."""
    height, width = picture.shape[:2]
    scale = longest / max(height, width)
    wanted = round(width * scale), round(height * scale)
    larger = cv2.resize(picture, wanted, interpolation=cv2.INTER_CUBIC if scale >= 1 else cv2.INTER_AREA)
    return cv2.copyMakeBorder(larger, *[margin] * 4, cv2.BORDER_CONSTANT, value=WHITE)


def exactly_one(counts: Iterable[int]) -> dict:
    """Give the share of pictures with one find, its N and its interval (Wilson)."""
    counts = list(counts)
    ones = sum(count == 1 for count in counts)
    return {
        "share": round(ones / len(counts), 4) if counts else None,
        "n": len(counts),
        "interval_95": [round(edge, 4) for edge in wilson(ones, len(counts))],
        "none": sum(count == 0 for count in counts),
        "more": sum(count > 1 for count in counts),
    }
