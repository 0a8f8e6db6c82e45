"""The public Python API: its names, and the cost of importing it."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import asteroid_ll

HEAVY = ("numpy", "pandas", "boto3", "botocore", "pydantic", "click", "rich", "sklearn", "matplotlib")


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)


def test_importing_the_package_loads_nothing_heavy() -> None:
    ended = run_python(f"import sys, asteroid_ll; sys.exit(str(sorted(set(sys.modules) & set({HEAVY}))))")
    assert ended.stderr.strip() == "[]"


def test_the_names_are_listed_before_they_are_used() -> None:
    ended = run_python("import asteroid_ll; print(dir(asteroid_ll) == sorted(asteroid_ll.__all__))")
    assert ended.stdout.strip() == "True"


@pytest.mark.parametrize("name", [name for name in asteroid_ll.__all__ if name != "__version__"])
def test_each_name_is_the_object_of_its_module(name: str) -> None:
    public = getattr(asteroid_ll, name)
    assert public is getattr(importlib.import_module(public.__module__), name)
    assert public.__doc__


def test_type_checkers_see_the_same_names_from_the_same_modules() -> None:
    tree = ast.parse(Path(asteroid_ll.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module != "importlib"]
    seen = {alias.asname: f"{node.module}" for node in imports for alias in node.names}
    assert seen == {name: f"asteroid_ll.{module}" for name, module in asteroid_ll._MODULES.items()}


def test_an_unknown_name_is_refused_as_by_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'asteroid_ll' has no attribute 'Modell'"):
        asteroid_ll.Modell  # type: ignore[attr-defined]  # noqa: B018


def test_without_scikit_learn_only_the_estimators_fail_and_name_the_command() -> None:
    ended = run_python(
        "import sys; sys.modules['sklearn'] = None\n"
        "from asteroid_ll import DataError, Model\n"
        "from asteroid_ll import LinearLearnerClassifier\n"
    )
    last_line = ended.stderr.strip().splitlines()[-1]
    assert last_line == (
        "ImportError: LinearLearnerClassifier and LinearLearnerRegressor need scikit-learn 1.6 or newer. "
        "Install it with: pip install scikit-learn"
    )
