"""The printed policies are sufficient and have nothing too much: with each action removed, a call names that action.

The emulator evaluates the policies. The cases come from the documents that `asteroid-ll iam` prints, so an action
without a case fails a test.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asteroid_ll import Emulator, LinearLearnerClassifier
from asteroid_ll.aws import endpoints, jobs, logs, price_list, processing, resources, storage, tags, teardown, transform
from asteroid_ll.aws.checks import quotas, roles, simulation
from asteroid_ll.aws.checks.buckets import bucket_checks
from asteroid_ll.aws.errors import aws_call
from asteroid_ll.aws.job_request import Channel, TrainingJobRequest, create_body
from asteroid_ll.aws.policy import Document, Scope, caller_policy, role_policy
from asteroid_ll.aws.session import Aws, connect
from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.iam.evaluation import Principal, decide
from asteroid_ll.emulator.iam.setup import Policies
from asteroid_ll.emulator.iam.store import aws_policy
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.worker.log import ENDPOINT_GROUP_PREFIX, TRAINING_GROUP, LogStore
from asteroid_ll.errors import AsteroidError, AwsError
from asteroid_ll.linear_learner.images import image_uri
from asteroid_ll.processing_container import CODE, ENTRYPOINT, RUN, local_path
from asteroid_ll.processing_images import default_image

REGION, ACCOUNT_ID = "us-east-1", "000000000000"
BUCKET = f"sagemaker-{REGION}-{ACCOUNT_ID}-asteroid-ll"
SCOPE = Scope(
    bucket=BUCKET,
    swept_bucket=BUCKET.replace(REGION, "*"),
    prefix="asteroid-ll",
    role_arn=f"arn:aws:iam::{ACCOUNT_ID}:role/asteroid-ll",
    region=REGION,
    account_id=ACCOUNT_ID,
    processing_image=default_image(REGION),
)
IN_JOBS = "--set stages.where=processing"
CALLER, ROLE = caller_policy(SCOPE), role_policy(SCOPE)
NAME, NEW, QUIET = "asteroid-ll-live", "asteroid-ll-new", "asteroid-ll-without-a-log"
KEY = "asteroid-ll/train/part-0.csv"
MODEL_KEY = "asteroid-ll/output/model.tar.gz"
OURS = tags.tags(fingerprint="abc", run="test")
NAMED = re.compile(r"\b[a-z0-9-]+:[A-Z]\w+")


def without(document: Document, action: str) -> Document:
    """The document without an action; a statement that has no other goes."""
    statements = [
        {**statement, "Action": [name for name in statement["Action"] if name != action]}
        for statement in document["Statement"]
    ]
    return {**document, "Statement": [statement for statement in statements if statement["Action"]]}


def actions(document: Document) -> list[str]:
    return sorted({action for statement in document["Statement"] for action in statement["Action"]})


def job_request(name: str = NEW) -> TrainingJobRequest:
    return TrainingJobRequest(
        name=name,
        image_uri=image_uri(REGION),
        role_arn=SCOPE.role_arn,
        hyperparameters={"predictor_type": "binary_classifier", "mini_batch_size": "10", "epochs": "1"},
        channels=[Channel("train", f"s3://{BUCKET}/asteroid-ll/train/", "text/csv", "FullyReplicated")],
        output_s3_uri=f"s3://{BUCKET}/asteroid-ll/output",
        instance_type="ml.m5.large",
        instance_count=1,
        volume_size_gb=10,
        max_runtime_s=600,
        input_mode="File",
        tags=OURS,
    )


def transform_request(name: str) -> transform.TransformJobRequest:
    return transform.TransformJobRequest(
        name=name,
        model_name=NAME,
        input_s3_uri=f"s3://{BUCKET}/{KEY}",
        content_type="text/csv",
        output_s3_uri=f"s3://{BUCKET}/asteroid-ll/scores/",
        accept="application/jsonlines",
        instance_type="ml.m5.large",
        instance_count=1,
        tags=OURS,
    )


def processing_request(name: str) -> processing.ProcessingJobRequest:
    return processing.ProcessingJobRequest(
        name=name,
        image_uri=default_image(REGION),
        entrypoint=ENTRYPOINT,
        role_arn=SCOPE.role_arn,
        inputs=[processing.ProcessingFolder("code", f"s3://{BUCKET}/asteroid-ll/code/", local_path(CODE))],
        output=processing.ProcessingFolder("clean", f"s3://{BUCKET}/asteroid-ll/out/", local_path(f"{RUN}/clean")),
        instance_type="ml.m5.xlarge",
        instance_count=1,
        volume_size_gb=1,
        max_runtime_s=600,
        tags=OURS,
    )


def create_model(aws: Aws, name: str) -> None:
    endpoints.create_or_adopt_model(
        aws,
        name,
        image_uri=image_uri(REGION),
        artifact_s3_uri=f"s3://{BUCKET}/{MODEL_KEY}",
        role_arn=SCOPE.role_arn,
        tags=OURS,
    )


def create_config(aws: Aws, name: str) -> None:
    endpoints.create_or_adopt_endpoint_config(
        aws, name, model_name=NAME, instance_type="ml.m5.large", instance_count=1, variant_name="a", tags=OURS
    )


def create_endpoint(aws: Aws, name: str) -> None:
    endpoints.create_or_adopt_endpoint(aws, name, config_name=NAME, tags=OURS)
    endpoints.wait_for_endpoint(aws, name)


def upload(aws: Aws, path: Path, key: str) -> None:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    storage.upload_file(aws, path, bucket=BUCKET, key=key, sha256=sha256)


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("artifact") / "model.tar.gz"
    learner = LinearLearnerClassifier(epochs=1, num_models=1, mini_batch_size=4)
    learner.fit(np.array([[0.0], [1.0]] * 4), np.array([0, 1] * 4)).to_artifact(path)
    return path


@pytest.fixture(scope="session")
def account(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account that evaluates policies, with one of each resource. No case changes it: each is denied something."""
    folder = tmp_path_factory.mktemp("iam")
    rows = folder / "rows.csv"
    rows.write_text("0,0\n1,1\n" * 50, "utf-8")
    account = Account(folder / "state")
    Policies.read(role=[ROLE]).apply(account.state)
    with connect("emulator", region=REGION, emulator_dir=account.directory) as root:
        storage.ensure_bucket(root, BUCKET)
        for path, key in ((rows, KEY), (artifact, MODEL_KEY)):
            upload(root, path, key)
        root.s3.create_multipart_upload(Bucket=BUCKET, Key="asteroid-ll/large")
        create_model(root, NAME)
        create_config(root, NAME)
        for name in (NAME, QUIET):
            create_endpoint(root, name)
    request = {**create_body(job_request(NAME)), "Tags": []}
    job = account.services.jobs.new(REGION, NAME, request=request, tags=OURS)
    account.services.jobs.finish(job, "Completed")
    request = {**transform._create_body(transform_request(NAME)), "Tags": []}
    scores = account.services.transforms.new(REGION, NAME, request=request, tags=OURS)
    account.services.transforms.finish(scores, "Completed")
    stage = account.services.processings.new(
        REGION, NAME, request=processing._create_body(processing_request(NAME)), tags=OURS
    )
    account.services.processings.finish(stage, "Failed")
    for group, stream in ((TRAINING_GROUP, f"{NAME}/algo-1-1"), (ENDPOINT_GROUP_PREFIX + NAME, "a/i-1")):
        LogStore(account.state).append(REGION, group, stream, lines=[(time.time(), "a line")])
    yield account
    account.close()


