"""A bucket's default encryption, which new objects get if their request names none. Nothing is encrypted."""

from __future__ import annotations

import json

from asteroid_ll.emulator.s3.call import S3Call
from asteroid_ll.emulator.s3.errors import s3_error
from asteroid_ll.emulator.s3.object_headers import ENCRYPTIONS
from asteroid_ll.emulator.s3.operations import operation
from asteroid_ll.emulator.s3.store import ENCRYPTION_HEADERS
from asteroid_ll.emulator.s3.xml import parse, required_text, xml_response
from asteroid_ll.emulator.transport.messages import ApiError, Response

_SETTING = "encryption"
_SSE_S3 = (
    "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
    "</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>"
    "</ServerSideEncryptionConfiguration>"
)


@operation("GetBucketEncryption", "GET /Bucket?encryption")
def get_bucket_encryption(call: S3Call) -> Response:
    """GetBucketEncryption: the stored setting, else SSE-S3, the default since January 2023."""
    return xml_response(call.store.setting(call.bucket, _SETTING) or _SSE_S3)


@operation("PutBucketEncryption", "PUT /Bucket?encryption", missing="`BlockedEncryptionTypes` has no effect")
def put_bucket_encryption(call: S3Call) -> Response:
    """PutBucketEncryption: stores the setting, and the headers of new objects."""
    rules = parse(call.request.body, "ServerSideEncryptionConfiguration").findall("Rule")
    if len(rules) != 1:
        raise s3_error("MalformedXML")
    headers: dict[str, str] = {}
    default = rules[0].find("ApplyServerSideEncryptionByDefault")
    if default is not None:
        algorithm, key = required_text(default, "SSEAlgorithm"), default.findtext("KMSMasterKeyID")
        if algorithm not in ENCRYPTIONS:
            raise s3_error("MalformedXML")
        if key and algorithm == "AES256":
            raise ApiError(
                "InvalidArgument",
                "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
                ArgumentName="ApplyServerSideEncryptionByDefault",
            )
        headers["x-amz-server-side-encryption"] = algorithm
        if key:
            headers["x-amz-server-side-encryption-aws-kms-key-id"] = key
        if algorithm == "aws:kms" and rules[0].findtext("BucketKeyEnabled") == "true":
            headers["x-amz-server-side-encryption-bucket-key-enabled"] = "true"
    call.store.set_setting(call.bucket, _SETTING, document=call.request.body.decode())
    call.store.set_setting(call.bucket, ENCRYPTION_HEADERS, document=json.dumps(headers))
    return Response()


@operation("DeleteBucketEncryption", "DELETE /Bucket?encryption")
def delete_bucket_encryption(call: S3Call) -> Response:
    """DeleteBucketEncryption: back to SSE-S3."""
    call.store.set_setting(call.bucket, _SETTING, document=None)
    call.store.set_setting(call.bucket, ENCRYPTION_HEADERS, document=None)
    return Response(204)
