"""One call of a SageMaker operation, and the checks that several kinds of resources share.

KMS keys and networks are checked by their form. The emulator has no KMS and no VPC, so each well-formed one exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asteroid_ll.emulator.ledger import open_intervals
from asteroid_ll.emulator.resources import Resources, resource_arn
from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.state import DOWNLOADS, Settings, State, others_first
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.files import Buckets, buckets_of, parse_s3_uri
from asteroid_ll.emulator.worker.jobs import Jobs
from asteroid_ll.errors import ConfigError
from asteroid_ll.instance_types import has_local_storage
from asteroid_ll.linear_learner.images import GENERATIONS, dns_suffix, image_uri

if TYPE_CHECKING:
    from asteroid_ll.emulator.worker.execution_role import ExecutionRole
    from asteroid_ll.linear_learner.model import ModelServer

SERVERLESS_MEMORY = "Memory size in MB per serverless endpoint"
"""The quota that limits MemorySizeInMB; 3072 in a new account."""

_KEY_ID = "(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|mrk-[0-9a-f]{32})"
_KEY = re.compile(rf"(?:arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):\d{{12}}:key/)?{_KEY_ID}", re.ASCII)
_ALIAS = re.compile(r"(?:arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):\d{12}:)?alias/[\w/-]{1,250}", re.ASCII)
_SUBNET = re.compile("subnet-[0-9a-f]{8,17}")
_SECURITY_GROUP = re.compile("sg-[0-9a-f]{8,17}")


@dataclass(frozen=True)
class Services:
    """The parts of an account that its services share.

    Attributes:
        state: the emulator's state.
        store: the buckets and objects in its state.
        resources: its named resources.
        jobs: its training jobs.
        transforms: its transform jobs.
        processings: its processing jobs.
        tunings: its hyperparameter tuning jobs.
        loaded_models: the loaded models of the endpoints, by the path of the endpoint's copy of the artifact.
    """

    state: State
    store: ObjectStore
    resources: Resources
    jobs: Jobs
    transforms: Jobs
    processings: Jobs
    tunings: Jobs
    loaded_models: dict[Path, ModelServer] = field(default_factory=dict)
    _buckets: dict[str, Buckets] = field(default_factory=dict)

    def jobs_of(self, kind: str) -> Jobs | None:
        """Return the jobs of a kind by the resource type in its ARN; None for a resource that is no job."""
        each = (self.jobs, self.transforms, self.processings, self.tunings)
        return next((jobs for jobs in each if jobs.kind.name == kind), None)

    def buckets(self, region: str) -> Buckets:
        """Return the buckets that SageMaker uses in a region."""
        if region not in self._buckets:
            self._buckets[region] = buckets_of(self.state, region, scratch=self.state.directory / DOWNLOADS)
        return self._buckets[region]


@dataclass(frozen=True)
class SageMakerCall:
    """One validated call.

    Attributes:
        services: the state and its parts.
        region: the region that the request was signed for.
        params: the request's members, as the service's model names them.
    """

    services: Services
    region: str
    params: Mapping[str, Any]

    @property
    def state(self) -> State:
        """The emulator's state."""
        return self.services.state

    @property
    def resources(self) -> Resources:
        """The named resources."""
        return self.services.resources

    @contextmanager
    def asked_buckets(self) -> Iterator[Buckets]:
        """Yield the buckets for a look at them. If another emulator has them, other calls are answered meanwhile.

        A create call looks before it takes its name, so it may be overtaken, as by another process.
        """
        with others_first() if self.state.other_s3 is not None else nullcontext():
            yield self.services.buckets(self.region)

    @cached_property
    def settings(self) -> Settings:
        """The account's settings at the time of the call."""
        return self.state.settings

    def arn(self, kind: str, name: str) -> str:
        """Return the ARN of a name in the call's region."""
        return resource_arn(kind, self.region, name, account_id=self.state.account_id)

    def new_tags(self) -> dict[str, str]:
        """Return the request's ``Tags``.

        Raises:
            ApiError: a key is repeated or reserved for AWS.
        """
        tags: dict[str, str] = {}
        for tag in self.params.get("Tags", []):
            key = tag["Key"]
            if key in tags:
                raise invalid(f"Duplicate tag keys found. Please note that Tag keys are case insensitive: {key}")
            tags[key] = tag["Value"]
        self.refuse_reserved_tags(tags)
        return tags

    def refuse_reserved_tags(self, keys: Iterable[str]) -> None:
        """Refuse to set or remove tags of AWS's own, in its words for DeleteTags (sagemaker-python-sdk, issue 1301).

        Raises:
            ApiError: a key starts with ``aws:``, in any case.
        """
        for key in keys:
            if key.lower().startswith("aws:"):
                raise invalid(f"System prefix 'aws:' reserved for AWS usage in tag key: {key}")

    def has_bucket(self, name: str) -> bool:
        """Return whether the account has a bucket of that name in the call's region."""
        with self.asked_buckets() as buckets:
            return buckets.has(name, self.region)

    def refuse_unsupported(self, values: Mapping[str, Any], *members: str, prefix: str = "") -> None:
        """Refuse members that the emulator does not implement.

        Raises:
            ApiError: one of them is set.
        """
        for member in members:
            if values.get(member):
                raise invalid(f"The emulator has no {prefix}{member}.")

    def refuse_other(self, values: Mapping[str, Any], *, prefix: str = "", **implemented: str) -> None:
        """Refuse members that have another value than the one that the emulator implements, which is the default.

        Raises:
            ApiError: one of them has.
        """
        for member, value in implemented.items():
            if values.get(member, value) != value:
                raise invalid(f"The emulator has no {prefix}{member} {values[member]}.")

    def execution_role(self, role_arn: str) -> ExecutionRole | None:
        """Return what SageMaker may do with a role; None if the account evaluates no policies."""
        if not self.state.evaluates_iam:
            return None
        from asteroid_ll.emulator.worker.execution_role import execution_role  # only if policies are evaluated

        return execution_role(self.services.store, role_arn, region=self.region)

    def check_role(self, role_arn: str) -> None:
        """Refuse a role that SageMaker could not assume: of another account, or one that does not trust it.

        Raises:
            ApiError: ``ValidationException``, in AWS's words.
        """
        fields = role_arn.split(":")
        is_own = len(fields) == 6 and fields[4] == self.state.account_id and fields[5].startswith("role/")
        role = self.execution_role(role_arn) if is_own else None
        if not is_own or (role is not None and not role.is_assumable()):
            raise invalid(
                f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
                "'sagemaker.amazonaws.com' to assume the role."
            )

    def check_quota(self, purpose: str, *, kind: str, instance_type: str, count: int) -> None:
        """Refuse instances above the account's limit.

        Args:
            purpose: the quota's name after the instance type, such as ``endpoint usage``.
            kind: the ledger's kind of interval that uses the quota.
            instance_type: such as ``ml.m5.large``.
            count: number of requested instances.

        Raises:
            ApiError: ``ResourceLimitExceeded``.
        """
        quota = f"{instance_type} for {purpose}"
        limit = self.settings.quotas.get(quota)
        if limit is None:
            return
        used = sum(
            interval.instance_count
            for interval in open_intervals(self.state)
            if (interval.kind, interval.instance_type) == (kind, instance_type)
            and interval.arn.split(":")[3] == self.region
        )
        if used + count > limit:
            raise over_quota(quota, limit, used=used, delta=count, unit="Instances")

    def check_serverless_memory(self, memory_mb: int) -> None:
        """Refuse a serverless variant with more memory than the account's limit for each endpoint.

        Raises:
            ApiError: ``ResourceLimitExceeded``.
        """
        limit = self.settings.quotas.get(SERVERLESS_MEMORY)
        if limit is not None and memory_mb > limit:
            raise over_quota(SERVERLESS_MEMORY, limit, used=0, delta=memory_mb, unit="MBs")


