"""Measure the cleaning of the demo world against what is really in its pictures.

    python -m preprocessing.measure corpus=portrait

The truth is out of reach of what cleans and trains: this stage, the naming of directions and tests read it.
"""

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import polars as pl
from omegaconf import DictConfig
from PIL import Image
from pydantic import Field

from inference.errors import UserError
from preprocessing import quality
from scraping import manifest, stage

# Rejected before anything looked for a person.
UNSEEN = ("near-duplicate", "exact-duplicate", "missing-file", "changed-file")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SOLID = 128  # of 255


class Settings(stage.Settings):
    seed: int
    resamples: int = Field(ge=100)
    found_overlap: float = Field(ge=0, le=1)
    false_overlap: float = Field(ge=0, le=1)


@stage.command("preprocessing/measure")
def main(config: DictConfig) -> None:
    """Run the stage on a composed config: data/truth, raw and interim -> data/metrics."""
    settings = stage.settings(config, "measure", Settings)
    corpus = config.corpus
    truth, raw, interim = (Path("data") / step / corpus for step in ("truth", "raw", "interim"))
    if config.world != "demo":
        figures = {
            "measured": False,
            "why": f"nobody knows the truth about world={config.world}; the demo world's is exact",
        }
    else:
        figures = measure(truth, raw, interim, settings)
    text = json.dumps(figures, indent=2, ensure_ascii=False) + "\n"
    stage.write_atomically(Path("data/metrics") / corpus / "cleaning.json", text.encode())
    _print(figures)


def measure(truth: Path, raw: Path, interim: Path, settings: Settings) -> dict:
    """Put every figure of a corpus together; each carries its N."""
    for path, maker in (
        (truth / "truth.parquet", "scraping.demo"),
        (interim / "decisions.parquet", "preprocessing.images"),
    ):
        if not path.exists():
            raise UserError(f"{path} is not there: run python -m {maker} corpus={truth.name} first")
    people = {row["sha256"]: row for row in pl.read_parquet(truth / "truth.parquet").to_dicts()}
    candidates = manifest.read(raw)
    sizes = {
        row["sha256"]: (row["width"], row["height"]) for row in candidates.filter(pl.col("status") == "kept").to_dicts()
    }
    decisions = pl.read_parquet(interim / "decisions.parquet").to_dicts()
    with zipfile.ZipFile(interim / "mattes-00000.zip") as mattes:
        matting = measure_mattes(decisions, people, sizes, mattes, settings)
    routes = truth / "routes.parquet"
    return {
        "measured": True,
        "truth": "exact masks and boxes of rendered people, keyed by the sha256 of the served file",
        "seed": settings.seed,
        "resamples": settings.resamples,
        "pictures": measure_pictures(decisions, people),
        "detection": measure_detection(decisions, people, sizes, settings),
        "matting": matting,
        "duplicates": measure_duplicates(decisions, candidates, people),
        "routes": measure_routes(pl.read_parquet(routes).to_dicts(), candidates) if routes.exists() else None,
    }


def measure_pictures(decisions: Sequence[dict], people: dict[str, dict]) -> dict:
    """Count what was kept, and whether each person drawn ended in the pack."""
    drawn = {people[row["sha256"]]["original_sha256"] for row in decisions if row["sha256"] in people}
    kept = [row for row in decisions if row["status"] == "kept"]
    packed = {people[row["sha256"]]["original_sha256"] for row in kept if row["sha256"] in people}
    return {
        "stored": len(decisions),
        "kept": len(kept),
        "kept_without_truth": sum(row["sha256"] not in people for row in kept),
        "people_stored": len(drawn),
        "people_kept": len(packed),
        "people_kept_share": _share(len(packed), len(drawn)),
    }


