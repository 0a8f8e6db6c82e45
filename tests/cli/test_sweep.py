"""Sweep finds what runs have left on an account, deletes it, and touches nothing else. The ledger is the oracle."""

from __future__ import annotations

import json
import os
import pty
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from asteroid_ll import Emulator, LinearLearnerClassifier
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.worker.log import LogStore

ACCOUNT_ID = "000000000000"
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2")


@pytest.fixture(scope="session")
def artifact(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("artifact") / "model.tar.gz"
    model = LinearLearnerClassifier(epochs=1, num_models=1, mini_batch_size=4).fit([[0.0], [1.0]] * 4, [0, 1] * 4)
    model.to_artifact(path)
    return path


def our_tags(*, expires_s: float | None = None, run: str = "elsewhere-1234") -> list[dict[str, str]]:
    tags = {"asteroid-ll": "owned", "asteroid-ll:fingerprint": "abc", "asteroid-ll:run": run}
    if expires_s is not None:
        tags["asteroid-ll:expires"] = str(int(expires_s))
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def write_log(emulator: Emulator, group: str, stream: str) -> None:
    with closing(State(emulator.directory)) as state:
        LogStore(state).append("us-east-1", group, stream, lines=[(time.time(), "a line")])


class Account:
    """The emulated account of an empty run directory, and the command line in front of it."""

    def __init__(self, emulator: Emulator, place, artifact: Path, planting) -> None:
        self.emulator = emulator
        self.workdir = place.workdir
        self._place = place
        self._artifact = artifact
        self._planting = planting

    def region(self, name: str = "us-east-1"):
        return self._planting.Region(self.emulator, name, self._artifact)

    def run(self, *arguments: str, **more):
        return self._place.run(*arguments, config=None, **more)

    def start(self, *arguments: str, **more):
        return self._place.start(*arguments, config=None, **more)

    def sweep(self, *arguments: str, **more):
        return self.run("sweep", *arguments, **more)

    def billed(self) -> list[str]:
        """The names of the jobs and endpoints that are billed now, from the ledger."""
        return sorted(item.arn.rpartition("/")[2] for item in self.emulator.ledger() if item.ended_s is None)


@pytest.fixture
def account(workbench, zygote, tmp_path, artifact, planting):
    place = workbench.Place(tmp_path, zygote)
    with Emulator(place.state) as emulator:
        emulator.configure(training_starting_s=3600.0, stop_grace_s=0.1)
        yield Account(emulator, place, artifact, planting)


def plant_ten(region) -> None:
    for number in range(2):
        region.endpoint(f"asteroid-ll-leak{number}", our_tags())
    region.model("asteroid-ll-orphan", our_tags())
    region.config("asteroid-ll-orphan", our_tags(), model="asteroid-ll-orphan")
    region.job("asteroid-ll-job", our_tags())
    region.upload("asteroid-ll/train/part-0.pbr")


def test_leaks_in_five_regions_are_found_and_deleted_and_nothing_else(account):
    regions = [account.region(name) for name in REGIONS]
    theirs = [{"Key": "team", "Value": "other"}]
    regions[0].job("asteroid-ll-lookalike", theirs)
    for region in regions:
        region.endpoint("asteroid-ll-lookalike", theirs)
        region.model("my-asteroid-ll-demo", our_tags())
        region.upload("asteroid-ll-other/part-0")
    before = [region.names() for region in regions]
    for region in regions:
        plant_ten(region)
    # An endpoint outlives its configuration. A model alone takes the place of that one.
    regions[0].sagemaker.delete_endpoint_config(EndpointConfigName="asteroid-ll-leak0")
    regions[0].model("asteroid-ll-alone", our_tags())
    regions[0].processing_job("asteroid-ll-stage", our_tags())
    chosen = [argument for name in REGIONS for argument in ("--region", name)]
    listed = account.sweep("--all", "--dry-run", "--json", *chosen)
    assert listed.code == 0, listed.err
    assert len(listed.json["resources"]) == 51
    assert len(account.billed()) == 5 * (2 + 1) + 6 + 1
    ended = account.sweep("--all", "--json", *chosen)
    assert ended.code == 0, ended.err
    assert Counter(item["outcome"] for item in ended.json["resources"]) == {"deleted": 51}
    assert ended.json["billing"] == {"open": []}
    assert [region.names() for region in regions] == before
    assert account.billed() == ["asteroid-ll-lookalike"] * 6


def test_without_a_selection_nothing_is_searched_and_all_three_are_named(account):
    ended = account.sweep("--json")
    assert ended.code == 2
    assert all(name in ended.json["error"]["what"] for name in ("--expired", "--older-than", "--all"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--all", "--expired"), "one of"),
        (("--older-than", "soon"), "2h"),
        (("--expired", "--objects"), "no expiry"),
        (("--all", "--region", "x", "--all-regions"), "excludes"),
        (("--all", "--region", "Mars!"), "Mars!"),
    ],
    ids=["two-selections", "no-duration", "objects-expire-never", "both-regions", "no-region"],
)
def test_a_contradiction_is_one_sentence(account, arguments, words):
    ended = account.sweep(*arguments, "--json")
    assert ended.code == 2
    assert words in ended.json["error"]["what"]


def test_a_directory_without_an_emulator_has_nothing_to_sweep_and_stays_empty(place):
    ended = place.run("sweep", "--all", config=None)
    assert ended.code == 0
    assert "Nothing to sweep" in ended.out
    assert not place.workdir.exists()


def test_expired_selects_by_the_tag_of_keep_for_h_alone(account):
    region = account.region()
    region.endpoint("asteroid-ll-late", our_tags(expires_s=time.time() - 3 * 3600))
    region.endpoint("asteroid-ll-kept", our_tags(expires_s=time.time() + 3600))
    region.job("asteroid-ll-job", our_tags())
    listed = account.sweep("--expired", "--dry-run")
    assert "asteroid-ll-late" in listed.out
    assert "3.0 h" in listed.out
    assert "elsewhere-1234" in listed.out
    assert "3 resources to delete, 0.230 USD an hour. 4 resources not selected." in listed.out
    assert len(account.billed()) == 3
    ended = account.sweep("--expired", "--json")
    assert ended.code == 0, ended.err
    assert account.billed() == ["asteroid-ll-job", "asteroid-ll-kept"]
    assert [item["name"] for item in ended.json["billing"]["open"]] == ["asteroid-ll-kept", "asteroid-ll-job"]


def test_older_than_selects_by_age(account):
    region = account.region()
    region.endpoint("asteroid-ll-new", our_tags())
    assert "Nothing to sweep in us-east-1. 3 resources not selected." in account.sweep("--older-than", "2h").out
    assert account.billed() == ["asteroid-ll-new"]
    assert "3 resources deleted, absence proven by listing." in account.sweep("--older-than", "0s").out
    assert account.billed() == []


def test_a_resource_whose_tags_cannot_be_read_is_named_and_left_and_the_others_go(account):
    region = account.region()
    for name in ("asteroid-ll-one", "asteroid-ll-two"):
        region.endpoint(name, our_tags())
    ended = account.sweep("--all", "--json", faults="sagemaker:ListTags:1:before:access-denied")
    assert ended.code == 6
    ((unknown,), open_now) = ended.json["unknown"], ended.json["billing"]["open"]
    assert open_now is None
    assert account.billed() == [unknown["name"]]
    assert f"endpoint {unknown['name']} in us-east-1" in ended.json["error"]["what"]
    assert "sagemaker:ListTags" in ended.json["error"]["what"]


@pytest.mark.parametrize(("operation", "n_left"), [("DeleteEndpoint", 3), ("DeleteModel", 1), ("StopTrainingJob", 1)])
def test_one_refused_deletion_does_not_keep_the_others(account, operation, n_left):
    region = account.region()
    region.endpoint("asteroid-ll-one", our_tags())
    region.job("asteroid-ll-job", our_tags())
    ended = account.sweep("--all", "--json", faults=f"sagemaker:{operation}:*:before:access-denied")
    assert ended.code == 6
    assert f"sagemaker:{operation}" in ended.json["error"]["what"]
    assert Counter(item["outcome"] for item in ended.json["resources"]) == {"deleted": 4 - n_left, "left": n_left}
    assert region.names().total() == n_left
    assert account.sweep("--all").code == 0
    assert (region.names(), account.billed()) == (Counter(), [])


def test_a_lost_answer_to_a_deletion_is_settled_by_the_listing(account):
    region = account.region()
    region.endpoint("asteroid-ll-one", our_tags())
    ended = account.sweep("--all", faults="sagemaker:DeleteModel:*:after:500")
    assert ended.code == 0, ended.err
    assert region.names() == Counter()


@pytest.mark.parametrize("operation", ["ListEndpoints", "ListModels"])
def test_a_listing_that_is_denied_is_never_an_empty_account(account, operation):
    account.region()
    ended = account.sweep("--all", "--json", faults=f"sagemaker:{operation}:*:before:access-denied")
    assert ended.code == 6
    assert ended.json["billing"]["open"] is None
    assert operation in ended.json["error"]["what"]


def test_objects_and_logs_go_only_on_request_and_only_ours(account):
    region = account.region()
    logs = account.emulator.session().client("logs")
    region.s3.put_object(Bucket=region.bucket, Key="asteroid-ll/output/model.tar.gz", Body=b"x")

    def keys() -> list[str]:
        return [item["Key"] for item in region.s3.list_objects_v2(Bucket=region.bucket)["Contents"]]

    for stream in ("asteroid-ll-job/algo-1-1", "their-job/algo-1-1"):
        write_log(account.emulator, "/aws/sagemaker/TrainingJobs", stream)
    for group in ("asteroid-ll-one", "theirs"):
        write_log(account.emulator, f"/aws/sagemaker/Endpoints/{group}", "AllTraffic/i-1")
    assert account.sweep("--all").code == 0
    assert "asteroid-ll/output/model.tar.gz" in keys()
    ended = account.sweep("--all", "--objects", "--logs")
    assert ended.code == 0, ended.err
    assert keys() == ["artifact/model.tar.gz", "artifact/rows.csv"]
    groups = {group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]}
    assert groups == {"/aws/sagemaker/TrainingJobs", "/aws/sagemaker/Endpoints/theirs"}
    streams = logs.describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs")["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == ["their-job/algo-1-1"]


