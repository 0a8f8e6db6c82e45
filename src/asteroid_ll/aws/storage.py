"""S3: a bucket that is certainly ours, uploads that are not repeated, downloads that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from asteroid_ll.aws.errors import RESUME, answer, aws_call, broken_body_errors
from asteroid_ll.aws.session import Aws
from asteroid_ll.errors import AwsError, ConfigError, DataError
from asteroid_ll.run.atomic import atomic_path

SHA256_METADATA = "sha256"
"""Object metadata that holds the content's SHA-256 in hexadecimal, by which an upload is recognised."""

MULTIPART_THRESHOLD_BYTES = 64 * 1024 * 1024
DELETE_BATCH = 1000
"""S3's limit of keys in one DeleteObjects."""

DOWNLOAD_ATTEMPTS = 3
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class StoredObject:
    """One object of a listing.

    Attributes:
        key: its key.
        size_bytes: length of its body.
        etag: S3's entity tag, without quotes.
        modified_s: seconds since 1970.
    """

    key: str
    size_bytes: int
    etag: str
    modified_s: float


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
    """Make sure that a bucket exists, in this region and in this account.

    Returns:
        ``exists`` or ``created``.

    Raises:
        AwsError: the bucket belongs to another account, is in another region, or must not be seen or created.
        CredentialsError: they are missing or expired.
    """
    with aws_call(f"looking at bucket {bucket}", service="s3"):
        try:
            found = _head(aws, lambda: aws.s3.head_bucket(Bucket=bucket))
        except Exception as error:
            if answer(error)[2] == 403:
                raise _not_ours(aws, bucket) from error
            raise
    if found is None:
        return _create_bucket(aws, bucket)
    # Servers that only resemble S3 leave the region out; SageMaker then refuses a wrong one itself.
    region = found.get("BucketRegion") or aws.region
    if region != aws.region:
        raise AwsError(
            f"Bucket {bucket} is in region {region}, and the configured region is {aws.region}.",
            hint=f"Set 'region: {region}', or choose another bucket: SageMaker reads only from its own region.",
        )
    return "exists"


def upload_file(
    aws: Aws, path: Path, *, bucket: str, key: str, sha256: str, content_type: str = "application/octet-stream"
) -> Literal["uploaded", "present"]:
    """Upload a file unless the same content is already there.

    Args:
        aws: the connection.
        path: the file.
        bucket: a bucket of this account.
        key: the object's key.
        sha256: SHA-256 of the file's content, in hexadecimal; stored with the object.
        content_type: MIME type of the object.

    Returns:
        ``present`` when size and stored SHA-256 agree with the file's, else ``uploaded``.

    Raises:
        DataError: the file cannot be read.
        AwsError: S3 refused.
    """
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise DataError(
            f"{path} cannot be uploaded: {error.strerror}.", hint="Run the stage that makes it again, with --force."
        ) from error
    if stored(aws, bucket, key) == (size_bytes, sha256):
        return "present"
    extra = {"Metadata": {SHA256_METADATA: sha256}, "ContentType": content_type}
    with aws_call(f"uploading s3://{bucket}/{key}", service="s3"):
        if size_bytes <= MULTIPART_THRESHOLD_BYTES:
            with path.open("rb") as body:
                aws.s3.put_object(Bucket=bucket, Key=key, Body=body, **extra)
        else:
            _upload_in_parts(aws, path, bucket=bucket, key=key, extra=extra)
    return "uploaded"


def download_file(aws: Aws, *, bucket: str, key: str, path: Path) -> int:
    """Download an object to a file that appears whole or not at all; an earlier file stays until then.

    Returns:
        Bytes written.

    Raises:
        AwsError: there is no such object, S3 refused, or the body broke off in each of three attempts.
        DataError: the file cannot be written.
    """
    with aws_call(f"downloading s3://{bucket}/{key}", service="s3"):
        for attempt in range(1, DOWNLOAD_ATTEMPTS + 1):
            try:
                return _download_once(aws, bucket=bucket, key=key, path=path)
            except broken_body_errors() as error:
                if attempt == DOWNLOAD_ATTEMPTS:
                    raise AwsError(
                        f"The download of s3://{bucket}/{key} broke off {attempt} times: {error}", hint=RESUME
                    ) from error
                aws.pace.sleep(aws.pace.first_s * 2**attempt)
    raise AssertionError("the loop returns or raises")


def list_objects(aws: Aws, *, bucket: str, prefix: str) -> list[StoredObject]:
    """Every object under a prefix, by key, over as many pages as there are."""
    with aws_call(f"listing s3://{bucket}/{prefix}", service="s3"):
        pages = aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [
            StoredObject(
                key=listed["Key"],
                size_bytes=listed["Size"],
                etag=listed["ETag"].strip('"'),
                modified_s=listed["LastModified"].timestamp(),
            )
            for page in pages
            for listed in page.get("Contents", ())
        ]


