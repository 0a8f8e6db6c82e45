"""``iam`` prints documents and commands, sends nothing unless the account is unknown, and changes nothing."""

from __future__ import annotations

import json
import shlex

import pytest

from asteroid_ll import Emulator
from asteroid_ll.cli import group
from asteroid_ll.config import template
from asteroid_ll.errors import ConfigError

ACCOUNT_ID = "123456789012"
DOCUMENTS = (
    ("caller-policy",),
    ("role-policy",),
    ("trust-policy",),
    ("oidc-trust", "--repo", "me@1/rocks@2"),
)


@pytest.fixture
def fresh(place):
    """A place with the example configuration for AWS, with a region and without a role."""
    (place.folder / "mine.yaml").write_text(
        template("aws").replace("<your region, such as eu-west-1>", "eu-west-1"), "utf-8"
    )
    return place


def option(command, name):
    words = shlex.split(command)
    return words[words.index(f"--{name}") + 1]


def test_a_document_is_json_alone_on_stdout_and_needs_neither_network_nor_run_directory(place, tmp_path):
    calls = tmp_path / "calls"
    for document in DOCUMENTS:
        ended = place.run("iam", *document, calls=calls)
        assert ended.code == 0, ended.err
        assert json.loads(ended.out)["Version"] == "2012-10-17"
        assert "000000000000" in ended.out
        assert ended.err == "Account 000000000000 is the emulator's. For your own:   --account ID --set region=REGION\n"
    enveloped = place.run("iam", *document, "--json").json
    assert (enveloped["command"], enveloped["document"]) == (f"iam {document[0]}", json.loads(ended.out))
    assert not calls.exists() or calls.read_text("utf-8") == ""
    assert not place.workdir.exists()


def test_the_documents_are_for_the_configured_bucket_prefix_region_and_role(place):
    settings = {
        "target": "aws",
        "region": "cn-north-1",
        "bucket": "of-mine",
        "prefix": "rocks/a",
        "role_arn": f"arn:aws-cn:iam::{ACCOUNT_ID}:role/service-role/learner",
    }
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    resources = {
        resource
        for statement in json.loads(place.run("iam", "caller-policy", *words).out)["Statement"]
        for resource in statement["Resource"]
    }
    assert {
        "arn:aws-cn:s3:::of-mine",
        "arn:aws-cn:s3:::of-mine/rocks/a/*",
        f"arn:aws-cn:sagemaker:cn-north-1:{ACCOUNT_ID}:training-job/asteroid-ll-*",
        settings["role_arn"],
    } <= resources
    assert not any(resource.startswith("arn:aws:") for resource in resources)
    assert not any("asteroid-ll-123" in resource for resource in resources)
    setup = place.run("iam", "setup", "--dry-run", *words)
    assert option(setup.out.splitlines()[0], "path") == "/service-role/"


def test_a_fresh_account_gets_its_role_from_the_printed_commands(fresh):
    ended = fresh.run("iam", "setup", "--dry-run", "--account", ACCOUNT_ID, config="mine.yaml")
    assert ended.code == 0, ended.err
    create, put, create_policy = ended.out.splitlines()
    assert option(create, "role-name") == option(put, "role-name") == "asteroid-ll"
    objects = f"arn:aws:s3:::sagemaker-eu-west-1-{ACCOUNT_ID}-asteroid-ll/asteroid-ll/*"
    assert objects in option(put, "policy-document")
    assert objects in option(create_policy, "policy-document")
    # A sweep of all regions looks into each region's bucket, which has the region in its name.
    assert f'"arn:aws:s3:::sagemaker-*-{ACCOUNT_ID}-asteroid-ll"' in option(create_policy, "policy-document")
    role_arn = f"arn:aws:iam::{ACCOUNT_ID}:role/asteroid-ll"
    assert ended.err.endswith(f"\nThe configuration needs:   role_arn: {role_arn}\n")
    assert f"--policy-arn arn:aws:iam::{ACCOUNT_ID}:policy/asteroid-ll-caller\n" in ended.err
    later = fresh.run("iam", "setup", "--dry-run", "--set", f"role_arn={role_arn}", config="mine.yaml")
    assert (later.code, later.out) == (0, ended.out)
    assert fresh.run("plan", "--set", f"role_arn={role_arn}", config="mine.yaml").code == 0


