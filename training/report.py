"""Write the report page: what was scraped, what the cleaning made of it, how good it is, in one self-contained file.

    python -m training.report                  # data/ -> data/exported/report/index.html

Reads `data/` only. Every figure on the page names the JSON it was read from and the command that makes that file.
"""

import base64
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import hydra
import jinja2
import polars
from omegaconf import DictConfig
from PIL import Image, ImageDraw

from inference import media
from inference.errors import UserError
from preprocessing import packing
from scraping import manifest, stage

DATA = Path("data")
MAX_PIXELS = 50_000_000


class Report(stage.Settings):
    """What the page shows."""

    corpora: list[str]
    pairs: int  # before/after pictures a corpus
    rejects_a_reason: int
    thumbnail: int  # height, pixels


@dataclass(frozen=True)
class Section:
    """One corpus on the page."""

    name: str
    world: str
    metrics: dict
    command: str
    sources: list[dict]
    pairs: list[dict]
    rejects: list[dict]


def main_page(settings: Report, world: str, profile: str) -> str:
    """Read what the stages left in `data/` and fill the template."""
    sections = [section(corpus, world, profile, settings) for corpus in settings.corpora]
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["percent"] = lambda share: f"{100 * share:.1f} %"
    return environment.get_template("report.html").render(sections=sections, world=world, profile=profile)


def section(corpus: str, world: str, profile: str, settings: Report) -> Section:
    """Gather one corpus: its counts and measures, sources with licences, before/after pairs, rejects by reason."""
    raw, interim, processed = (DATA / step / corpus for step in ("raw", "interim", "processed"))
    candidates = manifest.read(raw)
    decisions = polars.read_parquet(interim / "decisions.parquet")
    return Section(
        name=corpus,
        world=world,
        metrics=json.loads((DATA / "metrics" / corpus / "cleaning.json").read_text()),
        command=f"python -m preprocessing.measure corpus={corpus} world={world} profile={profile}",
        sources=sources(candidates),
        pairs=pairs(raw, candidates, decisions, packing.read_pack(processed), settings),
        rejects=rejects(raw, candidates, decisions, settings),
    )


def sources(candidates: polars.DataFrame) -> list[dict]:
    """Count kept pictures by source, licence and author."""
    kept = candidates.filter(polars.col("status") == "kept")
    return kept.group_by("source", "licence", "author").len("kept").sort("kept", "source", descending=True).to_dicts()


def pairs(
    raw: Path, candidates: polars.DataFrame, decisions: polars.DataFrame, pack: packing.Pack, settings: Report
) -> list[dict]:
    """Show kept pictures, evenly spread over the corpus, beside what the pack holds of them."""
    files = dict(candidates.filter(polars.col("status") == "kept").select("sha256", "file").iter_rows())
    crops = dict(decisions.filter(polars.col("status") == "kept").select("sha256", "crop").iter_rows())
    return [
        {
            "before": _inline(_thumbnail(raw / files[sha256], settings.thumbnail, crops[sha256])),
            "after": _inline(Image.fromarray(pack.image(row)).convert("RGBA"), lossless=True),
        }
        for row, sha256 in _spread(list(enumerate(pack.index["sha256"])), settings.pairs)
    ]


def rejects(raw: Path, candidates: polars.DataFrame, decisions: polars.DataFrame, settings: Report) -> list[dict]:
    """List why pictures were left out, step by step, with a few of those that were stored."""
    files = dict(candidates.filter(polars.col("file").is_not_null()).select("sha256", "file").iter_rows())
    rows = []
    for step, table in (("scraping", candidates), ("cleaning", decisions)):
        out = table.filter(polars.col("status") != "kept")
        for (reason,), group in sorted(out.group_by("reason"), key=lambda entry: (-entry[1].height, entry[0])):
            shown = [sha256 for sha256 in group["sha256"] if step == "cleaning"][: settings.rejects_a_reason]
            rows.append(
                {
                    "step": step,
                    "reason": reason,
                    "count": group.height,
                    "detail": next((detail for detail in group["detail"] if detail), ""),
                    "example": group["url"][0],
                    "pictures": [_inline(_thumbnail(raw / files[sha256], settings.thumbnail)) for sha256 in shown],
                }
            )
    return rows


def _spread(items: list, count: int) -> list:
    """Pick up to `count` items at even distances."""
    step = max(1, len(items) // count)
    return items[::step][:count]


def _thumbnail(file: Path, height: int, crop: Iterable[float] | None = None) -> Image.Image:
    """Decode a stored picture and shrink it, its crop outlined."""
    picture = media.decode(file.read_bytes(), max_pixels=MAX_PIXELS)
    if crop is not None:
        width = max(2, picture.height // 80)
        ImageDraw.Draw(picture).rectangle([round(edge) for edge in crop], outline=(255, 60, 120), width=width)
    picture.thumbnail((4 * height, height))
    return picture


def _inline(picture: Image.Image, lossless: bool = False) -> str:
    """Encode a picture as a data URI, so that the page needs no other file."""
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=80, lossless=lossless, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


@hydra.main(version_base="1.3", config_path="../conf", config_name="training/report")
def main(config: DictConfig) -> None:
    settings = stage.settings(config, "report", Report)
    absent = [corpus for corpus in settings.corpora if not (DATA / "metrics" / corpus).exists()]
    if absent:
        raise UserError(f"data/metrics has no {', '.join(absent)}: run `dvc repro` or `make repro` first")
    with stage.work("report", "all", config.world, stage.fingerprint(stage.code_version())) as folder:
        built = folder / "out"
        stage.write_atomically(built / "index.html", main_page(settings, config.world, config.profile).encode())
        stage.publish(built, DATA / "exported" / "report")


if __name__ == "__main__":
    stage.run(main)
