"""Unreadable, lost and late answers over HTTP: no traceback, and nothing that bills is left without being reported.

A spread of the cases in the default suite, all of them with ``ASTEROID_LL_EXHAUSTIVE=1``.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import ExitStack

import pytest

from asteroid_ll import Emulator

EXHAUSTIVE = os.environ.get("ASTEROID_LL_EXHAUSTIVE") == "1"

CHECKS = ("GetRole", "SimulatePrincipalPolicy", "GetServiceQuota")
SETTINGS = ("GetBucketEncryption", "GetPublicAccessBlock")
"""What a run-all reads before it begins; the settings only of a bucket that exists."""

UNTIL_TRAINED = (
    "GetProducts",
    "GetCallerIdentity",
    *CHECKS,
    "ListBuckets",
    "HeadBucket",
    "CreateBucket",
    "HeadObject",
    "PutObject",
    "DescribeTrainingJob",
    "CreateTrainingJob",
    "GetObject",
    "DescribeLogStreams",
    "GetLogEvents",
    "ListEndpoints",
    "ListTrainingJobs",
    "ListTransformJobs",
    "ListProcessingJobs",
)
TEARDOWN = (
    "GetCallerIdentity",
    "ListTags",
    "DescribeEndpoint",
    "DeleteEndpoint",
    "ListEndpoints",
    "DescribeEndpointConfig",
    "DeleteEndpointConfig",
    "ListEndpointConfigs",
    "DescribeModel",
    "DeleteModel",
    "ListModels",
    "ListTrainingJobs",
    "ListTransformJobs",
    "ListProcessingJobs",
)
FROM_DEPLOY = (
    *CHECKS,
    "ListBuckets",
    "HeadBucket",
    *SETTINGS,
    "HeadObject",
    "CreateModel",
    "CreateEndpointConfig",
    "CreateEndpoint",
    "DescribeEndpoint",
    "InvokeEndpoint",
    *TEARDOWN,
    "DescribeTrainingJob",
)
STATUS = (
    "GetCallerIdentity",
    "ListEndpoints",
    "ListTrainingJobs",
    "ListTransformJobs",
    "ListProcessingJobs",
    "ListTags",
    "DescribeEndpoint",
    "DescribeEndpointConfig",
)
SWEEP = (
    *STATUS,
    "ListEndpointConfigs",
    "ListModels",
    "ListMultipartUploads",
    "ListObjectsV2",
    "DescribeLogGroups",
    "DescribeLogStreams",
    "DescribeTrainingJob",
    "DeleteEndpoint",
    "StopTrainingJob",
    "DeleteEndpointConfig",
    "DeleteModel",
    "AbortMultipartUpload",
    "DeleteObject",
    "DeleteLogStream",
)
OPERATIONS = {
    "run-all of everything": UNTIL_TRAINED,
    "run-all": tuple(dict.fromkeys(FROM_DEPLOY)),
    "teardown": TEARDOWN,
    "status": STATUS,
    "sweep": SWEEP,
}
KINDS = ("html", "empty", "not-utf8", "cut", "garbled", "reset", "delay")
ALL = [
    (command, operation, phase, kind, lasting)
    for command, operations in OPERATIONS.items()
    for operation in operations
    for phase in ("before", "after")
    for kind in KINDS
    for lasting in (True, False)
]
SPREAD = [
    ("run-all of everything", "GetCallerIdentity", "before", "html", True),
    ("run-all of everything", "CreateTrainingJob", "after", "not-utf8", True),
    ("run-all of everything", "GetRole", "before", "garbled", True),
    ("run-all", "SimulatePrincipalPolicy", "after", "not-utf8", True),
    ("run-all", "GetBucketEncryption", "before", "empty", True),
    ("run-all", "GetServiceQuota", "after", "cut", True),
    ("run-all", "CreateEndpoint", "after", "empty", True),
    ("run-all", "InvokeEndpoint", "before", "garbled", True),
    ("run-all", "DeleteEndpoint", "before", "empty", True),
    ("run-all", "ListTags", "after", "garbled", True),
    ("teardown", "DescribeEndpoint", "before", "html", True),
    ("teardown", "ListEndpoints", "after", "not-utf8", True),
    ("teardown", "DeleteModel", "before", "empty", True),
    ("teardown", "ListModels", "after", "cut", False),
    ("status", "ListTags", "before", "empty", True),
    ("status", "ListEndpoints", "after", "delay", True),
    ("sweep", "ListModels", "before", "empty", True),
    ("sweep", "StopTrainingJob", "after", "not-utf8", True),
]
EXPECTED = {0, 3, 4, 5, 6}
STACK = ("endpoint", "endpoint-config", "model")
OURS = [{"Key": "asteroid-ll", "Value": "owned"}, {"Key": "asteroid-ll:run", "Value": "elsewhere-1234"}]
SWEEP_ALL = ("sweep", "--all", "--yes", "--objects", "--logs", "--json")


class Served:
    """A place whose account is behind a proxy."""

    def __init__(self, place, proxy):
        self.place, self.proxy = place, proxy
        self.region = None

    def run(self, *line, rule=None):
        """Run a command with a rule in force."""
        self.proxy.rule = rule
        self.proxy.operations.clear()
        ended = self.place.run(*line, AWS_ENDPOINT_URL=self.proxy.url)
        self.proxy.rule = None
        return ended

    def remaining(self):
        """What is there, as an independent client lists it without the proxy."""
        s3, logs = self.region.s3, self.region.logs
        groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
        streams = [
            f"log {group}/{stream['logStreamName']}"
            for group in groups
            for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]
        ]
        objects = s3.list_objects_v2(Bucket=self.region.bucket).get("Contents", ())
        return self.region.names() + Counter(streams) + Counter(f"object {item['Key']}" for item in objects)


@pytest.fixture(scope="module")
def account_trained_once(account_training):
    """A place with ``target: aws`` after the training; copy it, never change it."""
    place, operations = account_training
    assert set(operations) == set(UNTIL_TRAINED)
    return place


@pytest.fixture
def serve(new_place, account_once, account_trained_once, fault_proxy, planting):
    """Makes a place for a command, with its proxy."""
    with ExitStack() as stack:

        def make(command):
            is_new = command == "run-all of everything"
            place = new_place(like=account_once if is_new else account_trained_once)
            served = Served(place, stack.enter_context(fault_proxy.in_front_of_emulator(place.state)))
            if command in ("teardown", "status", "sweep"):
                ended = served.run("run-all", "--keep")
                assert ended.code == 0, ended.err
            if command == "sweep":
                emulator = stack.enter_context(Emulator(place.state))
                emulator.configure(training_starting_s=3600.0, stop_grace_s=0.1)
                served.region = planting.Region(
                    emulator, "us-east-1", place.workdir / "train/model.tar.gz", key="asteroid-ll/planted"
                )
                served.region.job("asteroid-ll-job", OURS)
                served.region.upload("asteroid-ll/train/part-0.pbr")
            return served

        yield make


@pytest.mark.parametrize(
    ("line", "operations"),
    [(("run-all",), FROM_DEPLOY), (("teardown",), TEARDOWN), (("status",), STATUS), (SWEEP_ALL, SWEEP)],
    ids=["run-all", "teardown", "status", "sweep"],
)
def test_the_cases_are_every_operation_of_an_undisturbed_command(serve, line, operations):
    served = serve(line[0])
    assert served.run(*line).code == 0
    assert set(served.proxy.operations) == set(operations)
    assert served.run("teardown").code == 0


def cases(*commands):
    """The cases of commands: all of them, or the spread."""
    return [case for case in (ALL if EXHAUSTIVE else SPREAD) if case[0] in commands]


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    ("command", "operation", "phase", "kind", "lasting"),
    cases("run-all of everything", "run-all", "teardown", "status"),
)
def test_an_answer_that_cannot_be_read_ends_in_one_sentence_and_nothing_is_left_unreported(
    serve, fault_proxy, command, operation, phase, kind, lasting
):
    served = serve(command)
    place = served.place
    ended = served.run(command.split()[0], "--json", rule=fault_proxy.Rule(operation, phase, kind, lasting))
    envelope = envelope_of(ended, kind=kind, lasting=lasting)
    remaining = [name for stack_kind in STACK for name in place.names(stack_kind)]
    jobs = [name for name in place.names("training-job") if place.status_of("training-job", name) == "InProgress"]
    reported = json.dumps(envelope["billing"]["open"]) + json.dumps(envelope.get("error", ""))
    if command != "status":
        assert ended.code or not (remaining or jobs)
        assert all(name in reported for name in (*remaining, *jobs)), (remaining, jobs, reported)
    else:
        assert envelope["billing"]["open"] != []
    again = served.run("teardown", "--json")
    assert again.code == 0, again.err
    assert [place.names(stack_kind) for stack_kind in STACK] == [[], [], []]
    assert place.open_intervals() == []


@pytest.mark.parametrize(("command", "operation", "phase", "kind", "lasting"), cases("sweep"))
def test_a_sweep_whose_answers_cannot_be_read_names_what_is_left_and_the_next_one_deletes_it(
    serve, fault_proxy, command, operation, phase, kind, lasting
):
    served = serve(command)
    ended = served.run(*SWEEP_ALL, rule=fault_proxy.Rule(operation, phase, kind, lasting))
    envelope = envelope_of(ended, kind=kind, lasting=lasting)
    assert ended.code in (0, 6) or operation == "GetCallerIdentity", ended.err
    remaining = sorted(served.remaining())
    assert envelope["billing"]["open"] != [] or not served.place.open_intervals()
    if ended.code in (0, 6):
        named = envelope["error"]["what"] if ended.code else ""
        for resource_kind, name in map(str.split, remaining):
            assert f"{name} in us-east-1" in named or f"{resource_kind}s in us-east-1" in named, (remaining, named)
    again = served.run(*SWEEP_ALL)
    assert again.code == 0, again.err
    assert served.remaining() == Counter()
    assert served.place.open_intervals() == []


def envelope_of(ended, *, kind, lasting):
    """Check the end of a disturbed command; return its JSON object."""
    assert ended.code in EXPECTED, ended.err
    assert "Traceback" not in ended.out + ended.err
    if kind == "delay" or (not lasting and kind not in ("empty", "garbled")):
        assert ended.code == 0, ended.err
    return ended.json
