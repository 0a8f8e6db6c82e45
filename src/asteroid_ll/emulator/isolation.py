"""The isolation of job processes: a clean environment, Python's isolated mode, resource limits.

A client of the emulator may be less trusted than its owner. Nothing that a client sends becomes a variable of a
process, a command line or a directory of Python's module search.
"""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

PASSED_ON = (
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TZ",
)
"""Variables of the emulator's own environment that job processes get."""

MAX_OPEN_FILES = 4096
MAX_ADDRESS_SPACE_BYTES = 64 * 2**30
"""Far above any job's memory. It stops a process that reserves memory without end."""

_BOOT = (
    "import gc, os, sys; gc.set_threshold(50_000); sys.path[:] = sys.argv.pop(1).split('\\n'); from {} import main; "
    "code = main(sys.argv[1:]); sys.stdout.flush(); os._exit(code or 0)"
)
"""Without these settings, Python looks for garbage during the imports and frees all objects one by one at the end."""
_LIBRARY_PATH = "LD_LIBRARY_PATH"


def python_command(module: str, *arguments: str) -> list[str]:
    """Return the command line that runs a module's ``main`` with these arguments.

    The interpreter ignores the environment and the current directory. It finds modules only where this process does,
    so a package that is installed nowhere is found too.
    """
    search_path = "\n".join(entry for entry in sys.path if Path(entry).is_absolute())
    return [sys.executable, "-I", "-u", "-c", _BOOT.format(module), search_path, *arguments]


def clean_environment() -> dict[str, str]:
    """Return the variables that a job process inherits.

    Only absolute directories of ``LD_LIBRARY_PATH`` are kept: a job's process starts in a directory with a client's
    files.
    """
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    libraries = [entry for entry in os.environ.get(_LIBRARY_PATH, "").split(os.pathsep) if Path(entry).is_absolute()]
    return {**kept, _LIBRARY_PATH: os.pathsep.join(libraries)} if libraries else kept


def of_aws_client() -> dict[str, str]:
    """Return the variables with which an AWS client finds its settings and credentials.

    Only the worker process of a job gets them, and only if the buckets are in another emulator.
    """
    return {
        name: text
        for name, text in os.environ.items()
        if name.startswith("AWS_") or name.upper() in ("HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    }


def limit_resources() -> None:
    """Limit this process and its children, and make their files private. A stricter limit stays.

    There are no core dumps, which would hold a client's data.
    """
    os.umask(0o077)
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: MAX_OPEN_FILES,
        resource.RLIMIT_AS: MAX_ADDRESS_SPACE_BYTES,
    }
    for kind, most in limits.items():
        soft, hard = resource.getrlimit(kind)
        lowest = min((limit for limit in (soft, hard, most) if limit != resource.RLIM_INFINITY), default=most)
        with suppress(ValueError, OSError):  # macOS has no limit of the address space
            resource.setrlimit(kind, (lowest, lowest))
