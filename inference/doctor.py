"""Look at what is installed, what is missing, under which licences, and what this machine offers."""

import contextlib
import importlib.util
import os
import platform
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from inference import bundle as bundles
from inference.errors import UserError
from inference.outputs import version


@dataclass(frozen=True)
class Part:
    """A package: where it comes from, what it is for, and whether avatars need it."""

    distribution: str
    module: str
    licence: str
    purpose: str
    needed: bool = False


PARTS = (
    Part("torch", "torch", "BSD-3-Clause", "runs the networks", needed=True),
    Part("numpy", "numpy", "BSD-3-Clause", "pictures as arrays", needed=True),
    Part("pillow", "PIL", "MIT-CMU", "reads and writes pictures", needed=True),
    Part("safetensors", "safetensors", "Apache-2.0", "reads bundles", needed=True),
    Part("typer", "typer", "MIT", "this command", needed=True),
    Part("c2pa-python", "c2pa", "MIT OR Apache-2.0", "marks what is made", needed=True),
    Part("cryptography", "cryptography", "Apache-2.0 OR BSD-3-Clause", "signs the marks", needed=True),
    Part("av", "av", "BSD-3-Clause; its wheel brings x264 (GPL-2.0-or-later)", "reads and writes videos and sound"),
    Part("onnxruntime", "onnxruntime", "MIT", "runs the speech detector, the matte and exported graphs"),
    Part("opencv-python-headless", "cv2", "Apache-2.0", "finds faces"),
    Part("anny", "anny", "Apache-2.0", "the rendered body"),
    Part("espeakng-loader", "espeakng_loader", "GPL-3.0-or-later (eSpeak NG)", "speaks in the demo talks alone"),
    Part("ultralytics", "ultralytics", "AGPL-3.0", "finds people, in preprocessing alone"),
    Part("rembg", "rembg", "MIT", "the second matte backend"),
    Part("openvino", "openvino", "Apache-2.0", "a faster matte"),
    Part("pytorch-lightning", "pytorch_lightning", "Apache-2.0", "training"),
    Part("hydra-core", "hydra", "MIT", "configures the pipeline"),
    Part("dvc", "dvc", "Apache-2.0", "reproduces the pipeline"),
    Part("wandb", "wandb", "MIT", "watches the training"),
    Part("onnx", "onnx", "Apache-2.0", "writes graphs, in exports"),
    Part("onnxscript", "onnxscript", "MIT", "writes graphs, in exports"),
)

# What the line of a bundle says of its network: width and height of its pictures, and the share of Wav2Lip's channels.
WHAT = {
    "avatar": "avatars {0}x{1}",
    "sync": "sync expert {0}x{1} at width {2:g}",
    "lipsync": "lip-sync {0}x{1} at width {2:g}",
    "dance": "music to dance at width {2:g}",
}
NEEDED = {  # what tasks need besides what avatars do
    "lipsync": ("av", "onnxruntime", "opencv-python-headless"),
    "dance": ("av", "opencv-python-headless"),
}


def examine() -> dict[str, Any]:
    """Look at everything; `ready` tells whether avatars can be made here, `ready_to_lipsync`, `ready_to_dance` so."""
    parts = [_part(part) for part in PARTS]
    found = [_bundle(folder) for folder in bundles.installed()]
    certificate = _certificate()
    able = certificate["usable"] and all(part["version"] for part in parts if part["needed"])
    tasks = {bundle["task"] for bundle in found if bundle["usable"]}
    there = {part["package"] for part in parts if part["version"]}
    others = {task: able and task in tasks and there.issuperset(needed) for task, needed in NEEDED.items()}
    return {
        "ready": able and "avatar" in tasks,
        **{f"ready_to_{task}": ready for task, ready in others.items()},
        "dramatis": {"version": version(), "licence": "Apache-2.0"},
        "machine": _machine(),
        "bundles": found,
        "certificate": certificate,
        "weights": _weights(),
        "packages": parts,
    }


def lines(findings: dict[str, Any]) -> list[str]:
    """Write the findings for a person."""
    machine, certificate = findings["machine"], findings["certificate"]
    return [
        f"dramatis {findings['dramatis']['version']} ({findings['dramatis']['licence']}), python {machine['python']}, "
        f"{machine['system']}",
        f"  computes on: {machine['gpu'] or 'no GPU'}, {machine['cores']} cores, {machine['threads']} threads",
        f"  signs with:  {certificate['path'] or 'nothing'} ({certificate['state']})",
        "bundles",
        *(_bundle_line(bundle) for bundle in findings["bundles"] or [None]),
        "weights (fetched when they are needed, by preprocessing)",
        *(
            f"  {weights['name']:<12} {'here' if weights['here'] else 'not yet':<9} {weights['licence']}"
            for weights in findings["weights"]
        ),
        "packages",
        *(
            f"  {part['package']:<24} {part['version'] or ('MISSING' if part['needed'] else '-'):<14} "
            f"{part['licence']}: {part['purpose']}"
            for part in findings["packages"]
        ),
        *_copyleft(findings["packages"]),
        *(
            f"ready to {what}" if findings[key] else f"not ready to {what}: see what is missing above"
            for key, what in (("ready", "make avatars"), ("ready_to_lipsync", "lip-sync"), ("ready_to_dance", "dance"))
        ),
    ]