def test_with_a_repository_the_commands_also_create_the_role_of_its_workflows(fresh):
    line = ("iam", "setup", "--dry-run", "--account", ACCOUNT_ID, "--repo", "me/rocks", "--environment", "aws")
    ended = fresh.run(*line, config="mine.yaml")
    assert len(ended.out.splitlines()) == 6
    assert "repo:me/rocks:environment:aws" in ended.out
    assert f"Workflows assume arn:aws:iam::{ACCOUNT_ID}:role/asteroid-ll-github.\n" in ended.err
    assert "gh api repos/me/rocks --jq" in ended.err
    made = fresh.run(*line, "--json", config="mine.yaml").json
    assert made["commands"] == ended.out.splitlines()
    assert made["caller_role_arn"] == f"arn:aws:iam::{ACCOUNT_ID}:role/asteroid-ll-github"


def test_an_account_that_nothing_names_is_that_of_the_credentials(fresh, tmp_path):
    with Emulator(tmp_path / "state") as emulator, emulator.serve() as url:
        ended = fresh.run("iam", "role-policy", config="mine.yaml", AWS_ENDPOINT_URL=url)
    assert ended.code == 0, ended.err
    assert "arn:aws:s3:::sagemaker-eu-west-1-000000000000-asteroid-ll" in ended.out
    assert ended.err == ""


def test_without_credentials_the_message_names_the_option_that_needs_none(fresh):
    missing = {
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), ""),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    ended = fresh.run("iam", "trust-policy", config="mine.yaml", **missing)
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.endswith(" Or name the account: --account ID.\n")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("setup --dry-run --branch main", "--branch and --environment go with --repo."),
        ("setup --dry-run --repo me", "'me' is not a GitHub repository."),
        ("oidc-trust --repo me/rocks --branch a --environment b", "--branch excludes --environment."),
        ("trust-policy --account 123", "'123' is not an account's 12 digits."),
        ("trust-policy --set role_arn=arn:aws:iam::1:role/x", "role_arn"),
        ("trust-policy --set target=aws --set role_arn=asteroid-ll", "role_arn"),
        (
            f"trust-policy --set role_arn=arn:aws:iam::{ACCOUNT_ID}:role/x --account 111122223333",
            f"role_arn is in account {ACCOUNT_ID}, not in 111122223333",
        ),
        (
            f"trust-policy --set role_arn=arn:aws:iam::{ACCOUNT_ID}:role/x --set region=cn-north-1",
            "role_arn is in partition aws, and region cn-north-1 is in aws-cn.",
        ),
        ("trust-policy --set region=zz-top-1", "There is no such AWS region"),
        ("role-policy --set region=mx-central-1", "No Linear Learner image is known"),
    ],
)
def test_a_wrong_command_line_or_configuration_is_refused(line, says, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as refused:
        group.main(["iam", *line.split()], standalone_mode=False)
    assert says in str(refused.value)
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []


def test_setup_without_dry_run_exits_2_and_names_the_command_that_prints(place):
    ended = place.run("iam", "setup", config=None)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "Error: iam setup only prints commands and never changes an account.\nNext:  asteroid-ll iam setup --dry-run\n"
    )


def test_other_problems_of_a_configuration_without_a_role_are_listed(fresh):
    ended = fresh.run("iam", "setup", "--dry-run", "--set", "split.test=2", config="mine.yaml")
    assert ended.code == 2
    assert "split.test" in ended.err
    assert "role_arn" not in ended.err
