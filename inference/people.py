"""A person found in a picture: the styles, kept in a file as other tools keep them (`w` of projected_w.npz)."""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference import npz
from inference.bundle import MODEL, Bundle
from inference.errors import UserError, one_line

MAX_BYTES = 1 << 24


@dataclass(frozen=True)
class Found:
    """Styles, float32 [num_ws, w_dim], of which generator (the sha256 of its weights) and of which picture's bytes.

    The two hashes are empty where the file, of another tool, does not say.
    """

    ws: np.ndarray
    model: str
    picture: str

    @property
    def sha256(self) -> str:
        """Of the styles."""
        return hashlib.sha256(self.ws.tobytes()).hexdigest()

    def save(self, path: Path) -> None:
        """Write an .npz; the same person is the same bytes."""
        with path.open("wb") as file:  # given a name, numpy would add a suffix of its own
            np.savez(file, w=self.ws[None], model=np.array(self.model), picture=np.array(self.picture))


def load(path: Path, bundle: Bundle) -> Found:
    """Read a person for this bundle; `UserError` for what is none, or was found with another generator."""
    try:
        with npz.opened(path, MAX_BYTES, "styles") as arrays:
            ws = arrays["w"]
            model, picture = (str(arrays[name]) if name in arrays else "" for name in ("model", "picture"))
    except FileNotFoundError:
        raise UserError(f"{path} is not there: `dramatis project picture.png --out {path.name}` makes it") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} holds no person that was found in a picture: {one_line(error)}") from None
    _check(path, ws, model, bundle)
    return Found(np.ascontiguousarray(ws[0], np.float32), model, picture)


def model_of(bundle: Bundle) -> str:
    """Name the weights with which people are found: a bundle exported anew may have the same."""
    return bundle.manifest["files"][MODEL]


def _check(path: Path, ws: np.ndarray, model: str, bundle: Bundle) -> None:
    if model and model != model_of(bundle):
        raise UserError(f"{path} was found with another generator than that of {bundle.name}: project the picture anew")
    wanted = (1, bundle.config.num_ws, bundle.config.w_dim)
    if ws.shape != wanted or ws.dtype.kind != "f":
        raise UserError(f"{path}: styles of shape {ws.shape}, bundle {bundle.name} takes {wanted}: project anew")
    if not np.isfinite(ws).all():
        raise UserError(f"{path} holds styles that are not finite: project the picture anew")
