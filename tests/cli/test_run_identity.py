"""A run directory knows its target, its account and its configuration, and touches no other run's resources."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from asteroid_ll import Emulator

AWS = """\
target: aws
role_arn: arn:aws:iam::000000000000:role/asteroid-ll
"""
DUMMY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "test"}


@pytest.fixture
def account(tmp_path):
    """An account that is served over HTTP."""
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
