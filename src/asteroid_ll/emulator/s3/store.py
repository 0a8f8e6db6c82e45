"""Buckets and objects, kept as rows and files: what S3 remembers, without S3's HTTP.

A body is written to a file of its own under ``State.objects`` first, then one row makes it the object; a
replaced body is removed after its row changed. A process killed in between leaves the old object whole and at
most one file that nobody names, which the next start sweeps. A reader that has a body open keeps reading it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from asteroid_ll.emulator.s3.bodies import Bodies, Body, read_chunks
from asteroid_ll.emulator.state import ACCOUNT_ID, State
from asteroid_ll.emulator.transport.messages import ApiError

DEFAULT_CONTENT_TYPE = "binary/octet-stream"
LAST_OF_PREFIX = "\U0010ffff" * 256
"""Appended to a prefix: not before any key with that prefix, as a key has at most 1,024 bytes of UTF-8."""

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
"""


@dataclass(frozen=True)
class Bucket:
    """A bucket: its name, home region, owning account and creation time (seconds since 1970)."""

    name: str
    region: str
    owner: str
    created_s: float = 0.0


@dataclass(frozen=True)
class Attributes:
    """What a client says about an object besides its bytes.

    Attributes:
        content_type: the ``Content-Type`` that reads answer with.
        metadata: user metadata, names without ``x-amz-meta-``.
        headers: system headers to be given back, such as ``Cache-Control``.
        checksums: base64 checksum by algorithm, such as ``{"CRC32": "..."}``; the CRC-32 when it is empty.
        checksum_type: ``FULL_OBJECT``, or ``COMPOSITE`` for a checksum of the parts' checksums.
        tags: object tags.
        etag: without quotes; the body's MD5 when it is empty.
        part_sizes_bytes: sizes of the parts of a multipart upload.
    """

    content_type: str = DEFAULT_CONTENT_TYPE
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    checksum_type: str = "FULL_OBJECT"
    tags: Mapping[str, str] = field(default_factory=dict)
    etag: str = ""
    part_sizes_bytes: tuple[int, ...] = ()


@dataclass(frozen=True)
class StoredObject:
    """An object: its ETag without quotes, what was said of it, and where its ``size_bytes`` bytes are.

    The body is the file ``body`` in the directory ``bodies``.
    """

    bucket: str
    key: str
    size_bytes: int
    etag: str
    modified_s: float
    attributes: Attributes
    bodies: Path
    body: str

    @property
    def path(self) -> Path:
        """The body's own file; read it, never write it."""
        return self.bodies / self.body

    @property
    def content_type(self) -> str:
        """The object's media type."""
        return self.attributes.content_type

    @property
    def metadata(self) -> Mapping[str, str]:
        """User metadata, names without ``x-amz-meta-``."""
        return self.attributes.metadata


Guard = Callable[[StoredObject | None], None]
"""Called with the object that is about to be replaced, inside the write transaction; raises to refuse."""


