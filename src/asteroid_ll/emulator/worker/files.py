"""The files under a training container's ``/opt/ml``, and the artifact made from them.

The layout is SageMaker's contract for training containers: ``input/config/*.json``, ``input/data/CHANNEL``,
``model``, ``output/failure``.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from asteroid_ll.emulator.buckets import DOWNLOAD, Buckets, Item
from asteroid_ll.emulator.transport.messages import ApiError

MAX_FAILURE_REASON_LENGTH = 1024
STREAMS = "streams"
"""The folder with the objects of channels in Pipe mode, next to the container's own folders."""

_COPIES = ("input/data", STREAMS, "processing")
"""The folders of a container with copies of objects; the last one is a processing job's."""


class DownloadError(Exception):
    """A channel's objects cannot be copied to files; the message names the object and the reason."""


@dataclass(frozen=True)
class InputObject:
    """An object of a channel, or of the input of a transform or processing job.

    Attributes:
        item: the object.
        path: its path below the channel's folder.
    """

    item: Item
    path: str


def parse_s3_uri(uri: str) -> tuple[str, str]:
    """Return the bucket and the key (or prefix) of an ``s3://`` URI."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def host_names(request: Mapping[str, Any]) -> list[str]:
    """Return the names of a training job's hosts: ``algo-1`` to ``algo-n``."""
    return hosts_of(request["ResourceConfig"]["InstanceCount"])


def hosts_of(count: int) -> list[str]:
    """Return the names of so many hosts, as SageMaker numbers them."""
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
    bucket, key = parse_s3_uri(uri)
    if source["S3DataType"] == "ManifestFile":
        return [_listed(prefix + suffix, suffix, store) for prefix, suffix in _manifest(uri, store)]
    try:
        items = [item for item in store.list(bucket, key) if not item.key.endswith("/")]
    except ApiError as error:
        raise DownloadError(f"Unable to list {uri} ({error})") from error
    if not items:
        raise DownloadError(f'No S3 objects found under S3 URL "{uri}"')
    return [InputObject(item, relative_path(item.key, key)) for item in items]


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


def prepare(
    root: Path, request: Mapping[str, Any], *, host: str, store: Buckets
) -> dict[str, Callable[[int], Sequence[Path]]]:
    """Write one host's container directory.

    Args:
        root: the container's ``/opt/ml``.
        request: the CreateTrainingJob request.
        host: the host's name, such as ``algo-1``.
        store: the account's objects.

    Returns:
        The files of each channel in Pipe mode: a function from an epoch's number to the files in order. They are
        outside the container's folders.

    Raises:
        DownloadError: a channel has no objects, or they cannot be files below the channel's directory.
    """
    streams: dict[str, Callable[[int], Sequence[Path]]] = {}
    for name in ("input", "model", "output", STREAMS):
        shutil.rmtree(root / name, ignore_errors=True)
    config = root / "input" / "config"
    for folder in (config, root / "input" / "data", root / "model", root / "output" / "data"):
        folder.mkdir(parents=True, exist_ok=True)
    hosts = host_names(request)
    channels = request.get("InputDataConfig", [])
    _write_json(config / "hyperparameters.json", request.get("HyperParameters", {}))
    _write_json(config / "environment.json", request.get("Environment", {}))
    _write_json(config / "resourceconfig.json", _resource_config(request, host, hosts))
    _write_json(config / "inputdataconfig.json", {c["ChannelName"]: _channel_config(c, request) for c in channels})
    for channel in channels:
        objects = input_objects(channel["DataSource"]["S3DataSource"], store)
        share = partial(host_share, objects, channel, host=hosts.index(host), n_hosts=len(hosts))
        name = channel["ChannelName"]
        is_pipe = input_mode(channel, request) == "Pipe"
        folder = root / STREAMS / name if is_pipe else root / "input" / "data" / name
        folder.mkdir(parents=True)
        if is_pipe:
            streams[name] = partial(_epoch_files, folder, share)
        gunzip = channel.get("CompressionType") == "Gzip"
        # A shuffled stream sends other objects to a host in each epoch.
        for source in objects if is_pipe and "ShuffleConfig" in channel else share(epoch=0):
            download(source.item, source.path, folder=folder, store=store, gunzip=gunzip)
    return streams


def remove_input(directory: Path) -> None:
    """Remove the copies of a job's input, and all files of a processing job.

    Args:
        directory: the job's directory.
    """
    for root in (directory, *directory.glob("hosts/*")):
        for folder in _COPIES:
            shutil.rmtree(root / folder, ignore_errors=True)
    for path in directory.glob(f"{DOWNLOAD}*"):
        path.unlink(missing_ok=True)


