"""Show the demo people, as they were drawn, to the detectors that will look for them.

    python -m benchmarks.originals --json                # what `make repro` drew: data/gallery
    python -m benchmarks.originals --score 0.25

A picture counts as found where YuNet (faces of portraits) or yolov5nu (people of the other corpora) reports at least
one with that score; `exactly_one` where it reports no second. Noise of the same number shows what finds nothing.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from inference import media
from inference.errors import UserError
from inference.faces import FaceDetector
from preprocessing.person import PersonDetector

GALLERY = Path("data/gallery")
MAX_PIXELS = 64_000_000
LONGEST = 640  # pixels shown to YOLO


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--score", type=float, default=0.25, help="least score of a person; faces use YuNet's own 0.6")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    arguments = parser.parse_args()
    faces, people = FaceDetector(score=0.6), PersonDetector(LONGEST, arguments.score)
    detectors = {"portrait": faces.detect, "fullbody": people.detect, "fashion": people.detect}
    figures = {corpus: found_in(GALLERY / corpus / "pictures", detect) for corpus, detect in detectors.items()}
    print(json.dumps(figures, indent=None if arguments.json else 2))


def found_in(folder: Path, detect: Callable[[np.ndarray], list]) -> dict:
    """Count the pictures of a folder in which a detector (HxWx3 uint8 -> finds) finds someone, and in noise."""
    files = sorted(folder.glob("*"))
    if not files:
        raise UserError(f"{folder} holds no pictures: run `make repro` first")
    pictures = [np.asarray(media.decode(file.read_bytes(), MAX_PIXELS).convert("RGB")) for file in files]
    counts = [len(detect(picture)) for picture in pictures]
    in_noise = [len(detect(noise(seed, picture.shape))) for seed, picture in enumerate(pictures)]
    return {
        "n": len(files),
        "found": sum(count > 0 for count in counts) / len(files),
        "exactly_one": sum(count == 1 for count in counts) / len(files),
        "found_in_noise": sum(count > 0 for count in in_noise) / len(files),
    }


def noise(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Draw coloured noise of a coarse grain, as large as a picture."""
    height, width, _ = shape
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
