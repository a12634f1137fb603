"""What every stage of the pipeline stands on: entry, settings, lock, work folder, journal, atomic publishing, progress.

A stage composes its Hydra config, takes its lock, keeps what it can resume in
`.work/<stage>/<corpus>/<world>/<fingerprint>` and publishes to `data/` at its end, so that a kill at any time loses
nothing that was done.
"""

import errno
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import hydra
import pydantic
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from tqdm import tqdm

from inference.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
WORK = Path(".work")
NO_ROOM_OR_RIGHTS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)
PARENT_POLL_SECONDS = 1.0
PROGRESS_LINE_SECONDS = 15.0

Model = TypeVar("Model", bound=pydantic.BaseModel)
Item = TypeVar("Item")


class Settings(pydantic.BaseModel):
    """Base of a stage's settings: every value is given in YAML and an unknown key is a mistake."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


def command(config_name: str) -> Callable[[Callable[[DictConfig], None]], Callable[..., None]]:
    """Make a function of a composed config a command: `@stage.command("scraping/scrape")` over `main(config)`.

    A mistake becomes one line and exit code 2, SIGTERM ends it in order, DVC's end is its own, its time is printed.
    Given a config composed before, `main(config)` runs on that and raises as any function does.
    """

    def decorate(function: Callable[[DictConfig], None]) -> Callable[..., None]:
        @functools.wraps(function)
        def job(config: DictConfig) -> None:
            with _one_line_errors():  # within Hydra, which prints lines of its own about a job that raised
                function(config)

        compose_and_run = hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name=config_name)(job)

        @functools.wraps(function)
        def run(config: DictConfig | None = None) -> None:
            if config is not None:
                function(config)
                return
            os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing a traceback of its own
            signal.signal(signal.SIGTERM, _terminate)
            _follow_parent()
            started = time.monotonic()
            with _one_line_errors():
                compose_and_run()
            print(f"{config_name.rpartition('/')[2]}: done in {time.monotonic() - started:.1f} s", flush=True)

        return run

    return decorate


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turn what a person can mend into one line and exit code 2; everything else stays the traceback that it is."""
    try:
        yield
    except KeyboardInterrupt:
        print("stopped: run it again to go on", file=sys.stderr, flush=True)
        raise SystemExit(128 + signal.SIGINT) from None
    except UserError as error:
        _fail(str(error))
    except (HydraException, OmegaConfBaseException) as error:
        _fail(_folded(error))
    except OSError as error:
        cause = _out_of_our_hands(error)
        if cause is None:
            raise
        where = f" ({cause.filename})" if cause.filename else ""
        why = os.strerror(cause.errno).lower()
        _fail(f"{why}{where}: make room or give rights, then run again; nothing is lost")


def _out_of_our_hands(error: OSError) -> OSError | None:
    """Find a full disk or missing rights in an error, also in the list that `shutil.copytree` raises."""
    if isinstance(error, shutil.Error):
        causes = [_errno_in(reason) for _, _, reason in error.args[0]]
        return next((OSError(code, os.strerror(code), error.args[0][0][1]) for code in causes if code), None)
    return error if error.errno in NO_ROOM_OR_RIGHTS else None


def _errno_in(reason: str) -> int | None:
    """Read the error number that copytree keeps only as text: `[Errno 28] No space left on device: ...`."""
    found = re.match(r"\[Errno (\d+)\]", str(reason))
    return int(found[1]) if found and int(found[1]) in NO_ROOM_OR_RIGHTS else None


def settings(config: DictConfig, key: str, model: type[Model]) -> Model:
    """Check the settings under `key` against a model; a wrong value is a `UserError` that names it."""
    try:
        return model.model_validate(OmegaConf.to_container(config[key], resolve=True))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        path = ".".join([key, *(str(part) for part in first["loc"])])
        got = "" if first["type"] == "missing" else f" (got {first['input']!r})"
        raise UserError(f"{path}: {first['msg'][0].lower()}{first['msg'][1:]}{got}") from None


