import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from asteroid_ll.cli.features import features
from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.neo.feature_sets import NAMES
from asteroid_ll.neo.features import fit


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def run(*arguments: str) -> str:
        features.main(list(arguments), standalone_mode=False)
        return capsys.readouterr().out

    return run


def test_the_list_names_every_set_and_marks_the_configured_one(answer: Callable[..., str]) -> None:
    lines = answer("list").splitlines()
    assert [line[2:].split()[0] for line in lines] == list(NAMES)
    assert [line for line in lines if line.startswith("*")] == [line for line in lines if " spline " in line]
    sets = json.loads(answer("list", "--json"))["sets"]
    assert [item["name"] for item in sets if item["chosen"]] == ["spline"]


def test_a_set_is_shown_column_by_column_with_the_reason_of_what_it_leaves_out(answer: Callable[..., str]) -> None:
    text = answer("show", "no-label-inputs")
    assert "used  eccentricity" in text
    assert "      moid_au                       defines the label" in text
    listed = {item["name"]: item for item in json.loads(answer("show", "clean", "--json"))["columns"]}
    assert listed["absolute_magnitude_mag"]["taken"]
    assert listed["aphelion_distance_au"]["why"] == "is a (1 + e)"


def test_the_fitted_set_of_the_run_directory_is_shown_with_what_it_learned(
    answer: Callable[..., str], tmp_path: Path
) -> None:
    table = pd.DataFrame({"absolute_magnitude_mag": [20.0, 24.0, 23.0], "moid_au": [0.1, 0.2, 0.01]})
    (tmp_path / "encode").mkdir()
    (tmp_path / "encode" / "features.json").write_text(json.dumps(fit("spline", table, n_knots=2).to_json()))
    text = answer("show", "--workdir", str(tmp_path))
    assert text.startswith("spline: ")
    assert "input      moid_au" in text
    assert "variable   absolute_magnitude_mag: 4 knots from" in text


def test_what_is_not_there_is_named(answer: Callable[..., str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Unknown feature set 'hats'"):
        answer("show", "hats")
    with pytest.raises(DataError, match="no fitted feature set"):
        answer("show", "--workdir", str(tmp_path))