def delete_prefix(aws: Aws, *, bucket: str, prefix: str) -> int:
    """Delete every object under a prefix.

    Args:
        aws: the connection.
        bucket: a bucket of this account.
        prefix: ends in ``/``, so that a neighbour whose name begins alike is not touched.

    Returns:
        How many objects were deleted.

    Raises:
        DataError: the prefix is empty or does not end in ``/``.
        AwsError: S3 refused, or kept some of the objects.
    """
    if not prefix.strip("/") or not prefix.endswith("/"):
        raise DataError(f"Refusing to delete everything under {prefix!r} of bucket {bucket}.", hint="End it with '/'.")
    keys = [stored.key for stored in list_objects(aws, bucket=bucket, prefix=prefix)]
    for start in range(0, len(keys), DELETE_BATCH):
        batch = [{"Key": key} for key in keys[start : start + DELETE_BATCH]]
        with aws_call(f"deleting s3://{bucket}/{prefix}", service="s3"):
            kept = aws.s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True}).get("Errors", [])
        if kept:
            first = kept[0]
            raise AwsError(
                f"S3 kept {len(kept)} of the objects under s3://{bucket}/{prefix}: "
                f"{first.get('Key')} ({first.get('Code')}: {first.get('Message')}).",
                hint=RESUME,
            )
    return len(keys)


def abort_multipart_uploads(aws: Aws, *, bucket: str, prefix: str) -> int:
    """Abort the uploads under a prefix that were never completed: they are not listed as objects, yet billed.

    Returns:
        How many were aborted.
    """
    aborted = 0
    with aws_call(f"aborting unfinished uploads under s3://{bucket}/{prefix}", service="s3"):
        for upload in _unfinished_uploads(aws, bucket, prefix):
            try:
                aws.s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
                aborted += 1
            except Exception as error:
                if answer(error)[0] != "NoSuchUpload":
                    raise
    return aborted


def _create_bucket(aws: Aws, bucket: str) -> Literal["exists", "created"]:
    """Create a bucket in this region; one that this account got in the meantime is as good."""
    # us-east-1 is the default and must not be named.
    where = {} if aws.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
    with aws_call(f"creating bucket {bucket}", service="s3"):
        try:
            aws.s3.create_bucket(Bucket=bucket, **where)
        except Exception as error:
            code, _, _ = answer(error)
            if code == "BucketAlreadyOwnedByYou":
                return "exists"
            if code == "BucketAlreadyExists":
                raise _not_ours(aws, bucket) from error
            raise
    return "created"


def _not_ours(aws: Aws, bucket: str) -> AwsError:
    """The refusal of a bucket that this account does not own or must not see."""
    return AwsError(
        f"Bucket {bucket} does not belong to account {aws.account_id}, or that account may not use it.",
        hint="Choose a bucket name of your own ('bucket' in the configuration), or allow s3:ListBucket on it.",
        bucket=bucket,
    )


def stored(aws: Aws, bucket: str, key: str) -> tuple[int, str] | None:
    """Size in bytes and stored SHA-256 of an object (empty where another program put it there); None without one."""
    with aws_call(f"looking at s3://{bucket}/{key}", service="s3"):
        head = _head(aws, lambda: aws.s3.head_object(Bucket=bucket, Key=key))
    if head is None:
        return None
    return int(head["ContentLength"]), str(head.get("Metadata", {}).get(SHA256_METADATA, ""))


def _head(aws: Aws, ask: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """The answer to a HEAD, None where there is nothing.

    A refusal of a HEAD has no body and so no reason: whether it was for the credentials, STS says.
    """
    try:
        return ask()
    except Exception as error:
        code, _, status = answer(error)
        if status == 404:
            return None
        if code in {"400", "403"}:
            aws.verify_credentials()
        raise


def _upload_in_parts(aws: Aws, path: Path, *, bucket: str, key: str, extra: dict[str, Any]) -> None:
    """A multipart upload; one that fails is aborted by the transfer manager."""
    from boto3.s3.transfer import TransferConfig, create_transfer_manager

    config = TransferConfig(multipart_threshold=MULTIPART_THRESHOLD_BYTES, multipart_chunksize=16 * 1024 * 1024)
    with create_transfer_manager(aws.s3, config) as manager:
        manager.upload(str(path), bucket, key, extra_args=extra).result()


def _download_once(aws: Aws, *, bucket: str, key: str, path: Path) -> int:
    """One attempt of `download_file`."""
    size_bytes = 0
    with (
        closing(aws.s3.get_object(Bucket=bucket, Key=key)["Body"]) as body,
        atomic_path(path) as temporary,
        temporary.open("wb") as file,
    ):
        for chunk in body.iter_chunks(_CHUNK_BYTES):
            size_bytes += file.write(chunk)
    return size_bytes


def _unfinished_uploads(aws: Aws, bucket: str, prefix: str) -> list[dict[str, Any]]:
    """The multipart uploads under a prefix that are still open."""
    pages = aws.s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
    return [upload for page in pages for upload in page.get("Uploads", ())]
