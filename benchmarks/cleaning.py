"""Measure the cleaning against what people write: YOLO and rembg in a loop.

    python -m benchmarks.cleaning --json
    python -m benchmarks.cleaning --pictures ~/photos --count 40

Ours, with a worker a core, and the others', with their libraries' threads on all cores, take turns on blocks of the
same pictures in one run. Two loops are measured:

- `detect_then_matte`: YOLO at 640 pixels on the picture, rembg.remove on the padded crop, white ground, resize.
- `matte_then_detect`: rembg.remove on the picture, YOLO at 640 on it, crop, white ground, resize.
"""

import argparse
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from PIL import Image

from inference.errors import UserError
from preprocessing import cropping, matting
from preprocessing.clean import Cleaner, Settings, Task
from preprocessing.person import NMS_IOU, PersonDetector
from scraping import stage
from scraping.workers import Workers

BLOCK = 8  # pictures a turn


class Watched:
    """A cleaner that also tells the CPU seconds of its networks' forward passes alone: what a worker here runs."""

    def __init__(self, settings: Settings) -> None:
        self.cleaner = Cleaner(settings)
        self.seconds: Counter[str] = Counter()
        self.started = 0.0
        yolo = self.cleaner.people.net.model
        yolo.register_forward_pre_hook(lambda *_: self._start())
        yolo.register_forward_hook(lambda *_: self._stop("detect"))
        self.network = self.cleaner.matter.network
        self.cleaner.matter.network = self._matte

    def __call__(self, task: Task) -> tuple[np.ndarray | None, dict[str, float], float]:
        self.seconds.clear()
        started = time.process_time()
        picture = self.cleaner(task).picture
        return picture, dict(self.seconds), time.process_time() - started

    def _start(self) -> None:
        self.started = time.process_time()

    def _stop(self, name: str) -> None:
        self.seconds[name] += time.process_time() - self.started

    def _matte(self, pixels: np.ndarray) -> np.ndarray:
        self._start()
        raw = self.network(pixels)
        self._stop("matte")
        return raw


class Ours:
    """The pool of the stage on blocks of pictures."""

    def __init__(self, settings: Settings, cores: int) -> None:
        self.workers: Workers = Workers(cores, Watched, settings)
        self.forward_seconds: Counter[str] = Counter()
        self.cpu_seconds = 0.0

    def __call__(self, paths: Sequence[Path]) -> list[np.ndarray | None]:
        tasks = [Task(hashlib.sha256(path.read_bytes()).hexdigest(), path) for path in paths]
        pictures = {}
        for task, (picture, seconds, cpu_seconds) in self.workers.run(deque(tasks)):
            pictures[task.file] = picture
            self.forward_seconds.update(seconds)
            self.cpu_seconds += cpu_seconds
        return [pictures[path] for path in paths]


