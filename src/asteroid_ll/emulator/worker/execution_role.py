"""What SageMaker may do with an execution role: read, write and list objects, pull the image, write logs and metrics.

Source: SageMaker developer guide, "SageMaker Roles", sections CreateTrainingJob API, CreateProcessingJob API
and CreateModel API.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from asteroid_ll.emulator.buckets import Item
from asteroid_ll.emulator.iam.needs import Need, log_arn
from asteroid_ll.emulator.iam.permissions import Permissions, is_assumable, role_permissions
from asteroid_ll.emulator.logs.store import LogStore
from asteroid_ll.emulator.resources import partition
from asteroid_ll.emulator.s3.store import ObjectStore, s3_arn
from asteroid_ll.emulator.state import ACCOUNT_ID
from asteroid_ll.emulator.worker.files import input_objects, parse_s3_uri

_IMAGE_ACTIONS = ("BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "BatchGetImage")


@dataclass(frozen=True)
class ExecutionRole:
    """A role as SageMaker uses it. A method returns AWS's message about a denied action, else an empty text.

    Attributes:
        store: the account's objects.
        arn: the role's ARN.
        region: the region of the job or the endpoint.
        permissions: its policies at the time of `execution_role`.
    """

    store: ObjectStore
    arn: str
    region: str
    permissions: Permissions

    def is_assumable(self) -> bool:
        """Return whether the role exists and its trust policy lets SageMaker assume it."""
        return is_assumable(self.store.state, self.arn, source_arn=f"arn:aws:sagemaker:{self.region}:{ACCOUNT_ID}:*")

    def list_denial(self, bucket: str, prefix: str) -> str:
        """Check the listing of a channel."""
        return self.permissions.denial(Need("s3:ListBucket", s3_arn(self.region, bucket), {"s3:prefix": (prefix,)}))

    def input_denial(self, request: Mapping[str, Any]) -> str:
        """Check the download of a training job's channels, and the download and the upload of its checkpoints.

        Args:
            request: the CreateTrainingJob request.

        Returns:
            The end of the job's FailureReason, with AWS's message.

        Raises:
            DownloadError: a manifest cannot be read.
        """
        sources = [channel["DataSource"]["S3DataSource"] for channel in request.get("InputDataConfig", [])]
        checkpoints = request.get("CheckpointConfig", {}).get("S3Uri")
        prefixes = [{"S3DataType": "S3Prefix", "S3Uri": checkpoints}] if checkpoints else []
        denied = self.sources_denial([*sources, *prefixes])
        if denied or not checkpoints:
            return denied
        denied = self.write_denial(*parse_s3_uri(f"{checkpoints}/"))
        return denied and f"Unable to upload checkpoints to {checkpoints} (AccessDenied: {denied})"

    def sources_denial(self, sources: Iterable[Mapping[str, Any]]) -> str:
        """Check the download of a job's inputs.

        Args:
            sources: each with ``S3DataType`` and ``S3Uri``.

        Returns:
            The end of the job's FailureReason, with AWS's message.

        Raises:
            DownloadError: a manifest cannot be read.
        """
        for source in sources:
            bucket, prefix = parse_s3_uri(source["S3Uri"])
            denied = self.list_denial(bucket, prefix)
            if denied:
                return f"Unable to list {source['S3Uri']} (AccessDenied: {denied})"
            for item in self._downloads(source):
                denied = self.read_denial(item.bucket, item.key)
                if denied:
                    return f"Unable to download object s3://{item.bucket}/{item.key} (AccessDenied: {denied})"
        return ""

    def read_denial(self, bucket: str, key: str) -> str:
        """Check the download of an object."""
        return self.permissions.denial(Need("s3:GetObject", s3_arn(self.region, bucket, key)))

    def write_denial(self, bucket: str, key: str) -> str:
        """Check the upload of an object."""
        return self.permissions.denial(Need("s3:PutObject", s3_arn(self.region, bucket, key)))

    def pull_denial(self, image: str) -> tuple[str, str]:
        """Check the download of a container's image from the registry.

        Returns:
            The name of the first denied action, such as ``BatchGetImage``, and AWS's message about it.
        """
        for need in self._pull_needs(image):
            denied = self.permissions.denial(need)
            if denied:
                return need.action.partition(":")[2], denied
        return "", ""

    def log_denial(self, group: str, stream: str) -> str:
        """Check the creation of a log stream and of its lines; on AWS, a container without them has no log."""
        return self.permissions.first_denial(self._log_needs(group, stream))

    def metrics_denial(self, namespace: str) -> str:
        """Check the metrics of a namespace; on AWS, a job without them has none."""
        return self.permissions.denial(Need("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": (namespace,)}))

    def _downloads(self, source: Mapping[str, Any]) -> Iterator[Item]:
        """Yield the objects that an input is read from: those below a prefix, or a manifest and then its objects."""
        bucket, key = parse_s3_uri(source["S3Uri"])
        if source["S3DataType"] != "ManifestFile":
            yield from self.store.list(bucket, key)
            return
        manifest = self.store.get(bucket, key)
        yield from [] if manifest is None else [manifest]
        yield from (found.item for found in input_objects(source, self.store))

    def _pull_needs(self, image: str) -> Iterator[Need]:
        host, _, name = image.partition("/")
        account, _, _, region = host.split(".")[:4]
        repository = name.partition("@")[0].partition(":")[0]
        yield Need("ecr:GetAuthorizationToken")
        for action in _IMAGE_ACTIONS:
            yield Need(f"ecr:{action}", f"arn:{partition(region)}:ecr:{region}:{account}:repository/{repository}")

    def _log_needs(self, group: str, stream: str) -> Iterator[Need]:
        if not LogStore(self.store.state).has_group(self.region, group):
            yield Need("logs:CreateLogGroup", log_arn(self.region, group))
        yield Need("logs:DescribeLogStreams", log_arn(self.region, group))
        for action in ("CreateLogStream", "PutLogEvents"):
            yield Need(f"logs:{action}", log_arn(self.region, group, stream))


def execution_role(store: ObjectStore, arn: str, *, region: str) -> ExecutionRole:
    """Return a role with its present policies."""
    permissions = role_permissions(store.state, arn, region=region, bucket_policy=store.policy)
    return ExecutionRole(store, arn, region, permissions)
