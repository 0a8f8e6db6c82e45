"""The room's promises, kept by real botocore against the embedded emulator."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
import textwrap
import types
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from asteroid_ll.aws import billing, endpoints, jobs, logs, storage, tags, teardown
from asteroid_ll.aws.policy import Scope, caller_policy
from asteroid_ll.aws.session import Aws, connect
from asteroid_ll.emulator import ledger
from asteroid_ll.emulator.account import Account
from asteroid_ll.errors import AwsError, ConfigError, DataError
from asteroid_ll.linear_learner.images import image_uri

REGION = "us-east-1"
ROLE_ARN = "arn:aws:iam::000000000000:role/learner"
NAME = "asteroid-ll-abc"
OURS = tags.tags(fingerprint="abc", run="test")

CONTAINER = textwrap.dedent(
    """
    import json, pathlib, sys, time
    root = pathlib.Path(sys.argv[sys.argv.index("--root") + 1])
    wish = json.loads((root / "input/config/hyperparameters.json").read_text()).get("epochs")
    print("training", wish)
    if wish == "13":
        (root / "output/failure").write_text("ClientError: Unable to parse csv")
        sys.exit(1)
    while wish == "1000":
        time.sleep(0.01)
    (root / "model/model_algo-1").write_text("weights")
    """
)


@pytest.fixture
def directory(tmp_path: Path, loader: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An account whose training container is a stand-in that takes no time."""
    monkeypatch.setattr("botocore.loaders.create_loader", lambda _path: loader)
    program = tmp_path / "container.py"
    program.write_text(CONTAINER)
    emulator = Account(tmp_path / "state")
    emulator.configure(container_command=(sys.executable, str(program), "train"), stop_grace_s=0.1)
    emulator.close()
    return tmp_path / "state"


@pytest.fixture
def aws(directory: Path):
    with connect("emulator", region=REGION, emulator_dir=directory) as made:
        yield made
        for resource in billing.open_resources(made):
            if resource.kind == "training-job":
                jobs.stop_job(made, "training-job", resource.name)


@pytest.fixture
def calls(aws: Aws) -> list[str]:
    """The actions that were asked for, as permissions name them."""
    seen: list[str] = []
    services = {"SageMaker Runtime": "sagemaker", "CloudWatch Logs": "logs"}

    def note(model, **_: object) -> None:
        service_id = str(model.service_model.service_id)
        seen.append(f"{services.get(service_id, service_id.lower())}:{model.name}")

    for client in (aws.s3, aws.sagemaker, aws.runtime, aws.logs):
        client.meta.events.register("before-call", note)
    return seen


def request(*, epochs: str = "15", name: str = NAME, fingerprint: str = "abc") -> jobs.TrainingJobRequest:
    return jobs.TrainingJobRequest(
        name=name,
        image_uri=image_uri(REGION),
        role_arn=ROLE_ARN,
        hyperparameters={"predictor_type": "binary_classifier", "epochs": epochs},
        channels=[jobs.Channel("train", "s3://bucket-of-ours/p/train/", "text/csv", "FullyReplicated")],
        output_s3_uri="s3://bucket-of-ours/p/output",
        instance_type="ml.m5.large",
        instance_count=1,
        volume_size_gb=10,
        max_runtime_s=600,
        input_mode="File",
        tags=tags.tags(fingerprint=fingerprint),
    )


@pytest.fixture
def uploaded(aws: Aws, tmp_path: Path) -> Path:
    path = tmp_path / "train.csv"
    path.write_bytes(b"1,2,3\n")
    storage.ensure_bucket(aws, "bucket-of-ours")
    upload(aws, path)
    return path


def upload(aws: Aws, path: Path) -> str:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return storage.upload_file(aws, path, bucket="bucket-of-ours", key="p/train/part-0.csv", sha256=sha256)


def trained(aws: Aws) -> jobs.TrainingJob:
    jobs.create_or_adopt_training_job(aws, request())
    return jobs.wait_for_training_job(aws, NAME)


