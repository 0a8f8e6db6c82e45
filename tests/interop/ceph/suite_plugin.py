"""A pytest plugin for ceph/s3-tests: quick cleaning, and a file with each test's group and outcome.

The suite's own cleaning sends ``x-amz-bypass-governance-retention`` for each bucket. AWS refuses this header for a
bucket without Object Lock, and every test after the first would end in an error.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from groups import GROUPS, group_of

OUTCOMES: dict[str, dict[str, object]] = {}


def pytest_collection_modifyitems(items):
    """Choose the tests, remember their groups, and replace the cleaning."""
    from s3tests import functional

    def clean():
        client = functional.get_client()
        for bucket in client.list_buckets()["Buckets"]:
            with suppress(ClientError):
                _remove(client, functional, bucket["Name"])

    functional.setup, functional.teardown = (lambda: None), clean
    chosen, skipped = [], set(GROUPS["skipped_markers"])
    for item in items:
        markers = {mark.name for mark in item.iter_markers()}
        group = group_of(item.name, markers)
        if skipped.isdisjoint(markers) and (group["claimed"] or os.environ.get("CEPH_ALL")):
            chosen.append(item)
            OUTCOMES[item.name] = {"group": group["name"], "outcome": "none"}
    items[:] = chosen


def _remove(client, functional, bucket):
    for objects in functional.list_versions(client, bucket, 128):
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        if answer.get("Errors"):  # locked
            client.delete_objects(Bucket=bucket, Delete={"Objects": objects}, BypassGovernanceRetention=True)
    client.delete_bucket(Bucket=bucket)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Remember the worst outcome of a test's phases."""
    report = yield
    entry = OUTCOMES[item.name]
    if report.when == "call" and entry["outcome"] == "none":
        entry["outcome"] = report.outcome
    if report.when == "setup" and not report.passed:
        entry["outcome"] = report.outcome
    if report.failed:
        entry["error"] = str(report.longrepr).strip().splitlines()[-1][:300]
    return report


def pytest_sessionfinish():
    """Write the outcomes."""
    Path(os.environ["CEPH_OUTCOMES"]).write_text(json.dumps(OUTCOMES, indent=1), encoding="utf-8")
