"""A job's checkpoints, in step with S3: CheckpointConfig of CreateTrainingJob.

What is under the S3 prefix is laid out in ``/opt/ml/checkpoints`` before the container starts; what the container
writes there is copied to S3 as it changes, so that a job that is killed leaves its last checkpoint behind.

Source: the developer guide, "Use checkpoints in Amazon SageMaker".
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.worker.files import DownloadError, parse_s3_uri
from asteroid_ll.run.atomic import TEMPORARY_PREFIX

LOCAL_PATH = "/opt/ml/checkpoints"
"""Where the container looks: the default of CheckpointConfig.LocalPath."""

_FOLDER = "checkpoints"


class Checkpoints:
    """The checkpoint folders of a job's hosts and their place in S3.

    Args:
        config: the request's ``CheckpointConfig``.
        store: where the objects are.
    """

    def __init__(self, config: Mapping[str, Any], *, store: ObjectStore) -> None:
        self._bucket, prefix = parse_s3_uri(config["S3Uri"])
        self._prefix = f"{prefix.rstrip('/')}/" if prefix else ""
        self._store = store
        self._seen: dict[Path, tuple[int, int]] = {}

    def download(self, roots: Sequence[Path]) -> None:
        """Lay out what S3 has, the same on every host.

        Args:
            roots: what each host's container sees as ``/opt/ml``.

        Raises:
            DownloadError: a key leads out of the folder.
        """
        for root in roots:
            folder = root / _FOLDER
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for found in self._store.list(self._bucket, self._prefix):
                if found.key.endswith("/"):
                    continue
                target = folder / found.key.removeprefix(self._prefix)
                if not target.resolve().is_relative_to(folder.resolve()):
                    raise DownloadError(f'The key "{found.key}" leads out of {LOCAL_PATH}')
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(found.path, target)
                self._seen[target] = _version(target)

    def upload(self, roots: Sequence[Path]) -> None:
        """Copy what changed since the last time; a bucket that is gone takes nothing."""
        if self._store.bucket(self._bucket) is None:
            return
        for root in roots:
            folder = root / _FOLDER
            for path in sorted(folder.rglob("*")):
                if path.name.startswith(TEMPORARY_PREFIX):
                    continue
                try:
                    version = _version(path)
                    if not path.is_file() or self._seen.get(path) == version:
                        continue
                    self._store.put_file(self._bucket, self._prefix + path.relative_to(folder).as_posix(), path)
                except FileNotFoundError:
                    # The container replaced or removed it in this moment; the next look finds what there is.
                    continue
                self._seen[path] = version


def _version(path: Path) -> tuple[int, int]:
    """What a file that is replaced by renaming changes."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns
