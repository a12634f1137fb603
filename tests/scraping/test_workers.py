import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import deque
from operator import methodcaller  # methodcaller("upper") is a handler that a fresh process can import
from pathlib import Path

import pytest

from inference import weights
from inference.errors import UserError
from scraping.workers import Died, Workers

ROOT = Path(__file__).resolve().parents[2]


class Poison(str):
    """A task that ends the process which unpickles it."""

    def __reduce__(self):
        return os._exit, (3,)


def test_every_task_comes_back_once_with_its_result():
    with Workers(2, methodcaller, "upper") as workers:
        assert dict(workers.run(deque("abcde"))) == {letter: letter.upper() for letter in "abcde"}


def test_tasks_may_be_added_while_results_are_read():
    pending, seen = deque(["a"]), []
    with Workers(1, methodcaller, "upper") as workers:
        for task, result in workers.run(pending):
            seen.append(result)
            if len(task) < 3:
                pending.append(task + "a")
    assert seen == ["A", "AA", "AAA"]


def test_a_task_that_kills_its_worker_twice_is_named_and_the_others_go_on():
    with Workers(1, methodcaller, "upper") as workers:
        results = dict(workers.run(deque(["a", Poison("b"), "c"])))
    died = results.pop("b")
    assert isinstance(died, Died)
    assert died.exit_code == 3
    assert results == {"a": "A", "c": "C"}


def test_a_mistake_of_the_user_found_in_a_worker_stays_one():
    with Workers(1, weights.path, "no-such-weights") as workers, pytest.raises(UserError, match="unknown"):
        list(workers.run(deque(["a"])))


def test_a_bug_in_a_worker_is_not_swallowed():
    with Workers(1, methodcaller, "no_such_method") as workers, pytest.raises(RuntimeError, match="no_such_method"):
        list(workers.run(deque(["a"])))


def running(pid: int) -> bool:
    """Whether the process does anything; an orphan that nobody has collected yet is a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_workers_end_with_a_parent_that_is_killed():
    body = textwrap.dedent(f"""
        import sys, time
        sys.path.insert(0, {str(ROOT)!r})
        from collections import deque
        from functools import partial
        from scraping.workers import Workers
        with Workers(2, partial, time.sleep) as workers:
            for _ in workers.run(deque([0, 0, 60, 60])):
                print(*[process.pid for process in workers.processes.values()], flush=True)
    """)
    parent = subprocess.Popen([sys.executable, "-c", body], stdout=subprocess.PIPE, text=True)
    parent.stdout.readline()
    children = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(children) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    patience = time.monotonic() + 20
    while any(map(running, children)) and time.monotonic() < patience:
        time.sleep(0.05)
    assert not any(map(running, children))