def new_model(aws: Aws, artifact_s3_uri: str) -> None:
    endpoints.create_or_adopt_model(
        aws, NAME, image_uri=image_uri(REGION), artifact_s3_uri=artifact_s3_uri, role_arn=ROLE_ARN, tags=OURS
    )


def deployed(aws: Aws, artifact_s3_uri: str) -> None:
    new_model(aws, artifact_s3_uri)
    endpoints.create_or_adopt_endpoint_config(
        aws,
        NAME,
        model_name=NAME,
        instance_type="ml.m5.large",
        instance_count=1,
        variant_name="AllTraffic",
        tags=OURS,
    )
    endpoints.create_or_adopt_endpoint(aws, NAME, config_name=NAME, tags=OURS)


def open_intervals(directory: Path) -> list[ledger.BilledInterval]:
    emulator = Account(directory)
    try:
        emulator.settle()
        return ledger.open_intervals(emulator.state)
    finally:
        emulator.close()


def test_the_users_own_aws_settings_do_not_reach_the_emulator(directory, monkeypatch, tmp_path):
    broken = tmp_path / "config"
    broken.write_text("[default\nthis is no configuration")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(broken))
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "mars-1")
    with connect("emulator", region=REGION, emulator_dir=directory) as aws:
        assert aws.account_id == "000000000000"
        assert storage.ensure_bucket(aws, "bucket-of-ours") == "created"


def test_a_bucket_is_created_in_the_regional_namespace_if_its_name_is_in_it(aws):
    name = f"rocks-{aws.account_id}-{aws.region}-an"
    assert storage.ensure_bucket(aws, name) == "created"
    assert storage.ensure_bucket(aws, name) == "exists"
    with pytest.raises(ConfigError, match=f"must end with -{aws.account_id}-{aws.region}-an"):
        storage.ensure_bucket(aws, f"rocks-123456789012-{aws.region}-an")


def test_a_bucket_is_created_once_and_content_is_sent_once(aws, uploaded):
    assert storage.ensure_bucket(aws, "bucket-of-ours") == "exists"
    assert upload(aws, uploaded) == "present"
    uploaded.write_bytes(b"1,2,4\n")
    assert upload(aws, uploaded) == "uploaded"


def test_a_bucket_in_another_region_is_refused(directory, aws, uploaded):
    with (
        connect("emulator", region="eu-west-1", emulator_dir=directory) as elsewhere,
        pytest.raises(AwsError, match="us-east-1"),
    ):
        storage.ensure_bucket(elsewhere, "bucket-of-ours")


def test_a_large_file_goes_up_in_parts_and_comes_back_the_same(aws, uploaded, tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "MULTIPART_THRESHOLD_BYTES", 5 * 1024 * 1024)
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(range(256)) * 4 * 1024 * 24)
    sha256 = hashlib.sha256(large.read_bytes()).hexdigest()
    where = {"bucket": "bucket-of-ours", "key": "p/large.bin"}
    assert storage.upload_file(aws, large, sha256=sha256, **where) == "uploaded"
    assert storage.upload_file(aws, large, sha256=sha256, **where) == "present"
    assert aws.s3.head_object(Bucket="bucket-of-ours", Key="p/large.bin")["ETag"].endswith('-2"')
    storage.download_file(aws, path=tmp_path / "back.bin", **where)
    assert hashlib.sha256((tmp_path / "back.bin").read_bytes()).hexdigest() == sha256


def test_a_job_trains_and_is_adopted_the_second_time(aws, uploaded, directory, tmp_path):
    steps: list[str] = []
    assert jobs.create_or_adopt_training_job(aws, request()) == "created"
    job = jobs.wait_for_training_job(aws, NAME, on_transition=lambda status, _message: steps.append(status))
    assert jobs.create_or_adopt_training_job(aws, request()) == "adopted"
    assert steps[0] == "Starting"
    assert steps[-1] == "Completed"
    assert len(steps) == len(set(steps))
    assert logs.read_job_log(aws, NAME) == ["training 15"]
    assert job.artifact_s3_uri == f"s3://bucket-of-ours/p/output/{NAME}/output/model.tar.gz"
    key = job.artifact_s3_uri.removeprefix("s3://bucket-of-ours/")
    assert storage.download_file(aws, bucket="bucket-of-ours", key=key, path=tmp_path / "model.tar.gz") > 0
    assert open_intervals(directory) == []


