"""Measure the projector: people of the generator's own found again, and pictures that it never saw.

    python -m benchmarks.projection --json
    python -m benchmarks.projection --pack data/processed/portrait --steps 300 --sheet .work/projection.png

Of the generator's own pictures the styles are known: how far the found ones are from them stands beside how far two
people are apart, and how far edits of the found people are from the same edits of the true ones beside how much these
edits change. Of the others, how far the pictures are apart stands beside what needs no search: the average person,
and the nearest of many seeds.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from inference import Avatars, grid, load
from inference.errors import UserError
from inference.projection import Search
from preprocessing import packing

PSI = 0.7
SEEDS = 256  # among which the nearest is looked for
OWN = 5000  # the first seed of those that are found again


def measure(avatars: Avatars, pictures: np.ndarray, steps: int) -> tuple[dict, np.ndarray]:
    """Search in W and in W+ for own pictures and given ones at once; figures, and tiles to look at."""
    count, own = len(pictures), [avatars.w(OWN + number, PSI) for number in range(len(pictures))]
    wanted = np.concatenate([np.stack([avatars.picture(ws) for ws in own]), pictures])
    seeds = [avatars.w(seed, PSI) for seed in range(SEEDS)]
    drawn = np.stack([avatars.picture(ws) for ws in seeds])
    average = avatars.picture(avatars.w(0, 0.0))
    truth = _edited(avatars, own)
    changed = _apart(truth, np.repeat(wanted[:count], avatars.directions, axis=0))
    figures: dict = {
        "own": {"two_people_in_w": _spread(seeds), "an_edit_changes_grey_levels": _rounded(changed)},
        "others": {
            "average_person": _rounded(_apart(average[None], pictures)),
            f"nearest_of_{SEEDS}_seeds": _rounded([_apart(drawn, picture[None]).min() for picture in pictures]),
        },
    }
    rows = [wanted]
    for space, plus in (("w", False), ("w_plus", True)):
        search, began = Search(avatars.generator, wanted, steps, plus), time.process_time()
        while search.done < steps:
            search.step()
        seconds = (time.process_time() - began) / len(wanted)
        made = np.stack([avatars.picture(ws) for ws in search.ws])
        rows.append(made)
        off = [float((found - true).norm(dim=1).mean()) for found, true in zip(search.ws, own, strict=False)]
        levels = _apart(made, wanted)
        figures["own"][space] = {"in_w": _rounded(off), "grey_levels": _rounded(levels[:count])}
        edited = _edited(avatars, search.ws[:count])
        figures["own"][space]["edited_grey_levels"] = _rounded(_apart(edited, truth))
        figures["others"][space] = {"grey_levels": _rounded(levels[count:])}
        figures[f"{space}_cpu_seconds_a_picture"] = round(seconds, 1)
    return figures, grid(np.concatenate(rows), len(wanted))


def _edited(avatars: Avatars, styles: Sequence[torch.Tensor]) -> np.ndarray:
    """Move each along every principal direction by two sigmas."""
    return np.stack([avatars.picture(avatars.edit(ws, row, 2.0)) for ws in styles for row in range(avatars.directions)])


def _spread(styles: list[torch.Tensor]) -> dict:
    half = len(styles) // 2
    return _rounded([float((a - b)[0].norm()) for a, b in zip(styles[:half], styles[half:], strict=True)])


def _apart(made: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Mean absolute difference of each, in grey levels."""
    return np.abs(made.astype(np.int16) - wanted).mean((1, 2, 3))


def _rounded(values: np.ndarray | list[float]) -> dict:
    values = np.asarray(values)
    return {"mean": round(float(values.mean()), 2), "least": round(float(values.min()), 2)} | {
        "most": round(float(values.max()), 2),
        "n": len(values),
    }


def held_out(folder: Path, count: int) -> np.ndarray:
    """Give the first pictures of a pack that no training saw."""
    from training.stylegan2 import data

    pack = packing.read_pack(folder)
    return data.pictures(pack, "held_out")[:count]


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="portrait")
    parser.add_argument("--pack", type=Path, default=Path("data/processed/portrait"))
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--sheet", type=Path, help="where to put the pictures, to look at")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(words)
    torch.set_num_threads(1)
    try:
        figures, sheet = measure(Avatars(load(asked.bundle)), held_out(asked.pack, asked.count), asked.steps)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if asked.sheet:
        asked.sheet.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sheet).save(asked.sheet)
    about = {"bundle": asked.bundle, "steps": asked.steps, "truncation": PSI}
    print(json.dumps(about | figures, indent=None if asked.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
