"""A training job is a real process in the container's contract, seen through AWS's API."""

import gzip
import io
import json
import os
import signal
import sys
import tarfile

import pytest

from asteroid_ll.emulator.ledger import open_intervals
from asteroid_ll.emulator.processes import ProcessId
from asteroid_ll.emulator.sagemaker import training
from asteroid_ll.linear_learner.images import image_uri

LOGS = "/aws/sagemaker/TrainingJobs"


@pytest.fixture(autouse=True)
def _account(stand_in, bucket):
    pass


@pytest.fixture
def log_text(client_of):
    def read(name="job-1"):
        logs = client_of("logs")
        streams = logs.describe_log_streams(logGroupName=LOGS, logStreamNamePrefix=name)["logStreams"]
        texts = []
        for stream in streams:
            page = logs.get_log_events(logGroupName=LOGS, logStreamName=stream["logStreamName"], startFromHead=True)
            texts += [event["message"] for event in page["events"]]
        return texts

    return read


def _waits(job_request, name="job-1", **more):
    return job_request(name, HyperParameters={"wish": "wait", **more})


def test_a_job_that_leaves_a_model_completes_with_the_artifact_in_the_bucket(emulator, sagemaker, job_request, ended):
    answer = sagemaker.create_training_job(**job_request())
    assert answer["TrainingJobArn"] == "arn:aws:sagemaker:us-west-2:000000000000:training-job/job-1"
    job = ended()
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == "s3://asteroids/out/job-1/output/model.tar.gz"
    stored = emulator.store.get("asteroids", "out/job-1/output/model.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(stored.path.read_bytes())) as archive:
        assert archive.getnames() == ["model_algo-1"]


def test_the_walk_of_states_carries_the_messages_of_aws(sagemaker, job_request, ended):
    sagemaker.create_training_job(**job_request())
    walk = [(step["Status"], step["StatusMessage"]) for step in ended()["SecondaryStatusTransitions"]]
    assert walk == [
        ("Starting", "Preparing the instances for training"),
        ("Downloading", "Downloading input data"),
        ("Training", "Training image download completed. Training in progress."),
        ("Uploading", "Uploading generated training model"),
        ("Completed", "Training job completed"),
    ]


def test_times_follow_each_other_and_are_billed(emulator, sagemaker, job_request, ended):
    sagemaker.create_training_job(**job_request(Tags=[{"Key": "owner", "Value": "me"}]))
    job = ended()
    assert job["CreationTime"] <= job["TrainingStartTime"] <= job["TrainingEndTime"]
    assert job["BillableTimeInSeconds"] >= 1
    (interval,) = emulator.ledger()
    assert interval.arn == job["TrainingJobArn"]
    assert (interval.instance_type, interval.instance_count, interval.tags) == ("ml.m5.large", 1, {"owner": "me"})
    assert interval.ended_s == pytest.approx(job["TrainingEndTime"].timestamp(), abs=0.01)
    assert open_intervals(emulator.state) == []


def test_nothing_that_was_not_set_is_in_the_description(sagemaker, job_request, ended):
    sagemaker.create_training_job(**job_request())
    job = ended()
    for member in ("VpcConfig", "FailureReason", "CheckpointConfig", "DebugHookConfig", "Environment", "TuningJobArn"):
        assert member not in job
    assert job["HyperParameters"] == {"wish": "model"}
    assert job["RoleArn"].endswith("role/trainer")


def test_the_description_has_the_defaults_that_aws_returns(sagemaker, job_request, ended):
    sagemaker.create_training_job(**job_request())
    job = ended()
    assert job["OutputDataConfig"] == {
        "S3OutputPath": "s3://asteroids/out",
        "KmsKeyId": "",
        "CompressionType": "GZIP",
    }
    (channel,) = job["InputDataConfig"]
    assert (channel["CompressionType"], channel["RecordWrapperType"]) == ("None", "None")
    assert job["ProfilingStatus"] == "Disabled"


def test_a_manifest_that_does_not_exist_is_refused(emulator, sagemaker, job_request, refused):
    request = job_request()
    request["InputDataConfig"][0]["DataSource"]["S3DataSource"] = {
        "S3DataType": "ManifestFile",
        "S3Uri": "s3://asteroids/lists/train.manifest",
    }
    code, message = refused(sagemaker.create_training_job, **request)
    assert code == "ValidationException"
    assert message.startswith('No S3 objects found under S3 URL "s3://asteroids/lists/train.manifest"')


def test_final_metrics_are_read_from_the_log_by_the_builtin_expressions(sagemaker, job_request, ended):
    sagemaker.create_training_job(**job_request())
    job = ended()
    assert {m["MetricName"]: m["Value"] for m in job["FinalMetricDataList"]} == {
        "train:progress": 100.0,
        "train:objective_loss": 0.25,
        "train:mse": 1.5,
    }
    definitions = {item["Name"] for item in job["AlgorithmSpecification"]["MetricDefinitions"]}
    assert {"train:mse", "validation:rmse", "train:binary_log_loss", "test:objective_loss"} <= definitions


def test_output_and_errors_of_the_container_are_the_log(sagemaker, job_request, ended, log_text):
    sagemaker.create_training_job(**job_request())
    ended()
    lines = log_text()
    assert lines[0] == "Docker entrypoint called with argument(s): train"
    assert "#quality_metric: host=algo-1, train mse <loss>=1.5" in lines


def test_the_container_finds_the_files_of_its_contract(emulator, sagemaker, job_request, ended, log_text):
    emulator.store.put("asteroids", "in/train/sub/part-1", [b"4\n"])
    emulator.store.put("asteroids", "in/train/", [b""])
    request = job_request(HyperParameters={"wish": "layout", "epochs": "3"})
    request["InputDataConfig"][0]["ContentType"] = "text/csv"
    sagemaker.create_training_job(**request)
    ended()
    files = json.loads(log_text()[1])
    assert json.loads(files.pop("input/config/hyperparameters.json")) == {"wish": "layout", "epochs": "3"}
    assert json.loads(files.pop("input/config/environment.json")) == {}
    assert json.loads(files.pop("input/config/inputdataconfig.json")) == {
        "train": {
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
            "ContentType": "text/csv",
        }
    }
    resources = json.loads(files.pop("input/config/resourceconfig.json"))
    assert (resources["current_host"], resources["hosts"]) == ("algo-1", ["algo-1"])
    assert files == {"input/data/train/part-0": "1,2,3\n", "input/data/train/sub/part-1": "4\n"}


def test_sharded_objects_are_dealt_out_to_the_hosts(emulator, sagemaker, job_request, ended, log_text):
    for number in range(1, 5):
        emulator.store.put("asteroids", f"in/train/part-{number}", [b"x"])
    request = job_request(HyperParameters={"wish": "layout"})
    request["ResourceConfig"]["InstanceCount"] = 2
    request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "ShardedByS3Key"
    sagemaker.create_training_job(**request)
    ended()
    layouts = [json.loads(line) for line in log_text() if line.startswith("{")]
    data = [sorted(name for name in layout if "/data/" in name) for layout in layouts]
    assert data == [
        ["input/data/train/part-0", "input/data/train/part-2", "input/data/train/part-4"],
        ["input/data/train/part-1", "input/data/train/part-3"],
    ]


def test_the_container_sees_the_contracts_variables_and_none_of_the_client(
    monkeypatch, sagemaker, job_request, ended, log_text
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    sagemaker.create_training_job(**job_request(HyperParameters={"wish": "environment"}, Environment={"MINE": "1"}))
    ended()
    seen = json.loads(log_text()[1])
    assert (seen.get("MINE"), seen["TRAINING_JOB_NAME"]) == (None, "job-1")
    assert "canary" not in seen.values()


@pytest.mark.parametrize(("callers", "n_threads"), [(None, "1"), ("3", "3")])
def test_every_host_uses_one_blas_thread_unless_the_caller_chooses(
    monkeypatch, sagemaker, job_request, ended, client_of, callers, n_threads
):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    if callers:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", callers)
    request = job_request(HyperParameters={"wish": "environment"})
    request["ResourceConfig"]["InstanceCount"] = 2
    sagemaker.create_training_job(**request)
    ended()
    lines = client_of("logs").filter_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", filterPattern="CURRENT_HOST"
    )
    environments = [json.loads(event["message"]) for event in lines["events"]]
    assert sorted(environment["CURRENT_HOST"] for environment in environments) == ["algo-1", "algo-2"]
    assert {environment["OPENBLAS_NUM_THREADS"] for environment in environments} == {n_threads}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("ClientError: Unable to parse csv", "ClientError: Unable to parse csv"),
        ("it broke", "AlgorithmError: it broke, exit code: 1"),
    ],
)
def test_the_failure_file_is_the_failure_reason(sagemaker, job_request, ended, words, reason):
    sagemaker.create_training_job(**job_request(HyperParameters={"wish": "fail", "words": words}))
    job = ended()
    assert (job["TrainingJobStatus"], job["FailureReason"]) == ("Failed", reason)
    assert "ModelArtifacts" not in job


