from __future__ import annotations

import base64
import hashlib
import zlib

import pytest
from botocore import exceptions as botocore_errors

from asteroid_ll.aws import storage
from asteroid_ll.emulator.transport.messages import Response
from asteroid_ll.errors import AwsError, CredentialsError, DataError

OK = Response(200)


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def s3_checksum(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "train.pbr"
    path.write_bytes(b"asteroids")
    return path


def test_a_bucket_that_is_there_is_left_as_it_is(aws, script):
    script.on("S3 HEAD", Response(200, {"x-amz-bucket-region": "us-east-1"}))
    assert storage.ensure_bucket(aws, "b") == "exists"
    assert script.names() == ["GetCallerIdentity", "S3 HEAD"]


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_a_missing_bucket_is_created_in_the_region(make_aws, script, say, region):
    script.on("S3 HEAD", say.s3_refusal("404", status=404))
    script.on("S3 PUT", OK)
    assert storage.ensure_bucket(make_aws(region=region), "b") == "created"


def test_a_bucket_of_another_account_is_refused_by_name(aws, script, say):
    script.on("S3 HEAD", say.s3_refusal("403", status=403))
    with pytest.raises(AwsError, match=f"Bucket b does not belong to account {say.account_id}"):
        storage.ensure_bucket(aws, "b")
    assert "S3 PUT" not in script.names()


@pytest.mark.parametrize(("code", "status"), [("400", 400), ("403", 403)])
def test_expired_credentials_are_distinguished_from_a_denied_look(aws, script, say, table, code, status):
    assert aws.account_id == say.account_id
    expired = b"<ErrorResponse><Error><Code>ExpiredToken</Code><Message>expired</Message></Error></ErrorResponse>"
    script.on("S3 HEAD", say.s3_refusal(code, status=status))
    script.on("GetCallerIdentity", Response(403, {"Content-Type": "text/xml"}, expired))
    with pytest.raises(CredentialsError, match="expired"):
        storage.upload_file(aws, table, bucket="b", key="k", sha256="")
    with pytest.raises(CredentialsError, match="expired"):
        storage.ensure_bucket(aws, "b")


def test_an_object_that_must_not_be_seen_is_refused(aws, script, say, table):
    script.on("S3 HEAD", say.s3_refusal("403", status=403))
    with pytest.raises(AwsError, match="s3:GetObject while looking at"):
        storage.upload_file(aws, table, bucket="b", key="k", sha256="")


def test_a_name_that_is_taken_between_the_look_and_the_creation_is_refused(aws, script, say):
    script.on("S3 HEAD", say.s3_refusal("404", status=404))
    script.on("S3 PUT", say.s3_refusal("BucketAlreadyExists", "taken", status=409))
    with pytest.raises(AwsError, match="does not belong"):
        storage.ensure_bucket(aws, "b")


def test_an_organization_that_denies_new_buckets_is_named_and_so_is_the_way_out(aws, script, say):
    message = (
        "User: arn:aws:iam::111122223333:user/x is not authorized to perform: s3:CreateBucket on resource: "
        '"arn:aws:s3:::b" with an explicit deny in a service control policy'
    )
    script.on("S3 HEAD", say.s3_refusal("404", status=404))
    script.on("S3 PUT", say.s3_refusal("AccessDenied", message, status=403))
    with pytest.raises(AwsError, match="AWS denied s3:CreateBucket while creating bucket b") as caught:
        storage.ensure_bucket(aws, "b")
    assert "service control policy" in caught.value.hint
    assert caught.value.hint.endswith("Or set 'bucket' to one that exists: it is used as it is.")


def test_a_bucket_that_our_own_lost_call_created_exists(aws, script, say):
    script.on("S3 HEAD", say.s3_refusal("404", status=404))
    script.on("S3 PUT", say.s3_refusal("BucketAlreadyOwnedByYou", "yours", status=409))
    assert storage.ensure_bucket(aws, "b") == "exists"


def test_a_bucket_in_another_region_is_refused_with_both_regions(aws, script):
    script.on("S3 HEAD", Response(200, {"x-amz-bucket-region": "eu-west-1"}))
    with pytest.raises(AwsError, match=r"eu-west-1.* us-east-1"):
        storage.ensure_bucket(aws, "b")


@pytest.mark.parametrize(
    ("crc32", "kind", "present"),
    [
        (zlib.crc32(b"asteroids"), "FULL_OBJECT", True),
        (zlib.crc32(b"asteroids") ^ 1, "FULL_OBJECT", False),
        (zlib.crc32(b"asteroids"), "COMPOSITE", False),
    ],
)
def test_an_object_of_another_client_is_compared_by_its_crc32(aws, script, table, crc32, kind, present):
    checksum = base64.b64encode(crc32.to_bytes(4, "big")).decode()
    headers = {"ETag": "e", "Content-Length": "9", "x-amz-checksum-crc32": checksum, "x-amz-checksum-type": kind}
    script.on("S3 HEAD", Response(200, headers))
    where = {"bucket": "b", "key": "k", "size_bytes": 9, "sha256": sha256(b"asteroids")}
    assert storage.is_stored(aws, table, **where) == present


def test_the_same_content_is_not_sent_again(aws, script, table):
    head = Response(200, {"ETag": "e", "Content-Length": "9", "x-amz-checksum-sha256": s3_checksum(b"asteroids")})
    script.on("S3 HEAD", head)
    assert storage.upload_file(aws, table, bucket="b", key="k", sha256=sha256(b"asteroids")) == "present"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "9", "x-amz-checksum-sha256": s3_checksum(b"other")},
        {"Content-Length": "8", "x-amz-checksum-sha256": s3_checksum(b"asteroids")},
        {"Content-Length": "9", "x-amz-meta-sha256": sha256(b"asteroids"), "x-amz-checksum-crc32": "AAAAAA=="},
    ],
    ids=["other content", "other size", "unknown content"],
)
def test_other_content_is_replaced_and_carries_its_checksum(aws, script, table, headers):
    script.on("S3 HEAD", Response(200, {"ETag": "e", **headers}))
    script.on("S3 PUT", OK)
    assert storage.upload_file(aws, table, bucket="b", key="k", sha256=sha256(b"asteroids")) == "uploaded"
    (put,) = (call for name, call in script.calls if name == "S3 PUT")
    assert put["x-amz-checksum-sha256"] == s3_checksum(b"asteroids")