@pytest.fixture
def served(account):
    """The same account behind HTTP, as `--set target=aws` reaches it."""
    with account.emulator.serve() as url:
        yield {"AWS_ENDPOINT_URL": url}


def test_all_on_an_account_is_refused_without_a_terminal_unless_confirmed(account, served, tmp_path):
    account.region().endpoint("asteroid-ll-one", our_tags())
    on_aws = ("--set", "target=aws", "--workdir", "nowhere")
    refused = account.sweep("--all", *on_aws, **served)
    assert (refused.code, account.billed()) == (2, ["asteroid-ll-one"])
    assert "--yes" in refused.err
    assert account.sweep("--all", "--dry-run", *on_aws, **served).code == 0
    ended = account.sweep("--all", "--yes", "--logs", "--objects", *on_aws, **served)
    assert ended.code == 0, ended.err
    assert account.billed() == []
    assert not (tmp_path / "nowhere").exists()


def test_status_and_teardown_show_what_other_runs_have_left_and_name_the_sweep(account):
    region = account.region()
    region.endpoint("asteroid-ll-late", our_tags(expires_s=time.time() - 3 * 3600))
    region.endpoint("asteroid-ll-kept", our_tags(expires_s=time.time() + 3600, run="third"))
    region.endpoint("production", [])
    for command in ("status", "teardown"):
        ended = account.run(command)
        assert ended.code == 0, ended.err
        printed = ended.out + ended.err
        assert "1 endpoint of another run expired 3.0 h ago:   asteroid-ll sweep --expired\n" in printed
        assert "1 endpoint of another run is billed:   asteroid-ll sweep --all --dry-run\n" in printed
        assert "production" not in printed
    assert account.billed() == ["asteroid-ll-kept", "asteroid-ll-late", "production"]
    elsewhere = account.run("status", "--workdir", str(account.workdir)).out
    assert f"another run expired 3.0 h ago:   asteroid-ll sweep --workdir {account.workdir} --expired\n" in elsewhere
    assert account.sweep("--expired").code == 0
    assert "expired" not in account.run("status").out