def fingerprint(*parts: Any, files: Iterable[Path] = ()) -> str:
    """Hash JSON-able parts and the bytes of files into 16 hex digits that name a work folder."""
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode())
    for file in sorted(files):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def code_version() -> str:
    """Hash the source of every module of ours that is loaded: work done by other code is not resumed."""
    ours = {"inference", "preprocessing", "scraping", "training"}
    files = {
        Path(module.__file__).resolve()
        for name, module in list(sys.modules.items())
        if name.split(".")[0] in ours | {"__main__"} and getattr(module, "__file__", None)
    }
    return fingerprint(files=[file for file in files if file.is_relative_to(ROOT)])


@contextmanager
def work(stage: str, corpus: str, world: str, print_of: str) -> Iterator[Path]:
    """Lock the stage for this corpus and give its work folder; a second run at the same time is a `UserError`."""
    base = WORK / stage / corpus
    base.mkdir(parents=True, exist_ok=True)
    with open(base / "lock", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip()
            raise UserError(f"{stage} of {corpus} is running already (process {holder}): wait or stop it") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        folder = base / world / print_of
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


class Journal:
    """An append-only file of JSON lines, one finished item each; a torn last line (a kill while writing) is dropped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, dict] = {}
        if path.exists():
            self._recover()
        self._file = open(path, "ab")  # noqa: SIM115 (lives as long as the journal)

    def __contains__(self, key: str) -> bool:
        return key in self.rows

    def __getitem__(self, key: str) -> dict:
        return self.rows[key]

    def append(self, key: str, row: dict) -> None:
        """Record an item as finished. Whatever the row speaks of must be on disk before."""
        line = json.dumps({"key": key, "row": row}, ensure_ascii=False) + "\n"
        self._file.write(line.encode())
        self._file.flush()
        self.rows[key] = row

    def close(self) -> None:
        self._file.close()

    def _recover(self) -> None:
        whole = 0
        for line in self.path.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            entry = json.loads(line)
            self.rows[entry["key"]] = entry["row"]
            whole += len(line)
        os.truncate(self.path, whole)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + f".{os.getpid()}.part")
    part.write_bytes(data)
    os.replace(part, path)


def publish(built: Path, target: Path) -> None:
    """Move a finished folder to its place in `data/`, replacing what stood there only once the new one is complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    arriving, leaving = target.with_name(f".{target.name}.new"), target.with_name(f".{target.name}.old")
    for rest in (arriving, leaving):
        shutil.rmtree(rest, ignore_errors=True)
    shutil.copytree(built, arriving)  # .work and data may lie on two disks
    if target.exists():
        os.replace(target, leaving)
    os.replace(arriving, target)
    shutil.rmtree(leaving, ignore_errors=True)
    shutil.rmtree(built)


def progress(items: Iterable[Item], total: int, label: str, done: int = 0) -> Iterator[Item]:
    """Yield the items, showing a bar on a terminal and a plain line with the time left every 15 seconds elsewhere."""
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, initial=done, desc=label, unit="", dynamic_ncols=True)
        return
    started = last = time.monotonic()
    for count, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= PROGRESS_LINE_SECONDS or done + count == total:
            left = (now - started) / count * (total - done - count)
            print(f"{label}: {done + count}/{total}, {left:.0f} s left", flush=True)
            last = now


def _fail(line: str) -> None:
    print(f"error: {line}", file=sys.stderr, flush=True)
    raise SystemExit(2) from None


def _folded(error: Exception) -> str:
    """Fold Hydra's message, which lists the choices and then its search path on lines of their own, into one line."""
    message = str(error).partition("Config search path:")[0]
    return " ".join(part.strip() for part in message.splitlines() if part.strip())


def _terminate(signum: int, frame: object) -> None:
    raise SystemExit(128 + signum)


def _follow_parent() -> None:
    """Stop when DVC is gone: killed alone, it would leave its stage running and writing as an orphan."""
    if "DVC_STAGE" not in os.environ:
        return
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()
