"""Turning the evaluation of policies on, with policies from files or values."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asteroid_ll.emulator.iam.language import Document, problem_of
from asteroid_ll.emulator.iam.needs import SAGEMAKER_SERVICE
from asteroid_ll.emulator.iam.store import ROLE, USER, Identities, aws_policy
from asteroid_ll.emulator.state import ACCOUNT_ID, State
from asteroid_ll.errors import ConfigError

Source = Document | str | os.PathLike[str]
"""A policy: a document, the path of its JSON file, or the ARN of one of AWS's managed policies."""

ROLE_NAME, CALLER_NAME = "asteroid-ll", "emulator"
"""The execution role and the user that get the given policies."""

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": SAGEMAKER_SERVICE}, "Action": "sts:AssumeRole"}],
}
_PARTITIONS = ("aws", "aws-cn", "aws-us-gov")


@dataclass(frozen=True)
class Policies:
    """Policies that an account gets; None for a kind that stays as it is.

    Attributes:
        caller: the policies of the user ``emulator``, who then has every access key that IAM did not make.
        role: the policies of the role ``asteroid-ll``, which SageMaker can assume.
        service_control: the account's service control policies.
    """

    caller: tuple[Document, ...] | None = None
    role: tuple[Document, ...] | None = None
    service_control: tuple[Document, ...] | None = None

    @staticmethod
    def read(
        *,
        caller: Iterable[Source] | None = None,
        role: Iterable[Source] | None = None,
        service_control: Iterable[Source] | None = None,
    ) -> Policies:
        """Return the policies, checked.

        Raises:
            ConfigError: a file cannot be read, or a document is not one for users, roles and accounts.
        """
        sources = (caller, role, service_control)
        return Policies(*(None if items is None else tuple(map(_document, items)) for items in sources))

    def apply(self, state: State, *, always: bool = False) -> None:
        """Make the account evaluate policies from now on, if any kind is given or ``always`` is true."""
        if not always and (self.caller, self.role, self.service_control) == (None, None, None):
            return
        identities, settings = Identities(state), replace(state.settings, iam=True)
        if self.role is not None:
            trust: dict[str, Any] = {
                "trust": json.dumps(_TRUST),
                "description": None,
                "max_session_s": 3_600,
                "tags": [],
            }
            _replace(identities, ROLE, ROLE_NAME, policies=self.role, **trust)
        if self.caller is not None:
            caller_arn = _replace(identities, USER, CALLER_NAME, policies=self.caller)
            settings = replace(settings, caller_arn=caller_arn)
        if self.service_control is not None:
            settings = replace(settings, service_control_policies=self.service_control)
        state.configure(settings)


def _document(source: Source) -> Document:
    """Return a checked policy.

    Raises:
        ConfigError: it cannot be read, or is not one for users, roles and accounts.
    """
    managed = aws_policy(source) if isinstance(source, str) else None
    if managed is not None:
        source = json.loads(managed.body["document"])
    is_file = isinstance(source, str | os.PathLike)
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else "document"
    document: Any = None
    try:
        document = json.loads(Path(name).read_text(encoding="utf-8") if is_file else json.dumps(source))
        problem = problem_of(document, kind="identity")
    except OSError as error:
        problem = f"{error.strerror}."
    except ValueError as error:
        problem = f"It is not JSON: {error}."
    if problem:
        raise ConfigError(f"The policy {name} cannot be used. {problem}", hint=_HINT)
    checked: Document = document
    return checked


_HINT = "asteroid-ll iam caller-policy   prints one that is well-formed."


def _replace(identities: Identities, kind: str, name: str, *, policies: Sequence[Document], **more: Any) -> str:
    """Create a role or a user with exactly these policies in each partition, in place of the one of that name.

    Returns:
        Its ARN in the partition ``aws``.
    """
    inline = {f"policy-{number}": json.dumps(document) for number, document in enumerate(policies, 1)}
    with identities.transaction():
        for partition in _PARTITIONS:
            old = identities.by_name(kind, partition, name)
            if old is not None:
                identities.delete(old)
            identities.new(kind, partition, name, inline=inline, attached=[], boundary=None, **more)
    return f"arn:aws:iam::{ACCOUNT_ID}:{kind}/{name}"
