"""Makes items in a thread, one ahead of their use."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield items. While one is used, a thread makes the next.

    The thread is a daemon, so a command can end while it waits for a file. An error of ``items`` is raised here.
    """
    made: SimpleQueue[tuple[list[Item], BaseException | None]] = SimpleQueue()
    permits = threading.Semaphore()
    is_over = threading.Event()

    def make() -> None:
        iterator = iter(items)
        while permits.acquire() and not is_over.is_set():
            try:
                made.put(([next(iterator)], None))
            except StopIteration:
                made.put(([], None))
            except BaseException as error:
                made.put(([], error))

    threading.Thread(target=make, daemon=True).start()
    try:
        while True:
            item, error = made.get()
            if error is not None:
                raise error
            if not item:
                return
            permits.release()
            yield item[0]
    finally:
        is_over.set()
        permits.release()
