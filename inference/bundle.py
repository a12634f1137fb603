"""Write, find and read bundles: a folder of safetensors and a manifest that holds the hash of each file.

    bundle = load("portrait")            # a name, or a path
    generator = bundle.generator()

Nothing here can run what a file says: no pickle, no path out of a manifest, nothing allocated before it was checked.
"""

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference import strangers
from inference.errors import UserError

if TYPE_CHECKING:  # torch takes seconds to import: a wrong name is told before
    import torch

    from inference.networks.stylegan2 import Generator, GeneratorConfig

SCHEMA = 1
MANIFEST = "bundle.json"
MODEL, DIRECTIONS, GOLDEN = "model.safetensors", "directions.safetensors", "golden.safetensors"
DISCRIMINATOR = "discriminator.safetensors"
ASKED_FOR = (DISCRIMINATOR,)  # hashed when it is read, not on load: only training wants it
GOLDEN_PSI = 0.7

MAX_MANIFEST_BYTES = 1 << 20
MAX_FILE_BYTES = 1 << 30
MAX_FILES = 32
MAX_GOLDEN = 64
MAX_CLAMP = 1 << 16
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
MEMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}(\.[A-Za-z0-9]{1,16})?")
SHA256 = re.compile(r"[0-9a-f]{64}")

# What a manifest must hold. Everything else in it is carried along unread.
FIELDS: dict[str, type] = {
    "name": str,
    "version": str,
    "task": str,
    "network": dict,
    "precision": str,
    "files": dict,
    "licences": dict,
    "commercial": bool,
    "demo": bool,
    "subject": str,
    "provenance": dict,
    "metrics": dict,
    "created": str,
}
PRECISIONS = ("float32", "float16")
# What a network may be: bounds on the allocation, twice of what anybody trains.
BOUNDS = {
    "height": (8, 2048),
    "width": (8, 2048),
    "channel_base": (8, 1 << 17),
    "channel_max": (1, 1024),
    "z_dim": (1, 1024),
    "w_dim": (1, 1024),
    "mapping_layers": (1, 16),
    "image_channels": (3, 3),
    "classes": (0, 1000),
}