def measure_detection(decisions: Sequence[dict], people: dict[str, dict], sizes: dict, settings: Settings) -> dict:
    """Compare the boxes with the truth: of faces where faces were looked for, of whole people elsewhere."""
    seen = [row for row in decisions if row["reason"] not in UNSEEN and row["sha256"] in people]
    of_faces = any(row["subject"] == "face" for row in decisions)
    found_key, truth_key = ("face_box", "face_box") if of_faces else ("person_box", "box")
    seen = [row for row in seen if people[row["sha256"]][truth_key]]
    true_boxes = [people[row["sha256"]][truth_key] for row in seen]
    overlaps = [
        quality.overlap(_fractions(row[found_key], *sizes[row["sha256"]]), box) if row[found_key] else 0.0
        for row, box in zip(seen, true_boxes, strict=True)
    ]
    boxed = [overlap for row, overlap in zip(seen, overlaps, strict=True) if row[found_key]]
    found = [float(overlap >= settings.found_overlap) for overlap in overlaps]
    centred = _centred(true_boxes)
    chance = [quality.overlap(centred, box) for box in true_boxes]
    return {
        "of": "faces" if of_faces else "people",
        "found_overlap": settings.found_overlap,
        "found": _statistics(found, settings, quantiles=False),
        "chance_found": _statistics([float(o >= settings.found_overlap) for o in chance], settings, quantiles=False),
        "false_finds": {
            "n": len(decisions),
            "count": sum(overlap < settings.false_overlap for overlap in boxed)
            + sum(bool(row[found_key]) for row in decisions if row["sha256"] not in people),
            "overlap_below": settings.false_overlap,
        },
        "box_overlap": _statistics(boxed, settings),
        "chance_box_overlap": _statistics(chance, settings),
        "chance": "one box in the middle of every picture, as wide and high as the true ones are on average",
    }


def measure_mattes(
    decisions: Sequence[dict], people: dict[str, dict], sizes: dict, mattes: zipfile.ZipFile, settings: Settings
) -> dict:
    """Compare mattes with exact masks over the same crop, and so two mattes that look at nothing."""
    rows: dict[str, list[float]] = {
        name: [] for name in ("iou", "error", "box_iou", "box_error", "full_iou", "full_error")
    }
    for decision in decisions:
        if decision["status"] != "kept" or decision["sha256"] not in people:
            continue
        matte = np.asarray(Image.open(io.BytesIO(mattes.read(f"{decision['sha256']}.png"))))
        person, size = people[decision["sha256"]], sizes[decision["sha256"]]
        mask = _over_crop(_mask(person), decision["crop"], size, matte.shape)
        box = decision["person_box"] or [value * size[axis % 2] for axis, value in enumerate(person["box"])]
        filled = _filled(box, decision["crop"], matte.shape)
        for name, guess in (("", matte), ("box_", filled), ("full_", np.full_like(mask, 255))):
            rows[name + "iou"].append(_matte_overlap(guess, mask))
            rows[name + "error"].append(float(np.abs(guess.astype(np.float32) - mask).mean()) / 255)
    return {
        "at": "the crop, at the matte network's resolution; IoU at half coverage, error as a mean of 0..1",
        "iou": _statistics(rows["iou"], settings),
        "mean_absolute_error": _statistics(rows["error"], settings),
        "chance_box_iou": _statistics(rows["box_iou"], settings),
        "chance_box_mean_absolute_error": _statistics(rows["box_error"], settings),
        "chance_full_iou": _statistics(rows["full_iou"], settings),
        "chance_full_mean_absolute_error": _statistics(rows["full_error"], settings),
        "chance": "box: all of the person's box (the detected one, the true one of portraits); full: all of the crop",
    }


def measure_duplicates(decisions: Sequence[dict], candidates: pl.DataFrame, people: dict[str, dict]) -> dict:
    """Count planted repeats that were caught, and pictures taken for repeats that are none."""
    original_of = {sha256: row["original_sha256"] for sha256, row in people.items()}
    families: dict[str, list[dict]] = {}
    for row in decisions:
        if row["sha256"] in original_of and row["reason"] != "exact-duplicate":
            families.setdefault(original_of[row["sha256"]], []).append(row)
    planted = sum(len(members) - 1 for members in families.values())
    called = [row for row in decisions if row["reason"] == "near-duplicate"]
    right = [row for row in called if _same_family(row, original_of)]
    survivors = [sum(row["status"] == "kept" for row in members) for members in families.values()]
    twice = sum(count - 1 for count in survivors if count > 1)
    exact = candidates.filter(pl.col("reason") == "exact-duplicate").height
    return {
        "near_planted": planted,
        "near_caught": len(right),
        "near_kept_twice": twice,
        "near_rejected_otherwise": planted - len(right) - twice,  # none of them, nor what they repeat, was any use
        "near_caught_share": _share(len(right), len(right) + twice),
        "near_false": len(called) - len(right),
        "exact_caught": exact + sum(row["reason"] == "exact-duplicate" for row in decisions),
    }


