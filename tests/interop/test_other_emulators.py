"""moto server, localemu and ministack have the buckets, and their companion trains: the tutorial's calls and run-all.

``scripts/interop emulators`` installs each of them into an environment of its own, as they are on PyPI.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3
import pytest

ROOT = Path(__file__).resolve().parents[2]
EMULATORS: Mapping[str, str] = {
    "moto": "moto_server -H 127.0.0.1 -p {port}",
    "localemu": "localemu start --host 127.0.0.1 --port {port}",
    "ministack": "env GATEWAY_PORT={port} ministack",
}
"""The command that starts each one."""

START_S = 120
RUN = (
    *("--set", "hyperparameters.epochs=2"),
    *("--set", "report.figures=false"),
    *("--set", "report.html=false"),
)
OUTPUTS = ("metrics.json", "predictions.csv")

TUTORIAL = """
import json
import boto3

sts, iam, s3 = boto3.client("sts"), boto3.client("iam"), boto3.client("s3")
sagemaker, runtime, logs = boto3.client("sagemaker"), boto3.client("sagemaker-runtime"), boto3.client("logs")
account = sts.get_caller_identity()["Account"]
trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
role = iam.create_role(RoleName="asteroid-ll", AssumeRolePolicyDocument=document)["Role"]["Arn"]
everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
iam.put_role_policy(RoleName="asteroid-ll", PolicyName="all", PolicyDocument=json.dumps(everything))

bucket, prefix = "datastorez", "sagemaker/DEMO-asteroid-prediction"
s3.create_bucket(Bucket=bucket)
rows = [(n % 2, n % 2 + n / 1000, n % 7) for n in range(400)]
for channel, part in (("train", rows[:300]), ("validation", rows[300:])):
    body = "".join(f"{label},{first:.3f},{second}\\n" for label, first, second in part)
    s3.put_object(Bucket=bucket, Key=f"{prefix}/{channel}/rows.csv", Body=body.encode())

def channel(name, distribution):
    uri = f"s3://{bucket}/{prefix}/{name}/"
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": distribution}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "ContentType": "text/csv"}

image = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"
job = "ASTEROID-linear-1"
sagemaker.create_training_job(
    TrainingJobName=job,
    AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
    RoleArn=role,
    InputDataConfig=[channel("train", "ShardedByS3Key"), channel("validation", "FullyReplicated")],
    OutputDataConfig={"S3OutputPath": f"s3://{bucket}/{prefix}/"},
    CheckpointConfig={"S3Uri": f"s3://{bucket}/{prefix}/checkpoints"},
    ResourceConfig={"InstanceType": "ml.c4.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
    HyperParameters={"feature_dim": "2", "mini_batch_size": "100", "predictor_type": "regressor", "epochs": "3",
                     "num_models": "32", "loss": "absolute_loss"},
    StoppingCondition={"MaxRuntimeInSeconds": 3600},
)
quick = {"Delay": 1, "MaxAttempts": 300}
sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=job, WaiterConfig=quick)
described = sagemaker.describe_training_job(TrainingJobName=job)
assert described["TrainingJobStatus"] == "Completed", described["FailureReason"]
artifact = described["ModelArtifacts"]["S3ModelArtifacts"]
s3.head_object(Bucket=bucket, Key=artifact.removeprefix(f"s3://{bucket}/"))
container = {"Image": image, "ModelDataUrl": artifact}
sagemaker.create_model(ModelName=job, ExecutionRoleArn=role, PrimaryContainer=container)
variant = {"VariantName": "AllTraffic", "ModelName": job, "InstanceType": "ml.m4.xlarge", "InitialInstanceCount": 1}
sagemaker.create_endpoint_config(EndpointConfigName="DEMO", ProductionVariants=[variant])
sagemaker.create_endpoint(EndpointName="DEMO", EndpointConfigName="DEMO")
sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="DEMO", WaiterConfig=quick)
rows = "1.1,3\\n0.2,5"
answer = runtime.invoke_endpoint(EndpointName="DEMO", ContentType="text/csv", Body=rows)
scores = [item["score"] for item in json.load(answer["Body"])["predictions"]]

s3.put_object(Bucket=bucket, Key="batch/rows.csv", Body=rows.encode())
source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/batch/"}}
sagemaker.create_transform_job(
    TransformJobName="batch",
    ModelName=job,
    TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
    TransformOutput={"S3OutputPath": f"s3://{bucket}/scores", "Accept": "application/jsonlines"},
    TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
)
sagemaker.get_waiter("transform_job_completed_or_stopped").wait(TransformJobName="batch", WaiterConfig=quick)
lines = s3.get_object(Bucket=bucket, Key="scores/rows.csv.out")["Body"].read().splitlines()
(stream,) = logs.describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=job)["logStreams"]
sagemaker.delete_endpoint(EndpointName="DEMO")
keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
print("TOLD", json.dumps({
    "arn": described["TrainingJobArn"].replace(account, "ACCOUNT"),
    "batch": [json.loads(line)["score"] for line in lines],
    "keys": keys,
    "metrics": {item["MetricName"]: item["Value"] for item in described["FinalMetricDataList"]
                if item["MetricName"] != "train:throughput"},
    "scores": scores,
    "stream": stream["logStreamName"].rpartition("-")[0],
}))
"""

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1", reason="scripts/interop runs it"),
]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return dummy credentials and nothing of this machine's user."""
    plain = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "ASTEROID_LL_"))}
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    return {**plain, **keys, "AWS_CONFIG_FILE": os.devnull, "HOME": str(folder), "PYTHONUNBUFFERED": "1", **more}


