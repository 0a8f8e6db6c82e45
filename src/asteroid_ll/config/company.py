"""The sections that an account of a company requires: credentials, KMS keys, the network, and tags.

The forms are those of botocore's models, and of the API references of KMS, EC2, STS and SageMaker (CreateTrainingJob).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from asteroid_ll.config.section import Section
from asteroid_ll.config.text import Text

_KEY_ID = "([0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}|mrk-[0-9a-f]{32})"
_KMS_ARN = "arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}"
_ALIAS = "alias/[A-Za-z0-9/_-]{1,250}"

Key = Annotated[
    str,
    Text(f"{_KEY_ID}|{_KMS_ARN}:key/{_KEY_ID}", like="the id or the ARN of a KMS key", max_length=2_048),
]
KeyOrAlias = Annotated[
    str,
    Text(
        f"{_KEY_ID}|{_ALIAS}|{_KMS_ARN}:(key/{_KEY_ID}|{_ALIAS})",
        like="the id, the ARN or the alias (alias/NAME) of a KMS key",
        max_length=2_048,
    ),
]
ExternalId = Annotated[
    str, Text(r"[\w+=,.@:/-]{2,1224}", like="2 to 1,224 letters, digits and _ + = , . @ : / -", max_length=1_224)
]
SubnetId = Annotated[str, Text("subnet-[0-9a-f]{8,17}", like="a subnet such as subnet-0abc1234", max_length=32)]
SecurityGroupId = Annotated[str, Text("sg-[0-9a-f]{8,17}", like="a security group such as sg-0abc1234", max_length=32)]
TagKey = Annotated[
    str,
    Text(
        r"(?![aA][wW][sS]:|asteroid-ll)[\w .:/=+@-]+",
        like="1 to 128 letters, digits, spaces and _ . : / = + - @ that begin with neither aws: nor asteroid-ll",
        max_length=128,
    ),
]
TagValue = Annotated[
    str, Text(r"[\w .:/=+@-]*", like="up to 256 letters, digits, spaces and _ . : / = + - @", max_length=256)
]

MAX_TAGS = 46
"""AWS allows 50 tags. Four are this program's own, see `asteroid_ll.aws.tags`."""


class AccountSettings(Section):
    """The credentials for target aws. Without these keys, boto3 finds them."""

    profile: Annotated[str, Text(r"[^\s\[\]]([^\n\[\]]*[^\s\[\]])?", like="the name of a profile")] | None = Field(
        default=None, description="Profile of ~/.aws/config and ~/.aws/credentials; null uses boto3's default."
    )
    assume_role: (
        Annotated[
            str,
            Text(
                r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+",
                like="the ARN of an IAM role, such as arn:aws:iam::123456789012:role/data-team",
                max_length=2_048,
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="Role that the commands assume with these credentials, and assume again before it expires.",
    )
    external_id: ExternalId | None = Field(
        default=None, description="External id that the trust policy of assume_role requires."
    )

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Yield (key, problem) for values that cannot be combined."""
        if self.external_id is not None and self.assume_role is None:
            yield "external_id", "is for account.assume_role"


class KmsSettings(Section):
    """KMS keys of your own; null uses the keys of AWS."""

    volume: Key | None = Field(
        default=None,
        description="Key of the disks of the machines. Types with local NVMe storage have none.",
    )
    output: KeyOrAlias | None = Field(
        default=None, description="Key of the model, and of what else SageMaker writes to S3."
    )
    s3: KeyOrAlias | None = Field(default=None, description="Key of the objects that the commands upload to S3.")

    def conflicts(self, region: str) -> Iterator[tuple[str, str]]:
        """Yield (key, problem) for keys of another region: SageMaker and S3 use only those of their own."""
        for name in type(self).model_fields:
            fields = (getattr(self, name) or "").split(":")
            if len(fields) > 1 and fields[3] != region:
                yield name, f"is a key of region {fields[3]}, not of region {region}"


class NetworkSettings(Section):
    """The network of the jobs and the model."""

    subnets: Annotated[tuple[SubnetId, ...], Field(strict=False, max_length=16)] = Field(
        default=(), description="Subnets of your VPC for the machines, up to 16; they must reach S3 and CloudWatch."
    )
    security_groups: Annotated[tuple[SecurityGroupId, ...], Field(strict=False, max_length=5)] = Field(
        default=(), description="Security groups of the machines in these subnets, up to 5."
    )
    isolation: bool = Field(default=False, description="Whether the containers have no network access at all.")
    encrypt_traffic: bool = Field(
        default=False, description="Whether the traffic between the machines of a job is encrypted."
    )

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Yield (key, problem) for values that cannot be combined."""
        if self.subnets and not self.security_groups:
            yield "security_groups", "is required together with network.subnets"
        if self.security_groups and not self.subnets:
            yield "subnets", "is required together with network.security_groups"


def tag_problem(tags: dict[str, str]) -> str | None:
    """Return what is wrong with the tags as a whole, or None."""
    if len(tags) > MAX_TAGS:
        return f"has {len(tags)} tags, and AWS allows {MAX_TAGS} beside this program's own"
    if len({key.lower() for key in tags}) < len(tags):
        return "has a key twice: AWS does not distinguish upper and lower case"
    return None
