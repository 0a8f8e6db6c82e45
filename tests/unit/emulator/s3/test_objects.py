from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asteroid_ll.emulator.s3.payload import checksum

DATA = bytes(range(256)) * 8


@pytest.fixture
def eros(s3):
    return s3.put_object(Bucket="rocks", Key="eros", Body=DATA)


def test_what_was_put_is_read_back_with_everything_said_of_it(s3):
    attributes = {
        "ContentType": "text/csv", "CacheControl": "no-store", "ContentDisposition": "inline",
        "ContentEncoding": "gzip", "ContentLanguage": "en", "Metadata": {"unit": "au"}, "StorageClass": "STANDARD_IA",
        "ServerSideEncryption": "AES256",
    }  # fmt: skip
    put = s3.put_object(Bucket="rocks", Key="k", Body=b"433", Tagging="a=1&b=%C3%BC", **attributes)
    for read in (s3.get_object(Bucket="rocks", Key="k"), s3.head_object(Bucket="rocks", Key="k")):
        assert {name: read[name] for name in attributes} == attributes
        assert (read["ETag"], read["ContentLength"]) == (put["ETag"], 3)
    assert s3.get_object(Bucket="rocks", Key="k")["TagCount"] == 2
    assert put["ETag"] == f'"{hashlib.md5(b"433").hexdigest()}"'


def test_a_missing_key_is_named_and_a_head_has_no_body(s3, refused):
    missing = refused(s3.get_object, Bucket="rocks", Key="no")
    assert (missing["Code"], missing["Key"], missing["status"]) == ("NoSuchKey", "no", 404)
    assert refused(s3.head_object, Bucket="rocks", Key="no")["Code"] == "404"
    assert refused(s3.get_object, Bucket="nowhere", Key="no")["BucketName"] == "nowhere"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(start=st.integers(0, 2100), length=st.integers(0, 2100))
def test_a_range_is_the_slice_it_names(s3, refused, start, length):
    s3.put_object(Bucket="rocks", Key="r", Body=DATA)
    asked = {"Bucket": "rocks", "Key": "r", "Range": f"bytes={start}-{start + length}"}
    if start >= len(DATA):
        assert refused(s3.get_object, **asked)["Code"] == "InvalidRange"
        return
    read = s3.get_object(**asked)
    expected = DATA[start : start + length + 1]
    assert read["Body"].read() == expected
    assert read["ContentRange"] == f"bytes {start}-{start + len(expected) - 1}/{len(DATA)}"
    assert read["ResponseMetadata"]["HTTPStatusCode"] == 206


@pytest.mark.parametrize(
    ("text", "expected", "status"),
    [
        ("bytes=2000-", DATA[2000:], 206), ("bytes=-5", DATA[-5:], 206), ("bytes=-9999", DATA, 206),
        ("BYTES=-5", DATA[-5:], 206),
        ("bytes=5-2", DATA, 200), ("bytes=0-1,4-5", DATA, 200), ("lines=0-1", DATA, 200), ("bytes=-", DATA, 200),
    ],
)  # fmt: skip
def test_open_suffix_and_strange_ranges_are_read_as_http_says(s3, eros, text, expected, status):
    read = s3.get_object(Bucket="rocks", Key="eros", Range=text)
    assert (read["Body"].read(), read["ResponseMetadata"]["HTTPStatusCode"]) == (expected, status)


def test_reads_under_conditions(s3, eros, refused):
    here = {"Bucket": "rocks", "Key": "eros"}
    etag, now = eros["ETag"], datetime.now(UTC)
    assert s3.get_object(**here, IfMatch=etag, IfUnmodifiedSince=now - timedelta(days=1))["ContentLength"] == len(DATA)
    assert s3.get_object(**here, IfNoneMatch='"other"', IfModifiedSince=now + timedelta(days=1))["ETag"] == etag
    assert refused(s3.get_object, **here, IfMatch='"other"')["Code"] == "PreconditionFailed"
    assert refused(s3.get_object, **here, IfUnmodifiedSince=now - timedelta(days=1))["status"] == 412
    for call in (s3.get_object, s3.head_object):
        assert refused(call, **here, IfNoneMatch=etag)["status"] == 304
        assert refused(call, **here, IfModifiedSince=now + timedelta(days=1))["status"] == 304


