"""S3 over a directory: one HTTP request in, one response out, with S3's checks, codes and messages.

A request that is not implemented gets ``NotImplemented``, even for a single header or query parameter. A setting that
was silently ignored here would be a difference that only AWS shows.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

# Each of these modules adds its operations to the table.
from asteroid_ll.emulator.s3 import (  # noqa: F401
    access_control,
    bucket_policies,
    bucket_settings,
    buckets,
    encryption,
    listing,
    multipart,
    multipart_listing,
    object_attributes,
    objects,
    tags,
)
from asteroid_ll.emulator.s3.call import S3Call, check_bucket, check_signed, parse_address, with_headers_of_query
from asteroid_ll.emulator.s3.errors import s3_error
from asteroid_ll.emulator.s3.operations import find_operation
from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.s3.xml import error_body, http_time
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response, too_large

if TYPE_CHECKING:
    from asteroid_ll.emulator.iam.permissions import Permissions
_MAX_KEY_BYTES = 1024

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
            response = self._answer(request, region, permissions, headers=headers)
        except ApiError as error:
            if error.code == "InternalError":
                self.store.state.log(f"{request.method} {request.path}: {error.message}")
            headers["Content-Type"] = "application/xml"
            body = error_body(error, request_id=request_id, host_id=host_id)
            return Response(error.status, headers=headers, body=b"" if request.method == "HEAD" else body)
        return replace(response, headers={**headers, **response.headers})

    def _answer(
        self,
        request: Request,
        region: str,
        permissions: Callable[[], Permissions] | None,
        *,
        headers: dict[str, str],
    ) -> Response:
        """Check what every call must satisfy, then run its operation.

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
        if permissions is None:
            return operation.run(call)
        from asteroid_ll.emulator.s3.authorization import run_allowed  # only if policies are evaluated

        return run_allowed(operation.name, operation.run, call, permissions())
