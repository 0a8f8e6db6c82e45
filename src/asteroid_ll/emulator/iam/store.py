"""The account's roles, users, policies and access keys, as rows.

IAM has no regions, but each partition has an IAM of its own. An account that never uses IAM has none of these tables.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from asteroid_ll.emulator.iam.evaluation import Principal
from asteroid_ll.emulator.iam.language import Document
from asteroid_ll.emulator.state import ACCOUNT_ID, State
from asteroid_ll.emulator.transport.messages import ApiError

ROLE, USER, POLICY = "role", "user", "policy"

_ID_PREFIXES = {ROLE: "AROA", USER: "AIDA", POLICY: "ANPA"}
_DAY_S = 86_400
_ID_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_AWS_POLICIES = ("AdministratorAccess", "AmazonSageMakerFullAccess")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS iam_entities (
    arn TEXT PRIMARY KEY, kind TEXT NOT NULL, partition TEXT NOT NULL, name TEXT NOT NULL, entity TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS iam_names ON iam_entities (kind, partition, name COLLATE NOCASE);
CREATE TABLE IF NOT EXISTS access_keys (
    id TEXT PRIMARY KEY, owner_arn TEXT NOT NULL, expires_s REAL, key TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Entity:
    """A role, user or managed policy.

    Attributes:
        kind: the ARN's resource type, such as ``role``.
        partition: the ARN's partition, such as ``aws``.
        path: such as ``/``.
        name: unique per kind and partition, in any case.
        id: AWS's unique id, such as ``AROA...``.
        created_s: seconds since 1970.
        account: the ARN's account; ``aws`` for AWS's own policies.
        body: the rest, JSON values only. Documents are texts, as they were sent.
    """

    kind: str
    partition: str
    path: str
    name: str
    id: str
    created_s: float
    account: str = ACCOUNT_ID
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The entity's ARN."""
        return f"arn:{self.partition}:iam::{self.account}:{self.kind}{self.path}{self.name}"

    @property
    def tags(self) -> dict[str, str]:
        """The entity's tags, which only a role has."""
        return {tag["Key"]: tag["Value"] for tag in self.body.get("tags", [])}

    def changed(self, **values: Any) -> Entity:
        """Return the entity with changed members of its body."""
        return replace(self, body={**self.body, **values})


@dataclass(frozen=True)
class Credentials:
    """What signs a request with an access key: its secret key, and the token of a role's session (else empty)."""

    secret: str
    token: str = ""


@dataclass(frozen=True, kw_only=True)
class AccessKey:
    """A key of a user, or the temporary one of a role's session.

    Attributes:
        id: ``AKIA...`` or ``ASIA...``.
        owner_arn: the ARN of the user or the role.
        created_s: seconds since 1970.
        secret: the secret key.
        token: the session token; empty for a user's key.
        expires_s: seconds since 1970; None for a user's key.
        session: the name of the role's session; empty for a user's key.
        policies: the documents that were passed to AssumeRole.
    """

    id: str
    owner_arn: str
    created_s: float
    secret: str
    token: str = ""
    expires_s: float | None = None
    session: str = ""
    policies: tuple[Document, ...] = ()


