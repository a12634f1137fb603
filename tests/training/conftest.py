import os
from pathlib import Path

import pytest


@pytest.fixture
def wandb_here(monkeypatch):
    """Give what ends W&B's helper process: until then it may not have written all, and it stays in its first folder."""
    import wandb

    for name in ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_ERROR_REPORTING"):
        monkeypatch.setenv(name, os.environ.get(name, str(Path.cwd() / name)))
    wandb.teardown()
    yield wandb.teardown
    wandb.teardown()
