"""Where networks run."""

import torch

from inference.errors import UserError


def chosen(asked: str, setting: str) -> str:
    """Tell cpu or cuda of auto, cpu or cuda; `setting` is its name in the line about a GPU that is not there."""
    there = torch.cuda.is_available()
    if asked == "cuda" and not there:
        raise UserError(f"{setting}=cuda: there is no CUDA device here: give cpu or auto")
    return "cuda" if asked != "cpu" and there else "cpu"
