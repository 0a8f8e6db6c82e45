"""The places in S3 that a job reads and writes: whether they exist when it is created, in AWS's words."""

from __future__ import annotations

from asteroid_ll.emulator.sagemaker.call import SageMakerCall, invalid
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.files import parse_s3_uri


def check_input(call: SageMakerCall, uri: str, *, role_arn: str) -> None:
    """Refuse an input without objects, or whose objects the role may not list.

    Raises:
        ApiError: ``ValidationException``; another one if S3 does not answer.
    """
    bucket, prefix = parse_s3_uri(uri)
    role = call.execution_role(role_arn)
    is_listed = call.has_bucket(bucket) and not (role is not None and role.list_denial(bucket, prefix))
    try:
        with call.asked_buckets() as buckets:
            objects = buckets.list(bucket, prefix) if is_listed else []
    except ApiError as error:
        if error.status >= 500:
            raise
        objects = []
    if all(item.key.endswith("/") for item in objects):
        raise invalid(
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
            f"exists in the selected region ({call.region}), that objects exist under that S3 prefix, and that the "
            f'role "{role_arn}" has "s3:ListBucket" permissions on bucket "{bucket}".'
        )


def check_output(call: SageMakerCall, uri: str, *, what: str = "output") -> None:
    """Refuse an output whose bucket the account does not have in the region.

    Raises:
        ApiError: ``ValidationException``.
    """
    bucket, _ = parse_s3_uri(uri)
    if not call.has_bucket(bucket):
        raise invalid(
            f'The {what} location "{uri}" cannot be used. Please ensure that the bucket "{bucket}" exists in the '
            f"selected region ({call.region}) and belongs to the account."
        )
