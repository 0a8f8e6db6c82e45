"""Buckets and objects as rows and files, without HTTP.

A body is first written to its own file under ``State.objects``. Then one row makes it the object, and the replaced body
is removed. A process killed in between leaves the old object whole, and at most one file that no row names. The next
start removes it. A reader that has a body open keeps reading it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from asteroid_ll.emulator.s3.body_files import Body, BodyFiles, read_chunks
from asteroid_ll.emulator.s3.errors import s3_error
from asteroid_ll.emulator.state import ACCOUNT_ID, State
from asteroid_ll.emulator.transport.messages import ApiError

POLICY = "policy"
"""The name of a bucket's policy among its settings."""

PUBLIC_ACCESS = "publicAccessBlock"
"""The name of a bucket's public access block among its settings; an empty document if it was deleted."""

ENCRYPTION_HEADERS = "encryption-headers"
"""The name of the headers (JSON) that a bucket's default encryption gives to new objects, among its settings."""

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
CREATE TABLE IF NOT EXISTS s3_upload (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, initiated_s REAL NOT NULL, attributes TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS s3_part (
    upload TEXT NOT NULL, number INTEGER NOT NULL, size_bytes INTEGER NOT NULL, md5 TEXT NOT NULL,
    body TEXT NOT NULL, modified_s REAL NOT NULL, checksums TEXT NOT NULL, PRIMARY KEY (upload, number)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS s3_object_body ON s3_object (body);
CREATE INDEX IF NOT EXISTS s3_part_body ON s3_part (body);
CREATE TABLE IF NOT EXISTS s3_completed (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, headers TEXT NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
"""

_LIST_AFTER = "SELECT * FROM s3_object WHERE bucket = ? AND key > ? AND key <= ? ORDER BY key LIMIT ?"
_LIST_FROM = "SELECT * FROM s3_object WHERE bucket = ? AND key >= ? AND key <= ? ORDER BY key LIMIT ?"
_BODIES = "SELECT body FROM s3_object UNION ALL SELECT body FROM s3_part"
_N_BODIES = "SELECT (SELECT count(*) FROM s3_object) + (SELECT count(*) FROM s3_part)"


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
        """Delete an empty bucket and its unfinished multipart uploads.

        Raises:
            ApiError: ``BucketNotEmpty``.
        """
        with self.state.transaction() as connection:
            if connection.execute("SELECT 1 FROM s3_object WHERE bucket = ? LIMIT 1", (name,)).fetchone():
                raise s3_error("BucketNotEmpty", BucketName=name)
            bodies = _drop_uploads(connection, name)
            connection.execute("DELETE FROM s3_setting WHERE bucket = ?", (name,))
            connection.execute("DELETE FROM s3_bucket WHERE name = ?", (name,))
        self.bodies.discard(*bodies)

    def setting(self, bucket: str, name: str) -> str | None:
        """Return a bucket's configuration document, such as ``tagging``, or None."""
        row = self.state.connection.execute(
            "SELECT document FROM s3_setting WHERE bucket = ? AND name = ?", (bucket, name)
        ).fetchone()
        return None if row is None else str(row["document"])

    def policy(self, bucket: str) -> Mapping[str, Any] | None:
        """Return a bucket's policy, or None."""
        text = self.setting(bucket, POLICY)
        return None if text is None else json.loads(text)

    def default_encryption(self, bucket: str) -> dict[str, str]:
        """Return the encryption headers of new objects; none for SSE-S3, which needs no setting."""
        headers: dict[str, str] = json.loads(self.setting(bucket, ENCRYPTION_HEADERS) or "{}")
        return headers

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
            ApiError: they are damaged.
        """
        if not self.is_intact(stored):
            name = f"s3://{stored.bucket}/{stored.key}"
            message = f'The object "{name}" is damaged in the emulator\'s state. Upload it again'
            raise ApiError("InternalError", message, status=500)
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
            bucket: an existing bucket.
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
                if connection.execute("SELECT 1 FROM s3_bucket WHERE name = ?", (bucket,)).fetchone() is None:
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
        (n_rows,) = self.state.connection.execute(_N_BODIES).fetchone()
        if n_rows != len(names):
            lost = self.bodies.ownerless(names - self._bodies_with_a_row())
            self.bodies.discard(*(lost - self._bodies_with_a_row() if lost else ()))

    def _bodies_with_a_row(self) -> set[str]:
        return {row["body"] for row in self.state.connection.execute(_BODIES)}

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


def _drop_uploads(connection: sqlite3.Connection, bucket: str) -> list[str]:
    """Delete a bucket's multipart uploads, and return the bodies of their parts."""
    parts = connection.execute(
        "DELETE FROM s3_part WHERE upload IN (SELECT id FROM s3_upload WHERE bucket = ?) RETURNING body", (bucket,)
    ).fetchall()
    connection.execute("DELETE FROM s3_upload WHERE bucket = ?", (bucket,))
    connection.execute("DELETE FROM s3_completed WHERE bucket = ?", (bucket,))
    return [row["body"] for row in parts]
