import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from inference.errors import UserError
from scraping import stage

ROOT = Path(__file__).resolve().parents[2]


class Oven(stage.Settings):
    degrees: int
    rack: str


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def script(body: str) -> list[str]:
    return [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + textwrap.dedent(body)]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"degrees": "hot", "rack": "top"}, "oven.degrees: input should be a valid integer"),
        ({"degrees": 200}, "oven.rack: field required"),
        ({"degrees": 200, "rack": "top", "door": "open"}, "oven.door: extra inputs are not permitted"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it(values, line):
    with pytest.raises(UserError, match=line) as caught:
        stage.settings(OmegaConf.create({"oven": values}), "oven", Oven)
    assert "\n" not in str(caught.value)


def test_a_second_run_at_the_same_time_is_told_who_holds_the_lock():
    second = stage.work("bake", "bread", "demo", "a1")
    with stage.work("bake", "bread", "demo", "a1"), pytest.raises(UserError, match=f"process {os.getpid()}"):
        second.__enter__()


def test_two_corpora_run_at_the_same_time():
    with stage.work("bake", "bread", "demo", "a1") as bread, stage.work("bake", "cake", "demo", "a1") as cake:
        assert bread != cake


def test_a_lock_dies_with_its_process():
    holder = subprocess.Popen(
        script("""
            import time
            from scraping import stage
            with stage.work("bake", "bread", "demo", "a1"):
                print("locked", flush=True)
                time.sleep(60)
        """),
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline() == b"locked\n"
    holder.kill()
    holder.wait()
    with stage.work("bake", "bread", "demo", "a1") as folder:
        assert folder.is_dir()


def test_a_journal_remembers_what_was_finished():
    journal = stage.Journal(Path("journal"))
    journal.append("가", {"score": 1})
    journal.close()
    assert stage.Journal(Path("journal"))["가"] == {"score": 1}


def test_a_torn_last_line_costs_one_item_and_no_more():
    journal = stage.Journal(Path("journal"))
    journal.append("a", {})
    journal.append("b", {})
    journal.close()
    whole = Path("journal").read_bytes()
    Path("journal").write_bytes(whole[:-3])
    torn = stage.Journal(Path("journal"))
    assert list(torn.rows) == ["a"]
    torn.append("b", {})
    torn.close()
    assert Path("journal").read_bytes() == whole


def test_publishing_replaces_the_folder_as_a_whole():
    for name in ("one", "two"):
        Path("built").mkdir()
        Path("built", name).write_text(name)
        stage.publish(Path("built"), Path("data/out"))
    assert [file.name for file in Path("data").rglob("*") if file.is_file()] == ["two"]


def test_the_fingerprint_follows_settings_and_files():
    Path("f").write_text("1")
    before = stage.fingerprint({"a": 1, "b": 2}, files=[Path("f")])
    assert before == stage.fingerprint({"b": 2, "a": 1}, files=[Path("f")])
    Path("f").write_text("2")
    assert before != stage.fingerprint({"a": 1, "b": 2}, files=[Path("f")])
    assert before != stage.fingerprint({"a": 1, "b": 3}, files=[])


def test_progress_yields_every_item_and_says_the_end(capsys):
    assert list(stage.progress(range(3), total=5, label="bake", done=2)) == [0, 1, 2]
    assert "bake: 5/5" in capsys.readouterr().out


RUN_AND_WAIT = """
    import os, time
    from scraping import stage
    @stage.command("training/report")
    def main(config):
        print(os.getpid(), flush=True)
        time.sleep(60)
    main()
"""


def test_sigterm_ends_a_stage_with_an_error_code():
    running = subprocess.Popen(script(RUN_AND_WAIT), stdout=subprocess.PIPE)
    running.stdout.readline()
    running.terminate()
    assert running.wait(timeout=20) == 128 + signal.SIGTERM


def start_as_child_of_dvc(pipe):
    running = subprocess.Popen(script(RUN_AND_WAIT), stdout=subprocess.PIPE, env=os.environ | {"DVC_STAGE": "bake"})
    pipe.send(int(running.stdout.readline()))
    time.sleep(60)


def test_a_stage_does_not_outlive_dvc():
    ours, theirs = multiprocessing.Pipe()
    dvc = multiprocessing.get_context("fork").Process(target=start_as_child_of_dvc, args=(theirs,))
    dvc.start()
    orphan = ours.recv()
    dvc.kill()
    dvc.join()
    assert ended(orphan, within_seconds=20)


def ended(pid: int, within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().split(")")[1].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    ("raised", "line"),
    [
        ("UserError('oven: no such oven')", "error: oven: no such oven"),
        ("OSError(28, 'No space left on device', '/mnt/x')", "error: no space left on device (/mnt/x)"),
        (
            "shutil.Error([('a', '/mnt/x', \"[Errno 28] No space left on device: '/mnt/x'\")])",
            "error: no space left on device (/mnt/x)",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(raised, line):
    result = subprocess.run(
        script(f"""
            import shutil
            from inference.errors import UserError
            from scraping import stage
            @stage.command("training/report")
            def main(config):
                raise {raised}
            main()
        """),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1
