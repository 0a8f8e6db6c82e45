"""The emulator for programs and tests that use boto3: an AWS account in a directory of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import boto3

from asteroid_ll.emulator.account import DEFAULT_REGION, Account
from asteroid_ll.emulator.iam.setup import Policies, Source
from asteroid_ll.emulator.iam.store import Credentials
from asteroid_ll.emulator.ledger import BilledInterval
from asteroid_ll.emulator.sessions import CREDENTIAL, QuickWaiters, data_loader, new_session
from asteroid_ll.emulator.state import ACCOUNT_ID
from asteroid_ll.emulator.transport import in_process, server
from asteroid_ll.emulator.transport.messages import Request, Response
from asteroid_ll.linear_learner.images import image_uri

_MODEL_BUCKET = "asteroid-ll-models"


class Emulator:
    """An AWS account in a directory, with S3, SageMaker's Linear Learner, CloudWatch Logs and STS.

    Use it as a context manager, or call `close`. Training jobs are processes of this machine. `close` ends those that
    still run, so none is left, and removes the directory if it is a temporary one.

    Args:
        directory: the account's state, created if it is missing; None for an empty account in a temporary directory.
        caller_policies: IAM policies of the user ``emulator``, who then sends every request whose access key is not
            one that IAM made.
        role_policies: IAM policies of the role ``asteroid-ll``, which is then created or replaced, and which SageMaker
            can assume.
        service_control_policies: policies that limit the whole account.
        strict_signatures: refuse every request that its caller did not sign. Callers have an access key of IAM or STS,
            or the key ``emulator`` with the secret ``emulator``, which `session` uses.

    Each policy is a document, the path of a JSON file, or the ARN of a policy of AWS such as
    ``arn:aws:iam::aws:policy/AmazonSageMakerFullAccess``. If any of the three is given, the account evaluates IAM
    policies from then on: it refuses what they do not allow, with AWS's messages. If not, every request is allowed.

    Raises:
        ConfigError: a policy cannot be read or used.

    Examples:
        >>> from asteroid_ll import Emulator
        >>> with Emulator() as emulator:
        ...     s3 = emulator.session().client("s3")
        ...     bucket = s3.create_bucket(Bucket="asteroids")
        ...     [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
        ['asteroids']
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        *,
        caller_policies: Iterable[Source] | None = None,
        role_policies: Iterable[Source] | None = None,
        service_control_policies: Iterable[Source] | None = None,
        strict_signatures: bool = False,
    ) -> None:
        policies = Policies.read(caller=caller_policies, role=role_policies, service_control=service_control_policies)
        self._temporary = None
        if directory is None:
            self._temporary = TemporaryDirectory(prefix="asteroid-ll-")
            directory = self._temporary.name
        self.directory = Path(directory).absolute()
        keys = {CREDENTIAL: Credentials(CREDENTIAL)} if strict_signatures else None
        self._account: Account | None = Account(self.directory, loader=data_loader(), prepare=policies.apply, keys=keys)

    def __repr__(self) -> str:
        state = "closed" if self._account is None else "temporary" if self._temporary else "kept"
        return f"<Emulator in {self.directory} ({state})>"

    def session(self, region_name: str = DEFAULT_REGION) -> boto3.Session:
        """Return a boto3 session whose clients and resources are answered in this process, without a port.

        The session has dummy credentials and ignores the machine's AWS configuration, profile and endpoint variables.
        Waiters poll every 0.05 s instead of their delay (120 s for a training job).

        Args:
            region_name: the region of clients that are made without one.

        Examples:
            >>> from asteroid_ll import Emulator
            >>> with Emulator() as emulator:
            ...     sts = emulator.session("eu-west-1").client("sts")
            ...     sts.get_caller_identity()["Account"]
            '000000000000'
        """
        self._opened()
        core = new_session(region_name)
        in_process.attach(core, self)
        core.register("creating-client-class", _add_quick_waiters)
        return boto3.Session(botocore_session=core)

    @contextmanager
    def serve(self, port: int = 0) -> Iterator[str]:
        """Answer over HTTP on 127.0.0.1 during the block, for clients of other processes and languages.

        Clients need any credentials, a region, and the URL as ``endpoint_url`` or ``AWS_ENDPOINT_URL``.

        Args:
            port: the port; 0 chooses a free one.

        Yields:
            The URL, such as ``http://127.0.0.1:4566``.

        Raises:
            ConfigError: the port is taken.

        Examples:
            >>> import boto3
            >>> from asteroid_ll import Emulator
            >>> session = boto3.Session("any-key", "any-secret", region_name="us-east-1")
            >>> with Emulator() as emulator, emulator.serve() as url:
            ...     sts = session.client("sts", endpoint_url=url)
            ...     sts.get_caller_identity()["Account"]
            '000000000000'
        """
        self._opened()
        with server.serving(self, port=port, spool=self.directory) as bound:
            yield f"http://127.0.0.1:{bound}"

    def host(self, artifact: str | os.PathLike[str], *, endpoint_name: str) -> None:
        """Host a ``model.tar.gz`` of Linear Learner in us-east-1, and return when its endpoint is in service.

        The model and the endpoint configuration have the endpoint's name. The artifact is copied to a bucket.

        Args:
            artifact: the file.
            endpoint_name: name of the new endpoint.

        Raises:
            botocore.exceptions.ClientError: SageMaker refuses, for example because the name is taken.

        Examples:
            >>> from asteroid_ll import Emulator
            >>> def score(artifact, row):
            ...     with Emulator() as emulator:
            ...         emulator.host(artifact, endpoint_name="rocks")
            ...         runtime = emulator.session().client("sagemaker-runtime")
            ...         answer = runtime.invoke_endpoint(EndpointName="rocks", ContentType="text/csv", Body=row)
            ...         return answer["Body"].read()
        """
        session = self.session()
        s3, sagemaker = session.client("s3"), session.client("sagemaker")
        s3.create_bucket(Bucket=_MODEL_BUCKET)
        key = f"{endpoint_name}/model.tar.gz"
        s3.upload_file(os.fspath(artifact), _MODEL_BUCKET, key)
        sagemaker.create_model(
            ModelName=endpoint_name,
            PrimaryContainer={"Image": image_uri(DEFAULT_REGION), "ModelDataUrl": f"s3://{_MODEL_BUCKET}/{key}"},
            ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT_ID}:role/asteroid-ll",
        )
        variant = {"VariantName": "AllTraffic", "ModelName": endpoint_name, "InstanceType": "ml.t2.medium"}
        sagemaker.create_endpoint_config(
            EndpointConfigName=endpoint_name, ProductionVariants=[variant | {"InitialInstanceCount": 1}]
        )
        sagemaker.create_endpoint(EndpointName=endpoint_name, EndpointConfigName=endpoint_name)
        sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint_name)

    def ledger(self) -> list[BilledInterval]:
        """Return the instances that AWS would bill, oldest first; ``ended_s`` is None while they run.

        Examples:
            >>> from asteroid_ll import Emulator
            >>> with Emulator() as emulator:
            ...     emulator.ledger()
            []
        """
        return self._opened().ledger()

    def configure(self, **settings: Any) -> None:
        """Change how the account behaves; see `asteroid_ll.emulator.state.Settings` for the names.

        Examples:
            >>> from asteroid_ll import Emulator
            >>> with Emulator() as emulator:
            ...     emulator.configure(quotas={"ml.m5.large for training job usage": 0}, endpoint_creating_s=1.5)
        """
        self._opened().configure(**settings)

    def reset(self) -> None:
        """Delete everything in the account and end its jobs. Sessions and the given policies stay."""
        self._opened().reset()

    def close(self) -> None:
        """End the jobs that this object started and close the files; a second call does nothing.

        A job that still runs ends as ``Stopped``. A temporary directory is removed.
        """
        account, self._account = self._account, None
        if account is None:
            return
        account.stop_spawned()
        account.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def handle(self, request: Request) -> Response:
        """Answer one HTTP request; the transports of `session` and `serve` call it."""
        return self._opened().handle(request)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self) -> Account:
        if self._account is None:
            raise RuntimeError(f"The emulator in {self.directory} is closed. Create a new one with Emulator().")
        return self._account


def _add_quick_waiters(base_classes: list[type], **_: object) -> None:
    base_classes.insert(0, QuickWaiters)
