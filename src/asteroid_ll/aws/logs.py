"""The lines of a training job's log, read from CloudWatch Logs as they come."""

from __future__ import annotations

from dataclasses import dataclass

from asteroid_ll.aws.errors import aws_call, is_not_found
from asteroid_ll.aws.session import Aws

TRAINING_LOG_GROUP = "/aws/sagemaker/TrainingJobs"
ENDPOINT_LOG_GROUP = "/aws/sagemaker/Endpoints/{name}"


@dataclass(frozen=True)
class LogLine:
    """One line of a log.

    Attributes:
        at_s: seconds since 1970.
        host: the instance that wrote it, such as ``algo-1``.
        message: the line without its end.
    """

    at_s: float
    host: str
    message: str


class JobLog:
    """A training job's log, read from where the previous reading stopped.

    The streams of a job are named ``JOB/HOST-MILLISECONDS``, one an instance; they appear some time after the
    job has started, so "no such group" and "no such stream" both mean: nothing yet.

    Args:
        aws: the connection.
        job_name: the training job.
    """

    def __init__(self, aws: Aws, job_name: str) -> None:
        self._aws = aws
        self._job_name = job_name
        self._next_token: dict[str, str] = {}

    def new_lines(self) -> list[LogLine]:
        """The lines that were not returned before, by time; empty where there are none yet."""
        with aws_call(f"reading the log of training job {self._job_name}", service="logs"):
            lines = [line for stream in self._streams() for line in self._new_lines_of(stream)]
        return sorted(lines, key=lambda line: line.at_s)

    def _streams(self) -> list[str]:
        """The job's streams, by name."""
        pages = self._aws.logs.get_paginator("describe_log_streams").paginate(
            logGroupName=TRAINING_LOG_GROUP, logStreamNamePrefix=f"{self._job_name}/"
        )
        try:
            return sorted(stream["logStreamName"] for page in pages for stream in page["logStreams"])
        except Exception as error:
            if is_not_found(error):
                return []
            raise

    def _new_lines_of(self, stream: str) -> list[LogLine]:
        """The rest of one stream; its end is where the same token comes back."""
        host = stream.removeprefix(f"{self._job_name}/").rpartition("-")[0] or stream
        lines: list[LogLine] = []
        while True:
            token = self._next_token.get(stream)
            page = self._aws.logs.get_log_events(
                logGroupName=TRAINING_LOG_GROUP,
                logStreamName=stream,
                startFromHead=True,
                **({"nextToken": token} if token else {}),
            )
            lines += [
                LogLine(at_s=event["timestamp"] / 1000, host=host, message=event["message"].rstrip("\n"))
                for event in page["events"]
            ]
            self._next_token[stream] = page["nextForwardToken"]
            if page["nextForwardToken"] == token:
                return lines


def read_job_log(aws: Aws, job_name: str) -> list[LogLine]:
    """The whole log of a training job so far, by time.

    Raises:
        AwsError: CloudWatch refused.
    """
    return JobLog(aws, job_name).new_lines()
