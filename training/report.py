"""Write the report page: what was scraped, what the cleaning made of it, how good it is, in one self-contained file.

    python -m training.report                  # data/ -> data/exported/report/index.html

Reads `data/` only. Every figure on the page names the JSON it was read from and the command that makes that file.
"""

import base64
import io
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import jinja2
import polars
from omegaconf import DictConfig
from PIL import Image, ImageDraw
from pydantic import Field

from inference import media
from inference.errors import UserError
from preprocessing import packing
from scraping import manifest, stage

DATA = Path("data")
OUT = DATA / "exported" / "report"
MAX_PIXELS = 64_000_000


class Settings(stage.Settings):
    """What the page shows."""

    corpora: list[str]
    pairs: int = Field(ge=1)  # before/after pictures a corpus
    rejects_a_reason: int = Field(ge=0)
    sources: int = Field(ge=1)  # rows of the table of sources
    thumbnail: int = Field(ge=16)  # height, pixels


@dataclass(frozen=True)
class Measure:
    """A row of the table of measures."""

    label: str
    value: str
    interval: str
    n: int
    blind: bool  # what a method without eyes would get


@dataclass(frozen=True)
class Section:
    """One corpus on the page."""

    name: str
    counts: dict
    counts_json: str
    counts_command: str
    headline: list[tuple[str, str]]
    measures: list[Measure]
    duplicates: dict | None
    routes: dict | None
    unmeasured: str
    measures_json: str
    measures_command: str
    sources: list[dict]
    cell: int  # width of a before/after pair, pixels
    pairs: list[dict]
    rejects: list[dict]


def sections_of(settings: Settings, world: str, profile: str) -> list[Section]:
    """Gather the corpora that were measured, in the order of the config."""
    measured = [corpus for corpus in settings.corpora if (DATA / "metrics" / corpus / "cleaning.json").exists()]
    if not measured:
        raise UserError(
            f"data/metrics has none of {', '.join(settings.corpora)}: run `dvc repro` or `make repro` first"
        )
    return [section(corpus, world, profile, settings) for corpus in measured]


