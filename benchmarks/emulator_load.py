"""A served emulator under load: 8 client processes, with a training job running in the background all the time.

    python benchmarks/emulator_load.py               one minute
    python benchmarks/emulator_load.py --seconds 5   shorter; memory has no time to settle

A client writes, reads, lists, copies and deletes objects, uploads in parts, opens a new connection for a presigned URL,
describes jobs and endpoints, invokes an endpoint and reads logs. It checks each answer. No request is repeated.

Bounds: no error. From a third of the time on, the server's memory grows by at most 10 %. It has at most one thread for
each connection. After the load, threads and open files are as before it, and every stored body belongs to an object.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

N_CLIENTS = 8
SAMPLE_S = 0.5
GROWTH = 0.10
SETTLE_S = 10.0
BUCKET, ENDPOINT = "load", "load"
IMAGE = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"
ROLE = "arn:aws:iam::000000000000:role/asteroid-ll"
GROUP = "/aws/sagemaker/TrainingJobs"
PART = bytes(5 * 2**20)
CONNECTIONS = 5
"""The most connections of a client: one for each service, and one for the presigned URL."""

LARGE_EACH = 5
"""A client uploads in parts in each n-th round."""

Clients = dict[str, Any]
Count = Callable[..., Any]


def clients() -> Clients:
    """Return a client of each service that never repeats a request."""
    config = Config(retries={"total_max_attempts": 1})
    return {name: boto3.client(name, config=config) for name in ("s3", "sagemaker", "sagemaker-runtime", "logs")}


def objects(aws: Clients, count: Count, prefix: str, *, round_number: int) -> None:
    """Write, read, list, copy and delete objects below a prefix of the client."""
    s3 = aws["s3"]
    body = os.urandom(64 * 1024)
    for name in ("a", "b"):
        count(s3.put_object, Bucket=BUCKET, Key=f"{prefix}/{name}", Body=body, Tagging="load=yes")
    count(s3.copy_object, Bucket=BUCKET, Key=f"{prefix}/c", CopySource=f"{BUCKET}/{prefix}/a")
    keys = ["a", "b", "c"]
    if round_number % LARGE_EACH == 0:
        keys.append("large")
        large = {"Bucket": BUCKET, "Key": f"{prefix}/large"}
        upload = count(s3.create_multipart_upload, **large)["UploadId"]
        parts = [
            {"PartNumber": n, "ETag": count(s3.upload_part, **large, UploadId=upload, PartNumber=n, Body=part)["ETag"]}
            for n, part in enumerate((PART, body), start=1)
        ]
        count(s3.complete_multipart_upload, **large, UploadId=upload, MultipartUpload={"Parts": parts})
        assert count(s3.get_object, **large, Range=f"bytes={len(PART)}-")["Body"].read() == body
        unfinished = {"Bucket": BUCKET, "Key": f"{prefix}/unfinished"}
        upload = count(s3.create_multipart_upload, **unfinished)["UploadId"]
        count(s3.upload_part, **unfinished, UploadId=upload, PartNumber=1, Body=body)
        count(s3.abort_multipart_upload, **unfinished, UploadId=upload)
    assert count(s3.get_object, Bucket=BUCKET, Key=f"{prefix}/c")["Body"].read() == body
    url = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": f"{prefix}/b"})
    assert count(_download, url) == body
    listed = count(s3.list_objects_v2, Bucket=BUCKET, Prefix=f"{prefix}/")["Contents"]
    assert [item["Key"] for item in listed] == [f"{prefix}/{key}" for key in keys]
    names = {"Objects": [{"Key": item["Key"]} for item in listed], "Quiet": True}
    assert "Errors" not in count(s3.delete_objects, Bucket=BUCKET, Delete=names)
    assert count(s3.list_objects_v2, Bucket=BUCKET, Prefix=f"{prefix}/")["KeyCount"] == 0


def jobs_and_scores(aws: Clients, count: Count) -> None:
    """List and describe the jobs, read a log, and invoke the endpoint."""
    sagemaker, logs = aws["sagemaker"], aws["logs"]
    listing = count(sagemaker.list_training_jobs, NameContains="kept", SortBy="CreationTime", MaxResults=5)
    name = listing["TrainingJobSummaries"][0]["TrainingJobName"]
    job = count(sagemaker.describe_training_job, TrainingJobName=name)
    assert job["TrainingJobStatus"] in {"InProgress", "Completed"}, job.get("FailureReason")
    assert count(sagemaker.list_tags, ResourceArn=job["TrainingJobArn"])["Tags"]
    endpoint = count(sagemaker.describe_endpoint, EndpointName=ENDPOINT)
    assert endpoint["EndpointStatus"] == "InService"
    for label in (0, 1):
        rows = {"ContentType": "text/csv", "Accept": "application/json", "Body": f"{label}.1,3"}
        answer = count(aws["sagemaker-runtime"].invoke_endpoint, EndpointName=ENDPOINT, **rows)
        (prediction,) = json.loads(answer["Body"].read())["predictions"]
        assert prediction["predicted_label"] == label
    streams = count(logs.describe_log_streams, logGroupName=GROUP, logStreamNamePrefix="kept-0/")["logStreams"]
    stream = {"logGroupName": GROUP, "logStreamName": streams[0]["logStreamName"], "startFromHead": True}
    assert len(count(logs.get_log_events, **stream, limit=100)["events"]) > 10


def train(aws: Clients, count: Count, name: str) -> None:
    """Run a training job to its end."""
    sagemaker = aws["sagemaker"]
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/train/"}}
    count(
        sagemaker.create_training_job,
        TrainingJobName=name,
        RoleArn=ROLE,
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        InputDataConfig=[{"ChannelName": "train", "ContentType": "text/csv", "DataSource": source}],
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/models"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        HyperParameters={"predictor_type": "binary_classifier", "mini_batch_size": "50", "epochs": "15"},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
        Tags=[{"Key": "load", "Value": "yes"}],
    )
    while (job := count(sagemaker.describe_training_job, TrainingJobName=name))["TrainingJobStatus"] == "InProgress":
        time.sleep(0.1)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    count(aws["s3"].head_object, Bucket=BUCKET, Key=f"models/{name}/output/model.tar.gz")


def prepare() -> None:
    """Train a model and deploy it."""
    aws = clients()
    rows = "".join(f"{n % 2},{n % 2 + n / 1000:.3f},{n % 7}\n" for n in range(400))
    aws["s3"].create_bucket(Bucket=BUCKET)
    aws["s3"].put_object(Bucket=BUCKET, Key="train/rows.csv", Body=rows.encode())
    train(aws, lambda function, **members: function(**members), "kept-0")
    sagemaker, artifact = aws["sagemaker"], f"s3://{BUCKET}/models/kept-0/output/model.tar.gz"
    container = {"Image": IMAGE, "ModelDataUrl": artifact}
    sagemaker.create_model(ModelName=ENDPOINT, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    variant = {"VariantName": "v", "ModelName": ENDPOINT, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=ENDPOINT, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=ENDPOINT)
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=ENDPOINT, WaiterConfig={"Delay": 1})


def client(number: int, *, seconds: float) -> None:
    """Send requests until the time is over; print the number of each kind and the errors as JSON.

    Client 0 trains: each second job is deleted after its end, the others are those that the clients describe.
    """
    aws, n_requests, errors = clients(), Counter[str](), list[str]()
    print("ready", flush=True)
    input()

    def count(function: Callable[..., Any], *arguments: Any, **members: Any) -> Any:
        n_requests[getattr(function, "__name__", "").lstrip("_")] += 1
        return function(*arguments, **members)

    end_s = time.monotonic() + seconds
    for n in itertools.count():
        if time.monotonic() >= end_s or len(errors) >= 10:
            break
        try:
            if number == 0:
                train(aws, count, f"kept-{n + 1}")
                train(aws, count, f"brief-{n}")
                count(aws["sagemaker"].delete_training_job, TrainingJobName=f"brief-{n}")
                count(aws["s3"].delete_object, Bucket=BUCKET, Key=f"models/brief-{n}/output/model.tar.gz")
            else:
                objects(aws, count, f"client-{number}", round_number=n)
                jobs_and_scores(aws, count)
        except Exception:
            errors.append(traceback.format_exc())
    print(json.dumps({"requests": n_requests, "errors": errors}))


def _download(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as response:
        return bytes(response.read())


@dataclass(frozen=True)
class Sample:
    """The server at one moment.

    Attributes:
        at_s: seconds since the start of the load.
        memory_mb: resident memory of the server.
        jobs_mb: resident memory of all its children.
        threads: its threads.
        files: its open files.
        state_mb: size of the state on disk.
        log_mb: the part of it that is SQLite's write-ahead log.
    """

    at_s: float
    memory_mb: float
    jobs_mb: float
    threads: int
    files: int
    state_mb: float
    log_mb: float


def sample(pid: int, state: Path, *, at_s: float = 0.0) -> Sample:
    """Return the server as it is now."""
    process = Path(f"/proc/{pid}")
    sizes = {path: _size(path) for path in state.rglob("*")}
    return Sample(
        at_s=at_s,
        memory_mb=_resident_mb(process),
        jobs_mb=sum(_resident_mb(Path(f"/proc/{child}")) for child in _children(process)),
        threads=len(list(process.glob("task/*"))),
        files=len(list(process.glob("fd/*"))),
        state_mb=sum(sizes.values()) / 2**20,
        log_mb=sum(size for path, size in sizes.items() if path.name.endswith("-wal")) / 2**20,
    )


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:  # it was deleted in the meantime
        return 0


def _resident_mb(process: Path) -> float:
    with suppress(OSError):
        for line in (process / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _children(process: Path) -> Iterator[str]:
    for task in process.glob("task/*/children"):
        with suppress(OSError):
            yield from task.read_text().split()


@contextmanager
def served(state: Path) -> Iterator[subprocess.Popen[str]]:
    """Serve an empty account as a process; this process and its clients have its address."""
    command = [sys.executable, "-m", "asteroid_ll", "emulator", "serve", "--port", "0", "--state", str(state)]
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert server.stdout is not None
    os.environ |= {
        "AWS_ENDPOINT_URL": server.stdout.readline().strip().partition("=")[2],
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
    }
    try:
        yield server
    finally:
        server.terminate()
        server.communicate(timeout=60)


def load(server: subprocess.Popen[str], state: Path, *, n_clients: int, seconds: float) -> tuple[list[Sample], Any]:
    """Run the clients and the trainer; return the samples and what each client printed."""
    command = [sys.executable, __file__, "--seconds", str(seconds), "--client"]
    processes = [
        subprocess.Popen([*command, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for number in range(n_clients + 1)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    start_s, samples = time.monotonic(), list[Sample]()
    while any(process.poll() is None for process in processes):
        samples.append(sample(server.pid, state, at_s=time.monotonic() - start_s))
        time.sleep(SAMPLE_S)
    return samples, [json.loads(process.communicate()[0]) for process in processes]


def settled(server: subprocess.Popen[str], state: Path, before: Sample) -> Sample:
    """Wait until the connections of the clients are closed; return the server then, or after some seconds."""
    deadline_s = time.monotonic() + SETTLE_S
    while True:
        after = sample(server.pid, state)
        if (after.threads, after.files) <= (before.threads, before.files) or time.monotonic() > deadline_s:
            return after
        time.sleep(0.1)


def unowned(state: Path) -> int:
    """Return the number of files of object bodies beyond those of the objects in the bucket."""
    pages = clients()["s3"].get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    n_objects = sum(int(page["KeyCount"]) for page in pages)
    return sum(path.is_file() for path in (state / "objects").rglob("*")) - n_objects


def problems(samples: list[Sample], *, before: Sample, after: Sample, n_unowned: int, n_clients: int) -> Iterator[str]:
    """Yield the bounds that are passed."""
    seconds = samples[-1].at_s
    early = [one for one in samples if seconds / 4 <= one.at_s <= seconds / 3] or samples
    late = [one for one in samples if one.at_s >= seconds * 2 / 3]
    growth = statistics.median(s.memory_mb for s in late) / statistics.median(s.memory_mb for s in early) - 1
    print(f"\nMemory in the last third against that after a third: {growth:+.1%}, bound {GROWTH:+.0%}")
    if growth > GROWTH:
        yield f"the server's memory grew by {growth:.0%}"
    most = before.threads + CONNECTIONS * n_clients
    if max(s.threads for s in samples) > most:
        yield f"the server had more than {most} threads"
    for name in ("threads", "files"):
        if getattr(after, name) > getattr(before, name):
            yield f"after the load, the server has {getattr(after, name)} {name}; before it {getattr(before, name)}"
    if n_unowned:
        yield f"{n_unowned} files belong to no object"


def main() -> int:
    """Run the load and print a table. Return 1 if there is an error or a bound is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="default: %(default)g")
    parser.add_argument("--clients", type=int, default=N_CLIENTS, help="default: %(default)d")
    parser.add_argument("--client", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client is not None:
        client(options.client, seconds=options.seconds)
        return 0
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "state") as server:
        state = Path(folder) / "state"
        prepare()
        before = sample(server.pid, state)
        samples, outcomes = load(server, state, n_clients=options.clients, seconds=options.seconds)
        after = settled(server, state, before)
        return report(samples, outcomes, before=before, after=after, n_unowned=unowned(state))