def test_an_exit_code_without_a_failure_file_is_the_failure_reason(sagemaker, job_request, ended):
    sagemaker.create_training_job(**job_request(HyperParameters={"wish": "exit", "code": "7"}))
    assert ended()["FailureReason"] == "AlgorithmError: , exit code: 7"


def test_a_container_that_leaves_no_model_fails_the_job(sagemaker, job_request, ended):
    sagemaker.create_training_job(**job_request(HyperParameters={"wish": "no model"}))
    job = ended()
    assert job["TrainingJobStatus"] == "Failed"
    assert "without a model" in job["FailureReason"]


def test_a_job_that_is_stopped_gets_sigterm_and_keeps_what_it_saved(emulator, sagemaker, job_request, ended, log_text):
    sagemaker.create_training_job(**_waits(job_request, model="yes"))
    ended(until=lambda job: job["SecondaryStatus"] == "Training" and "waiting" in _lines(log_text))
    sagemaker.stop_training_job(TrainingJobName="job-1")
    job = ended()
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert [step["Status"] for step in job["SecondaryStatusTransitions"]][-2:] == ["Stopping", "Stopped"]
    assert "stopping" in log_text()
    assert job["ModelArtifacts"]["S3ModelArtifacts"].endswith("job-1/output/model.tar.gz")
    assert open_intervals(emulator.state) == []


