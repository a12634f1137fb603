"""`dvc plots show` renders where there is no network."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from training.report import plots


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> str:
    """The page that DVC writes of one plot into our frame."""
    folder = tmp_path_factory.mktemp("plots")
    (folder / "frame.html").write_text(plots.frame())
    (folder / "history.csv").write_text("kimg,loss_g\n0,1.5\n1,1.2\n")
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"plots": [{"history.csv": {"x": "kimg", "y": "loss_g"}}]}))
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\nno_scm = true\n[plots]\nhtml_template = ../frame.html\n")
    command = [sys.executable, "-m", "dvc", "plots", "show", "-o", "out"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return Path(folder / "out/index.html").read_text()


def test_the_page_of_plots_loads_nothing(shown):
    assert not re.findall(r"<(?:script|link)\b[^>]*(?:src|href)=", shown)


def test_the_page_of_plots_carries_what_draws_them_before_they_are_drawn(shown):
    assert 0 < shown.index("window.vegaEmbed=") < shown.index("vegaEmbed('#")
    assert '"loss_g"' in shown