class ObjectStore:
    """Buckets and objects over a state directory; several processes may use one directory at once.

    Args:
        state: the directory and its database.

    Attributes:
        bodies: the bytes on disk; what is written there belongs to nothing until `record`.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.bodies = Bodies(state.objects)
        self._ready = False

    @property
    def connection(self) -> sqlite3.Connection:
        """The database with the store's tables; the first use sweeps bodies that a killed process left."""
        connection = self.state.connection
        self.state.ensure(_SCHEMA)
        if not self._ready:
            self._ready = True
            self._sweep(connection)
        return connection

    # ---------------------------------------------------------------- buckets

    def create_bucket(self, name: str, *, region: str, owner: str = ACCOUNT_ID) -> Bucket:
        """Create a bucket, or give back the one of that name, whoever owns it.

        Args:
            name: the bucket's name, checked by the caller.
            region: its home region.
            owner: the owning account.

        Returns:
            The bucket of that name, with the region and owner it really has.
        """
        row = (name, region, owner, self.state.now())
        with self._writing() as connection:
            connection.execute("INSERT OR IGNORE INTO s3_bucket VALUES (?, ?, ?, ?)", row)
            return Bucket(**connection.execute("SELECT * FROM s3_bucket WHERE name = ?", (name,)).fetchone())

    def bucket(self, name: str) -> Bucket | None:
        """The bucket of that name, or None."""
        row = self.connection.execute("SELECT * FROM s3_bucket WHERE name = ?", (name,)).fetchone()
        return None if row is None else Bucket(**row)

    def buckets(self, *, owner: str = ACCOUNT_ID) -> list[Bucket]:
        """An account's buckets by name."""
        rows = self.connection.execute("SELECT * FROM s3_bucket WHERE owner = ? ORDER BY name", (owner,))
        return [Bucket(**row) for row in rows]

    def delete_bucket(self, name: str) -> None:
        """Delete an empty bucket, and the multipart uploads that nobody completed.

        Raises:
            ApiError: ``BucketNotEmpty``.
        """
        with self._writing() as connection:
            if connection.execute("SELECT 1 FROM s3_object WHERE bucket = ? LIMIT 1", (name,)).fetchone():
                raise ApiError("BucketNotEmpty", "The bucket you tried to delete is not empty", status=409)
            bodies = _drop_uploads(connection, name)
            connection.execute("DELETE FROM s3_setting WHERE bucket = ?", (name,))
            connection.execute("DELETE FROM s3_bucket WHERE name = ?", (name,))
        self.bodies.discard(*bodies)

    def setting(self, bucket: str, name: str) -> str | None:
        """A bucket's configuration document, such as ``tagging``, or None."""
        row = self.connection.execute(
            "SELECT document FROM s3_setting WHERE bucket = ? AND name = ?", (bucket, name)
        ).fetchone()
        return None if row is None else str(row["document"])

    def set_setting(self, bucket: str, name: str, *, document: str | None) -> None:
        """Replace a bucket's configuration document; None removes it."""
        with self._writing() as connection:
            if document is None:
                connection.execute("DELETE FROM s3_setting WHERE bucket = ? AND name = ?", (bucket, name))
            else:
                connection.execute("INSERT OR REPLACE INTO s3_setting VALUES (?, ?, ?)", (bucket, name, document))

    # ---------------------------------------------------------------- objects

    def list(self, bucket: str, prefix: str = "", *, after: str = "", limit: int = -1) -> list[StoredObject]:
        """Objects whose key starts with ``prefix``, in S3's order: by the UTF-8 bytes of the key.

        Args:
            bucket: the bucket's name; one that does not exist has no objects.
            prefix: start of the keys wanted.
            after: only keys after this one.
            limit: at most so many; -1 for all.
        """
        rows = self.connection.execute(
            "SELECT * FROM s3_object WHERE bucket = ? AND key >= ? AND key <= ? AND key > ? ORDER BY key LIMIT ?",
            (bucket, prefix, prefix + LAST_OF_PREFIX, after, limit),
        )
        return [self._object(row) for row in rows.fetchall()]

    def get(self, bucket: str, key: str) -> StoredObject | None:
        """The object of that key, or None."""
        row = self.connection.execute("SELECT * FROM s3_object WHERE bucket = ? AND key = ?", (bucket, key)).fetchone()
        return None if row is None else self._object(row)

    def put_file(
        self, bucket: str, key: str, source: Path, *, content_type: str = DEFAULT_CONTENT_TYPE
    ) -> StoredObject:
        """Store a copy of a file; a later change of ``source`` does not reach the object.

        Raises:
            ApiError: ``NoSuchBucket``.
            OSError: the file cannot be read, or the disk is full; an older object of that key stays as it was.
        """
        return self.record(
            bucket, key, self.bodies.write(read_chunks(source)), attributes=Attributes(content_type=content_type)
        )

    def put_bytes(
        self, bucket: str, key: str, data: bytes, *, content_type: str = DEFAULT_CONTENT_TYPE
    ) -> StoredObject:
        """Store bytes; errors as `put_file`."""
        return self.record(bucket, key, self.bodies.write([data]), attributes=Attributes(content_type=content_type))

    def delete(self, bucket: str, key: str) -> None:
        """Delete an object; one that does not exist is no error, as in S3."""
        with self._writing() as connection:
            rows = connection.execute(
                "DELETE FROM s3_object WHERE bucket = ? AND key = ? RETURNING body", (bucket, key)
            ).fetchall()
        self.bodies.discard(*(row["body"] for row in rows))

    def set_tags(self, bucket: str, key: str, tags: Mapping[str, str]) -> None:
        """Replace an object's tags."""
        statement = (
            "UPDATE s3_object SET attributes = json_set(attributes, '$.tags', json(?)) WHERE bucket = ? AND key = ?"
        )
        with self._writing() as connection:
            connection.execute(statement, (json.dumps(dict(tags)), bucket, key))

    def record(
        self, bucket: str, key: str, body: Body, *, attributes: Attributes | None = None, guard: Guard | None = None
    ) -> StoredObject:
        """Make a body the object of that key, in one step for every reader; the replaced body is removed.

        Args:
            bucket: an existing bucket.
            key: the object's key.
            body: from `bodies.write`; discarded where the call refuses.
            attributes: what the client says of the object.
            guard: called inside the transaction with the object of that key, or None; raises to refuse.

        Raises:
            ApiError: ``NoSuchBucket``, or what the guard raises.
        """
        said = attributes or Attributes()
        said = replace(said, etag=said.etag or body.md5, checksums=said.checksums or {"CRC32": body.crc32})
        try:
            with self._writing() as connection:
                if connection.execute("SELECT 1 FROM s3_bucket WHERE name = ?", (bucket,)).fetchone() is None:
                    raise ApiError("NoSuchBucket", "The specified bucket does not exist", status=404, BucketName=bucket)
                old = self.get(bucket, key)
                if guard is not None:
                    guard(old)
                connection.execute(
                    "INSERT OR REPLACE INTO s3_object VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (bucket, key, body.size_bytes, said.etag, body.name, self.state.now(), json.dumps(asdict(said))),
                )
                new = self.get(bucket, key)
        except Exception:  # an interrupt may come after the commit, when the body is the object's already
            self.bodies.discard(body.name)
            raise
        if old is not None:
            self.bodies.discard(old.body)
        assert new is not None
        return new

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction with the store's tables there, which must exist before it begins."""
        opened = self.connection
        with self.state.transaction():
            yield opened

    def _sweep(self, connection: sqlite3.Connection) -> None:
        """Remove bodies without a row whose writer is dead.

        The order matters: first the files whose writer is dead, then the rows. A dead writer has committed all
        it ever will, so its rows are seen.
        """
        lost = self.bodies.ownerless()
        if lost:
            rows = connection.execute("SELECT body FROM s3_object UNION ALL SELECT body FROM s3_part")
            self.bodies.discard(*lost.difference(row["body"] for row in rows))

    def _object(self, row: sqlite3.Row) -> StoredObject:
        said = json.loads(row["attributes"])
        return StoredObject(
            bucket=row["bucket"],
            key=row["key"],
            size_bytes=row["size_bytes"],
            etag=row["etag"],
            modified_s=row["modified_s"],
            attributes=Attributes(**{**said, "part_sizes_bytes": tuple(said["part_sizes_bytes"])}),
            bodies=self.bodies.directory,
            body=row["body"],
        )


def _drop_uploads(connection: sqlite3.Connection, bucket: str) -> list[str]:
    """Forget a bucket's multipart uploads; the bodies of their parts are given back."""
    parts = connection.execute(
        "DELETE FROM s3_part WHERE upload IN (SELECT id FROM s3_upload WHERE bucket = ?) RETURNING body", (bucket,)
    ).fetchall()
    connection.execute("DELETE FROM s3_upload WHERE bucket = ?", (bucket,))
    return [row["body"] for row in parts]
