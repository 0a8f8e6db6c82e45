"""Bucket policies are stored, checked and removed."""

from __future__ import annotations

import json

import pytest

OWNER = {"AWS": "arn:aws:iam::000000000000:user/ada"}


def policy(**changes):
    statement = {"Effect": "Allow", "Principal": OWNER, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::rocks/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, **changes}]})


def test_a_policy_comes_back_as_it_was_put_and_can_be_deleted(s3, refused):
    assert refused(s3.get_bucket_policy, Bucket="rocks")["Code"] == "NoSuchBucketPolicy"
    s3.put_bucket_policy(Bucket="rocks", Policy=policy())
    assert s3.get_bucket_policy(Bucket="rocks")["Policy"] == policy()
    for _ in range(2):
        s3.delete_bucket_policy(Bucket="rocks")
    assert refused(s3.get_bucket_policy, Bucket="rocks")["Code"] == "NoSuchBucketPolicy"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "Policies must be valid JSON and the first byte must be '{'"),
        (policy(Effect="Maybe"), "Statement 1: Effect must be 'Allow' or 'Deny'."),
        (policy(Resource="arn:aws:s3:::others/*"), "Policy has invalid resource"),
        (policy(Sid="x" * 30_000), "The policy has more than 20480 bytes."),
    ],
)
def test_a_malformed_policy_is_refused(s3, refused, document, message):
    refusal = refused(s3.put_bucket_policy, Bucket="rocks", Policy=document)
    assert (refusal["Code"], refusal["Message"]) == ("MalformedPolicy", message)


@pytest.mark.parametrize("everybody", ["*", {"AWS": "*"}])
def test_a_public_policy_needs_the_block_switched_off(s3, refused, everybody):
    public = policy(Principal=everybody)
    refusal = refused(s3.put_bucket_policy, Bucket="rocks", Policy=public)
    assert (refusal["Code"], refusal["status"]) == ("AccessDenied", 403)
    assert "BlockPublicPolicy" in refusal["Message"]
    limited = policy(Principal=everybody, Condition={"StringEquals": {"aws:SourceIp": "10.0.0.1"}})
    s3.put_bucket_policy(Bucket="rocks", Policy=limited)
    s3.put_public_access_block(Bucket="rocks", PublicAccessBlockConfiguration={"BlockPublicPolicy": False})
    s3.put_bucket_policy(Bucket="rocks", Policy=public)
