"""Run an iterator ahead of whoever takes its items: decoding, drawing and laying in work at the same time."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")
STOPPED = object()


def ahead(items: Iterable[Item], depth: int) -> Iterator[Item]:
    """Run an iterator in a thread of its own, at most `depth` items ahead of whoever takes them.

    Its error comes where its item would have come; when nobody takes any more, it is ended.
    """
    waiting: queue.Queue = queue.Queue(depth)
    left = threading.Event()

    def give(item: Any) -> bool:
        while not left.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def run() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                if not give((item, None)):
                    break
                item = None  # whoever takes it holds it alone
            give((STOPPED, None))
        except BaseException as error:  # whatever it is, it is raised again below
            give((STOPPED, error))
        finally:
            if hasattr(iterator, "close"):
                iterator.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is STOPPED:
                return
            yield item
            item = None
    finally:
        left.set()
        thread.join()
