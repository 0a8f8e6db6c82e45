"""The arrows of the house: imports point down, there are no circles, one room talks to AWS."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import asteroid_ll
from asteroid_ll.stages.registry import STAGES

SOURCE = Path(asteroid_ll.__file__).parent

LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"redaction"}),
    frozenset({"errors", "http_server", "instance_prices", "instance_types"}),
    frozenset({"own_wheel", "processing_container", "run"}),
    frozenset({"formats"}),
    frozenset({"linear_learner"}),
    frozenset({"export", "neo", "parity", "processing_images"}),
    frozenset({"config"}),  # checks hyperparameters with the algorithm's table
    frozenset({"emulator"}),
    frozenset({"aws"}),
    frozenset({"evaluation"}),
    frozenset({"report", "scoring"}),
    frozenset({"stages"}),
    frozenset({"pipeline"}),
    frozenset({"cli", "testing"}),
)
"""Rooms from the ground up; a room imports only from itself and from lower levels."""

EMULATOR_IMPORTERS = {"__init__", "aws.session", "cli.emulator", "testing"}
TABLES = {"formats.columns"}
"""Tables in memory, which the domain may know. It knows no file format."""

FORBIDDEN = {
    "linear_learner": {"run.journal", "run.lock"},
    "formats": {"run.journal", "run.lock"},
    "emulator": {"neo", "config", "run.journal", "run.lock"},
    "neo": {"linear_learner", *(f"formats.{path.stem}" for path in (SOURCE / "formats").glob("*.py"))} - TABLES,
    "aws": {"neo", "config", "run.journal"},
    "evaluation": {"aws", "emulator"},
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        yield name.removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            members = [f"{node.module}.{alias.name}" for alias in node.names]
            submodules = [name for name in members if (own(name) or "") in NAMES]
            yield from submodules or [node.module]


def own(name: str) -> str | None:
    return name.removeprefix("asteroid_ll.") if name.startswith("asteroid_ll.") else None


def level(room: str) -> int:
    return next(number for number, rooms in enumerate(LEVELS) if room in rooms)


NAMES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__") for path in SOURCE.rglob("*.py")
}
MODULES = dict(modules())


@pytest.mark.parametrize("name", [name for name in MODULES if name not in ("__init__", "__main__")])
def test_imports_point_down(name: str) -> None:
    room = name.split(".")[0]
    for target in filter(None, map(own, imported(MODULES[name]))):
        other = target.split(".")[0]
        if other == room or other.startswith("__"):
            continue
        assert level(other) < level(room), f"{name} imports {target}"
        forbidden = FORBIDDEN.get(room, set())
        assert not {other, target} & forbidden, f"{name} imports {target}"


def test_only_the_session_and_the_emulator_command_import_the_emulator() -> None:
    importers = {
        name
        for name, tree in MODULES.items()
        if not name.startswith("emulator") and any((own(t) or "").startswith("emulator") for t in imported(tree))
    }
    assert importers <= EMULATOR_IMPORTERS


def test_boto3_is_imported_by_the_aws_room_and_the_public_emulator_alone() -> None:
    importers = {name for name, tree in MODULES.items() if any(t.split(".")[0] == "boto3" for t in imported(tree))}
    assert {name for name in importers if not name.startswith("aws.")} <= {"emulator.local", "testing"}


def test_stages_do_not_know_each_other_nor_the_command_line() -> None:
    for name, tree in MODULES.items():
        if not name.startswith("stages.") or name == "stages.registry":
            continue
        for target in imported(tree):
            assert target.split(".")[0] not in ("click", "boto3", "botocore", "rich"), f"{name} imports {target}"
            assert (own(target) or "") not in {f"stages.{stage.name}" for stage in STAGES}


def test_there_are_no_circles_between_modules() -> None:
    names = set(MODULES)
    edges = {
        name: {t for t in filter(None, map(own, imported(tree))) if t in names and t != name}
        for name, tree in MODULES.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for target in sorted(edges[name]):
                visit(target, (*trail, name))
            done.add(name)

    for name in sorted(names):
        visit(name, ())


def code_lines(path: Path, tree: ast.Module) -> int:
    """Return a file's lines that are neither blank, nor a comment, nor part of a docstring."""
    documented: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            documented.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    return sum(1 for number, line in lines if number not in documented and line.strip()[:1] not in ("", "#"))


def test_no_module_has_more_than_400_lines_of_code() -> None:
    counts = {
        str(path.relative_to(SOURCE)): code_lines(path, ast.parse(path.read_text())) for path in SOURCE.rglob("*.py")
    }
    assert not {name: count for name, count in counts.items() if count > 400}