def _epoch_files(folder: Path, share: Callable[..., Sequence[InputObject]], epoch: int) -> Sequence[Path]:
    return [folder / source.path for source in share(epoch=epoch)]


def download(
    item: Item, relative: str, *, folder: Path, store: Buckets, gunzip: bool = False, link: bool = True
) -> Path:
    """Copy an object to a file below a folder.

    Args:
        item: the object.
        relative: the file's path below the folder, made from the object's key.
        folder: the folder, which the file does not leave.
        store: the account's objects.
        gunzip: whether to decompress it.
        link: whether the file may be a second name of the stored object, which the container must not change.

    Returns:
        The file.

    Raises:
        DownloadError: the key cannot be a file's path below the folder, or the object cannot be read.
    """
    uri = f"s3://{item.bucket}/{item.key}"
    try:
        target = folder / relative
        if ".." in Path(relative).parts or not target.resolve().is_relative_to(folder.resolve()):
            raise DownloadError(f'The object "{uri}" cannot be a file: its key leads out of the folder')
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(store.file_of(item), target, gunzip=gunzip, link=link)
    except ApiError as error:
        raise DownloadError(f"Unable to download object {uri} ({error})") from error
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


def input_mode(channel: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    """Return ``File``, ``FastFile`` or ``Pipe``: the channel's mode, else the algorithm's."""
    mode: str = channel.get("InputMode") or request["AlgorithmSpecification"]["TrainingInputMode"]
    return mode


def pack(model_directories: Sequence[Path], target: Path) -> bool:
    """Write ``model.tar.gz`` from the files in the hosts' model directories.

    The archive depends only on the files' names, bytes and times: sorted members, root as owner, no time in the
    gzip header.

    Returns:
        False, and no archive, if the directories are empty.
    """
    members: dict[str, Path] = {}
    for directory in model_directories:
        for path in sorted(directory.rglob("*")):
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


def failure_reason(roots: Iterable[Path], exit_code: int, *, host: str) -> str:
    """Return a failed job's ``FailureReason``: the oldest ``output/failure`` of its hosts, else the exit code.

    Hosts that write one later have only lost the connection to the host that failed.

    Args:
        roots: each host's ``/opt/ml``.
        exit_code: the exit code of the host that failed first.
        host: its name; empty if the job has only one host.
    """
    files = [root / "output" / "failure" for root in roots]
    written = [path for path in files if path.is_file() and not path.is_symlink()]
    if not written:
        event = f"The host {host} left the job" if host else ""
        return f"AlgorithmError: {event}, exit code: {exit_code}"
    path = min(written, key=lambda path: path.stat().st_mtime_ns)
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    known = text.startswith(("ClientError", "AlgorithmError", "InternalServerError"))
    return (text if known else f"AlgorithmError: {text}, exit code: {exit_code}")[:MAX_FAILURE_REASON_LENGTH]


def _resource_config(request: Mapping[str, Any], host: str, hosts: list[str]) -> dict[str, Any]:
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
    config = {
        "TrainingInputMode": input_mode(channel, request),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    if "ContentType" in channel:
        config["ContentType"] = channel["ContentType"]
    return config


def relative_path(key: str, prefix: str) -> str:
    """Return an object's path in its channel: the key below the prefix's folder."""
    if key != prefix and key.startswith(prefix.rstrip("/") + "/"):
        return key[len(prefix.rstrip("/")) + 1 :]
    return key[prefix.rfind("/") + 1 :]


def _manifest(uri: str, store: Buckets) -> list[tuple[str, str]]:
    """Return the prefix and the suffix of each object of a manifest."""
    manifest = _listed(uri, "", store).item
    try:
        head, *suffixes = json.loads(store.file_of(manifest).read_bytes())
        prefix = str(head["prefix"])
    except ApiError as error:
        raise DownloadError(f"Unable to download object {uri} ({error})") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DownloadError(f'The manifest file "{uri}" cannot be read') from error
    if not suffixes or not all(parse_s3_uri(prefix)):
        raise DownloadError(f'The manifest file "{uri}" names no objects')
    return [(prefix, str(suffix)) for suffix in suffixes]


def _listed(uri: str, suffix: str, store: Buckets) -> InputObject:
    """Return a manifest's object, or the manifest itself."""
    try:
        item = store.get(*parse_s3_uri(uri))
    except ApiError as error:
        raise DownloadError(f"Unable to download object {uri} ({error})") from error
    if item is None:
        raise DownloadError(f'No S3 objects found under S3 URL "{uri}"')
    return InputObject(item, suffix.lstrip("/"))


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


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
