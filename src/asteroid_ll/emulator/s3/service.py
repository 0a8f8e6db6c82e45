"""S3 over a directory: one HTTP request in, one response out, with S3's own checks, codes and words.

What is not implemented is refused with ``NotImplemented``, down to the single header or query parameter: a
setting that is silently ignored here would be a difference that only AWS shows.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import replace

from asteroid_ll.emulator.s3.call import Call, address, check_bucket, check_signed
from asteroid_ll.emulator.s3.routes import route
from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.s3.xml import error_body, http_time
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response

_MOST_KEY_BYTES = 1024


class S3:
    """Amazon S3.

    Args:
        state: the emulated account.
        store: its buckets and objects.
    """

    def __init__(self, state: State, store: ObjectStore) -> None:
        self.state = state
        self.store = store

    def handle(self, request: Request, *, region: str) -> Response:
        """Answer one request; a refusal is S3's error document, without a body for HEAD.

        Args:
            request: the HTTP request, in virtual-host or path style.
            region: the region that the request was signed for.
        """
        request_id, host_id = secrets.token_hex(8).upper(), base64.b64encode(secrets.token_bytes(56)).decode()
        common = {
            "x-amz-request-id": request_id,
            "x-amz-id-2": host_id,
            "Date": http_time(self.state.now()),
            "Server": "AmazonS3",
        }
        place: dict[str, str] = {}
        try:
            answer = self._answer(request, region, place=place)
        except ApiError as error:
            body = error_body(error, request_id=request_id, host_id=host_id)
            headers = {**common, **place, "Content-Type": "application/xml"}
            return Response(error.status, headers=headers, body=b"" if request.method == "HEAD" else body)
        return replace(answer, headers={**common, **place, **answer.headers})

    def _answer(self, request: Request, region: str, *, place: dict[str, str]) -> Response:
        """Check what every call must satisfy, then run its operation.

        ``place`` gets the bucket's region where S3 says it: on HeadBucket and on calls to the wrong region.
        """
        check_signed(request, now_s=self.state.now())
        bucket, key, host_region = address(request)
        if len(key.encode()) > _MOST_KEY_BYTES:
            raise ApiError("KeyTooLongError", "Your key is too long", Size=len(key), MaxSizeAllowed=_MOST_KEY_BYTES)
        operation = route(request, bucket=bucket, key=key)
        call = Call(self.store, request, region, bucket, key)
        if bucket and operation.name != "CreateBucket":
            found = self.store.bucket(bucket)
            if found is not None and "AWSAccessKeyId" in request.query:
                call = replace(call, region=found.region)  # signature version 2 is for no region
            anywhere = operation.name == "GetBucketLocation"
            if found is not None and (operation.name == "HeadBucket" or found.region != call.region) and not anywhere:
                place["x-amz-bucket-region"] = found.region
            check_bucket(call, host_region=host_region, any_region=anywhere)
        return operation.run(call)
