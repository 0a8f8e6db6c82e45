"""Copies of a job's checkpoints to and from S3: CheckpointConfig of CreateTrainingJob.

Objects under the S3 prefix are copied to ``/opt/ml/checkpoints`` before the container starts. The container's changes
there are copied to S3 while it runs, so a killed job leaves its last checkpoint behind.

Source: the developer guide, "Use checkpoints in Amazon SageMaker".
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from asteroid_ll.emulator.buckets import Buckets
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.files import DownloadError, download, parse_s3_uri
from asteroid_ll.run.atomic import TEMPORARY_PREFIX

LOCAL_PATH = "/opt/ml/checkpoints"
"""The container's folder, the default of CheckpointConfig.LocalPath."""

_FOLDER = "checkpoints"
_RETRY_S = 10.0


class Checkpoints:
    """The checkpoint folders of a job's hosts and their prefix in S3.

    Args:
        config: the request's ``CheckpointConfig``.
        store: the account's objects.

    Attributes:
        n_uploaded: number of files that were copied to S3 since the start or the last download.
    """

    def __init__(self, config: Mapping[str, Any], *, store: Buckets) -> None:
        self._bucket, prefix = parse_s3_uri(config["S3Uri"])
        self._prefix = f"{prefix.rstrip('/')}/" if prefix else ""
        self._store = store
        self._retry_at_s = 0.0
        self._seen: dict[Path, tuple[int, int]] = {}
        self.n_uploaded = 0

    def download(self, roots: Iterable[Path]) -> None:
        """Copy the objects under the prefix to every host.

        Args:
            roots: each host's ``/opt/ml``.

        Raises:
            DownloadError: a key leads out of the folder, or an object cannot be read.
        """
        self.n_uploaded = 0
        try:
            items = self._store.list(self._bucket, self._prefix)
        except ApiError as error:
            raise DownloadError(f"Unable to list s3://{self._bucket}/{self._prefix} ({error})") from error
        for root in roots:
            folder = root / _FOLDER
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for item in items:
                if item.key.endswith("/"):
                    continue
                relative = item.key.removeprefix(self._prefix)
                target = download(item, relative, folder=folder, store=self._store, link=False)
                self._seen[target] = _version(target)

    def upload(self, roots: Iterable[Path], *, is_last: bool = False) -> str:
        """Copy the files that changed since the last call.

        Args:
            roots: each host's ``/opt/ml``.
            is_last: whether to try also shortly after a refusal by S3.

        Returns:
            The reason of a refusal; else an empty text.
        """
        if is_last or time.monotonic() >= self._retry_at_s:
            try:
                self._upload(roots)
            except ApiError as error:
                self._retry_at_s = time.monotonic() + _RETRY_S
                return str(error)
        return ""

    def _upload(self, roots: Iterable[Path]) -> None:
        for root in roots:
            folder = root / _FOLDER
            for path in sorted(folder.rglob("*")):
                if path.name.startswith(TEMPORARY_PREFIX) or path.is_symlink():
                    continue
                try:
                    version = _version(path)
                    if not path.is_file() or self._seen.get(path) == version:
                        continue
                    key = self._prefix + path.relative_to(folder).as_posix()
                    self._store.put_file(self._bucket, key, path)
                except FileNotFoundError:
                    # The container has just replaced or removed it; the next call sees the new state.
                    continue
                self._seen[path] = version
                self.n_uploaded += 1


def _version(path: Path) -> tuple[int, int]:
    """Return the inode and the time of change; replacing a file by renaming changes them."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns
