"""The bucket: a missing one is fine, and one that a run cannot use is one failed line with its command."""

from __future__ import annotations

import pytest

from asteroid_ll.aws.checks.buckets import bucket_checks
from asteroid_ll.aws.policy import role_policy

KEY_ARN = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.fixture
def s3(desk):
    return desk.client("s3")


def results(desk, **options):
    return {check.name: check for check in bucket_checks(desk.aws(**options), desk.scope)}


def encrypt(s3, **default):
    rules = [{"ApplyServerSideEncryptionByDefault": default}]
    s3.put_bucket_encryption(Bucket="rocks", ServerSideEncryptionConfiguration={"Rules": rules})


def test_a_bucket_that_does_not_exist_is_what_a_run_creates(desk):
    checks = results(desk)
    assert [(check.status, check.fact) for check in checks.values()] == [
        ("ok", "rocks does not exist, so the run creates it")
    ]


def test_a_new_bucket_is_private_and_needs_no_key(desk, s3, shape_of):
    s3.create_bucket(Bucket="rocks")
    checks = results(desk)
    assert shape_of(checks.values()) == {"bucket": "ok", "encryption": "ok", "public access": "ok"}
    assert checks["encryption"].fact == "AES256 by default, which needs no key of yours"


def test_a_bucket_in_another_region_fails_and_the_command_names_its_region(desk):
    desk.client("s3", "eu-west-1").create_bucket(
        Bucket="rocks", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    (check,) = results(desk).values()
    assert (check.status, check.fixes) == ("failed", ("asteroid-ll doctor --set region=eu-west-1",))
    assert check.fact == "Bucket rocks is in region eu-west-1, and the configured region is us-east-1"


def test_a_bucket_of_another_account_fails(desk):
    desk.account.store.create_bucket("rocks", region="us-east-1", owner="123456789012")
    (check,) = results(desk).values()
    assert check.status == "failed"
    assert check.fact.startswith("Bucket rocks does not belong to account 000000000000, or ")
    assert check.fixes == ("asteroid-ll doctor --set bucket=rocks-2",)


@pytest.mark.parametrize("key", [KEY_ARN, KEY_ARN.rpartition("/")[2]], ids=["arn", "id"])
def test_a_key_that_the_role_may_not_use_is_allowed_by_the_command(desk, s3, key):
    s3.create_bucket(Bucket="rocks")
    encrypt(s3, SSEAlgorithm="aws:kms", KMSMasterKeyID=key)
    desk.role(policy=role_policy(desk.scope))
    check = results(desk)["encryption"]
    assert check.status == "failed"
    assert check.fact == f"the role may not kms:Decrypt, kms:GenerateDataKey of {KEY_ARN}"
    desk.paste(*check.fixes)
    assert results(desk)["encryption"].status == "ok"


@pytest.mark.parametrize(
    ("key", "status"), [("", "ok"), ("arn:aws:kms:us-east-1:000000000000:alias/aws/s3", "ok"), ("alias/x", "unchecked")]
)
def test_amazons_own_key_needs_nothing_and_an_alias_cannot_be_simulated(desk, s3, key, status):
    s3.create_bucket(Bucket="rocks")
    encrypt(s3, SSEAlgorithm="aws:kms", **({"KMSMasterKeyID": key} if key else {}))
    assert results(desk)["encryption"].status == status


def test_a_bucket_that_may_be_public_is_a_warning_that_the_command_ends(desk, s3):
    s3.create_bucket(Bucket="rocks")
    s3.put_public_access_block(Bucket="rocks", PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    check = results(desk)["public access"]
    assert check.status == "warning"
    assert check.fact == "not blocked: IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets"
    desk.paste(*check.fixes)
    assert results(desk)["public access"].status == "ok"


@pytest.mark.parametrize(
    ("operation", "action", "name"),
    [
        ("GetBucketEncryption", "s3:GetEncryptionConfiguration", "encryption"),
        ("GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", "public access"),
    ],
)
def test_a_denied_question_names_its_action_and_fails_nothing(desk, s3, operation, action, name):
    s3.create_bucket(Bucket="rocks")
    desk.refuse[operation] = action
    checks = results(desk)
    assert (checks[name].status, checks[name].fact) == ("unchecked", f"{action} is not allowed")
    assert {check.status for check in checks.values()} == {"ok", "unchecked"}