def test_a_failed_job_has_its_reason_and_uses_up_its_name(aws, uploaded):
    jobs.create_or_adopt_training_job(aws, request(epochs="13"))
    with pytest.raises(AwsError, match="ClientError: Unable to parse csv"):
        jobs.wait_for_training_job(aws, NAME)
    assert jobs.next_attempt(aws, NAME).name == f"{NAME}-2"


def test_a_job_of_other_content_under_our_name_is_refused(aws, uploaded):
    jobs.create_or_adopt_training_job(aws, request(fingerprint="other"))
    with pytest.raises(AwsError, match="left untouched"):
        jobs.create_or_adopt_training_job(aws, request())


def test_a_job_without_input_is_refused_in_the_words_of_aws(aws, uploaded):
    aws.s3.delete_object(Bucket="bucket-of-ours", Key="p/train/part-0.csv")
    with pytest.raises(AwsError, match="No S3 objects found under S3 URL"):
        jobs.create_or_adopt_training_job(aws, request())


def test_a_stopped_job_is_no_longer_billed_and_counts_as_a_failure(aws, uploaded, directory):
    jobs.create_or_adopt_training_job(aws, request(epochs="1000"))
    assert [resource.name for resource in billing.open_resources(aws)] == [NAME]
    assert teardown.find_leftovers(aws, NAME, kinds=["training-job"])[0].name == NAME
    assert jobs.stop_job(aws, "training-job", NAME) == "stopped"
    with pytest.raises(AwsError, match="was stopped"):
        jobs.wait_for_training_job(aws, NAME)
    assert jobs.stop_job(aws, "training-job", NAME) == "ended"
    assert jobs.stop_job(aws, "training-job", "asteroid-ll-none") == "absent"
    assert billing.open_resources(aws) == []
    assert open_intervals(directory) == []


def test_an_answer_that_comes_late_is_waited_for(aws, uploaded, directory):
    emulator = Account(directory)
    emulator.configure(invisible_polls=2)
    emulator.close()
    deployed(aws, trained(aws).artifact_s3_uri)
    assert len(teardown.delete_endpoint_stack(aws, NAME)) == 3


@pytest.mark.parametrize("invisible_polls", range(1, 5))
def test_what_aws_lists_and_does_not_know_yet_is_torn_down(aws, uploaded, directory, invisible_polls):
    artifact_s3_uri = trained(aws).artifact_s3_uri
    with closing(Account(directory)) as emulator:
        emulator.configure(invisible_polls=invisible_polls, endpoint_creating_s=0.1, stop_grace_s=0.1)
    deployed(aws, artifact_s3_uri)
    assert [item.kind for item in teardown.delete_endpoint_stack(aws, NAME)] == ["endpoint", "endpoint-config", "model"]
    new_model(aws, artifact_s3_uri)
    assert [item.kind for item in teardown.delete_endpoint_stack(aws, NAME)] == ["model"]
    assert teardown.find_leftovers(aws, NAME) == []
    jobs.create_or_adopt_training_job(aws, request(name="asteroid-ll-other", epochs="1000"))
    assert jobs.stop_job(aws, "training-job", "asteroid-ll-other") == "stopped"
    assert open_intervals(directory) == []


def test_an_artifact_that_is_not_a_model_fails_the_endpoint_which_is_then_deleted(aws, uploaded, directory):
    deployed(aws, trained(aws).artifact_s3_uri)
    with pytest.raises(AwsError, match="It has been deleted"):
        endpoints.wait_for_endpoint(aws, NAME)
    assert [item.kind for item in teardown.find_leftovers(aws, NAME)] == ["endpoint-config", "model"]
    assert [item.kind for item in teardown.delete_endpoint_stack(aws, NAME)] == ["endpoint-config", "model"]
    assert teardown.find_leftovers(aws, NAME) == []
    assert open_intervals(directory) == []