class Theirs:
    """The two libraries as their documentation shows them, on all cores, with the sessions opened once."""

    def __init__(self, settings: Settings, cores: int) -> None:
        import rembg

        self.settings = settings
        self.remove = rembg.remove
        self.session = matting.open_matter("rembg", settings.matte.model, cores).session  # rembg's, given the file
        self.yolo = PersonDetector(640, settings.person.score).net
        torch.set_num_threads(cores)

    def detect_then_matte(self, paths: Sequence[Path]) -> list[np.ndarray | None]:
        finished: list[np.ndarray | None] = []
        for path in paths:
            picture = Image.open(path).convert("RGB")
            crop = self._crop(picture)
            finished.append(self._finish(self.remove(picture.crop(crop), session=self.session)) if crop else None)
        return finished

    def matte_then_detect(self, paths: Sequence[Path]) -> list[np.ndarray | None]:
        finished: list[np.ndarray | None] = []
        for path in paths:
            picture = Image.open(path).convert("RGB")
            cutout = self.remove(picture, session=self.session)
            crop = self._crop(picture)
            finished.append(self._finish(cutout.crop(crop)) if crop else None)
        return finished

    def _crop(self, picture: Image.Image) -> cropping.Crop | None:
        found = self.yolo.predict(picture, classes=[0], conf=self.settings.person.score, iou=NMS_IOU, verbose=False)
        boxes = found[0].boxes.xyxy.tolist()
        if not boxes:
            return None
        largest = max(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
        return cropping.around_body(tuple(largest), self.settings.tall, self.settings.person.padding)

    def _finish(self, cutout: Image.Image) -> np.ndarray:
        ground = Image.new("RGB", cutout.size, "white")
        ground.paste(cutout, mask=cutout.getchannel("A"))
        return np.asarray(ground.resize((self.settings.width, self.settings.height), Image.Resampling.LANCZOS))


def measure(paths: list[Path], ours: Ours, theirs: Theirs) -> dict:
    """Let all three take turns on blocks of the pictures; tell speed, the networks' share of CPU time, differences."""
    ways = {"ours": ours, "detect_then_matte": theirs.detect_then_matte, "matte_then_detect": theirs.matte_then_detect}
    for way in ways.values():
        way(paths[: 2 * ours.workers.count])  # warm up
    ours.forward_seconds.clear()
    ours.cpu_seconds = 0.0
    wall, cpu, results = Counter(), Counter(), defaultdict(list)
    for turn, start in enumerate(range(0, len(paths), BLOCK)):
        for name in (list(ways) * 2)[turn % 3 : turn % 3 + 3]:
            started, cpu_started = time.perf_counter(), time.process_time()
            results[name] += ways[name](paths[start : start + BLOCK])
            wall[name] += time.perf_counter() - started
            cpu[name] += time.process_time() - cpu_started
    cpu["ours"] += ours.cpu_seconds
    figures: dict[str, Any] = {"pictures": len(paths)}
    for name in ways:
        figures[name] = {
            "kept": sum(result is not None for result in results[name]),
            "images_per_second": round(len(paths) / wall[name], 3),
            "images_per_cpu_second": round(len(paths) / cpu[name], 3),
        }
        if name != "ours":
            figures[name]["ours_is_faster_by"] = round(wall[name] / wall["ours"], 3)
            figures[name]["ours_is_faster_by_cpu"] = round(cpu[name] / cpu["ours"], 3)
            figures[name] |= differences(results["ours"], results[name])
    figures["ours"]["forward_share"] = round(ours.forward_seconds.total() / cpu["ours"], 4)
    milliseconds = {name: round(1e3 * spent / len(paths), 1) for name, spent in sorted(ours.forward_seconds.items())}
    figures["ours"]["forward_cpu_ms_a_picture"] = milliseconds
    return figures


def differences(ours: list, theirs: list) -> dict:
    """Compare the finished pictures that both kept: mean difference of 255, and overlap of what is not white."""
    both = [(a, b) for a, b in zip(ours, theirs, strict=True) if a is not None and b is not None]
    pairs = [(a.astype(int), b.astype(int)) for a, b in both]
    if not pairs:
        return {"both_kept": 0}
    shapes = [((a < 245).any(axis=2), (b < 245).any(axis=2)) for a, b in pairs]
    return {
        "both_kept": len(pairs),
        "mean_difference_of_255": round(statistics.mean(float(np.abs(a - b).mean()) for a, b in pairs), 2),
        "median_shape_overlap": round(statistics.median(float((a & b).sum() / (a | b).sum()) for a, b in shapes), 3),
    }


def textures(folder: Path, count: int, width: int = 550, height: int = 827) -> list[Path]:
    """Draw pictures without people, as large as the photographs: noise of some grain."""
    paths = []
    for index in range(count):
        rng = np.random.default_rng(index)
        grain = int(rng.integers(2, 40))
        small = rng.integers(0, 256, (height // grain + 1, width // grain + 1, 3), np.uint8)
        path = folder / f"texture-{index:03d}.jpg"
        Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(path, quality=90)
        paths.append(path)
    return paths


def settings_of(*overrides: str) -> Settings:
    with initialize_config_dir(str(stage.ROOT / "conf"), version_base="1.3"):
        return stage.settings(compose("preprocessing/images", ["corpus=fashion", *overrides]), "images", Settings)


def backend(settings: Settings) -> str:
    """Name what runs the matte network, and in which precision."""
    name = settings.matte.backend
    return f"openvino, {matting.openvino_precision()}" if name == "openvino" else f"{name}, f32"


def photographs(folder: str | None, count: int) -> list[Path]:
    """Pick pictures evenly from the folder named, the assets, or the scraped fashion corpus."""
    assets = os.environ.get("DRAMATIS_ASSETS")
    default = Path(assets) / "images/fashion_photos" if assets else Path("data/raw/fashion/files")
    place = Path(folder) if folder else default
    paths = [path for path in sorted(place.glob("*")) if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")]
    if not paths:
        raise UserError(f"{place} holds no pictures: name a folder of photographs of whole people with --pictures")
    return paths[:: max(1, len(paths) // count)][:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", help="folder of photographs, one whole person each")
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    arguments = parser.parse_args()
    settings, cores = settings_of(), os.cpu_count() or 1
    photos = photographs(arguments.pictures, arguments.count)
    ours, theirs = Ours(settings, cores), Theirs(settings, cores)
    with tempfile.TemporaryDirectory() as folder, ours.workers:
        empty = textures(Path(folder), len(photos))
        mixed = [path for pair in zip(photos, empty, strict=True) for path in pair]
        figures = {
            "cores": cores,
            "matte": settings.matte.model,
            "backend": backend(settings),
            "every_picture_a_person": measure(photos, ours, theirs),
            "half_without_people": measure(mixed, ours, theirs),
        }
    print(json.dumps(figures, indent=None if arguments.json else 2))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
