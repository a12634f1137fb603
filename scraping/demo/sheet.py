"""Draw the README's picture: a strip of demo people in the three looks.

python -m scraping.demo.sheet docs/people.jpg
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from scraping.demo.looks import draw
from scraping.demo.people import person
from scraping.demo.studio import Studio

WIDTH, QUALITY = 1200, 84
SEEDS = {
    "portrait": (33, 14, 21, 1, 23, 18, 37),
    "fullbody": (8, 11, 12, 2, 3, 21, 35, 48),
    "fashion": (46, 8, 58, 0, 38, 22, 3),
}
FIRST_SEED = 100000  # the people of profile `demo`


def main() -> None:
    """Draw each look's people in a row of one height and stack the rows."""
    studio = Studio()
    rows = []
    for look, seeds in SEEDS.items():
        drawn = [draw(studio.sit(person(FIRST_SEED + seed, look), scale=0.9)).picture for seed in seeds]
        row = Image.fromarray(np.concatenate(drawn, axis=1))
        rows.append(row.resize((WIDTH, round(row.height * WIDTH / row.width)), Image.Resampling.LANCZOS))
    sheet = Image.new("RGB", (WIDTH, sum(row.height for row in rows)))
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(target, quality=QUALITY, optimize=True)
    print(f"{target}: {sheet.width}x{sheet.height}, {target.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
