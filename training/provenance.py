"""What a bundle says about where it comes from: the licences of its pictures, what they allow, the code's revision."""

import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from inference.errors import UserError
from preprocessing import packing
from scraping import manifest, stage

CODE_LICENCE = "Apache-2.0"
RENDERED = "Apache-2.0"  # of weights that only saw people whom this project's code drew
UNSTATED = "not stated"
# Anyone may sell what is made of such pictures, and need not share it alike; SPDX identifiers.
FREE = re.compile(r"CC0-1\.0|PDM-1\.0|MIT|Apache-2\.0|CC-BY(-\d\.\d)?")


def origins(pack: Path, raw: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Count the pictures of a pack by stated licence and by source, as the manifest of its corpus has them."""
    if not (raw / manifest.FILE).exists():
        raise UserError(f"{raw / manifest.FILE} is not there: nothing else says whose the pictures of {pack} are")
    kept = manifest.read(raw).filter(pl.col("status") == "kept")
    stated = kept.select("sha256", "licence", "source").unique("sha256", keep="first", maintain_order=True)
    packed = packing.read_pack(pack).index.select("sha256").join(stated, on="sha256", how="left")
    return counted(packed["licence"]), counted(packed["source"])


def counted(values: Iterable[str | None]) -> dict[str, int]:
    """Count what is stated, the most frequent first."""
    counts = Counter(value or UNSTATED for value in values)
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def terms(licences: Mapping[str, int], world: str, start: Mapping | None) -> tuple[dict, bool]:
    """Give the licences of weights, code and data, and whether all that the weights were made of allows commerce.

    The demo gallery states licences only to be read by the scraper: its people are drawn by this project's code. What
    was started from (`started_from` of run.json) binds as the data do.
    """
    rendered = world == "demo"
    weights = [RENDERED if rendered else f"as the data allows: {', '.join(licences)}"]
    commercial = rendered or is_free(licences)
    if start and start.get("licence") != RENDERED:
        weights.append(f"as the {start['kind']} {start['name']} allows: {start.get('licence') or UNSTATED}")
        commercial = commercial and start.get("commercial") is True
    return {"weights": "; ".join(weights), "code": CODE_LICENCE, "data": dict(licences)}, commercial


def is_free(licences: Iterable[str]) -> bool:
    """Tell whether each licence is known to allow commercial use without conditions on what is made of the pictures."""
    return all(FREE.fullmatch(licence) for licence in licences)


def revision(folder: Path = stage.ROOT) -> dict | None:
    """Give the git revision of the code and whether the tracked code is as committed; None outside of a repository.

    What DVC and the stages write while they run (dvc.lock, data/) does not count.
    """
    head = _git(folder, "rev-parse", "HEAD")
    if not head:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!dvc.lock", ":!data")
    return {"revision": head, "clean": changed == ""}


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # a machine without git: a container, say
        return None
    return done.stdout.strip() if done.returncode == 0 else None