def _lines(log_text):
    try:
        return log_text()
    except Exception:  # the stream may not be there yet
        return []


def test_a_job_that_is_stopped_before_its_worker_started_ends_stopped(sagemaker, job_request, ended):
    sagemaker.create_training_job(**_waits(job_request))
    sagemaker.stop_training_job(TrainingJobName="job-1")
    assert ended()["TrainingJobStatus"] == "Stopped"


def test_the_run_time_limit_stops_the_job(emulator, sagemaker, job_request, ended):
    sagemaker.create_training_job(**_waits(job_request) | {"StoppingCondition": {"MaxRuntimeInSeconds": 1}})
    job = ended()
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_job_that_has_ended_cannot_be_stopped(sagemaker, job_request, ended, refused):
    sagemaker.create_training_job(**job_request())
    ended()
    assert refused(sagemaker.stop_training_job, TrainingJobName="job-1") == (
        "ValidationException",
        "The request was rejected because the training job is in status Completed.",
    )


def test_a_worker_that_is_killed_fails_the_job_at_the_next_look(emulator, sagemaker, job_request, ended):
    sagemaker.create_training_job(**_waits(job_request))
    ended(until=lambda _: emulator.services.jobs.get("us-west-2", "job-1").body.get("containers"))
    body = emulator.services.jobs.get("us-west-2", "job-1").body
    container = ProcessId(body["containers"][0]["pid"], body["containers"][0]["started"])
    assert container.is_alive()
    os.kill(body["worker"]["pid"], signal.SIGKILL)
    job = ended()
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("InternalServerError")
    assert open_intervals(emulator.state) == []
    while container.is_alive():
        pass


