"""A run directory knows its target, its account and its configuration, and touches no other run's resources."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from asteroid_ll import Emulator
from asteroid_ll.run.journal import Journal

AWS = """\
target: aws
role_arn: arn:aws:iam::000000000000:role/asteroid-ll
"""
NO_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
DUMMY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "test"}


@pytest.fixture
def account(tmp_path, workbench):
    """An account with the execution role, which is served over HTTP."""
    workbench.create_role(tmp_path / "account")
    with Emulator(tmp_path / "account") as emulator:
        yield emulator


@pytest.fixture
def on_aws(place, account):
    """Runs a command with the served account as AWS; only ``-c`` among the arguments names a configuration."""
    small = (place.folder / "small.yaml").read_text("utf-8")
    (place.folder / "aws.yaml").write_text(AWS + small, "utf-8")
    with account.serve() as url:
        yield lambda *arguments, **more: place.run(*arguments, config=None, AWS_ENDPOINT_URL=url, **DUMMY, **more)


def open_endpoints(account):
    """The endpoints that the ledger of the account bills now."""
    return [
        item.arn.rpartition("/")[2] for item in account.ledger() if item.ended_s is None and ":endpoint/" in item.arn
    ]


def records(workdir):
    return [json.loads(line) for line in (workdir / "journal.jsonl").read_text("utf-8").splitlines()]


def stored(workdir):
    return json.loads((workdir / "run.json").read_bytes())


def test_a_teardown_without_options_goes_to_the_account_of_the_run(on_aws, account, place):
    ended = on_aws("run-all", "--keep", "-c", "aws.yaml")
    assert ended.code == 0, ended.err
    (name,) = open_endpoints(account)
    torn_down = on_aws("teardown")
    assert torn_down.code == 0, torn_down.err
    assert open_endpoints(account) == []
    origin = {"run": stored(place.workdir)["run"], "target": "aws", "account": "000000000000", "region": "us-east-1"}
    assert all(record.items() >= origin.items() for record in records(place.workdir) if "resource" in record)
    assert records(place.workdir)[-1]["resource"] == name


def test_two_runs_of_the_same_content_have_their_own_endpoints(on_aws, account, place):
    assert on_aws("run-all", "--keep", "-c", "aws.yaml", "--workdir", "one").code == 0
    (first,) = open_endpoints(account)
    assert on_aws("run-all", "-c", "aws.yaml", "--workdir", "two").code == 0
    assert open_endpoints(account) == [first]
    assert on_aws("teardown", "--workdir", "two").code == 0
    assert open_endpoints(account) == [first]
    assert on_aws("teardown", "--workdir", "one").code == 0
    assert open_endpoints(account) == []


def test_a_run_on_an_account_warns_of_expired_resources_also_if_it_is_up_to_date(on_aws, place):
    assert on_aws("run-all", "-c", "aws.yaml").code == 0
    kept = on_aws("run-all", "--keep", "-c", "aws.yaml", "--workdir", "late", "--set", "hosting.keep_for_h=1e-9")
    assert kept.code == 0, kept.err
    again = on_aws("run-all", "--json")
    assert {stage["status"] for stage in again.json["stages"]} == {"skipped"}
    assert re.search(r"1 endpoint of another run expired .* ago:   asteroid-ll sweep --expired\n", again.err)
    unlisted = place.run("run-all", config=None, **NO_CREDENTIALS)
    assert unlisted.code == 0, unlisted.err
    assert "Whether another run has expired resources is unknown: " in unlisted.err


def test_a_copy_of_a_run_directory_is_another_run_and_a_moved_one_is_the_same(on_aws, account, place):
    assert on_aws("run-all", "--keep", "-c", "aws.yaml").code == 0
    (first,) = open_endpoints(account)
    shutil.copytree(place.workdir, place.folder / "copy")
    ended = on_aws("teardown", "--workdir", "copy", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["billing"] == {"open": []}
    assert "1 endpoint of another run is billed" in ended.err
    assert open_endpoints(account) == [first]
    assert on_aws("run-all", "--keep", "--force", "predict", "--workdir", "copy").code == 0
    assert len(open_endpoints(account)) == 2
    assert stored(place.folder / "copy")["run"] != stored(place.workdir)["run"]
    assert on_aws("teardown", "--workdir", "copy").code == 0
    assert open_endpoints(account) == [first]
    place.workdir.rename(place.folder / "moved")
    assert on_aws("teardown", "--workdir", "moved").code == 0
    assert open_endpoints(account) == []


@pytest.mark.parametrize("setting", ["target=aws", "region=eu-west-1"])
def test_another_place_than_the_run_is_on_is_refused(prepared, setting):
    before = prepared.bytes_of("run.json")
    role = ("--set", "role_arn=arn:aws:iam::000000000000:role/asteroid-ll")
    for command in ("run-all", "plan", "status", "teardown"):
        ended = prepared.run(command, "--json", "--set", setting, *role, config=None)
        assert ended.code == 2, ended.err
        assert "is on target emulator, region us-east-1" in ended.json["error"]["what"]
        assert ended.json["error"]["hint"]
    assert prepared.bytes_of("run.json") == before
    assert prepared.run("run-all", config=None).code == 0


def test_a_teardown_for_another_place_names_the_open_resources(trained):
    assert trained.run("run-all", "--keep", config=None).code == 0
    (name,) = trained.names("endpoint")
    ended = trained.run("teardown", "--json", config=None, ASTEROID_LL_REGION="eu-west-1")
    assert ended.code == 6
    assert name in ended.json["error"]["what"]
    assert len(trained.open_intervals()) == 1
    (trained.workdir / "run.json").write_text("{", "utf-8")
    ended = trained.run("teardown", "--json", config=None)
    assert ended.code == 6
    assert name in ended.json["error"]["what"]
    (trained.workdir / "run.json").unlink()
    assert trained.run("teardown", "--set", "region=eu-west-1", config=None).code == 6
    assert trained.run("teardown").code == 0
    assert trained.open_intervals() == []


def test_another_account_than_the_run_is_on_is_refused(on_aws, account, place):
    assert on_aws("run-all", "--until", "upload", "-c", "aws.yaml").code == 0
    known = stored(place.workdir)
    assert known["account"] == "000000000000"
    (place.workdir / "run.json").write_text(json.dumps({**known, "account": "111111111111"}), "utf-8")
    ended = on_aws("train", "--json")
    assert ended.code == 2
    assert "account 111111111111" in ended.json["error"]["what"]
    assert account.ledger() == []


def test_the_first_working_command_stores_the_identity(place):
    for command in ("plan", "status", "teardown", "run-all --dry-run", "fetch --dry-run"):
        assert place.run(*command.split()).code == 0
        assert not (place.workdir / "run.json").exists(), command
    assert place.run("fetch").code == 0
    assert (place.workdir / "run.json").stat().st_mode & 0o777 == 0o600
    identity = stored(place.workdir)
    assert identity["run"].startswith("asteroid-run-")
    assert (identity["target"], identity["region"], identity["account"]) == ("emulator", "us-east-1", "000000000000")
    assert identity["config"]["hyperparameters"]["epochs"] == "2"


def test_later_commands_need_no_configuration(finished):
    assert finished.run("run-all", "--set", "hyperparameters.epochs=3").code == 0
    ended = finished.run("predict", "--offline", "-i", "asteroids.csv", config=None)
    assert ended.code == 0, ended.err
    assert finished.run("report", "--force", config=None).code == 0
    steps = finished.run("plan", "--json", config=None).json["stages"]
    assert {step["name"] for step in steps if step["status"] == "run"} == set()
    assert len(finished.names("training-job")) == 2


def test_every_difference_from_the_stored_configuration_is_shown_and_stored_by_work(finished):
    seen = finished.run("plan", "--set", "hyperparameters.epochs=5", config=None, ASTEROID_LL_SPLIT__SEED="7")
    lines = seen.err.splitlines()
    assert lines == ["split.seed: 7, was 0", "hyperparameters.epochs: 5, was 2"]
    assert stored(finished.workdir)["config"]["split"]["seed"] == 0
    assert finished.run("fetch", "--set", "split.seed=7", config=None).err.startswith("split.seed: 7, was 0\n")
    assert stored(finished.workdir)["config"]["split"]["seed"] == 7
    assert finished.run("plan", config=None).err == ""
    assert finished.run("plan").err == "split.seed: 0, was 7\n"


def test_a_run_directory_keeps_its_run_when_it_is_moved_or_its_identity_is_lost(trained):
    assert trained.run("run-all", "--keep").code == 0
    run = stored(trained.workdir)["run"]
    (trained.workdir / "run.json").unlink()
    assert trained.run("fetch").code == 0
    assert stored(trained.workdir)["run"] == run
    trained.workdir.rename(trained.folder / "moved")
    (trained.folder / "moved" / "journal.jsonl").unlink()
    assert trained.run("teardown", "--workdir", "moved", config=None).code == 0
    trained.state = trained.folder / "moved" / "emulator"
    assert trained.open_intervals() == []


def test_a_run_directory_of_an_earlier_release_stays_on_its_target(finished):
    (finished.workdir / "run.json").unlink()
    lines = []
    for record in records(finished.workdir):
        plain = {name: value for name, value in record.items() if name not in ("run", "target", "account", "region")}
        if "target" in record.get("settings", {}):
            plain["settings"] = {**record["settings"], "target": "aws"}
        lines.append(json.dumps(plain) + "\n")
    (finished.workdir / "journal.jsonl").write_text("".join(lines), "utf-8")
    ended = finished.run("teardown", "--json")
    assert ended.code == 2
    assert "is on target aws" in ended.json["error"]["what"]


def test_a_kill_while_the_identity_is_written_is_repaired_by_the_next_command(new_place, tmp_path):
    recorded = new_place()
    assert recorded.run("fetch", disk={"record": str(tmp_path / "points")}).code == 0
    points = [point for point in (tmp_path / "points").read_text("utf-8").splitlines() if "run.json" in point]
    assert len(points) >= 3, points
    for point in points:
        place = new_place()
        assert place.run("fetch", disk={"at": point}).code == -9, point
        assert place.run("fetch", config=None if (place.workdir / "run.json").exists() else "small.yaml").code == 0, (
            point
        )
        assert stored(place.workdir)["config"]["source"]["location"] == "asteroids.csv"


def test_missing_credentials_name_what_a_teardown_leaves(on_aws, place):
    assert on_aws("fetch", "-c", "aws.yaml").code == 0
    name = "asteroid-ll-0000000000000000-00000000"
    journal = Journal(place.workdir / "journal.jsonl")
    journal.append("intent", stage="deploy", fingerprint="0" * 64, resource=name, bills="endpoint")
    ended = place.run("teardown", "--json", config=None, **NO_CREDENTIALS)
    assert ended.code == 5, ended.err
    assert name in ended.json["error"]["what"]
