"""Unreadable, lost and late answers over HTTP: no traceback, and nothing that bills is left without being reported.

A spread of the cases in the default suite, all of them with ``ASTEROID_LL_EXHAUSTIVE=1``.
"""

from __future__ import annotations

import json
import os
from contextlib import ExitStack

import pytest

EXHAUSTIVE = os.environ.get("ASTEROID_LL_EXHAUSTIVE") == "1"

UNTIL_TRAINED = (
    "GetCallerIdentity",
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
)
FROM_DEPLOY = (
    "HeadObject",
    "CreateModel",
    "CreateEndpointConfig",
    "CreateEndpoint",
    "DescribeEndpoint",
    "InvokeEndpoint",
    *TEARDOWN,
)
STATUS = (
    "GetCallerIdentity",
    "ListEndpoints",
    "ListTrainingJobs",
    "ListTags",
    "DescribeEndpoint",
    "DescribeEndpointConfig",
)
CASES = [
    (command, operation)
    for command, operations in (
        ("run-all of everything", UNTIL_TRAINED),
        ("run-all", tuple(dict.fromkeys(FROM_DEPLOY))),
        ("teardown", TEARDOWN),
        ("status", STATUS),
    )
    for operation in operations
]
KINDS = ("html", "empty", "not-utf8", "cut", "garbled", "reset", "delay")
ALL = [
    (*case, phase, kind, lasting)
    for case in CASES
    for phase in ("before", "after")
    for kind in KINDS
    for lasting in (True, False)
]
SPREAD = [
    ("run-all of everything", "GetCallerIdentity", "before", "html", True),
    ("run-all of everything", "CreateTrainingJob", "after", "not-utf8", True),
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
]
EXPECTED = {0, 3, 4, 5, 6}
STACK = ("endpoint", "endpoint-config", "model")
ROLE = "arn:aws:iam::000000000000:role/asteroid-ll"


class Served:
    """A place whose account is behind a proxy."""

    def __init__(self, place, proxy):
        self.place, self.proxy = place, proxy

    def run(self, *line, rule=None):
        """Run a command with a rule in force."""
        self.proxy.rule = rule
        self.proxy.operations.clear()
        ended = self.place.run(*line, AWS_ENDPOINT_URL=self.proxy.url)
        self.proxy.rule = None
        return ended


@pytest.fixture(scope="module")
def account_once(workbench, zygote, tmp_path_factory):
    """A place with ``target: aws`` where everything before the upload is done; copy it, never change it."""
    folder = tmp_path_factory.mktemp("account")
    workbench.write_place(folder)
    place = workbench.Place(folder, zygote)
    place.edit("source:", f"target: aws\nrole_arn: {ROLE}\nsource:")
    ended = place.run("run-all", "--until", "encode")
    assert ended.code == 0, ended.err
    return place


@pytest.fixture(scope="module")
def account_trained_once(account_once, workbench, zygote, fault_proxy, tmp_path_factory):
    """The same after the training; copy it, never change it."""
    place = workbench.copy_of(account_once, tmp_path_factory.mktemp("account-trained") / "place", zygote)
    with fault_proxy.in_front_of_emulator(place.state) as proxy:
        served = Served(place, proxy)
        ended = served.run("run-all", "--until", "train")
        assert ended.code == 0, ended.err
        assert set(proxy.operations) == set(UNTIL_TRAINED)
    return place


@pytest.fixture
def serve(new_place, account_once, account_trained_once, fault_proxy):
    """Makes a place for a command, with its proxy."""
    with ExitStack() as stack:

        def make(command):
            is_new = command == "run-all of everything"
            place = new_place(like=account_once if is_new else account_trained_once)
            served = Served(place, stack.enter_context(fault_proxy.in_front_of_emulator(place.state)))
            if command in ("teardown", "status"):
                ended = served.run("run-all", "--keep")
                assert ended.code == 0, ended.err
            return served

        yield make


@pytest.mark.parametrize(
    ("command", "operations"), [("run-all", FROM_DEPLOY), ("teardown", TEARDOWN), ("status", STATUS)]
)
def test_the_cases_are_every_operation_of_an_undisturbed_command(serve, command, operations):
    served = serve(command)
    assert served.run(command).code == 0
    assert set(served.proxy.operations) == set(operations)
    assert served.run("teardown").code == 0


@pytest.mark.parametrize(("command", "operation", "phase", "kind", "lasting"), ALL if EXHAUSTIVE else SPREAD)
def test_an_answer_that_cannot_be_read_ends_in_one_sentence_and_nothing_is_left_unreported(
    serve, fault_proxy, command, operation, phase, kind, lasting
):
    served = serve(command)
    place = served.place
    ended = served.run(command.split()[0], "--json", rule=fault_proxy.Rule(operation, phase, kind, lasting))
    assert ended.code in EXPECTED, ended.err
    assert "Traceback" not in ended.out + ended.err
    envelope = json.loads(ended.out)
    if kind == "delay" or (not lasting and kind not in ("empty", "garbled")):
        assert ended.code == 0, ended.err
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
