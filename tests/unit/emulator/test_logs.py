"""CloudWatch Logs reads what jobs and endpoints wrote, in pages, with AWS's tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asteroid_ll.emulator.logs import LogsCall, get_events
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.worker.log import LogStore

GROUP, STREAM = "/aws/sagemaker/TrainingJobs", "job/algo-1-1"


@pytest.fixture
def logs(client_of):
    return client_of("logs")


@pytest.fixture
def write(virtual):
    store = LogStore(virtual.state)

    def lines(*texts, group=GROUP, stream=STREAM, at_s=1_700_000_000.0):
        store.append("us-west-2", group, stream, lines=[(at_s + i, text) for i, text in enumerate(texts)])

    return lines


def test_a_stream_is_followed_forward_until_the_token_stays_the_same(logs, write):
    write(*"abcde")
    seen, token, asked = [], None, {}
    while True:
        page = logs.get_log_events(logGroupName=GROUP, logStreamName=STREAM, startFromHead=True, limit=2, **asked)
        seen += [event["message"] for event in page["events"]]
        if page["nextForwardToken"] == token:
            break
        token = page["nextForwardToken"]
        asked = {"nextToken": token}
    assert seen == list("abcde")
    write("f")
    page = logs.get_log_events(logGroupName=GROUP, logStreamName=STREAM, nextToken=token)
    assert [event["message"] for event in page["events"]] == ["f"]


def test_the_tail_comes_first_unless_the_head_is_asked_for(logs, write):
    write(*"abcde")
    last = logs.get_log_events(logGroupName=GROUP, logStreamName=STREAM, limit=2)
    assert [event["message"] for event in last["events"]] == ["d", "e"]
    before = logs.get_log_events(logGroupName=GROUP, logStreamName=STREAM, limit=2, nextToken=last["nextBackwardToken"])
    assert [event["message"] for event in before["events"]] == ["b", "c"]


def test_times_bound_the_events(logs, write):
    write(*"abc")
    page = logs.get_log_events(
        logGroupName=GROUP,
        logStreamName=STREAM,
        startFromHead=True,
        startTime=1_700_000_001_000,
        endTime=1_700_000_002_000,
    )
    assert [event["message"] for event in page["events"]] == ["b"]
    assert page["events"][0]["timestamp"] == 1_700_000_001_000


def test_streams_are_listed_by_prefix_time_and_page(logs, write):
    write("x", stream="b/algo-1-1", at_s=1_700_000_050.0)
    write("x", stream="b/algo-2-1", at_s=1_700_000_010.0)
    write("x", stream="a/algo-1-1", at_s=1_700_000_020.0)

    def names(**asked):
        return [s["logStreamName"] for s in logs.describe_log_streams(logGroupName=GROUP, **asked)["logStreams"]]

    assert names(logStreamNamePrefix="b/") == ["b/algo-1-1", "b/algo-2-1"]
    assert names(orderBy="LastEventTime", descending=True) == ["b/algo-1-1", "a/algo-1-1", "b/algo-2-1"]
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=GROUP, PaginationConfig={"PageSize": 1})
    assert len([stream for page in pages for stream in page["logStreams"]]) == 3


def test_groups_are_listed_and_deleted(logs, write, refused):
    write("x")
    write("x", group="/aws/sagemaker/Endpoints/ep")
    groups = logs.describe_log_groups(logGroupNamePrefix="/aws/sagemaker/Endpoints")["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["/aws/sagemaker/Endpoints/ep"]
    logs.delete_log_group(logGroupName="/aws/sagemaker/Endpoints/ep")
    assert len(logs.describe_log_groups()["logGroups"]) == 1
    assert refused(logs.delete_log_group, logGroupName="/aws/sagemaker/Endpoints/ep") == (
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )


def test_a_stream_is_deleted_with_its_lines_alone(logs, write, refused):
    write("x", stream="a/1")
    write("y", stream="b/1")
    logs.delete_log_stream(logGroupName=GROUP, logStreamName="a/1")
    streams = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == ["b/1"]
    assert [event["message"] for event in logs.filter_log_events(logGroupName=GROUP)["events"]] == ["y"]
    assert refused(logs.delete_log_stream, logGroupName=GROUP, logStreamName="a/1") == (
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
    )


def test_events_are_filtered_by_terms_over_all_streams(logs, write, refused):
    write("loss 1", "gain 2", stream="a/1")
    write("loss two words", stream="b/1")

    def messages(**asked):
        return [event["message"] for event in logs.filter_log_events(logGroupName=GROUP, **asked)["events"]]

    assert messages(filterPattern="loss") == ["loss 1", "loss two words"]
    assert messages(filterPattern='"two words"') == ["loss two words"]
    assert messages(logStreamNamePrefix="a/") == ["loss 1", "gain 2"]
    assert messages(logStreamNames=["b/1"]) == ["loss two words"]
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, PaginationConfig={"PageSize": 1})
    assert len([event for page in pages for event in page["events"]]) == 3
    assert refused(logs.filter_log_events, logGroupName=GROUP, filterPattern="{ $.a = 1 }")[0] == (
        "InvalidParameterException"
    )


def test_what_does_not_exist_is_named(virtual, logs, write, refused, client_of):
    assert refused(logs.describe_log_streams, logGroupName="none") == (
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
    write("x")
    assert refused(logs.get_log_events, logGroupName=GROUP, logStreamName="none")[1] == (
        "The specified log stream does not exist."
    )
    assert refused(logs.get_log_events, logGroupName=GROUP, logStreamName=STREAM, nextToken="x")[0] == (
        "InvalidParameterException"
    )
    assert client_of("logs", "us-east-1").describe_log_groups()["logGroups"] == []


def test_an_empty_line_is_not_stored(logs, write):
    write("a", "", "b")
    page = logs.get_log_events(logGroupName=GROUP, logStreamName=STREAM, startFromHead=True)
    assert [event["message"] for event in page["events"]] == ["a", "b"]


@pytest.fixture(scope="module")
def module_store(tmp_path_factory):
    state = State(tmp_path_factory.mktemp("logs"), clock=lambda: 1_700_000_000.0)
    yield LogStore(state)
    state.close()


@given(sizes=st.lists(st.integers(0, 5), max_size=5), limit=st.integers(1, 4))
def test_pages_of_any_size_give_every_line_once(module_store, sizes, limit):
    module_store.delete("r", "g", ["s"])
    module_store.append("r", "g", "s", lines=[])
    expected = []
    for number, size in enumerate(sizes):
        lines = [(float(number), f"{number}.{line}") for line in range(size)]
        module_store.append("r", "g", "s", lines=lines)
        expected += [text for _, text in lines]
    seen, token = [], None
    while True:
        asked = {"logGroupName": "g", "logStreamName": "s", "startFromHead": True, "limit": limit}
        page = get_events(LogsCall(module_store, "r", {**asked, **({"nextToken": token} if token else {})}))
        seen += [event["message"] for event in page["events"]]
        if page["nextForwardToken"] == token:
            break
        token = page["nextForwardToken"]
    assert seen == expected
