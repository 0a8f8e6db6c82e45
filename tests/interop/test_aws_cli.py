"""Amazon's own command line against the served emulator."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from asteroid_ll.aws.iam_commands import setup
from asteroid_ll.aws.policy import Scope, caller_policy, oidc_trust, role_policy, trust_policy
from asteroid_ll.emulator.local import Emulator
from asteroid_ll.linear_learner.images import image_uri

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1", reason="scripts/interop runs it"),
]


@pytest.fixture
def aws(tmp_path):
    """Run an AWS CLI command against a served emulator in a temporary directory; its standard output comes back."""
    if shutil.which("aws") is None:
        pytest.skip("the AWS CLI is not installed")
    environment = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")} | {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": os.devnull,
    }

    def run(*arguments, status=(0,)):
        done = subprocess.run(
            ["aws", *arguments], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
        )
        assert done.returncode in status, done.stderr
        return done.stdout + done.stderr

    with Emulator(tmp_path / "state") as emulator, emulator.serve() as url:
        environment["AWS_ENDPOINT_URL"] = url
        yield run


def test_the_aws_command_line_copies_lists_and_removes(aws, tmp_path):
    large, folder = tmp_path / "large", tmp_path / "folder"
    large.write_bytes(bytes(range(256)) * 40_000)
    folder.mkdir()
    (folder / "a b").write_text("Eros")
    (folder / "c").write_text("Ida")
    aws("s3", "mb", "s3://rocks")
    aws("s3", "cp", "large", "s3://rocks/large", "--no-progress")
    aws("s3", "cp", "s3://rocks/large", "back", "--no-progress")
    assert (tmp_path / "back").read_bytes() == large.read_bytes()
    aws("s3", "sync", "folder", "s3://rocks/folder/", "--no-progress")
    aws("s3", "mv", "s3://rocks/folder/c", "s3://rocks/d")
    listed = aws("s3", "ls", "s3://rocks", "--recursive")
    assert [line.split(maxsplit=3)[2:] for line in listed.splitlines()] == [
        ["3", "d"],
        ["4", "folder/a b"],
        [str(256 * 40_000), "large"],
    ]
    assert "BucketNotEmpty" in aws("s3", "rb", "s3://rocks", status=(1,))
    aws("s3", "rb", "s3://rocks", "--force")
    assert aws("s3", "ls") == ""


def test_the_aws_command_line_reads_every_setting_of_a_bucket(aws, tmp_path):
    (tmp_path / "rows.csv").write_text("433,Eros")
    aws("s3", "mb", "s3://rocks")
    aws("s3", "cp", "rows.csv", "s3://rocks/rows.csv", "--checksum-algorithm", "SHA256", "--sse", "aws:kms")

    def read(command, *arguments, status=(0,)):
        return aws("s3api", command, "--bucket", "rocks", *arguments, status=status)

    for setting in ("accelerate-configuration", "logging", "notification-configuration", "versioning"):
        assert read(f"get-bucket-{setting}") == ""
    for setting in ("acl", "encryption", "location", "ownership-controls", "request-payment"):
        json.loads(read(f"get-bucket-{setting}"))
    json.loads(read("get-public-access-block"))
    for setting in ("cors", "lifecycle-configuration", "policy", "policy-status", "replication", "tagging", "website"):
        answer = read(f"get-bucket-{setting}", status=(254, 255))  # of versions 2 and 1
        assert "NoSuch" in answer or "NotFound" in answer
    owner = "Rules=[{ObjectOwnership=BucketOwnerEnforced}]"
    read("put-bucket-ownership-controls", "--ownership-controls", owner)
    attributes = json.loads(read("get-object-attributes", "--key", "rows.csv", "--object-attributes", "Checksum"))
    assert list(attributes["Checksum"]) == ["ChecksumSHA256", "ChecksumType"]
    (version,) = json.loads(read("list-object-versions"))["Versions"]
    assert (version["Key"], version["VersionId"]) == ("rows.csv", "null")
    assert json.loads(read("head-object", "--key", "rows.csv"))["ServerSideEncryption"] == "aws:kms"


def test_the_aws_command_line_tunes_waits_and_stops(aws, tmp_path):
    rows = "".join(f"{n % 2},{n % 2 + n / 1000},{n % 7}\n" for n in range(400))
    for channel in ("train", "validation"):
        (tmp_path / f"{channel}.csv").write_text(rows)
    aws("s3", "mb", "s3://rocks")
    for channel in ("train", "validation"):
        aws("s3", "cp", f"{channel}.csv", f"s3://rocks/{channel}/rows.csv", "--no-progress")
    data = [
        {
            "ChannelName": channel,
            "ContentType": "text/csv",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://rocks/{channel}/"}},
        }
        for channel in ("train", "validation")
    ]
    definition = {
        "AlgorithmSpecification": {"TrainingImage": image_uri("eu-west-1"), "TrainingInputMode": "File"},
        "RoleArn": "arn:aws:iam::000000000000:role/asteroid-ll",
        "StaticHyperParameters": {"predictor_type": "binary_classifier", "mini_batch_size": "50", "epochs": "2"},
        "InputDataConfig": data,
        "OutputDataConfig": {"S3OutputPath": "s3://rocks/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }
    config = {
        "Strategy": "Grid",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:recall"},
        "ResourceLimits": {"MaxParallelTrainingJobs": 2},
        "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "wd", "Values": ["0", "0.1", "1"]}]},
    }
    (tmp_path / "definition.json").write_text(json.dumps(definition))
    (tmp_path / "config.json").write_text(json.dumps(config))

    def sagemaker(command, *arguments, status=(0,), name="comet"):
        answer = aws("sagemaker", command, "--hyper-parameter-tuning-job-name", name, *arguments, status=status)
        return json.loads(answer) if answer.startswith("{") else answer

    create = (
        *("create-hyper-parameter-tuning-job", "--hyper-parameter-tuning-job-config", "file://config.json"),
        *("--training-job-definition", "file://definition.json", "--tags", "Key=team,Value=rocks"),
    )
    arn = sagemaker(*create)["HyperParameterTuningJobArn"]
    job = sagemaker("describe-hyper-parameter-tuning-job")
    while job["HyperParameterTuningJobStatus"] == "InProgress":
        job = sagemaker("describe-hyper-parameter-tuning-job")
    assert (job["HyperParameterTuningJobStatus"], job["TrainingJobStatusCounters"]["Completed"]) == ("Completed", 3)
    assert json.loads(aws("sagemaker", "list-tags", "--resource-arn", arn))["Tags"] == [
        {"Key": "team", "Value": "rocks"}
    ]
    by_value = ("--sort-by", "FinalObjectiveMetricValue", "--sort-order", "Descending", "--max-items", "2")
    listed = sagemaker("list-training-jobs-for-hyper-parameter-tuning-job", *by_value)["TrainingJobSummaries"]
    assert len(listed) == 2
    best = job["BestTrainingJob"]["TrainingJobName"]
    aws("sagemaker", "wait", "training-job-completed-or-stopped", "--training-job-name", best)
    assert aws("s3", "ls", f"s3://rocks/models/{best}/output/").endswith("model.tar.gz\n")
    definition["StaticHyperParameters"] |= {"epochs": "100000", "early_stopping_patience": "100000"}
    (tmp_path / "definition.json").write_text(json.dumps(definition))
    sagemaker(*create, name="long")
    sagemaker("stop-hyper-parameter-tuning-job", name="long")
    while (status := sagemaker("describe-hyper-parameter-tuning-job", name="long"))[
        "HyperParameterTuningJobStatus"
    ] in ("InProgress", "Stopping"):
        pass
    assert status["HyperParameterTuningJobStatus"] == "Stopped"
    assert status["TrainingJobStatusCounters"]["InProgress"] == 0
    assert "can't find a tuning job called other" in sagemaker(
        "delete-hyper-parameter-tuning-job", name="other", status=(254, 255)
    )


def test_the_commands_that_iam_setup_prints_can_be_pasted_into_a_shell(tmp_path):
    if shutil.which("aws") is None:
        pytest.skip("the AWS CLI is not installed")
    scope = Scope(
        bucket="b",
        swept_bucket="b",
        prefix="it's*a/prefix",
        role_arn="arn:aws-cn:iam::000000000000:role/of/learner",
        region="cn-north-1",
        account_id="000000000000",
        partition="aws-cn",
    )
    policy = "arn:aws-cn:iam::000000000000:policy/learner-caller"
    with Emulator(tmp_path / "state") as emulator, emulator.serve() as url:

        def paste(*lines):
            done = subprocess.run(
                ["/bin/sh", "-e"],
                input="\n".join(lines),
                cwd=tmp_path,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(tmp_path),
                    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
                    "AWS_SECRET_ACCESS_KEY": "secret",
                    "AWS_DEFAULT_REGION": "cn-north-1",
                    "AWS_DEFAULT_OUTPUT": "json",
                    "AWS_ENDPOINT_URL": url,
                },
                check=False,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        commands = setup(scope, repo="me@1/rocks@2", branch="release/*").commands
        paste(*(line for line in commands if "create-open-id-connect-provider" not in line))  # not in the emulator
        iam = emulator.session("cn-north-1").client("iam")
        assert iam.get_role(RoleName="learner")["Role"]["AssumeRolePolicyDocument"] == trust_policy(scope)
        inline = iam.get_role_policy(RoleName="learner", PolicyName="asteroid-ll")
        assert inline["PolicyDocument"] == role_policy(scope)
        stored = iam.get_policy_version(PolicyArn=policy, VersionId="v1")["PolicyVersion"]
        assert stored["Document"] == caller_policy(scope)
        github = json.loads(paste("aws iam get-role --role-name learner-github"))["Role"]["AssumeRolePolicyDocument"]
        assert github == oidc_trust(scope, repo="me@1/rocks@2", branch="release/*")
        attached = json.loads(paste("aws iam list-attached-role-policies --role-name learner-github"))
        assert attached["AttachedPolicies"] == [{"PolicyName": "learner-caller", "PolicyArn": policy}]
