"""The settings of a training job as CreateTrainingJob's arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asteroid_ll.aws.network import SAGEMAKERS_OWN, Network
from asteroid_ll.aws.tags import to_api


@dataclass(frozen=True)
class Channel:
    """One input channel of a job.

    Attributes:
        name: ``train``, ``validation`` or ``test``.
        s3_uri: prefix of the objects.
        content_type: such as ``application/x-recordio-protobuf``.
        distribution: ``FullyReplicated`` or ``ShardedByS3Key``.
    """

    name: str
    s3_uri: str
    content_type: str
    distribution: str


@dataclass(frozen=True)
class TrainingJobRequest:
    """The settings of a new training job.

    Attributes:
        name: 1 to 63 letters, digits and inner hyphens; the idempotency key.
        image_uri: the algorithm's image.
        role_arn: the execution role.
        hyperparameters: every value as the text that the container reads.
        channels: the input.
        output_s3_uri: prefix of the artifact, ``NAME/output/model.tar.gz``.
        instance_type: such as ``ml.m5.large``.
        instance_count: number of instances.
        volume_size_gb: each instance's disk.
        max_runtime_s: seconds after which SageMaker stops the job.
        input_mode: ``File``, ``FastFile`` or ``Pipe``.
        tags: from `asteroid_ll.aws.tags.tags`.
        spot_wait_s: seconds for which a job on spot machines may wait and run; None for a job on demand.
        checkpoint_s3_uri: prefix of a spot job's checkpoints.
        volume_kms: KMS key of the disks; None for AWS's.
        output_kms: KMS key of the artifact; None for AWS's.
        network: the network of the instances.
    """

    name: str
    image_uri: str
    role_arn: str
    hyperparameters: Mapping[str, str]
    channels: Sequence[Channel]
    output_s3_uri: str
    instance_type: str
    instance_count: int
    volume_size_gb: int
    max_runtime_s: int
    input_mode: str
    tags: Mapping[str, str]
    spot_wait_s: int | None = None
    checkpoint_s3_uri: str = ""
    volume_kms: str | None = None
    output_kms: str | None = None
    network: Network = SAGEMAKERS_OWN


def create_body(request: TrainingJobRequest) -> dict[str, Any]:
    """Return CreateTrainingJob's arguments, without members that are not set."""
    output = {"S3OutputPath": request.output_s3_uri}
    machines: dict[str, Any] = {
        "InstanceType": request.instance_type,
        "InstanceCount": request.instance_count,
        "VolumeSizeInGB": request.volume_size_gb,
    }
    limits = {"MaxRuntimeInSeconds": request.max_runtime_s}
    if request.output_kms is not None:
        output["KmsKeyId"] = request.output_kms
    if request.volume_kms is not None:
        machines["VolumeKmsKeyId"] = request.volume_kms
    if request.spot_wait_s is not None:
        limits["MaxWaitTimeInSeconds"] = request.spot_wait_s
    body: dict[str, Any] = {
        "TrainingJobName": request.name,
        "AlgorithmSpecification": {"TrainingImage": request.image_uri, "TrainingInputMode": request.input_mode},
        "RoleArn": request.role_arn,
        "HyperParameters": dict(request.hyperparameters),
        "InputDataConfig": [
            {
                "ChannelName": channel.name,
                "ContentType": channel.content_type,
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": channel.s3_uri,
                        "S3DataDistributionType": channel.distribution,
                    }
                },
            }
            for channel in request.channels
        ],
        "OutputDataConfig": output,
        "ResourceConfig": machines,
        "StoppingCondition": limits,
        "Tags": to_api(request.tags),
        **request.network.of_job(),
    }
    if request.spot_wait_s is not None:
        body |= {"EnableManagedSpotTraining": True, "CheckpointConfig": {"S3Uri": request.checkpoint_s3_uri}}
    return body