def test_a_file_that_is_not_there_is_named(aws, tmp_path):
    with pytest.raises(DataError, match="nothing"):
        storage.upload_file(aws, tmp_path / "nothing", bucket="b", key="k", sha256="")


def test_a_refused_upload_is_named(aws, script, say, table):
    script.on("S3 HEAD", say.s3_refusal("404", status=404))
    script.on("S3 PUT", say.s3_refusal("AccessDenied", "no", status=403))
    with pytest.raises(AwsError, match=r"s3:PutObject while uploading s3://b/k"):
        storage.upload_file(aws, table, bucket="b", key="k", sha256="")


def test_a_download_replaces_the_file_whole(aws, script, table):
    script.on("S3 GET", Response(200, {"Content-Length": "5"}, b"model"))
    assert storage.download_file(aws, bucket="b", key="k", path=table) == 5
    assert table.read_bytes() == b"model"
    assert list(table.parent.iterdir()) == [table]


def test_a_download_that_breaks_off_leaves_the_earlier_file_and_nothing_else(aws, script, table, time_passes):
    script.on("S3 GET", Response(200, {"Content-Length": "500"}, b"mod"))
    with pytest.raises(AwsError, match=r"s3://b/k broke off 3 times"):
        storage.download_file(aws, bucket="b", key="k", path=table)
    assert table.read_bytes() == b"asteroids"
    assert list(table.parent.iterdir()) == [table]
    assert len(time_passes.slept_s) == 2


def test_a_download_that_breaks_off_once_is_repeated(aws, script, table):
    broken = Response(200, {"Content-Length": "500"}, b"mod")
    script.on("S3 GET", broken, Response(200, {"Content-Length": "5"}, b"model"))
    assert storage.download_file(aws, bucket="b", key="k", path=table) == 5


def test_a_download_that_cannot_be_written_is_a_data_error(aws, script, table):
    script.on("S3 GET", Response(200, {"Content-Length": "5"}, b"model"))
    with pytest.raises(DataError, match="could not be written"):
        storage.download_file(aws, bucket="b", key="k", path=table / "model")


def test_an_object_that_is_not_there_leaves_the_earlier_file(aws, script, say, table):
    script.on("S3 GET", say.s3_refusal("NoSuchKey", "The specified key does not exist.", status=404))
    with pytest.raises(AwsError, match=r"downloading s3://b/k"):
        storage.download_file(aws, bucket="b", key="k", path=table)
    assert table.read_bytes() == b"asteroids"


def test_a_connection_that_breaks_is_a_refusal_that_can_be_resumed(aws, script, table):
    script.on("S3 GET", botocore_errors.ConnectionClosedError(endpoint_url="https://b"))
    with pytest.raises(AwsError, match="connection") as caught:
        storage.download_file(aws, bucket="b", key="k", path=table)
    assert "continues" in caught.value.hint
