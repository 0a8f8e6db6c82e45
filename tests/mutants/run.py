"""Mutate the modules one change at a time and run their tests; called by ``scripts/mutants`` inside its copy.

cosmic-ray changes the file on disk, so processes that a test starts see the mutant too. Its operators change neither
string literals nor statements as a whole; `operators.py` adds the latter. A survivor is a failure unless
``equivalent.txt`` lists it with a reason, and so is an entry of that list that no longer survives.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cosmic_ray.plugins
import pytest
from cosmic_ray.commands import init
from cosmic_ray.mutating import use_mutation
from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import MutationSpec, WorkItem
from operators import Provider

for name in ("boto3", "botocore.session", "click", "hypothesis", "numpy", "orjson", "pydantic", "yaml"):
    importlib.import_module(name)  # once for all forks; nothing of the project, which is mutated

MODULES = {
    "src/asteroid_ll/run/atomic.py": "tests/unit/run/test_atomic.py",
    "src/asteroid_ll/run/billed_job.py": "tests/unit/run/test_billed_job.py",
    "src/asteroid_ll/run/journal.py": "tests/unit/run/test_journal.py",
    "src/asteroid_ll/run/lock.py": "tests/unit/run/test_lock.py",
    "src/asteroid_ll/aws/teardown.py": "tests/unit/aws/test_teardown.py",
    "src/asteroid_ll/pipeline/supervisor.py": "tests/unit/pipeline/test_supervisor.py",
    "src/asteroid_ll/pipeline/run.py": "tests/unit/pipeline/test_run.py",
    "src/asteroid_ll/aws/transform.py": "tests/unit/aws/test_transform.py",
    "src/asteroid_ll/aws/processing.py": "tests/unit/aws/test_processing.py",
    "src/asteroid_ll/aws/checks/buckets.py": "tests/unit/aws/checks/test_buckets.py",
    "src/asteroid_ll/aws/checks/leftovers.py": "tests/unit/aws/checks/test_leftovers.py",
    "src/asteroid_ll/aws/checks/quotas.py": "tests/unit/aws/checks/test_quotas.py",
    "src/asteroid_ll/aws/checks/roles.py": "tests/unit/aws/checks/test_roles.py",
    "src/asteroid_ll/aws/checks/simulation.py": "tests/unit/aws/checks",
    "src/asteroid_ll/emulator/iam/language.py": "tests/unit/emulator/iam/test_language.py",
    "src/asteroid_ll/emulator/iam/evaluation.py": "tests/unit/emulator/iam/test_language.py",
    "src/asteroid_ll/emulator/sts.py": "tests/unit/emulator/test_sts.py",
}
"""Each module with the tests that must kill its mutants."""

OPERATORS = re.compile(
    r"ours/.*|core/(AddNot|Replace(True|False|And|Or|Break|Continue)With\w+|ExceptionReplacer|NumberReplacer"
    r"|RemoveDecorator|ZeroIterationForLoop|ReplaceUnaryOperator_Delete_Not"
    r"|ReplaceBinaryOperator_(Add_Sub|Sub_Add|BitOr_BitAnd|BitAnd_BitOr)"
    r"|ReplaceComparisonOperator_(Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is|Lt_LtE|Lt_GtE|LtE_Lt|LtE_Gt|Gt_GtE|Gt_LtE"
    r"|GtE_Gt|GtE_Lt))"
)
"""Negations, boundaries and omissions. The others, such as ``is`` for ``==``, change the type and not the rule."""

TIMEOUT_S = 120.0
"""For the tests without a mutation. A mutant gets ten seconds more than five times what they took."""

MAX_FILE_BYTES = 1 << 30
"""A mutant's loop that does not end must not fill the disk."""

_QUIET = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
"""hypothesis is imported before pytest can rewrite it, which changes nothing."""

Key = tuple[str, str]
"""A mutant: the module's path with the function, and the changed lines of its diff, without indentation."""


@dataclass(frozen=True)
class Mutant:
    """A mutant and whether its tests failed."""

    key: Key
    diff: str
    is_killed: bool


