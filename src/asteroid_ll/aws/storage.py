"""S3: a bucket of this account, uploads that are not repeated, downloads that appear whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from asteroid_ll.aws.errors import BROKEN_BODY_ERRORS, RESUME, answer, aws_call, is_denial, translate
from asteroid_ll.errors import AwsError, ConfigError, DataError
from asteroid_ll.run.atomic import atomic_path

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

MULTIPART_THRESHOLD_BYTES = 64 * 1024 * 1024
PART_BYTES = 16 * 1024 * 1024
DOWNLOAD_ATTEMPTS = 3
_CHUNK_BYTES = 1024 * 1024
_ACCOUNT_REGIONAL = re.compile(r"-[0-9]{12}-[a-z]{2,4}(-[a-z]+)+-[0-9]-an$")
"""The suffix of a name in an account's regional namespace (S3 user guide, "Namespaces for general purpose buckets")."""


def parse_uri(uri: str) -> tuple[str, str]:
    """Split ``s3://BUCKET/KEY`` into bucket and key.

    Raises:
        ConfigError: it is not such a URI.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket or not key:
        raise ConfigError(f"{uri!r} is not an S3 address.", hint="Write it as s3://BUCKET/KEY.")
    return bucket, key


def ensure_bucket(aws: Aws, bucket: str) -> Literal["exists", "created"]:
    """Create a bucket in this region and account unless it exists; raises as `find_bucket`."""
    return "exists" if find_bucket(aws, bucket) else _create_bucket(aws, bucket)


def find_bucket(aws: Aws, bucket: str) -> bool:
    """Return whether a bucket exists, which is then in this region and account.

    Raises:
        AwsError: the bucket belongs to another account, is in another region, or access to it is denied.
        CredentialsError: they are missing or expired.
    """
    with aws_call(f"looking at bucket {bucket}", service="s3"):
        try:
            head = _head(aws, lambda: aws.s3.head_bucket(Bucket=bucket))
        except Exception as error:
            if answer(error)[2] == 403:
                raise _not_ours(aws, bucket) from error
            raise
    if head is None:
        return False
    # Servers that only resemble S3 leave the region out; SageMaker then refuses a wrong one itself.
    region = head.get("BucketRegion") or aws.region
    if region != aws.region:
        raise AwsError(
            f"Bucket {bucket} is in region {region}, and the configured region is {aws.region}.",
            hint=f"Set 'region: {region}', or choose another bucket: SageMaker reads only from its own region.",
            region=region,
        )
    return True


def upload_file(
    aws: Aws, path: Path, *, bucket: str, key: str, sha256: str, kms_key: str | None = None
) -> Literal["uploaded", "present"]:
    """Upload a file unless its content is already there.

    Args:
        aws: the connection.
        path: the file.
        bucket: a bucket of this account.
        key: the object's key.
        sha256: SHA-256 of the file's content, in hexadecimal; stored with the object.
        kms_key: id, ARN or alias of the KMS key that encrypts the object; None for the bucket's default encryption.

    Returns:
        ``present`` if the object has the file's size and SHA-256, else ``uploaded``.

    Raises:
        DataError: the file cannot be read.
        AwsError: S3 refused.
    """
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error
    if is_stored(aws, path, bucket=bucket, key=key, size_bytes=size_bytes, sha256=sha256):
        return "present"
    headers: dict[str, Any] = {"ContentType": "application/octet-stream", **_encryption(kms_key)}
    with aws_call(f"uploading s3://{bucket}/{key}", service="s3"):
        if size_bytes <= MULTIPART_THRESHOLD_BYTES:
            with path.open("rb") as body:
                checksum = _s3_checksum(path, size_bytes=size_bytes, sha256=sha256)
                aws.s3.put_object(Bucket=bucket, Key=key, Body=body, ChecksumSHA256=checksum, **headers)
        else:
            extra = {"ChecksumAlgorithm": "SHA256", **headers}
            _upload_in_parts(aws, path, bucket=bucket, key=key, extra=extra)
    return "uploaded"


def download_file(aws: Aws, *, bucket: str, key: str, path: Path, max_bytes: int | None = None) -> int:
    """Download an object; an earlier file stays until the download is complete.

    Args:
        aws: the connection.
        bucket: its bucket.
        key: its key.
        path: the file.
        max_bytes: longest object that is accepted; None for any.

    Returns:
        Bytes written.

    Raises:
        AwsError: there is no such object, S3 refused, or the body was truncated in each of three attempts.
        DataError: the object is too long, or the file cannot be written.
    """
    with aws_call(f"downloading s3://{bucket}/{key}", service="s3"):
        for attempt in range(1, DOWNLOAD_ATTEMPTS + 1):
            try:
                return _download_once(aws, bucket=bucket, key=key, path=path, max_bytes=max_bytes)
            except BROKEN_BODY_ERRORS as error:
                if attempt == DOWNLOAD_ATTEMPTS:
                    raise AwsError(
                        f"The download of s3://{bucket}/{key} broke off {attempt} times: {error}", hint=RESUME
                    ) from error
                aws.pace.sleep(aws.pace.first_s * 2**attempt)
    raise AssertionError("the loop returns or raises")


def exists(aws: Aws, *, bucket: str, key: str) -> bool:
    """Return whether there is an object."""
    with aws_call(f"looking at s3://{bucket}/{key}", service="s3"):
        return _head(aws, lambda: aws.s3.head_object(Bucket=bucket, Key=key)) is not None


def is_stored(aws: Aws, path: Path, *, bucket: str, key: str, size_bytes: int, sha256: str) -> bool:
    """Return whether an object has exactly a file's content, by the checksum that S3 itself has computed.

    It is the SHA-256 of our own uploads. The CRC-32 of an object that another client wrote serves too, and the MD5 of a
    server that keeps no checksum. Any other object counts as different.

    Args:
        aws: the connection.
        path: the file; it is not read for the SHA-256 of an upload in one part.
        bucket: the object's bucket.
        key: its key.
        size_bytes: length of the file.
        sha256: SHA-256 of its content, in hexadecimal.

    Raises:
        DataError: the file cannot be read.
    """
    with aws_call(f"looking at s3://{bucket}/{key}", service="s3"):
        head = _head(aws, lambda: aws.s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED"))
    if head is None or head.get("ContentLength") != size_bytes:
        return False
    if "ChecksumSHA256" in head:
        return bool(head["ChecksumSHA256"] == _s3_checksum(path, size_bytes=size_bytes, sha256=sha256))
    if "ChecksumCRC32" in head:
        return head.get("ChecksumType") == "FULL_OBJECT" and head["ChecksumCRC32"] == _crc32(path)
    # An emulator may keep no checksum. Without a key of KMS, the ETag of an object in one part is its MD5.
    return head.get("ServerSideEncryption", "AES256") == "AES256" and head.get("ETag") == f'"{_md5(path)}"'


def _encryption(kms_key: str | None) -> dict[str, Any]:
    """Return the arguments of SSE-KMS. Whether S3 uses a bucket key is a setting of the bucket."""
    return {} if kms_key is None else {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key}


def _s3_checksum(path: Path, *, size_bytes: int, sha256: str) -> str:
    """Return the SHA-256 checksum that S3 gives an uploaded file.

    It is the file's own, in base64. For an upload in parts it is that of the parts' checksums, with the number of parts
    (Amazon S3 user guide, "Checking object integrity").
    """
    if size_bytes <= MULTIPART_THRESHOLD_BYTES:
        return base64.b64encode(bytes.fromhex(sha256)).decode()
    digests = []
    try:
        with path.open("rb") as file:
            while part := file.read(PART_BYTES):
                digests.append(hashlib.sha256(part).digest())
    except OSError as error:
        raise _unreadable(path, error) from error
    return f"{base64.b64encode(hashlib.sha256(b''.join(digests)).digest()).decode()}-{len(digests)}"


def _crc32(path: Path) -> str:
    """Return a file's CRC-32 as S3 writes it: four bytes, big-endian, in base64."""
    crc32 = 0
    for block in _blocks(path):
        crc32 = zlib.crc32(block, crc32)
    return base64.b64encode(crc32.to_bytes(4, "big")).decode()


