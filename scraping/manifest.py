"""The manifest of a corpus: one row a candidate, kept or not, with where it came from and under which licence."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import polars
import pyarrow
import pyarrow.parquet

FILE = "manifest.parquet"

SCHEMA = pyarrow.schema(
    [
        ("url", pyarrow.string()),
        ("page_url", pyarrow.string()),
        ("source", pyarrow.string()),
        ("redirects", pyarrow.list_(pyarrow.string())),
        ("fetched_at", pyarrow.string()),  # UTC, ISO 8601
        ("http_status", pyarrow.int32()),
        ("attempts", pyarrow.int32()),
        ("robots", pyarrow.string()),  # allowed | disallowed | n/a
        ("optout", pyarrow.list_(pyarrow.string())),  # the signals seen
        ("sha256", pyarrow.string()),
        ("bytes", pyarrow.int64()),
        ("media_type", pyarrow.string()),
        ("width", pyarrow.int32()),  # as displayed
        ("height", pyarrow.int32()),
        ("phash", pyarrow.string()),  # 64 bits as 16 hex digits
        ("file", pyarrow.string()),  # files/<sha256>.<ext>, of kept rows
        ("licence", pyarrow.string()),  # an SPDX identifier
        ("licence_evidence", pyarrow.string()),
        ("author", pyarrow.string()),
        ("title", pyarrow.string()),
        ("label", pyarrow.string()),
        ("status", pyarrow.string()),  # kept | rejected | refused | failed
        ("reason", pyarrow.string()),
        ("detail", pyarrow.string()),
    ]
)


def write(rows: Sequence[dict], folder: Path) -> None:
    """Write the manifest and the NOTICE made from it into a corpus folder."""
    folder.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows), SCHEMA), folder / FILE, compression="zstd")
    (folder / "NOTICE").write_text(notice(rows), encoding="utf-8")


def read(folder: Path) -> polars.DataFrame:
    """Read the manifest of a corpus folder."""
    return polars.read_parquet(folder / FILE)


def notice(rows: Sequence[dict]) -> str:
    """Write out whose pictures these are: by licence, then author, each picture with its page."""
    kept = [row for row in rows if row["status"] == "kept"]
    by_licence: dict[str, dict[str, list[dict]]] = defaultdict(lambda: defaultdict(list))
    for row in kept:
        by_licence[row["licence"]][row["author"] or "author not stated"].append(row)
    lines = [f"This folder holds {len(kept)} pictures by others, each under the licence stated here."]
    for licence in sorted(by_licence):
        authors = by_licence[licence]
        lines += ["", f"{licence} ({sum(map(len, authors.values()))} pictures)"]
        for author in sorted(authors):
            lines += ["", f"  {author}"]
            lines += [f"    {row['title'] or 'untitled'} - {row['page_url'] or row['url']}" for row in authors[author]]
    return "\n".join(lines) + "\n"


def counts(rows: Sequence[dict]) -> dict[str, int]:
    """Count rows by what became of them: `kept`, else `status: reason`."""
    of = Counter(row["status"] if row["status"] == "kept" else f"{row['status']}: {row['reason']}" for row in rows)
    return dict(of.most_common())
