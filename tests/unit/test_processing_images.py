from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from asteroid_ll.processing_images import ACCOUNT_BY_REGION, PYTHON, REPOSITORY, VERSION


@pytest.mark.interop
def test_the_bundled_images_are_those_of_awss_own_sdk():
    # The table is read without importing the SDK, which takes longer than a second.
    spec = importlib.util.find_spec("sagemaker")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the sagemaker SDK is not installed")
    tables = [folder / "image_uri_config" / "pytorch.json" for folder in map(Path, spec.submodule_search_locations)]
    found = [path for path in tables if path.exists()]
    if not found:
        pytest.skip("the installed sagemaker SDK has no image table of version 2's layout")
    training = json.loads(found[0].read_text())["training"]
    assert "cpu" in training["processors"]
    table = training["versions"][VERSION]
    assert PYTHON in table["py_versions"]
    assert table["repository"] == REPOSITORY
    assert table["registries"] == ACCOUNT_BY_REGION
