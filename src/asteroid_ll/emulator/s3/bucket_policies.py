"""Bucket policies. They count if the account evaluates policies, see ``emulator/iam``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from asteroid_ll.emulator.iam.language import as_texts, problem_of, statements_of
from asteroid_ll.emulator.resources import partition
from asteroid_ll.emulator.s3.call import S3Call
from asteroid_ll.emulator.s3.errors import s3_error
from asteroid_ll.emulator.s3.operations import operation
from asteroid_ll.emulator.s3.payload import read_payload
from asteroid_ll.emulator.s3.store import POLICY, PUBLIC_ACCESS
from asteroid_ll.emulator.s3.xml import document, element, parse
from asteroid_ll.emulator.transport.messages import Response

_MAX_BYTES = 20 * 1024
_OFF = "false"


@operation("PutBucketPolicy", "PUT /Bucket?policy", headers="x-amz-confirm-remove-self-bucket-access")
def put_bucket_policy(call: S3Call) -> Response:
    """PutBucketPolicy: replaces the policy, whose resources must be the bucket and its objects.

    A public policy is refused unless PutPublicAccessBlock has switched BlockPublicPolicy off, as on AWS since April
    2023.
    """
    body = b"".join(read_payload(call.request).chunks())
    try:
        policy = json.loads(body)
    except (ValueError, RecursionError):
        raise s3_error("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'") from None
    problem = problem_of(policy, kind="resource")
    if not problem and len(body) > _MAX_BYTES:
        problem = f"The policy has more than {_MAX_BYTES} bytes."
    if problem:
        raise s3_error("MalformedPolicy", problem)
    arn = f"arn:{partition(call.region)}:s3:::{call.bucket}"
    for statement in statements_of(policy):
        resources = as_texts(statement.get("Resource", statement.get("NotResource")))
        if not all(resource == arn or resource.startswith(f"{arn}/") for resource in resources):
            raise s3_error("MalformedPolicy", "Policy has invalid resource")
    if any(map(_is_public, statements_of(policy))) and _blocks_public_policies(call):
        raise s3_error(
            "AccessDenied",
            f'The policy of "{arn}" is not accepted because public policies are prevented by the BlockPublicPolicy '
            "setting in S3 Block Public Access.",
        )
    call.store.set_setting(call.bucket, POLICY, document=body.decode())
    return Response(204)


@operation("GetBucketPolicy", "GET /Bucket?policy")
def get_bucket_policy(call: S3Call) -> Response:
    """GetBucketPolicy: the text, as it was put."""
    text = call.store.setting(call.bucket, POLICY)
    if text is None:
        raise s3_error("NoSuchBucketPolicy", BucketName=call.bucket)
    return Response(headers={"Content-Type": "application/json"}, body=text.encode())


@operation("DeleteBucketPolicy", "DELETE /Bucket?policy")
def delete_bucket_policy(call: S3Call) -> Response:
    """DeleteBucketPolicy; succeeds for a bucket without one."""
    call.store.set_setting(call.bucket, POLICY, document=None)
    return Response(204)


@operation("GetBucketPolicyStatus", "GET /Bucket?policyStatus")
def get_bucket_policy_status(call: S3Call) -> Response:
    """GetBucketPolicyStatus: whether the policy is public."""
    policy = call.store.policy(call.bucket)
    if policy is None:
        raise s3_error("NoSuchBucketPolicy", BucketName=call.bucket)
    return document("PolicyStatus", element("IsPublic", any(map(_is_public, statements_of(policy)))))


def _is_public(statement: Mapping[str, Any]) -> bool:
    """Return whether a statement allows something to everybody; one with a condition is taken for narrower."""
    principal = statement.get("Principal")
    everybody = principal == "*" or (isinstance(principal, Mapping) and "*" in as_texts(principal.get("AWS", [])))
    return statement["Effect"] == "Allow" and everybody and not statement.get("Condition")


def _blocks_public_policies(call: S3Call) -> bool:
    setting = call.store.setting(call.bucket, PUBLIC_ACCESS)
    if not setting:
        return setting is None
    return parse(setting.encode(), "PublicAccessBlockConfiguration").findtext("BlockPublicPolicy", _OFF) != _OFF