def measure_routes(routes: Sequence[dict], candidates: pl.DataFrame) -> dict:
    """Compare what each awkward address should have ended as with what it did."""
    ended = {urlsplit(row["url"]).path: row for row in candidates.to_dicts() if row["url"]}
    pages = {urlsplit(row["page_url"]).path: row for row in candidates.to_dicts() if row["page_url"]}
    rows = []
    for route in routes:
        row = ended.get(route["path"]) or pages.get(route["path"]) or {"status": "never seen", "reason": None}
        expected, actual = [route["expected_status"], route["expected_reason"]], [row["status"], row["reason"]]
        rows.append({"path": route["path"], "expected": expected, "actual": actual, "right": expected == actual})
    return {"n": len(rows), "right": sum(row["right"] for row in rows), "rows": rows}


def _same_family(row: dict, original_of: dict[str, str]) -> bool:
    mine = original_of.get(row["sha256"])
    return mine is not None and mine == original_of.get(row["duplicate_of"])


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _statistics(values: Sequence[float], settings: Settings, quantiles: bool = True) -> dict:
    """Give N, mean and its 95 % bootstrap interval, and the quantiles where they say something."""
    if not len(values):
        return {"n": 0, "mean": None}
    array = np.asarray(values, np.float64)
    rng = np.random.default_rng(settings.seed)
    means = array[rng.integers(0, len(array), (settings.resamples, len(array)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    figures = {
        "n": len(array),
        "mean": round(float(array.mean()), 4),
        "interval_95": [round(float(low), 4), round(float(high), 4)],
    }
    if quantiles:
        figures |= {f"q{int(100 * q):02d}": round(float(np.quantile(array, q)), 4) for q in QUANTILES}
    return figures


def _fractions(box: Sequence[float], width: int, height: int) -> list[float]:
    return [value / (width, height)[axis % 2] for axis, value in enumerate(box)]


def _centred(boxes: Sequence[Sequence[float]]) -> tuple[float, float, float, float]:
    """Give the box in the middle, of the mean width and height."""
    if not len(boxes):
        return (0.0, 0.0, 1.0, 1.0)
    array = np.asarray(boxes)
    width, height = (array[:, 2] - array[:, 0]).mean(), (array[:, 3] - array[:, 1]).mean()
    return (0.5 - width / 2, 0.5 - height / 2, 0.5 + width / 2, 0.5 + height / 2)


def _mask(person: dict) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(person["mask"])).convert("L"))


def _over_crop(mask: np.ndarray, crop: Sequence[float], size: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """Lay the mask of a whole picture over a crop of it: empty beyond the picture, HxW uint8 of that shape."""
    rows, columns = shape
    across, down = mask.shape[1] / size[0], mask.shape[0] / size[1]  # the picture may be a rescaled repeat
    width, height = (crop[2] - crop[0]) * across, (crop[3] - crop[1]) * down
    away = np.array([[width / columns, 0, crop[0] * across], [0, height / rows, crop[1] * down]])
    fine = max(1, round(max(width / columns, height / rows)))  # an average of so many samples a side: no aliasing
    away[:, :2] /= fine
    away[:, 2] += (away[:, 0] + away[:, 1]) / 2 - 0.5  # centres of pixels
    laid = cv2.warpAffine(mask, away, (columns * fine, rows * fine), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return laid if fine == 1 else cv2.resize(laid, (columns, rows), interpolation=cv2.INTER_AREA)


def _filled(box: Sequence[float], crop: Sequence[float], shape: tuple[int, int]) -> np.ndarray:
    rows, columns = shape
    matte = np.zeros(shape, np.uint8)
    across, down = columns / (crop[2] - crop[0]), rows / (crop[3] - crop[1])
    x0, x1 = (round(np.clip((value - crop[0]) * across, 0, columns)) for value in (box[0], box[2]))
    y0, y1 = (round(np.clip((value - crop[1]) * down, 0, rows)) for value in (box[1], box[3]))
    matte[y0:y1, x0:x1] = 255
    return matte


def _matte_overlap(first: np.ndarray, second: np.ndarray) -> float:
    first, second = first >= SOLID, second >= SOLID
    union = (first | second).sum()
    return float((first & second).sum() / union) if union else 1.0


def _print(figures: dict, say: Callable[[str], None] = print) -> None:
    if not figures["measured"]:
        say(f"not measured: {figures['why']}")
        return
    detection, matting = figures["detection"], figures["matting"]
    say(
        f"{detection['of']} found {detection['found']['mean']} of {detection['found']['n']}, "
        f"box overlap {detection['box_overlap']['mean']}, matte IoU {matting['iou']['mean']} of {matting['iou']['n']}, "
        f"error {matting['mean_absolute_error']['mean']}"
    )


if __name__ == "__main__":
    main()
