"""Emulators that answer over HTTP in threads."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from asteroid_ll.emulator.transport.server import serve


@pytest.fixture
def serving() -> Iterator[Callable[..., int]]:
    """A function that serves an emulator and returns its port; all servers are stopped at the end."""
    running = []

    def start(emulator: Any, **options: Any) -> int:
        port: queue.SimpleQueue[int] = queue.SimpleQueue()
        stop = threading.Event()
        arguments = {"port": 0, "ready": port.put, "stop": stop, **options}
        thread = threading.Thread(target=serve, args=(emulator,), kwargs=arguments)
        thread.start()
        running.append((thread, stop))
        return port.get(timeout=10)

    yield start
    for thread, stop in running:
        stop.set()
        thread.join(timeout=10)
        assert not thread.is_alive()
