"""``model show`` fits a terminal of 80 columns for every kind of model."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from asteroid_ll.cli.model import model
from asteroid_ll.formats.recordio import write_shards

GENERATOR = np.random.default_rng(2)
ROWS = (GENERATOR.normal(size=(90, 12)) * 10.0 ** np.arange(-6, 6)).astype(np.float32)


def shown(*arguments):
    result = CliRunner().invoke(model, ["show", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """Train a model of many classes and keep its log."""
    from asteroid_ll.linear_learner import container

    folder, lines = tmp_path_factory.mktemp("job"), []
    (folder / "input/config").mkdir(parents=True)
    values = {"predictor_type": "multiclass_classifier", "num_classes": "11", "mini_batch_size": "10", "epochs": "2"}
    (folder / "input/config/hyperparameters.json").write_text(json.dumps(values))
    (folder / "input/config/inputdataconfig.json").write_text('{"train": {}, "validation": {}}')
    for name in ("train", "validation"):
        labels = GENERATOR.integers(0, 11, len(ROWS)).astype(np.float32)
        write_shards(
            folder / "input/data" / name, "part", lambda *_, y=labels: [(ROWS, y)], n_rows=len(ROWS), n_shards=1
        )
    assert container.run(folder, write=lines.append) == 0
    (folder / "job.log").write_text("\n".join(lines))
    return folder


def test_every_line_fits_80_columns(exported, tmp_path):
    exported.model.save(tmp_path / "model.tar.gz")
    lines = shown("--artifact", tmp_path / "model.tar.gz", "--all")
    assert max(map(len, lines)) <= 80
    assert len(lines) > exported.model.feature_dim


@pytest.mark.parametrize("with_log", [False, True], ids=["artifact", "log"])
@pytest.mark.parametrize("name_length", [3, 70])
def test_many_classes_long_names_and_the_grid_fit_80_columns(job, tmp_path, with_log, name_length):
    (tmp_path / "names.txt").write_text("".join(f"{number:x}".rjust(name_length, "n") + "\n" for number in range(12)))
    arguments = ["--artifact", job / "model/model_algo-1", "--names", tmp_path / "names.txt"]
    lines = shown(*arguments, *(["--log", job / "job.log"] if with_log else []))
    assert max(map(len, lines)) <= 80, "\n".join(lines)
    assert any("of 11 outputs" in line for line in lines)
    assert any("per sd" in line for line in lines) == with_log