@dataclass(frozen=True)
class Directions:
    """Principal directions of W: unit rows [n, w_dim], the deviation along each [n], the mean [w_dim]; names -> row."""

    components: "torch.Tensor"
    sigmas: "torch.Tensor"
    mean: "torch.Tensor"
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

    @cached_property
    def config(self) -> "GeneratorConfig":
        from inference.networks.stylegan2 import GeneratorConfig

        return GeneratorConfig(**{key: value for key, value in self.manifest["network"].items() if key != "kind"})

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
            raise UserError(f"{self.folder / file} is no safetensors file: {_one_line(error)}") from None
        return {name: value.float() if value.dtype == torch.float16 else value for name, value in tensors.items()}

    def generator(self) -> "Generator":
        """Build the generator and fill it: float32, for evaluation, without gradients."""
        import torch

        from inference.networks.stylegan2 import Generator

        weights = self.tensors(MODEL)
        found = {name: list(value.shape) for name, value in weights.items()}
        self._compare(_frame(self.config), found)  # before anything of such a size is allocated
        with torch.random.fork_rng(devices=[]):  # the weights drawn to be overwritten are not the caller's draws
            generator = Generator(self.config)
        self._compare({name: list(value.shape) for name, value in generator.state_dict().items()}, found, exactly=True)
        generator.load_state_dict(weights)
        return generator.eval().requires_grad_(False)

    def directions(self) -> Directions:
        """Read the principal directions; named ones where the manifest names them."""
        tensors = self.tensors(DIRECTIONS)
        parts = [tensors.get(key) for key in ("components", "sigmas", "mean")]
        shapes = [None if part is None else tuple(part.shape) for part in parts]
        w_dim, count = self.config.w_dim, shapes[0][0] if shapes[0] else 0
        if not count or shapes != [(count, w_dim), (count,), (w_dim,)]:
            raise UserError(
                f"{self.folder / DIRECTIONS}: components, sigmas, mean of shapes {shapes} do not fit w_dim {w_dim}"
            )
        names = self.manifest.get("directions", {}).get("names", {})
        return Directions(*parts, names={name: row for name, row in names.items() if 0 <= row < count})

    def check(self) -> int:
        """Make the golden pictures again and give the largest difference, in levels of 255; 0 or 1 is the same."""
        import torch

        from inference.networks.stylegan2 import to_uint8

        golden, config = self.tensors(GOLDEN), self.config
        shapes = {name: tuple(value.shape) for name, value in golden.items()}
        count = max(1, min((MAX_GOLDEN, *shapes.get("z", ())[:1])))
        wanted = {"z": (count, config.z_dim), "image": (count, config.height, config.width, config.image_channels)}
        if shapes != wanted | ({"labels": (count,)} if config.classes else {}):
            raise UserError(f"{self.folder / GOLDEN}: tensors of shapes {shapes} are no golden pictures of its network")
        with torch.inference_mode():
            pictures = to_uint8(self.generator()(golden["z"], golden.get("labels"), psi=GOLDEN_PSI, noise="const"))
        return int((pictures.int() - golden["image"].int()).abs().max())

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
    manifest: Mapping[str, Any],
    tensors: Mapping[str, Mapping[str, "torch.Tensor"]],
    files: Mapping[str, bytes] | None = None,
) -> Bundle:
    """Write a bundle whole or not at all, replacing what stands there, and read it back.

    `tensors` goes by file name (`MODEL`, `DIRECTIONS`, `GOLDEN`, `DISCRIMINATOR`), `files` holds the bytes of the
    rest (preview.png, README.md). `schema` and `files` of the manifest are filled in here; with precision float16 the
    weights of the two networks are halved, but for vectors and scalars, which cost nothing.
    """
    half = manifest["precision"] == "float16"
    contents = dict(files or {})
    for file, state in tensors.items():
        contents[file] = _pack(state, half and file in (MODEL, DISCRIMINATOR))
    hashes = {file: hashlib.sha256(data).hexdigest() for file, data in sorted(contents.items())}
    full = {"schema": SCHEMA, **manifest, "files": hashes}
    _check(full, folder / MANIFEST)
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

    The one file left unread is the discriminator of a starter: it is checked when it is asked for.
    """
    folder = find(name)
    path = folder / MANIFEST
    data = _read_capped(path, MAX_MANIFEST_BYTES)
    try:
        manifest = strangers.parse(data)
    except ValueError as error:
        raise UserError(f"{path} cannot be read: {_one_line(error)}: copy or export the bundle anew") from None
    _check(manifest, path)
    bundle = Bundle(manifest, folder, hashlib.sha256(data).hexdigest())
    for file in manifest["files"]:
        if file not in ASKED_FOR:
            bundle.read(file)
    return bundle


def find(name: str | Path) -> Path:
    """Give the folder of a bundle: an existing path, else by name in `places()`; `UserError` names the known ones."""
    if (Path(name) / MANIFEST).exists():
        return Path(name)
    if NAME.fullmatch(str(name)):
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
        yield from sorted(manifest.parent for manifest in place.glob(f"*/{MANIFEST}"))


def _root() -> Path:
    return Path(__file__).resolve().parent.parent


def _frame(config: "GeneratorConfig") -> dict[str, list[int]]:
    """Give the shapes of the weights that decide on a network's memory.

    A network without storage (torch's meta device) would tell all of them, and takes seconds of imports to do so.
    """
    shapes = {f"mapping.fc{layer}.bias": [config.w_dim] for layer in range(config.mapping_layers)}
    for level in config.levels:
        channels = config.channels(level)
        shapes[f"synthesis.b{level}.conv1.weight"] = [channels, channels, 3, 3]
        shapes[f"synthesis.b{level}.conv1.noise_const"] = list(config.extent(level))
    return shapes


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


def _check(manifest: Any, path: Path) -> None:
    """Refuse a manifest that this version cannot read or that lies about itself."""

    def refuse(why: str) -> None:
        raise UserError(f"{path}: {why}")

    if not isinstance(manifest, dict) or type(manifest.get("schema")) is not int:
        refuse("no bundle's manifest: a JSON object with a number `schema` was expected")
    if manifest["schema"] > SCHEMA:
        refuse(f"schema {_shown(manifest['schema'])} is newer than {SCHEMA}, the newest read here: update dramatis")
    if manifest["schema"] != SCHEMA:
        refuse(f"schema {_shown(manifest['schema'])} is unknown, {SCHEMA} was expected")
    for field, kind in FIELDS.items():
        if type(manifest.get(field)) is not kind:
            refuse(f"`{field}` must be {kind.__name__}, got {_shown(manifest.get(field))}")
    if not NAME.fullmatch(manifest["name"]):
        refuse(f"name {_shown(manifest['name'])} must be letters, digits, _ and -")
    if manifest["precision"] not in PRECISIONS:
        refuse(f"precision {_shown(manifest['precision'])} is none of {', '.join(PRECISIONS)}")
    if len(manifest["files"]) > MAX_FILES:
        refuse(f"`files` lists {len(manifest['files'])} files, more than {MAX_FILES}")
    for file, digest in manifest["files"].items():
        if not MEMBER.fullmatch(file) or file == MANIFEST:
            refuse(f"file name {_shown(file)} must be letters, digits, _ and - with one ending, in the bundle's folder")
        if not (isinstance(digest, str) and SHA256.fullmatch(digest)):
            refuse(f"files: {_shown(digest)} of {file} is no sha256")
    if MODEL not in manifest["files"]:
        refuse(f"`files` must list {MODEL}")
    _check_names(manifest, refuse)
    _check_network(manifest["network"], refuse)


def _check_names(manifest: dict, refuse: Any) -> None:
    directions = manifest.get("directions", {})
    names = directions.get("names", {}) if isinstance(directions, dict) else None
    if not (isinstance(names, dict) and all(type(row) is int for row in names.values())):
        refuse(f"`directions.names` must give a row for each name, got {_shown(names)}")


def _check_network(network: dict, refuse: Any) -> None:
    """Bound a network before anything of it is allocated."""
    if network.get("kind") != "stylegan2":
        refuse(f"network kind {_shown(network.get('kind'))} is unknown, stylegan2 was expected")
    for key in network.keys() - BOUNDS.keys() - {"kind", "conv_clamp"}:
        refuse(f"network has an unknown key {_shown(key)}")
    for key, (low, high) in BOUNDS.items():
        value = network.get(key)
        if type(value) is not int or not low <= value <= high:
            refuse(f"network {key} {_shown(value)} must be a whole number from {low} to {high}")
    clamp = network.get("conv_clamp")
    if clamp is not None and not (type(clamp) in (int, float) and 0 < clamp <= MAX_CLAMP):
        refuse(f"network conv_clamp {_shown(clamp)} must be null or a number above 0, {MAX_CLAMP} at most")
    height, width = network["height"], network["width"]
    longer, shorter = max(height, width), min(height, width)
    if longer & (longer - 1) or longer // shorter not in (1, 2, 4) or longer % shorter:
        refuse(f"network of {width}x{height} pixels: the longer side must be 4 * 2^n, the shorter as long, 1/2 or 1/4")
    if network["channel_base"] < longer:
        refuse(f"network channel_base {network['channel_base']} must be at least {longer}: a level has no channel else")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