def test_a_model_without_our_tags_survives_our_teardown(aws, uploaded):
    artifact_s3_uri = trained(aws).artifact_s3_uri
    aws.sagemaker.create_model(
        ModelName=NAME,
        PrimaryContainer={"Image": image_uri(REGION), "ModelDataUrl": artifact_s3_uri},
        ExecutionRoleArn=ROLE_ARN,
    )
    with pytest.raises(AwsError, match="left untouched"):
        deployed(aws, artifact_s3_uri)
    assert teardown.delete_endpoint_stack(aws, NAME) == []
    assert aws.sagemaker.describe_model(ModelName=NAME)["ModelName"] == NAME


def test_an_endpoint_that_is_still_being_created_is_torn_down(aws, uploaded, directory):
    emulator = Account(directory)
    emulator.configure(endpoint_creating_s=0.1, endpoint_deleting_s=0.1)
    emulator.close()
    deployed(aws, trained(aws).artifact_s3_uri)
    assert [resource.kind for resource in billing.open_resources(aws)] == ["endpoint"]
    assert len(teardown.delete_endpoint_stack(aws, NAME)) == 3
    assert teardown.find_leftovers(aws, NAME) == []
    assert open_intervals(directory) == []


def test_linear_learner_trains_is_deployed_answers_and_is_gone(aws, uploaded, directory):
    emulator = Account(directory)
    emulator.configure(container_command=())
    emulator.close()
    uploaded.write_text("".join(f"{row % 2},{row % 2}.5,{row}\n" for row in range(200)))
    upload(aws, uploaded)
    small = {"predictor_type": "binary_classifier", "mini_batch_size": "20", "epochs": "3", "num_models": "1"}
    jobs.create_or_adopt_training_job(aws, dataclasses.replace(request(), hyperparameters=small))
    job = jobs.wait_for_training_job(aws, NAME)
    deployed(aws, job.artifact_s3_uri)
    endpoints.wait_for_endpoint(aws, NAME)
    assert billing.open_resources(aws)[0].status == "InService"
    answered = json.loads(
        endpoints.invoke(aws, NAME, b"0.5,10\n1.5,11\n", n_rows=2, content_type="text/csv", accept="application/json")
    )
    assert [sorted(row) for row in answered["predictions"]] == [["predicted_label", "score"]] * 2
    with pytest.raises(DataError, match="unable to evaluate payload"):
        endpoints.invoke(aws, NAME, b"1,2,3,4\n", n_rows=1, content_type="text/csv", accept="application/json")
    assert billing.open_resources(aws)[0].price_usd_per_h == pytest.approx(0.115)
    assert len(teardown.delete_endpoint_stack(aws, NAME)) == 3
    assert teardown.find_leftovers(aws, NAME) == []
    assert open_intervals(directory) == []


OPERATIONS = {
    "sts": ["GetCallerIdentity"],
    "s3": ["HeadBucket", "CreateBucket", "HeadObject", "PutObject", "GetObject"],
    "sagemaker": [
        *(f"Create{kind}" for kind in ("TrainingJob", "Model", "EndpointConfig", "Endpoint")),
        *(f"Describe{kind}" for kind in ("TrainingJob", "Model", "EndpointConfig", "Endpoint")),
        *(f"Delete{kind}" for kind in ("Model", "EndpointConfig", "Endpoint")),
        *(f"List{kind}" for kind in ("TrainingJobs", "Models", "EndpointConfigs", "Endpoints", "Tags")),
    ],
    "sagemaker-runtime": ["InvokeEndpoint"],
    "cloudwatch-logs": ["DescribeLogStreams", "GetLogEvents"],
}


