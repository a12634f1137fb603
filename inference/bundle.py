"""Write, find and read bundles: a folder of safetensors and a manifest that holds the hash of each file.

    bundle = load("portrait")            # a name, or a path
    generator = bundle.generator()

Nothing here can run what a file says: no pickle, no path out of a manifest, nothing allocated before it was checked.
"""

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference import golden, kinds, manifest, strangers
from inference.errors import UserError, one_line

if TYPE_CHECKING:  # torch takes seconds to import: a wrong name is told before
    import torch
    from torch import nn

    from inference.networks.dance import DanceConfig
    from inference.networks.dance_gan import ComposerConfig
    from inference.networks.stylegan2 import Generator, GeneratorConfig
    from inference.networks.wav2lip import Wav2LipConfig

SCHEMA, MANIFEST, MODEL = manifest.SCHEMA, manifest.FILE, manifest.MODEL
GOLDEN, GOLDEN_PSI = golden.FILE, golden.PSI
DIRECTIONS, DISCRIMINATOR, ONNX = "directions.safetensors", "discriminator.safetensors", "model.onnx"
ASKED_FOR = (DISCRIMINATOR, ONNX)  # hashed when they are read, not on load: training and the other back end want them

MAX_MANIFEST_BYTES = 1 << 20
MAX_FILE_BYTES = 1 << 30
COMMANDS = {
    "avatar": "dramatis generate",
    "sync": "python -m preprocessing.sync",
    "lipsync": "dramatis lipsync",
    "dance": "dramatis dance",
}


@dataclass(frozen=True)
class Directions:
    """Directions of W: unit rows [n, w_dim], the deviation along each [n], the mean [w_dim]; names -> row.

    The first `principal` rows are the principal ones, which go by their number.
    """

    components: "torch.Tensor"
    sigmas: "torch.Tensor"
    mean: "torch.Tensor"
    principal: int
    names: dict[str, int]


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk whose manifest was checked; `sha256` is that of the manifest, which holds all the others."""

    manifest: dict[str, Any]
    folder: Path
    sha256: str

    @property
    def name(self) -> str:
        return self.manifest["name"]

    @property
    def is_starter(self) -> bool:
        """Tell a shipped starter from a bundle of the user's own training."""
        return self.folder.resolve().parent == _root() / "data" / "starters"

    @property
    def task(self) -> str:
        return self.manifest["task"]

    @cached_property
    def config(self) -> "GeneratorConfig | Wav2LipConfig | DanceConfig | ComposerConfig":
        return kinds.config(self.manifest["network"])

    def require(self, task: str) -> "Bundle":
        """Give itself where it is for this task; else `UserError`."""
        if self.task != task:
            raise UserError(
                f"bundle {self.name} is for {self.task} (`{COMMANDS[self.task]}`), and one for {task} was expected: "
                f"`dramatis doctor` lists what there is"
            )
        return self

    def read(self, file: str) -> bytes:
        """Read a file that the manifest lists, whole and of the hash that stands there; else `UserError`."""
        if file not in self.manifest["files"]:
            raise UserError(f"bundle {self.name} holds no {file}: {self.folder}")
        data = _read_capped(self.folder / file, MAX_FILE_BYTES)
        if hashlib.sha256(data).hexdigest() != self.manifest["files"][file]:
            raise UserError(
                f"{self.folder / file} is not the file that {MANIFEST} names (wrong sha256): copy or export it anew"
            )
        return data

    def tensors(self, file: str) -> dict[str, "torch.Tensor"]:
        """Read a file of tensors, whatever is stored in half precision widened to float32."""
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load as parse

        try:
            tensors = parse(self.read(file))
        except (SafetensorError, KeyError, ValueError, OverflowError) as error:
            raise UserError(f"{self.folder / file} is no safetensors file: {one_line(error)}") from None
        return {name: value.float() if value.dtype == torch.float16 else value for name, value in tensors.items()}

    def network(self) -> "nn.Module":
        """Build the network and fill it: float32, for evaluation, without gradients."""
        kind, weights = self.manifest["network"]["kind"], self.tensors(MODEL)
        found = {name: list(value.shape) for name, value in weights.items()}
        self._compare(kinds.frame(kind, self.config), found)  # before anything of such a size is allocated
        network = kinds.build(kind, self.config)
        self._compare({name: list(value.shape) for name, value in network.state_dict().items()}, found, exactly=True)
        network.load_state_dict(weights)
        return network.eval().requires_grad_(False)

    def generator(self) -> "Generator":
        """Build the network of avatars."""
        return self.require("avatar").network()

    def directions(self) -> Directions:
        """Read the directions: principal ones, and those that the manifest names."""
        tensors = self.require("avatar").tensors(DIRECTIONS)
        parts = [tensors.get(key) for key in ("components", "sigmas", "mean")]
        shapes = [None if part is None else tuple(part.shape) for part in parts]
        w_dim, count = self.config.w_dim, shapes[0][0] if shapes[0] else 0
        if not count or shapes != [(count, w_dim), (count,), (w_dim,)]:
            raise UserError(
                f"{self.folder / DIRECTIONS}: components, sigmas, mean of shapes {shapes} do not fit w_dim {w_dim}"
            )
        about = self.manifest.get("directions", {})
        names = {name: row for name, row in about.get("names", {}).items() if 0 <= row < count}
        return Directions(*parts, principal=min(about.get("count", count), count), names=names)

    def check(self) -> float:
        """Make what is golden again and give the largest difference; see `golden.difference`."""
        return golden.difference(self)

    def _compare(self, wanted: dict[str, list[int]], found: dict[str, list[int]], exactly: bool = False) -> None:
        """Compare shapes by name; with `exactly`, what nobody wanted is refused, too."""
        for name in sorted(wanted.keys() | found.keys() if exactly else wanted.keys()):
            if found.get(name) != wanted.get(name):
                raise UserError(
                    f"{self.folder / MODEL}: {name} is {found.get(name, 'absent')}, the network of {MANIFEST} wants "
                    f"{wanted.get(name, 'none of that name')}: the two are not of one export"
                )