def test_a_name_can_be_used_once(sagemaker, job_request, ended, refused):
    sagemaker.create_training_job(**job_request())
    code, message = refused(sagemaker.create_training_job, **job_request())
    assert code == "ResourceInUse"
    assert message.startswith("Training job names must be unique within an AWS account and region")
    assert "arn:aws:sagemaker:us-west-2:000000000000:training-job/job-1" in message
    ended()


def test_of_two_creates_that_check_the_name_at_once_one_is_refused(
    emulator, sagemaker, job_request, refused, monkeypatch
):
    check = training.check

    def check_after_another(call, request):
        monkeypatch.setattr(training, "check", check)
        sagemaker.create_training_job(**_waits(job_request))
        check(call, request)

    monkeypatch.setattr(training, "check", check_after_another)
    code, message = refused(sagemaker.create_training_job, **_waits(job_request))
    assert code == "ResourceInUse"
    assert message.startswith("Training job names must be unique")
    assert len(open_intervals(emulator.state)) == 1
    sagemaker.stop_training_job(TrainingJobName="job-1")


def test_a_job_that_was_deleted_leaves_its_name_free(sagemaker, job_request, ended, refused):
    sagemaker.create_training_job(**_waits(job_request))
    assert refused(sagemaker.delete_training_job, TrainingJobName="job-1")[0] == "ResourceInUse"
    sagemaker.stop_training_job(TrainingJobName="job-1")
    ended()
    sagemaker.delete_training_job(TrainingJobName="job-1")
    sagemaker.create_training_job(**job_request())
    assert ended()["TrainingJobStatus"] == "Completed"


def test_a_job_of_one_region_is_not_seen_in_another(sagemaker, client_of, job_request, ended, refused):
    sagemaker.create_training_job(**job_request())
    ended()
    east = client_of("sagemaker", "us-east-1")
    assert refused(east.describe_training_job, TrainingJobName="job-1") == (
        "ValidationException",
        "Requested resource not found.",
    )
    assert east.list_training_jobs()["TrainingJobSummaries"] == []


@pytest.mark.parametrize(
    ("changes", "message_part"),
    [
        ({"RoleArn": "arn:aws:iam::111111111111:role/trainer"}, "Could not assume role arn:aws:iam::111111111111"),
        (
            {"OutputDataConfig": {"S3OutputPath": "s3://none/out"}},
            'bucket "none" exists in the selected region',
        ),
        (
            {"AlgorithmSpecification": {"TrainingImage": image_uri("us-east-1"), "TrainingInputMode": "File"}},
            "Invalid DNS suffix 'amazonaws.com' for region 'us-east-1' in training image. Please provide the valid "
            "<region>.<dns-suffix>: 'us-west-2.amazonaws.com'",
        ),
        (
            {"AlgorithmSpecification": {"TrainingImage": "busybox:1", "TrainingInputMode": "File"}},
            "Cannot find the requested image: busybox:1",
        ),
        (
            {
                "AlgorithmSpecification": {
                    "TrainingImage": image_uri("us-west-2") + "-1999",
                    "TrainingInputMode": "File",
                }
            },
            "Cannot find the requested image: 174872318107.dkr.ecr.us-west-2.amazonaws.com/linear-learner:1-1999",
        ),
        (
            {"OutputDataConfig": {"S3OutputPath": "s3://asteroids/out", "CompressionType": "NONE"}},
            "no OutputDataConfig.CompressionType NONE",
        ),
        ({"ResourceConfig": None}, "ResourceConfig needs InstanceType and InstanceCount and VolumeSizeInGB"),
    ],
    ids=["role", "output", "region of the image", "image", "tag", "compression", "resources"],
)
def test_what_aws_refuses_is_refused(sagemaker, job_request, refused, changes, message_part):
    code, message = refused(sagemaker.create_training_job, **job_request(**changes))
    assert code == "ValidationException"
    assert message_part in message


