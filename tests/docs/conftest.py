"""The documents and their shell, see ``replaying.py``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest


def _replaying() -> Any:
    """Load the module beside this file once; no folder of tests is a package."""
    name = "asteroid_ll_replaying"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("replaying.py"))
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def documents() -> Any:
    """The documents and their shell."""
    return _replaying().Documents()


@pytest.fixture(scope="session")
def finished_folder(documents: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after one ``run-all``; copy it, never change it."""
    folder = tmp_path_factory.mktemp("finished")
    printed = documents.shell("asteroid-ll run-all", folder)
    assert printed.code == 0, printed.text
    return folder
