from __future__ import annotations

import base64
import hashlib
import random
import zlib

import pytest
from boto3.s3.transfer import TransferConfig

MIB = 2**20
HERE = {"Bucket": "rocks", "Key": "model.tar.gz"}


@pytest.fixture(scope="module")
def data():
    return random.Random(433).randbytes(11 * MIB)


@pytest.fixture
def started(s3):
    """An upload of two parts, of 5 MiB and 3 bytes, not completed."""
    upload = HERE | {"UploadId": s3.create_multipart_upload(**HERE, Metadata={"unit": "au"})["UploadId"]}
    sent = [s3.upload_part(**upload, PartNumber=n, Body=body) for n, body in ((1, bytes(5 * MIB)), (2, b"end"))]
    return upload, [{"PartNumber": n, "ETag": part["ETag"]} for n, part in enumerate(sent, 1)]


def test_a_large_file_goes_up_and_down_in_parts(s3, tmp_path, data, bodies):
    source, target = tmp_path / "up", tmp_path / "down"
    source.write_bytes(data)
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)
    s3.upload_file(str(source), "rocks", "big", Config=config)
    s3.download_file("rocks", "big", str(target), Config=config)
    assert target.read_bytes() == data
    parts = [data[:5 * MIB], data[5 * MIB : 10 * MIB], data[10 * MIB :]]  # fmt: skip
    head = s3.head_object(Bucket="rocks", Key="big", ChecksumMode="ENABLED")
    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    assert head["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'
    if head["ChecksumType"] == "COMPOSITE":
        checksums = b"".join(zlib.crc32(part).to_bytes(4, "big") for part in parts)
        composite = zlib.crc32(checksums).to_bytes(4, "big")
        assert head["ChecksumCRC32"] == base64.b64encode(composite).decode() + "-3"
    second = s3.get_object(Bucket="rocks", Key="big", PartNumber=2)
    assert (second["PartsCount"], second["Body"].read()) == (3, parts[1])
    assert base64.b64decode(second["ChecksumCRC32"]) == zlib.crc32(parts[1]).to_bytes(4, "big")
    assert len(bodies()) == 1


def test_completing_makes_the_object_and_ends_the_upload(s3, started, refused, bodies):
    upload, parts = started
    assert refused(s3.head_object, **HERE)["status"] == 404
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    read = s3.get_object(**HERE)
    assert (read["ETag"], read["Metadata"], read["ContentLength"]) == (done["ETag"], {"unit": "au"}, 5 * MIB + 3)
    assert read["Body"].read()[-3:] == b"end"
    assert refused(s3.upload_part, **upload, PartNumber=1, Body=b"late")["Code"] == "NoSuchUpload"
    assert len(bodies()) == 1


def test_completing_again_has_the_same_answer_also_after_the_object_is_gone(s3, started, refused):
    upload, parts = started
    arguments = {**upload, "MultipartUpload": {"Parts": parts}}
    first = s3.complete_multipart_upload(**arguments)
    s3.delete_object(**HERE)
    again = s3.complete_multipart_upload(**arguments)
    for answer in (first, again):
        del answer["ResponseMetadata"]
    assert again == first
    assert refused(s3.complete_multipart_upload, **arguments | {"Key": "other"})["Code"] == "NoSuchUpload"
    s3.delete_bucket(Bucket="rocks")
    s3.create_bucket(Bucket="rocks")
    assert refused(s3.complete_multipart_upload, **arguments)["Code"] == "NoSuchUpload"


def test_a_full_object_checksum_is_of_the_whole_object(s3, refused):
    upload = s3.create_multipart_upload(**HERE, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")["UploadId"]
    part = s3.upload_part(**HERE, UploadId=upload, PartNumber=1, Body=b"433 Eros", ChecksumAlgorithm="CRC32")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}]}
    arguments = {**HERE, "UploadId": upload, "MultipartUpload": parts, "ChecksumType": "FULL_OBJECT"}
    assert refused(s3.complete_multipart_upload, **arguments, ChecksumCRC32="AAAAAA==")["Code"] == "BadDigest"
    assert refused(s3.complete_multipart_upload, **arguments, MpuObjectSize=7)["Code"] == "InvalidRequest"
    done = s3.complete_multipart_upload(**arguments, ChecksumCRC32=part["ChecksumCRC32"])
    assert (done["ChecksumCRC32"], done["ChecksumType"]) == (part["ChecksumCRC32"], "FULL_OBJECT")