def page(sections: list[Section], world: str, profile: str) -> str:
    """Fill the template."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("report.html").render(sections=sections, world=world, profile=profile)


def section(corpus: str, world: str, profile: str, settings: Settings) -> Section:
    """Gather one corpus from what the stages left in `data/`."""
    raw, interim, processed = (DATA / step / corpus for step in ("raw", "interim", "processed"))
    candidates = manifest.read(raw)
    decisions = polars.read_parquet(interim / "decisions.parquet")
    pack = packing.read_pack(processed)
    metrics = DATA / "metrics" / corpus / "cleaning.json"
    figures = json.loads(metrics.read_text())
    numbers = counts(candidates, decisions, pack)
    return Section(
        name=corpus,
        counts=numbers,
        counts_json=str(OUT / "figures.json"),
        counts_command=f"python -m training.report world={world} profile={profile}",
        headline=headline(numbers, figures),
        measures=measures(figures) if figures["measured"] else [],
        duplicates=figures.get("duplicates"),
        routes=figures.get("routes"),
        unmeasured=figures.get("why", ""),
        measures_json=str(metrics),
        measures_command=f"python -m preprocessing.measure corpus={corpus} world={world} profile={profile}",
        sources=sources(candidates, settings.sources),
        cell=round(settings.thumbnail * (0.75 + pack.width / pack.height)),
        pairs=pairs(raw, candidates, decisions, pack, settings),
        rejects=rejects(raw, candidates, decisions, settings),
    )


def counts(candidates: polars.DataFrame, decisions: polars.DataFrame, pack: packing.Pack) -> dict:
    """Count candidates and stored pictures by how they ended."""
    return {
        "candidates": candidates.height,
        "scraped": _by_reason(candidates),
        "stored": decisions.height,
        "cleaned": _by_reason(decisions),
        "packed": len(pack),
        "resolution": f"{pack.width}x{pack.height}",
        "channels": pack.channels,
    }


def headline(numbers: dict, figures: dict) -> list[tuple[str, str]]:
    """Choose the figures that a reader looks for first: (label, value)."""
    shown = [
        ("candidates found", f"{numbers['candidates']}"),
        ("pictures stored", f"{numbers['stored']}"),
        (f"in the pack, {numbers['resolution']}", f"{numbers['packed']}"),
    ]
    if figures["measured"]:
        detection, matting = figures["detection"], figures["matting"]
        shown += [
            (f"of {detection['found']['n']} {detection['of']} found", _percent(detection["found"]["mean"])),
            (f"matte IoU, N {matting['iou']['n']}", _decimal(matting["iou"]["mean"])),
        ]
    return shown


def measures(figures: dict) -> list[Measure]:
    """Lay out what was measured against the truth, each figure beside the row of a method without eyes."""
    detection, matting = figures["detection"], figures["matting"]
    of = detection["of"]
    rows = [
        (f"{of} found, box overlap at least {detection['found_overlap']}", detection["found"], _percent),
        ("one box in the middle", detection["chance_found"], _percent),
        (f"box overlap (IoU) of {of} found", detection["box_overlap"], _decimal),
        ("one box in the middle", detection["chance_box_overlap"], _decimal),
        ("matte IoU with the exact mask", matting["iou"], _decimal),
        ("all of the person's box", matting["chance_box_iou"], _decimal),
        ("all of the crop", matting["chance_full_iou"], _decimal),
        ("matte mean absolute error", matting["mean_absolute_error"], _decimal),
        ("all of the person's box", matting["chance_box_mean_absolute_error"], _decimal),
        ("all of the crop", matting["chance_full_mean_absolute_error"], _decimal),
    ]
    chance = [key.startswith(("one", "all")) for key, _, _ in rows]
    return [
        Measure(label, form(row["mean"]), " to ".join(map(form, row.get("interval_95", []))), row["n"], blind)
        for (label, row, form), blind in zip(rows, chance, strict=True)
    ]


def sources(candidates: polars.DataFrame, most: int) -> list[dict]:
    """Count kept pictures by source, licence and author; beyond `most` rows they are added up in a last one."""
    by = ["source", "licence", "author"]
    kept = candidates.filter(polars.col("status") == "kept").group_by(by).len("kept")
    rows = kept.sort("kept", *by, descending=[True, False, False, False]).to_dicts()
    rest = rows[most:]
    more = {"source": f"and {len(rest)} more", "licence": "", "author": "", "kept": sum(row["kept"] for row in rest)}
    return rows[:most] + ([more] if rest else [])


def pairs(
    raw: Path, candidates: polars.DataFrame, decisions: polars.DataFrame, pack: packing.Pack, settings: Settings
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


def rejects(raw: Path, candidates: polars.DataFrame, decisions: polars.DataFrame, settings: Settings) -> list[dict]:
    """List why pictures were left out, step by step, with a few of those that were stored."""
    files = dict(candidates.filter(polars.col("file").is_not_null()).select("sha256", "file").iter_rows())
    rows = []
    for step, table in (("scraping", candidates), ("cleaning", decisions)):
        out = table.filter(polars.col("status") != "kept")
        for (reason,), group in sorted(out.group_by("reason"), key=lambda entry: (-entry[1].height, entry[0])):
            stored = [raw / files[sha256] for sha256 in group["sha256"] if step == "cleaning"]
            rows.append(
                {
                    "step": step,
                    "reason": reason,
                    "count": group.height,
                    "detail": next((detail for detail in group["detail"] if detail), ""),
                    "example": group["url"][0],
                    "pictures": list(_shown(stored[: settings.rejects_a_reason], settings.thumbnail)),
                }
            )
    return rows


def _shown(files: list[Path], height: int) -> Iterator[str]:
    """Shrink pictures that were left out; one that was left out because it cannot be read has nothing to show."""
    for file in files:
        with suppress(media.MediaError, FileNotFoundError):
            yield _inline(_thumbnail(file, height))


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


def _by_reason(table: polars.DataFrame) -> dict[str, int]:
    """Count rows by reason, those without one by status; the most frequent first."""
    why = table.select(polars.coalesce("reason", "status").alias("why"))
    return dict(why.group_by("why").len("count").sort("count", "why", descending=[True, False]).iter_rows())


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.1f} %"


def _decimal(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


@stage.command("training/report")
def main(config: DictConfig) -> None:
    settings = stage.settings(config, "report", Settings)
    with stage.work("report", "all", config.world, stage.fingerprint(stage.code_version())) as folder:
        sections = sections_of(settings, config.world, config.profile)
        figures = {part.name: part.counts for part in sections}
        built = folder / "out"
        stage.write_atomically(built / "index.html", page(sections, config.world, config.profile).encode())
        stage.write_atomically(built / "figures.json", (json.dumps(figures, indent=2) + "\n").encode())
        stage.publish(built, OUT)


if __name__ == "__main__":
    main()
