"""The wheel of the installed package is complete, and the same on every machine."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import tomllib
import zipfile
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest

import asteroid_ll
from asteroid_ll import own_wheel

PACKAGE = Path(asteroid_ll.__file__).parent
PROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture(scope="module")
def wheel() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(own_wheel.build()))


def test_it_has_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    expected = {
        str(path.relative_to(PACKAGE.parent))
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix in (".py", ".gz", ".json", ".yaml", ".typed")
    }
    packed = {name for name in wheel.namelist() if name.startswith("asteroid_ll/")}
    assert packed == expected
    assert wheel.read("asteroid_ll/errors.py") == (PACKAGE / "errors.py").read_bytes()


def test_it_requires_what_the_project_requires_and_no_extra(wheel: zipfile.ZipFile) -> None:
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    name = next(name for name in wheel.namelist() if name.endswith("METADATA"))
    required = {
        line.removeprefix("Requires-Dist: ")
        for line in wheel.read(name).decode().splitlines()
        if line.startswith("Requires-Dist: ")
    }
    assert required == set(project["dependencies"])


def test_its_record_has_the_checksum_and_size_of_every_file(wheel: zipfile.ZipFile) -> None:
    record = next(name for name in wheel.namelist() if name.endswith("RECORD"))
    lines = [line.split(",") for line in wheel.read(record).decode().splitlines()]
    assert {line[0] for line in lines} == set(wheel.namelist())
    for name, checksum, size in lines:
        if name != record:
            content = wheel.read(name)
            digest = urlsafe_b64decode(checksum.removeprefix("sha256=") + "=")
            assert digest == hashlib.sha256(content).digest()
            assert int(size) == len(content)


def test_the_same_files_give_the_same_bytes_in_another_place_and_at_another_time(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "asteroid_ll", copy_function=shutil.copyfile)  # new times and modes
    print_digest = (
        "import hashlib, sys; from asteroid_ll import own_wheel; "
        "sys.stdout.write(own_wheel.__file__ + ' ' + hashlib.sha256(own_wheel.build()).hexdigest())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {print_digest}"],
        capture_output=True,
        text=True,
        check=True,
    )
    path, digest = answer.stdout.split()
    assert path.startswith(str(tmp_path))
    assert digest == hashlib.sha256(own_wheel.build()).hexdigest()