def test_constraints_of_the_service_model_are_refused_in_the_format_of_aws(sagemaker, job_request, refused):
    request = job_request("-bad-")
    request["ResourceConfig"]["InstanceType"] = "ml.tiny"
    code, message = refused(sagemaker.create_training_job, **request)
    assert code == "ValidationException"
    assert message.startswith("2 validation errors detected: ")
    assert "Value '-bad-' at 'trainingJobName' failed to satisfy constraint: Member must satisfy regular" in message
    assert (
        "Value 'ml.tiny' at 'resourceConfig.instanceType' failed to satisfy constraint: Member must satisfy enum value "
        "set: [" in message
    )


@pytest.mark.parametrize("place", ["no such prefix", "no such bucket", "another region", "another account"])
def test_input_that_cannot_be_listed_is_named(emulator, sagemaker, job_request, refused, place):
    emulator.store.create_bucket("far", region="eu-west-1")
    emulator.store.put("far", "x", [b"1"])
    emulator.store.create_bucket("strange", region="us-west-2", owner="111111111111")
    emulator.store.put("strange", "x", [b"1"])
    uri = {
        "no such prefix": "s3://asteroids/nothing",
        "no such bucket": "s3://missing/x",
        "another region": "s3://far/x",
        "another account": "s3://strange/x",
    }[place]
    request = job_request()
    request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = uri
    code, message = refused(sagemaker.create_training_job, **request)
    assert code == "ValidationException"
    assert message.startswith(
        f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that'
    )
    assert "exists in the selected region (us-west-2)" in message


def test_a_quota_is_a_limit_of_instances_that_run_at_once(emulator, sagemaker, job_request, refused, ended):
    emulator.configure(quotas={"ml.m5.large for training job usage": 1})
    sagemaker.create_training_job(**_waits(job_request))
    code, message = refused(sagemaker.create_training_job, **job_request("job-2"))
    assert code == "ResourceLimitExceeded"
    assert message.startswith(
        "The account-level service limit 'ml.m5.large for training job usage' is 1 Instances, with current "
        "utilization of 1 Instances and a request delta of 1 Instances."
    )
    # A create that is sent again after a lost answer must not count its own instance.
    assert refused(sagemaker.create_training_job, **_waits(job_request))[0] == "ResourceInUse"
    sagemaker.stop_training_job(TrainingJobName="job-1")
    ended()
    sagemaker.create_training_job(**job_request("job-2"))
    ended("job-2")


def test_a_new_job_can_be_invisible_for_a_while(emulator, sagemaker, job_request, refused, ended):
    emulator.configure(invisible_polls=2)
    sagemaker.create_training_job(**job_request())
    for _ in range(2):
        assert refused(sagemaker.describe_training_job, TrainingJobName="job-1")[1] == "Requested resource not found."
    ended()


def test_the_same_model_gives_the_same_artifact_but_for_times(emulator, sagemaker, job_request, ended):
    members = []
    for name in ("job-1", "job-2"):
        sagemaker.create_training_job(**job_request(name))
        ended(name)
        stored = emulator.store.get("asteroids", f"out/{name}/output/model.tar.gz")
        with tarfile.open(fileobj=io.BytesIO(stored.path.read_bytes())) as archive:
            (member,) = archive.getmembers()
            members.append((member.name, member.mode, member.uid, archive.extractfile(member).read()))
    assert members[0] == members[1]


def test_lists_are_filtered_ordered_and_paged(sagemaker, job_request, ended):
    for number in range(3):
        sagemaker.create_training_job(**job_request(f"job-{number}"))
    sagemaker.create_training_job(**job_request("other", HyperParameters={"wish": "exit", "code": "1"}))
    for name in ("job-0", "job-1", "job-2", "other"):
        ended(name)
    first = sagemaker.list_training_jobs(NameContains="job", SortBy="Name", SortOrder="Descending", MaxResults=2)
    assert [job["TrainingJobName"] for job in first["TrainingJobSummaries"]] == ["job-2", "job-1"]
    rest = sagemaker.list_training_jobs(
        NameContains="job", SortBy="Name", SortOrder="Descending", MaxResults=2, NextToken=first["NextToken"]
    )
    assert [job["TrainingJobName"] for job in rest["TrainingJobSummaries"]] == ["job-0"]
    assert "NextToken" not in rest
    failed = sagemaker.list_training_jobs(StatusEquals="Failed")["TrainingJobSummaries"]
    assert [job["TrainingJobName"] for job in failed] == ["other"]
    everything = sagemaker.get_paginator("list_training_jobs").paginate(PaginationConfig={"PageSize": 1})
    assert len([job for page in everything for job in page["TrainingJobSummaries"]]) == 4


