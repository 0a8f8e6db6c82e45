"""Random walks over jobs, models, configurations, endpoints and tags agree with a model of a hundred lines."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.ledger import all_intervals
from asteroid_ll.linear_learner.images import image_uri

REGION = "us-west-2"
ROLE = "arn:aws:iam::000000000000:role/trainer"
CREATING_S, DELETING_S = 10, 5
NAMES = st.sampled_from(["a", "b"])
TAGS = st.dictionaries(st.sampled_from(["k", "l"]), st.sampled_from(["1", "2"]), max_size=2)
EXHAUSTIVE = os.environ.get("ASTEROID_LL_EXHAUSTIVE") == "1"


class Walk(RuleBasedStateMachine):
    """Calls of SageMaker, and what the account must then contain.

    ``jobs`` maps a name to its status. ``endpoints`` maps a name to ``[status, config, due_s]``. ``bill`` lists
    ``[resource, started_s, ended_s]`` in order.
    """

    front = sagemaker = loader = None

    def __init__(self):
        super().__init__()
        self.folder = TemporaryDirectory()
        self.clock = SimpleNamespace(s=1_700_000_000.0)
        self.account = Account(Path(self.folder.name) / "state", clock=lambda: self.clock.s, loader=self.loader)
        self.account.services.jobs.spawn = lambda _job: None  # the rules act for the workers
        self.account.configure(endpoint_creating_s=CREATING_S, endpoint_deleting_s=DELETING_S)
        self.account.store.create_bucket("rocks", region=REGION)
        self.account.store.put("rocks", "k", [b"weights"])
        self.front.emulator = self.account
        self.jobs, self.models, self.configs, self.endpoints, self.tags, self.bill = {}, set(), {}, {}, {}, []

    def teardown(self):
        self.account.close()
        self.folder.cleanup()

    @contextmanager
    def accepted(self, if_true):
        """Check that the call in the block is refused exactly if the model refuses it."""
        status = 200
        try:
            yield
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert status == (200 if if_true else 400)

    def close_bill(self, resource, ended_s):
        for interval in self.bill:
            if interval[0] == resource and interval[2] is None:
                interval[2] = ended_s

    @initialize()
    def a_model_and_its_configuration_exist(self):
        self.create_model("a", {})
        self.create_config("a", "a")

    @rule(seconds=st.sampled_from([1, 5, 10]))
    def time_passes(self, seconds):
        self.clock.s += seconds
        for name, (status, _config, due_s) in list(self.endpoints.items()):
            if due_s <= self.clock.s and status == "Creating":
                self.endpoints[name][0] = "InService"
            if due_s <= self.clock.s and status == "Deleting":
                del self.endpoints[name], self.tags["endpoint", name]

    @rule(name=NAMES, tags=TAGS)
    def create_job(self, name, tags):
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://rocks/k"}}
        with self.accepted(name not in self.jobs):
            self.sagemaker.create_training_job(
                TrainingJobName=name,
                RoleArn=ROLE,
                AlgorithmSpecification={"TrainingImage": image_uri(REGION), "TrainingInputMode": "File"},
                InputDataConfig=[{"ChannelName": "train", "DataSource": source}],
                OutputDataConfig={"S3OutputPath": "s3://rocks/out"},
                ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
                StoppingCondition={"MaxRuntimeInSeconds": 60},
                Tags=_listed(tags),
            )
        if name not in self.jobs:
            self.jobs[name], self.tags["training-job", name] = "InProgress", tags
            self.bill.append([f"training-job/{name}", self.clock.s, None])

    @precondition(lambda self: "InProgress" in self.jobs.values() or "Stopping" in self.jobs.values())
    @rule(name=NAMES, fails=st.booleans())
    def a_worker_ends(self, name, fails):
        job = self.account.services.jobs.get(REGION, name)
        if self.jobs.get(name) in ("InProgress", "Stopping"):
            if self.account.services.jobs.step(job, "Training"):
                self.bill = [
                    [resource, self.clock.s if resource == f"training-job/{name}" and ended is None else start, ended]
                    for resource, start, ended in self.bill
                ]
            started = "started_s" in self.account.services.jobs.get(REGION, name).body
            self.jobs[name] = "Stopped" if self.jobs[name] == "Stopping" else "Failed" if fails else "Completed"
            self.account.services.jobs.finish(job, self.jobs[name])
            billed = next(interval for interval in reversed(self.bill) if interval[0] == f"training-job/{name}")
            billed[2] = self.clock.s if started else billed[1]

    @rule(name=NAMES)
    def stop_job(self, name):
        with self.accepted(self.jobs.get(name) == "InProgress"):
            self.sagemaker.stop_training_job(TrainingJobName=name)
        if self.jobs.get(name) == "InProgress":
            self.jobs[name] = "Stopping"

    @rule(name=NAMES)
    def delete_job(self, name):
        with self.accepted(self.jobs.get(name) in ("Completed", "Failed", "Stopped")):
            self.sagemaker.delete_training_job(TrainingJobName=name)
        if self.jobs.get(name) in ("Completed", "Failed", "Stopped"):
            del self.jobs[name], self.tags["training-job", name]

    @rule(name=NAMES, tags=TAGS)
    def create_model(self, name, tags):
        container = {"Image": image_uri(REGION), "ModelDataUrl": "s3://rocks/k"}
        with self.accepted(name not in self.models):
            self.sagemaker.create_model(
                ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE, Tags=_listed(tags)
            )
        if name not in self.models:
            self.models.add(name)
            self.tags["model", name] = tags

    @rule(name=NAMES)
    def delete_model(self, name):
        with self.accepted(name in self.models):
            self.sagemaker.delete_model(ModelName=name)
        self.models.discard(name)
        self.tags.pop(("model", name), None)

    @rule(name=NAMES, model=NAMES)
    def create_config(self, name, model):
        variant = {"VariantName": "v", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        may = name not in self.configs and model in self.models
        with self.accepted(may):
            self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        if may:
            self.configs[name], self.tags["endpoint-config", name] = model, {}

    @rule(name=NAMES)
    def delete_config(self, name):
        may = name in self.configs
        with self.accepted(may):
            self.sagemaker.delete_endpoint_config(EndpointConfigName=name)
        if may:
            del self.configs[name], self.tags["endpoint-config", name]

    @rule(name=NAMES, config=NAMES, tags=TAGS)
    def create_endpoint(self, name, config, tags):
        may = name not in self.endpoints and self.configs.get(config) in self.models
        with self.accepted(may):
            self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config, Tags=_listed(tags))
        if may:
            self.endpoints[name] = ["Creating", config, self.clock.s + CREATING_S]
            self.tags["endpoint", name] = tags
            self.bill.append([f"endpoint/{name}", self.clock.s, None])

    @rule(name=NAMES)
    def delete_endpoint(self, name):
        status = self.endpoints.get(name, [""])[0]
        with self.accepted(status in ("InService", "Deleting")):
            self.sagemaker.delete_endpoint(EndpointName=name)
        if status == "InService":
            self.endpoints[name] = ["Deleting", self.endpoints[name][1], self.clock.s + DELETING_S]
            self.close_bill(f"endpoint/{name}", self.clock.s + DELETING_S)

    @rule(kind=st.sampled_from(["model", "endpoint", "training-job", "endpoint-config"]), name=NAMES, tags=TAGS)
    def change_tags(self, kind, name, tags):
        arn = f"arn:aws:sagemaker:{REGION}:000000000000:{kind}/{name}"
        with self.accepted((kind, name) in self.tags):
            self.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["k"])
            self.sagemaker.add_tags(ResourceArn=arn, Tags=_listed(tags or {"l": "1"}))
        if (kind, name) in self.tags:
            old = {key: text for key, text in self.tags[kind, name].items() if key != "k"}
            self.tags[kind, name] = {**old, **(tags or {"l": "1"})}

    @invariant()
    def the_account_is_the_model(self):
        listed = self.sagemaker.list_training_jobs()["TrainingJobSummaries"]
        assert {job["TrainingJobName"]: job["TrainingJobStatus"] for job in listed} == self.jobs
        assert {model["ModelName"] for model in self.sagemaker.list_models()["Models"]} == self.models
        configs = self.sagemaker.list_endpoint_configs()["EndpointConfigs"]
        assert {config["EndpointConfigName"] for config in configs} == self.configs.keys()
        endpoints = self.sagemaker.list_endpoints()["Endpoints"]
        statuses = {endpoint["EndpointName"]: endpoint["EndpointStatus"] for endpoint in endpoints}
        assert statuses == {name: status for name, (status, _, _) in self.endpoints.items()}
        for (kind, name), tags in self.tags.items():
            arn = f"arn:aws:sagemaker:{REGION}:000000000000:{kind}/{name}"
            assert {tag["Key"]: tag["Value"] for tag in self.sagemaker.list_tags(ResourceArn=arn)["Tags"]} == tags
        intervals = all_intervals(self.account.state)
        bill = [[one.arn.rpartition(":")[2], one.started_s, one.ended_s] for one in intervals]
        assert bill == self.bill


def _listed(tags):
    return [{"Key": key, "Value": text} for key, text in tags.items()]


@pytest.fixture
def walk(front, sagemaker, fake_scorer):
    """The walk over the session's clients."""
    return type("TheWalk", (Walk,), {"front": front, "sagemaker": sagemaker, "loader": front.loader})


def test_every_walk_agrees_with_the_model(walk, front):
    examples, steps = (500, 60) if EXHAUSTIVE else (10, 30)
    walks = settings(max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=not EXHAUSTIVE)
    run_state_machine_as_test(walk, settings=walks)
    front.emulator = None
