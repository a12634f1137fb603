"""The notebooks run, and are committed without what they print."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
PICTURES = {"01-look-at-the-data.ipynb": 4, "02-walk-the-latent-space.ipynb": 10}


def test_every_notebook_is_tested():
    assert {notebook.name for notebook in (ROOT / "notebooks").glob("*.ipynb")} == set(PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_a_notebook_is_committed_without_outputs(name):
    for cell in nbformat.read(ROOT / "notebooks" / name, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize(("name", "pictures"), PICTURES.items())
def test_a_notebook_runs_and_shows_pictures(repro, name, pictures):
    folder = repro.folder / "notebooks"
    notebook = nbformat.read(folder / name, as_version=4)
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute(env=os.environ | {"PYTHONPATH": str(repro.folder)})
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == pictures