class Identities:
    """The table of identities in a state.

    Args:
        state: the emulator's state.
    """

    def __init__(self, state: State) -> None:
        self.state = state

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

        The owner of a key that was deleted has no policies left.

        Raises:
            ApiError: ``ExpiredToken``.
        """
        key = self.key(access_key)
        if key is None:
            return None
        if key.expires_s is not None and key.expires_s <= self.state.now():
            raise ApiError("ExpiredToken", "The security token included in the request is expired", status=403)
        owner = self.principal(key.owner_arn) or Principal(arn=key.owner_arn, user_id="")
        return in_session(owner, key.session, policies=key.policies) if key.session else owner

    def principal(self, arn: str) -> Principal | None:
        """Return the user or the role of an ARN as a sender; None if there is none."""
        entity = self.by_arn(arn)
        if entity is None or entity.kind == POLICY:
            return None
        attached = [self.document(policy_arn) for policy_arn in entity.body["attached"]]
        inline = [json.loads(text) for text in entity.body["inline"].values()]
        boundary = entity.body["boundary"]
        return Principal(
            arn=arn,
            user_id=entity.id,
            role_arn=arn if entity.kind == ROLE else None,
            identity_policies=(*inline, *(document for document in attached if document is not None)),
            permissions_boundary=boundary and self.document(boundary),
            tags=entity.tags,
        )

    def trust_policy(self, role_arn: str) -> Document | None:
        """Return who may assume a role; None if there is no such role."""
        role = self.by_arn(role_arn)
        return None if role is None or role.kind != ROLE else json.loads(role.body["trust"])

    def policy(self, arn: str) -> Entity | None:
        """Return a managed policy, the account's or AWS's; None if there is none."""
        policy = self.by_arn(arn)
        return aws_policy(arn) if policy is None or policy.kind != POLICY else policy

    def document(self, policy_arn: str) -> Document | None:
        """Return the document of a managed policy, the account's or AWS's; None if there is none."""
        policy = self.policy(policy_arn)
        return None if policy is None else json.loads(policy.body["document"])

    def by_arn(self, arn: str) -> Entity | None:
        """Return the entity of an ARN; None if there is none."""
        return next(iter(self._entities("arn = ?", arn)), None)

    def by_name(self, kind: str, partition: str, name: str) -> Entity | None:
        """Return the entity of a name; None if there is none."""
        where = "kind = ? AND partition = ? AND name = ? COLLATE NOCASE"
        return next(iter(self._entities(where, kind, partition, name)), None)

    def roles(self, partition: str) -> list[Entity]:
        """Return the roles of a partition, by name."""
        return self._entities("kind = ? AND partition = ?", ROLE, partition)

    def holders(self, policy_arn: str) -> list[Entity]:
        """Return the roles and users to which a managed policy is attached."""
        entities = self._entities("kind IN (?, ?)", ROLE, USER)
        return [entity for entity in entities if policy_arn in entity.body["attached"]]

    def new(self, kind: str, partition: str, name: str, *, path: str = "/", **body: Any) -> Entity:
        """Save a new entity, in a `transaction`, and return it."""
        id_ = unique_id(_ID_PREFIXES[kind])
        entity = Entity(kind, partition, path, name, id_, self.state.now(), body=body)
        self.save(entity)
        return entity

    def save(self, entity: Entity) -> None:
        """Insert or replace an entity, in a `transaction`."""
        row = (entity.arn, entity.kind, entity.partition, entity.name, json.dumps(asdict(entity)))
        self.state.connection.execute("INSERT OR REPLACE INTO iam_entities VALUES (?, ?, ?, ?, ?)", row)

    def delete(self, entity: Entity) -> None:
        """Delete an entity, in a `transaction`."""
        self.state.connection.execute("DELETE FROM iam_entities WHERE arn = ?", (entity.arn,))

    def key(self, access_key: str) -> AccessKey | None:
        """Return an access key; None if IAM did not make it."""
        return next(iter(self._keys("id = ?", access_key)), None)

    def keys_of(self, arn: str) -> list[AccessKey]:
        """Return the access keys of a user, oldest first."""
        return self._keys("owner_arn = ?", arn)

    def credentials_of(self, access_key: str) -> Credentials | None:
        """Return the secret of an access key; None for a key of no one.

        Raises:
            ApiError: ``ExpiredToken``.
        """
        key = self.key(access_key)
        if key is None or self.principal_of(access_key) is None:
            return None
        return Credentials(key.secret, key.token)

    def new_key(self, prefix: str, owner_arn: str, **values: Any) -> AccessKey:
        """Insert a new access key, in a `transaction`; delete those that expired more than a day ago.

        Args:
            prefix: ``AKIA`` or ``ASIA``.
            owner_arn: the ARN of the user or the role.
            values: the other attributes of an `AccessKey`.
        """
        now_s, db = self.state.now(), self.state.connection
        id_ = unique_id(prefix, length=16)
        key = AccessKey(id=id_, owner_arn=owner_arn, created_s=now_s, secret=new_secret(), **values)
        db.execute("DELETE FROM access_keys WHERE expires_s < ?", (now_s - _DAY_S,))
        row = (key.id, key.owner_arn, key.expires_s, json.dumps(asdict(key)))
        db.execute("INSERT INTO access_keys VALUES (?, ?, ?, ?)", row)
        return key

    def delete_key(self, access_key: str) -> None:
        """Delete an access key, in a `transaction`."""
        self.state.connection.execute("DELETE FROM access_keys WHERE id = ?", (access_key,))

    def _entities(self, where: str, *values: str) -> list[Entity]:
        texts = self._texts(f"SELECT entity FROM iam_entities WHERE {where} ORDER BY name", *values)  # noqa: S608
        return [Entity(**json.loads(text)) for text in texts]

    def _keys(self, where: str, value: str) -> list[AccessKey]:
        texts = self._texts(f"SELECT key FROM access_keys WHERE {where} ORDER BY rowid", value)  # noqa: S608
        values = map(json.loads, texts)
        return [AccessKey(**{**one, "policies": tuple(one["policies"])}) for one in values]

    def _texts(self, sql: str, *values: str) -> list[str]:
        """Return the column of a query; nothing if the account has not used IAM yet."""
        connection = self.state.connection
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'access_keys'").fetchone() is None:
            return []
        rows: list[sqlite3.Row] = connection.execute(sql, values).fetchall()
        return [row[0] for row in rows]


def in_session(role: Principal, session: str, *, policies: tuple[Document, ...] = ()) -> Principal:
    """Return a role as the sender of a session's requests.

    Args:
        role: the role itself.
        session: the session's name.
        policies: the documents that limit the session.
    """
    partition, account, name = role.arn.split(":")[1], role.arn.split(":")[4], role.arn.rpartition("/")[2]
    return replace(
        role,
        arn=f"arn:{partition}:sts::{account}:assumed-role/{name}/{session}",
        user_id=f"{role.user_id}:{session}",
        role_arn=role.arn,
        session_policies=policies,
    )


@cache
def aws_policy(arn: str) -> Entity | None:
    """Return one of AWS's managed policies that can be attached here; None if there is none.

    ``AmazonSageMakerFullAccess.json`` is the version 26 of 2024-03-29. It has the statements about the services that
    the emulator has, and the actions on networks, which the SageMaker SDK 3 looks for in an execution role. Those about
    other services, such as Glue and Studio's applications, are left out.
    """
    name = arn.removeprefix("arn:aws:iam::aws:policy/")
    if name not in _AWS_POLICIES:
        return None
    body = {"document": files(__package__).joinpath(f"{name}.json").read_text("utf-8"), "description": None}
    return Entity(POLICY, "aws", "/", name, id="", created_s=0.0, account="aws", body=body)


def unique_id(prefix: str, *, length: int = 17) -> str:
    """Return a new id in AWS's format: a prefix for the kind, and capitals and digits."""
    return prefix + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(length))


def new_secret() -> str:
    """Return a new secret key in AWS's format: 40 characters."""
    return secrets.token_urlsafe(30)
