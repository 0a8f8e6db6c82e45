"""A run directory knows its target, its account and its configuration, and touches no other run's resources."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from asteroid_ll import Emulator

AWS = """\
target: aws
role_arn: arn:aws:iam::000000000000:role/asteroid-ll
"""
DUMMY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "test"}


@pytest.fixture
def account(tmp_path):
    """An account that is served over HTTP; ``url`` is its address."""
    with Emulator(tmp_path / "account") as emulator, emulator.serve() as url:
        emulator.url = url
        yield emulator


@pytest.fixture
def on_aws(prepared, account):
    """Runs commands of a prepared place with ``target: aws`` in other run directories."""
    small = (prepared.folder / "small.yaml").read_text("utf-8")
    (prepared.folder / "aws.yaml").write_text(AWS + small, "utf-8")

    def run(*arguments, config=None, **more):
        return prepared.run(*arguments, config=config, **{**DUMMY, "AWS_ENDPOINT_URL": account.url, **more})

    run.folder = prepared.folder
    return run


def open_endpoints(account):
    """The endpoints that the ledger of the account bills now."""
    return [interval.arn.rpartition("/")[2] for interval in account.open_intervals() if ":endpoint/" in interval.arn]


def records(workdir):
    return [json.loads(line) for line in (workdir / "journal.jsonl").read_text("utf-8").splitlines()]


def test_a_teardown_without_options_goes_to_the_account_of_the_run(on_aws, account):
    ended = on_aws("run-all", "--keep", "-c", "aws.yaml")
    assert ended.code == 0, ended.err
    assert len(open_endpoints(account)) == 1
    torn_down = on_aws("teardown")
    assert torn_down.code == 0, torn_down.err
    assert open_endpoints(account) == []
