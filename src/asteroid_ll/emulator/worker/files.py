"""The files under a container's ``/opt/ml``, the objects that they are read from, and the artifact made from them.

The layout is SageMaker's contract for training containers: ``input/config/*.json``, ``input/data/CHANNEL``,
``model``, ``output/failure``. In Pipe mode, each epoch of a channel is a stream of all its objects: for epoch n, the
container opens the named pipe ``input/data/CHANNEL_n``.

Source: the developer guide, "How Amazon SageMaker provides training information".
"""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import tarfile
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.transport.messages import ApiError

if TYPE_CHECKING:
    from asteroid_ll.emulator.companion import OtherBuckets
    from asteroid_ll.emulator.worker.execution_role import ExecutionRole

CHECKPOINTS = "/opt/ml/checkpoints"
"""The container's folder of checkpoints, the default of CheckpointConfig.LocalPath."""

_DOWNLOAD = "download-"
_STREAMS = "streams"
_COPIES = ("input/data", _STREAMS, "processing")
"""The folders with copies of objects: channels in File mode, channels in Pipe mode, a processing job's inputs."""

_PIPE_POLL_S = 0.01

EpochFiles = Callable[[int], Sequence[Path]]
"""Returns the files of a channel in Pipe mode, in order, for an epoch's number from 0."""


class DownloadError(Exception):
    """A channel's objects cannot be copied to files; the message names the object and the reason."""


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn a refusal by S3 into a DownloadError.

    Args:
        what: what the refused request was for, such as ``Unable to list s3://BUCKET``.
    """
    try:
        yield
    except ApiError as error:
        raise DownloadError(f"{what} ({error})") from error


class Buckets:
    """Buckets and objects as SageMaker uses them: in this account's state, or in another emulator's S3.

    Each method raises ApiError with S3's code and message if S3 refuses it or does not answer, and ``AccessDenied`` if
    the role's policies deny it. The status of an S3 that does not answer is 503.

    Args:
        store: the objects.
        role: the role that is used; None if nothing is denied.
    """

    def __init__(self, store: ObjectStore | OtherBuckets, role: ExecutionRole | None = None) -> None:
        self._store = store
        self._role = role

    def as_role(self, role: ExecutionRole | None) -> Buckets:
        """Return the same buckets with another role."""
        return Buckets(self._store, role)

    def has(self, bucket: str, region: str) -> bool:
        """Return whether the account has a bucket of that name in a region."""
        return self._store.has(bucket, region)

    def list(self, bucket: str, prefix: str = "") -> Sequence[Any]:
        """Return the objects whose keys have a prefix, in the order of their keys. Each has a bucket and a key."""
        self._check(lambda role: role.list_denial(bucket, prefix))
        return self._store.list(bucket, prefix)

    def get(self, bucket: str, key: str) -> Any:
        """Return the object of that key, or None."""
        self._check(lambda role: role.read_denial(bucket, key))
        return self._store.get(bucket, key)

    def file_of(self, item: Any) -> Path:
        """Return a file with an object's bytes. It may be linked, copied and read, until the next call."""
        self._check(lambda role: role.read_denial(item.bucket, item.key))
        return self._store.file_of(item)

    def check_put(self, bucket: str, key: str) -> None:
        """Check that the role may store an object."""
        self._check(lambda role: role.write_denial(bucket, key))

    def put_file(self, bucket: str, key: str, source: Path) -> None:
        """Store a file as an object."""
        self.check_put(bucket, key)
        self._store.put_file(bucket, key, source)

    def _check(self, denial: Callable[[ExecutionRole], str]) -> None:
        denied = "" if self._role is None else denial(self._role)
        if denied:
            raise ApiError("AccessDenied", denied)