@pytest.mark.parametrize(
    "fault",
    [
        "before:throttle",
        "before:500",
        "before:reset",
        "after:503",
        "after:reset",
        "after:read-timeout",
        "after:truncated",
    ],
)
def test_every_call_of_a_whole_run_fails_once_and_nothing_is_repeated_or_left(
    directory, tmp_path, monkeypatch, injector, fault
):
    # A cut answer of STS reaches botocore as a broken connection, which is another of these faults.
    services = OPERATIONS.keys() - ({"sts"} if fault == "after:truncated" else set())
    faults = [f"{service}:{name}:1:{fault}" for service in services for name in OPERATIONS[service]]
    injected = injector.Injector(injector.parse_faults(";".join(faults)))
    monkeypatch.setattr("asteroid_ll.emulator.transport.in_process.attach", injected.attach)
    monkeypatch.setattr("botocore.endpoint.time", types.SimpleNamespace(sleep=lambda _seconds: None))
    emulator = Account(directory)
    emulator.configure(container_command=(), endpoint_deleting_s=0.05)
    emulator.close()
    path = tmp_path / "train.csv"
    path.write_text("".join(f"{row % 2},{row % 2}.5,{row}\n" for row in range(200)))
    small = {"predictor_type": "binary_classifier", "mini_batch_size": "20", "epochs": "3", "num_models": "1"}
    with connect("emulator", region=REGION, emulator_dir=directory) as aws:
        storage.ensure_bucket(aws, "bucket-of-ours")
        upload(aws, path)
        outcome = jobs.create_or_adopt_training_job(aws, dataclasses.replace(request(), hyperparameters=small))
        assert outcome == ("adopted" if fault.startswith("after") else "created")
        job = jobs.wait_for_training_job(aws, NAME)
        assert len(logs.read_job_log(aws, NAME)) > 0
        key = job.artifact_s3_uri.removeprefix("s3://bucket-of-ours/")
        storage.download_file(aws, bucket="bucket-of-ours", key=key, path=tmp_path / "model.tar.gz")
        deployed(aws, job.artifact_s3_uri)
        endpoints.wait_for_endpoint(aws, NAME)
        assert endpoints.invoke(aws, NAME, b"0.5,10\n", n_rows=1, content_type="text/csv", accept="application/json")
        teardown.delete_endpoint_stack(aws, NAME)
        assert teardown.find_leftovers(aws, NAME, kinds=["endpoint", "endpoint-config", "model", "training-job"]) == []
        assert len(aws.sagemaker.list_training_jobs()["TrainingJobSummaries"]) == 1
    assert open_intervals(directory) == []


def test_invoking_a_missing_endpoint_is_refused(aws, uploaded):
    with pytest.raises(AwsError, match="not found"):
        endpoints.invoke(aws, "asteroid-ll-none", b"1\n", n_rows=1, content_type="text/csv", accept="application/json")


def test_the_policy_allows_every_call_of_the_package(aws, calls, uploaded):
    upload(aws, uploaded)
    job = trained(aws)
    logs.read_job_log(aws, NAME)
    jobs.create_or_adopt_training_job(aws, request())
    jobs.stop_job(aws, "training-job", NAME)
    deployed(aws, job.artifact_s3_uri)
    deployed(aws, job.artifact_s3_uri)
    billing.open_resources(aws)
    with pytest.raises((AwsError, DataError)):
        endpoints.invoke(aws, NAME, b"1\n", n_rows=1, content_type="text/csv", accept="application/json")
    teardown.delete_endpoint_stack(aws, NAME)
    teardown.find_leftovers(aws, NAME, kinds=["endpoint", "endpoint-config", "model", "training-job"])
    scope = Scope(
        bucket="bucket-of-ours",
        swept_bucket="bucket-of-ours",
        prefix="p",
        role_arn=ROLE_ARN,
        region=REGION,
        account_id="000000000000",
    )
    written = caller_policy(scope)
    allowed = {action for statement in written["Statement"] for action in statement["Action"]}
    # What S3 calls an operation and what it calls the permission differ.
    permissions = {"s3:HeadBucket": "s3:ListBucket", "s3:HeadObject": "s3:GetObject"}
    asked = {permissions.get(action, action) for action in calls}
    assert asked - allowed == set()
    assert len(asked) > 20
