"""The files of a processing job: those below a container's ``/opt/ml``, and those that are uploaded at its end.

Source: the developer guide, "Build Your Own Processing Container". It has the format of the two configuration files,
the rule that symbolic links are not uploaded, and that of ``/opt/ml/output/message``.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from asteroid_ll.emulator.buckets import Buckets
from asteroid_ll.emulator.worker.files import (
    DownloadError,
    InputObject,
    download,
    host_share,
    hosts_of,
    input_objects,
    parse_s3_uri,
)
from asteroid_ll.processing_container import MAX_MESSAGE_BYTES, MESSAGE, RESOURCES, ROOT

_JOB_CONFIG = "config/processingjobconfig.json"


class MessageError(Exception):
    """The message of a container is not UTF-8, which fails the job."""


def host_names(request: Mapping[str, Any]) -> list[str]:
    """Return the names of a job's hosts."""
    return hosts_of(request["ProcessingResources"]["ClusterConfig"]["InstanceCount"])


def prepare(root: Path, request: Mapping[str, Any], *, host: str, store: Buckets) -> None:
    """Write one host's container directory, and make the folders of its outputs.

    Args:
        root: the container's ``/opt/ml``.
        request: the CreateProcessingJob request, with the job's name and its ARN.
        host: the host's name, such as ``algo-1``.
        store: the account's objects.

    Raises:
        DownloadError: an input has no objects, or they cannot be files below its folder, or a folder cannot be made.
    """
    hosts = host_names(request)
    shutil.rmtree(root, ignore_errors=True)
    for place in (RESOURCES, _JOB_CONFIG, MESSAGE):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
    _write_json(root / RESOURCES, {"current_host": host, "hosts": hosts})
    _write_json(root / _JOB_CONFIG, request)
    for source in (described["S3Input"] for described in request.get("ProcessingInputs", [])):
        folder = _make_folder(root, source["LocalPath"])
        for item in _share(source, host=hosts.index(host), n_hosts=len(hosts), store=store):
            download(item.item, item.path, folder=folder, store=store)
    for output in _outputs(request):
        _make_folder(root, output["LocalPath"])


def uploads(root: Path, request: Mapping[str, Any]) -> Iterator[tuple[str, str, Path]]:
    """Yield the bucket, the key and the file of each object that a host uploads, in the order of the files' paths.

    Args:
        root: the host's ``/opt/ml``.
        request: the CreateProcessingJob request.
    """
    for output in _outputs(request):
        folder = inside(root, output["LocalPath"])
        bucket, prefix = parse_s3_uri(output["S3Uri"])
        for path in sorted(_files(folder)):
            yield bucket, "/".join(filter(None, [prefix.rstrip("/"), path.relative_to(folder).as_posix()])), path


def exit_message(roots: Iterable[Path]) -> str:
    """Return the hosts' messages one after the other, cut off after 1 KB.

    Args:
        roots: each host's ``/opt/ml``, in order.

    Raises:
        MessageError: one of them is not UTF-8.
    """
    paths = [root / MESSAGE for root in roots]
    whole = b"".join(path.read_bytes() for path in paths if path.is_file() and not path.is_symlink())
    try:
        whole.decode()
    except UnicodeDecodeError as error:
        raise MessageError(f"The message in {ROOT}/{MESSAGE} is not UTF-8") from error
    return whole[:MAX_MESSAGE_BYTES].decode(errors="ignore")


def inside(root: Path, local_path: str) -> Path:
    """Return the place of a path of the container in the host's directory.

    Args:
        root: the host's ``/opt/ml``.
        local_path: a path below ``/opt/ml`` without ``..``.
    """
    return root / PurePosixPath(local_path).relative_to(ROOT)


def _make_folder(root: Path, local_path: str) -> Path:
    """Make the folder of an input or output, which a file of another input may prevent."""
    folder = inside(root, local_path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DownloadError(f'The folder "{local_path}" cannot be made: {reason}') from error
    return folder


def _share(source: Mapping[str, Any], *, host: int, n_hosts: int, store: Buckets) -> Iterable[InputObject]:
    """Return the objects of an input that a host gets."""
    channel = {"DataSource": {"S3DataSource": source}}
    return host_share(input_objects(source, store), channel, epoch=0, host=host, n_hosts=n_hosts)


def _outputs(request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (output["S3Output"] for output in request.get("ProcessingOutputConfig", {}).get("Outputs", []))


def _files(folder: Path) -> Iterator[Path]:
    """Yield the regular files below a folder. Symbolic links are not followed."""
    for place, _, names in os.walk(folder):
        yield from (path for name in names if not (path := Path(place) / name).is_symlink() and path.is_file())


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
