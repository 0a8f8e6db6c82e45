"""The model of a run: its artifact in S3, and the SageMaker model that names it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from asteroid_ll.aws.endpoints import create_or_adopt_model
from asteroid_ll.aws.network import SAGEMAKERS_OWN, Network
from asteroid_ll.aws.resources import CreatedOrAdopted
from asteroid_ll.aws.storage import ensure_bucket, is_stored, parse_uri, upload_file
from asteroid_ll.linear_learner.images import image_uri
from asteroid_ll.run.atomic import sha256_file

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws


def register_artifact(
    aws: Aws,
    name: str,
    *,
    artifact: Path,
    artifact_s3_uri: str,
    role_arn: str,
    tags: Mapping[str, str],
    network: Network = SAGEMAKERS_OWN,
    kms_key: str | None = None,
) -> CreatedOrAdopted:
    """Create or adopt a model of Linear Learner; S3 gets the artifact again if it has lost or changed it.

    Args:
        aws: the connection.
        name: the model's name.
        artifact: the verified artifact on this machine.
        artifact_s3_uri: its place in S3.
        role_arn: the execution role.
        tags: from `asteroid_ll.aws.tags.tags`.
        network: the network of the model's instances.
        kms_key: KMS key of an artifact that is uploaded again; None for the bucket's default encryption.

    Raises:
        AwsError: the name belongs to another model (left untouched), or AWS refused.
        DataError: the artifact cannot be read.
    """
    bucket, key = parse_uri(artifact_s3_uri)
    size_bytes, sha256 = artifact.stat().st_size, sha256_file(artifact)
    if not is_stored(aws, artifact, bucket=bucket, key=key, size_bytes=size_bytes, sha256=sha256):
        ensure_bucket(aws, bucket)
        upload_file(aws, artifact, bucket=bucket, key=key, sha256=sha256, kms_key=kms_key)
    return create_or_adopt_model(
        aws,
        name,
        image_uri=image_uri(aws.region),
        artifact_s3_uri=artifact_s3_uri,
        role_arn=role_arn,
        tags=tags,
        network=network,
    )
