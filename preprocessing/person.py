"""Find people in a picture: YOLOv5 through ultralytics (AGPL-3.0), which is imported here and nowhere else."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference import weights
from scraping import stage

HOME = stage.ROOT / stage.WORK / "ultralytics"
# Before the import: no probing of the network, no installing at run time, no settings in the user's home.
os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="False", YOLO_VERBOSE="False", YOLO_CONFIG_DIR=str(HOME))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # ultralytics would set it, and rembg reads it
HOME.mkdir(parents=True, exist_ok=True)
with open(HOME / "lock", "w") as _lock:
    fcntl.flock(_lock, fcntl.LOCK_EX)  # two workers would write one settings file
    import torch
    from ultralytics import YOLO, settings

    QUIET = {"sync": False, "clearml": False, "comet": False, "dvc": False, "hub": False, "mlflow": False,
             "neptune": False, "raytune": False, "vscode_msg": False, "openvino_msg": False}  # fmt: skip
    _changed = {key: value for key, value in QUIET.items() if settings.get(key) not in (None, value)}
    if _changed:
        settings.update(_changed)

PERSON_CLASS = 0  # of COCO
NMS_IOU = 0.6
MAX_PEOPLE = 50


@dataclass(frozen=True)
class Person:
    """A whole visible person in pixels: box x0, y0, x1, y1."""

    box: tuple[float, float, float, float]
    score: float

    @property
    def area(self) -> float:
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


class PersonDetector:
    """yolov5nu on a picture brought to a longest side of `longest` pixels (a multiple of 32)."""

    def __init__(self, longest: int, score: float, model: Path | None = None, threads: int = 1) -> None:
        torch.set_num_threads(threads)
        # The verified file itself: given a missing path, YOLO would try to download it.
        self.net = YOLO(str(model or weights.path("yolov5nu")), task="detect")
        self.longest = longest
        self.score = score

    def detect(self, picture: np.ndarray) -> list[Person]:
        """Find people in HxWx3 uint8 RGB, the largest first."""
        results = self.net.predict(
            np.ascontiguousarray(picture[:, :, ::-1]),  # arrays are taken for BGR
            imgsz=self.longest,
            conf=self.score,
            iou=NMS_IOU,
            classes=[PERSON_CLASS],
            max_det=MAX_PEOPLE,
            device="cpu",
            verbose=False,
        )
        boxes = results[0].boxes
        pairs = zip(boxes.xyxy.tolist(), boxes.conf.tolist(), strict=True)
        people = [Person(box=tuple(box), score=score) for box, score in pairs]
        return sorted(people, key=lambda person: (-person.area, person.box))