def read_prices(aws: Aws) -> None:
    price_list.read_prices(aws, [("Training", "ml.m5.large")], today="2026-11-30")


def check_bucket(aws: Aws) -> None:
    """Fail with what a check of the bucket may not read."""
    for check in bucket_checks(aws, SCOPE):
        if check.status == "unchecked":
            raise AwsError(check.fact)


Case = Callable[[Aws], object]
OF_CALLER: dict[str, Case] = {
    "iam:GetRole": lambda aws: roles.find_role(aws, "asteroid-ll"),
    "iam:PassRole": lambda aws: create_model(aws, NEW),
    "iam:SimulatePrincipalPolicy": lambda aws: simulation.denied(aws, SCOPE.role_arn, ROLE["Statement"]),
    "logs:DeleteLogGroup": lambda aws: logs.delete_log(aws, logs.Log(ENDPOINT_GROUP_PREFIX + NAME, "", 0.0)),
    "logs:DeleteLogStream": lambda aws: logs.delete_log(aws, logs.Log(TRAINING_GROUP, f"{NAME}/algo-1-1", 0.0)),
    "logs:DescribeLogGroups": lambda aws: logs.list_logs(aws, "asteroid-ll-"),
    "logs:DescribeLogStreams": lambda aws: logs.read_job_log(aws, NAME),
    "logs:GetLogEvents": lambda aws: logs.read_job_log(aws, NAME),
    "pricing:GetProducts": read_prices,
    "s3:AbortMultipartUpload": lambda aws: [
        storage.abort_upload(aws, BUCKET, item) for item in storage.list_uploads(aws, BUCKET, "asteroid-ll/")
    ],
    "s3:CreateBucket": lambda aws: storage._create_bucket(aws, BUCKET),
    "s3:DeleteObject": lambda aws: storage.delete_object(aws, BUCKET, KEY),
    "s3:GetBucketPublicAccessBlock": check_bucket,
    "s3:GetEncryptionConfiguration": check_bucket,
    "s3:GetObject": lambda aws: storage.download_file(aws, bucket=BUCKET, key=KEY, path=Path("/dev/null")),
    "s3:ListBucket": lambda aws: storage.list_objects(aws, BUCKET, "asteroid-ll/"),
    "s3:ListBucketMultipartUploads": lambda aws: storage.list_uploads(aws, BUCKET, "asteroid-ll/"),
    "s3:PutObject": lambda aws: upload(aws, Path(__file__), "asteroid-ll/other"),
    "sagemaker:AddTags": lambda aws: create_model(aws, NEW),
    "sagemaker:CreateEndpoint": lambda aws: create_endpoint(aws, NEW),
    "sagemaker:CreateEndpointConfig": lambda aws: create_config(aws, NEW),
    "sagemaker:CreateModel": lambda aws: create_model(aws, NEW),
    "sagemaker:CreateProcessingJob": lambda aws: processing.create_or_adopt_processing_job(
        aws, processing_request(NEW)
    ),
    "sagemaker:CreateTrainingJob": lambda aws: jobs.create_or_adopt_training_job(aws, job_request()),
    "sagemaker:CreateTransformJob": lambda aws: transform.create_or_adopt_transform_job(aws, transform_request(NEW)),
    "sagemaker:DeleteEndpoint": lambda aws: endpoints.delete_endpoint(aws, NAME),
    "sagemaker:DeleteEndpointConfig": lambda aws: resources.delete(aws, "endpoint-config", NAME),
    "sagemaker:DeleteModel": lambda aws: resources.delete(aws, "model", NAME),
    "sagemaker:DescribeEndpoint": lambda aws: endpoints.wait_for_endpoint(aws, NAME),
    "sagemaker:DescribeEndpointConfig": lambda aws: create_config(aws, NAME),
    "sagemaker:DescribeModel": lambda aws: create_model(aws, NAME),
    "sagemaker:DescribeProcessingJob": lambda aws: processing.usable_processing_job_name(aws, NAME),
    "sagemaker:DescribeTrainingJob": lambda aws: jobs.wait_for_training_job(aws, NAME),
    "sagemaker:DescribeTransformJob": lambda aws: transform.usable_transform_job_name(aws, NAME),
    "sagemaker:InvokeEndpoint": lambda aws: endpoints.invoke(
        aws, NAME, b"1", n_rows=1, content_type="text/csv", accept="text/csv"
    ),
    "sagemaker:ListEndpointConfigs": lambda aws: resources.find(aws, "endpoint-config", NEW),
    "sagemaker:ListEndpoints": lambda aws: resources.find(aws, "endpoint", NEW),
    "sagemaker:ListModels": lambda aws: resources.find(aws, "model", NEW),
    "sagemaker:ListProcessingJobs": lambda aws: resources.find(aws, "processing-job", NEW),
    "sagemaker:ListTags": lambda aws: teardown.delete_endpoint_stack(aws, NAME),
    "sagemaker:ListTrainingJobs": lambda aws: resources.find(aws, "training-job", NEW),
    "sagemaker:ListTransformJobs": lambda aws: resources.find(aws, "transform-job", NEW),
    "sagemaker:StopProcessingJob": lambda aws: request_stop(aws, "processing-job"),
    "sagemaker:StopTransformJob": lambda aws: request_stop(aws, "transform-job"),
    "sagemaker:StopTrainingJob": lambda aws: request_stop(aws, "training-job"),
    "servicequotas:GetAWSDefaultServiceQuota": lambda aws: quotas.default_value(aws, "L-611FA074"),
    "servicequotas:GetServiceQuota": lambda aws: quotas.read_quotas(aws, ["ml.m5.large for endpoint usage"]),
    "servicequotas:ListServiceQuotas": lambda aws: quotas.read_quotas(aws, ["ml.c5.large for endpoint usage"]),
}
"""A call that needs the action, for each action of the caller."""


