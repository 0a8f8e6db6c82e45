"""Buckets and objects as rows and files, without HTTP.

A body is first written to its own file under ``State.objects``, under a name that is never used again. Then one row
makes it the object, and the replaced body is removed. A process killed in between leaves the old object whole, and at
most one file that no row names. The next start removes it. A reader that has a body open keeps reading it.

A body's name has its length and CRC-32, ``UUID-LENGTH-CRC32.PID``, so damage on disk is noticed before the bytes reach
a reader.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import sqlite3
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from asteroid_ll.emulator.processes import ProcessId
from asteroid_ll.emulator.resources import partition
from asteroid_ll.emulator.s3.xml import parse, required_text, s3_error
from asteroid_ll.emulator.state import ACCOUNT_ID, BODY_NAME, State
from asteroid_ll.emulator.transport.messages import ApiError

CHUNK_BYTES = 1 << 20

ENCRYPTION, POLICY, PUBLIC_ACCESS, TAGGING = "encryption", "policy", "publicAccessBlock", "tagging"
"""The names of a bucket's settings, which are the subresources of their operations."""

ENCRYPTIONS = frozenset(["AES256", "aws:kms", "aws:kms:dsse"])
DEFAULT_CONTENT_TYPE = "binary/octet-stream"
LAST_OF_PREFIX = "\U0010ffff" * 256
"""A prefix with this at its end sorts after every key with that prefix, as a key has at most 1,024 bytes of UTF-8."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS s3_bucket (
    name TEXT PRIMARY KEY, region TEXT NOT NULL, owner TEXT NOT NULL, created_s REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS s3_setting (
    bucket TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (bucket, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS s3_object (
    bucket TEXT NOT NULL, key TEXT NOT NULL, size_bytes INTEGER NOT NULL, etag TEXT NOT NULL, body TEXT NOT NULL,
    modified_s REAL NOT NULL, attributes TEXT NOT NULL, PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS s3_object_body ON s3_object (body);
"""

_LIST_AFTER = "SELECT * FROM s3_object WHERE bucket = ? AND key > ? AND key <= ? ORDER BY key LIMIT ?"
_LIST_FROM = "SELECT * FROM s3_object WHERE bucket = ? AND key >= ? AND key <= ? ORDER BY key LIMIT ?"


@dataclass(frozen=True)
class Body:
    """Bytes on disk that do not belong to an object yet: file name, length, MD5 (hex), CRC-32 (base64)."""

    name: str
    size_bytes: int
    md5: str
    crc32: str


class BodyFiles:
    """A directory of bodies, which several processes may write at once.

    Args:
        directory: an existing directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, name: str) -> Path:
        """Return the file of a body."""
        return self.directory / name

    def write(self, chunks: Iterable[bytes | memoryview]) -> Body:
        """Write bytes to a new file.

        The file's name ends in the writer's process id, which separates a body under way from a lost one. Until the
        body is complete, its name has no length and no checksum.

        Raises:
            OSError: the disk is full. The file is removed.
        """
        unique, pid = uuid.uuid4().hex, os.getpid()
        path = self.path(f"{unique}.{pid}")
        md5, crc32, size_bytes = hashlib.md5(usedforsecurity=False), 0, 0
        try:
            with open(path, "xb", opener=_private) as file:
                for chunk in chunks:
                    file.write(chunk)
                    md5.update(chunk)
                    crc32 = zlib.crc32(chunk, crc32)
                    size_bytes += len(chunk)
            path = path.rename(self.path(f"{unique}-{size_bytes}-{crc32:08x}.{pid}"))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Body(path.name, size_bytes, md5.hexdigest(), base64.b64encode(crc32.to_bytes(4, "big")).decode())

    def is_intact(self, name: str) -> bool:
        """Return whether a body is on disk with the length and the checksum that it was written with."""
        expected, size_bytes, crc32 = BODY_NAME.fullmatch(name), 0, 0
        try:
            for chunk in read_chunks(self.path(name)):
                size_bytes, crc32 = size_bytes + len(chunk), zlib.crc32(chunk, crc32)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EIO):
                raise
            return False
        return expected is not None and expected["size"] == str(size_bytes) and expected["crc32"] == f"{crc32:08x}"

    def discard(self, *names: str) -> None:
        """Remove bodies."""
        for name in names:
            self.path(name).unlink(missing_ok=True)

    def names(self) -> set[str]:
        """Return the names of all files, which are bodies unless somebody else put a file here."""
        return {entry.name for entry in os.scandir(self.directory)}

    def ownerless(self, names: Iterable[str]) -> set[str]:
        """Return the names of bodies whose writer is dead. Such a body is lost unless a row names it."""
        return {name for name in names if BODY_NAME.fullmatch(name) and not _is_alive(name)}


def read_chunks(*sources: Path, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """Yield the bytes ``[start, stop)`` of each file in chunks."""
    for source in sources:
        with source.open("rb") as file:
            file.seek(start)
            remaining = CHUNK_BYTES if stop is None else stop - start
            while remaining > 0 and (chunk := file.read(min(remaining, CHUNK_BYTES))):
                yield chunk
                if stop is not None:
                    remaining -= len(chunk)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _is_alive(name: str) -> bool:
    """Return whether the process that wrote a body still runs."""
    return ProcessId.of(int(name.rpartition(".")[2])) is not None


@dataclass(frozen=True)
class Bucket:
    """A bucket: its name, home region, owning account and creation time (seconds since 1970)."""

    name: str
    region: str
    owner: str
    created_s: float


@dataclass(frozen=True)
class Attributes:
    """A client's description of an object, apart from its bytes.

    Attributes:
        content_type: the ``Content-Type`` of reads.
        metadata: user metadata, names without ``x-amz-meta-``.
        headers: system headers for reads, such as ``Cache-Control``.
        checksums: base64 checksum by algorithm, such as ``{"CRC32": "..."}``; the CRC-32 when it is empty.
        checksum_type: ``FULL_OBJECT``, or ``COMPOSITE`` for a checksum of the parts' checksums.
        tags: object tags.
        etag: without quotes; the body's MD5 when it is empty.
        part_sizes_bytes: sizes of the parts of a multipart upload.
        part_checksums: checksums of these parts by algorithm; empty if the upload was created without an algorithm.
    """

    content_type: str = DEFAULT_CONTENT_TYPE
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    checksum_type: str = "FULL_OBJECT"
    tags: Mapping[str, str] = field(default_factory=dict)
    etag: str = ""
    part_sizes_bytes: tuple[int, ...] = ()
    part_checksums: tuple[Mapping[str, str], ...] = ()

    @property
    def storage_class(self) -> str:
        """AWS's name of the storage class."""
        return self.headers.get("x-amz-storage-class", "STANDARD")


