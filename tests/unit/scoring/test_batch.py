"""Scores of batch transform, against the emulator: one job per content, adopted again, nothing left."""

from __future__ import annotations

import numpy as np
import pytest

from asteroid_ll.aws import resources, storage
from asteroid_ll.aws.models import register_artifact
from asteroid_ll.aws.session import connect
from asteroid_ll.aws.tags import tags
from asteroid_ll.config import Config
from asteroid_ll.emulator.account import Account
from asteroid_ll.errors import AwsError
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.run.files import write_json
from asteroid_ll.run.journal import Journal
from asteroid_ll.scoring.batch import BatchRun, batch_scorer

ROWS = np.array([[1, 2], [-3, 0.5], [0, 0], [0.1, -0.7]], np.float32)
MODEL = Model("binary_classifier", "logistic", np.ones((2, 1), np.float32), np.zeros(1, np.float32), 0.5)


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """One account for all tests of this module."""
    state = tmp_path_factory.mktemp("account")
    with connect("emulator", region="us-east-1", emulator_dir=state) as aws:
        storage.ensure_bucket(aws, "artifacts")
        yield aws, state
    emulator = Account(state)
    emulator.reset()
    emulator.close()


@pytest.fixture
def run_in(account, tmp_path):
    """Make a run in a directory with a model."""
    aws, _ = account

    def make(model="m1", **predict):
        (tmp_path / "train").mkdir(exist_ok=True)
        MODEL.save(tmp_path / "train/model.tar.gz")
        write_json(tmp_path / "train/job.json", {"artifact": "s3://artifacts/model.tar.gz"})
        return BatchRun(
            connect=lambda: aws,
            directory=tmp_path,
            journal=Journal(tmp_path / "journal.jsonl"),
            config=Config(predict=predict),
            model=f"{model}-{tmp_path.name}",
            run="test-12345678",
            progress=lambda _line: None,
        )

    return make


def score(run, rows=ROWS):
    with batch_scorer(run) as scorer:
        return scorer(rows)


def jobs_of(run):
    records = run.journal.read().records
    return [record["resource"] for record in records if record.get("bills") == "transform-job"]


@pytest.mark.parametrize("content_type", ["text/csv", "application/x-recordio-protobuf"])
def test_the_scores_are_the_models_bits_and_nothing_stays_open(account, run_in, content_type):
    run = run_in(content_type=content_type)
    answer = score(run)
    expected = MODEL.predict(ROWS)
    assert answer.score.tobytes() == expected.score.tobytes()
    np.testing.assert_array_equal(answer.predicted_label, expected.predicted_label)
    assert run.journal.read().open_resources() == ()
    assert resources.list_named(account[0], "model") == []
    assert not list(run.directory.glob(".asteroid-ll-tmp-*"))


def test_the_same_rows_are_answered_by_the_same_job_until_its_output_is_lost(account, run_in):
    aws, _ = account
    run = run_in()
    first = score(run)
    assert score(run).score.tobytes() == first.score.tobytes()
    (name,) = set(jobs_of(run))
    bucket = run.config.bucket_name(aws.account_id)
    (key,) = [key for key, _ in storage.list_objects(aws, bucket, "asteroid-ll/") if f"{name}/" in key]
    for body, words in ((b'{"score": 0.5}\n', "gave 1 scores for 4 rows"), (b"<html>", "can't be read")):
        aws.s3.put_object(Bucket=bucket, Key=key, Body=body)
        with pytest.raises(AwsError, match=words):
            score(run)
    storage.delete_object(aws, bucket, key)
    assert score(run).score.tobytes() == first.score.tobytes()
    assert jobs_of(run)[-1] == f"{name}-2"


def test_a_failed_job_leaves_nothing_open_and_names_where_its_log_is(account, run_in):
    run = run_in()
    with pytest.raises(AwsError, match="failed: ClientError: See job logs") as failed:
        score(run, np.ones((2, 5), np.float32))
    assert "/aws/sagemaker/TransformJobs" in failed.value.hint
    (name,) = jobs_of(run)
    job = account[0].sagemaker.describe_transform_job(TransformJobName=name)
    (billed_s,) = [record["billed_s"] for record in run.journal.read().records if "billed_s" in record]
    assert billed_s == (job["TransformEndTime"] - job["TransformStartTime"]).total_seconds()
    assert run.journal.read().open_resources() == ()
    assert resources.list_named(account[0], "model") == []


def test_the_deployed_model_is_used_and_kept(account, run_in):
    aws, _ = account
    run = run_in()
    name = "asteroid-ll-deployed"
    artifact = run.directory / "train/model.tar.gz"
    run.journal.append("intent", stage="deploy", resource=name, bills="model")
    write_json(run.directory / "deploy/endpoint.json", {"name": name, "model": run.model})
    place = {"artifact": artifact, "artifact_s3_uri": "s3://artifacts/model.tar.gz"}
    role_arn, owned = run.config.execution_role_arn, tags(fingerprint="f", run=run.run)
    register_artifact(aws, name, **place, role_arn=role_arn, tags=owned)
    score(run)
    assert [model["ModelName"] for model in resources.list_named(aws, "model")] == [name]
    assert [record["resource"] for record in run.journal.read().open_resources()] == [name]
    resources.delete(aws, "model", name)
