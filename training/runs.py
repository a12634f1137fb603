"""The runs there are: which package trains, measures and exports each, under which name it lies in data/runs."""

import importlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from safetensors.torch import save
from torch import nn

from inference.errors import UserError
from scraping import stage

DATA = Path("data")
RUNS = {
    "stylegan2": "training.stylegan2",
    "syncnet": "training.wav2lip",
    "wav2lip": "training.wav2lip",
    "dance": "training.dance",
    "dance_gan": "training.dance",
}
OF_STYLEGAN2 = ("train.", "max_kimg", "preset")  # settings that other runs do not hear
LONGEST_NAME = 200  # of a folder; file systems end at 255 bytes


def module(run: str, role: str) -> ModuleType:
    """Import what does a job (fitting, measuring, exporting) for a run: a stage loads its own algorithm alone."""
    if run not in RUNS:
        raise UserError(f"run={run} is none of {', '.join(RUNS)}")
    return importlib.import_module(f"{RUNS[run]}.{role}")


def refuse_settings_of_others(key: str) -> None:
    """Refuse what was asked of StyleGAN2's settings: it would change nothing, and nobody would be told."""
    asked = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    for override in asked:
        if override.lstrip("+~").startswith(OF_STYLEGAN2):
            name = override.lstrip("+~").partition("=")[0]
            raise UserError(f"{name} is a setting of run=stylegan2: those of run={key} begin with {key}. (conf/run)")


def name_of(name: str) -> str:
    """Add the overrides to the name in a multirun: its runs lie side by side."""
    hydra = HydraConfig.get() if HydraConfig.initialized() else None
    if hydra is None or hydra.mode != RunMode.MULTIRUN:
        return name
    swept = re.sub(r"[^\w.=,+-]", "_", hydra.job.override_dirname)
    name = f"{name}-{swept}" if swept else name
    if len(name) > LONGEST_NAME:
        raise UserError(
            f"the run would be called {name}: put what is the same in all runs into conf/run or conf/profile"
        )
    return name


def publish(networks: Mapping[str, nn.Module], about: dict, folder: Path, target: Path) -> None:
    """Publish a copy of what is watched, with the networks: what is live goes on where the training does."""
    built = folder / "out"
    shutil.rmtree(built, ignore_errors=True)
    shutil.copytree(folder / "live", built, ignore=shutil.ignore_patterns("*.part"))  # of a full disk
    for name, network in networks.items():
        state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
        (built / f"{name}.safetensors").write_bytes(save(state))  # save_file would hide it from other users
    (built / "run.json").write_text(json.dumps(about, indent=1) + "\n")
    stage.publish(built, target)
