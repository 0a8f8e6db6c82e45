from __future__ import annotations

import pytest

ALL_PRIVATE = dict.fromkeys(["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"], True)


def owned(by):
    return {"OwnershipControls": {"Rules": [{"ObjectOwnership": by}]}}


DEFAULTS = {
    "accelerate_configuration": {},
    "logging": {},
    "notification_configuration": {},
    "request_payment": {"Payer": "BucketOwner"},
    "versioning": {},
    "ownership_controls": owned("BucketOwnerEnforced"),
}
ABSENT = {
    "cors": ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    "lifecycle_configuration": ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
    "replication": ("ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
    "website": ("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
    "policy_status": ("NoSuchBucketPolicy", "The bucket policy does not exist"),
}


def test_a_new_bucket_has_awss_defaults(s3):
    for setting, expected in DEFAULTS.items():
        answer = getattr(s3, f"get_bucket_{setting}")(Bucket="rocks")
        assert {name: value for name, value in answer.items() if name != "ResponseMetadata"} == expected
    assert s3.get_public_access_block(Bucket="rocks")["PublicAccessBlockConfiguration"] == ALL_PRIVATE


def test_a_setting_that_a_bucket_does_not_have_is_a_typed_error(s3, refused):
    for setting, (code, message) in ABSENT.items():
        error = refused(getattr(s3, f"get_bucket_{setting}"), Bucket="rocks")
        assert (error["Code"], error["Message"], error["status"]) == (code, message, 404)
        assert error["BucketName"] == "rocks"
    lock = refused(s3.get_object_lock_configuration, Bucket="rocks")
    assert (lock["Code"], lock["status"]) == ("ObjectLockConfigurationNotFoundError", 404)
    assert lock["Message"] == "Object Lock configuration does not exist for this bucket"


def test_to_delete_a_setting_that_a_bucket_does_not_have_succeeds(s3):
    for setting in ("cors", "lifecycle", "replication", "website"):
        answer = getattr(s3, f"delete_bucket_{setting}")(Bucket="rocks")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204


TOPIC = {"TopicArn": "arn:aws:sns:us-east-1:000000000000:t", "Events": ["s3:ObjectCreated:*"]}


@pytest.mark.parametrize(
    ("method", "default", "other"),
    [
        (
            "put_bucket_logging",
            {"BucketLoggingStatus": {}},
            {"BucketLoggingStatus": {"LoggingEnabled": {"TargetBucket": "rocks", "TargetPrefix": "log/"}}},
        ),
        (
            "put_bucket_notification_configuration",
            {"NotificationConfiguration": {}, "SkipDestinationValidation": True},
            {"NotificationConfiguration": {"TopicConfigurations": [TOPIC]}},
        ),
        (
            "put_bucket_request_payment",
            {"RequestPaymentConfiguration": {"Payer": "BucketOwner"}},
            {"RequestPaymentConfiguration": {"Payer": "Requester"}},
        ),
        ("put_bucket_ownership_controls", owned("BucketOwnerEnforced"), owned("ObjectWriter")),
    ],
    ids=["logging", "notification", "request-payment", "ownership"],
)
def test_a_write_of_the_default_is_accepted_and_another_one_refused(s3, refused, method, default, other):
    getattr(s3, method)(Bucket="rocks", **default)
    error = refused(getattr(s3, method), Bucket="rocks", **other)
    assert (error["Code"], error["status"]) == ("NotImplemented", 501)
    assert error["Message"].startswith("Only the default of ")


def test_a_setting_that_would_change_something_is_refused(s3, refused):
    for method, arguments in (
        (s3.put_bucket_versioning, {"VersioningConfiguration": {"Status": "Suspended"}}),
        (s3.put_bucket_cors, {"CORSConfiguration": {"CORSRules": []}}),
        (s3.delete_bucket_ownership_controls, {}),
        (s3.put_object_lock_configuration, {}),
    ):
        error = refused(method, Bucket="rocks", **arguments)
        assert (error["Code"], error["status"]) == ("NotImplemented", 501)


def test_the_public_access_block_comes_back_as_it_was_put_and_can_be_deleted(s3, refused):
    some = ALL_PRIVATE | {"BlockPublicPolicy": False}
    s3.put_public_access_block(Bucket="rocks", PublicAccessBlockConfiguration=some)
    assert s3.get_public_access_block(Bucket="rocks")["PublicAccessBlockConfiguration"] == some
    s3.delete_public_access_block(Bucket="rocks")
    error = refused(s3.get_public_access_block, Bucket="rocks")
    assert (error["Code"], error["status"]) == ("NoSuchPublicAccessBlockConfiguration", 404)


def test_settings_of_a_bucket_that_does_not_exist_are_of_no_bucket(s3, refused):
    for method in (s3.get_bucket_cors, s3.get_bucket_logging, s3.delete_bucket_website, s3.get_bucket_acl):
        assert refused(method, Bucket="nowhere")["Code"] == "NoSuchBucket"