def _part(part: Part) -> dict[str, Any]:
    there = importlib.util.find_spec(part.module) is not None
    try:
        found = metadata.version(part.distribution) if there else None
    except metadata.PackageNotFoundError:
        found = "of another package"
    return {
        "package": part.distribution,
        "version": found,
        "licence": part.licence,
        "purpose": part.purpose,
        "needed": part.needed,
    }


def _bundle(folder: Path) -> dict[str, Any]:
    """Load a bundle as it would be for use; one that cannot be is listed with the reason."""
    try:
        bundle = bundles.load(folder)
    except UserError as error:
        return {"name": folder.name, "folder": str(folder), "usable": False, "why": str(error)}
    manifest = bundle.manifest
    return {
        "name": bundle.name,
        "folder": str(folder),
        "usable": True,
        "version": manifest["version"],
        "starter": bundle.is_starter,
        "task": bundle.task,
        "subject": manifest.get("subject"),
        "network": manifest["network"],
        "pixels": _pixels(manifest["network"]),
        "kimg": manifest["provenance"].get("kimg"),
        "steps": manifest["provenance"].get("steps"),
        "demo": manifest["demo"],
        "commercial": manifest["commercial"],
        "licences": manifest["licences"],
        "sha256": bundle.sha256,
    }


def _pixels(network: dict[str, Any]) -> list[int]:
    """Give width and height of the pictures that a network makes or looks at; of one of motion, nothing."""
    if "edge" in network:
        return [network["edge"]] * 2
    return [network["width"], network["height"]] if "height" in network else []


def _bundle_line(bundle: dict[str, Any] | None) -> str:
    if bundle is None:
        return f"  none in {', '.join(map(str, bundles.places()))}: `make repro` trains and exports them"
    if not bundle["usable"]:
        return f"  {bundle['name']:<12} BROKEN    {bundle['why']}"
    kind = "starter" if bundle["starter"] else "exported"
    what = WHAT[bundle["task"]].format(*(bundle["pixels"] or (0, 0)), bundle["network"]["width"])
    trained = "".join(f", {bundle[unit]} {unit}" for unit in ("kimg", "steps") if bundle[unit] is not None)
    toy = ", a toy of the demo world" if bundle["demo"] else ""
    use = "commercial use allowed" if bundle["commercial"] else "no commercial use"
    licences = ", ".join(f"{part} {_licence(licence)}" for part, licence in bundle["licences"].items() if licence)
    return f"  {bundle['name']:<12} {kind:<9} {what}{trained}{toy}; {licences}; {use}"


def _licence(licence: Any) -> str:
    """Write a licence, or the number of pictures under each."""
    if isinstance(licence, dict):
        return " + ".join(f"{name} ({count})" for name, count in licence.items())
    return str(licence)


def _certificate() -> dict[str, Any]:
    """Look at the signing certificate; where there is none yet, whether one could be made."""
    from inference import signer as signers

    try:
        where = {"path": str(signers.path())}
    except UserError as error:
        return {"path": None, "usable": False, "state": str(error)}
    if signers.path().exists():
        try:
            return where | {"usable": True, "state": f"certificate of {signers.signer().name}"}
        except UserError as error:
            return where | {"usable": False, "state": str(error)}
    folder = next(parent for parent in signers.path().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            return where | {"usable": True, "state": "made on first use"}
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        return where | {"usable": False, "state": f"{folder}: {why}: set XDG_CONFIG_HOME to a folder of yours"}


def _weights() -> list[dict[str, Any]]:
    from inference import weights

    brought = os.environ.get("DRAMATIS_WEIGHTS")
    folders = [Path(brought)] if brought else []
    with contextlib.suppress(RuntimeError):  # no home folder, no cache
        folders.append(weights.cache())

    def here(row: weights.Weights) -> bool:
        return any((folder / row.file).exists() for folder in folders)

    return [
        {"name": name, "file": row.file, "licence": row.licence, "here": here(row)}
        for name, row in weights.TABLE.items()
    ]


def _machine() -> dict[str, Any]:
    about = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if importlib.util.find_spec("torch") is None:
        return about | {"cores": cores, "threads": None, "gpu": None}
    import torch

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return about | {"cores": cores, "threads": torch.get_num_threads(), "gpu": gpu}


def _copyleft(packages: list[dict[str, Any]]) -> list[str]:
    there = [
        f"{part['package']} ({part['licence']})" for part in packages if part["version"] and "GPL" in part["licence"]
    ]
    return [f"copyleft among them: {', '.join(there)}"] if there else []
