"""One request at a time in this process, because threads share the state's one SQLite connection."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOCK = threading.RLock()
"""Is held while a request is answered."""


@contextmanager
def others_first() -> Iterator[None]:
    """Let other requests be answered during the block, which waits for another server and uses no state."""
    depth = 0
    try:
        while True:
            LOCK.release()
            depth += 1
    except RuntimeError:  # this thread does not hold it any more
        pass
    try:
        yield
    finally:
        for _ in range(depth):
            LOCK.acquire()