def request_stop(aws: Aws, kind: resources.JobKind) -> None:
    """Ask for the stop of a job that has ended, which `jobs.stop_job` does not."""
    with aws_call("stopping a job"):
        resources.request_stop(aws, kind, NAME)


def run_job(aws: Aws, name: str) -> jobs.TrainingJob:
    jobs.create_or_adopt_training_job(aws, job_request(name))
    return jobs.wait_for_training_job(aws, name)


def invoke_wrongly(aws: Aws) -> None:
    """Make the container of an endpoint write a line into its log."""
    endpoints.invoke(aws, QUIET, b"1,2,3", n_rows=1, content_type="text/csv", accept="text/csv")


OF_ROLE: dict[str, Case] = {
    "cloudwatch:PutMetricData": lambda aws: run_job(aws, "asteroid-ll-without-metrics"),
    "ecr:BatchCheckLayerAvailability": lambda aws: create_endpoint(aws, NEW),
    "ecr:BatchGetImage": lambda aws: create_endpoint(aws, NEW),
    "ecr:GetAuthorizationToken": lambda aws: create_endpoint(aws, NEW),
    "ecr:GetDownloadUrlForLayer": lambda aws: create_endpoint(aws, NEW),
    "logs:CreateLogGroup": invoke_wrongly,
    "logs:CreateLogStream": invoke_wrongly,
    "logs:DescribeLogStreams": invoke_wrongly,
    "logs:PutLogEvents": invoke_wrongly,
    "s3:GetObject": lambda aws: create_model(aws, NEW),
    "s3:ListBucket": lambda aws: jobs.create_or_adopt_training_job(aws, job_request()),
    "s3:PutObject": lambda aws: run_job(aws, "asteroid-ll-without-artifact"),
}
"""The same for each action of the execution role."""