def _md5(path: Path) -> str:
    """Return a file's MD5 in hexadecimal."""
    md5 = hashlib.md5(usedforsecurity=False)
    for block in _blocks(path):
        md5.update(block)
    return md5.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while block := file.read(_CHUNK_BYTES):
                yield block
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> DataError:
    hint = "Run the stage that makes it again, with --force."
    return DataError(f"{path} cannot be uploaded: {error.strerror}.", hint=hint)


@dataclass(frozen=True)
class Upload:
    """A multipart upload that is not complete. Its parts cost storage until it is aborted.

    Attributes:
        key: the object's key.
        id: S3's identifier.
        since_s: time of the start, in seconds since 1970.
    """

    key: str
    id: str
    since_s: float


def list_uploads(aws: Aws, bucket: str, prefix: str) -> list[Upload]:
    """Return the incomplete multipart uploads under a prefix; none if there is no such bucket.

    Raises:
        AwsError: S3 refused.
    """
    pages = _pages(aws, "list_multipart_uploads", "listing the uploads to", bucket=bucket, prefix=prefix)
    return [
        Upload(upload["Key"], upload["UploadId"], upload["Initiated"].timestamp())
        for page in pages
        for upload in page.get("Uploads", ())
    ]


def abort_upload(aws: Aws, bucket: str, upload: Upload) -> None:
    """Abort a multipart upload, which deletes its parts; one that is gone already is no error.

    Raises:
        AwsError: S3 refused.
    """
    with aws_call(f"aborting the upload of s3://{bucket}/{upload.key}", service="s3"):
        try:
            aws.s3.abort_multipart_upload(Bucket=bucket, Key=upload.key, UploadId=upload.id)
        except Exception as error:
            if answer(error)[0] != "NoSuchUpload":
                raise


