"""Where results go: whole or not at all, and nothing of those who were killed stays beside them."""

import subprocess
import sys
from pathlib import Path

from inference import outputs

MAKER = """
import sys, time
from pathlib import Path
from inference.outputs import part
with part(Path(sys.argv[1])) as made:
    print(made, flush=True)
    time.sleep(60)
"""


def maker(place: Path) -> tuple[subprocess.Popen, Path]:
    """A process that is making something, and where."""
    process = subprocess.Popen([sys.executable, "-c", MAKER, str(place)], stdout=subprocess.PIPE, text=True)
    return process, Path(process.stdout.readline().strip())


def test_the_next_run_clears_what_a_killed_one_left_and_not_what_is_still_being_made(tmp_path):
    (gone, left), (busy, growing) = (maker(tmp_path / "talking.mp4") for _ in range(2))
    try:
        gone.kill()
        gone.wait()
        others = tmp_path / ".talking.mp4.part"  # of a browser, say
        others.write_bytes(b"")
        outputs.write(tmp_path / "talking.png", b"made")
        assert not left.exists()
        assert sorted(tmp_path.iterdir()) == sorted([growing, others, tmp_path / "talking.png"])
    finally:
        busy.kill()
        busy.wait()


def test_a_part_ends_as_its_place_does_and_is_gone_when_it_was_not_moved(tmp_path):
    with outputs.part(tmp_path / "talking.mp4") as made:
        assert (made.parent, made.suffix, made.stat().st_size) == (tmp_path, ".mp4", 0)
    assert not list(tmp_path.iterdir())