SILENT = {"cloudwatch:PutMetricData", *(action for action in OF_ROLE if action.startswith("logs:"))}
"""Without these AWS says nothing: the job or the endpoint works, and has no metrics or no log."""


def outcome(account: Account, case: Case) -> str:
    """The message of a case's failure; empty if there is none."""
    with connect("emulator", region=REGION, emulator_dir=account.directory) as aws:
        try:
            case(aws)
        except AsteroidError as error:
            return f"{error.what} {error.hint}"
    return ""


def case_of(cases: dict[str, Case], action: str) -> Case:
    if action not in cases:
        pytest.fail(f"The printed policy has {action}: add a call that fails without it to this file.")
    return cases[action]


def test_every_case_is_about_an_action_of_the_printed_policies():
    assert set(OF_CALLER) - set(actions(CALLER)) == set()
    assert set(OF_ROLE) - set(actions(ROLE)) == set()


@pytest.mark.parametrize("action", actions(CALLER))
def test_without_an_action_of_the_caller_a_call_names_it_and_nothing_else(account, action):
    Policies.read(caller=[without(CALLER, action)], role=[ROLE]).apply(account.state)
    message = outcome(account, case_of(OF_CALLER, action))
    assert set(NAMED.findall(message)) == {action}, message


@pytest.mark.parametrize("action", actions(ROLE))
def test_without_an_action_of_the_execution_role_a_job_or_an_endpoint_names_it(account, action):
    Policies.read(caller=[CALLER], role=[without(ROLE, action)]).apply(account.state)
    log = account.directory / "emulator.log"
    log.unlink(missing_ok=True)
    message = outcome(account, case_of(OF_ROLE, action))
    if action in SILENT:
        assert action not in message
        message = log.read_text("utf-8")
    assert set(NAMED.findall(message)) - {"sts:AssumeRole"} == {action}, message


