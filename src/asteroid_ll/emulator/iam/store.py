"""The account's roles, users, policies, identity providers and access keys, as rows.

IAM has no regions, but each partition has an IAM of its own. An account that never uses IAM has none of these tables.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from asteroid_ll.emulator.iam.managed import MANAGED
from asteroid_ll.emulator.iam.principals import Document, Principal
from asteroid_ll.emulator.state import ACCOUNT_ID, State
from asteroid_ll.emulator.transport.messages import ApiError

ROLE, USER, POLICY, PROVIDER = "role", "user", "policy", "oidc-provider"

_ID_PREFIXES = {ROLE: "AROA", USER: "AIDA", POLICY: "ANPA", PROVIDER: ""}
_DAY_S = 86_400
_ID_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS iam_entities (
    arn TEXT PRIMARY KEY, kind TEXT NOT NULL, partition TEXT NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL,
    id TEXT NOT NULL, created_s REAL NOT NULL, body TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS iam_names ON iam_entities (kind, partition, name COLLATE NOCASE);
CREATE TABLE IF NOT EXISTS access_keys (
    id TEXT PRIMARY KEY, owner_arn TEXT NOT NULL, created_s REAL NOT NULL, expires_s REAL, session TEXT NOT NULL,
    policies TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS access_secrets (id TEXT PRIMARY KEY, secret TEXT NOT NULL, token TEXT NOT NULL);
"""


@dataclass(frozen=True, kw_only=True)
class Entity:
    """A role, user, managed policy or identity provider.

    Attributes:
        kind: the ARN's resource type, such as ``role``.
        partition: the ARN's partition, such as ``aws``.
        path: such as ``/``.
        name: unique per kind and partition, in any case.
        id: AWS's unique id, such as ``AROA...``.
        created_s: seconds since 1970.
        body: the rest, JSON values only. Documents are texts, as they were sent.
    """

    kind: str
    partition: str
    path: str
    name: str
    id: str
    created_s: float
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The entity's ARN."""
        return f"arn:{self.partition}:iam::{ACCOUNT_ID}:{self.kind}{self.path}{self.name}"

    @property
    def tags(self) -> dict[str, str]:
        """The entity's tags."""
        return {tag["Key"]: tag["Value"] for tag in self.body["tags"]}

    def changed(self, **values: Any) -> Entity:
        """Return the entity with changed members of its body."""
        return replace(self, body={**self.body, **values})


@dataclass(frozen=True, kw_only=True)
class Role:
    """A role as the evaluation of a request needs it.

    Attributes:
        arn: its ARN.
        trust_policy: who may assume it.
        identity_policies: the documents of its inline and attached policies.
        permissions_boundary: the document that bounds them; None if there is none.
    """

    arn: str
    trust_policy: Document
    identity_policies: tuple[Document, ...]
    permissions_boundary: Document | None


@dataclass(frozen=True, kw_only=True)
class AccessKey:
    """A key of a user, or the temporary one of a role's session.

    Attributes:
        id: ``AKIA...`` or ``ASIA...``.
        owner_arn: the ARN of the user or the role.
        created_s: seconds since 1970.
        expires_s: seconds since 1970; None for a user's key.
        session: the name of the role's session; empty for a user's key.
        policies: the documents that were passed to AssumeRole.
    """

    id: str
    owner_arn: str
    created_s: float
    expires_s: float | None = None
    session: str = ""
    policies: tuple[Document, ...] = ()


@dataclass(frozen=True)
class Credentials:
    """What signs a request with an access key: its secret key, and the token of a role's session (else empty)."""

    secret: str
    token: str = ""