@dataclass(frozen=True)
class StoredObject:
    """An object. Its ETag has no quotes. Its bytes are the file ``path``; read it, never write it."""

    bucket: str
    key: str
    size_bytes: int
    etag: str
    modified_s: float
    attributes: Attributes
    path: Path


Guard = Callable[[StoredObject | None], None]
"""Called in the write transaction with the object to be replaced, or None; raises to refuse the write."""


class ObjectStore:
    """Buckets and objects over a state directory; several processes may use one directory at once.

    Opening it removes bodies that a killed process left.

    Args:
        state: the directory and its database.

    Attributes:
        bodies: the files with bytes; a new one belongs to no object until `record`.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.bodies = BodyFiles(state.objects)
        state.ensure(_SCHEMA)
        self._remove_lost_bodies()

    # ---------------------------------------------------------------- buckets

    def create_bucket(self, name: str, *, region: str, owner: str = ACCOUNT_ID) -> Bucket:
        """Create a bucket, or return the one of that name, even if another account owns it.

        Args:
            name: the bucket's name, checked by the caller.
            region: its home region.
            owner: the owning account.

        Returns:
            The bucket of that name, with its actual region and owner.
        """
        row = (name, region, owner, self.state.now())
        with self.state.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO s3_bucket VALUES (?, ?, ?, ?)", row)
            return Bucket(**connection.execute("SELECT * FROM s3_bucket WHERE name = ?", (name,)).fetchone())

    def bucket(self, name: str) -> Bucket | None:
        """Return the bucket of that name, or None."""
        row = self.state.connection.execute("SELECT * FROM s3_bucket WHERE name = ?", (name,)).fetchone()
        return None if row is None else Bucket(**row)

    def buckets(self) -> list[Bucket]:
        """Return this account's buckets by name."""
        rows = self.state.connection.execute("SELECT * FROM s3_bucket WHERE owner = ? ORDER BY name", (ACCOUNT_ID,))
        return [Bucket(**row) for row in rows]

    def delete_bucket(self, name: str) -> None:
        """Delete an empty bucket, its settings and the parts of unfinished multipart uploads.

        Raises:
            ApiError: ``BucketNotEmpty``.
        """
        with self.state.transaction() as connection:
            if connection.execute("SELECT 1 FROM s3_object WHERE bucket = ? LIMIT 1", (name,)).fetchone():
                raise s3_error("BucketNotEmpty", BucketName=name)
            rows = connection.execute(
                "DELETE FROM s3_object WHERE bucket > ? AND bucket < ? RETURNING body", (f"{name}/", f"{name}0")
            ).fetchall()
            connection.execute("DELETE FROM s3_setting WHERE bucket = ?", (name,))
            connection.execute("DELETE FROM s3_bucket WHERE name = ?", (name,))
        self.bodies.discard(*(row["body"] for row in rows))

    def setting(self, bucket: str, name: str) -> str | None:
        """Return a bucket's configuration document, such as ``tagging``, or None."""
        row = self.state.connection.execute(
            "SELECT document FROM s3_setting WHERE bucket = ? AND name = ?", (bucket, name)
        ).fetchone()
        return None if row is None else str(row["document"])

    def settings(self, bucket: str, prefix: str) -> list[str]:
        """Return a bucket's configuration documents whose names have a prefix."""
        rows = self.state.connection.execute(
            "SELECT document FROM s3_setting WHERE bucket = ? AND name >= ? AND name < ?",
            (bucket, prefix, prefix + LAST_OF_PREFIX),
        )
        return [row["document"] for row in rows]

    def policy(self, bucket: str) -> Mapping[str, Any] | None:
        """Return a bucket's policy, or None."""
        text = self.setting(bucket, POLICY)
        return None if text is None else json.loads(text)

    def default_encryption(self, bucket: str) -> dict[str, str]:
        """Return the encryption headers of new objects; none for SSE-S3, which needs no setting."""
        text = self.setting(bucket, ENCRYPTION)
        return {} if text is None else encryption_headers(text.encode())

    def set_setting(self, bucket: str, name: str, *, document: str | None) -> None:
        """Replace a bucket's configuration document; None removes it."""
        with self.state.transaction() as connection:
            if document is None:
                connection.execute("DELETE FROM s3_setting WHERE bucket = ? AND name = ?", (bucket, name))
            else:
                connection.execute("INSERT OR REPLACE INTO s3_setting VALUES (?, ?, ?)", (bucket, name, document))

    # ---------------------------------------------------------------- objects

    def list(self, bucket: str, prefix: str = "", *, after: str = "", limit: int = -1) -> list[StoredObject]:
        """Return objects whose key starts with ``prefix``, in S3's order: by the UTF-8 bytes of the key.

        Args:
            bucket: the bucket's name; one that does not exist has no objects.
            prefix: start of the keys.
            after: only keys after this one.
            limit: the maximum number of objects; -1 for all.
        """
        # One lower bound: of two, SQLite may take the earlier one for its search, and read all rows up to the other.
        is_after = after >= prefix
        rows = self.state.connection.execute(
            _LIST_AFTER if is_after else _LIST_FROM,
            (bucket, after if is_after else prefix, prefix + LAST_OF_PREFIX, limit),
        )
        return [self._object(row) for row in rows.fetchall()]

    def get(self, bucket: str, key: str) -> StoredObject | None:
        """Return the object of that key, or None."""
        row = self.state.connection.execute(
            "SELECT * FROM s3_object WHERE bucket = ? AND key = ?", (bucket, key)
        ).fetchone()
        return None if row is None else self._object(row)

    def is_intact(self, stored: StoredObject) -> bool:
        """Return whether the object's bytes are those that were stored, or the object has been replaced since."""
        return self.bodies.is_intact(stored.path.name) or self.get(stored.bucket, stored.key) != stored

    def has(self, bucket: str, region: str) -> bool:
        """Return whether the account has a bucket of that name in a region."""
        found = self.bucket(bucket)
        return found is not None and (found.region, found.owner) == (region, ACCOUNT_ID)

    def file_of(self, stored: StoredObject) -> Path:
        """Return the file with an object's bytes.

        Raises:
            ApiError: ``InternalError``: they are no longer those that were stored.
        """
        if not self.is_intact(stored):
            raise ApiError(
                "InternalError",
                f"The bytes of s3://{stored.bucket}/{stored.key} are damaged or lost on disk. Put the object again, or "
                "empty the emulator: asteroid-ll emulator reset",
                status=500,
            )
        return stored.path

    def put_file(self, bucket: str, key: str, source: Path) -> None:
        """Store a file as `put` does."""
        self.put(bucket, key, read_chunks(source))

    def put(self, bucket: str, key: str, chunks: Iterable[bytes]) -> StoredObject:
        """Store the bytes of all chunks as an object with the bucket's default encryption and no other attributes.

        Raises:
            ApiError: ``NoSuchBucket``.
            OSError: the disk is full. The old object of that key is unchanged.
        """
        attributes = Attributes(headers=self.default_encryption(bucket))
        return self.record(bucket, key, self.bodies.write(chunks), attributes=attributes)

    def delete(self, bucket: str, key: str) -> None:
        """Delete an object, if it exists."""
        with self.state.transaction() as connection:
            rows = connection.execute(
                "DELETE FROM s3_object WHERE bucket = ? AND key = ? RETURNING body", (bucket, key)
            ).fetchall()
        self.bodies.discard(*(row["body"] for row in rows))

    def set_tags(self, bucket: str, key: str, tags: Mapping[str, str]) -> None:
        """Replace an object's tags."""
        statement = (
            "UPDATE s3_object SET attributes = json_set(attributes, '$.tags', json(?)) WHERE bucket = ? AND key = ?"
        )
        with self.state.transaction() as connection:
            connection.execute(statement, (json.dumps(dict(tags)), bucket, key))

    def record(
        self, bucket: str, key: str, body: Body, *, attributes: Attributes | None = None, guard: Guard | None = None
    ) -> StoredObject:
        """Make a body the object of that key, in one step for every reader, and remove the replaced body.

        Args:
            bucket: an existing bucket; with ``/`` and an upload's id after it, for a part of a multipart upload.
            key: the object's key.
            body: from `bodies.write`; removed if the call raises.
            attributes: the client's description.
            guard: the write's conditions.

        Raises:
            ApiError: ``NoSuchBucket``, or the guard's error.
        """
        given = attributes or Attributes()
        kept = replace(given, etag=given.etag or body.md5, checksums=given.checksums or {"CRC32": body.crc32})
        try:
            with self.state.transaction() as connection:
                if self.bucket(bucket.partition("/")[0]) is None:
                    raise s3_error("NoSuchBucket", BucketName=bucket)
                old = self.get(bucket, key)
                if guard is not None:
                    guard(old)
                connection.execute(
                    "INSERT OR REPLACE INTO s3_object VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (bucket, key, body.size_bytes, kept.etag, body.name, self.state.now(), json.dumps(asdict(kept))),
                )
                new = self.get(bucket, key)
        except Exception:  # not an interrupt: after the commit the body already belongs to the object
            self.bodies.discard(body.name)
            raise
        if old is not None:
            self.bodies.discard(old.path.name)
        assert new is not None
        return new

    def _remove_lost_bodies(self) -> None:
        """Remove bodies that have no row and whose writer is dead.

        The rows are read after the writers are known to be dead, because a dead writer has committed all of its rows.
        If there are as many rows as files, none is lost, or the next start finds it.
        """
        names = self.bodies.names()
        (n_rows,) = self.state.connection.execute("SELECT count(*) FROM s3_object").fetchone()
        if n_rows != len(names):
            lost = self.bodies.ownerless(names - self._bodies_with_a_row())
            self.bodies.discard(*(lost - self._bodies_with_a_row() if lost else ()))

    def _bodies_with_a_row(self) -> set[str]:
        return {row["body"] for row in self.state.connection.execute("SELECT body FROM s3_object")}

    def _object(self, row: sqlite3.Row) -> StoredObject:
        attributes = json.loads(row["attributes"])
        for name in ("part_sizes_bytes", "part_checksums"):
            attributes[name] = tuple(attributes.get(name, ()))
        return StoredObject(
            bucket=row["bucket"],
            key=row["key"],
            size_bytes=row["size_bytes"],
            etag=row["etag"],
            modified_s=row["modified_s"],
            attributes=Attributes(**attributes),
            path=self.bodies.path(row["body"]),
        )