def report(samples: list[Sample], outcomes: list[Any], *, before: Sample, after: Sample, n_unowned: int) -> int:
    """Print the figures; return the exit code."""
    seconds = samples[-1].at_s
    print("     s  memory MB  jobs MB  threads  files  state MB  of it log MB")
    step = max(1, len(samples) // 12)
    for one in (before, *samples[::step], replace(after, at_s=seconds)):
        print(
            f"{one.at_s:6.1f} {one.memory_mb:10.1f} {one.jobs_mb:8.1f} {one.threads:8} {one.files:6} "
            f"{one.state_mb:9.1f} {one.log_mb:13.1f}"
        )
    requests: Counter[str] = sum((Counter(outcome["requests"]) for outcome in outcomes), Counter())
    print(f"\n{requests.total():,} requests, {requests.total() / seconds:,.0f} per second:")
    for name, number in requests.most_common():
        print(f"{number:8,}  {name}")
    errors = [error for outcome in outcomes for error in outcome["errors"]]
    passed = list(problems(samples, before=before, after=after, n_unowned=n_unowned, n_clients=len(outcomes)))
    for error in errors:
        print(f"\n{error}")
    print(f"{len(errors)} errors, {len(passed)} bounds passed{''.join(f'; {text}' for text in passed)}.")
    return int(bool(errors or passed))


if __name__ == "__main__":
    sys.exit(main())