def test_the_whole_object_is_checked_by_crc64nvme_as_newer_clients_ask(s3, refused):
    started = s3.create_multipart_upload(**HERE, ChecksumAlgorithm="CRC64NVME")
    assert started["ChecksumType"] == "FULL_OBJECT"
    upload = HERE | {"UploadId": started["UploadId"]}
    right = base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode()
    for wrong in (right[:-4] + "AAA=", "AAAA"):
        assert "Code" in refused(s3.upload_part, **upload, PartNumber=1, Body=b"123456789", ChecksumCRC64NVME=wrong)
    part = s3.upload_part(**upload, PartNumber=1, Body=b"123456789", ChecksumCRC64NVME=right)
    done = s3.complete_multipart_upload(
        **upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}, ChecksumCRC64NVME=right
    )
    assert (done["ChecksumCRC64NVME"], done["ChecksumType"]) == (right, "FULL_OBJECT")
    listed = s3.list_objects_v2(Bucket="rocks")["Contents"][0]
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == (["CRC64NVME"], "FULL_OBJECT")


def test_aborting_leaves_nothing(s3, started, refused, bodies):
    upload, _ = started
    s3.abort_multipart_upload(**upload)
    assert bodies() == set()
    for call in (s3.abort_multipart_upload, s3.list_parts):
        assert refused(call, **upload)["Code"] == "NoSuchUpload"
    assert refused(s3.upload_part, **upload, PartNumber=1)["Code"] == "NoSuchUpload"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda parts: parts[::-1], "InvalidPartOrder"),
        (lambda parts: [*parts, {"PartNumber": 3, "ETag": '"x"'}], "InvalidPart"),
        (lambda parts: [{**parts[0], "ETag": '"other"'}], "InvalidPart"),
        (lambda parts: [{**parts[0], "ChecksumCRC32": "AAAAAA=="}], "InvalidPart"),
        (lambda _: [], "MalformedXML"),
    ],
    ids=["order", "missing", "etag", "checksum", "none"],
)
def test_parts_that_do_not_fit_are_refused_and_the_upload_stays(s3, started, refused, change, code):
    upload, parts = started
    changed = {"Parts": change(parts)}
    assert refused(s3.complete_multipart_upload, **upload, MultipartUpload=changed)["Code"] == code
    assert len(s3.list_parts(**upload)["Parts"]) == 2


def test_a_part_that_is_not_the_last_has_at_least_5_mib(s3, started, refused):
    upload, parts = started
    parts.append({"PartNumber": 3, "ETag": s3.upload_part(**upload, PartNumber=3, Body=b"x")["ETag"]})
    error = refused(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts})
    assert (error["Code"], error["PartNumber"], error["MinSizeAllowed"]) == ("EntityTooSmall", "2", str(5 * MIB))


def test_a_part_is_replaced_by_a_later_one_of_its_number(s3, started, bodies):
    upload, parts = started
    parts[1]["ETag"] = s3.upload_part(**upload, PartNumber=2, Body=b"later")["ETag"]
    assert len(bodies()) == 2
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(**HERE, Range="bytes=-5")["Body"].read() == b"later"