@pytest.mark.parametrize(
    ("keys", "message_part"),
    [
        (["in/train/../../../../../outside"], "leads out of the folder"),
        (["in/train/a", "in/train/a/b"], "cannot be a file"),
    ],
    ids=["outside", "file and folder"],
)
def test_keys_that_cannot_be_files_fail_the_job(emulator, sagemaker, job_request, ended, keys, message_part):
    for key in keys:
        emulator.store.put("asteroids", key, [b"x"])
    sagemaker.create_training_job(**job_request())
    job = ended()
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: Data download failed: ")
    assert message_part in job["FailureReason"]
    assert open_intervals(emulator.state) == []


def test_a_compressed_channel_is_unpacked(emulator, sagemaker, job_request, ended, log_text):
    emulator.store.put("asteroids", "in/train/part-0", [gzip.compress(b"7,8\n")])
    request = job_request(HyperParameters={"wish": "layout"})
    request["InputDataConfig"][0]["CompressionType"] = "Gzip"
    sagemaker.create_training_job(**request)
    ended()
    assert json.loads(log_text()[1])["input/data/train/part-0"] == "7,8\n"


def test_one_object_can_be_a_channel(sagemaker, job_request, ended, log_text):
    request = job_request(HyperParameters={"wish": "layout"})
    request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = "s3://asteroids/in/train/part-0"
    sagemaker.create_training_job(**request)
    ended()
    assert json.loads(log_text()[1])["input/data/train/part-0"] == "1,2,3\n"


def test_spot_training_needs_a_time_to_wait(sagemaker, job_request, refused, ended):
    assert (
        "Invalid MaxWaitTimeInSeconds"
        in (refused(sagemaker.create_training_job, **job_request(EnableManagedSpotTraining=True))[1])
    )
    stopping = {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}
    assert (
        "Invalid MaxWaitTimeInSeconds"
        in (refused(sagemaker.create_training_job, **job_request(StoppingCondition=stopping))[1])
    )
    sagemaker.create_training_job(**job_request(EnableManagedSpotTraining=True, StoppingCondition=stopping))
    assert ended()["EnableManagedSpotTraining"] is True


def test_a_failure_of_one_host_ends_the_others(emulator, sagemaker, job_request, ended, tmp_path):
    script = tmp_path / "hosts.py"
    script.write_text(
        "import json, pathlib, sys, time\n"
        "root = pathlib.Path(sys.argv[2])\n"
        "if json.loads((root / 'input/config/resourceconfig.json').read_text())['current_host'] == 'algo-2':\n"
        "    sys.exit(5)\n"
        "while True:\n"
        "    time.sleep(0.01)\n"
    )
    emulator.configure(container_command=(sys.executable, "-S", str(script)))
    request = job_request()
    request["ResourceConfig"]["InstanceCount"] = 2
    sagemaker.create_training_job(**request)
    assert ended()["FailureReason"] == "AlgorithmError: The host algo-2 left the job, exit code: 5"
    assert emulator.ledger()[0].instance_count == 2


def test_a_container_that_ignores_sigterm_is_killed_after_the_grace_time(
    emulator, sagemaker, job_request, ended, tmp_path
):
    script = tmp_path / "stubborn.py"
    script.write_text(
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('deaf')\n"
        "while True:\n"
        "    time.sleep(0.01)\n"
    )
    emulator.configure(container_command=(sys.executable, "-S", str(script)), stop_grace_s=0.1)
    sagemaker.create_training_job(**job_request())
    ended(until=lambda _: emulator.services.jobs.get("us-west-2", "job-1").body.get("containers"))
    sagemaker.stop_training_job(TrainingJobName="job-1")
    job = ended()
    assert job["TrainingJobStatus"] == "Stopped"
    assert "ModelArtifacts" not in job
