"""S3 over a directory: one HTTP request in, one response out, with S3's checks, codes and messages.

If the account evaluates policies, the sender needs the actions of the operation's row in the table. Source of their
resources and condition keys: AWS's Service Authorization Reference.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from asteroid_ll.emulator.iam.needs import Need

# Each of these modules adds its operations to the table.
from asteroid_ll.emulator.s3 import buckets, multipart, objects  # noqa: F401
from asteroid_ll.emulator.s3.call import (
    Operation,
    S3Call,
    check_bucket,
    check_signed,
    find_operation,
    parse_address,
    parse_copy_source,
    with_headers_of_query,
)
from asteroid_ll.emulator.s3.store import ObjectStore, s3_arn
from asteroid_ll.emulator.s3.xml import error_body, http_time, s3_error
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response, too_large

if TYPE_CHECKING:
    from asteroid_ll.emulator.iam.permissions import Permissions
_MAX_KEY_BYTES = 1024
_QUERY_CONDITIONS = ("prefix", "delimiter", "max-keys")

CheckSignature = Callable[[Request, str], None]
"""Refuses a request that its caller did not sign. The second argument is the bucket, if the host has its name."""


class S3:
    """Amazon S3.

    Args:
        store: the buckets and objects of the account.
        check_signature: refuses a request that its caller did not sign; None if no signature is verified.
    """

    def __init__(self, store: ObjectStore, check_signature: CheckSignature | None = None) -> None:
        self.store = store
        self._check_signature = check_signature

    def handle(
        self, request: Request, *, region: str, permissions: Callable[[], Permissions] | None = None
    ) -> Response:
        """Answer one request. An error is S3's error document, without a body for HEAD.

        Args:
            request: the HTTP request, in virtual-host or path style.
            region: the region that the request was signed for.
            permissions: returns what the policies of the sender allow; None if none are evaluated.
        """
        request_id, host_id = secrets.token_hex(8).upper(), base64.b64encode(secrets.token_bytes(56)).decode()
        headers = {
            "x-amz-request-id": request_id,
            "x-amz-id-2": host_id,
            "Date": http_time(self.store.state.now()),
            "Server": "AmazonS3",
        }
        try:
            operation, call = self._checked(request, region, headers=headers)
            response = operation.run(call) if permissions is None else _run_allowed(operation, call, permissions())
        except ApiError as error:
            if error.code == "InternalError":
                self.store.state.log(f"{request.method} {request.path}: {error.message}")
            headers["Content-Type"] = "application/xml"
            body = error_body(error, request_id=request_id, host_id=host_id)
            return Response(error.status, headers=headers, body=b"" if request.method == "HEAD" else body)
        return replace(response, headers={**headers, **response.headers})

    def _checked(self, request: Request, region: str, *, headers: dict[str, str]) -> tuple[Operation, S3Call]:
        """Check what every call must satisfy; return its operation.

        S3 names the bucket's region in ``headers`` for HeadBucket and for calls to the wrong region.
        """
        now_s = self.store.state.now()
        check_signed(request, now_s=now_s)
        name, key, host_region = parse_address(request)
        if self._check_signature is not None:
            in_host = unquote(request.path[1:]) == key
            self._check_signature(request, name if in_host else "")
        request = with_headers_of_query(request)
        if len(key.encode()) > _MAX_KEY_BYTES:
            raise s3_error("KeyTooLongError", Size=len(key), MaxSizeAllowed=_MAX_KEY_BYTES)
        operation = find_operation(request, bucket=name, key=key)
        if request.file is not None and operation.name not in ("PutObject", "UploadPart"):
            raise too_large()
        call = S3Call(self.store, request, region, name, key)
        if name and operation.name != "CreateBucket":
            bucket = self.store.bucket(name)
            any_region = operation.name == "GetBucketLocation"
            if bucket is not None:
                if "AWSAccessKeyId" in request.query:
                    call = replace(call, region=bucket.region)  # signature version 2 names no region
                if operation.name == "HeadBucket" or (bucket.region != call.region and not any_region):
                    headers["x-amz-bucket-region"] = bucket.region
            check_bucket(call, bucket, host_region=host_region, any_region=any_region)
        return operation, call


def _run_allowed(operation: Operation, call: S3Call, permissions: Permissions) -> Response:
    """Run an operation if the sender's policies allow it.

    S3 hides from a sender without ``s3:ListBucket`` that a key does not exist.

    Raises:
        ApiError: ``AccessDenied``, or the operation's own error.
    """

    def denial(key: str) -> str:
        return permissions.denial(Need("s3:DeleteObject", s3_arn(call.region, call.bucket, key)))

    permissions.check_s3(_needs(operation, call))
    try:
        return operation.run(replace(call, deletion_denial=denial))
    except ApiError as error:
        if error.code == "NoSuchKey":
            bucket = parse_copy_source(call)[0] or call.bucket
            permissions.check_s3([Need("s3:ListBucket", s3_arn(call.region, bucket))])
        raise


def _needs(operation: Operation, call: S3Call) -> Iterator[Need]:
    """Yield what an operation needs; nothing for one that answers for each key by itself."""
    bucket, key, version = parse_copy_source(call)
    if bucket:
        read = "s3:GetObjectVersion" if version else "s3:GetObject"
        yield Need(read, s3_arn(call.region, bucket, key), _tags_of(call, bucket, key))
    context = _context(call)
    if not call.key:
        for action in operation.actions:
            yield Need(f"s3:{action}", s3_arn(call.region, call.bucket or "*"), context)
        return
    resource = s3_arn(call.region, call.bucket, call.key)
    for action in operation.actions:
        if action == "PutObject":
            yield Need("s3:PutObject", resource, context)
            continue
        versioned = action.replace("Object", "ObjectVersion", 1) if call.query("versionId") else action
        yield Need(f"s3:{versioned}", resource, {**context, **_tags_of(call, call.bucket, call.key)})
    tags = dict(parse_qsl(call.header("x-amz-tagging")))
    if tags:
        requested = {f"s3:requestobjecttag/{key}".lower(): (value,) for key, value in tags.items()}
        yield Need("s3:PutObjectTagging", resource, {**context, **requested})


def _context(call: S3Call) -> dict[str, tuple[str, ...]]:
    """Return S3's condition keys that the request has values for: of a listing, and of all ``x-amz-`` headers."""
    query = {f"s3:{name}": (call.query(name),) for name in _QUERY_CONDITIONS if name in call.request.query}
    headers = {f"s3:{name}": (text,) for name, text in call.request.headers.items() if name.startswith("x-amz-")}
    return {**query, **headers}


def _tags_of(call: S3Call, bucket: str, key: str) -> Mapping[str, tuple[str, ...]]:
    stored = call.store.get(bucket, key)
    tags = {} if stored is None else stored.attributes.tags
    return {f"s3:existingobjecttag/{name}".lower(): (value,) for name, value in tags.items()}