def test_writes_under_conditions(s3, eros, refused):
    here = {"Bucket": "rocks", "Key": "eros"}
    assert refused(s3.put_object, **here, IfNoneMatch="*")["Code"] == "PreconditionFailed"
    assert refused(s3.put_object, **here, IfMatch='"other"')["status"] == 412
    assert refused(s3.put_object, **here, IfNoneMatch='"other"')["Code"] == "NotImplemented"
    assert refused(s3.put_object, Bucket="rocks", Key="no", IfMatch='"x"')["Code"] == "NoSuchKey"
    assert s3.get_object(**here)["Body"].read() == DATA
    s3.put_object(**here, IfMatch=eros["ETag"], Body=b"new")
    s3.put_object(Bucket="rocks", Key="ida", IfNoneMatch="*", Body=b"243")
    assert s3.get_object(**here)["Body"].read() == b"new"


def test_a_wrong_digest_is_refused_and_the_old_object_stays(s3, eros, refused, bodies):
    here, before = {"Bucket": "rocks", "Key": "eros", "Body": b"damaged"}, bodies()
    wrong = base64.b64encode(bytes(16)).decode()
    assert refused(s3.put_object, **here, ChecksumCRC32="AAAAAA==")["Code"] == "BadDigest"
    assert refused(s3.put_object, **here, ContentMD5=wrong)["Code"] == "BadDigest"
    assert refused(s3.put_object, **here, ContentMD5="short")["Code"] == "InvalidDigest"
    assert refused(s3.put_object, **here, ChecksumCRC32="AAAA")["Code"] == "InvalidRequest"
    assert s3.get_object(Bucket="rocks", Key="eros")["Body"].read() == DATA
    assert bodies() == before


CHUNKED = {"content-encoding": "aws-chunked", "x-amz-trailer": "x-amz-checksum-crc32"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"4\r\n1234\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", b"BadDigest"),
        (b"4\r\n1234\r\n0\r\n\r\n", b"MalformedTrailerError"),
        (b"5\r\n1234\r\n0\r\n\r\n", b"IncompleteBody"),
        (b"4\r\n1234\r\n", b"IncompleteBody"),
        (b"zz\r\n", b"IncompleteBody"),
    ],
    ids=["wrong-checksum", "no-trailer", "wrong-length", "cut", "no-length"],
)
def test_damaged_chunked_framing_is_refused(exchange, s3, body, code):
    answer = exchange("PUT", "/rocks/k", headers={**CHUNKED, "x-amz-decoded-content-length": "4"}, body=body)
    assert (answer.status, b"<Code>" + code + b"</Code>" in answer.body) == (400, True)


def test_chunks_are_read_also_if_only_the_payload_hash_names_them(exchange, s3):
    headers = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length": "3"}
    assert exchange("PUT", "/rocks/k", headers=headers, body=b"3\r\n433\r\n0\r\n\r\n").status == 200
    assert s3.get_object(Bucket="rocks", Key="k")["Body"].read() == b"433"


def test_signed_chunks_are_read_too(exchange, s3):
    signature = b";chunk-signature=" + b"0" * 64
    body = b"4" + signature + b"\r\n1234\r\n0" + signature + b"\r\n\r\n"
    assert exchange("PUT", "/rocks/k", headers={"content-encoding": "aws-chunked,gzip"}, body=body).status == 200
    read = s3.get_object(Bucket="rocks", Key="k")
    assert (read["Body"].read(), read["ContentEncoding"]) == (b"1234", "gzip")


def test_a_payload_hash_that_does_not_fit_is_refused(exchange, s3):
    answer = exchange("PUT", "/rocks/k", headers={"x-amz-content-sha256": "0" * 64}, body=b"x")
    assert b"<Code>XAmzContentSHA256Mismatch</Code>" in answer.body
    assert exchange("PUT", "/rocks/k", headers={"content-length": "5"}, body=b"x").status == 400
    announced = exchange("PUT", "/rocks/k", headers={"x-amz-sdk-checksum-algorithm": "CRC32"}, body=b"x")
    assert b"no corresponding x-amz-checksum-*" in announced.body


