from __future__ import annotations

import base64
import hashlib

import pytest

MIB = 2**20
HERE = {"Bucket": "rocks", "Key": "eros"}
ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
PARTS = [bytes(5 * MIB), b"end"]


def sha256(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def upload(s3, **algorithm):
    created = HERE | {"UploadId": s3.create_multipart_upload(**HERE, **algorithm)["UploadId"]}
    parts = []
    for number, body in enumerate(PARTS, start=1):
        part = s3.upload_part(**created, PartNumber=number, Body=body, **algorithm)
        parts.append({"PartNumber": number, **{n: t for n, t in part.items() if n in {"ETag", "ChecksumSHA256"}}})
    s3.complete_multipart_upload(**created, MultipartUpload={"Parts": parts})


def test_an_object_put_whole_has_no_parts(s3):
    put = s3.put_object(**HERE, Body=b"433", ChecksumAlgorithm="SHA256", StorageClass="STANDARD_IA")
    read = s3.get_object_attributes(**HERE, ObjectAttributes=ALL)
    assert {name: read.get(name) for name in ALL} == {
        "ETag": put["ETag"].strip('"'),
        "Checksum": {"ChecksumSHA256": sha256(b"433"), "ChecksumType": "FULL_OBJECT"},
        "ObjectParts": None,
        "StorageClass": "STANDARD_IA",
        "ObjectSize": 3,
    }
    assert read["LastModified"] == s3.head_object(**HERE)["LastModified"]


def test_only_the_requested_attributes_are_answered(s3):
    s3.put_object(**HERE, Body=b"433")
    read = s3.get_object_attributes(**HERE, ObjectAttributes=["ObjectSize", "StorageClass"])
    assert set(read) == {"ResponseMetadata", "LastModified", "ObjectSize", "StorageClass"}
    assert (read["ObjectSize"], read["StorageClass"]) == (3, "STANDARD")


def test_parts_with_checksums_are_listed_by_page(s3):
    upload(s3, ChecksumAlgorithm="SHA256")
    expected = [
        {"PartNumber": number, "Size": len(body), "ChecksumSHA256": sha256(body)}
        for number, body in enumerate(PARTS, start=1)
    ]
    whole = s3.get_object_attributes(**HERE, ObjectAttributes=ALL)
    assert whole["ObjectParts"]["Parts"] == expected
    assert (whole["ObjectParts"]["TotalPartsCount"], whole["ObjectParts"]["IsTruncated"]) == (2, False)
    composite = base64.b64encode(hashlib.sha256(b"".join(hashlib.sha256(p).digest() for p in PARTS)).digest()).decode()
    assert whole["Checksum"] == {"ChecksumSHA256": composite, "ChecksumType": "COMPOSITE"}  # HeadObject adds -2
    first = s3.get_object_attributes(**HERE, ObjectAttributes=["ObjectParts"], MaxParts=1)["ObjectParts"]
    assert (first["Parts"], first["IsTruncated"], first["NextPartNumberMarker"]) == (expected[:1], True, 1)
    rest = s3.get_object_attributes(**HERE, ObjectAttributes=["ObjectParts"], PartNumberMarker=1)["ObjectParts"]
    assert (rest["Parts"], rest["IsTruncated"]) == (expected[1:], False)
    s3.copy_object(Bucket="rocks", Key="copy", CopySource=HERE)
    assert "ObjectParts" not in s3.get_object_attributes(Bucket="rocks", Key="copy", ObjectAttributes=ALL)


def test_parts_without_checksums_are_counted(client, s3):
    upload(client(request_checksum_calculation="when_required"))
    assert s3.get_object_attributes(**HERE, ObjectAttributes=["ObjectParts"])["ObjectParts"] == {"TotalPartsCount": 2}


@pytest.mark.parametrize("header", [{}, {"x-amz-object-attributes": "ETag,Owner"}])
def test_an_attribute_that_does_not_exist_is_refused(exchange, s3, header):
    s3.put_object(**HERE)
    answer = exchange("GET", "/rocks/eros", query={"attributes": ""}, headers=header)
    assert answer.status == 400
    assert b"<Code>InvalidArgument</Code><Message>Invalid attribute name specified.</Message>" in answer.body


def test_an_object_that_does_not_exist_has_no_attributes(s3, refused):
    assert refused(s3.get_object_attributes, **HERE, ObjectAttributes=ALL)["Code"] == "NoSuchKey"
