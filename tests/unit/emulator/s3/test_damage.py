"""A changed or lost body is an error that names the object, never other bytes; a new put repairs it."""

import base64
import zlib

import pytest

MIB = 2**20


@pytest.fixture
def flip(state):
    """Change one bit in the middle of an object's file."""

    def change(stored):
        with stored.path.open("r+b") as file:
            file.seek(stored.size_bytes // 2)
            byte = file.read(1)[0]
            file.seek(-1, 1)
            file.write(bytes([byte ^ 1]))

    return change


@pytest.fixture(params=["flipped", "cut", "lost"])
def damaged(request, s3, store, flip):
    """A bucket with an object whose file is damaged."""
    s3.put_object(Bucket="rocks", Key="k", Body=b"433 Eros" * 1000)
    stored = store.get("rocks", "k")
    if request.param == "flipped":
        flip(stored)
    elif request.param == "cut":
        stored.path.write_bytes(b"433 Eros")
    else:
        stored.path.unlink()
    return stored


def test_a_damaged_body_is_an_internal_error_with_the_objects_name_in_answer_and_log(s3, damaged, refused, state):
    for arguments in ({}, {"Range": "bytes=0-3"}, {"ChecksumMode": "ENABLED"}):
        error = refused(s3.get_object, Bucket="rocks", Key="k", **arguments)
        assert (error["Code"], error["status"]) == ("InternalError", 500)
        assert "s3://rocks/k are damaged or lost" in error["Message"]
    assert (state.directory / "emulator.log").read_text().count("s3://rocks/k are damaged or lost") == 3


def test_a_head_has_the_checksum_of_the_bytes_that_are_left(s3, damaged):
    left = damaged.path.read_bytes() if damaged.path.exists() else b""
    head = s3.head_object(Bucket="rocks", Key="k", ChecksumMode="ENABLED")
    assert head["ChecksumCRC32"] == base64.b64encode(zlib.crc32(left).to_bytes(4, "big")).decode()


def test_a_damaged_body_is_not_copied(s3, damaged, refused):
    source = {"Bucket": "rocks", "Key": "k"}
    assert refused(s3.copy_object, Bucket="rocks", Key="copy", CopySource=source)["Code"] == "InternalError"
    upload = s3.create_multipart_upload(Bucket="rocks", Key="parts")["UploadId"]
    error = refused(s3.upload_part_copy, Bucket="rocks", Key="parts", CopySource=source, PartNumber=1, UploadId=upload)
    assert error["Code"] == "InternalError"


def test_a_new_put_repairs_a_damaged_object(s3, damaged, bodies, store):
    s3.put_object(Bucket="rocks", Key="k", Body=b"433 Eros" * 1000)
    assert s3.get_object(Bucket="rocks", Key="k")["Body"].read() == b"433 Eros" * 1000
    assert bodies() == {store.get("rocks", "k").path.name}


def test_a_damaged_part_does_not_become_an_object(s3, refused, state, flip, store):
    upload = s3.create_multipart_upload(Bucket="rocks", Key="k")["UploadId"]
    part = s3.upload_part(Bucket="rocks", Key="k", UploadId=upload, PartNumber=1, Body=b"433 Eros")
    (path,) = state.objects.iterdir()
    path.write_bytes(b"433 Ero5")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    error = refused(s3.complete_multipart_upload, Bucket="rocks", Key="k", UploadId=upload, MultipartUpload=parts)
    assert (error["Code"], error["status"]) == ("InternalError", 500)