def main(words: Sequence[str]) -> int:
    """Run the mutants of the modules whose path contains one of the words; return the exit code."""
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    cosmic_ray.plugins.OPERATOR_PROVIDERS["ours"] = Provider()
    modules = [module for module in MODULES if not words or any(word in module for word in words)]
    equivalent = read_equivalent(Path("tests/mutants/equivalent.txt"))
    start_s = time.monotonic()
    mutants: list[Mutant] = []
    for mutant in (mutant for module in modules for mutant in mutants_of(module)):
        mutants.append(mutant)
        if not mutant.is_killed and mutant.key not in equivalent:
            print(f"\nSurvived in {mutant.key[0]}:\n{mutant.diff}", flush=True)
    survivors = [mutant.key for mutant in mutants if not mutant.is_killed]
    stale = {key for key in equivalent if key[0].split()[0] in modules} - set(survivors)
    for place, change in sorted(stale):
        print(f"\nListed as equivalent, but killed or no longer a mutant:\n{place}\n{change}")
    n_equivalent = sum(key in equivalent for key in survivors)
    n_killed, n_survived = len(mutants) - len(survivors), len(survivors) - n_equivalent
    minutes = (time.monotonic() - start_s) / 60
    print(
        f"\n{len(mutants)} mutants, {n_killed} killed, {n_equivalent} equivalent, {n_survived} survived: "
        f"score {n_killed / max(1, n_killed + n_survived):.1%}, {minutes:.1f} min"
    )
    return 1 if n_survived or stale or not mutants else 0


def mutants_of(module: str) -> Iterator[Mutant]:
    """Yield the mutants of a module, tested one after the other."""
    start_s = time.monotonic()
    if exit_code_of(MODULES[module], timeout_s=TIMEOUT_S, verbose=True) != 0:
        raise SystemExit(f"The tests of {module} fail without any mutation.")
    timeout_s = 10 + 5 * (time.monotonic() - start_s)
    items = work_items(module)
    n_survived = n_timed_out = 0
    for number, item in enumerate(items, start=1):
        (mutation,) = item.mutations
        operator = cosmic_ray.plugins.get_operator(mutation.operator_name)()
        with use_mutation(mutation.module_path, operator, mutation.occurrence) as (before, after):
            exit_code = exit_code_of(MODULES[module], timeout_s=timeout_s)
        if after is None or after == before:
            raise SystemExit(f"{mutation} changes nothing.")
        n_survived += exit_code == 0
        n_timed_out += exit_code is None
        print(f"{module}: {number} of {len(items)}", end="\r", file=sys.stderr, flush=True)
        lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), module, module, lineterm=""))
        place = f"{module} {mutation.definition_name or ''}".rstrip()
        yield Mutant((place, changed_lines(lines)), "\n".join(lines), exit_code != 0)
    print(f"{module}: {len(items)} mutants, {n_survived} survived, {n_timed_out} timed out", flush=True)


def exit_code_of(tests: str, *, timeout_s: float, verbose: bool = False) -> int | None:
    """Run tests in a fork, which has the third-party modules already; return pytest's exit code, None if it hangs.

    Everything that the fork started is killed with it.
    """
    child = os.fork()
    if child == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, MAX_FILE_BYTES))
        if not verbose:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 1)
            os.dup2(null, 2)
        code = pytest.main(
            ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--basetemp=../temporary", *_QUIET, tests]
        )
        os._exit(int(code))
    deadline_s = time.monotonic() + timeout_s
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < deadline_s:
        time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if ended[0] == 0:
        os.waitpid(child, 0)
        return None
    return os.waitstatus_to_exitcode(ended[1])


def changed_lines(diff: Sequence[str]) -> str:
    """Return the removed and added lines of a unified diff, without indentation."""
    lines = (line for line in diff[2:] if line[0] in "-+" and line[1:].strip())
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in lines)


def work_items(module: str) -> list[WorkItem]:
    """Return cosmic-ray's work for a module in the order of its lines, without what no running program reads."""
    database = WorkDB(":memory:", WorkDB.Mode.create)
    init([Path(module)], database, {})
    tree = ast.parse(Path(module).read_text(encoding="utf-8"))
    unread = [((part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset)) for part in unread_parts(tree)]

    def is_meant(mutation: MutationSpec) -> bool:
        is_unread = any(start <= mutation.start_pos < end for start, end in unread)
        return OPERATORS.fullmatch(mutation.operator_name) is not None and not is_unread

    items = [item for item in database.pending_work_items if is_meant(item.mutations[0])]
    database.close()
    return sorted(items, key=lambda item: (item.mutations[0].start_pos, item.mutations[0].operator_name))


def unread_parts(tree: ast.Module) -> Iterator[ast.expr | ast.keyword]:
    """Yield annotations, tests of ``TYPE_CHECKING``, and the options of dataclasses, which mypy enforces."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            yield node.annotation
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            yield node.returns
        elif isinstance(node, ast.ClassDef):
            calls = (decorator for decorator in node.decorator_list if isinstance(decorator, ast.Call))
            yield from (option for call in calls for option in call.keywords)
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield node.test


def read_equivalent(path: Path) -> set[Key]:
    """Return the reviewed mutants of a file. Its form is in its first lines."""
    keys: set[Key] = set()
    for paragraph in path.read_text(encoding="utf-8").split("\n\n"):
        lines = [line for line in paragraph.splitlines() if not line.startswith("#")]
        if lines:
            keys.add((lines[0], "\n".join(lines[1:])))
    return keys


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
