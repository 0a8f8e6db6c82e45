"""An emulated account in this process that a connection takes for AWS, and a way to run the commands that fix it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from asteroid_ll.aws.checks.check import Check
from asteroid_ll.aws.policy import Scope, caller_policy, role_policy, trust_policy
from asteroid_ll.aws.session import Aws
from asteroid_ll.aws.waiting import EMULATOR_PACE
from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.sessions import data_loader, new_session
from asteroid_ll.emulator.transport import in_process
from asteroid_ll.emulator.transport.messages import Request, Response

ACCOUNT_ID = "000000000000"
SCOPE = Scope(
    bucket="rocks",
    swept_bucket="rocks",
    prefix="of/mine",
    role_arn=f"arn:aws:iam::{ACCOUNT_ID}:role/learner",
    region="us-east-1",
    account_id=ACCOUNT_ID,
)
DENIAL = "User: arn:aws:iam::{account}:user/me is not authorized to perform: {action} because no identity-based policy"


@dataclass
class Owner:
    """The clients of the owner of each test's account, which are made once.

    Attributes:
        account: the account of the present test.
    """

    account: Account | None = None
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def handle(self, request: Request) -> Response:
        """Answer a request of the owner."""
        assert self.account is not None
        return self.account.handle(request)

    def client(self, service: str, region: str) -> Any:
        """A client of a service in a region."""
        if (service, region) not in self.clients:
            session = new_session(region)
            in_process.attach(session, self)
            self.clients[service, region] = session.create_client(service)
        return self.clients[service, region]


@dataclass
class Deskside:
    """The account as its owner sees it, and as the checks do.

    Attributes:
        account: the emulated account.
        owner: the account's owner.
        pasting: runs commands of Amazon's command line.
        refuse: actions that the account denies, by operation, such as ``GetRole``; a test adds to it.
        denial: what it says then, for ``str.format``.
        operations: the operations of the checks' requests.
    """

    account: Account
    owner: Owner
    pasting: Any
    refuse: dict[str, str] = field(default_factory=dict)
    denial: str = DENIAL
    operations: list[str] = field(default_factory=list)
    key: tuple[str, str] = ("emulator", "emulator")
    scope: Scope = SCOPE
    made: dict[tuple[str, ...], Aws] = field(default_factory=dict)

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """A client of the owner, whom nothing denies."""
        return self.owner.client(service, region)

    def handle(self, request: Request) -> Response:
        """Answer a request of the checks."""
        action = self.refuse.get(self.operations[-1])
        if action is None:
            return self.account.handle(request)
        message = self.denial.format(account=ACCOUNT_ID, action=action)
        if "x-amz-target" in request.headers:
            body = json.dumps({"__type": "AccessDeniedException", "message": message})
            return Response(400, {"Content-Type": "application/x-amz-json-1.1"}, body.encode())
        error = f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
        is_s3 = action.startswith("s3:")
        body = error if is_s3 else f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>"
        return Response(403, {"Content-Type": "text/xml", "x-amz-request-id": "1"}, body.encode())

    def aws(self, region: str = "us-east-1") -> Aws:
        """A connection of the caller."""
        if (region, *self.key) in self.made:
            return self.made[region, *self.key]
        session = new_session(region)
        session.set_credentials(*self.key)
        in_process.attach(session, self)
        session.register("before-call", lambda model, **_: self.operations.append(model.name))
        self.made[region, *self.key] = Aws(session, region=region, target="aws", pace=EMULATOR_PACE)
        return self.made[region, *self.key]

    def user(self, *documents: dict[str, Any]) -> None:
        """Make the caller a user with policies."""
        iam = self.client("iam")
        iam.create_user(UserName="me")
        for number, document in enumerate(documents):
            policy = iam.create_policy(PolicyName=f"p{number}", PolicyDocument=json.dumps(document))["Policy"]
            iam.attach_user_policy(UserName="me", PolicyArn=policy["Arn"])
        key = iam.create_access_key(UserName="me")["AccessKey"]
        self.key = (key["AccessKeyId"], key["SecretAccessKey"])

    def role(self, *, trust: dict[str, Any] | None = None, policy: dict[str, Any] | None = None) -> None:
        """Create the execution role, by default as the printed commands do."""
        iam = self.client("iam")
        iam.create_role(RoleName="learner", AssumeRolePolicyDocument=json.dumps(trust or trust_policy(self.scope)))
        document = json.dumps(policy or role_policy(self.scope))
        iam.put_role_policy(RoleName="learner", PolicyName="work", PolicyDocument=document)

    def paste(self, command: str) -> None:
        """Do what a command of Amazon's command line does."""
        self.pasting.paste(command, self.client)


@pytest.fixture(scope="session")
def owner() -> Owner:
    """The owner of every account."""
    return Owner()


@pytest.fixture
def desk(tmp_path: Path, owner: Owner, pasting: Any) -> Iterator[Deskside]:
    """An account with nothing in it, whose caller is unknown to IAM."""
    owner.account = Account(tmp_path / "state", loader=data_loader())
    made = Deskside(owner.account, owner, pasting)
    yield made
    for aws in made.made.values():
        aws.close()
    made.account.close()


@pytest.fixture
def passing() -> dict[str, Any]:
    """The caller's policy."""
    return caller_policy(SCOPE)


@pytest.fixture(scope="session")
def shape_of() -> Callable[[Iterable[Check]], dict[str, str]]:
    """The results of checks as ``{name: status}``, in order."""
    return lambda checks: {check.name: check.status for check in checks}


@pytest.fixture(autouse=True)
def _nothing_is_changed(desk: Deskside) -> Iterator[None]:
    """No check sends a request that changes anything."""
    yield
    assert not [name for name in desk.operations if not re.match("Get|Head|List|Describe|Simulate", name)]
