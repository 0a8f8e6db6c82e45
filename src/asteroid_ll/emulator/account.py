"""The emulated AWS account: a function from an HTTP request to a response, over a state directory."""

from __future__ import annotations

import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asteroid_ll.emulator import ledger, query_protocol, turns
from asteroid_ll.emulator.api_model import ApiModel, Authorize
from asteroid_ll.emulator.cloudwatch import service as cloudwatch
from asteroid_ll.emulator.iam.evaluation import Principal
from asteroid_ll.emulator.iam.operations import SERVICE as IAM
from asteroid_ll.emulator.iam.operations import IamCall
from asteroid_ll.emulator.iam.store import Credentials, Identities
from asteroid_ll.emulator.ledger import BilledInterval
from asteroid_ll.emulator.logs.call import LogsCall
from asteroid_ll.emulator.logs.service import SERVICE as LOGS
from asteroid_ll.emulator.logs.store import LogStore
from asteroid_ll.emulator.pricing.service import SERVICE as PRICING
from asteroid_ll.emulator.processes import reap_children
from asteroid_ll.emulator.protocols import CBOR, JSON, protocol_of, refusal, scope_of
from asteroid_ll.emulator.protocols import S3 as S3_XML
from asteroid_ll.emulator.query_protocol import QUERY
from asteroid_ll.emulator.resources import Resources, partition
from asteroid_ll.emulator.s3.service import S3
from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.sagemaker import hosting
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, Services
from asteroid_ll.emulator.sagemaker.runtime import ENDPOINTS, Runtime
from asteroid_ll.emulator.sagemaker.service import SERVICE as SAGEMAKER
from asteroid_ll.emulator.servicequotas.service import SERVICE as QUOTAS
from asteroid_ll.emulator.servicequotas.service import QuotasCall
from asteroid_ll.emulator.state import LOG, State, naming_damage, remove_state
from asteroid_ll.emulator.sts import SERVICE as STS
from asteroid_ll.emulator.sts import StsCall
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response, too_large
from asteroid_ll.emulator.unknown_services import unknown_service
from asteroid_ll.emulator.worker.jobs import PROCESSING, TRAINING, TRANSFORM, TUNING, Jobs
from asteroid_ll.errors import DataError

if TYPE_CHECKING:
    from botocore.loaders import Loader

    from asteroid_ll.emulator.iam.permissions import Permissions

_TARGETS = {
    "sagemaker": SAGEMAKER.target_prefix,
    "logs": LOGS.target_prefix,
    "pricing": PRICING.target_prefix,
    "servicequotas": QUOTAS.target_prefix,
    cloudwatch.SIGNED_FOR: cloudwatch.SERVICE.target_prefix,
}
_SERVICES = {
    JSON: _TARGETS.keys(),
    CBOR: {cloudwatch.SIGNED_FOR},
    QUERY: {"iam", "sts", cloudwatch.SIGNED_FOR},
    S3_XML: {"s3"},
}
"""The services by protocol, with the names that requests are signed for. SageMaker's runtime is found by its path."""