def over_quota(quota: str, limit: int, *, used: int, delta: int, unit: str) -> ApiError:
    """Return a ``ResourceLimitExceeded``, in AWS's words."""
    return ApiError(
        "ResourceLimitExceeded",
        f"The account-level service limit '{quota}' is {limit} {unit}, with current utilization of {used} "
        f"{unit} and a request delta of {delta} {unit}. Please use AWS Service Quotas to request an "
        "increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an "
        "increase for this quota.",
    )


def invalid(message: str) -> ApiError:
    """Return a ``ValidationException``."""
    return ApiError("ValidationException", message)


def check_image(image: str, region: str, *, what: str) -> None:
    """Refuse an image that is not the region's Linear Learner, in AWS's words.

    Args:
        image: the image's URI; no tag, ``1`` and ``latest`` are the newest image, and a tag such as ``1-2021`` is an
            older one, whose log differs.
        region: the region of the job or model.
        what: its name in the message, such as ``training image``.

    Raises:
        ApiError: ``ValidationException``.
    """
    try:
        expected = image_uri(region)
    except ConfigError as error:
        raise invalid(f"Linear Learner has no image in the region {region}.") from error
    repository = expected.removesuffix(":1")
    tags = {"latest", *(generation.tag for generation in GENERATIONS.values())}
    if image in {repository, *(f"{repository}:{tag}" for tag in tags)} or image.startswith(f"{repository}@sha256:"):
        return
    host = image.partition("/")[0]
    fields = host.split(".")
    if len(fields) > 4 and fields[1:3] == ["dkr", "ecr"] and fields[3] != region:
        raise invalid(
            f"Invalid DNS suffix '{'.'.join(fields[4:])}' for region '{fields[3]}' in {what}. Please provide the valid "
            f"<region>.<dns-suffix>: '{region}.{dns_suffix(region)}'",
        )
    raise invalid(f"Cannot find the requested image: {image}")


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


def check_volume_key(call: SageMakerCall, resources: Mapping[str, Any], *, prefix: str) -> None:
    """Refuse a ``VolumeKmsKeyId`` that is not a key, or that the instances do not support.

    Raises:
        ApiError: ``ValidationException``.
    """
    key = resources.get("VolumeKmsKeyId")
    check_key(key, call.region, member=f"{prefix}.VolumeKmsKeyId", takes_alias=False)
    if key and has_local_storage(resources["InstanceType"]):
        raise invalid(
            f"VolumeKmsKeyId is not supported for {resources['InstanceType']}: the instance encrypts its local storage "
            "itself."
        )


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
