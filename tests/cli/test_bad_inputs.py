"""Inputs that are not what they should be: one sentence, the next command, the exit code, and nothing lost."""

from __future__ import annotations

import gzip
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

GOOD_HEADER = "asteroid_id,name,absolute_magnitude_mag,moid_au,hazardous"


def _without_column(text, name):
    position = text.splitlines()[0].split(",").index(name)
    rows = [line.split(",") for line in text.splitlines()]
    return "\n".join(",".join(row[:position] + row[position + 1 :]) for row in rows) + "\n"


def _with_cell(text, row, column, value):
    lines = text.splitlines()
    cells = lines[row].split(",")
    cells[lines[0].split(",").index(column)] = value
    lines[row] = ",".join(cells)
    return "\n".join(lines) + "\n"


BAD = {
    "a column missing": (lambda text: _without_column(text, "moid_au"), "lacks 1 of the 4 required columns: moid_au"),
    "a wrong type": (
        lambda text: _with_cell(text, 17, "absolute_magnitude_mag", "bright"),
        "column absolute_magnitude_mag has a value that is not a number in data row 17: 'bright'",
    ),
    "a label that is none": (
        lambda text: _with_cell(text, 3, "hazardous", "maybe"),
        "column hazardous has neither True nor False in data row 3: 'maybe'",
    ),
    "an empty file": (lambda _: "", "is empty"),
    "a header alone": (lambda _: GOOD_HEADER + "\n", "has a header but no rows"),
    "one class": (lambda text: text.replace("True", "False"), "only harmless asteroids among its 600 rows"),
    "nan": (lambda text: _with_cell(text, 5, "moid_au", "NaN"), "column moid_au has no value in data row 5"),
    "an infinity": (
        lambda text: _with_cell(text, 5, "moid_au", "inf"),
        "column moid_au has an infinite value in data row 5",
    ),
    "a web page": (lambda _: "<!DOCTYPE html><html></html>", "is a web page, not a table"),
    "another column twice": (lambda text: text.replace("name,", "moid_au,", 1), "has the column moid_au twice"),
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_is_named_and_exits_3_and_the_good_one_works_again(finished, finished_once, case):
    spoil, says = BAD[case]
    table = finished.folder / "asteroids.csv"
    good = table.read_text("utf-8")
    before = finished.outputs()
    table.write_text(spoil(good), "utf-8")
    ended = finished.run("run-all", "--json")
    assert ended.code == 3, ended.err
    assert says in ended.json["error"]["what"]
    assert "\n" not in ended.json["error"]["what"]
    assert ended.json["error"]["hint"]
    assert "Traceback" not in ended.err
    after = finished.outputs()
    assert {name for name in before if after[name] != before[name]} <= {"fetch/asteroids.csv", "fetch/provenance.json"}
    assert finished.open_intervals() == []
    table.write_text(good, "utf-8")
    again = finished.run("run-all", "--json")
    assert again.code == 0, again.err
    assert finished.metrics() == finished_once.metrics()
    assert again.status_of("train") == "skipped"


@pytest.mark.parametrize("case", ["a column missing", "an empty file", "one class"])
def test_a_bad_table_from_the_start_leaves_nothing_that_bills(place, finished_once, case):
    spoil, says = BAD[case]
    table = place.folder / "asteroids.csv"
    good = table.read_text("utf-8")
    table.write_text(spoil(good), "utf-8")
    ended = place.run("run-all")
    assert ended.code == 3
    assert says in ended.err
    assert "Next:" in ended.err
    assert not place.state.exists()
    table.write_text(good, "utf-8")
    assert place.run("run-all").code == 0
    assert place.metrics() == finished_once.metrics()


def test_a_missing_file_is_named(place):
    (place.folder / "asteroids.csv").unlink()
    ended = place.run("run-all")
    assert ended.code == 3
    assert "asteroids.csv" in ended.err
    assert "No such file" in ended.err


def test_a_gzip_file_is_read_and_a_cut_one_refused(finished, finished_once):
    table = finished.folder / "asteroids.csv"
    packed = gzip.compress(table.read_bytes())
    table.write_bytes(packed[: len(packed) // 2])
    cut = finished.run("run-all")
    assert cut.code == 3
    assert "damaged or cut gzip file" in cut.err
    assert "Next:" in cut.err
    table.write_bytes(packed)
    whole = finished.run("run-all", "--json")
    assert whole.code == 0, whole.err
    assert finished.metrics() == finished_once.metrics()


@pytest.mark.parametrize(
    ("digest", "code"),
    [("0" * 64, 3), ("too-short", 2)],
    ids=["of-another-file", "malformed"],
)
def test_a_digest_that_does_not_fit_is_refused(place, digest, code):
    place.edit("location: asteroids.csv", f"location: asteroids.csv, sha256: '{digest}'")
    ended = place.run("run-all")
    assert ended.code == code
    assert "Next:" in ended.err
    assert not (place.workdir / "fetch" / "asteroids.csv").exists()


class _Site(BaseHTTPRequestHandler):
    """Serves the server's ``body``, or less of it than announced."""

    def do_GET(self):
        body = self.server.body
        sent = body[: self.server.cut]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(sent)
        self.close_connection = True

    def log_message(self, *_):
        pass


@contextmanager
def _site(body):
    with HTTPServer(("127.0.0.1", 0), _Site) as server:
        server.body, server.cut = body, len(body)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_a_download_that_is_cut_exits_3_and_the_earlier_one_stays(place, finished_once):
    with _site((place.folder / "asteroids.csv").read_bytes()) as server:
        place.edit("asteroids.csv", f"'http://127.0.0.1:{server.server_port}/a.csv?key=k'")
        assert place.run("run-all").code == 0
        assert place.metrics() == finished_once.metrics()
        before = place.outputs()
        server.cut = len(server.body) // 3
        ended = place.run("run-all", "--force", "fetch")
        assert ended.code == 3
        assert f"was cut: {server.cut} of {len(server.body)} bytes came" in ended.err
        assert "Next:" in ended.err
        assert "key=k" not in ended.err
        assert place.outputs() == before
        server.cut = len(server.body)
        again = place.run("run-all", "--json")
        assert again.code == 0, again.err
        assert {stage["status"] for stage in again.json["stages"]} == {"skipped"}


def test_a_site_that_is_not_there_is_one_sentence(place):
    place.edit("asteroids.csv", "'http://127.0.0.1:9/a.csv'")
    ended = place.run("run-all")
    assert ended.code == 3
    assert "The download of http://127.0.0.1:9/a.csv failed after 0 bytes" in ended.err
    assert "Traceback" not in ended.err


def test_a_bucket_of_another_account_is_refused_and_untouched(prepared, finished_once, workbench):
    with prepared.emulator() as emulator:
        emulator.store.create_bucket(workbench.BUCKET, region=workbench.REGION, owner="111111111111")
    ended = prepared.run("run-all", "--json")
    assert ended.code == 4
    assert f"Bucket {workbench.BUCKET} does not belong to account {workbench.ACCOUNT_ID}" in ended.json["error"]["what"]
    assert "bucket" in ended.json["error"]["hint"]
    with prepared.emulator() as emulator:
        assert emulator.store.list(workbench.BUCKET) == []
        emulator.store.delete_bucket(workbench.BUCKET)
    assert prepared.run("run-all").code == 0
    assert prepared.metrics() == finished_once.metrics()


def test_a_bucket_in_another_region_is_refused(prepared, workbench):
    with prepared.emulator() as emulator:
        emulator.store.create_bucket(workbench.BUCKET, region="eu-west-1")
    ended = prepared.run("run-all")
    assert ended.code == 4
    assert "eu-west-1" in ended.err
    assert "Next:" in ended.err


def test_a_foreign_training_job_of_the_same_name_is_refused_and_untouched(new_place, prepared_once, trained_once):
    place = new_place(like=prepared_once)
    assert place.run("run-all", "--until", "upload").code == 0
    (name,) = trained_once.names("training-job")  # a copy of the same run
    _plant_job(place, name)
    ended = place.run("run-all", "--json")
    assert ended.code == 4
    assert f"The name {name} is taken by a training job that this run did not make" in ended.json["error"]["what"]
    assert ended.json["billing"] == {"open": []}
    assert place.run("teardown").code == 0
    with place.emulator() as emulator:
        (job,) = emulator.services.resources.find("training-job")
    assert (job.name, job.status) == (name, "InProgress")


def test_a_foreign_endpoint_of_the_same_name_is_refused_and_untouched(trained, trained_once, workbench):
    assert trained.run("run-all", "--keep").code == 0
    (name,) = trained.names("endpoint")
    with trained.emulator() as emulator, emulator.state.transaction() as db:
        resources = emulator.services.resources
        for kind in ("endpoint", "endpoint-config", "model"):
            (found,) = resources.find(kind)
            resources.remove_tags(db, found.arn, list(resources.tags(found.arn)))
    ended = trained.run("run-all", "--force", "predict", "--json")
    assert ended.code == 4, ended.err
    assert f"The name {name} is taken by a model that this run did not make" in ended.json["error"]["what"]
    assert ended.json["billing"] == {"open": []}
    assert trained.run("teardown").code == 0
    assert [trained.names(kind) for kind in ("endpoint", "endpoint-config", "model")] == [[name]] * 3
    with trained.emulator() as emulator:
        emulator.reset()


def _plant_job(place, name):
    """A training job of somebody else's that has not ended: a row without our tags, whose worker is this process."""
    import os

    from asteroid_ll.emulator.processes import ProcessId
    from asteroid_ll.emulator.resources import TRAINING_JOB, Resource

    me = ProcessId.of(os.getpid())
    with place.emulator() as emulator:
        now_s = emulator.state.now()
        request = {
            "AlgorithmSpecification": {"TrainingImage": "somebody/elses:1", "TrainingInputMode": "File"},
            "RoleArn": "arn:aws:iam::000000000000:role/somebody",
            "OutputDataConfig": {"S3OutputPath": "s3://somebody/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        }
        body = {
            "request": request,
            "spawned_s": now_s,
            "secondary": "Training",
            "transitions": [],
            "worker": {"pid": me.pid, "started": me.started},
        }
        job = Resource(TRAINING_JOB, "us-east-1", name, "InProgress", now_s, now_s, body, 0)
        with emulator.state.transaction() as db:
            emulator.services.resources.save(db, job)