def buckets_of(state: State, region: str, *, scratch: Path, is_patient: bool = False) -> Buckets:
    """Return the account's buckets. Nothing in them is denied.

    Args:
        state: the emulator's state.
        region: the region of the requests to another emulator's S3.
        scratch: the folder for one downloaded object at a time.
        is_patient: whether a request to another emulator's S3 may take a minute and is repeated. If not, it is for a
            client that waits, and fails within seconds.
    """
    if state.other_s3 is None:
        return Buckets(ObjectStore(state))
    from asteroid_ll.emulator.companion import OtherBuckets  # botocore, which would delay the claim of a job

    file = scratch / f"{_DOWNLOAD}{os.getpid()}"
    return Buckets(OtherBuckets(state.other_s3, region, scratch=file, is_patient=is_patient))


@dataclass(frozen=True)
class InputObject:
    """An object of a channel, or of the input of a transform or processing job.

    Attributes:
        item: the object, as `Buckets` returns it.
        path: its path below the channel's folder.
    """

    item: Any
    path: str


def parse_s3_uri(uri: str) -> tuple[str, str]:
    """Return the bucket and the key (or prefix) of an ``s3://`` URI."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def hosts_of(count: int) -> list[str]:
    """Return the names of so many hosts, as SageMaker numbers them: ``algo-1`` to ``algo-n``."""
    return [f"algo-{number}" for number in range(1, count + 1)]


def input_objects(source: Mapping[str, Any], store: Buckets) -> list[InputObject]:
    """Return the objects of an input, in the order of their keys or of the manifest.

    Args:
        source: the request's ``S3DataSource``, with the type ``S3Prefix`` or ``ManifestFile``.
        store: the account's objects.

    Raises:
        DownloadError: there are no objects, or they cannot be listed, or the manifest cannot be read.

    A manifest is a JSON list: ``[{"prefix": "s3://BUCKET/PREFIX"}, "SUFFIX", ...]`` (API reference, S3DataSource).
    """
    uri = source["S3Uri"]
    bucket, prefix = parse_s3_uri(uri)
    if source["S3DataType"] == "ManifestFile":
        return [InputObject(_named(uri, store), path) for uri, path in _manifest(uri, store)]
    with explained(f"Unable to list {uri}"):
        items = [item for item in store.list(bucket, prefix) if not item.key.endswith("/")]
    if not items:
        raise DownloadError(f'No S3 objects found under S3 URL "{uri}"')
    return [InputObject(item, relative_path(item.key, prefix)) for item in items]


def host_share(
    objects: Sequence[InputObject], channel: Mapping[str, Any], *, epoch: int, host: int, n_hosts: int
) -> Sequence[InputObject]:
    """Return the objects that a host reads in an epoch, in order: first shuffled, then sharded.

    Args:
        objects: all objects of the channel.
        channel: the request's channel, with its ``ShuffleConfig`` and ``S3DataDistributionType``.
        epoch: its number, from 0. A job in File mode has only this one. Each epoch has an order of its own.
        host: the host's number, from 0.
        n_hosts: number of hosts.

    Source: the API reference, ShuffleConfig and S3DataSource.
    """
    order = list(objects)
    if "ShuffleConfig" in channel:
        random.Random(f"{channel['ShuffleConfig']['Seed']} {epoch}").shuffle(order)  # noqa: S311
    is_sharded = channel["DataSource"]["S3DataSource"].get("S3DataDistributionType") == "ShardedByS3Key"
    return order[host::n_hosts] if is_sharded else order


def prepare(root: Path, request: Mapping[str, Any], *, host: str, store: Buckets) -> dict[Path, EpochFiles]:
    """Write the container directory of one host of a training job.

    Args:
        root: the container's ``/opt/ml``.
        request: the CreateTrainingJob request.
        host: the host's name, such as ``algo-1``.
        store: the account's objects.

    Returns:
        The channels in Pipe mode, by the start of their pipes' paths. Their files are outside the container's folders.

    Raises:
        DownloadError: a channel has no objects, or they cannot be files below the channel's directory.
    """
    for name in ("input", "model", "output", _STREAMS):
        shutil.rmtree(root / name, ignore_errors=True)
    for name in ("input/config", "input/data", "model", "output/data"):
        (root / name).mkdir(parents=True)
    hosts = hosts_of(request["ResourceConfig"]["InstanceCount"])
    channels = request.get("InputDataConfig", [])
    files = {
        "hyperparameters": request.get("HyperParameters", {}),
        "environment": request.get("Environment", {}),
        "resourceconfig": _resource_config(request, host, hosts),
        "inputdataconfig": {channel["ChannelName"]: _channel_config(channel, request) for channel in channels},
    }
    for name, value in files.items():
        (root / "input/config" / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    pipes: dict[Path, EpochFiles] = {}
    for channel in channels:
        objects = input_objects(channel["DataSource"]["S3DataSource"], store)
        share = partial(host_share, objects, channel, host=hosts.index(host), n_hosts=len(hosts))
        files_of_host = share(epoch=0)
        folder = root / "input/data" / channel["ChannelName"]
        if _input_mode(channel, request) == "Pipe":
            pipe, folder = folder, root / _STREAMS / channel["ChannelName"]
            pipes[pipe] = partial(_epoch_files, folder, share)
            if "ShuffleConfig" in channel:  # the host gets other objects in each epoch
                files_of_host = objects
        folder.mkdir(parents=True)
        for source in files_of_host:
            download(source, folder=folder, store=store, gunzip=channel.get("CompressionType") == "Gzip")
    return pipes


@contextmanager
def feeding(pipes: Mapping[Path, EpochFiles]) -> Iterator[None]:
    """Write channels in Pipe mode to their pipes during the block, which must outlast the readers.

    Args:
        pipes: as `prepare` returns them. The pipe of the first epoch exists when the block begins.
    """
    stopped = threading.Event()
    threads = [threading.Thread(target=_feed, args=(*item, stopped), daemon=True) for item in pipes.items()]
    for pipe in pipes:
        os.mkfifo(pipe_path(pipe, epoch=0), mode=0o600)
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def pipe_path(pipe: Path, *, epoch: int) -> Path:
    """Return the named pipe of an epoch, counted from 0."""
    return pipe.with_name(f"{pipe.name}_{epoch}")


def remove_input(directory: Path) -> None:
    """Remove the copies of a job's input, and all files of a processing job.

    Args:
        directory: the job's directory.
    """
    for root in (directory, *directory.glob("hosts/*")):
        for folder in _COPIES:
            shutil.rmtree(root / folder, ignore_errors=True)
    for path in directory.glob(f"{_DOWNLOAD}*"):
        path.unlink(missing_ok=True)


def download(source: InputObject, *, folder: Path, store: Buckets, gunzip: bool = False, link: bool = True) -> Path:
    """Copy an object to a file below a folder.

    Args:
        source: the object.
        folder: the folder, which the file does not leave.
        store: the account's objects.
        gunzip: whether to decompress it.
        link: whether the file may be a second name of the stored object, which the container must not change.

    Returns:
        The file.

    Raises:
        DownloadError: the key cannot be a file's path below the folder, or the object cannot be read.
    """
    uri = f"s3://{source.item.bucket}/{source.item.key}"
    target = folder / source.path
    try:
        if ".." in Path(source.path).parts or not target.resolve().is_relative_to(folder.resolve()):
            raise DownloadError(f'The object "{uri}" cannot be a file: its key leads out of the folder')
        target.parent.mkdir(parents=True, exist_ok=True)
        with explained(f"Unable to download object {uri}"):
            stored = store.file_of(source.item)
        _write(stored, target, gunzip=gunzip, link=link)
    except (OSError, ValueError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DownloadError(f'The object "{uri}" cannot be a file: {reason}') from error
    return target


def link_or_copy(source: Path, target: Path) -> None:
    """Make a file appear under a second name, as a copy if the file system cannot link it.

    Raises:
        FileExistsError: there is a file of that name.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def pack(model_directories: Sequence[Path], target: Path) -> bool:
    """Write ``model.tar.gz`` from the files in the hosts' model directories.

    The archive depends only on the files' names, bytes and times: sorted members, root as owner, no time in the
    gzip header.

    Returns:
        False, and no archive, if the directories are empty.
    """
    members: dict[str, Path] = {}
    for directory in model_directories:
        for path in directory.rglob("*"):
            members.setdefault(path.relative_to(directory).as_posix(), path)
    if not members:
        return False
    with (
        target.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for name in sorted(members):
            archive.add(members[name], arcname=name, recursive=False, filter=_owned_by_root)
    return True


def relative_path(key: str, prefix: str) -> str:
    """Return an object's path in its channel: the key below the prefix's folder."""
    folder = prefix.rstrip("/") + "/"
    if key != prefix and key.startswith(folder):
        return key.removeprefix(folder)
    return key[prefix.rfind("/") + 1 :]


def _manifest(uri: str, store: Buckets) -> list[tuple[str, str]]:
    """Return the address of each object of a manifest, and its path below the channel's folder."""
    manifest = _named(uri, store)
    try:
        with explained(f"Unable to download object {uri}"):
            head, *suffixes = json.loads(store.file_of(manifest).read_bytes())
        prefix = str(head["prefix"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DownloadError(f'The manifest file "{uri}" cannot be read') from error
    if not suffixes or not all(parse_s3_uri(prefix)):
        raise DownloadError(f'The manifest file "{uri}" names no objects')
    return [(f"{prefix}{suffix}", str(suffix).lstrip("/")) for suffix in suffixes]


def _named(uri: str, store: Buckets) -> Any:
    """Return a manifest's object, or the manifest itself."""
    with explained(f"Unable to download object {uri}"):
        item = store.get(*parse_s3_uri(uri))
    if item is None:
        raise DownloadError(f'No S3 objects found under S3 URL "{uri}"')
    return item


def _input_mode(channel: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    """Return ``File``, ``FastFile`` or ``Pipe``: the channel's mode, else the algorithm's."""
    mode: str = channel.get("InputMode") or request["AlgorithmSpecification"]["TrainingInputMode"]
    return mode


def _epoch_files(folder: Path, share: Callable[..., Sequence[InputObject]], epoch: int) -> Sequence[Path]:
    return [folder / source.path for source in share(epoch=epoch)]


def _feed(pipe: Path, files: EpochFiles, stopped: threading.Event) -> None:
    """Write one epoch after the other to its pipe. The next pipe exists before the present one ends."""
    epoch = 0
    while not stopped.is_set():
        try:
            descriptor = os.open(pipe_path(pipe, epoch=epoch), os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # there is no reader
            stopped.wait(_PIPE_POLL_S)
            continue
        os.set_blocking(descriptor, True)
        os.mkfifo(pipe_path(pipe, epoch=epoch + 1), mode=0o600)
        # A reader that closes its end early ends the epoch.
        with os.fdopen(descriptor, "wb") as stream, suppress(BrokenPipeError):
            for path in files(epoch):
                with path.open("rb") as source:
                    shutil.copyfileobj(source, stream)
        epoch += 1


def _resource_config(request: Mapping[str, Any], host: str, hosts: Sequence[str]) -> dict[str, Any]:
    instance_type = request["ResourceConfig"]["InstanceType"]
    group = {"instance_group_name": "homogeneousCluster", "instance_type": instance_type, "hosts": hosts}
    return {
        "current_host": host,
        "current_instance_type": instance_type,
        "current_group_name": group["instance_group_name"],
        "hosts": hosts,
        "instance_groups": [group],
        "network_interface_name": "eth0",
    }


def _channel_config(channel: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, str]:
    source = channel["DataSource"]["S3DataSource"]
    content_type = {"ContentType": channel["ContentType"]} if "ContentType" in channel else {}
    return {
        "TrainingInputMode": _input_mode(channel, request),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
        **content_type,
    }


def _write(stored: Path, target: Path, *, gunzip: bool, link: bool) -> None:
    """Write a new file; an existing one could be another object's body."""
    if link and not gunzip:
        link_or_copy(stored, target)
        return
    with gzip.open(stored, "rb") if gunzip else stored.open("rb") as source, target.open("xb") as file:
        shutil.copyfileobj(source, file)


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode = 0o755 if member.isdir() else 0o644
    return member
