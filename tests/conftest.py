import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WHOLE = 1100  # seconds in which the whole pipeline has run, also beside another process


@pytest.hookimpl(tryfirst=True)  # before xdist, which looks for groups in a hook of its own
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the whole pipeline to have run: `pytest -m "not slow"` leaves it out.

    Of several processes (`pytest -n 2 --dist loadgroup`) the first runs the pipeline at once, and each file's tests
    stay together, as they share what is slow to make.
    """
    whole = [item for item in items if "repro" in getattr(item, "fixturenames", ())]
    for item in items:
        item.add_marker(pytest.mark.xdist_group("repro" if item in whole else str(item.path)))
    for item in whole:
        item.add_marker("slow")
        item.add_marker(pytest.mark.timeout(WHOLE + 20))
    items.sort(key=lambda item: item not in whole)


@pytest.fixture(scope="session")
def assets() -> Path:
    """Real pictures, videos and dances; they are no part of the project."""
    folder = os.environ.get("DRAMATIS_ASSETS")
    if not folder:
        pytest.skip("DRAMATIS_ASSETS is unset: no real data to test on")
    return Path(folder)


@dataclass(frozen=True)
class Clone:
    """A copy of the project in a temporary folder, and `dvc` in it."""

    folder: Path

    def dvc(self, *words: str) -> subprocess.CompletedProcess:
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DVC_SITE_CACHE_DIR": str(self.folder.parent / "site-cache"),
            "PYTHONPATH": str(self.folder),
        }
        command = [sys.executable, "-m", "dvc", *words]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=WHOLE)

    def ran(self, result: subprocess.CompletedProcess) -> list[str]:
        """Name the stages that ran, in order."""
        lines = result.stdout.splitlines()
        return [line.split("'")[1] for line in lines if line.startswith("Running stage ")]


@pytest.fixture(scope="session")
def clone(tmp_path_factory) -> Clone:
    """Copy what git would commit of the working tree, with the profile set to `tiny`."""
    folder = tmp_path_factory.mktemp("clone") / "dramatis"
    names = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, text=True)
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
    (folder / "dvc.lock").unlink(missing_ok=True)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump(params | {"profile": "tiny", "world": "demo"}))
    return Clone(folder)


@pytest.fixture(scope="session")
def repro(clone) -> Clone:
    """The clone after its first `dvc repro`."""
    result = clone.dvc("repro")
    assert result.returncode == 0, result.stdout + result.stderr
    return clone
