"""One thread for numpy's matrix products, whatever the environment or the number of cores.

OpenBLAS adds in another order on more threads. With one thread, a model's bits depend only on its kernels.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

_NAMES = [
    f"{prefix}openblas_{{}}_num_threads{suffix}" for prefix, suffix in itertools.product(("scipy_", ""), ("64_", ""))
]
_lock = threading.Lock()
_n_users = 0
_threads_before = 1


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Use one BLAS thread in the process until the last user of this context leaves it.

    Another library than OpenBLAS keeps its threads.
    """
    global _n_users, _threads_before
    found = _openblas()
    if found is None:
        yield
        return
    get_threads, set_threads = found
    with _lock:
        if not _n_users:
            _threads_before = get_threads()
            set_threads(1)
        _n_users += 1
    try:
        yield
    finally:
        with _lock:
            _n_users -= 1
            if not _n_users:
                set_threads(_threads_before)


@functools.cache
def _openblas() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Return the functions that get and set the threads of numpy's OpenBLAS; None for another library."""
    core = "numpy._core" if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else "numpy.core"
    # A symbol is looked up in the module itself, and then in the libraries that it needs.
    path = importlib.import_module(f"{core}._multiarray_umath").__file__
    try:
        library = ctypes.CDLL(path)
    except OSError:
        return None
    for name in _NAMES:
        try:
            return getattr(library, name.format("get")), getattr(library, name.format("set"))
        except AttributeError:
            continue
    return None
