"""The part of the page about cleaning: what was scraped, what became of it, how good it is."""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars
from PIL import Image, ImageDraw

from inference import media
from preprocessing import packing
from scraping import manifest
from training.report.pictures import inline, spread
from training.report.settings import Settings

MAX_PIXELS = 64_000_000


@dataclass(frozen=True)
class Measure:
    """A row of the table of measures."""

    label: str
    value: str
    interval: str
    n: int
    blind: bool  # what a method without eyes would get


@dataclass(frozen=True)
class Cleaning:
    """What the page says about the cleaning of one corpus."""

    counts: dict
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


def cleaning(data: Path, corpus: str, options: str, settings: Settings) -> Cleaning:
    """Gather one corpus from what the stages left in `data`; `options` are those that commands on the page carry."""
    raw, interim, processed = (data / step / corpus for step in ("raw", "interim", "processed"))
    candidates = manifest.read(raw)
    decisions = polars.read_parquet(interim / "decisions.parquet")
    pack = packing.read_pack(processed)
    metrics = data / "metrics" / corpus / "cleaning.json"
    figures = json.loads(metrics.read_text())
    numbers = counts(candidates, decisions, pack)
    return Cleaning(
        counts=numbers,
        headline=headline(numbers, figures),
        measures=measures(figures) if figures["measured"] else [],
        duplicates=figures.get("duplicates"),
        routes=figures.get("routes"),
        unmeasured=figures.get("why", ""),
        measures_json=str(metrics),
        measures_command=f"python -m preprocessing.measure corpus={corpus} {options}",
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
            "before": inline(_thumbnail(raw / files[sha256], settings.thumbnail, crops[sha256])),
            "after": inline(Image.fromarray(pack.image(row)).convert("RGBA"), lossless=True),
        }
        for row, sha256 in spread(list(enumerate(pack.index["sha256"])), settings.pairs)
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
            yield inline(_thumbnail(file, height))


def _thumbnail(file: Path, height: int, crop: Iterable[float] | None = None) -> Image.Image:
    """Decode a stored picture and shrink it, its crop outlined."""
    picture = media.decode(file.read_bytes(), max_pixels=MAX_PIXELS)
    if crop is not None:
        width = max(2, picture.height // 80)
        ImageDraw.Draw(picture).rectangle([round(edge) for edge in crop], outline=(255, 60, 120), width=width)
    picture.thumbnail((4 * height, height))
    return picture


def _by_reason(table: polars.DataFrame) -> dict[str, int]:
    """Count rows by reason, those without one by status; the most frequent first."""
    why = table.select(polars.coalesce("reason", "status").alias("why"))
    return dict(why.group_by("why").len("count").sort("count", "why", descending=[True, False]).iter_rows())


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.1f} %"


def _decimal(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
