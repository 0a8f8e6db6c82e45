"""The connection: the only place that knows whether AWS or the embedded emulator answers.

A client is built when it is first used, and all clients share one session and its loader. Import this module only to
connect, because importing botocore takes 0.1 s.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from botocore.config import Config
from botocore.loaders import create_loader
from botocore.regions import EndpointResolver

from asteroid_ll.aws import hooks
from asteroid_ll.aws.answers import CheckedParsers
from asteroid_ll.aws.credentials import DEFAULT_ACCESS, Access, assume, new_session
from asteroid_ll.aws.errors import aws_call
from asteroid_ll.aws.waiting import AWS_PACE, EMULATOR_PACE, Pace

Target = Literal["emulator", "aws"]

ATTEMPTS = 5
"""How often botocore sends a request whose failure may be temporary."""

PRICE_LIST_REGION = "us-east-1"
"""The Price List of all regions has endpoints in a few of them."""

PRICE_LIST_TIMEOUT_S = 2
"""For the connection and for the answer, since a run can do without the list."""

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 70
"""A little more than the 60 s that an endpoint may take for one answer."""

CHECK_ATTEMPTS, CHECK_TIMEOUT_S = 2, 5
"""For IAM and Service Quotas, since a run can do without the checks that ask them."""


_OF_EMULATOR = ("account", "sessions", "transport.in_process")


class Aws:
    """Clients of one account in one region.

    Use it as a context manager or call `close`, which closes the connections and the emulator's files.

    Args:
        session: a botocore session with credentials.
        region: AWS region of every client.
        target: ``emulator`` or ``aws``.
        pace: polling intervals of waits.
        on_close: called once by `close`, after the clients are closed.
    """

    def __init__(
        self, session: Any, *, region: str, target: Target, pace: Pace, on_close: Callable[[], None] = lambda: None
    ) -> None:
        self.region = region
        self.target = target
        self.pace = pace
        parsers = session.get_component("response_parser_factory")
        session.register_component("response_parser_factory", CheckedParsers(parsers))
        self._session = session
        self._on_close = on_close
        self._clients: dict[str, Any] = {}
        self._lock = threading.RLock()

    @cached_property
    def account_id(self) -> str:
        """The account of the credentials, from one call of STS.

        Raises:
            CredentialsError: there are none, or AWS does not accept them.
            AwsError: STS cannot be reached.
        """
        return str(self._identity["Account"])

    @property
    def caller_arn(self) -> str:
        """The user, the root user or the session of a role that the credentials are of; raises as `account_id`."""
        return str(self._identity.get("Arn", ""))

    @property
    def credentials_expire(self) -> datetime | None:
        """The time at which the credentials expire; None if they do not, or if botocore does not know."""
        expiry = getattr(self._session.get_credentials(), "_expiry_time", None)  # botocore has no public name for it
        return expiry if isinstance(expiry, datetime) else None

    @cached_property
    def _identity(self) -> Mapping[str, Any]:
        with aws_call("asking STS whose credentials these are", service="sts"):
            answer: Mapping[str, Any] = self.sts.get_caller_identity()
            return answer

    def verify_credentials(self) -> None:
        """Check with STS that the credentials are still valid.

        Raises:
            CredentialsError: they are not.
            AwsError: STS cannot be reached.
        """
        with aws_call("asking STS whether the credentials are still good", service="sts"):
            self.sts.get_caller_identity()

    @property
    def s3(self) -> Any:
        """S3. Each call that can carry ``ExpectedBucketOwner`` does, with this account."""
        return self._client("s3")

    @property
    def sagemaker(self) -> Any:
        """SageMaker's control plane."""
        return self._client("sagemaker")

    @property
    def runtime(self) -> Any:
        """InvokeEndpoint."""
        return self._client("sagemaker-runtime")

    @property
    def logs(self) -> Any:
        """CloudWatch Logs."""
        return self._client("logs")

    @property
    def sts(self) -> Any:
        """STS."""
        return self._client("sts")

    @property
    def iam(self) -> Any:
        """IAM, for reads that a run can do without."""
        return self._client("iam", attempts=CHECK_ATTEMPTS, timeout_s=CHECK_TIMEOUT_S)

    @property
    def quotas(self) -> Any:
        """Service Quotas, for reads that a run can do without."""
        return self._client("service-quotas", attempts=CHECK_ATTEMPTS, timeout_s=CHECK_TIMEOUT_S)

    @property
    def price_list(self) -> Any:
        """The Price List. It answers soon or not at all: short timeouts, no second attempt."""
        return self._client("pricing", region=PRICE_LIST_REGION, attempts=1, timeout_s=PRICE_LIST_TIMEOUT_S)

    @property
    def partition(self) -> str:
        """The partition of the region, such as ``aws`` or ``aws-cn``, from botocore's data."""
        return str(self._session.get_partition_for_region(self.region))

    def in_region(self, region: str) -> Aws:
        """Return a connection to the same account in another region; the caller closes it before this one."""
        other = Aws(self._session, region=region, target=self.target, pace=self.pace)
        other.account_id = self.account_id
        return other

    def regions(self) -> tuple[str, ...]:
        """Return the regions of this region's partition that have SageMaker, from botocore's data."""
        return tuple(self._session.get_available_regions("sagemaker", partition_name=self.partition))

    def close(self) -> None:
        """Close every client's connections, then the emulator; a second call does nothing."""
        with self._lock:
            clients, self._clients = self._clients, {}
            on_close, self._on_close = self._on_close, lambda: None
        for client in clients.values():
            client.close()
        on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _client(
        self, service: str, *, region: str | None = None, attempts: int = ATTEMPTS, timeout_s: int | None = None
    ) -> Any:
        """Return a service's client; the first call builds it."""
        with self._lock:
            if service not in self._clients:
                config = Config(
                    retries={"mode": "standard", "total_max_attempts": attempts},
                    connect_timeout=timeout_s or CONNECT_TIMEOUT_S,
                    read_timeout=timeout_s or READ_TIMEOUT_S,
                    user_agent_extra="asteroid-ll",
                )
                with aws_call(f"preparing to call {service}"):
                    client = self._session.create_client(service, region_name=region or self.region, config=config)
                hooks.install(client, max_attempts=attempts, account_id=lambda: self.account_id)
                self._clients[service] = client
            return self._clients[service]