DEFAULT_REGION = "us-east-1"
RESET_PATH = "/_asteroid-ll/reset"
STS_VERSION = "2011-06-15"


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
            self.s3 = S3(self.store, None if keys is None else self._check_s3_signature)
            self._runtime = Runtime(self.services)
            self._log_store = LogStore(self.state)
        self._keys = keys
        prepare(self.state)

    def handle(self, request: Request) -> Response:
        """Answer one request. A bug is a 500 with its traceback in ``emulator.log``.

        Raises:
            DataError: the state is damaged.
        """
        if request.path == RESET_PATH:
            return self._reset(request)
        request_id = str(uuid.uuid4())
        access_key, region, signed_for = scope_of(request)
        protocol = protocol_of(request, signed_for)
        try:
            service = _service(request, signed_for, protocol)
            if not service:
                raise unknown_service(request, signed_for, loader=self._model.loader)
            with naming_damage(self.directory):
                response = self._route(request, service, region=region, access_key=access_key, request_id=request_id)
        except ApiError as error:
            response = refusal(error, protocol, request_id=request_id)
        except DataError as damage:
            self.state.log(f"{request.method} {request.path}: {damage}")
            raise
        except Exception as error:
            self._log_bug(request, error)
            message = f"{type(error).__name__}: {error}. The traceback is in {self.directory / LOG}."
            response = refusal(ApiError("InternalFailure", message, status=500), protocol, request_id=request_id)
        header = "x-amz-request-id" if protocol == S3_XML else "x-amzn-RequestId"
        if any(name.lower() == header.lower() for name in response.headers):
            return response
        return replace(response, headers={**response.headers, header: request_id})

    def ledger(self) -> list[BilledInterval]:
        """Return every interval that AWS would bill, oldest first, after `settle`."""
        with turns.LOCK, naming_damage(self.directory):
            self.settle()
            return ledger.all_intervals(self.state)

    def settle(self) -> None:
        """Fail or continue jobs whose worker died, and apply endpoint transitions that are due."""
        self.services.tunings.settle()
        self.services.jobs.settle()
        self.services.transforms.settle()
        self.services.processings.settle()
        hosting.advance(self.services)

    def configure(self, **changes: Any) -> None:
        """Change some of the account's settings; the names are those of `asteroid_ll.emulator.state.Settings`."""
        self.state.configure(replace(self.state.settings, **changes))

    def reset(self) -> None:
        """Kill every job's processes and delete what the emulator created; the account is empty then."""
        with turns.LOCK, naming_damage(self.directory):
            self.services.tunings.delete_all()  # first, because they start training jobs
            self.services.jobs.delete_all()
            self.services.transforms.delete_all()
            self.services.processings.delete_all()
            self.state.empty()
            self.services.loaded_models.clear()
            self._prepare(self.state)

    def close(self) -> None:
        """Close the files and drop the loaded models. Jobs keep running."""
        reap_children()
        self.services.loaded_models.clear()
        self.state.close()

    def _reset(self, request: Request) -> Response:
        """Answer a request that is not AWS's: empty the account."""
        if request.method != "POST":
            return Response(405, {"Allow": "POST", "Content-Type": "application/json"}, b'{"status": "use POST"}\n')
        self.reset()
        return Response(200, {"Content-Type": "application/json"}, b'{"status": "ok"}\n')

    def _route(self, request: Request, service: str, *, region: str, access_key: str, request_id: str) -> Response:
        permissions = partial(self._permissions, access_key, region) if self.state.evaluates_iam else None
        if service == "s3" and self.state.other_s3 is not None:
            message = f"This emulator has no buckets. They are at {self.state.other_s3.url} (AWS_ENDPOINT_URL_S3)."
            raise ApiError("UnknownOperationException", message, status=501)
        if service == "s3":
            return self.s3.handle(request, region=region or DEFAULT_REGION, permissions=permissions)
        if request.file is not None:
            raise too_large()
        if not region and not _is_public(request, service):  # the request is not signed
            raise ApiError("MissingAuthenticationTokenException", "Missing Authentication Token", status=403)
        if region and self._keys is not None:
            self._check_signature(request)
        with turns.LOCK:
            allowed = None if permissions is None else permissions()
            authorize = None if allowed is None else allowed.check
            if service == "sagemaker":
                sagemaker_call = partial(SageMakerCall, self.services, region)
                return SAGEMAKER.handle(request, model=self._model, call=sagemaker_call, authorize=authorize)
            if service == "runtime":
                return self._runtime.handle(request, region=region, authorize=authorize)
            if service == "logs":
                logs_call = partial(LogsCall, self._log_store, region)
                return LOGS.handle(request, model=self._model, call=logs_call, authorize=authorize)
            if service == cloudwatch.SIGNED_FOR:
                metrics_call = partial(cloudwatch.MetricsCall, self.services.resources, self._log_store, region)
                return cloudwatch.handle(
                    request, model=self._model, call=metrics_call, request_id=request_id, authorize=authorize
                )
            if service == "pricing":
                return PRICING.handle(request, model=self._model, call=dict, authorize=authorize)
            sender = self.identities.principal_of(access_key) if allowed is None else allowed.principal
            return self._identified(
                request,
                service,
                sender or self.identities.anyone(),
                region=region,
                request_id=request_id,
                authorize=authorize,
            )

    def _identified(
        self,
        request: Request,
        service: str,
        sender: Principal,
        *,
        region: str,
        request_id: str,
        authorize: Authorize | None,
    ) -> Response:
        """Answer a request to IAM, STS or Service Quotas, whose answers depend on the sender."""
        if service == "servicequotas":
            quotas_call = partial(QuotasCall, self.state, region, sender.arn)
            return QUOTAS.handle(request, model=self._model, call=quotas_call, authorize=authorize)
        if service == "sts":
            sts_call = partial(StsCall, self.identities, sender)
            return STS.handle(request, model=self._model, call=sts_call, request_id=request_id, authorize=authorize)
        with self.identities.transaction():
            iam_call = partial(IamCall, self.identities, partition(region), sender)
            return IAM.handle(request, model=self._model, call=iam_call, request_id=request_id, authorize=authorize)

    def _check_signature(self, request: Request) -> None:
        """Refuse a request to a service other than S3 that its caller did not sign."""
        from asteroid_ll.emulator import signatures  # only if they are verified

        protocol = protocol_of(request, scope_of(request)[2])
        signatures.check(request, self._credentials_of, protocol=protocol, now_s=self.state.now())

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

    def _log_bug(self, request: Request, error: Exception) -> None:
        target = request.headers.get("x-amz-target", "")
        self.state.log("\n".join([f"{request.method} {request.path} {target}", *traceback.format_exception(error)]))


def reset(directory: Path) -> None:
    """Make the account in a directory empty, also if its database is damaged.

    The processes of a damaged account are unknown. Their files are gone, so they fail and end.
    """
    try:
        with closing(Account(directory)) as account:
            account.reset()
    except DataError:
        remove_state(directory)


def _service(request: Request, signed_for: str, protocol: str) -> str:
    """Return the emulator's service that a request is for; empty if it has none."""
    if request.path.startswith(ENDPOINTS) and protocol != JSON and signed_for in {"", "sagemaker"}:
        return "runtime"
    if signed_for:
        return signed_for if signed_for in _SERVICES.get(protocol, ()) else ""
    if protocol == JSON:
        target = request.headers["x-amz-target"]
        return next((name for name, prefix in _TARGETS.items() if target.startswith(prefix)), "")
    if protocol == QUERY:
        return "sts" if query_protocol.form_fields(request).get("Version") in {STS_VERSION, None} else ""
    return "s3" if protocol == S3_XML else ""


def _is_public(request: Request, service: str) -> bool:
    """Return whether SDKs do not sign a request: its token proves who sends it."""
    operation = query_protocol.form_fields(request).get("Action")
    return service == "sts" and operation in {"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"}
