"""The connection: the one place that knows whether AWS or the embedded emulator answers.

Importing this module costs nothing: botocore is imported by the first `connect`, a client is built when it is
first used, and all clients share one session and its loader.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from asteroid_ll.aws import hooks
from asteroid_ll.aws.errors import aws_call
from asteroid_ll.aws.waiting import AWS_PACE, EMULATOR_PACE, Pace
from asteroid_ll.errors import ConfigError

Target = Literal["emulator", "aws"]

ATTEMPTS = 5
"""How often botocore sends a request that fails in a way that another attempt can mend."""

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 70
"""A little more than the 60 s that an endpoint may take for one answer."""


class Aws:
    """Clients of one account in one region.

    Use it as a context manager or call `close`: the emulator's files and the connections are closed then.

    Args:
        session: a botocore session that has its credentials.
        region: AWS region of every client.
        target: who answers.
        pace: how waits poll.
        endpoint_url: another address for every service, None for the region's own.
        on_close: called once by `close`, after the clients are closed.
    """

    def __init__(
        self,
        session: Any,
        *,
        region: str,
        target: Target,
        pace: Pace,
        endpoint_url: str | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self.region = region
        self.target = target
        self.pace = pace
        self._session = session
        self._endpoint_url = endpoint_url
        self._on_close = on_close
        self._clients: dict[str, Any] = {}
        self._lock = threading.RLock()

    @cached_property
    def partition(self) -> str:
        """The partition of ARNs in this region: ``aws``, ``aws-cn``, ``aws-us-gov`` ..."""
        with aws_call("looking up the region's partition"):
            return str(self._session.get_partition_for_region(self.region))

    @cached_property
    def account_id(self) -> str:
        """The account that the credentials belong to; STS is asked once.

        Raises:
            CredentialsError: there are none, or AWS does not accept them.
            AwsError: STS cannot be reached.
        """
        with aws_call("asking STS whose credentials these are", service="sts"):
            return str(self.sts.get_caller_identity()["Account"])

    def verify_credentials(self) -> None:
        """Ask STS whether the credentials are still accepted.

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

    def close(self) -> None:
        """Close every client's connections, then what answers them; a second call does nothing."""
        with self._lock:
            clients, self._clients = self._clients, {}
            on_close, self._on_close = self._on_close, None
        for client in clients.values():
            client.close()
        if on_close is not None:
            on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _client(self, service: str) -> Any:
        """A service's client, built at first use."""
        with self._lock:
            if service not in self._clients:
                from botocore.config import Config

                config = Config(
                    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                    connect_timeout=CONNECT_TIMEOUT_S,
                    read_timeout=READ_TIMEOUT_S,
                    user_agent_extra="asteroid-ll",
                )
                with aws_call(f"preparing to call {service}"):
                    client = self._session.create_client(
                        service, region_name=self.region, endpoint_url=self._endpoint_url, config=config
                    )
                hooks.install(client, most_attempts=ATTEMPTS, account_id=lambda: self.account_id)
                self._clients[service] = client
            return self._clients[service]


def connect(
    target: str,
    *,
    region: str,
    emulator_dir: Path | None = None,
    profile: str | None = None,
    endpoint_url: str | None = None,
    pace: Pace | None = None,
) -> Aws:
    """Open the connection; nothing is sent yet.

    Args:
        target: ``emulator`` for the embedded emulator, ``aws`` for an account.
        region: AWS region.
        emulator_dir: the emulator's state directory; required for ``emulator``.
        profile: a profile of the AWS configuration files; only for ``aws``.
        endpoint_url: an address in place of AWS's; only for ``aws``.
        pace: how waits poll; the target's own where None.

    Returns:
        The connection; the caller closes it.

    Raises:
        ConfigError: the target is unknown, or an argument does not go with it.
        CredentialsError: the profile does not exist.
    """
    if target == "emulator":
        if emulator_dir is None:
            raise ConfigError("The emulator needs a directory for its state.", hint="Choose one with --workdir.")
        if profile is not None or endpoint_url is not None:
            raise ConfigError(
                "A profile or an endpoint URL does not go with 'target: emulator'.", hint="Set 'target: aws'."
            )
        return _connect_emulator(emulator_dir, region=region, pace=pace or EMULATOR_PACE)
    if target == "aws":
        from botocore.session import Session

        with aws_call("reading the AWS configuration"):
            session = Session(profile=profile)
            return Aws(session, region=region, target="aws", pace=pace or AWS_PACE, endpoint_url=endpoint_url)
    raise ConfigError(f"The target {target!r} is unknown.", hint="Set 'target' to emulator or aws.")


def _connect_emulator(directory: Path, *, region: str, pace: Pace) -> Aws:
    """Return a connection that the emulator answers in process."""
    from asteroid_ll.emulator.account import Account
    from asteroid_ll.emulator.sessions import new_session
    from asteroid_ll.emulator.transport import in_process as transport

    session = new_session()
    with aws_call("opening the emulator's state"):
        account = Account(directory, loader=session.get_component("data_loader"))
    transport.attach(session, account)
    return Aws(session, region=region, target="emulator", pace=pace, on_close=account.close)
