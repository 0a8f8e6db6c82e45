"""``scripts/rubin``: tables of any size from the bundled catalogue."""

import gzip
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.neo.cleaning import clean
from asteroid_ll.neo.label import is_hazardous_by_rule
from asteroid_ll.neo.moid import Orbits, earth_moid_au
from asteroid_ll.neo.sources import open_source
from asteroid_ll.neo.sources.tabular import read

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "rubin.py"
ELEMENTS = (
    "semi_major_axis_au",
    "eccentricity",
    "inclination_deg",
    "ascending_node_longitude_deg",
    "perihelion_argument_deg",
)
N_ROWS = 12_000


@pytest.fixture(scope="module")
def rubin() -> ModuleType:
    specification = importlib.util.spec_from_file_location("rubin_script", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["rubin_script"] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def catalogue(rubin: ModuleType) -> pd.DataFrame:
    return read(rubin.CATALOGUE).table


@pytest.fixture(scope="module")
def table(rubin: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    path = tmp_path_factory.mktemp("rubin") / "rubin.csv.gz"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rubin, "BLOCK_ROWS", N_ROWS)
        rubin.write(N_ROWS, path)
    return open_source("csv", location=str(path)).read(path).table


@pytest.fixture
def small_blocks(rubin: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(rubin, "BLOCK_ROWS", 300)
    return rubin


def test_every_asteroid_has_an_identity_and_an_orbit_of_its_own(table: pd.DataFrame) -> None:
    assert len(table) == N_ROWS
    assert table["asteroid_id"].is_unique
    assert not table.duplicated(list(ELEMENTS)).any()
    assert len(clean(table).equal_orbits) < N_ROWS / 1_000


def test_columns_that_follow_from_others_are_computed_anew(table: pd.DataFrame) -> None:
    a, e = table["semi_major_axis_au"], table["eccentricity"]
    moid_au = earth_moid_au(Orbits(*(table[name].to_numpy() for name in ELEMENTS)), epoch_jd=2_461_000.5)
    assert np.allclose(table["moid_au"], moid_au, rtol=6e-6)
    assert np.allclose(table["perihelion_distance_au"], a * (1 - e), atol=1e-7)
    assert np.allclose(table["aphelion_distance_au"], a * (1 + e), atol=1e-7)
    assert np.allclose(table["orbital_period_d"], 365.2568983 * a**1.5, rtol=1e-6)
    assert np.allclose(
        table["diameter_max_km"], 1329 / np.sqrt(0.05) * 10 ** (-table["absolute_magnitude_mag"] / 5), 1e-5
    )
    assert np.allclose(table["diameter_max_km"] / table["diameter_min_km"], np.sqrt(5), rtol=2e-5)


def test_the_label_follows_the_rule_and_contradicts_it_as_often_as_in_the_catalogue(
    table: pd.DataFrame, catalogue: pd.DataFrame
) -> None:
    shares, contradictions = [], []
    for rows in (catalogue, table):
        rule = is_hazardous_by_rule(rows["absolute_magnitude_mag"], rows["moid_au"])
        shares.append(rows["hazardous"].mean())
        contradictions.append((rule != rows["hazardous"]).mean())
    assert shares[1] == pytest.approx(shares[0], rel=0.1)
    assert contradictions[1] == pytest.approx(contradictions[0], rel=0.6)


def test_the_distributions_are_near_those_of_the_catalogue(table: pd.DataFrame, catalogue: pd.DataFrame) -> None:
    for name in ("absolute_magnitude_mag", "moid_au", "eccentricity", "semi_major_axis_au", "inclination_deg"):
        ours, theirs = (np.quantile(rows[name], [0.25, 0.5, 0.9]) for rows in (table, catalogue))
        assert ours == pytest.approx(theirs, rel=0.1), name


def test_a_longer_file_begins_with_a_shorter_one_and_the_seed_decides(small_blocks: ModuleType, tmp_path: Path) -> None:
    for name, n_rows, seed in (("long", 700, 5), ("short.csv.gz", 350, 5), ("other", 350, 6)):
        small_blocks.write(n_rows, tmp_path / name, seed=seed)
    long, other = (tmp_path / "long").read_bytes(), (tmp_path / "other").read_bytes()
    short = gzip.decompress((tmp_path / "short.csv.gz").read_bytes())
    assert long.startswith(short)
    assert short.count(b"\n") == 351
    assert other.splitlines()[1:] != short.splitlines()[1:]


def test_repeated_approaches_keep_the_asteroid_and_its_orbit(small_blocks: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "rubin.csv"
    small_blocks.write(1_200, path, repeats=0.4)
    table = open_source("csv", location=str(path)).read(path).table
    assert len(table) == 1_200
    assert table["asteroid_id"].nunique() == 720
    of_asteroid = [*ELEMENTS, "absolute_magnitude_mag", "moid_au", "hazardous", "orbit_uncertainty"]
    assert (table.groupby("asteroid_id")[of_asteroid].nunique(dropna=False) == 1).all(axis=None)
    assert not table.duplicated(["asteroid_id", "close_approach_unix_ms"]).any()
    assert table["miss_distance_au"].ge(table["moid_au"] - 1e-6).all()
    assert table["relative_velocity_km_per_s"].between(0, 80).all()
    days = pd.to_datetime(table["close_approach_unix_ms"], unit="ms").dt.strftime("%Y-%m-%d")
    assert (days == table["close_approach_date"]).all()


def test_designations_of_ten_million_asteroids_are_different(rubin: ModuleType) -> None:
    numbers = [0, 1, 239, 240, 5_999, 6_000, 9_999_999]
    assert [rubin._designation(number) for number in numbers] == [
        *("2027 AA", "2028 AA", "2036 YA", "2027 AB", "2036 YZ", "2027 AA1", "2036 QR1666")
    ]
    assert len(set(rubin._PREFIXES)) == 6_000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["0", "a.csv"], "argument rows: invalid count value: '0'"),
        (["many", "a.csv"], "argument rows"),
        (["5", "a.csv", "--repeats", "1"], "argument --repeats"),
    ],
)
def test_wrong_arguments_are_refused(
    rubin: ModuleType,
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["rubin", *arguments])
    with pytest.raises(SystemExit) as caught:
        rubin.main()
    assert caught.value.code == 2
    assert says in capsys.readouterr().err


def test_the_command_writes_a_file(tmp_path: Path) -> None:
    command = [SCRIPT.with_suffix(""), "1_000", tmp_path / "rubin.csv", "--repeats", "0.25"]
    subprocess.run(command, check=True, env={"ASTEROID_LL_VENV": sys.prefix, "PATH": "/usr/bin:/bin"})
    assert (tmp_path / "rubin.csv").read_text().count("\n") == 1_001
