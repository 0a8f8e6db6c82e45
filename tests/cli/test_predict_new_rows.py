"""``predict --input``: through the endpoint and offline, from this run's model."""

from __future__ import annotations

import csv
import io

import pytest

NEW = """\
asteroid_id,name,absolute_magnitude_mag,moid_au
1,dim and near,26.5,0.001
2,bright and near,18.0,0.01
3,bright and far,17.0,0.11
"""


@pytest.fixture
def deployed(trained):
    (trained.folder / "new.csv").write_text(NEW, "utf-8")
    assert trained.run("run-all", "--keep").code == 0
    yield trained
    assert trained.run("teardown").code == 0


def _rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_the_endpoint_and_the_artifact_give_the_same_numbers(deployed):
    through_endpoint = deployed.run("predict", "--input", "new.csv")
    offline = deployed.run("predict", "--input", "new.csv", "--offline")
    assert through_endpoint.code == offline.code == 0
    assert through_endpoint.out == offline.out
    assert [row["name"] for row in _rows(offline.out)] == ["dim and near", "bright and near", "bright and far"]
    assert [row["predicted_hazardous"] for row in _rows(offline.out)] == ["False", "True", "False"]


def test_text_requests_give_the_same_numbers_as_recordio(deployed):
    offline = deployed.run("predict", "--input", "new.csv", "--offline")
    deployed.edit("report:", "predict: {content_type: text/csv}\nreport:")
    assert deployed.run("predict", "--input", "new.csv").out == offline.out


def test_the_test_part_scored_as_new_rows_has_the_scores_of_the_stage(deployed):
    predictions = _rows(deployed.bytes_of("predict/predictions.csv").decode())
    by_name = {row["asteroid_id"] + row["score"] for row in predictions}
    scored = _rows(deployed.run("predict", "--input", "asteroids.csv").out)
    assert by_name <= {row["asteroid_id"] + row["score"] for row in scored}


def test_output_goes_to_a_file_and_a_note_to_stderr(deployed):
    ended = deployed.run("predict", "-i", "new.csv", "-o", "scored.csv", "--offline")
    assert ended.out == ""
    assert ended.err == "3 rows scored, 1 hazardous: scored.csv\n"
    assert len(_rows((deployed.folder / "scored.csv").read_text("utf-8"))) == 3


def test_without_an_endpoint_the_way_out_is_named(finished):
    ended = finished.run("predict", "--input", "asteroids.csv")
    assert ended.code == 4
    assert "Next:" in ended.err
    assert "asteroid-ll deploy" in ended.err


def test_without_a_model_the_missing_stage_is_named(place):
    ended = place.run("predict", "--input", "asteroids.csv", "--offline")
    assert ended.code == 2
    assert "predict needs the outputs of clean" in ended.err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("asteroid_id,absolute_magnitude_mag\n1,20\n", "lacks 1 of the 2 required columns: moid_au"),
        ("absolute_magnitude_mag,moid_au\n20,far\n", "Data row 1: moid_au is not a number: 'far'"),
        ("absolute_magnitude_mag,moid_au\n", "has a header but no rows"),
    ],
    ids=["empty", "column-missing", "no-number", "no-rows"],
)
def test_bad_new_rows_exit_3_and_leave_an_earlier_output_alone(finished, content, says):
    (finished.folder / "new.csv").write_text(content, "utf-8")
    (finished.folder / "scored.csv").write_text("earlier", "utf-8")
    ended = finished.run("predict", "-i", "new.csv", "-o", "scored.csv", "--offline")
    assert ended.code == 3
    assert says in ended.err
    assert (finished.folder / "scored.csv").read_text("utf-8") == "earlier"


def test_a_damaged_artifact_exits_3_with_the_command_that_makes_another(finished):
    artifact = finished.workdir / "train" / "model.tar.gz"
    artifact.write_bytes(artifact.read_bytes()[:200])
    ended = finished.run("predict", "--input", "asteroids.csv", "--offline")
    assert ended.code in (2, 3)
    assert "train" in ended.err
    assert "Next:" in ended.err
