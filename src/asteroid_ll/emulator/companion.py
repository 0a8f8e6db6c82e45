"""The emulator as the companion of another one, which has the buckets.

The companion answers SageMaker, its runtime and CloudWatch Logs. The other emulator is found by its address alone, and
has all other services. It is reached with botocore: SigV4, retries, proxies and the caller's credentials. Nothing of it
is kept: each job downloads its own input into its own directory, so no object is ever stale.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from asteroid_ll.emulator.sessions import data_loader
from asteroid_ll.emulator.state import ACCOUNT_ID, DATABASE, OTHER_S3, OtherS3, State
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.errors import ConfigError
from asteroid_ll.http_server import is_loopback
from asteroid_ll.run.atomic import atomic_write

SERVICES = ("SAGEMAKER", "SAGEMAKER_RUNTIME", "CLOUDWATCH_LOGS")
"""What the companion answers, as the ends of ``AWS_ENDPOINT_URL_...`` (botocore's service ids)."""

DUMMY = "test"
"""The access key and the secret key for an emulator on this machine, if the environment has none."""

TIMEOUTS_S = (2, 10)
"""For a connection and for the next bytes of an answer, while a client waits."""

PATIENT_TIMEOUTS_S = (10, 60)
"""The same for a job."""

_CHUNK_BYTES = 1 << 20
_HIDDEN = (301, 400, 403, 404)
"""The status of a HEAD request that may not see its bucket or object. Such an answer has no code."""


@dataclass(frozen=True)
class OtherObject:
    """An object: its bucket and key."""

    bucket: str
    key: str


class OtherBuckets:
    """Buckets and objects over HTTP, with the methods of `asteroid_ll.emulator.s3.store.ObjectStore` that jobs need.

    Every request has the account as ``ExpectedBucketOwner``.

    Args:
        other: the address and the account.
        region: the region of the requests.
        scratch: the file of the present download.
        is_patient: as for `asteroid_ll.emulator.worker.files.buckets_of`.
    """

    def __init__(self, other: OtherS3, region: str, *, scratch: Path, is_patient: bool = False) -> None:
        self._url = other.url
        self._owner = {"ExpectedBucketOwner": other.account_id}
        self._scratch = scratch
        self._client = client_for(other.url, "s3", region, is_patient=is_patient)

    def has(self, bucket: str, region: str) -> bool:
        """Return whether the account has a bucket of that name in a region, as far as S3 shows."""
        answer = self._head("head_bucket", Bucket=bucket)
        if answer is None:
            return False
        home = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", region)
        return bool(home == region)

    def list(self, bucket: str, prefix: str = "") -> list[OtherObject]:
        """Return the objects whose keys have a prefix, in the order of their keys."""
        with self._refusals():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **self._owner)
            return [OtherObject(bucket, item["Key"]) for page in pages for item in page.get("Contents", [])]

    def get(self, bucket: str, key: str) -> OtherObject | None:
        """Return the object of that key, or None."""
        return None if self._head("head_object", Bucket=bucket, Key=key) is None else OtherObject(bucket, key)

    def file_of(self, stored: OtherObject) -> Path:
        """Download an object; the file is replaced by the next call."""
        self._scratch.unlink(missing_ok=True)  # it may have got a second name
        self._scratch.parent.mkdir(parents=True, exist_ok=True)
        with self._refusals():
            answer = self._client.get_object(Bucket=stored.bucket, Key=stored.key, **self._owner)
            with closing(answer["Body"]) as body, self._scratch.open("xb") as file:
                for chunk in body.iter_chunks(_CHUNK_BYTES):
                    file.write(chunk)
        return self._scratch

    def put_file(self, bucket: str, key: str, source: Path) -> None:
        """Store a file as an object."""
        with self._refusals(), source.open("rb") as body:
            self._client.put_object(Bucket=bucket, Key=key, Body=body, **self._owner)

    def _head(self, operation: str, **arguments: str) -> dict[str, Any] | None:
        """Send a HEAD request; return its answer, or None if the bucket or the object is absent or hidden."""
        with self._refusals():
            try:
                answer: dict[str, Any] = getattr(self._client, operation)(**arguments, **self._owner)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] in _HIDDEN:
                    return None
                raise
            return answer

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Turn a refusal into S3's error, and an S3 that does not answer into an error that names it."""
        try:
            yield
        except ClientError as error:
            refusal, status = error.response["Error"], error.response["ResponseMetadata"]["HTTPStatusCode"]
            code, is_refusal = refusal.get("Code", ""), 400 <= status < 500
            if not is_refusal and not code.isalpha():  # the answer of a proxy, or to a HEAD
                raise self._unusable(error) from error
            raise ApiError(code, refusal.get("Message", ""), status=status if is_refusal else 503) from error
        except BotoCoreError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> ApiError:
        return ApiError("ServiceUnavailable", f"The S3 at {self._url} cannot be used: {error}", status=503)


def client_for(url: str, service: str, region: str, *, is_patient: bool = False) -> Any:
    """Return a botocore client of another emulator.

    The credentials are those that botocore finds: variables, profiles, and so on. If there are none, an address of this
    machine gets dummies, as most emulators accept any.

    Args:
        url: the emulator's address.
        service: botocore's name of the service.
        region: the region of the requests.
        is_patient: as for `asteroid_ll.emulator.worker.files.buckets_of`.
    """
    session = Session()
    session.register_component("data_loader", data_loader())
    if is_loopback(urlsplit(url).hostname or ""):
        session.get_component("credential_provider").remove("iam-role")  # a machine of EC2, asked for a second
        if session.get_credentials() is None:
            session.set_credentials(DUMMY, DUMMY)
    connect_s, read_s = PATIENT_TIMEOUTS_S if is_patient else TIMEOUTS_S
    config = Config(
        connect_timeout=connect_s,
        read_timeout=read_s,
        retries=None if is_patient else {"total_max_attempts": 1},
        # Other emulators do not read all of the newer checksums.
        request_checksum_calculation="when_required",
        s3={"addressing_style": "path"},
    )
    client = session.create_client(service, region_name=region, endpoint_url=url, config=config)
    client.meta.events.register_last("before-parameter-build.s3", _follow_no_redirect)
    return client


def _follow_no_redirect(context: dict[str, Any], **_: object) -> None:
    """Mark a request as redirected: botocore asks for the bucket's region otherwise, for ever if that redirects too."""
    context["s3_redirect"]["redirected"] = True


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
