"""The logs of jobs and endpoints in CloudWatch Logs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asteroid_ll.aws.errors import aws_call, is_not_found
from asteroid_ll.aws.resources import JobKind, words

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

JOB_LOG_GROUPS: dict[JobKind, str] = {
    "training-job": "/aws/sagemaker/TrainingJobs",
    "transform-job": "/aws/sagemaker/TransformJobs",
    "processing-job": "/aws/sagemaker/ProcessingJobs",
}
ENDPOINT_LOG_GROUP_PREFIX = "/aws/sagemaker/Endpoints/"


def read_job_log(aws: Aws, job_name: str) -> list[str]:
    """Return the lines of a training job's log, by time; empty if there is no log.

    Raises:
        AwsError: CloudWatch refused.
    """
    return JobLogTail(aws, job_name).new_lines()


class JobLogTail:
    """The log of a job that still runs, of all its instances, read piece by piece.

    Args:
        aws: the connection.
        job_name: the job.
        kind: kind of job.
    """

    def __init__(self, aws: Aws, job_name: str, *, kind: JobKind = "training-job") -> None:
        self._aws = aws
        self._job_name = job_name
        self._kind = kind
        self._tokens: dict[str, dict[str, str]] = {}

    def new_lines(self) -> list[str]:
        """Return the lines that were written since the last call, by time; none if there is no log yet.

        Raises:
            AwsError: CloudWatch refused.
        """
        events: list[dict[str, Any]] = []
        group = JOB_LOG_GROUPS[self._kind]
        with aws_call(f"reading the log of {words(self._kind)} {self._job_name}", service="logs"):
            for stream in _streams(self._aws, group, self._job_name):
                more, self._tokens[stream] = _events(self._aws, group, stream, self._tokens.get(stream, {}))
                events += more
        return [
            event.get("message", "").rstrip("\n")
            for event in sorted(events, key=lambda event: event.get("timestamp", 0))
        ]


@dataclass(frozen=True)
class Log:
    """A stream of a job, or a whole group of an endpoint.

    Attributes:
        group: the log group.
        stream: the stream; empty for the whole group.
        since_s: time of creation, in seconds since 1970.
    """

    group: str
    stream: str
    since_s: float


def list_logs(aws: Aws, prefix: str) -> list[Log]:
    """Return the logs of the jobs and endpoints whose names begin with a prefix.

    Raises:
        AwsError: CloudWatch refused.
    """
    with aws_call("listing logs", service="logs"):
        groups = aws.logs.get_paginator("describe_log_groups").paginate(
            logGroupNamePrefix=ENDPOINT_LOG_GROUP_PREFIX + prefix
        )
        logs = [
            Log(group["logGroupName"], "", group["creationTime"] / 1000)
            for page in groups
            for group in page["logGroups"]
        ]
        for job_group in JOB_LOG_GROUPS.values():
            streams = aws.logs.get_paginator("describe_log_streams").paginate(
                logGroupName=job_group, logStreamNamePrefix=prefix
            )
            try:
                logs += [
                    Log(job_group, stream["logStreamName"], stream["creationTime"] / 1000)
                    for page in streams
                    for stream in page["logStreams"]
                ]
            except Exception as error:
                if not is_not_found(error):
                    raise
    return logs


def delete_log(aws: Aws, log: Log) -> None:
    """Delete a log; one that is gone already is no error.

    Raises:
        AwsError: CloudWatch refused.
    """
    with aws_call(f"deleting the log {log.group} {log.stream}".rstrip(), service="logs"):
        try:
            if log.stream:
                aws.logs.delete_log_stream(logGroupName=log.group, logStreamName=log.stream)
            else:
                aws.logs.delete_log_group(logGroupName=log.group)
        except Exception as error:
            if not is_not_found(error):
                raise


def _streams(aws: Aws, group: str, job_name: str) -> list[str]:
    """Return the job's streams by name: ``JOB/HOST-MILLISECONDS``, one for each instance."""
    pages = aws.logs.get_paginator("describe_log_streams").paginate(
        logGroupName=group, logStreamNamePrefix=f"{job_name}/"
    )
    try:
        return sorted(stream.get("logStreamName", "") for page in pages for stream in page["logStreams"])
    except Exception as error:
        if is_not_found(error):
            return []
        raise


def _events(aws: Aws, group: str, stream: str, token: dict[str, str]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return the events of one stream after a token, and the next token; at its end the same token comes back."""
    events: list[dict[str, Any]] = []
    while True:
        page = aws.logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **token)
        events += page["events"]
        if token.get("nextToken") == page["nextForwardToken"]:
            return events, token
        token = {"nextToken": page["nextForwardToken"]}
