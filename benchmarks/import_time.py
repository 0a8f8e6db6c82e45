"""The time of ``import asteroid_ll``, beside an interpreter that does nothing.

    python benchmarks/import_time.py [--json]

``import numpy`` is shown for scale.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from frame import Case, Side, Times, child, main


def interpreter(code: str) -> Callable[[], Times]:
    """Return a function that runs the code in a process of its own."""
    return lambda: child([sys.executable, "-c", code])


def cases() -> Iterator[Case]:
    """Yield the import."""
    yield Case(
        "import asteroid_ll",
        interpreter("import asteroid_ll"),
        (
            Side("import numpy", interpreter("import numpy")),
            Side("python -c pass", interpreter("pass"), at_least=1 / 1.5, is_bound=True),
        ),
        clock="wall",
        rounds=30,
    )


if __name__ == "__main__":
    sys.exit(main("import", cases()))
