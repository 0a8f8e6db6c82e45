"""The bucket: a missing one is fine, and one that a run cannot use is one failed line with its command."""

from __future__ import annotations

from dataclasses import replace

import pytest

from asteroid_ll.aws.checks.buckets import _unusable, bucket_checks
from asteroid_ll.aws.policy import role_policy
from asteroid_ll.errors import AwsError, ConfigError, CredentialsError

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
    assert check.kind is ConfigError


def test_a_bucket_of_another_account_fails(desk):
    desk.account.store.create_bucket("rocks", region="us-east-1", owner="123456789012")
    (check,) = results(desk).values()
    assert check.status == "failed"
    assert check.fact.startswith("Bucket rocks does not belong to account 000000000000, or ")
    assert check.fixes == ("asteroid-ll doctor --set bucket=rocks-2",)


def test_the_name_of_another_bucket_is_as_long_as_s3_allows(desk):
    name = "r" * 63
    desk.account.store.create_bucket(name, region="us-east-1", owner="123456789012")
    (check,) = bucket_checks(desk.aws(), replace(desk.scope, bucket=name))
    assert check.fixes == (f"asteroid-ll doctor --set bucket={'r' * 61}-2",)


def test_a_bucket_that_s3_does_not_show_is_unchecked_but_without_credentials_the_check_fails(desk):
    denied = AwsError("AWS denied s3:ListBucket.", code="AccessDenied", action="s3:ListBucket")
    check = _unusable(desk.scope, denied)
    assert (check.status, check.fact) == ("unchecked", "s3:ListBucket is not allowed")
    check = _unusable(desk.scope, CredentialsError("The credentials expired."))
    assert (check.status, check.fact, check.kind) == ("failed", "The credentials expired", CredentialsError)


@pytest.mark.parametrize("key", [KEY_ARN, KEY_ARN.rpartition("/")[2]], ids=["arn", "id"])
def test_a_key_that_the_role_may_not_use_is_allowed_by_the_command(desk, s3, key):
    s3.create_bucket(Bucket="rocks")
    encrypt(s3, SSEAlgorithm="aws:kms", KMSMasterKeyID=key)
    desk.role(policy=role_policy(desk.scope))
    check = results(desk)["encryption"]
    assert check.status == "failed"
    assert check.fact == f"the role may not kms:Decrypt, kms:GenerateDataKey of {KEY_ARN}"
    assert "--policy-name asteroid-ll-key " in check.fixes[0]  # not that of the role's work
    desk.paste(*check.fixes)
    assert results(desk)["encryption"].status == "ok"


NOT_NEEDED = "aws:kms by default, which needs no key of yours"


@pytest.mark.parametrize(
    ("key", "status", "fact"),
    [
        ("", "ok", NOT_NEEDED),
        ("arn:aws:kms:us-east-1:000000000000:alias/aws/s3", "ok", NOT_NEEDED),
        ("alias/x", "unchecked", "aws:kms with alias/x: IAM cannot simulate an alias of a key"),
    ],
)
def test_amazons_own_key_needs_nothing_and_an_alias_cannot_be_simulated(desk, s3, key, status, fact):
    s3.create_bucket(Bucket="rocks")
    encrypt(s3, SSEAlgorithm="aws:kms", **({"KMSMasterKeyID": key} if key else {}))
    check = results(desk)["encryption"]
    assert (check.status, check.fact) == (status, fact)


def test_a_bucket_that_may_be_public_is_a_warning_that_the_command_ends(desk, s3):
    s3.create_bucket(Bucket="rocks")
    s3.put_public_access_block(Bucket="rocks", PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    check = results(desk)["public access"]
    assert check.status == "warning"
    assert check.fact == "not blocked: IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets"
    desk.paste(*check.fixes)
    assert results(desk)["public access"].status == "ok"
    s3.delete_public_access_block(Bucket="rocks")
    assert results(desk)["public access"].fact.startswith("not blocked: BlockPublicAcls, IgnorePublicAcls, ")


@pytest.mark.parametrize(
    ("operation", "action", "name"),
    [
        ("GetBucketEncryption", "s3:GetEncryptionConfiguration", "encryption"),
        ("GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", "public access"),
    ],
)
@pytest.mark.parametrize("is_named", [True, False])
def test_a_denied_question_names_its_action_and_fails_nothing(desk, s3, operation, action, name, is_named):
    s3.create_bucket(Bucket="rocks")
    desk.refuse[operation] = action
    if not is_named:
        desk.denial = "Access Denied"
    checks = results(desk)
    assert (checks[name].status, checks[name].fact) == ("unchecked", f"{action} is not allowed")
    assert {check.status for check in checks.values()} == {"ok", "unchecked"}