def write(
    folder: Path,
    about: Mapping[str, Any],
    tensors: Mapping[str, Mapping[str, "torch.Tensor"]],
    files: Mapping[str, bytes] | None = None,
) -> Bundle:
    """Write a bundle whole or not at all, replacing what stands there, and read it back.

    `tensors` goes by file name (`MODEL`, `DIRECTIONS`, `GOLDEN`, `DISCRIMINATOR`), `files` holds the bytes of the
    rest (model.onnx, preview.png, README.md). `schema` and `files` of the manifest, `about`, are filled in here; with
    precision float16 the weights of the two networks are halved, but for vectors and scalars, which cost nothing.
    """
    half = about["precision"] == "float16"
    contents = dict(files or {})
    for file, state in tensors.items():
        contents[file] = _pack(state, half and file in (MODEL, DISCRIMINATOR))
    hashes = {file: hashlib.sha256(data).hexdigest() for file, data in sorted(contents.items())}
    full = {"schema": SCHEMA, **about, "files": hashes}
    manifest.check(full, folder / MANIFEST)
    contents[MANIFEST] = (json.dumps(full, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    arriving, leaving = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    for rest in (arriving, leaving):
        shutil.rmtree(rest, ignore_errors=True)
    arriving.mkdir(parents=True)
    for file, data in contents.items():
        (arriving / file).write_bytes(data)
    if folder.exists():
        os.replace(folder, leaving)
    os.replace(arriving, folder)
    shutil.rmtree(leaving, ignore_errors=True)
    return load(folder)


def load(name: str | Path) -> Bundle:
    """Find a bundle by name or path and check its manifest and the hash of every file; `UserError` for what is wrong.

    Left unread are the discriminator of a starter and the ONNX file: they are checked when they are asked for.
    """
    folder = find(name)
    path = folder / MANIFEST
    data = _read_capped(path, MAX_MANIFEST_BYTES)
    try:
        about = strangers.parse(data)
    except ValueError as error:
        raise UserError(f"{path} cannot be read: {one_line(error)}: copy or export the bundle anew") from None
    manifest.check(about, path)
    bundle = Bundle(about, folder, hashlib.sha256(data).hexdigest())
    for file in about["files"]:
        if file not in ASKED_FOR:
            bundle.read(file)
    return bundle


def find(name: str | Path) -> Path:
    """Give the folder of a bundle: an existing path, else by name in `places()`; `UserError` names the known ones."""
    if (Path(name) / MANIFEST).exists():
        return Path(name)
    if manifest.NAME.fullmatch(str(name)):
        for place in places():
            if (place / str(name) / MANIFEST).exists():
                return place / str(name)
    known = ", ".join(sorted({folder.name for folder in installed()})) or "none: `make repro` trains and exports them"
    raise UserError(f"bundle {str(name)!r} is neither a folder with a {MANIFEST} nor a known name; known: {known}")


def places() -> list[Path]:
    """List the folders that hold bundles, the first wins: $DRAMATIS_BUNDLES, what was exported here, the starters."""
    brought = [Path(place) for place in os.environ.get("DRAMATIS_BUNDLES", "").split(os.pathsep) if place]
    return [*brought, _root() / "data" / "exported", _root() / "data" / "starters"]


def installed() -> Iterator[Path]:
    """Give every folder in `places()` that holds a manifest, checked or not."""
    for place in places():
        yield from sorted(file.parent for file in place.glob(f"*/{MANIFEST}"))


def _root() -> Path:
    return Path(__file__).resolve().parent.parent


def _pack(state: Mapping[str, "torch.Tensor"], half: bool) -> bytes:
    import torch
    from safetensors.torch import save

    def stored(value: "torch.Tensor") -> "torch.Tensor":
        value = value.detach().cpu().contiguous()
        if not (half and value.dtype == torch.float32 and value.ndim > 1):
            return value
        if value.abs().max() > torch.finfo(torch.float16).max:
            raise ValueError(f"weights of up to {value.abs().max():.0f} do not fit float16: export as float32")
        return value.half()

    return save({name: stored(value) for name, value in state.items()})


def _read_capped(path: Path, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes: its length is looked at first."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise UserError(f"{path} is no file: copy or export the bundle anew")
        if about.st_size > limit:
            raise UserError(f"{path} has {about.st_size} bytes, more than the {limit} that such a file may have")
        with open(path, "rb") as stream:
            return stream.read(limit)
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}: copy or export the bundle anew") from None