def list_objects(aws: Aws, bucket: str, prefix: str) -> list[tuple[str, float]]:
    """Return the key and the age's start (seconds since 1970) of each object under a prefix; none without a bucket.

    Raises:
        AwsError: S3 refused.
    """
    pages = _pages(aws, "list_objects_v2", "listing the objects in", bucket=bucket, prefix=prefix)
    return [(item["Key"], item["LastModified"].timestamp()) for page in pages for item in page.get("Contents", ())]


def delete_object(aws: Aws, bucket: str, key: str) -> None:
    """Delete an object; one that is gone already is no error.

    Raises:
        AwsError: S3 refused.
    """
    with aws_call(f"deleting s3://{bucket}/{key}", service="s3"):
        aws.s3.delete_object(Bucket=bucket, Key=key)


def _pages(aws: Aws, operation: str, doing: str, *, bucket: str, prefix: str) -> list[dict[str, Any]]:
    """Return all pages of a listing under a prefix; none if there is no such bucket."""
    with aws_call(f"{doing} bucket {bucket}", service="s3"):
        try:
            return list(aws.s3.get_paginator(operation).paginate(Bucket=bucket, Prefix=prefix))
        except Exception as error:
            if answer(error)[0] == "NoSuchBucket":
                return []
            raise


def _create_bucket(aws: Aws, bucket: str) -> Literal["exists", "created"]:
    """Create a bucket in this region; accept one that this account has created in the meantime."""
    # us-east-1 is the default and must not be named.
    region = {} if aws.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
    with aws_call(f"creating bucket {bucket}", service="s3"):
        try:
            aws.s3.create_bucket(Bucket=bucket, **region, **_namespace(aws, bucket))
        except Exception as error:
            code, _, _ = answer(error)
            if code == "BucketAlreadyOwnedByYou":
                return "exists"
            if code == "BucketAlreadyExists":
                raise _not_ours(aws, bucket) from error
            refusal = translate(error, f"creating bucket {bucket}", service="s3")
            if refusal is not None and is_denial(refusal):
                hint = f"{refusal.hint} Or set 'bucket' to one that exists: it is used as it is."
                raise AwsError(refusal.what, hint=hint, **refusal.context) from error
            raise
    return "created"


def _namespace(aws: Aws, bucket: str) -> dict[str, str]:
    """Return the argument for a bucket whose name is in the account's regional namespace.

    Raises:
        ConfigError: the name has another account's or region's suffix, or boto3 is older than this namespace.
    """
    suffix = f"-{aws.account_id}-{aws.region}-an"
    if not _ACCOUNT_REGIONAL.search(bucket):
        return {}
    if not bucket.endswith(suffix):
        raise ConfigError(
            f"Bucket {bucket} has the suffix of another account or region.", hint=f"Its name must end with {suffix}."
        )
    if "BucketNamespace" not in aws.s3.meta.service_model.operation_model("CreateBucket").input_shape.members:
        raise ConfigError(
            f"The installed boto3 is too old to create bucket {bucket} in the account's regional namespace.",
            hint="pip install --upgrade boto3",
        )
    return {"BucketNamespace": "account-regional"}


def _not_ours(aws: Aws, bucket: str) -> AwsError:
    """Return the error for a bucket of another account, or one that this account may not see."""
    return AwsError(
        f"Bucket {bucket} does not belong to account {aws.account_id}, or that account may not use it.",
        hint="Choose a bucket name of your own ('bucket' in the configuration), or allow s3:ListBucket on it.",
        bucket=bucket,
    )


def _head(aws: Aws, head: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """Return the answer to a HEAD request, or None if there is nothing.

    A refused HEAD has no body and so no reason. STS shows whether the credentials are the cause.
    """
    try:
        return head()
    except Exception as error:
        code, _, status = answer(error)
        if status == 404:
            return None
        if code in {"400", "403"}:
            aws.verify_credentials()
        raise


def _upload_in_parts(aws: Aws, path: Path, *, bucket: str, key: str, extra: dict[str, Any]) -> None:
    """Upload a file in parts; the transfer manager aborts a failed upload."""
    from boto3.s3.transfer import TransferConfig, create_transfer_manager

    config = TransferConfig(multipart_threshold=MULTIPART_THRESHOLD_BYTES, multipart_chunksize=PART_BYTES)
    with create_transfer_manager(aws.s3, config) as manager:
        manager.upload(str(path), bucket, key, extra_args=extra).result()


def _download_once(aws: Aws, *, bucket: str, key: str, path: Path, max_bytes: int | None) -> int:
    size_bytes = 0
    response = aws.s3.get_object(Bucket=bucket, Key=key)
    with (
        closing(response["Body"]) as body,
        atomic_path(path) as temporary,
        temporary.open("wb") as file,
    ):
        if max_bytes is not None and response.get("ContentLength", 0) > max_bytes:
            raise DataError(f"s3://{bucket}/{key} has more than {max_bytes} bytes.", hint="Use a smaller export.")
        for chunk in body.iter_chunks(_CHUNK_BYTES):
            size_bytes += file.write(chunk)
    return size_bytes
