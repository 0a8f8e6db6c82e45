"""A bucket's settings: AWS's defaults, what can be written, and what is refused."""

from __future__ import annotations

import json

import pytest

ALL_PRIVATE = dict.fromkeys(["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"], True)
KEY = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BY_KMS = {
    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
    "BucketKeyEnabled": True,
}
AS_BY_KMS = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY, "BucketKeyEnabled": True}
BY_S3 = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
AS_BY_S3 = {"ServerSideEncryption": "AES256"}
HERE = {"Bucket": "rocks", "Key": "k"}


def test_a_new_bucket_has_awss_defaults(s3, refused):
    owned = {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}
    s3.put_bucket_ownership_controls(Bucket="rocks", **owned)
    for setting, expected in {
        "get_bucket_request_payment": {"Payer": "BucketOwner"},
        "get_bucket_accelerate_configuration": {},
        "get_bucket_logging": {},
        "get_bucket_notification_configuration": {},
        "get_bucket_versioning": {},
        "get_bucket_ownership_controls": owned,
        "get_public_access_block": {"PublicAccessBlockConfiguration": ALL_PRIVATE},
        "get_bucket_encryption": {"ServerSideEncryptionConfiguration": {"Rules": [BY_S3]}},
    }.items():
        answer = getattr(s3, setting)(Bucket="rocks")
        assert {name: value for name, value in answer.items() if name != "ResponseMetadata"} == expected
    for method, code in (
        (s3.get_bucket_cors, "NoSuchCORSConfiguration"),
        (s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
        (s3.get_bucket_policy, "NoSuchBucketPolicy"),
        (s3.get_bucket_policy_status, "NoSuchBucketPolicy"),
        (s3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
        (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
        (s3.get_bucket_tagging, "NoSuchTagSet"),
        (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
    ):
        error = refused(method, Bucket="rocks")
        assert (error["Code"], error["status"], error["BucketName"]) == (code, 404, "rocks")
        assert refused(method, Bucket="nowhere")["Code"] == "NoSuchBucket"


def test_the_owner_has_full_control_and_lists_and_other_settings_are_not_written(s3, refused):
    s3.put_object(**HERE)
    owner = {"ID": s3.list_objects(Bucket="rocks")["Contents"][0]["Owner"]["ID"]}
    for acl in (s3.get_bucket_acl(Bucket="rocks"), s3.get_object_acl(**HERE, VersionId="null")):
        assert acl["Owner"] == owner
        assert acl["Grants"] == [{"Grantee": owner | {"Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}]
    assert refused(s3.get_object_acl, Bucket="rocks", Key="no")["Code"] == "NoSuchKey"
    other = {"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}}
    assert refused(s3.put_bucket_ownership_controls, Bucket="rocks", **other)["Code"] == "NotImplemented"
    for method, arguments in (
        (s3.put_bucket_acl, {"ACL": "public-read"}),
        (s3.put_bucket_versioning, {"VersioningConfiguration": {"Status": "Suspended"}}),
        (s3.put_bucket_cors, {"CORSConfiguration": {"CORSRules": []}}),
        (s3.put_object_lock_configuration, {}),
        (s3.put_object_retention, {"Key": "k"}),
    ):
        error = refused(method, Bucket="rocks", **arguments)
        assert (error["Code"], error["status"]) == ("NotImplemented", 501)
        assert error["Message"].startswith(("The S3 operation PUT /Bucket", "The query parameter retention"))


def test_the_public_access_block_comes_back_as_it_was_put_and_can_be_deleted(s3, refused):
    some = ALL_PRIVATE | {"BlockPublicPolicy": False}
    s3.put_public_access_block(Bucket="rocks", PublicAccessBlockConfiguration=some)
    assert s3.get_public_access_block(Bucket="rocks")["PublicAccessBlockConfiguration"] == some
    s3.delete_public_access_block(Bucket="rocks")
    error = refused(s3.get_public_access_block, Bucket="rocks")
    assert (error["Code"], error["status"]) == ("NoSuchPublicAccessBlockConfiguration", 404)


def policy(**changes):
    owner = {"AWS": "arn:aws:iam::000000000000:user/ada"}
    statement = {"Effect": "Allow", "Principal": owner, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::rocks/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, **changes}]})


def test_a_policy_comes_back_as_it_was_put_and_can_be_deleted(s3, refused):
    s3.put_bucket_policy(Bucket="rocks", Policy=policy())
    assert s3.get_bucket_policy(Bucket="rocks")["Policy"] == policy()
    for _ in range(2):
        s3.delete_bucket_policy(Bucket="rocks")
    assert refused(s3.get_bucket_policy, Bucket="rocks")["Code"] == "NoSuchBucketPolicy"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "Policies must be valid JSON and the first byte must be '{'"),
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


def encryption_of(answer):
    return {name: answer[name] for name in AS_BY_KMS if name in answer}


def test_every_write_has_the_buckets_encryption_or_its_own(s3, store):
    s3.put_object(Bucket="rocks", Key="old")
    configuration = {"ServerSideEncryptionConfiguration": {"Rules": [BY_KMS]}}
    s3.put_bucket_encryption(Bucket="rocks", **configuration)
    assert s3.get_bucket_encryption(Bucket="rocks")["ServerSideEncryptionConfiguration"]["Rules"] == [BY_KMS]
    assert encryption_of(s3.put_object(**HERE)) == encryption_of(s3.head_object(**HERE)) == AS_BY_KMS
    assert encryption_of(s3.head_object(Bucket="rocks", Key="old")) == AS_BY_S3
    store.put("rocks", "model.tar.gz", [b"of a job"])
    assert encryption_of(s3.get_object(Bucket="rocks", Key="model.tar.gz")) == AS_BY_KMS
    assert encryption_of(s3.put_object(**HERE, ServerSideEncryption="AES256")) == AS_BY_S3
    copy = {"Bucket": "rocks", "Key": "copy", "CopySource": HERE}
    assert encryption_of(s3.copy_object(**copy)) == AS_BY_KMS
    assert encryption_of(s3.copy_object(**copy, ServerSideEncryption="AES256")) == AS_BY_S3
    created = s3.create_multipart_upload(**HERE)
    s3.delete_bucket_encryption(Bucket="rocks")
    upload = HERE | {"UploadId": created["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=b"Eros")
    copied = s3.upload_part_copy(**upload, PartNumber=1, CopySource="rocks/old")
    parts = {"Parts": [{"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]}]}
    done = s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    for answer in (created, part, copied, done, s3.head_object(**HERE)):
        assert encryption_of(answer) == AS_BY_KMS
    assert encryption_of(s3.put_object(**HERE)) == AS_BY_S3


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ([], "MalformedXML"),
        ([BY_KMS, BY_KMS], "MalformedXML"),
        ([{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "rot13"}}], "MalformedXML"),
        (
            [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256", "KMSMasterKeyID": KEY}}],
            "InvalidArgument",
        ),
    ],
)
def test_an_encryption_that_aws_refuses_is_refused(s3, refused, rules, code):
    configuration = {"ServerSideEncryptionConfiguration": {"Rules": rules}}
    assert refused(s3.put_bucket_encryption, Bucket="rocks", **configuration)["Code"] == code
