"""What a newcomer relies on: the README's commands, the locks, the map."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MODULE_COMMAND = re.compile(r"python -m ((?:inference|preprocessing|scraping|training)[\w.]*)((?: [\w.=/@{},-]+)*)")


@pytest.mark.parametrize("target", re.findall(r"`?make (\w+)", README))
def test_the_make_targets_of_the_readme_exist(target):
    subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_the_modules_that_documents_name_exist(document):
    for module, _ in MODULE_COMMAND.findall(document.read_text()):
        path = ROOT / Path(*module.split("."))
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_between_documents_lead_somewhere(document):
    for link in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        assert link.startswith("https://") or (document.parent / link).exists(), link


def test_the_map_of_the_readme_names_every_package_and_no_other():
    named = set(re.findall(r"^(\w+)/ ", README, flags=re.MULTILINE))
    packages = {folder.parent.name for folder in ROOT.glob("*/__init__.py")}
    assert packages <= named
    assert all((ROOT / name).is_dir() for name in named)


def test_the_readme_stays_under_two_screens():
    assert len(README.splitlines()) <= 80


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda lock: lock.stem)
def test_a_lock_pins_with_hashes_and_names_no_address(lock):
    text = lock.read_text()
    entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    assert len(entries) > 50
    assert all(re.match(r"[\w.-]+==\S+", pin) and "--hash=sha256:" in pin for pin in entries)
    assert not re.search(r"https?://|index-url|find-links|@ ", text)


def pins(name: str) -> dict[str, str]:
    text = (ROOT / f"requirements/{name}.txt").read_text()
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


def test_what_reproduces_is_pinned_as_what_tests():
    assert pins("repro").items() <= pins("dev").items()


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one process runs all tests")
def test_tests_of_a_file_share_a_process(request):
    """Else each would run the whole pipeline. xdist 3.8 groups by ids that pytest 9.2 no longer lets it give."""
    assert request.node.nodeid.endswith("test_house.py")
    assert "@" in request.node.nodeid