class Identities:
    """The table of identities in a state.

    Args:
        state: the emulator's state.

    Attributes:
        managed: the documents of AWS's own policies, by ARN.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.managed = MANAGED

    def anyone(self) -> Principal:
        """Return who has an access key that IAM did not make, while no policies are evaluated."""
        return Principal(arn=f"arn:aws:iam::{self.state.account_id}:user/emulator", user_id="AIDAEMULATOR")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block as one write transaction, so that what it reads stays true until it writes."""
        self.state.ensure(_SCHEMA)
        with self.state.transaction():
            yield

    def principal_of(self, access_key: str) -> Principal | None:
        """Return the sender that signs with an access key; None for a key that IAM did not make.

        The session of a role that was deleted has no policies left.

        Raises:
            ApiError: ``ExpiredToken``.
        """
        key = self.key(access_key)
        if key is None:
            return None
        if key.expires_s is not None and key.expires_s <= self.state.now():
            raise ApiError("ExpiredToken", "The security token included in the request is expired", status=403)
        owner = self.by_arn(key.owner_arn)
        policies = () if owner is None else self._policies(owner)
        boundary = None if owner is None else self._boundary(owner)
        tags = {} if owner is None else owner.tags
        if not key.session:
            return Principal(
                arn=key.owner_arn,
                user_id="" if owner is None else owner.id,
                identity_policies=policies,
                permissions_boundary=boundary,
                tags=tags,
            )
        name = key.owner_arn.rpartition("/")[2]
        partition = key.owner_arn.split(":")[1]
        return Principal(
            arn=f"arn:{partition}:sts::{ACCOUNT_ID}:assumed-role/{name}/{key.session}",
            user_id=f"{'' if owner is None else owner.id}:{key.session}",
            role_arn=key.owner_arn,
            identity_policies=policies,
            permissions_boundary=boundary,
            tags=tags,
            session_policies=key.policies,
        )

    def principal(self, arn: str) -> Principal | None:
        """Return the user or the role of an ARN as a sender; None if there is none."""
        entity = self.by_arn(arn)
        if entity is None or entity.kind not in (ROLE, USER):
            return None
        return Principal(
            arn=arn,
            user_id=entity.id,
            role_arn=arn if entity.kind == ROLE else None,
            identity_policies=self._policies(entity),
            permissions_boundary=self._boundary(entity),
            tags=entity.tags,
        )

    def role(self, arn: str) -> Role | None:
        """Return the role of an ARN; None if there is none."""
        entity = self.by_arn(arn)
        if entity is None or entity.kind != ROLE:
            return None
        return Role(
            arn=arn,
            trust_policy=json.loads(entity.body["trust"]),
            identity_policies=self._policies(entity),
            permissions_boundary=self._boundary(entity),
        )

    def document(self, policy_arn: str) -> Document | None:
        """Return the default version of a managed policy, the account's or AWS's; None if there is none."""
        if policy_arn in self.managed:
            return self.managed[policy_arn]
        policy = self.by_arn(policy_arn)
        if policy is None or policy.kind != POLICY:
            return None
        document: Document = json.loads(policy.body["versions"][policy.body["default"]]["document"])
        return document

    def by_arn(self, arn: str) -> Entity | None:
        """Return the entity of an ARN; None if there is none."""
        return next(iter(self._entities("arn = ?", arn)), None)

    def by_name(self, kind: str, partition: str, name: str) -> Entity | None:
        """Return the entity of a name; None if there is none."""
        where = "kind = ? AND partition = ? AND name = ? COLLATE NOCASE"
        return next(iter(self._entities(where, kind, partition, name)), None)

    def find(self, kind: str, partition: str) -> list[Entity]:
        """Return the entities of a kind, by name."""
        return self._entities("kind = ? AND partition = ?", kind, partition)

    def holders(self, policy_arn: str) -> list[Entity]:
        """Return the roles and users to which a managed policy is attached."""
        entities = self._entities("kind IN (?, ?)", ROLE, USER)
        return [entity for entity in entities if policy_arn in entity.body["attached"]]

    def new(self, kind: str, partition: str, name: str, *, path: str = "/", **body: Any) -> Entity:
        """Return an entity that is not saved yet."""
        return Entity(
            kind=kind,
            partition=partition,
            path=path,
            name=name,
            id=unique_id(_ID_PREFIXES[kind]),
            created_s=self.state.now(),
            body=body,
        )

    def save(self, entity: Entity) -> None:
        """Insert or replace an entity, in a `transaction`."""
        self.state.connection.execute(
            "INSERT OR REPLACE INTO iam_entities VALUES"
            " (:arn, :kind, :partition, :path, :name, :id, :created_s, :body)",
            {**vars(entity), "arn": entity.arn, "body": json.dumps(entity.body)},
        )

    def delete(self, entity: Entity) -> None:
        """Delete an entity, in a `transaction`."""
        self.state.connection.execute("DELETE FROM iam_entities WHERE arn = ?", (entity.arn,))

    def key(self, access_key: str) -> AccessKey | None:
        """Return an access key; None if IAM did not make it."""
        rows = self._rows("SELECT * FROM access_keys WHERE id = ?", access_key)
        return _key(rows[0]) if rows else None

    def keys_of(self, arn: str) -> list[AccessKey]:
        """Return the access keys of a user, oldest first."""
        return [_key(row) for row in self._rows("SELECT * FROM access_keys WHERE owner_arn = ? ORDER BY rowid", arn)]

    def credentials_of(self, access_key: str) -> Credentials | None:
        """Return the secret of an access key; None for a key of no one, or of a version that did not keep secrets.

        Raises:
            ApiError: ``ExpiredToken``.
        """
        if self.principal_of(access_key) is None:
            return None
        rows = self._rows("SELECT secret, token FROM access_secrets WHERE id = ?", access_key)
        return Credentials(**rows[0]) if rows else None

    def save_key(self, key: AccessKey, credentials: Credentials) -> None:
        """Insert an access key, in a `transaction`; delete those that expired more than a day ago."""
        db = self.state.connection
        for row in self._rows("SELECT id FROM access_keys WHERE expires_s < ?", self.state.now() - _DAY_S):
            self.delete_key(row["id"])
        db.execute("INSERT INTO access_secrets VALUES (:id, :secret, :token)", {"id": key.id, **vars(credentials)})
        db.execute(
            "INSERT INTO access_keys VALUES (:id, :owner_arn, :created_s, :expires_s, :session, :policies)",
            {**vars(key), "policies": json.dumps(key.policies)},
        )

    def delete_key(self, access_key: str) -> None:
        """Delete an access key, in a `transaction`."""
        for table in ("access_keys", "access_secrets"):
            self.state.connection.execute(f"DELETE FROM {table} WHERE id = ?", (access_key,))  # noqa: S608 - constants

    def _policies(self, entity: Entity) -> tuple[Document, ...]:
        inline = [json.loads(text) for text in entity.body["inline"].values()]
        attached = [self.document(arn) for arn in entity.body["attached"]]
        return (*inline, *(document for document in attached if document is not None))

    def _boundary(self, entity: Entity) -> Document | None:
        arn = entity.body["boundary"]
        return None if arn is None else self.document(arn)

    def _entities(self, where: str, *values: str) -> list[Entity]:
        rows = self._rows(f"SELECT * FROM iam_entities WHERE {where} ORDER BY name", *values)  # noqa: S608 - constants
        return [_entity(row) for row in rows]

    def _rows(self, sql: str, *values: str | float) -> list[sqlite3.Row]:
        """Return the rows of a query; none if the account has not used IAM yet."""
        connection = self.state.connection
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'access_keys'").fetchone() is None:
            return []
        return connection.execute(sql, values).fetchall()


def unique_id(prefix: str, *, length: int = 17) -> str:
    """Return a new id in AWS's format: a prefix for the kind, and capitals and digits."""
    return prefix + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(length))


def new_secret() -> str:
    """Return a new secret key in AWS's format: 40 characters."""
    return secrets.token_urlsafe(30)


def _entity(row: sqlite3.Row) -> Entity:
    values = {**dict(row), "body": json.loads(row["body"])}
    del values["arn"]
    return Entity(**values)


def _key(row: sqlite3.Row) -> AccessKey:
    return AccessKey(**{**dict(row), "policies": tuple(json.loads(row["policies"]))})
