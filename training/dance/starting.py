"""Start a training of dances from what was trained before."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from inference.errors import UserError
from training import sources
from training.sources import Source

TASKS = {"denoiser": "dance", "composer": "dance"}  # of the bundles that hold them
GENRES = "genre.weight"


def fill(networks: Mapping[str, nn.Module], start: str | None, key: str, genres: Sequence[str]) -> Source | None:
    """Fill the first network, and the others where the source is a run that holds them; None where none is given."""
    if not start:
        return None
    folder, main = sources.locate(start, key), next(iter(networks))
    source = None
    for name, network in networks.items():
        if name != main and not (folder / f"{name}.safetensors").is_file():
            continue
        found = sources.read(folder, name, TASKS.get(name))
        _load(network, _renamed(found.state, found.about.get("genres"), genres), str(folder))
        source = source or found.source
    return source


def _renamed(state: Mapping[str, Tensor], theirs: object, ours: Sequence[str]) -> dict[str, Tensor]:
    """Give each genre of ours what the source learned of that name; what it never saw begins as no genre.

    A discriminator is told no genre.
    """
    state = dict(state)
    if GENRES not in state or not isinstance(theirs, list) or list(theirs) == list(ours):
        return state
    learned = state[GENRES]
    rows = [theirs.index(name) + 1 if name in theirs else 0 for name in ours]
    state[GENRES] = learned[torch.tensor([0, *rows])]
    return state


def _load(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load all of a state dict, or say what does not fit."""
    own = network.state_dict()
    if strange := sorted(own.keys() ^ state.keys()):
        trouble = f"{strange[0]} is in one of them alone"
    else:
        other = [name for name, value in own.items() if value.shape != state[name].shape]
        if not other:
            network.load_state_dict(dict(state))
            return
        name = other[0]
        trouble = f"{name} is {list(state[name].shape)} there and {list(own[name].shape)} here"
    line = f"{source} holds another network: {trouble}"
    raise UserError(f"{line}; set width, depth and what else shapes it to those of the source")
