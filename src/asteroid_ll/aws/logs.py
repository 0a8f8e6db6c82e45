"""A training job's log in CloudWatch Logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asteroid_ll.aws.errors import aws_call, is_not_found

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

TRAINING_LOG_GROUP = "/aws/sagemaker/TrainingJobs"


def read_job_log(aws: Aws, job_name: str) -> list[str]:
    """Return the lines of a training job's log, by time; empty if there is no log.

    Raises:
        AwsError: CloudWatch refused.
    """
    with aws_call(f"reading the log of training job {job_name}", service="logs"):
        events = [event for stream in _streams(aws, job_name) for event in _events(aws, stream)]
    return [
        event.get("message", "").rstrip("\n") for event in sorted(events, key=lambda event: event.get("timestamp", 0))
    ]


def _streams(aws: Aws, job_name: str) -> list[str]:
    """Return the job's streams by name: ``JOB/HOST-MILLISECONDS``, one for each instance."""
    pages = aws.logs.get_paginator("describe_log_streams").paginate(
        logGroupName=TRAINING_LOG_GROUP, logStreamNamePrefix=f"{job_name}/"
    )
    try:
        return sorted(stream.get("logStreamName", "") for page in pages for stream in page["logStreams"])
    except Exception as error:
        if is_not_found(error):
            return []
        raise


def _events(aws: Aws, stream: str) -> list[dict[str, Any]]:
    """Return the events of one stream; at its end the same token comes back."""
    events: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = aws.logs.get_log_events(
            logGroupName=TRAINING_LOG_GROUP, logStreamName=stream, startFromHead=True, **token
        )
        events += page["events"]
        if token.get("nextToken") == page["nextForwardToken"]:
            return events
        token = {"nextToken": page["nextForwardToken"]}
