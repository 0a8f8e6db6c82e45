"""The printed policies are sufficient for every command, and have nothing too much. The emulator evaluates them."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asteroid_ll import Emulator, LinearLearnerClassifier
from asteroid_ll.aws import tags
from asteroid_ll.aws.policy import Document, Scope, caller_policy, role_policy
from asteroid_ll.emulator.iam.evaluation import Principal, decide
from asteroid_ll.emulator.iam.permissions import Permissions
from asteroid_ll.emulator.iam.setup import Policies
from asteroid_ll.emulator.iam.store import aws_policy
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.worker.log import ENDPOINT_GROUP_PREFIX, TRAINING_GROUP, LogStore
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
OURS = tags.tags(fingerprint="abc", run="test")
RARE = {"servicequotas:ListServiceQuotas", "servicequotas:GetAWSDefaultServiceQuota"}
"""Only an instance type that is not a default, and a quota that is too low, need them."""
SILENT = {"cloudwatch:PutMetricData", *(f"logs:{name}" for name in ("CreateLogGroup", "CreateLogStream"))}
SILENT |= {"logs:DescribeLogStreams", "logs:PutLogEvents"}
"""Without these AWS says nothing: the job or the endpoint works, and has no metrics or no log."""


def without(document: Document, action: str) -> Document:
    """The document without an action; a statement that has no other goes."""
    statements = [
        {**statement, "Action": [name for name in statement["Action"] if name != action]}
        for statement in document["Statement"]
    ]
    return {**document, "Statement": [statement for statement in statements if statement["Action"]]}


def actions(document: Document) -> list[str]:
    return sorted({action for statement in document["Statement"] for action in statement["Action"]})


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("artifact") / "model.tar.gz"
    learner = LinearLearnerClassifier(epochs=1, num_models=1, mini_batch_size=4)
    learner.fit(np.array([[0.0], [1.0]] * 4), np.array([0, 1] * 4)).to_artifact(path)
    return path


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
        sagemaker = self.emulator.session(REGION).client("sagemaker")
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/asteroid-ll/planted"}}
        sagemaker.create_transform_job(
            TransformJobName="asteroid-ll-planted",
            ModelName="asteroid-ll-planted",
            TransformInput={"DataSource": source},
            TransformOutput={"S3OutputPath": f"s3://{BUCKET}/asteroid-ll/scores/"},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
            Tags=owned,
        )
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


def test_the_printed_policies_are_sufficient_for_every_command_and_the_callers_has_nothing_too_much(
    restricted, artifact, monkeypatch
):
    caller, role = (json.loads(restricted.run(f"iam {name}").out) for name in ("caller-policy", "role-policy"))
    local = replace(SCOPE, processing_image=None)
    assert (caller, role) == (caller_policy(local), role_policy(local))
    needed, denial = set(), Permissions.denial

    def record(permissions, need):
        denied = denial(permissions, need)
        if not denied and permissions.principal.arn.endswith(":user/emulator"):
            needed.add(need.action)
        return denied

    monkeypatch.setattr(Permissions, "denial", record)
    restricted.must_succeed(artifact, caller=caller, role=role)
    assert needed == set(actions(caller)) - RARE
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


@pytest.mark.one_in(12)
@pytest.mark.parametrize("action", actions(ROLE))
def test_without_an_action_of_the_execution_role_a_command_or_the_log_names_it(restricted, artifact, action):
    texts = []
    for _, ended in restricted.commands(artifact, caller=CALLER, role=without(ROLE, action)):
        texts.append(ended.out + ended.err)
        if action in texts[-1]:
            return
    assert action in SILENT, texts
    assert action in (restricted.place.state / "emulator.log").read_text("utf-8"), texts


def test_without_the_right_to_pass_the_role_the_command_names_it(restricted):
    restricted.apply(without(CALLER, "iam:PassRole"), ROLE)
    ended = restricted.run("run-all --until train")
    assert ended.code == 4
    assert "iam:PassRole" in ended.err
