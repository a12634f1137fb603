"""Check what a bundle says of itself, bundle.json, before anything of it is believed, opened or allocated.

A later task adds a line to `TASKS`, the bounds of its network to `BOUNDS` and, where its manifests hold more than the
others', its fields to `TASK_FIELDS`.
"""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from inference.errors import UserError

SCHEMA = 1
FILE = "bundle.json"
MODEL = "model.safetensors"

MAX_FILES = 32
MAX_CLAMP = 1 << 16
MAX_LEAD = 5  # frames
MAX_GENRES = 256
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
GENRE = re.compile(r"(?=.{1,64}\Z)[A-Za-z0-9][A-Za-z0-9_-]*( [A-Za-z0-9_-]+)*")  # "ballet jazz"
MEMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}(\.[A-Za-z0-9]{1,16})?")
SHA256 = re.compile(r"[0-9a-f]{64}")

# What a bundle is for -> the kinds of network that do it.
TASKS = {"avatar": ("stylegan2",), "sync": ("syncnet",), "lipsync": ("wav2lip",), "dance": ("dance", "dance_gan")}
PRECISIONS = ("float32", "float16")
PADDINGS = ("reflect", "constant")

# What a manifest must hold, and what one of a task must hold besides. Everything else in it is carried along unread.
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
    "provenance": dict,
    "metrics": dict,
    "created": str,
}
TASK_FIELDS: dict[str, dict[str, type]] = {
    "avatar": {"subject": str},
    "sync": {"mel": dict},
    "lipsync": {"mel": dict, "expert": dict},
    "dance": {"music": dict, "motion": dict, "genres": list},
}
# Numbers of a frame, each with its mean and deviation, and frames a second.
COLUMNS = {"music": 37, "motion": 151}
DANCE_FPS = 30

# What a network may be: bounds on the allocation, twice of what anybody trains. Whole numbers where they are whole.
Bounds = Mapping[str, tuple[int, int] | tuple[float, float]]
_LIPS = {"width": (0.01, 2.0), "edge": (96, 96)}
BOUNDS: dict[str, Bounds] = {
    "stylegan2": {
        "height": (8, 2048),
        "width": (8, 2048),
        "channel_base": (8, 1 << 17),
        "channel_max": (1, 1024),
        "z_dim": (1, 1024),
        "w_dim": (1, 1024),
        "mapping_layers": (1, 16),
        "image_channels": (3, 4),
        "classes": (0, 1000),
    },
    "syncnet": _LIPS,
    "wav2lip": _LIPS,
    "dance": {
        "width": (8, 2048),
        "depth": (1, 48),
        "heads": (1, 64),
        "listening": (0, 16),
        "patch": (1, 16),
        "window": (2, 900),
        "music": (37, 37),
        "genres": (0, MAX_GENRES),
    },
    "dance_gan": {
        "width": (4, 512),
        "levels": (1, 7),
        "recurrent": (8, 2048),
        "layers": (1, 8),
        "noise": (1, 512),
        "music": (37, 37),
        "genres": (0, MAX_GENRES),
    },
}

Refuse = Callable[[str], NoReturn]


def check(manifest: Any, path: Path) -> None:
    """Refuse, as `UserError`, a manifest that this version cannot read or that lies about itself."""

    def refuse(why: str) -> NoReturn:
        raise UserError(f"{path}: {why}")

    if not isinstance(manifest, dict) or type(manifest.get("schema")) is not int:
        refuse("no bundle's manifest: a JSON object with a number `schema` was expected")
    if manifest["schema"] > SCHEMA:
        refuse(f"schema {shown(manifest['schema'])} is newer than {SCHEMA}, the newest read here: update dramatis")
    if manifest["schema"] != SCHEMA:
        refuse(f"schema {shown(manifest['schema'])} is unknown, {SCHEMA} was expected")
    _check_fields(manifest, FIELDS, refuse)
    if manifest["task"] not in TASKS:
        refuse(f"task {shown(manifest['task'])} is none of {', '.join(TASKS)}: update dramatis")
    _check_fields(manifest, TASK_FIELDS[manifest["task"]], refuse)
    if not NAME.fullmatch(manifest["name"]):
        refuse(f"name {shown(manifest['name'])} must be letters, digits, _ and -")
    if manifest["precision"] not in PRECISIONS:
        refuse(f"precision {shown(manifest['precision'])} is none of {', '.join(PRECISIONS)}")
    _check_files(manifest["files"], refuse)
    _check_network(manifest["network"], manifest["task"], refuse)
    if manifest["task"] == "avatar":
        _check_names(manifest, refuse)
    if "mel" in TASK_FIELDS[manifest["task"]]:
        _check_mel(manifest, refuse)
    if manifest["task"] == "dance":
        _check_dance(manifest, refuse)


def _check_fields(manifest: dict, fields: Mapping[str, type], refuse: Refuse) -> None:
    for field, kind in fields.items():
        if type(manifest.get(field)) is not kind:
            refuse(f"`{field}` must be {kind.__name__}, got {shown(manifest.get(field))}")