def test_a_copy_keeps_or_replaces_what_was_said(s3, eros, refused):
    source = {"Bucket": "rocks", "Key": "a b/ü+%"}
    s3.put_object(**source, Body=DATA, Metadata={"unit": "au"}, ContentType="text/csv", Tagging="a=1")
    s3.copy_object(Bucket="rocks", Key="kept", CopySource=source)
    kept = s3.get_object(Bucket="rocks", Key="kept")
    assert (kept["Body"].read(), kept["Metadata"], kept["ContentType"]) == (DATA, {"unit": "au"}, "text/csv")
    assert s3.get_object_tagging(Bucket="rocks", Key="kept")["TagSet"] == [{"Key": "a", "Value": "1"}]
    s3.copy_object(Bucket="rocks", Key="new", CopySource=source, MetadataDirective="REPLACE", Metadata={"unit": "km"})
    assert s3.head_object(Bucket="rocks", Key="new")["Metadata"] == {"unit": "km"}
    assert refused(s3.copy_object, **source, CopySource=source)["Code"] == "InvalidRequest"
    s3.copy_object(**source, CopySource=source, StorageClass="STANDARD_IA")
    assert s3.head_object(**source)["StorageClass"] == "STANDARD_IA"
    assert s3.head_object(**source)["Metadata"] == {"unit": "au"}


def test_a_copy_checks_its_source(s3, store, eros, refused):
    store.create_bucket("theirs", region="us-east-1", owner="111111111111")
    to = {"Bucket": "rocks", "Key": "copy"}
    assert refused(s3.copy_object, **to, CopySource="rocks/no")["Code"] == "NoSuchKey"
    assert refused(s3.copy_object, **to, CopySource="nowhere/no")["Code"] == "NoSuchBucket"
    assert refused(s3.copy_object, **to, CopySource="theirs/k")["Code"] == "AccessDenied"
    strangers = {"CopySource": "rocks/eros", "ExpectedSourceBucketOwner": "111111111111"}
    assert refused(s3.copy_object, **to, **strangers)["Code"] == "AccessDenied"
    unmet = {"CopySource": "rocks/eros", "CopySourceIfMatch": '"other"'}
    assert refused(s3.copy_object, **to, **unmet)["Code"] == "PreconditionFailed"
    unmet = {"CopySource": "rocks/eros", "CopySourceIfNoneMatch": eros["ETag"]}
    assert refused(s3.copy_object, **to, **unmet)["Code"] == "PreconditionFailed"


def test_deleting_is_idempotent_and_conditional_where_asked(s3, eros, refused):
    here = {"Bucket": "rocks", "Key": "eros"}
    assert refused(s3.delete_object, **here, IfMatch='"other"')["Code"] == "PreconditionFailed"
    s3.delete_object(**here, IfMatch=eros["ETag"])
    s3.delete_object(**here)
    assert refused(s3.head_object, **here)["status"] == 404


def test_a_key_of_a_batch_can_be_bound_to_an_etag(s3, eros):
    def delete(**condition):
        answer = s3.delete_objects(Bucket="rocks", Delete={"Objects": [{"Key": "eros", **condition}]})
        return answer["Errors"][0]["Code"] if "Errors" in answer else [one["Key"] for one in answer["Deleted"]]

    assert delete(ETag='"other"') == "PreconditionFailed"
    assert delete(ETag=eros["ETag"]) == ["eros"]
    assert delete(ETag=eros["ETag"]) == "NoSuchKey"
    assert delete() == ["eros"]


def test_a_read_that_names_an_encryption_is_refused(exchange, s3, eros):
    for method in ("GET", "HEAD"):
        answer = exchange(method, "/rocks/eros", headers={"x-amz-server-side-encryption": "AES256"})
        assert answer.status == 400
        assert method == "HEAD" or b"x-amz-server-side-encryption header is not supported" in answer.body


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("deflate, gzip", "deflate, gzip"),
        ("aws-chunked, gzip", "gzip"),
        ("gzip,aws-chunked", "gzip"),
        ("aws-chunked", None),
    ],
)
def test_an_encoding_is_kept_as_it_was_sent_except_aws_chunked(exchange, s3, sent, kept):
    body = b"3\r\n433\r\n0\r\n\r\n" if "aws-chunked" in sent else b"433"
    assert exchange("PUT", "/rocks/k", headers={"content-encoding": sent}, body=body).status == 200
    assert s3.head_object(Bucket="rocks", Key="k").get("ContentEncoding") == kept


