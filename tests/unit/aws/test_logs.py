from __future__ import annotations

import pytest

from asteroid_ll.aws.logs import JobLogTail, list_logs, read_job_log


def stream(host: str) -> dict[str, str]:
    return {"logStreamName": f"asteroid-ll-abc/{host}-1700"}


def test_the_lines_of_all_hosts_are_in_the_order_of_time(aws, script):
    script.on("DescribeLogStreams", {"logStreams": [stream("algo-1"), stream("algo-2")]})
    script.on(
        "GetLogEvents",
        {"events": [{"timestamp": 1, "message": "one\n"}], "nextForwardToken": "f/1"},
        {"events": [{"timestamp": 3, "message": "three"}], "nextForwardToken": "f/2"},
        {"events": [], "nextForwardToken": "f/2"},
        {"events": [{"timestamp": 2, "message": "two"}], "nextForwardToken": "f/1"},
        {"events": [], "nextForwardToken": "f/1"},
    )
    assert read_job_log(aws, "asteroid-ll-abc") == ["one", "two", "three"]


def test_a_log_that_does_not_exist_has_no_lines(aws, script, say):
    script.on("DescribeLogStreams", say.refusal("ResourceNotFoundException", "The specified log group does not exist."))
    assert read_job_log(aws, "asteroid-ll-abc") == []


def test_a_tail_has_each_line_once_also_of_a_host_that_comes_later(aws, script):
    script.on(
        "DescribeLogStreams",
        {"logStreams": []},
        {"logStreams": [stream("algo-1")]},
        {"logStreams": [stream("algo-1"), stream("algo-2")]},
    )
    tail = JobLogTail(aws, "asteroid-ll-abc")
    assert tail.new_lines() == []
    script.on(
        "GetLogEvents",
        {"events": [{"timestamp": 1, "message": "one"}], "nextForwardToken": "f/1"},
        {"events": [], "nextForwardToken": "f/1"},
    )
    assert tail.new_lines() == ["one"]
    script.on(
        "GetLogEvents",
        {"events": [{"timestamp": 3, "message": "three"}], "nextForwardToken": "f/3"},
        {"events": [], "nextForwardToken": "f/3"},
        {"events": [{"timestamp": 2, "message": "two"}], "nextForwardToken": "f/2"},
        {"events": [], "nextForwardToken": "f/2"},
    )
    script.calls.clear()
    assert tail.new_lines() == ["two", "three"]
    assert script.calls[1][1]["nextToken"] == "f/1"


@pytest.mark.parametrize(
    ("kind", "group"),
    [("training-job", "/aws/sagemaker/TrainingJobs"), ("processing-job", "/aws/sagemaker/ProcessingJobs")],
)
def test_a_tail_reads_the_log_group_of_the_kind_of_job(aws, script, kind, group):
    script.on("DescribeLogStreams", {"logStreams": [stream("algo-1")]})
    script.on("GetLogEvents", {"events": [], "nextForwardToken": "f/0"})
    JobLogTail(aws, "asteroid-ll-abc", kind=kind).new_lines()
    assert {body["logGroupName"] for _, body in script.calls} == {group}


def test_the_logs_of_all_kinds_of_jobs_are_listed(aws, script, say):
    created = {"creationTime": 2000}

    def streams(body):
        if body["logGroupName"].endswith("TrainingJobs"):
            return say.refusal("ResourceNotFoundException", "The specified log group does not exist.")
        return {"logStreams": [{"logStreamName": "asteroid-ll-t/i-1/data-log", **created}]}

    script.on(
        "DescribeLogGroups", {"logGroups": [{"logGroupName": "/aws/sagemaker/Endpoints/asteroid-ll-e", **created}]}
    )
    script.on("DescribeLogStreams", streams)
    assert [(log.group, log.stream, log.since_s) for log in list_logs(aws, "asteroid-ll-")] == [
        ("/aws/sagemaker/Endpoints/asteroid-ll-e", "", 2.0),
        ("/aws/sagemaker/TransformJobs", "asteroid-ll-t/i-1/data-log", 2.0),
        ("/aws/sagemaker/ProcessingJobs", "asteroid-ll-t/i-1/data-log", 2.0),
    ]
