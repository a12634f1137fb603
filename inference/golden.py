"""Make again what a bundle says that its network makes of given inputs: the golden check of an installation."""

from typing import TYPE_CHECKING

from inference.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import torch

    from inference.bundle import Bundle

FILE = "golden.safetensors"
PSI = 0.7
MAX_INPUTS = 64

# What `difference` may give on another machine: levels of 255 of pictures, and of embeddings their own unit.
TOLERANCE = {"avatar": 1, "sync": 1e-4, "lipsync": 1}


def difference(bundle: "Bundle") -> float:
    """Give the largest difference to what the bundle holds: levels of 255 of a picture, or a part of an embedding."""
    return {"avatar": _avatar, "sync": _sync, "lipsync": _lipsync}[bundle.task](bundle)


def _avatar(bundle: "Bundle") -> int:
    import torch

    from inference.networks.stylegan2 import to_uint8

    golden, config = bundle.tensors(FILE), bundle.config
    count = _count(golden, "z")
    wanted = {"z": (count, config.z_dim), "image": (count, config.height, config.width, config.image_channels)}
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
