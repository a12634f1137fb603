"""Watch in Weights & Biases: in .work/wandb without a network, unless told to be online.

wandb sync .work/wandb/offline-run-*        # uploads what was watched offline
"""

import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from inference.errors import UserError
from scraping import stage

if TYPE_CHECKING:
    import wandb

FOLDER = stage.WORK / "wandb"


class Settings(stage.Settings):
    mode: Literal["offline", "online", "disabled"]
    project: str = Field(min_length=1)
    entity: str | None


def opened(
    settings: Settings, name: str, job: str, folder: Path, config: dict, axis: str = "kimg"
) -> "wandb.Run | None":
    """Open the run that a work folder belongs to, anew or again, drawn over `axis`; None where W&B is disabled."""
    if settings.mode == "disabled":
        return None
    FOLDER.mkdir(parents=True, exist_ok=True)
    for variable in ("WANDB_CACHE_DIR", "WANDB_DATA_DIR"):  # else in the home folder
        os.environ.setdefault(variable, str(FOLDER / "artifacts"))
    if settings.mode == "offline":
        os.environ["WANDB_ERROR_REPORTING"] = "false"
    import wandb  # takes a second, and a training that is not watched goes without

    kept = folder / "wandb-run"
    if not kept.exists():
        stage.write_atomically(kept, secrets.token_hex(4).encode())
    private = {"disable_git": True, "disable_code": True, "x_disable_machine_info": True}
    try:
        run = wandb.init(
            name=name,
            job_type=job,
            dir=stage.WORK,
            id=kept.read_text(),
            project=settings.project,
            entity=settings.entity,
            mode=settings.mode,
            resume="allow" if settings.mode == "online" else None,
            config=config,
            settings=wandb.Settings(silent=True, console="off", **private),
        )
    except wandb.Error as error:
        line = " ".join(str(error).split())
        raise UserError(f"wandb.mode={settings.mode}: {line}: run `wandb login`, or watch offline") from None
    run.define_metric(axis)
    run.define_metric("*", step_metric=axis)
    return run


def refer(run: "wandb.Run", kind: str, name: str, files: list[Path], metadata: dict) -> None:
    """Log files as an artifact that refers to them where they lie, relative to the project.

    Only small files are hashed: a pack says in pack.json what all of it is, and a version of it is a version of that.
    """
    import wandb

    allowed = re.sub(r"[^\w.-]", "-", name, flags=re.ASCII)[:128]
    artifact = wandb.Artifact(allowed, type=kind, metadata=metadata)
    for file in files:
        artifact.add_reference(f"file:{file.as_posix()}", name=file.name, checksum=file.suffix != ".npy")
    run.log_artifact(artifact)


def close(run: "wandb.Run", failed: bool) -> None:
    """Finish the run, so that the next training of a sweep opens its own."""
    run.finish(exit_code=int(failed))
