"""The time and the memory that a piece of work in this process takes."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypedDict, TypeVar

T = TypeVar("T")

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
_RESET_PEAK = "5\n"  # https://docs.kernel.org/filesystems/proc.html, clear_refs
_UNIT_B = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, see getrusage(2)


class Usage(TypedDict):
    """What a piece of work took: JSON values.

    ``wall_s`` and ``cpu_s`` are seconds, the latter of all threads. ``peak_mb`` is the largest resident memory of the
    process during the work, in 10^6 bytes. If the system cannot reset its record, it is the largest since the process
    began, and ``is_upper_bound`` is true.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    is_upper_bound: bool


def measured(work: Callable[[], T]) -> tuple[T, Usage]:
    """Do a piece of work, and return its result with what it took. The work must not measure a part of itself."""
    has_reset = False
    with suppress(OSError):
        _CLEAR.write_text(_RESET_PEAK, encoding="ascii")
        has_reset = True
    wall_s, cpu_s = time.monotonic(), time.process_time()
    result = work()
    wall_s, cpu_s = time.monotonic() - wall_s, time.process_time() - cpu_s
    peak_b = _high_water_b() if has_reset else None
    is_upper_bound = peak_b is None
    if peak_b is None:
        peak_b = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT_B
    return result, Usage(
        wall_s=round(wall_s, 3), cpu_s=round(cpu_s, 3), peak_mb=round(peak_b / 1e6, 1), is_upper_bound=is_upper_bound
    )


def _high_water_b() -> int | None:
    """Return the largest resident memory since the last reset, bytes; None if it is unknown."""
    with suppress(OSError, ValueError):
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None
