"""What an account of a company requires: jobs that go on alone, several instance types, a role to assume."""

from __future__ import annotations

import json

import pytest

from asteroid_ll import Emulator

KILLED = -9
ROLE = "arn:aws:iam::000000000000:role/data-team"
TYPES = ("--set", "training.instance_type=[ml.m5.large, ml.c5.xlarge]")


def records(place, event):
    """Return the jobs of the journal's records of one kind."""
    lines = map(json.loads, (place.workdir / "journal.jsonl").read_text("utf-8").splitlines())
    return [line.get("resource", "") for line in lines if (line["event"], line["stage"]) == (event, "train")]


@pytest.fixture(scope="module")
def uploaded_once(prepared_once, workbench, zygote, tmp_path_factory):
    """A place whose data are in S3; copy it, never change it."""
    place = workbench.copy_of(prepared_once, tmp_path_factory.mktemp("uploaded") / "place", zygote)
    ended = place.run("upload")
    assert ended.code == 0, ended.err
    return place


@pytest.fixture
def uploaded(new_place, uploaded_once):
    return new_place(like=uploaded_once)


def test_a_job_that_train_does_not_wait_for_is_taken_up_by_the_next_train_with_its_log(uploaded):
    started = uploaded.run("train", "--no-wait")
    assert started.code == 0, started.err
    (name,) = uploaded.names("training-job")
    assert f"job {name} is on its way" in started.err
    assert "asteroid-ll train   waits for it" in started.out
    assert f"Bill: open, and billing until   asteroid-ll teardown\n  {name}" in started.out
    assert f"{name} may still bill" in uploaded.run("status").out
    attached = uploaded.run("train", "--logs")
    assert attached.code == 0, attached.err
    assert "train     adopted" in attached.err
    assert "\nDocker entrypoint called with argument(s): train\n" in attached.err
    assert "#progress_metric: host=algo-1, completed 100.0 % of epochs" in attached.err
    assert uploaded.names("training-job") == [name]
    assert "Bill: nothing is open." in uploaded.run("status").out


def test_a_command_that_is_killed_between_two_types_goes_on_with_the_second(uploaded):
    uploaded.configure(types_without_capacity=("ml.m5.large",))
    killed = uploaded.run("train", *TYPES, faults="sagemaker:CreateTrainingJob:2:after:kill")
    assert killed.code == KILLED
    ended = uploaded.run("train", "--json", *TYPES)
    assert ended.code == 0, ended.err
    first, second = uploaded.names("training-job")
    assert second == f"{first}-2"
    assert (uploaded.status_of("training-job", first), ended.status_of("train")) == ("Failed", "adopted")
    assert json.loads(uploaded.bytes_of("train/job.json"))["instance_type"] == "ml.c5.xlarge"
    assert records(uploaded, "intent") == [first, second, second]
    assert records(uploaded, "gone") == [first, second]
    assert ended.json["bill"]["training"]["instances"] == "1 x ml.c5.xlarge"


def test_without_a_quota_for_a_type_the_next_one_is_taken_and_the_job_has_all_tags(uploaded):
    uploaded.configure(quotas={"ml.m5.large for training job usage": 0})
    ended = uploaded.run("train", "--no-wait", *TYPES, "--set", "tags={team: rocks}")
    assert ended.code == 0, ended.err
    assert "No ml.m5.large: the account has no quota. The next type is ml.c5.xlarge." in ended.err
    (name,) = uploaded.names("training-job")
    with Emulator(uploaded.state) as emulator:
        sagemaker = emulator.session().client("sagemaker")
        job = sagemaker.describe_training_job(TrainingJobName=name)
        tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"]}
    assert job["ResourceConfig"]["InstanceType"] == "ml.c5.xlarge"
    assert (tags["team"], tags["asteroid-ll"]) == ("rocks", "owned")


@pytest.fixture
def trusted(prepared):
    """A place whose account has a role that requires an external id."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "rocks/7"}},
    }
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    with Emulator(prepared.state) as emulator:
        iam = emulator.session().client("iam")
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.create_role(RoleName="data-team", AssumeRolePolicyDocument=document)
        policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
        iam.put_role_policy(RoleName="data-team", PolicyName="all", PolicyDocument=policy)
    return prepared


def test_a_role_is_assumed_by_later_commands_too(trusted, tmp_path):
    ended = trusted.run("upload", "--assume-role", ROLE, "--external-id", "rocks/7")
    assert ended.code == 0, ended.err
    calls = tmp_path / "calls"
    assert trusted.run("status", config=None, calls=calls).code == 0
    assert "AssumeRole" in calls.read_text("utf-8")
    stored = json.loads(trusted.bytes_of("run.json"))["config"]["account"]
    assert stored == {"assume_role": ROLE, "external_id": "rocks/7"}


def test_a_role_that_may_not_be_assumed_is_named(trusted):
    ended = trusted.run("upload", "--assume-role", ROLE)
    assert ended.code == 4
    assert "AWS denied sts:AssumeRole while" in ended.err
    assert ROLE in ended.err


def test_a_profile_that_does_not_exist_is_refused_with_those_that_do(place, tmp_path):
    settings = tmp_path / "config"
    settings.write_text("[profile work]\nregion = eu-west-1\n[default]\n", "utf-8")
    role = "role_arn=arn:aws:iam::111122223333:role/x"
    line = ("sweep", "--all", "--dry-run", "--profile", "wrok", "--set", "target=aws", "--set", role)
    ended = place.run(*line, AWS_CONFIG_FILE=str(settings))
    assert ended.code == 5
    assert "There is no profile wrok in the AWS settings of this machine." in ended.err
    assert "These exist: default, work." in ended.err


def test_a_key_that_was_not_stored_had_its_default(prepared):
    changed = ("--set", "training.spot=true", "--set", "kms.s3=alias/a", "--set", "tags={team: rocks}")
    shown = prepared.run("plan", "--set", "split.seed=0", *changed).err
    assert "training.spot: true, was false\n" in shown
    assert "kms.s3: alias/a, was null\n" in shown
    assert "tags.team: rocks, was null\n" in shown
    assert "network" not in shown
