"""Where SageMaker's jobs and endpoints find their objects: in this account's state, or in another emulator's S3."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.state import State

DOWNLOAD = "download-"
"""The start of the name of a downloaded object's file."""


class Item(Protocol):
    """An object."""

    @property
    def bucket(self) -> str:
        """The name of its bucket."""

    @property
    def key(self) -> str:
        """Its key."""


class Buckets(Protocol):
    """Buckets and objects as SageMaker uses them.

    Each method raises ApiError with S3's code and message if S3 refuses it or does not answer. The status of an S3 that
    does not answer is 503.
    """

    def has(self, bucket: str, region: str) -> bool:
        """Return whether the account has a bucket of that name in a region."""

    def list(self, bucket: str, prefix: str = "") -> Sequence[Any]:
        """Return the objects whose keys have a prefix, in the order of their keys."""

    def get(self, bucket: str, key: str) -> Any:
        """Return the object of that key, or None."""

    def file_of(self, stored: Any) -> Path:
        """Return a file with an object's bytes. It may be linked, copied and read, until the next call."""

    def put_file(self, bucket: str, key: str, source: Path) -> None:
        """Store a file as an object."""


def buckets_of(state: State, region: str, *, scratch: Path, is_patient: bool = False) -> Buckets:
    """Return the account's buckets.

    Args:
        state: the emulator's state.
        region: the region of the requests to another emulator's S3.
        scratch: the folder for one downloaded object at a time, whose name begins with `DOWNLOAD`.
        is_patient: whether a request to another emulator's S3 may take a minute and is repeated. If not, it is for a
            client that waits, and fails within seconds.
    """
    if state.other_s3 is None:
        return ObjectStore(state)
    from asteroid_ll.emulator.other_s3 import OtherBuckets  # botocore, which would delay the claim of a job

    file = scratch / f"{DOWNLOAD}{os.getpid()}"
    return OtherBuckets(state.other_s3, region, scratch=file, is_patient=is_patient)