def s3_arn(region: str, bucket: str, key: str | None = None) -> str:
    """Return the ARN of a bucket, or of an object."""
    return f"arn:{partition(region)}:s3:::{bucket}" + ("" if key is None else f"/{key}")


def encryption_headers(configuration: bytes) -> dict[str, str]:
    """Return the headers of new objects by a bucket's default encryption.

    Raises:
        ApiError: ``MalformedXML``, ``InvalidArgument``.
    """
    rules = parse(configuration, "ServerSideEncryptionConfiguration").findall("Rule")
    if len(rules) != 1:
        raise s3_error("MalformedXML")
    default = rules[0].find("ApplyServerSideEncryptionByDefault")
    if default is None:
        return {}
    algorithm, key = required_text(default, "SSEAlgorithm"), default.findtext("KMSMasterKeyID")
    if algorithm not in ENCRYPTIONS:
        raise s3_error("MalformedXML")
    if key and algorithm == "AES256":
        message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"
        raise ApiError("InvalidArgument", message, ArgumentName="ApplyServerSideEncryptionByDefault")
    name = "x-amz-server-side-encryption"
    headers = {name: algorithm}
    if key:
        headers[f"{name}-aws-kms-key-id"] = key
    if algorithm == "aws:kms" and rules[0].findtext("BucketKeyEnabled") == "true":
        headers[f"{name}-bucket-key-enabled"] = "true"
    return headers