def test_full_access_of_sagemaker_covers_the_execution_role_in_the_default_bucket():
    full = json.loads(aws_policy("arn:aws:iam::aws:policy/AmazonSageMakerFullAccess").body["document"])
    role = Principal(arn=SCOPE.role_arn, user_id="", identity_policies=(full,))
    for statement in ROLE["Statement"]:
        for action, resource in itertools.product(statement["Action"], statement["Resource"]):
            assert decide(action=action, resource=resource, context={}, principal=role).allowed, (action, resource)


class Restricted:
    """A place with ``target: aws`` in front of a served emulator that evaluates policies."""

    def __init__(self, place: Any, emulator: Emulator, url: str, planting: Any) -> None:
        self.place, self.emulator, self._url, self._planting = place, emulator, url, planting

    def run(self, line: str) -> Any:
        return self.place.run(*line.split(), AWS_ENDPOINT_URL=self._url)

    def apply(self, caller: Document, role: Document) -> None:
        with closing(State(self.emulator.directory)) as state:
            Policies.read(caller=[caller], role=[role]).apply(state)

    def plant(self, artifact: Path) -> None:
        """Leave resources of a lost run, as the account's root user."""
        self.emulator.configure(caller_arn="", training_starting_s=3600.0, stop_grace_s=0.1)
        region = self._planting.Region(self.emulator, REGION, artifact, key="asteroid-ll/planted", bucket=BUCKET)
        owned = [{"Key": key, "Value": value} for key, value in OURS.items()]
        region.endpoint("asteroid-ll-planted", owned)
        region.job("asteroid-ll-planted", owned)
        region.processing_job("asteroid-ll-planted", owned)
        region.upload("asteroid-ll/large")
        body = transform._create_body(transform_request("asteroid-ll-planted"))
        sagemaker = self.emulator.session(REGION).client("sagemaker")
        sagemaker.create_transform_job(**{**body, "ModelName": "asteroid-ll-planted"})
        with closing(State(self.emulator.directory)) as state:
            for group in (TRAINING_GROUP, ENDPOINT_GROUP_PREFIX + "asteroid-ll-planted"):
                LogStore(state).append(REGION, group, "asteroid-ll-planted/a", lines=[(time.time(), "a line")])

    def commands(
        self, artifact: Path, *, caller: Document, role: Document, first: Sequence[str] = ()
    ) -> Iterator[tuple[str, Any]]:
        """Run the commands that talk to AWS; yield each with its end."""
        self.apply(caller, role)
        for line in (*first, "run-all --keep", "predict --batch --force", "doctor", "status", "teardown"):
            yield line, self.run(line)
        self.plant(artifact)
        self.apply(caller, role)
        sweep = f"sweep --all --yes --objects --logs --region {REGION}"
        yield sweep, self.run(sweep)

    def must_succeed(self, artifact: Path, *, caller: Document, role: Document, first: Sequence[str] = ()) -> None:
        """Run the commands; each must end well, and nothing may be billed at the end."""
        for line, ended in self.commands(artifact, caller=caller, role=role, first=first):
            assert ended.code == 0, (line, ended.err)
            assert "denied" not in ended.err
        assert self.emulator.ledger()
        assert not [interval for interval in self.emulator.ledger() if interval.ended_s is None]


