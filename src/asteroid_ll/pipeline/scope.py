"""The account and the resources of a configuration, for which IAM's documents are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asteroid_ll.aws.policy import Scope

if TYPE_CHECKING:
    from asteroid_ll.config import Config


def scope_of(config: Config, *, role_arn: str, account_id: str, partition: str) -> Scope:
    """Return what the documents of a configuration are for.

    Args:
        config: the configuration, whose own role is not read.
        role_arn: the execution role.
        account_id: the account's 12 digits.
        partition: partition of the region, such as ``aws``.
    """
    return Scope(
        bucket=config.bucket_name(account_id),
        swept_bucket=config.model_copy(update={"region": "*"}).bucket_name(account_id),
        prefix=config.prefix,
        role_arn=role_arn,
        region=config.region,
        account_id=account_id,
        partition=partition,
        volume_kms=config.kms.volume,
        output_kms=config.kms.output,
        s3_kms=config.kms.s3,
        has_vpc=bool(config.network.subnets),
        processing_image=config.processing.image(config.region) if config.stages.where == "processing" else None,
    )
