"""The emulated AWS account: a function from an HTTP request to a response, over a state directory."""

from __future__ import annotations

import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asteroid_ll.emulator import ledger
from asteroid_ll.emulator.iam.evaluation import Principal
from asteroid_ll.emulator.iam.operations import SERVICE as IAM
from asteroid_ll.emulator.iam.operations import IamCall
from asteroid_ll.emulator.iam.store import Credentials, Identities
from asteroid_ll.emulator.ledger import BilledInterval
from asteroid_ll.emulator.logs import SERVICE as LOGS
from asteroid_ll.emulator.logs import LogsCall
from asteroid_ll.emulator.prices import SERVICE as PRICES
from asteroid_ll.emulator.processes import reap_children
from asteroid_ll.emulator.protocols import REST_JSON, operation_of, protocol_of, refusal, scope_of
from asteroid_ll.emulator.protocols import S3 as S3_XML
from asteroid_ll.emulator.quotas import SERVICE as QUOTAS
from asteroid_ll.emulator.quotas import QuotasCall
from asteroid_ll.emulator.resources import Resources, partition
from asteroid_ll.emulator.s3.service import S3
from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.sagemaker import hosting, tuning
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, Services
from asteroid_ll.emulator.sagemaker.runtime import Runtime
from asteroid_ll.emulator.sagemaker.service import SERVICE as SAGEMAKER
from asteroid_ll.emulator.service import ApiModel, Service, unknown_operation
from asteroid_ll.emulator.state import LOCK, LOG, State, naming_damage, remove_state
from asteroid_ll.emulator.sts import SERVICE as STS
from asteroid_ll.emulator.sts import StsCall
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response, too_large
from asteroid_ll.emulator.worker.jobs import PROCESSING, TRAINING, TRANSFORM, TUNING, Jobs
from asteroid_ll.emulator.worker.log import LogStore
from asteroid_ll.errors import DataError

if TYPE_CHECKING:
    from botocore.loaders import Loader

    from asteroid_ll.emulator.iam.permissions import Permissions

DEFAULT_REGION = "us-east-1"
RESET_PATH = "/_asteroid-ll/reset"

Sender = Callable[[], Principal]
NewCall = Callable[[str, Sender], Callable[[dict[str, Any]], Any]]
"""Returns what makes a service's call from its parameters, for requests of a region and a sender."""


