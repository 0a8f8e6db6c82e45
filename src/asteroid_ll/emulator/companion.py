"""The emulator as the companion of another one, which has the buckets.

The companion answers SageMaker, its runtime and CloudWatch Logs. The other emulator is found by its address
alone, and has all other services.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from asteroid_ll.emulator.other_s3 import client_for
from asteroid_ll.emulator.state import ACCOUNT_ID, DATABASE, OTHER_S3, OtherS3, State
from asteroid_ll.errors import ConfigError
from asteroid_ll.run.atomic import atomic_write

SERVICES = ("SAGEMAKER", "SAGEMAKER_RUNTIME", "CLOUDWATCH_LOGS")
"""What the companion answers, as the ends of ``AWS_ENDPOINT_URL_...`` (botocore's service ids)."""


def host_and_port(url: str) -> tuple[str, int | None]:
    """Return the host and the port in the address of another emulator.

    Raises:
        ConfigError: the address is malformed.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # a port above 65535, a bracket without its pair
        host = port = None
    if not host or parts.scheme not in ("http", "https"):
        raise ConfigError(f"{url!r} is not the URL of an S3.", hint="Give one such as http://127.0.0.1:5000.")
    return host, port


def find_other(url: str, account_id: str | None) -> tuple[OtherS3, bool]:
    """Find out about another emulator.

    Args:
        url: its address.
        account_id: its account; None for the one that its STS names, or 000000000000 if it has no STS.

    Returns:
        Its S3, and whether it has STS. An emulator that does not answer yet is taken to have it.

    Raises:
        ConfigError: the address or the account is malformed, or the emulator does not answer and the account is not
            given.
    """
    host_and_port(url)
    url = url.rstrip("/")
    if account_id is not None and not re.fullmatch(r"\d{12}", account_id):
        raise ConfigError(f"{account_id!r} is not an account's 12 digits.", hint=f"Write it as --account {ACCOUNT_ID}.")
    try:
        identity: str | None = client_for(url, "sts", "us-east-1").get_caller_identity()["Account"]
    except (ClientError, KeyError):
        identity = None
    except BotoCoreError as error:
        if account_id is None:
            raise ConfigError(
                f"{url} does not answer, so its account is unknown: {error}",
                hint=f"Start it first, or name its account, such as --account {ACCOUNT_ID}.",
            ) from error
        return OtherS3(url, account_id), True
    return OtherS3(url, account_id or identity or ACCOUNT_ID), identity is not None


def join(directory: Path, other: OtherS3) -> None:
    """Make a directory the state of a companion. It stays one, and another address replaces the former one.

    Raises:
        ConfigError: it is the state of an account that has buckets of its own, or of another account.
    """
    path = directory / OTHER_S3
    if (directory / DATABASE).exists():
        account_id = json.loads(path.read_bytes())["account_id"] if path.exists() else None
        if account_id != other.account_id:
            what = f"belongs to account {account_id}" if account_id else "has buckets of its own"
            new, quoted_url = shlex.quote(f"{directory}-{other.account_id}"), shlex.quote(other.url)
            raise ConfigError(
                f"The emulator's state in {directory} {what}.",
                hint=f"asteroid-ll emulator serve --s3-endpoint {quoted_url} --state {new}",
            )
    State(directory).close()
    atomic_write(path, json.dumps(asdict(other)).encode())


def exports(own_url: str, other: OtherS3, has_sts: bool) -> Iterator[str]:
    """Yield the variables with which clients find both emulators.

    Args:
        own_url: the companion's address.
        other: the other emulator.
        has_sts: whether the other one has STS. If not, it has S3 alone, and the companion answers the rest.
    """
    yield f"AWS_ENDPOINT_URL={other.url if has_sts else own_url}"
    yield f"AWS_ENDPOINT_URL_S3={other.url}"
    yield from (f"AWS_ENDPOINT_URL_{service}={own_url}" for service in SERVICES)
