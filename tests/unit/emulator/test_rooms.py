"""The rooms of the emulator: imports point down from the transports to the state."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import asteroid_ll.emulator

SOURCE = Path(asteroid_ll.emulator.__file__).parent
PACKAGE = "asteroid_ll.emulator"

LEVELS = (
    {"transport.messages"},
    {"api_model", "processes", "query_protocol", "sessions", "state"},
    {"resources", "service"},
    {"iam", "ledger", "prices", "quotas"},
    {"companion", "s3", "sts"},
    {"protocols", "signatures"},
    {"worker"},
    {"logs", "sagemaker"},
    {"account"},
    {"transport"},
    {"local"},
)
"""Rooms and modules from the ground up. A module imports only from its own room and from lower levels."""

MODULES = [path for path in sorted(SOURCE.rglob("*.py")) if path.parent != SOURCE or path.name != "__init__.py"]


def place(parts: list[str]) -> tuple[int, str]:
    """Return the level of a module of the emulator, and the entry in `LEVELS` that covers it."""
    for entry in (".".join(parts[:2]), parts[0]):
        for level, entries in enumerate(LEVELS):
            if entry in entries:
                return level, entry
    raise AssertionError(f"{'.'.join(parts)} is in no level")


def imports(path: Path) -> set[str]:
    """Return the names of the emulator's modules and members that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.removeprefix(f"{PACKAGE}.") for name in names if name.startswith(f"{PACKAGE}.")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_imports_only_from_its_room_and_from_lower_levels(path):
    level, room = place(list(path.relative_to(SOURCE).with_suffix("").parts))
    places = {name: place(name.split(".")) for name in imports(path)}
    assert {name for name, (other, entry) in places.items() if entry != room and other >= level} == set()