class Account:
    """All services of one account and the state that they share.

    Args:
        directory: the state; created if it is missing.
        clock: seconds since 1970; tests pass a virtual one.
        loader: the botocore data loader of the client, which has already read the service models.
        prepare: writes what belongs into an empty account, now and after each reset.
        keys: access keys besides those of IAM and STS; if given, every request must be signed by its caller. They are
            keys of the account's root user, or of the user whose policies are evaluated.
    """

    def __init__(
        self,
        directory: Path,
        *,
        clock: Callable[[], float] = time.time,
        loader: Loader | None = None,
        prepare: Callable[[State], None] = lambda _state: None,
        keys: Mapping[str, Credentials] | None = None,
    ) -> None:
        self.directory = directory
        self._model = ApiModel(loader)
        self._prepare = prepare
        self._keys = keys
        self.state = State(self.directory, clock=clock)
        with naming_damage(self.directory):
            self.store = ObjectStore(self.state)
            self.services = Services(
                self.state,
                self.store,
                Resources(self.state),
                jobs=Jobs(self.state, TRAINING),
                transforms=Jobs(self.state, TRANSFORM),
                processings=Jobs(self.state, PROCESSING),
                tunings=Jobs(self.state, TUNING),
            )
            self.identities = Identities(self.state)
            self.logs = LogStore(self.state)
        self._s3 = S3(self.store, None if keys is None else self._check_s3_signature)
        self._runtime = Runtime(self.services)
        self._services = self._table()
        self._protocols = {(name, service.protocol) for name, (service, _) in self._services.items()}
        self._protocols.add(("sagemaker", REST_JSON))  # its runtime
        prepare(self.state)

    def _table(self) -> dict[str, tuple[Service[Any], NewCall]]:
        """Return the services of the JSON and query protocols, by the name that requests are signed for."""
        return {
            "sagemaker": (SAGEMAKER, lambda region, _: partial(SageMakerCall, self.services, region)),
            "logs": (LOGS, lambda region, _: partial(LogsCall, self.logs, region)),
            "pricing": (PRICES, lambda _region, _sender: dict),
            "servicequotas": (QUOTAS, lambda region, sender: partial(QuotasCall, self.state, region, sender().arn)),
            "sts": (STS, lambda _, sender: partial(StsCall, self.identities, sender())),
            "iam": (IAM, lambda region, sender: partial(IamCall, self.identities, partition(region), sender())),
        }

    def handle(self, request: Request) -> Response:
        """Answer one request. A bug is a 500 with its traceback in ``emulator.log``.

        Raises:
            DataError: the state is damaged.
        """
        if request.path == RESET_PATH:
            return self._reset(request)
        request_id = str(uuid.uuid4())
        scope = scope_of(request)
        protocol = protocol_of(request, scope[2])
        try:
            with naming_damage(self.directory):
                response = self._answer(request, scope, protocol, request_id=request_id)
        except ApiError as error:
            response = refusal(error, protocol, request_id=request_id)
        except DataError as damage:
            self.state.log(f"{request.method} {request.path}: {damage}")
            raise
        except Exception as error:
            operation = operation_of(request, protocol)
            lines = [f"{request.method} {request.path} {operation}", *traceback.format_exception(error)]
            self.state.log("\n".join(lines))
            message = f"{type(error).__name__}: {error}. The traceback is in {self.directory / LOG}."
            response = refusal(ApiError("InternalFailure", message, status=500), protocol, request_id=request_id)
        header = "x-amz-request-id" if protocol == S3_XML else "x-amzn-RequestId"
        return replace(response, headers={header: request_id, **response.headers})

    def ledger(self) -> list[BilledInterval]:
        """Return every interval that AWS would bill, oldest first, after `settle`."""
        with LOCK, naming_damage(self.directory):
            self.settle()
            return ledger.all_intervals(self.state)

    def settle(self) -> None:
        """Fail or continue jobs whose worker died, and apply endpoint transitions that are due."""
        for jobs in self._all_jobs():
            jobs.settle()
        hosting.advance(self.services)

    def configure(self, **changes: Any) -> None:
        """Change some of the account's settings; the names are those of `asteroid_ll.emulator.state.Settings`."""
        self.state.configure(replace(self.state.settings, **changes))

    def reset(self) -> None:
        """Kill every job's processes and delete what the emulator created; the account is empty then."""
        with LOCK, naming_damage(self.directory):
            for jobs in self._all_jobs():
                jobs.delete_all()
            self.state.empty()
            self.services.loaded_models.clear()
            self._prepare(self.state)

    def stop_spawned(self) -> None:
        """End the jobs that this process started; tuning jobs end with their training jobs."""
        tuning.stop_spawned(self.services)
        for jobs in self._all_jobs():
            jobs.stop_spawned()

    def close(self) -> None:
        """Close the files and drop the loaded models. Jobs keep running."""
        reap_children()
        self.services.loaded_models.clear()
        self.state.close()

    def _all_jobs(self) -> tuple[Jobs, ...]:
        """Return the jobs of each kind; tuning jobs come first, because they start training jobs."""
        services = self.services
        return (services.tunings, services.jobs, services.transforms, services.processings)

    def _reset(self, request: Request) -> Response:
        """Answer a request that is not AWS's: empty the account."""
        if request.method != "POST":
            return Response(405, {"Allow": "POST", "Content-Type": "application/json"}, b'{"status": "use POST"}\n')
        self.reset()
        return Response(200, {"Content-Type": "application/json"}, b'{"status": "ok"}\n')

    def _answer(self, request: Request, scope: tuple[str, str, str], protocol: str, *, request_id: str) -> Response:
        """Answer a request of AWS's. Its service is the one that it is signed for."""
        access_key, region, signed_for = scope
        permissions = partial(self._permissions, access_key, region) if self.state.evaluates_iam else None
        if protocol == S3_XML and signed_for in {"", "s3"}:
            if self.state.other_s3 is not None:
                message = f"This emulator has no buckets. They are at {self.state.other_s3.url} (AWS_ENDPOINT_URL_S3)."
                raise ApiError("UnknownOperationException", message, status=501)
            return self._s3.handle(request, region=region or DEFAULT_REGION, permissions=permissions)
        operation = operation_of(request, protocol)
        self._check(request, signed_for, protocol, operation=operation)
        with LOCK:
            allowed = None if permissions is None else permissions()
            authorize = None if allowed is None else allowed.check
            if protocol == REST_JSON:
                return self._runtime.handle(request, region=region, authorize=authorize)
            service, new_call = self._services[signed_for]
            call = new_call(region, lambda: self._sender(access_key) if allowed is None else allowed.principal)
            with self.identities.transaction() if service is IAM else nullcontext():
                return service.handle(
                    request, operation, model=self._model, call=call, request_id=request_id, authorize=authorize
                )

    def _check(self, request: Request, signed_for: str, protocol: str, *, operation: str) -> None:
        """Refuse a request of another service than S3 that is not signed, or to a service that is not here."""
        if not signed_for:
            message = f"Missing Authentication Token. The emulator has no unsigned operation {operation!r}."
            raise ApiError("MissingAuthenticationTokenException", message, status=403)
        if (signed_for, protocol) not in self._protocols:
            raise unknown_operation(signed_for, operation)
        if request.file is not None:
            raise too_large()
        if self._keys is not None:
            from asteroid_ll.emulator import signatures  # only if they are verified

            signatures.check(request, self._credentials_of, protocol=protocol, now_s=self.state.now())

    def _sender(self, access_key: str) -> Principal:
        return self.identities.principal_of(access_key) or self.identities.anyone()

    def _check_s3_signature(self, request: Request, bucket: str) -> None:
        """Refuse a request to S3 that its caller did not sign."""
        from asteroid_ll.emulator import signatures  # only if they are verified

        signatures.check_s3(request, self._credentials_of, bucket=bucket, now_s=self.state.now())

    def _credentials_of(self, access_key: str) -> Credentials | None:
        """Return the secret of an access key of the account; None for any other key."""
        return (self._keys or {}).get(access_key) or self.identities.credentials_of(access_key)

    def _permissions(self, access_key: str, region: str) -> Permissions:
        """Return what the policies of the sender allow."""
        from asteroid_ll.emulator.iam.permissions import permissions_of  # only if policies are evaluated

        return permissions_of(self.state, access_key, region=region or DEFAULT_REGION, bucket_policy=self.store.policy)


def reset(directory: Path) -> None:
    """Make the account in a directory empty, also if its database is damaged.

    The processes of a damaged account are unknown. Their files are gone, so they fail and end.
    """
    try:
        with closing(Account(directory)) as account:
            account.reset()
    except DataError:
        remove_state(directory)