def test_run_all_warns_of_expired_resources_of_other_runs_alone(trained, artifact, planting):
    with Emulator(trained.state) as emulator:
        region = planting.Region(emulator, "us-east-1", artifact, key="asteroid-ll/planted")
        region.endpoint("asteroid-ll-late", our_tags(expires_s=time.time() - 3 * 3600))
        region.endpoint("asteroid-ll-kept", our_tags(expires_s=time.time() + 3600))
        ended = trained.run("run-all", "--json")
        assert ended.code == 0, ended.err
        assert "1 endpoint of another run expired 3.0 h ago:   asteroid-ll sweep --expired\n" in ended.err
        assert "is billed" not in ended.err
        assert ended.json["billing"] == {"open": []}
        assert trained.run("sweep", "--all", config=None).code == 0


def test_the_printed_policy_has_exactly_the_permissions_that_the_commands_use(prepared, artifact, planting, tmp_path):
    calls = tmp_path / "calls"
    with Emulator(prepared.state) as emulator:
        for line in ("run-all --keep", "status", "teardown", "sweep --all --objects --logs"):
            if line.startswith("sweep"):
                emulator.configure(training_starting_s=3600.0, stop_grace_s=0.1)
                region = planting.Region(emulator, "us-east-1", artifact, key="asteroid-ll/planted")
                plant_ten(region)
                region.processing_job("asteroid-ll-stage", our_tags())
                write_log(emulator, "/aws/sagemaker/Endpoints/asteroid-ll-one", "AllTraffic/i-1")
                killed = {"faults": "sagemaker:DescribeTransformJob:3:after:kill", "calls": calls}
                assert prepared.run("predict", "--batch", "--force", **killed).code == -9
            ended = prepared.run(*line.split(), calls=calls)
            assert ended.code == 0, (line, ended.err)
    names = {"sagemaker-runtime": "sagemaker", "cloudwatch-logs": "logs"}
    permissions = {
        "HeadBucket": "ListBucket",
        "ListObjectsV2": "ListBucket",
        "HeadObject": "GetObject",
        "ListMultipartUploads": "ListBucketMultipartUploads",
    }
    asked = {tuple(json.loads(line)[:2]) for line in calls.read_text("utf-8").splitlines()}
    used = {f"{names.get(service, service)}:{permissions.get(name, name)}" for service, name in asked}
    used -= {name for name in used if name.startswith("socket:")}
    written = json.loads(prepared.run("iam", "caller-policy").out)
    allowed = {action for statement in written["Statement"] for action in statement["Action"]}
    assert used - allowed == {"sts:GetCallerIdentity"}  # AWS allows it to everybody
    implied = {"iam:PassRole", "sagemaker:AddTags"}  # CreateTrainingJob and CreateEndpoint need them
    on_account = {"pricing:GetProducts", "iam:GetRole", "iam:SimulatePrincipalPolicy"}
    on_account |= {"s3:GetEncryptionConfiguration", "s3:GetBucketPublicAccessBlock"}
    on_account |= {f"servicequotas:{name}" for name in ("GetServiceQuota", "ListServiceQuotas")}
    on_account |= {"servicequotas:GetAWSDefaultServiceQuota"}
    assert allowed - used == implied | on_account  # nobody asks for prices and checks an account on the emulator


