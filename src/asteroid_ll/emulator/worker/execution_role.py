"""What SageMaker may do with an execution role: read, write and list objects, pull the image, write logs and metrics.

Source: SageMaker developer guide, "SageMaker Roles", sections CreateTrainingJob API, CreateProcessingJob API
and CreateModel API.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from asteroid_ll.emulator.iam.needs import Need, log_arn
from asteroid_ll.emulator.iam.permissions import Permissions, is_assumable, role_permissions
from asteroid_ll.emulator.resources import partition
from asteroid_ll.emulator.s3.store import ObjectStore, s3_arn
from asteroid_ll.emulator.state import ACCOUNT_ID
from asteroid_ll.emulator.worker.log import LogStore

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

    def _pull_needs(self, image: str) -> Iterator[Need]:
        host, _, name = image.partition("/")
        account, _, _, region = host.split(".")[:4]
        repository = name.partition("@")[0].partition(":")[0]
        yield Need("ecr:GetAuthorizationToken")
        for action in _IMAGE_ACTIONS:
            yield Need(f"ecr:{action}", f"arn:{partition(region)}:ecr:{region}:{account}:repository/{repository}")

    def _log_needs(self, group: str, stream: str) -> Iterator[Need]:
        if not LogStore(self.store.state).stream_names(self.region, group):
            yield Need("logs:CreateLogGroup", log_arn(self.region, group))
        yield Need("logs:DescribeLogStreams", log_arn(self.region, group))
        for action in ("CreateLogStream", "PutLogEvents"):
            yield Need(f"logs:{action}", log_arn(self.region, group, stream))


def execution_role(store: ObjectStore, arn: str, *, region: str) -> ExecutionRole:
    """Return a role with its present policies."""
    permissions = role_permissions(store.state, arn, region=region, bucket_policy=store.policy)
    return ExecutionRole(store, arn, region, permissions)
