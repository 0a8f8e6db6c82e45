"""The file system as a command sees it: every write, sync and rename counted, and one of them failing.

A point is ``ACTION PATH NUMBER``: the number-th such call on that path. The path is relative to the working directory
and has no random parts, so a point is the same in every run of a command.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

_RANDOM_NAMES = (
    (re.compile(r"\.asteroid-ll-tmp-[0-9a-f]{16}-"), ".temporary-"),
    (re.compile(r"objects/[0-9a-f]{32}(?:-[0-9]+-[0-9a-f]{8})?\.[0-9]+$"), "objects/BODY"),
)


class OsLayer:
    """Stands between this process and its files.

    Args:
        record: file that gets every point on its own line; None for none.
        at: the point that fails; empty for none.
        kind: ``kill`` (``kill -9``), or the name of an error such as ``ENOSPC``.
        lasting: every later write and sync fails as well.

    A write that fails, or in which the process dies, has written half of its bytes.
    """

    def __init__(self, *, record: str | None = None, at: str = "", kind: str = "kill", lasting: bool = False) -> None:
        self._folder = Path.cwd()
        self._record = None if record is None else os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._at, self._kind, self._lasting = at, kind, lasting
        self._seen: Counter[str] = Counter()
        self._failing = False
        self._write = os.write

    def install(self) -> None:
        """Replace the functions with which Python writes."""
        layer, open_file, write, sendfile = self, builtins.open, os.write, os.sendfile

        class Raw(io.FileIO):
            """A file open for writing."""

            def write(self, data: Any) -> int:
                real = super().write
                return layer.write(self.name, data, real=lambda part: int(real(part) or 0))

        def opened(
            file: Any,
            mode: str = "r",
            buffering: int = -1,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
            closefd: bool = True,
            opener: Any = None,
        ) -> Any:
            if isinstance(file, int) or not set(mode) & set("wax+"):
                return open_file(file, mode, buffering, encoding, errors, newline, closefd, opener)
            raw = Raw(file, mode.replace("b", "").replace("t", ""), closefd, opener)
            if buffering == 0:
                return raw
            buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline)

        def sent(out: int, source: int, offset: int, count: int) -> int:
            layer.happen("write", _path_of(out))
            return sendfile(out, source, offset, count)

        builtins.open = io.open = opened
        os.write = lambda number, data: layer.write(_path_of(number), data, real=lambda part: write(number, part))
        os.sendfile = sent  # type: ignore[assignment]
        for name in ("fsync", "ftruncate", "replace", "rename"):
            setattr(os, name, self._before(name, getattr(os, name)))

    def write(self, path: Any, data: Any, *, real: Callable[[Any], int]) -> int:
        """Write, or write half of it and fail."""
        half = memoryview(data).cast("B")[: len(memoryview(data).cast("B")) // 2]
        self.happen("write", path, first=lambda: real(half))
        return real(data)

    def happen(self, action: str, path: Any, *, first: Callable[[], object] = lambda: None) -> None:
        """Count a call; die or raise if it is the one that fails."""
        point = self._point(action, path)
        if point is None:
            return
        if self._record is not None:
            self._write(self._record, f"{point}\n".encode())
        due = point == self._at
        if not due and not (self._failing and action in ("write", "fsync")):
            return
        if due and self._kind == "kill":
            first()
            os.kill(os.getpid(), signal.SIGKILL)
        self._failing = self._lasting
        first()
        _refuse(self._kind, path)

    def _before(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(first: Any, *rest: Any, **named: Any) -> Any:
            self.happen(name, _path_of(first) if name.startswith("f") else rest[0])
            return real(first, *rest, **named)

        return call

    def _point(self, action: str, path: Any) -> str | None:
        absolute = self._folder / os.fsdecode(path)
        if not absolute.is_relative_to(self._folder):
            return None
        name = str(absolute.relative_to(self._folder))
        for pattern, plain in _RANDOM_NAMES:
            name = pattern.sub(plain, name)
        self._seen[f"{action} {name}"] += 1
        return f"{action} {name} {self._seen[f'{action} {name}']}"


def _path_of(number: int) -> str:
    return str(Path(f"/proc/self/fd/{number}").readlink())


def _refuse(kind: str, path: Any) -> NoReturn:
    number = int(getattr(errno, kind))
    raise OSError(number, os.strerror(number))
