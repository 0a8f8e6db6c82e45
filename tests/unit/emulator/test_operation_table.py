from __future__ import annotations

import pytest

from asteroid_ll.emulator import operation_table
from asteroid_ll.emulator.operation_table import row, tables


@pytest.fixture(scope="module")
def services():
    return {table.title: table for table in tables()}


def test_every_service_of_the_emulator_has_a_table(services):
    assert list(services) == [
        "Amazon Simple Storage Service",
        "Amazon SageMaker Service",
        "Amazon SageMaker Runtime",
        "Amazon CloudWatch Logs",
        "Amazon CloudWatch",
        "Service Quotas",
        "AWS Price List Service",
        "AWS Identity and Access Management",
        "AWS Security Token Service",
    ]


def test_parameters_that_an_operation_of_s3_does_not_know_are_missing(services):
    missing = services["Amazon Simple Storage Service"].missing
    assert missing["GetObject"] == "`SSECustomer*`"
    assert "`ObjectLock*`" in missing["PutObject"]
    assert "storage classes that need a restore" in missing["PutObject"]
    assert missing["ListObjectsV2"] == missing["GetObjectTagging"] == ""
    assert row("ListObjectsV2", "") == "| `ListObjectsV2` | yes |  |"
    assert row("GetObject", "x") == "| `GetObject` | partly | x |"


def test_versioning_and_lifecycle_rules_are_refused_and_deprecated_names_are_left_out(services):
    s3 = services["Amazon Simple Storage Service"]
    assert {"PutBucketVersioning", "PutBucketLifecycleConfiguration", "PutObjectLockConfiguration"} <= set(s3.refused)
    assert {"PutBucketLifecycle", "GetBucketLifecycle"}.isdisjoint({*s3.missing, *s3.refused})


@pytest.mark.parametrize("name", ["IAM", "LOGS", "PRICING", "QUOTAS", "SAGEMAKER", "STS"])
def test_a_note_is_about_an_operation_that_the_service_has(name):
    service = getattr(operation_table, name)
    assert service.missing.keys() <= service.operations.keys()