@pytest.fixture
def restricted(account_once: Any, new_place: Any, planting: Any) -> Iterator[Restricted]:
    place = new_place(like=account_once)
    with Emulator(place.state) as emulator, emulator.serve() as url:
        yield Restricted(place, emulator, url, planting)


def test_the_printed_policies_are_sufficient_for_every_command(restricted, artifact):
    caller, role = (json.loads(restricted.run(f"iam {name}").out) for name in ("caller-policy", "role-policy"))
    local = replace(SCOPE, processing_image=None)
    assert (caller, role) == (caller_policy(local), role_policy(local))
    restricted.must_succeed(artifact, caller=caller, role=role)
    assert "denied sagemaker:CreateProcessingJob" in restricted.run(f"clean --force {IN_JOBS}").err


@pytest.mark.skipif(
    os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1", reason="starts jobs; ASTEROID_LL_EXHAUSTIVE=1 runs it"
)
def test_the_policies_of_a_configuration_with_processing_jobs_are_sufficient_for_them(restricted, artifact):
    documents = (restricted.run(f"iam {name} {IN_JOBS}").out for name in ("caller-policy", "role-policy"))
    caller, role = map(json.loads, documents)
    assert (caller, role) == (CALLER, ROLE)
    first = [f"{command} {IN_JOBS}" for command in ("doctor", "clean --force --logs", "encode --force --logs")]
    restricted.must_succeed(artifact, caller=caller, role=role, first=first)
    assert [interval.kind for interval in restricted.emulator.ledger()].count("processing") == 3  # one was planted
    log = restricted.place.state / "emulator.log"
    assert "has no log" not in (log.read_text("utf-8") if log.exists() else "")


RARE = {
    *("servicequotas:ListServiceQuotas", "servicequotas:GetAWSDefaultServiceQuota"),
    "sagemaker:CreateProcessingJob",
}
"""Only an instance type that is not a default, a quota that is too low, and a stage that runs as a job need them."""

EVERY = sorted(
    [("caller", a) for a in OF_CALLER if a not in RARE] + [("role", a) for a in OF_ROLE],
    key=lambda x: x[1] != "s3:CreateBucket",
)


@pytest.mark.one_in(len(EVERY))
@pytest.mark.parametrize(("of", "action"), EVERY)
def test_without_an_action_some_command_names_it(restricted, artifact, of, action):
    caller = without(CALLER, action) if of == "caller" else CALLER
    role = without(ROLE, action) if of == "role" else ROLE
    texts = []
    for _, ended in restricted.commands(artifact, caller=caller, role=role):
        texts.append(ended.out + ended.err)
        if action in texts[-1]:
            return
    log = restricted.place.state / "emulator.log"
    assert of == "role", texts
    assert action in SILENT, texts
    assert action in log.read_text("utf-8"), texts
