"""KMS keys and networks in requests: their form. The emulator has no KMS and no VPC, so each well-formed one exists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from asteroid_ll.emulator.sagemaker.call import invalid

_KEY_ID = "(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|mrk-[0-9a-f]{32})"
_KEY = re.compile(rf"(?:arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):\d{{12}}:key/)?{_KEY_ID}", re.ASCII)
_ALIAS = re.compile(r"(?:arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):\d{12}:)?alias/[\w/-]{1,250}", re.ASCII)
_SUBNET = re.compile("subnet-[0-9a-f]{8,17}")
_SECURITY_GROUP = re.compile("sg-[0-9a-f]{8,17}")


def check_key(key: str | None, region: str, *, member: str, takes_alias: bool = True) -> None:
    """Refuse what is no KMS key of the region.

    Args:
        key: id, ARN or alias of the key; None or empty for AWS's own key.
        region: the region of the call.
        member: the request's member, for the message.
        takes_alias: whether the member can be an alias, by its documentation.

    Raises:
        ApiError: ``ValidationException``.
    """
    if not key:
        return
    match = _KEY.fullmatch(key) or (_ALIAS.fullmatch(key) if takes_alias else None)
    if match is None:
        raise invalid(f"{member} is not a KMS key: {key}")
    if match["region"] not in (None, region):
        raise invalid(f"{member} is a KMS key of the region {match['region']}, not of {region}: {key}")


def check_vpc(config: Mapping[str, Any] | None) -> None:
    """Refuse a ``VpcConfig`` whose ids are none of subnets and security groups.

    Raises:
        ApiError: ``ValidationException``.
    """
    if config is None:
        return
    for member, form in (("Subnets", _SUBNET), ("SecurityGroupIds", _SECURITY_GROUP)):
        for name in config[member]:
            if not form.fullmatch(name):
                raise invalid(f"VpcConfig.{member} has {name}, which does not exist.")