def _check_files(files: dict, refuse: Refuse) -> None:
    if len(files) > MAX_FILES:
        refuse(f"`files` lists {len(files)} files, more than {MAX_FILES}")
    for file, digest in files.items():
        if not MEMBER.fullmatch(file) or file == FILE:
            refuse(f"file name {shown(file)} must be letters, digits, _ and - with one ending, in the bundle's folder")
        if not (isinstance(digest, str) and SHA256.fullmatch(digest)):
            refuse(f"files: {shown(digest)} of {file} is no sha256")
    if MODEL not in files:
        refuse(f"`files` must list {MODEL}")


def _check_names(manifest: dict, refuse: Refuse) -> None:
    directions = manifest.get("directions", {})
    names = directions.get("names", {}) if isinstance(directions, dict) else None
    if not (isinstance(names, dict) and all(type(row) is int for row in names.values())):
        refuse(f"`directions.names` must give a row for each name, got {shown(names)}")
    if type(count := directions.get("count", 0)) is not int or count < 0:
        refuse(f"`directions.count` must be a whole number, got {shown(count)}")


def _check_mel(manifest: dict, refuse: Refuse) -> None:
    """Check the recipe of the sound that the network was trained on, and which expert taught a generator.

    `lead` is the frame, counted from a picture, from which on it is heard: -1 as published generators were trained.
    """
    mel, lead = manifest["mel"], manifest["mel"].get("lead", 0)
    if mel.get("padding") not in PADDINGS:
        refuse(f"mel padding {shown(mel.get('padding'))} is none of {', '.join(PADDINGS)}")
    if type(lead) is not int or abs(lead) > MAX_LEAD:
        refuse(f"mel lead {shown(lead)} must be a whole number of frames from {-MAX_LEAD} to {MAX_LEAD}")
    if manifest["task"] == "lipsync":
        taught = manifest["expert"].get("sha256")
        if taught is not None and not (isinstance(taught, str) and SHA256.fullmatch(taught)):
            refuse(f"expert {shown(taught)} must be a sha256, or null of weights that do not say")


def _check_dance(manifest: dict, refuse: Refuse) -> None:
    """Check the units of music and motion, and that genres have names as many as the network knows."""
    for what, columns in COLUMNS.items():
        for name in ("mean", "std"):
            numbers = manifest[what].get(name)
            fine = isinstance(numbers, list) and all(type(each) is float and math.isfinite(each) for each in numbers)
            if not fine or len(numbers) != columns or (name == "std" and min(numbers) <= 0):
                refuse(f"{what} {name} {shown(numbers)} must be {columns} numbers{', above 0' * (name == 'std')}")
        if manifest[what].get("fps") != DANCE_FPS:
            refuse(f"{what} fps {shown(manifest[what].get('fps'))} must be {DANCE_FPS}: update dramatis")
    genres, known = manifest["genres"], manifest["network"]["genres"]
    if not all(isinstance(each, str) and GENRE.fullmatch(each) for each in genres) or len(genres) != known:
        refuse(f"genres {shown(genres)} must be words of letters, digits, _ and -, one name for each of {known}")


def _check_network(network: dict, task: str, refuse: Refuse) -> None:
    """Bound a network before anything of it is allocated."""
    kinds, kind = TASKS[task], network.get("kind")
    if kind not in kinds:
        refuse(f"network kind {shown(kind)} is unknown for {task}, {' or '.join(kinds)} was expected")
    bounds = BOUNDS[kind]
    free = {"conv_clamp"} if kind == "stylegan2" else set()
    for key in network.keys() - bounds.keys() - {"kind"} - free:
        refuse(f"network has an unknown key {shown(key)}")
    for key, (low, high) in bounds.items():
        value = network.get(key)
        whole = isinstance(low, int)
        if type(value) not in ((int,) if whole else (int, float)) or not low <= value <= high:
            refuse(f"network {key} {shown(value)} must be a {'whole ' * whole}number from {low} to {high}")
    if kind == "stylegan2":
        _check_stylegan2(network, refuse)
    if kind == "dance" and (network["width"] % (2 * network["heads"]) or network["window"] % network["patch"]):
        refuse(
            f"network of width {network['width']}, {network['heads']} heads, {network['window']} frames by "
            f"{network['patch']}: even parts of a width and whole patches were expected"
        )


def _check_stylegan2(network: dict, refuse: Refuse) -> None:
    clamp = network.get("conv_clamp")
    if clamp is not None and not (type(clamp) in (int, float) and 0 < clamp <= MAX_CLAMP):
        refuse(f"network conv_clamp {shown(clamp)} must be null or a number above 0, {MAX_CLAMP} at most")
    height, width = network["height"], network["width"]
    longer, shorter = max(height, width), min(height, width)
    if longer & (longer - 1) or longer // shorter not in (1, 2, 4) or longer % shorter:
        refuse(f"network of {width}x{height} pixels: the longer side must be 4 * 2^n, the shorter as long, 1/2 or 1/4")
    if network["channel_base"] < longer:
        refuse(f"network channel_base {network['channel_base']} must be at least {longer}: a level has no channel else")


def shown(value: Any) -> str:
    """Write a value as it stands in a manifest, shortened."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
