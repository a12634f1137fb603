"""Bring in published weights that a user has: wav2lip.pth, wav2lip_gan.pth, lipsync_expert.pth, or safetensors of them.

Nothing in such a file is executed.
"""

import pickle
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from inference.errors import UserError, one_line

MOST_BYTES = 2 * 1024**3  # of a file and of what it unpacks to; the published ones hold their optimizer too: 0.4 GB
DISTRIBUTED = "module."  # what training on several GPUs puts before every name
EXPECTED = "expected a checkpoint of Wav2Lip (wav2lip.pth, wav2lip_gan.pth, lipsync_expert.pth) or its safetensors"
BROKEN = (RuntimeError, EOFError, OSError, KeyError, ValueError, TypeError, AttributeError, IndexError, AssertionError)
UNREADABLE = (*BROKEN, SafetensorError, zipfile.BadZipFile, struct.error, zlib.error, OverflowError, MemoryError)
COUNTED = ("running_mean", "running_var", "num_batches_tracked")  # by batch norm, not trained
# A name that only the one network has.
TELLING = {
    "face_decoder_blocks.0.0.conv_block.0.weight": "a generator",
    "face_encoder.0.conv_block.0.weight": "a sync expert",
    "binary_pred.0.weight": "a discriminator",
}


def load(network: nn.Module, path: Path) -> None:
    """Copy a file's weights into a network of the same shape: all of them, or, where one does not fit, none.

    Raises `UserError` with what is missing, unexpected or of another shape.
    """
    fill(network, read(path), str(path))


def fill(network: nn.Module, state: Mapping[str, Tensor], source: str, way_out: str = "") -> None:
    """Copy a state dict of `source` into a network: all of it, or, where something does not fit, nothing."""
    own = network.state_dict()
    if trouble := mismatch(state, own):
        raise UserError(f"{source} holds {describe(state)}, expected {describe(own)}: {trouble}{way_out}")
    for name, tensor in state.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise UserError(f"{source}: {name} holds values that are not finite: take a copy that is not damaged")
    network.load_state_dict(dict(state))


def read(path: Path) -> dict[str, Tensor]:
    """Read the state dict of a file, its names as the networks here have them, on the CPU."""
    if not path.is_file():
        raise UserError(f"{path} is not there: {EXPECTED}")
    if path.stat().st_size > MOST_BYTES:
        raise UserError(f"{path} is of {path.stat().st_size / 1e9:.1f} GB: {EXPECTED}, 0.4 GB at most")
    content = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    state = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not (isinstance(state, Mapping) and state and all(map(_is_weight, state.items()))):
        raise UserError(f"{path} holds no state dict: {EXPECTED}")
    return {name.removeprefix(DISTRIBUTED): tensor for name, tensor in state.items()}


def mismatch(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    """Say how the names and shapes of one state dict differ from those of another; nothing where they do not."""
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    shapes = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    found = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    return ", ".join(
        f"{len(names)} {what} ({names[0]}{', ..' if len(names) > 1 else ''})" for what, names in found.items() if names
    )


def describe(state: Mapping[str, Tensor]) -> str:
    """Name the network that a state dict is of, by what only that one has, and say how large it is."""
    kind = next((kind for name, kind in TELLING.items() if name in state), "another network")
    trained = sum(tensor.numel() for name, tensor in state.items() if not name.endswith(COUNTED))
    return f"{kind} of {trained:,} parameters in {len(state)} entries"


def _is_weight(item: tuple[Any, Any]) -> bool:
    name, tensor = item
    return isinstance(name, str) and isinstance(tensor, Tensor) and tensor.layout == torch.strided


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except UNREADABLE as error:
        raise UserError(f"{path} cannot be read ({one_line(error, 120)}): take a copy that is whole") from None


def _pickled(path: Path) -> Any:
    try:
        _check_unpacked(path)
        with warnings.catch_warnings(action="ignore"):  # about archives that are refused a moment later
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        with open(path, "rb") as stream:
            pickled = stream.read(2) in (b"PK", *(bytes([0x80, protocol]) for protocol in range(2, 6)))
        why = "asks for more than tensors, which could run code" if pickled else "is no checkpoint"
        raise UserError(f"{path} {why}: {EXPECTED}") from None
    except UNREADABLE as error:
        raise UserError(f"{path} cannot be read ({one_line(error, 120)}): take a copy that is whole") from None


def _check_unpacked(path: Path) -> None:
    """Refuse an archive that says little and unpacks to much, before anything of it is unpacked."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
            raise UserError(f"{path} unpacks to more than {MOST_BYTES / 1e9:.0f} GB: {EXPECTED}")
