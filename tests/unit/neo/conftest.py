"""A small labelled table, and its file in the spelling of the 40-column export."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.neo.label import is_hazardous_by_rule
from asteroid_ll.neo.table import COLUMNS, Kind, Role

N_ROWS = 60


@pytest.fixture
def small_table() -> pd.DataFrame:
    """Sixty close approaches of forty asteroids with all 40 canonical columns."""
    rng = np.random.default_rng(7)
    values: dict[str, Any] = {}
    for column in COLUMNS:
        if column.kind is Kind.INTEGER:
            values[column.name] = rng.integers(0, 9, N_ROWS)
        elif column.kind is Kind.FLOAT:
            values[column.name] = rng.random(N_ROWS).round(6)
    identity = 2_000_433 + np.arange(N_ROWS) % 40
    values |= {
        "asteroid_id": identity.astype(str),
        "name": identity.astype(str),
        "absolute_magnitude_mag": rng.uniform(16, 28, N_ROWS).round(1),
        "moid_au": rng.uniform(0.0, 0.12, N_ROWS).round(6),
        "close_approach_date": ["2016-09-08"] * N_ROWS,
        "orbiting_body": ["Earth"] * N_ROWS,
        "orbit_determination_date": ["2017-04-06 08:36:37"] * N_ROWS,
        "equinox": ["J2000"] * N_ROWS,
    }
    values["hazardous"] = is_hazardous_by_rule(values["absolute_magnitude_mag"], values["moid_au"])
    return pd.DataFrame({column.name: values[column.name] for column in COLUMNS})


@pytest.fixture
def tutorial_drops() -> tuple[str, ...]:
    """The constant and date columns that the tutorial drops, which leaves 35."""
    return tuple(column.name for column in COLUMNS if column.role in (Role.CONSTANT, Role.DATE))


@pytest.fixture
def export(small_table: pd.DataFrame) -> pd.DataFrame:
    """The same table with the export's own headers."""
    return small_table.rename(columns={column.name: column.header for column in COLUMNS})


@pytest.fixture
def export_file(export: pd.DataFrame, tmp_path: Path) -> Path:
    """The export as a file with a byte order mark."""
    path = tmp_path / "nasa.csv"
    path.write_bytes(b"\xef\xbb\xbf" + export.to_csv(index=False).encode())
    return path


def _loaded(file: str) -> ModuleType:
    """A module beside the tests, loaded once: no folder of tests is a package."""
    path = Path(__file__).parent / file
    name = f"asteroid_ll_{path.parent.name}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture
def servers() -> ModuleType:
    """The fake servers' module."""
    return _loaded("fake_servers/servers.py")


@pytest.fixture
def neows(servers: ModuleType) -> Iterator[tuple[Any, str]]:
    """A fake NeoWs and its address."""
    fake = servers.FakeNeows()
    with servers.serving(fake.answer) as address:
        yield fake, address


@pytest.fixture
def jpl(servers: ModuleType) -> Iterator[tuple[Any, str]]:
    """Fake services of JPL and their address."""
    fake = servers.FakeJpl()
    with servers.serving(fake.answer) as address:
        yield fake, address


@pytest.fixture(scope="session")
def lists() -> ModuleType:
    """The module of made-up lists in the formats of the Minor Planet Center."""
    return _loaded("fake_lists/lists.py")
