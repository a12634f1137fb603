"""Make again what a bundle says that its network makes of given inputs: the golden check of an installation."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from inference.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import torch

    from inference.bundle import Bundle

FILE = "golden.safetensors"
PSI = 0.7
MAX_INPUTS = 64
MOTION = 151  # numbers of a frame of motion

# What `difference` may give on another machine: levels of 255 of pictures, of embeddings their own unit, and
# of motion deviations of its numbers.
TOLERANCE = {"avatar": 1, "sync": 1e-4, "lipsync": 1, "dance": 1e-3}


def difference(bundle: "Bundle") -> float:
    """Give the largest difference to what the bundle holds, in the unit of `TOLERANCE`."""
    return {"avatar": _avatar, "sync": _sync, "lipsync": _lipsync, "dance": _dance}[bundle.task](bundle)


def _avatar(bundle: "Bundle") -> int:
    import torch

    from inference.networks.stylegan2 import to_uint8

    golden, config = bundle.tensors(FILE), bundle.config
    count = _count(golden, "z")
    wanted = {"z": (count, config.z_dim), "image": (count, config.height, config.width, 3)}
    _check(bundle, golden, wanted | ({"labels": (count,)} if config.classes else {}), "pictures")
    with torch.inference_mode():
        pictures = to_uint8(bundle.generator()(golden["z"], golden.get("labels"), psi=PSI, noise="const"))
    return int((pictures.int() - golden["image"].int()).abs().max())


def _lipsync(bundle: "Bundle") -> int:
    import torch

    golden, edge = bundle.tensors(FILE), bundle.config.edge
    count = _count(golden, "mel")
    picture = (count, edge, edge, 3)
    wanted = {"mel": (count, 80, 16), "target": picture, "reference": picture, "image": picture}
    _check(bundle, golden, wanted, "pictures")
    pictures = torch.from_numpy(lips(bundle.network(), golden["mel"], golden["target"], golden["reference"]))
    return int((pictures.int() - golden["image"].int()).abs().max())


def _sync(bundle: "Bundle") -> float:
    golden, config = bundle.tensors(FILE), bundle.config
    count, features = _count(golden, "mel"), (_count(golden, "mel"), config.channels(512))
    frames = (count, 5, config.edge, config.edge, 3)
    wanted = {"mel": (count, 80, 16), "frames": frames, "audio": features, "face": features}
    _check(bundle, golden, wanted, "features")
    made = embeddings(bundle.network(), golden["mel"], golden["frames"])
    return max(float((made[name] - golden[name]).abs().max()) for name in made)


def _dance(bundle: "Bundle") -> float:
    golden, inputs = bundle.tensors(FILE), dance_inputs(bundle.manifest["network"], bundle.config)
    count = _count(golden, "music")
    # A composer hears songs of any length: the golden one says how long.
    frames = golden["music"].shape[1] if "music" in golden and golden["music"].ndim == 3 else 0
    shapes = {name: (count, *(frames if side is None else side for side in shape)) for name, shape in inputs.items()}
    moved = (count, shapes["music"][1], MOTION)
    _check(bundle, golden, shapes | {"motion": moved}, "motions")
    return float((dance(bundle.network(), golden, list(inputs)) - golden["motion"]).abs().max())


def dance_inputs(network: Mapping[str, Any], config: Any) -> dict[str, tuple[int | None, ...]]:
    """Give what a network of dances takes, in order, with shapes behind the batch; None is any length of a song."""
    if network["kind"] == "dance_gan":
        return {"music": (None, config.music), "noise": (None, config.noise), "genre": ()}
    window = config.window
    return {"noisy": (window, MOTION), "level": (), "music": (window, config.music), "genre": (), "heard": ()}


def dance(network: "torch.nn.Module", tensors: "Mapping[str, torch.Tensor]", names: list[str]) -> "torch.Tensor":
    """Run a network of dances on tensors by name: [N, T, 151] in units of deviation."""
    import torch

    with torch.inference_mode():
        return network(*(tensors[name] for name in names))


def lips(
    network: "torch.nn.Module", mel: "torch.Tensor", target: "torch.Tensor", reference: "torch.Tensor"
) -> "np.ndarray":
    """Draw with a lip-sync generator: mel [N, 80, 16] and RGB uint8 [N, 96, 96, 3] -> RGB uint8 [N, 96, 96, 3]."""
    import torch

    from inference.networks.wav2lip import face_input, to_uint8

    with torch.inference_mode():
        return to_uint8(network(mel[:, None], face_input(target, reference).transpose(0, 1)))


def embeddings(network: "torch.nn.Module", mel: "torch.Tensor", frames: "torch.Tensor") -> dict[str, "torch.Tensor"]:
    """Give an expert's view of mel [N, 80, 16] and RGB uint8 [N, 5, 96, 96, 3]: `audio` and `face` [N, E]."""
    import torch

    from inference.networks.wav2lip import sync_input

    with torch.inference_mode():
        audio, face = network(mel[:, None], sync_input(frames))
    return {"audio": audio, "face": face}


def _count(golden: dict[str, "torch.Tensor"], name: str) -> int:
    shape = tuple(golden[name].shape) if name in golden else ()
    return max(1, min((MAX_INPUTS, *shape[:1])))


def _check(bundle: "Bundle", golden: dict[str, "torch.Tensor"], wanted: dict[str, tuple], what: str) -> None:
    shapes = {name: tuple(value.shape) for name, value in golden.items()}
    if shapes != wanted:
        raise UserError(f"{bundle.folder / FILE}: tensors of shapes {shapes} are no golden {what} of its network")