def test_part_numbers_and_checksum_kinds_are_checked(s3, started, refused):
    upload, _ = started
    for number in (0, 10_001):
        assert refused(s3.upload_part, **upload, PartNumber=number)["Code"] == "InvalidArgument"
    error = refused(s3.create_multipart_upload, **HERE, ChecksumAlgorithm="SHA256", ChecksumType="FULL_OBJECT")
    assert error["Code"] == "InvalidRequest"
    assert refused(s3.create_multipart_upload, **HERE, ChecksumAlgorithm="MD4")["Code"] == "InvalidRequest"
    sha = HERE | {"UploadId": s3.create_multipart_upload(**HERE, ChecksumAlgorithm="SHA256")["UploadId"]}
    mismatch = refused(s3.upload_part, **sha, PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC32")
    assert "expected checksum Type: sha256" in mismatch["Message"]


def test_parts_and_uploads_are_listed_by_page(s3, started):
    upload, _ = started
    other = s3.create_multipart_upload(Bucket="rocks", Key="a b")["UploadId"]
    again = s3.create_multipart_upload(**HERE)["UploadId"]
    parts = s3.get_paginator("list_parts").paginate(**upload, PaginationConfig={"PageSize": 1})
    assert [[part["Size"] for part in page["Parts"]] for page in parts] == [[5 * MIB], [3]]
    pages = list(s3.get_paginator("list_multipart_uploads").paginate(Bucket="rocks", PaginationConfig={"PageSize": 1}))
    assert [page["Uploads"][0]["UploadId"] for page in pages] == [other, upload["UploadId"], again]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="rocks", Prefix="z")


def test_a_part_is_copied_from_a_range_of_an_object(s3, refused):
    s3.put_object(Bucket="rocks", Key="source", Body=b"0123456789")
    upload = HERE | {"UploadId": s3.create_multipart_upload(**HERE)["UploadId"]}
    copied = s3.upload_part_copy(**upload, PartNumber=1, CopySource="rocks/source", CopySourceRange="bytes=2-4")
    parts = [{"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]}]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(**HERE)["Body"].read() == b"234"
    upload["UploadId"] = s3.create_multipart_upload(**HERE)["UploadId"]
    for text in ("2-4", "bytes=2-", "bytes=-2", "bytes=4-2", "bytes=0-1,3-4", "bytes=5-10", "bytes=12-14"):
        wrong = {"PartNumber": 1, "CopySource": "rocks/source", "CopySourceRange": text}
        assert refused(s3.upload_part_copy, **upload, **wrong)["Code"] == "InvalidArgument", text


def test_a_copied_part_has_the_checksum_that_the_upload_announced(s3, refused):
    s3.put_object(Bucket="rocks", Key="source", Body=b"0123456789")
    upload = HERE | {"UploadId": s3.create_multipart_upload(**HERE, ChecksumAlgorithm="SHA256")["UploadId"]}
    copied = s3.upload_part_copy(**upload, PartNumber=1, CopySource="rocks/source")["CopyPartResult"]
    digest = hashlib.sha256(b"0123456789").digest()
    assert copied["ChecksumSHA256"] == base64.b64encode(digest).decode()
    listed = s3.list_parts(**upload), s3.list_multipart_uploads(Bucket="rocks")["Uploads"][0]
    assert [(one["ChecksumAlgorithm"], one["ChecksumType"]) for one in listed] == [("SHA256", "COMPOSITE")] * 2
    arguments = {**upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": copied["ETag"]}]}}
    assert refused(s3.complete_multipart_upload, **arguments, ChecksumType="FULL_OBJECT")["Code"] == "InvalidRequest"
    done = s3.complete_multipart_upload(**arguments)
    assert done["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(digest).digest()).decode() + "-1"


def test_an_upload_does_not_replace_an_object_it_must_not(s3, started, refused):
    upload, parts = started
    s3.put_object(**HERE, Body=b"first")
    error = refused(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
    assert error["Code"] == "PreconditionFailed"
    assert s3.get_object(**HERE)["Body"].read() == b"first"