@contextlib.contextmanager
def started(command: list[str], folder: Path, log: Path) -> Iterator[subprocess.Popen[str]]:
    with log.open("w") as err:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=err, text=True
        )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(params=EMULATORS)
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an emulator that runs."""
    folder = ROOT / f".interop/emulators-{request.param}/bin"
    words = EMULATORS[request.param].split()
    program = next(word for word in words if word not in ("env", "GATEWAY_PORT={port}"))
    if not (folder / program).exists():
        pytest.skip(f"{request.param} is not installed in {folder}: scripts/interop emulators")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(folder / word) if word == program else word.format(port=port) for word in words]
    with started(command, tmp_path, tmp_path / "other.log") as process:
        s3 = boto3.Session("test", "test", region_name="us-east-1").client(
            "s3", endpoint_url=f"http://127.0.0.1:{port}"
        )
        limit_s = time.monotonic() + START_S
        while True:
            assert process.poll() is None, (tmp_path / "other.log").read_text()[-5000:]
            with contextlib.suppress(Exception):
                s3.list_buckets()
                break
            assert time.monotonic() < limit_s, (tmp_path / "other.log").read_text()[-5000:]
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def companion(other: str, folder: Path) -> Iterator[dict[str, str]]:
    """Serve a companion; the value is what it prints, as variables."""
    command = [sys.executable, "-m", "asteroid_ll", "emulator", "serve", "--port", "0", "--s3-endpoint", other]
    with started(command, folder, folder / "companion.log") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().removeprefix("export ").strip().partition("=") for _ in range(5)]
        yield {name: text for name, _, text in lines}


def told(folder: Path, **variables: str) -> dict[str, object]:
    """Run the tutorial's calls; return what they saw."""
    done = subprocess.run(
        [sys.executable, "-c", TUTORIAL],
        env=environment(folder, **variables),
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    answer: dict[str, object] = json.loads(done.stdout.partition("TOLD ")[2])
    return answer


def run_all(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the pipeline in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "asteroid_ll", "run-all", *RUN, *options],
        cwd=folder,
        env=environment(folder, **variables),
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], dict[str, bytes]]:
    """What our own emulator answers to the tutorial's calls, and what run-all writes with it."""
    folder = tmp_path_factory.mktemp("own")
    command = [sys.executable, "-m", "asteroid_ll", "emulator", "serve", "--port", "0", "--state", "served"]
    with started(command, folder, folder / "serve.log") as process:
        assert process.stdout is not None
        seen = told(folder, AWS_ENDPOINT_URL=process.stdout.readline().strip().partition("=")[2])
    done = run_all(folder)
    assert done.returncode == 0, done.stderr
    return seen, {name: (folder / "asteroid-run/predict" / name).read_bytes() for name in OUTPUTS}


def test_the_tutorial_and_run_all_have_the_same_results_with_the_buckets_elsewhere(
    other: str, expected: tuple[dict[str, object], dict[str, bytes]], tmp_path: Path
) -> None:
    with companion(other, tmp_path) as variables:
        assert told(tmp_path, **variables) == expected[0]
        sts = boto3.Session("test", "test", region_name="us-east-1").client("sts", endpoint_url=other)
        role = f"arn:aws:iam::{sts.get_caller_identity()['Account']}:role/asteroid-ll"
        done = run_all(tmp_path, "--set", "target=aws", "--set", f"role_arn={role}", **variables)
    assert done.returncode == 0, done.stderr[-5000:]
    assert re.search(r"^Bill: nothing is open\.$", done.stdout, re.MULTILINE)
    assert {name: (tmp_path / "asteroid-run/predict" / name).read_bytes() for name in OUTPUTS} == expected[1]


def test_a_run_without_the_companion_is_refused_before_it_creates_anything(other: str, tmp_path: Path) -> None:
    options = ("--set", "target=aws", "--set", "role_arn=arn:aws:iam::000000000000:role/asteroid-ll")
    done = run_all(tmp_path, *options, AWS_ENDPOINT_URL=other)
    assert done.returncode == 4
    assert f"Error: The server at {other} has no SageMaker that trains models." in done.stderr
    assert f"--s3-endpoint {other}" in done.stderr
    s3 = boto3.Session("test", "test", region_name="us-east-1").client("s3", endpoint_url=other)
    assert s3.list_buckets()["Buckets"] == []
