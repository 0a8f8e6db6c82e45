"""Pipe mode: each epoch of a channel is a stream of all its objects.

For epoch n of a channel the container opens the named pipe ``input/data/CHANNEL_n`` and reads the channel's objects
in order. The next epoch's pipe exists before the current one ends. A channel with a ShuffleConfig has another order in
each epoch.

Source: the developer guide, "How Amazon SageMaker provides training information", on the Pipe input mode.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

_POLL_S = 0.01


def pipe_path(root: Path, channel: str, *, epoch: int) -> Path:
    """Return the named pipe of a channel's epoch, counted from 0."""
    return root / "input" / "data" / f"{channel}_{epoch}"


class Feeder:
    """Writes one channel of one host to its pipes until it is stopped.

    Args:
        root: the container's ``/opt/ml``.
        channel: its name.
        files: a function from an epoch's number, from 0, to the channel's objects in order.
    """

    def __init__(self, root: Path, channel: str, *, files: Callable[[int], Sequence[Path]]) -> None:
        self._root = root
        self._channel = channel
        self._files = files
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{channel} feeder", daemon=True)
        self._make(0)

    def start(self) -> None:
        """Start the thread; the first epoch's pipe exists already."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; it ends when no reader is left."""
        self._stopped.set()
        self._thread.join()

    def _make(self, epoch: int) -> Path:
        path = pipe_path(self._root, self._channel, epoch=epoch)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path, mode=0o600)
        return path

    def _run(self) -> None:
        epoch = 0
        while (descriptor := self._open_for_reader(pipe_path(self._root, self._channel, epoch=epoch))) is not None:
            files = self._files(epoch)
            epoch += 1
            self._make(epoch)
            # A reader that closes its end early ends the epoch.
            with os.fdopen(descriptor, "wb") as stream, contextlib.suppress(BrokenPipeError):
                for file in files:
                    with file.open("rb") as source:
                        shutil.copyfileobj(source, stream)

    def _open_for_reader(self, path: Path) -> int | None:
        """Return the pipe's descriptor when a reader opens it; None after the stop."""
        while not self._stopped.is_set():
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                self._stopped.wait(_POLL_S)
            else:
                os.set_blocking(descriptor, True)
                return descriptor
        return None


@contextlib.contextmanager
def feeding(feeders: Sequence[Feeder]) -> Iterator[None]:
    """Run the feeders during the block, which must outlast the readers."""
    for feeder in feeders:
        feeder.start()
    try:
        yield
    finally:
        for feeder in feeders:
            feeder.stop()