def test_many_are_deleted_at_once_and_the_answer_says_which(s3, eros):
    keys = [{"Key": "eros"}, {"Key": "never & nowhere"}]
    deleted = s3.delete_objects(Bucket="rocks", Delete={"Objects": keys})
    assert deleted["Deleted"] == keys
    quiet = s3.delete_objects(Bucket="rocks", Delete={"Objects": [{"Key": "k", "VersionId": "7"}], "Quiet": True})
    assert (quiet.get("Deleted"), quiet["Errors"][0]["Code"]) == (None, "NoSuchVersion")


def test_object_tags_are_replaced_and_limited(s3, eros, refused):
    here = {"Bucket": "rocks", "Key": "eros"}
    tags = [{"Key": "run", "Value": "1"}, {"Key": "unit", "Value": "au"}]
    s3.put_object_tagging(**here, Tagging={"TagSet": tags})
    assert s3.get_object_tagging(**here)["TagSet"] == tags
    many = [{"Key": str(number), "Value": ""} for number in range(11)]
    assert refused(s3.put_object_tagging, **here, Tagging={"TagSet": many})["Code"] == "BadRequest"
    assert refused(s3.put_object_tagging, **here, Tagging={"TagSet": tags[:1] * 2})["Code"] == "InvalidTag"
    reserved = refused(s3.put_object_tagging, **here, Tagging={"TagSet": [{"Key": "aws:a", "Value": ""}]})
    assert (reserved["Code"], reserved["Message"]) == ("InvalidTag", "Your TagKey cannot be prefixed with aws:")
    assert refused(s3.put_object, **here, Tagging="a=1&a=2")["Code"] == "InvalidArgument"
    reserved = refused(s3.put_object, **here, Tagging="aws:a=1")
    assert (reserved["Code"], reserved["Message"]) == ("InvalidTag", "Your TagKey cannot be prefixed with aws:")
    s3.delete_object_tagging(**here)
    assert s3.get_object_tagging(**here)["TagSet"] == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"Key": "k" * 1025}, "KeyTooLongError"),
        ({"Key": "k", "Metadata": {"m": "x" * 2048}}, "MetadataTooLarge"),
        ({"Key": "k", "StorageClass": "SHELF"}, "InvalidStorageClass"),
        ({"Key": "k", "StorageClass": "GLACIER"}, "NotImplemented"),
        ({"Key": "k", "ACL": "public-read"}, "AccessControlListNotSupported"),
        ({"Key": "k", "ObjectLockMode": "GOVERNANCE"}, "NotImplemented"),
        ({"Key": "k", "ServerSideEncryption": "AES256", "SSEKMSKeyId": "alias/a"}, "InvalidArgument"),
        ({"Key": "k", "SSEKMSKeyId": "alias/a"}, "InvalidArgument"),
        ({"Key": "k", "SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}, "NotImplemented"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_put_that_s3_or_the_emulator_cannot_honour_is_refused(s3, refused, arguments, code):
    assert refused(s3.put_object, Bucket="rocks", **arguments)["Code"] == code


def test_what_is_not_implemented_says_so(s3, refused, exchange):
    assert refused(s3.get_object_torrent, Bucket="rocks", Key="k")["Code"] == "NotImplemented"
    assert refused(s3.put_bucket_versioning, Bucket="rocks", VersioningConfiguration={})["status"] == 501
    assert b"parameter shape is" in exchange("GET", "/rocks", query={"shape": "round"}).body
    assert exchange("PATCH", "/rocks/k").status == 405
    assert b"<Code>InvalidURI</Code>" in exchange("GET", "/rocks/%ff").body


@pytest.mark.parametrize("body", [b"<Tagging>", b"<Other/>", b"\xff", b"<!DOCTYPE x><Tagging/>"])
def test_a_document_that_is_none_is_malformed(exchange, s3, body):
    answer = exchange("PUT", "/rocks", query={"tagging": ""}, body=body)
    assert b"<Code>MalformedXML</Code>" in answer.body


def test_an_object_has_one_version_named_null(s3, eros, refused):
    here = {"Bucket": "rocks", "Key": "eros"}
    assert s3.get_object(**here, VersionId="null")["ContentLength"] == len(DATA)
    assert refused(s3.get_object, **here, VersionId="7")["Code"] == "InvalidArgument"
    assert refused(s3.get_object, **here, VersionId="7" * 32)["Code"] == "NoSuchVersion"
    (version,) = s3.list_object_versions(Bucket="rocks")["Versions"]
    assert (version["Key"], version["VersionId"], version["IsLatest"]) == ("eros", "null", True)


def test_a_part_number_is_of_the_object_put_whole_too(s3, eros, refused):
    here = {"Bucket": "rocks", "Key": "eros"}
    assert s3.get_object(**here, PartNumber=1)["Body"].read() == DATA
    assert refused(s3.get_object, **here, PartNumber=2)["Code"] == "InvalidPartNumber"
    assert refused(s3.get_object, **here, PartNumber=1, Range="bytes=0-1")["Code"] == "InvalidRequest"


CHECKSUMS = {
    "crc32": "cbf43926",
    "crc32c": "e3069283",
    "crc64nvme": "ae8b14860a799888",
    **{name: hashlib.new(name, b"123456789").hexdigest() for name in ("sha1", "sha256", "sha512", "md5")},
}
"""Of 123456789. Those of the CRCs are the check values of the catalogue of parametrised CRC algorithms."""


@pytest.mark.parametrize("algorithm", CHECKSUMS)
def test_a_checksum_is_verified_kept_and_given_back(exchange, s3, algorithm):
    sent = {f"x-amz-checksum-{algorithm}": base64.b64encode(bytes.fromhex(CHECKSUMS[algorithm])).decode()}
    put = exchange("PUT", "/rocks/k", body=b"123456789", headers=sent)
    read = exchange("HEAD", "/rocks/k", headers={"x-amz-checksum-mode": "ENABLED"})
    assert put.headers.items() >= sent.items() <= read.headers.items()
    assert b"<Code>BadDigest</Code>" in exchange("PUT", "/rocks/k", body=b"comet", headers=sent).body
    two = sent | {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-sha1": "AAAA"}
    assert b"Multiple checksum Types" in exchange("PUT", "/rocks/k", headers=two).body
    to = {"x-amz-copy-source": "rocks/k", "x-amz-checksum-algorithm": algorithm.upper()}
    copied = exchange("PUT", "/rocks/copy", headers=to)
    assert f"<Checksum{algorithm.upper()}>{next(iter(sent.values()))}<".encode() in copied.body


@pytest.mark.parametrize("name", ["x-amz-checksum-xxhash64", "x-amz-checksum-rot13"])
def test_a_checksum_of_another_algorithm_is_refused_by_name(exchange, s3, refused, name):
    answer = exchange("PUT", "/rocks/k", headers={name: "AAAAAA=="})
    assert (answer.status, b"Checksum algorithm provided is unsupported." in answer.body) == (400, True)
    copy = {"Bucket": "rocks", "Key": "copy", "CopySource": "rocks/k", "ChecksumAlgorithm": "XXHASH3"}
    s3.put_object(Bucket="rocks", Key="k")
    assert refused(s3.copy_object, **copy)["Code"] == "InvalidRequest"


POLYNOMIALS = {"CRC32C": (0x82F63B78, 32), "CRC64NVME": (0x9A6C9329AC4BC9B5, 64)}


@pytest.mark.parametrize("algorithm", POLYNOMIALS)
@settings(max_examples=20, deadline=None)
@given(pieces=st.lists(st.binary(max_size=1500), max_size=4))
def test_pieces_of_any_length_give_the_crc_by_definition(algorithm, pieces):
    polynomial, width = POLYNOMIALS[algorithm]
    state = ones = 2**width - 1
    for byte in b"".join(pieces):
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (polynomial if state & 1 else 0)
    assert base64.b64decode(checksum(algorithm, pieces)) == (state ^ ones).to_bytes(width // 8, "big")


def test_an_object_is_copied_to_itself_only_for_a_reason(s3, eros, refused):
    here = {"Bucket": "rocks", "Key": "eros", "CopySource": "rocks/eros"}
    assert refused(s3.copy_object, **here)["Code"] == "InvalidRequest"
    assert refused(s3.copy_object, **here, MetadataDirective="FORGET")["Code"] == "InvalidArgument"
    for reason in ({"WebsiteRedirectLocation": "/same"}, {"ChecksumAlgorithm": "SHA256"}):
        s3.copy_object(**here, **reason)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket="rocks", ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.copy_object(**here)


def test_the_requested_attributes_are_answered_and_others_refused(s3, exchange, refused):
    here = {"Bucket": "rocks", "Key": "eros"}
    put = s3.put_object(**here, Body=b"433", ChecksumAlgorithm="SHA1", StorageClass="STANDARD_IA")
    every = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    read = s3.get_object_attributes(**here, ObjectAttributes=every)
    assert {name: read.get(name) for name in every} == {
        "ETag": put["ETag"].strip('"'),
        "Checksum": {"ChecksumSHA1": put["ChecksumSHA1"], "ChecksumType": "FULL_OBJECT"},
        "ObjectParts": None,
        "StorageClass": "STANDARD_IA",
        "ObjectSize": 3,
    }
    one = s3.get_object_attributes(**here, ObjectAttributes=["ObjectSize"])
    assert one.keys() == {"ResponseMetadata", "LastModified", "ObjectSize"}
    for header in ({}, {"x-amz-object-attributes": "ETag,Owner"}):
        answer = exchange("GET", "/rocks/eros", query={"attributes": ""}, headers=header)
        assert b"<Message>Invalid attribute name specified.</Message>" in answer.body
    assert refused(s3.get_object_attributes, Bucket="rocks", Key="no", ObjectAttributes=every)["Code"] == "NoSuchKey"


def test_an_empty_object_is_read_whole_and_has_no_range(s3, refused):
    s3.put_object(Bucket="rocks", Key="empty")
    assert s3.get_object(Bucket="rocks", Key="empty")["Body"].read() == b""
    error = refused(s3.get_object, Bucket="rocks", Key="empty", Range="bytes=0-0")
    assert (error["Code"], error["ActualObjectSize"]) == ("InvalidRange", "0")


def test_a_batch_delete_wants_a_digest_and_at_most_1000_keys(s3, exchange, refused):
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    assert b"Missing required header" in exchange("POST", "/rocks", query={"delete": ""}, body=body).body
    many = {"Objects": [{"Key": str(number)} for number in range(1001)]}
    assert refused(s3.delete_objects, Bucket="rocks", Delete=many)["Code"] == "MalformedXML"


def test_an_error_carries_the_request_id_of_its_header(exchange, s3):
    answer = exchange("GET", "/rocks/no")
    assert f"<RequestId>{answer.headers['x-amz-request-id']}</RequestId>".encode() in answer.body
    assert answer.headers["Content-Type"] == "application/xml"


def test_a_read_can_rename_its_own_headers(s3, eros):
    read = s3.get_object(Bucket="rocks", Key="eros", ResponseContentType="text/plain", ResponseCacheControl="no-store")
    assert (read["ContentType"], read["CacheControl"]) == ("text/plain", "no-store")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"Tagging": "k" * 129 + "=1"}, "InvalidTag"),
        ({"Tagging": "k=" + "v" * 257}, "InvalidTag"),
        ({"ServerSideEncryption": "rot13"}, "InvalidArgument"),
    ],
    ids=["long-key", "long-value", "encryption"],
)
def test_a_tag_or_an_encryption_beyond_the_rules_is_refused(s3, refused, arguments, code):
    assert refused(s3.put_object, Bucket="rocks", Key="k", **arguments)["Code"] == code


def test_directives_and_sources_of_a_copy_are_checked(s3, eros, refused):
    to = {"Bucket": "rocks", "Key": "copy", "CopySource": "rocks/eros"}
    assert refused(s3.copy_object, **to, MetadataDirective="FORGET")["Code"] == "InvalidArgument"
    assert refused(s3.copy_object, **{**to, "CopySource": "rocks"})["Code"] == "InvalidArgument"
    assert refused(s3.delete_object, Bucket="rocks", Key="eros", VersionId="7" * 32)["Code"] == "NoSuchVersion"


def test_two_checksums_at_once_are_one_too_many(exchange, s3):
    both = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="}
    assert b"Multiple checksum Types" in exchange("PUT", "/rocks/k", headers=both).body


def test_a_date_that_is_none_is_ignored(exchange, s3, eros):
    for name in ("if-modified-since", "if-unmodified-since"):
        assert exchange("GET", "/rocks/eros", headers={name: "yesterday"}).status == 200
