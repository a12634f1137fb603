"""Worker processes that die with their parent and may die alone: a picture that kills one is named, not fatal."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from inference.errors import UserError

Task = TypeVar("Task")
Result = TypeVar("Result")
TRIES = 2  # a worker killed from outside (memory, an operator) is no fault of its picture

# Pools of threads inside a worker fight those of the other workers.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass
class Died(Generic[Task]):
    """What comes back for a task that ended its worker twice."""

    task: Task
    exit_code: int


class Workers(Generic[Task, Result]):
    """Run tasks in spawned processes, each building its handler once by `start(*arguments)`.

    However the parent ends, its workers end with it: each watches the parent from a thread of its own.
    """

    def __init__(self, count: int, start: Callable[..., Callable[[Task], Result]], *arguments: Any) -> None:
        self.count = count
        self.start = start
        self.arguments = arguments
        self.context = multiprocessing.get_context("spawn")
        self.processes: dict[multiprocessing.connection.Connection, multiprocessing.process.BaseProcess] = {}

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        for pipe, process in self.processes.items():
            process.terminate()
            process.join()
            pipe.close()

    def run(self, pending: deque[Task]) -> Iterator[tuple[Task, Result | Died]]:
        """Yield each task with its result, in the order of completion; the caller may add tasks while it reads."""
        busy: dict[multiprocessing.connection.Connection, tuple[Task, int]] = {}
        again: deque[tuple[Task, int]] = deque()
        while pending or again or busy:
            self._hand_out(pending, again, busy)
            for pipe in multiprocessing.connection.wait(list(busy)):
                task, tries = busy.pop(pipe)
                try:
                    problem, result = pipe.recv()
                except (EOFError, ConnectionError):
                    exit_code = self._bury(pipe)
                    if tries < TRIES:
                        again.append((task, tries + 1))
                        continue
                    problem, result = None, Died(task, exit_code)
                if problem is not None:
                    raise problem
                self._hand_out(pending, again, busy)  # before the caller works on this result
                yield task, result

    def _hand_out(self, pending: deque, again: deque, busy: dict) -> None:
        while (pending or again) and len(busy) < self.count:
            task, tries = again.popleft() if again else (pending.popleft(), 1)
            pipe = next((pipe for pipe in self.processes if pipe not in busy), None) or self._spawn()
            try:
                pipe.send(task)
            except (BrokenPipeError, ConnectionError):
                self._bury(pipe)
                again.append((task, tries))
            else:
                busy[pipe] = (task, tries)

    def _spawn(self) -> multiprocessing.connection.Connection:
        ours, theirs = self.context.Pipe()
        process = self.context.Process(target=_serve, args=(theirs, self.start, self.arguments), daemon=True)
        before = {name: os.environ.get(name) for name in ONE_THREAD}
        os.environ.update(ONE_THREAD)  # read when the child imports its libraries
        try:
            process.start()
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
        theirs.close()
        self.processes[ours] = process
        return ours

    def _bury(self, pipe: multiprocessing.connection.Connection) -> int:
        process = self.processes.pop(pipe)
        process.join()
        pipe.close()
        return process.exitcode or 0


def _serve(pipe: multiprocessing.connection.Connection, start: Callable, arguments: tuple) -> None:
    """Answer tasks until the pipe closes: (None, result), or (an error, None) for what the parent must know."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_follow, args=(multiprocessing.parent_process(),), daemon=True).start()
    try:
        handle = start(*arguments)
        while True:
            pipe.send((None, handle(pipe.recv())))
    except (EOFError, ConnectionError):
        return  # the parent is gone
    except UserError as error:
        pipe.send((error, None))
    except Exception:
        pipe.send((RuntimeError(f"in a worker:\n{traceback.format_exc()}"), None))


def _follow(parent: multiprocessing.process.BaseProcess) -> None:
    """Leave at once when the parent is gone, also in the middle of a picture."""
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)
