"""Stage `demo`: render the demo people with the truth about them, and build the gallery that is scraped.

python -m scraping.demo corpus=portrait                 # data/gallery/portrait, data/truth/portrait
python -m scraping.demo corpus=fashion profile=tiny     # a handful
"""

import hashlib
import json
import shutil
from functools import partial
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pydantic
from omegaconf import DictConfig
from pydantic import Field

from inference.errors import UserError
from scraping import stage
from scraping.demo import people, rendering, site, worlds

AUTHOR = "Dramatis demo world"
NOTHING = "world=real: nothing is rendered, the pictures come from the sources in conf/world/real.yaml\n"
TRUTH = pyarrow.schema(
    [
        ("sha256", pyarrow.string()),
        ("original_sha256", pyarrow.string()),
        ("name", pyarrow.string()),
        ("seed", pyarrow.int64()),
        ("transform", pyarrow.string()),  # of a served file; null for the original
        ("width", pyarrow.int32()),
        ("height", pyarrow.int32()),
        ("box", pyarrow.list_(pyarrow.float64())),
        ("face_box", pyarrow.list_(pyarrow.float64())),
        ("keypoints", pyarrow.string()),  # JSON: COCO-17 name -> [x, y, visible]
        ("mouth_open", pyarrow.float64()),
        ("traits", pyarrow.string()),  # JSON: what the picture shows of its person -> a number, see people.traits
        ("mask", pyarrow.binary()),  # PNG, 8-bit coverage
    ]
)


class Settings(stage.Settings):
    """conf/scraping/demo.yaml."""

    people: int = Field(ge=site.FEWEST)
    first_seed: int = Field(ge=0)
    scale: float = Field(ge=0.2, le=8)  # of the pictures' size; smaller, a backdrop has no room for its things
    workers: int = Field(ge=1, le=256)
    jpeg_quality: int = Field(ge=1, le=100)
    png_every: int = Field(ge=1)
    site: site.SiteSettings

    @pydantic.model_validator(mode="after")
    def _repeats_have_originals(self) -> "Settings":
        for name in ("exact_duplicates", "near_duplicates"):
            repeats = getattr(self.site, name)
            if repeats > self.people:
                line = f"{repeats} repeats of {self.people} people: each repeats another, lower it or raise demo.people"
                raise UserError(f"demo.site.{name}: {line}")
        return self


@stage.command("scraping/demo")
def main(config: DictConfig) -> None:
    settings = stage.settings(config, "demo", Settings)
    print_of = stage.fingerprint(settings.model_dump(exclude={"workers"}), stage.code_version())
    with stage.work("demo", config.corpus, config.world, print_of) as work:
        worlds.publish(config, work, ("gallery", "truth"), partial(_make, config.corpus, settings, work), NOTHING)


def _make(corpus: str, settings: Settings, work: Path, out: Path) -> None:
    """Build the gallery and its truth, once all people are rendered."""
    _lay_out(corpus, settings, _render(corpus, settings, work), work, out)


def _render(corpus: str, settings: Settings, work: Path) -> dict[str, dict]:
    """Render what the journal does not hold yet; returns each name's row."""
    journal = stage.Journal(work / "journal.jsonl")
    jobs = []
    for index in range(settings.people):
        name = f"{corpus}-{index:04d}"
        suffix = "png" if index % settings.png_every == settings.png_every - 1 else "jpg"
        if name not in journal:
            seed = settings.first_seed + index
            jobs.append(rendering.Job(name, corpus, seed, suffix, settings.scale, settings.jpeg_quality, work))
    done = settings.people - len(jobs)
    for name, row in stage.progress(
        rendering.results(jobs, settings.workers), settings.people, f"people of {corpus}", done
    ):
        journal.append(name, row)
    journal.close()
    return journal.rows


def _lay_out(corpus: str, settings: Settings, rows: dict[str, dict], work: Path, out: Path) -> None:
    """Write gallery and truth from rendered pictures, in the order of their names."""
    gallery, truth = out / "gallery", out / "truth"
    (gallery / "pictures").mkdir(parents=True)
    listed, table = [], {}
    for index, name in enumerate(sorted(rows)):
        row = rows[name]
        shutil.copyfile(work / row["file"], gallery / row["file"])
        listed.append({"name": name, **{key: row[key] for key in ("file", "title", "tags")}, **_rights(index)})
        digest = hashlib.sha256((gallery / row["file"]).read_bytes()).hexdigest()
        table[name] = {
            **{key: row[key] for key in ("seed", "width", "height", "box", "face_box", "mouth_open")},
            "sha256": digest,
            "original_sha256": digest,
            "name": name,
            "transform": None,
            "keypoints": json.dumps(row["keypoints"]),
            "traits": json.dumps(people.traits(people.person(row["seed"], corpus))),
            "mask": (work / "masks" / f"{name}.png").read_bytes(),
        }
    stage.write_atomically(gallery / "people.json", json.dumps(listed, indent=1, ensure_ascii=False).encode())
    served = site.build(gallery, truth, corpus, settings.site, settings.first_seed)
    variants = [{**table[one.original_name], "sha256": one.sha256, "transform": one.transform} for one in served]
    truth.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([*table.values(), *variants], TRUTH), truth / "truth.parquet")


def _rights(index: int) -> dict[str, str]:
    """The gallery's own pictures are CC0; some say otherwise, so that notices have something to tell."""
    licence = "CC-BY-SA-4.0" if index % 23 == 11 else "CC-BY-4.0" if index % 7 == 3 else "CC0-1.0"
    return {"author": AUTHOR, "licence": licence}


if __name__ == "__main__":
    main()
