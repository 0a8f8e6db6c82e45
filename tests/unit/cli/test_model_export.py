"""``model export``: the options, the names of the features, and the file that appears."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from asteroid_ll.cli.model import model
from asteroid_ll.cli.model_export import FORMATS
from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.neo.features import FittedFeatures


@pytest.fixture
def artifact(tmp_path):
    """Save a model of a given width, and return its path."""

    def make(n_features=2, *, path="model.tar.gz", bias=0.0):
        weight = np.arange(1, n_features + 1, dtype=np.float32).reshape(-1, 1)
        trained = Model("binary_classifier", "logistic", weight, np.array([bias], np.float32), 0.25)
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        trained.save(tmp_path / path)
        return tmp_path / path

    return make


def export(*arguments):
    runner = CliRunner()
    result = runner.invoke(model, ["export", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "onnx"])
def test_every_format_has_the_weights_and_the_names(artifact, tmp_path, kind):
    (tmp_path / "names.txt").write_text("moid au\nH\n")
    target = tmp_path / "exported"
    result = export("--artifact", artifact(), "--to", kind, "--names", tmp_path / "names.txt", "-o", target)
    text = target.read_text("utf-8")
    assert "moid au" in text
    assert "0.25" in text
    assert f"Wrote {target}: binary_classifier of 2 features." in result.stderr
    assert export("--artifact", artifact(), "--format", kind, "-o", tmp_path / "again").stdout == ""
    assert "moid au" not in (tmp_path / "again").read_text("utf-8")


def test_the_names_of_a_run_are_those_of_its_features_unless_others_are_given(artifact, tmp_path):
    artifact(path="run/train/model.tar.gz")
    (tmp_path / "run/encode").mkdir()
    fitted = FittedFeatures("physics", ("absolute_magnitude_mag", "moid_au"), ("magnitude", "ln_moid"))
    (tmp_path / "run/encode/features.json").write_text(json.dumps(fitted.to_json()))
    export("--workdir", tmp_path / "run", "-o", tmp_path / "model.json")
    written = json.loads((tmp_path / "model.json").read_text())
    assert written["names"] == ["magnitude", "ln_moid"]
    assert written["features"]["name"] == "physics"
    (tmp_path / "names.txt").write_text("a\nb\n")
    export("--workdir", tmp_path / "run", "--names", tmp_path / "names.txt", "-o", tmp_path / "model.json")
    assert json.loads((tmp_path / "model.json").read_text())["names"] == ["a", "b"]


def test_a_select_for_a_table_that_some_databases_cannot_have_names_them(artifact, tmp_path):
    wide = artifact(2000)
    result = export("--artifact", wide, "--to", "sql", "-o", tmp_path / "wide.sql", "--json")
    assert "2,001 columns, too many for SQLite (2,000) and PostgreSQL (1,000)" in json.loads(result.stdout)["note"]
    assert "--long" in export("--artifact", wide, "--to", "sql", "-o", tmp_path / "wide.sql").stderr
    result = export("--artifact", wide, "--to", "sql", "--long", "-o", tmp_path / "long.sql", "--json")
    assert json.loads(result.stdout)["note"] is None
    options = ["--table", "main.rocks", "--id-column", "designation"]
    export("--artifact", artifact(), "--to", "sql", *options, "-o", tmp_path / "named.sql")
    text = (tmp_path / "named.sql").read_text()
    assert 'FROM "main"."rocks" AS t' in text
    assert 't."designation"' in text


@pytest.mark.parametrize("option", [["--long"], ["--table", "t"], ["--id-column", "id"]])
def test_an_option_of_sql_alone_is_refused_elsewhere(artifact, tmp_path, option):
    with pytest.raises(ConfigError, match="go with --to sql"):
        export("--artifact", artifact(), "--to", "python", *option, "-o", tmp_path / "model.py")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_model_that_diverged_leaves_an_earlier_file_alone(artifact, tmp_path, kind):
    (tmp_path / "out").write_text("earlier")
    with pytest.raises(DataError, match="not finite numbers"):
        export("--artifact", artifact(bias=np.nan), "--to", kind, "-o", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "earlier"


@pytest.mark.parametrize("command", ["show", "export", "predict"])
def test_a_file_that_is_not_an_artifact_is_an_error_with_the_command_that_gets_one(tmp_path, command):
    (tmp_path / "model.tar.gz").write_bytes(b"not an archive")
    more = {"show": [], "export": ["-o", "x"], "predict": ["-i", "x.csv"]}[command]
    for name, says in (("model.tar.gz", "cannot be read"), ("none.tar.gz", "There is no model at")):
        arguments = [command, "--artifact", str(tmp_path / name), *more]
        with pytest.raises(DataError, match=says) as caught:
            CliRunner().invoke(model, arguments, catch_exceptions=False)
        assert "aws s3 cp" in caught.value.hint
    with pytest.raises(DataError, match="There is no model at") as caught:
        CliRunner().invoke(model, [command, "--workdir", str(tmp_path / "run"), *more], catch_exceptions=False)
    assert "asteroid-ll train" in caught.value.hint