def test_a_foreign_endpoint_whose_tags_are_denied_fails_neither_status_nor_teardown(account):
    account.region().endpoint("production", [])
    for command in ("status", "teardown"):
        ended = account.run(command, faults="sagemaker:ListTags:*:before:access-denied")
        assert ended.code == 0, ended.err
    assert account.billed() == ["production"]


def test_all_on_a_terminal_asks_before_it_deletes(account, served):
    account.region().endpoint("asteroid-ll-one", our_tags())
    ours, theirs = pty.openpty()
    os.write(ours, b"n\n")
    environment = {**os.environ, **served, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    with account.start("sweep", "--all", "--set", "target=aws", stdin=theirs, env=environment) as process:
        out, err = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 130
    assert "asteroid-ll-one" in out
    assert "Delete these 3? [y/N]:" in err
    assert account.billed() == ["asteroid-ll-one"]


def faults_of_a_sweep(operations: list[str]) -> list[str]:
    """Faults once and for good, before and after AWS did its work, for each operation."""
    kinds = ("throttle", "500", "access-denied", "expired-token", "reset", "truncated", "read-timeout")
    return [
        f"{operation}:{nth}:{phase}:{kind}"
        for operation in operations
        for kind in kinds
        for phase in ("before", "after")
        for nth in ("1", "*")
        if (kind, phase) != ("truncated", "before")
    ]


def test_a_fault_in_any_call_of_a_sweep_is_survived_or_named(account, workbench, tmp_path):
    region = account.region()

    def plant(number: int) -> None:
        region.endpoint("asteroid-ll-one", our_tags())
        region.job(f"asteroid-ll-job{number}", our_tags())
        region.upload("asteroid-ll/part-0")

    plant(0)
    assert account.sweep("--all", calls=tmp_path / "calls").code == 0
    lines = (tmp_path / "calls").read_text("utf-8").splitlines()
    operations = sorted({":".join(json.loads(line)[:2]) for line in lines} - {"socket:socket.__new__"})
    assert len(operations) >= 15
    faults = faults_of_a_sweep(operations)
    for number, fault in enumerate(faults if workbench.EXHAUSTIVE else faults[5::194], start=1):
        plant(number)
        ended = account.sweep("--all", "--json", faults=fault)
        named = ended.json["error"]["what"] if ended.code else ""
        assert ended.code in (0, 4, 5, 6), (fault, ended.err)
        assert "Traceback" not in ended.err, fault
        if ended.code in (0, 6):
            for kind, name in map(str.split, region.names()):
                assert f"{name} in us-east-1" in named or f"{kind}s in us-east-1" in named, (fault, named)
        assert ended.json["billing"]["open"] != [] or not account.billed(), fault
        assert account.sweep("--all").code == 0, fault
        assert (region.names(), account.billed()) == (Counter(), []), fault
