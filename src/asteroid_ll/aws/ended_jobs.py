"""A training job that has ended: its description, log, channels and artifact, copied to files.

Nothing is created or changed on the account. The calls need sagemaker:DescribeTrainingJob, logs:DescribeLogStreams and
logs:GetLogEvents, and s3:ListBucket and s3:GetObject on the buckets of the input and the output.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from asteroid_ll.aws import resources
from asteroid_ll.aws.logs import read_job_log
from asteroid_ll.aws.storage import download_file, exists, list_objects, parse_uri
from asteroid_ll.errors import AwsError, DataError
from asteroid_ll.linear_learner.images import REPOSITORY
from asteroid_ll.parity.job import CHANNELS, Channel, Job

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

_ENDED = ("Completed", "Failed", "Stopped")


@dataclass(frozen=True)
class _Object:
    """An object of a channel: its key, its path in the channel, and when it was written (seconds since 1970)."""

    bucket: str
    key: str
    path: str
    written_s: float


def download_job(aws: Aws, name: str, folder: Path, *, progress: Callable[[str], None]) -> Job:
    """Copy the parts of a Linear Learner job that has ended into a folder.

    Args:
        aws: the connection.
        name: the job.
        folder: an empty folder.
        progress: receives a sentence about each download.

    Raises:
        AwsError: there is no such job, it still runs, or AWS refused.
        DataError: the job is of another algorithm, has no log, or its input cannot be copied.
    """
    job = resources.describe(aws, "training-job", name)
    if job is None:
        lists = f"aws sagemaker list-training-jobs --region {aws.region}"
        hint = lists if aws.target == "aws" else "asteroid-ll emulator ledger"
        raise AwsError(f"There is no training job {name} in {aws.region}.", hint=hint)
    status = job["TrainingJobStatus"]
    if status not in _ENDED:
        raise AwsError(f"Training job {name} has not ended: it is {status}.", hint="Run the command again when it has.")
    image = job.get("AlgorithmSpecification", {}).get("TrainingImage", "")
    if REPOSITORY not in image:
        raise DataError(f"Training job {name} is not of Linear Learner: its image is {image or 'not known'}.")
    log = read_job_log(aws, name)
    if not log:
        raise DataError(f"Training job {name} has no log in CloudWatch.", hint="Logs can be deleted, or expire.")
    channels, doubts = {}, []
    for channel in job.get("InputDataConfig", ()):
        channel_name = channel["ChannelName"]
        if channel_name in CHANNELS:
            objects = _objects(aws, channel, folder)
            count = "1 object" if len(objects) == 1 else f"{len(objects):,} objects"
            progress(f"downloading {channel_name}: {count}")
            channels[channel_name] = _download(aws, channel, objects, folder / channel_name)
            doubts += _written_later(objects, job, channel=channel_name)
    return Job(
        name=name,
        log="\n".join(log),
        channels=channels,
        hyperparameters=job.get("HyperParameters", {}),
        artifact=_artifact(aws, job, folder),
        n_hosts=int(job.get("ResourceConfig", {}).get("InstanceCount", 1)),
        failure=job.get("FailureReason", ""),
        doubts=tuple(doubts),
    )


def _objects(aws: Aws, channel: Mapping[str, Any], folder: Path) -> list[_Object]:
    """Return the objects of a channel, in the order of their keys."""
    name, source = channel["ChannelName"], channel.get("DataSource", {}).get("S3DataSource", {})
    kind, uri = source.get("S3DataType", ""), source.get("S3Uri", "")
    if kind not in ("S3Prefix", "ManifestFile"):
        raise DataError(f"The channel {name} is not of objects or a manifest in S3, but {kind or 'a file system'}.")
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    listed = [item for item in list_objects(aws, bucket, key) if not item[0].endswith("/")]
    if kind == "S3Prefix":
        objects = [_Object(bucket, found, _relative(found, key), written_s) for found, written_s in listed]
    else:
        objects = _of_manifest(aws, bucket, key, folder / f"{name}.manifest")
    if not objects:
        raise DataError(f"The channel {name} has no objects in {uri} any more.")
    return objects


def _of_manifest(aws: Aws, bucket: str, key: str, path: Path) -> list[_Object]:
    """Return the objects of a manifest: ``[{"prefix": "s3://BUCKET/PREFIX"}, "suffix", ...]``."""
    download_file(aws, bucket=bucket, key=key, path=path)
    try:
        head, *suffixes = json.loads(path.read_bytes())
        prefix = str(head["prefix"])
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"The manifest s3://{bucket}/{key} is damaged: {error}.") from error
    objects = []
    for suffix in map(str, suffixes):
        place, found = parse_uri(prefix + suffix)
        written = dict(list_objects(aws, place, found))
        if found not in written:
            raise DataError(f"s3://{place}/{found}, an object of the manifest s3://{bucket}/{key}, does not exist.")
        objects.append(_Object(place, found, suffix.lstrip("/"), written[found]))
    return objects


def _download(aws: Aws, channel: Mapping[str, Any], objects: list[_Object], folder: Path) -> Channel:
    source = channel["DataSource"]["S3DataSource"]
    for item in objects:
        if not item.path or ".." in PurePosixPath(item.path).parts:
            raise DataError(f"The object s3://{item.bucket}/{item.key} cannot be a file below a folder.")
        path = folder / item.path
        path.parent.mkdir(parents=True, exist_ok=True)
        download_file(aws, bucket=item.bucket, key=item.key, path=path)
        if channel.get("CompressionType") == "Gzip":
            _decompress(path, uri=f"s3://{item.bucket}/{item.key}")
    is_sharded = source.get("S3DataDistributionType") == "ShardedByS3Key"
    return Channel(folder, channel.get("ContentType"), is_sharded=is_sharded)


def _decompress(path: Path, *, uri: str) -> None:
    packed = path.with_name(f"{path.name}.packed")
    path.rename(packed)
    try:
        with gzip.open(packed, "rb") as source, path.open("wb") as target:
            shutil.copyfileobj(source, target)
    except (OSError, EOFError) as error:
        raise DataError(f"The object {uri} is not gzip, as its channel declares: {error}.") from error
    packed.unlink()


def _relative(key: str, prefix: str) -> str:
    """Return an object's path in its channel: the key below the prefix's folder."""
    if key != prefix and key.startswith(prefix.rstrip("/") + "/"):
        return key[len(prefix.rstrip("/")) + 1 :]
    return key[prefix.rfind("/") + 1 :]


def _written_later(objects: list[_Object], job: Mapping[str, Any], *, channel: str) -> list[str]:
    """Return a sentence about the objects that were written after the job had begun to train."""
    started = job.get("TrainingStartTime") or job.get("CreationTime")
    later = [item for item in objects if started is not None and item.written_s > started.timestamp()]
    if not later:
        return []
    more = {1: " was", 2: " and 1 more object were"}.get(len(later), f" and {len(later) - 1:,} more objects were")
    return [f"s3://{later[0].bucket}/{later[0].key}{more} written after the job had started: {channel} has changed."]


def _artifact(aws: Aws, job: Mapping[str, Any], folder: Path) -> Path | None:
    uri = job.get("ModelArtifacts", {}).get("S3ModelArtifacts", "")
    if job["TrainingJobStatus"] != "Completed" or not uri:
        return None
    bucket, key = parse_uri(uri)
    if not exists(aws, bucket=bucket, key=key):
        return None
    path = folder / "model.tar.gz"
    download_file(aws, bucket=bucket, key=key, path=path)
    return path