def partition_of(region: str) -> str:
    """Return the partition of a region, such as ``aws-cn``, from botocore's data alone.

    Raises:
        ConfigError: botocore knows no partition for the region.
    """
    with aws_call("looking for the partition of the region"):
        return str(EndpointResolver(create_loader().load_data("endpoints")).get_partition_for_region(region))


def import_ahead(target: Target) -> None:
    """Import what `connect` needs beyond this module."""
    if target == "emulator":
        for module in _OF_EMULATOR:
            import_module(f"asteroid_ll.emulator.{module}")


def connect(target: Target, *, region: str, emulator_dir: Path, access: Access = DEFAULT_ACCESS) -> Aws:
    """Open the connection; nothing is sent yet.

    Args:
        target: ``emulator`` for the embedded emulator, ``aws`` for the account of the user's AWS settings.
        region: AWS region.
        emulator_dir: the emulator's state directory, for ``emulator``.
        access: the credentials; the emulator has no profiles.

    Returns:
        The connection; the caller closes it.

    Raises:
        CredentialsError: the profile does not exist, or there are no credentials to assume a role with.
        DataError: the emulator's state cannot be opened.
    """
    if target == "emulator":
        return _connect_emulator(emulator_dir, region=region, access=access)
    with aws_call("reading the AWS configuration"):
        return Aws(new_session(access, region=region), region=region, target="aws", pace=AWS_PACE)


def _connect_emulator(directory: Path, *, region: str, access: Access) -> Aws:
    """Return a connection that the emulator answers in process, independent of the user's AWS settings."""
    from asteroid_ll.emulator.account import Account
    from asteroid_ll.emulator.sessions import new_session as new_emulator_session
    from asteroid_ll.emulator.transport import in_process

    session = new_emulator_session()
    with aws_call("opening the emulator's state"):
        account = Account(directory, loader=session.get_component("data_loader"))
    in_process.attach(session, account)
    if access.assume_role is not None:
        assume(session, access, region=region)
    return Aws(session, region=region, target="emulator", pace=EMULATOR_PACE, on_close=account.close)
