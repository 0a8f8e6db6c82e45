"""Exceptions of botocore, turned into one sentence and the next command.

Only this module decides the branch of the error tree (and so the exit code) of an answer.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore import exceptions as botocore_errors

from asteroid_ll.aws.answers import UNREADABLE
from asteroid_ll.aws.denials import denial
from asteroid_ll.errors import AsteroidError, AwsError, ConfigError, CredentialsError
from asteroid_ll.run.atomic import refused_by_system

_LOGGER = logging.getLogger(__name__)

RESUME = "Run the same command again: it continues where it stopped."

BROKEN_BODY_ERRORS: tuple[type[Exception], ...] = (
    botocore_errors.ResponseStreamingError,
    botocore_errors.IncompleteReadError,
    botocore_errors.ReadTimeoutError,
    botocore_errors.FlexibleChecksumError,
)
"""Errors of botocore for a body that is truncated or corrupt while it is read."""

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_BAD_CREDENTIALS = {
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_CLOCK_SKEW = {"RequestTimeTooSkewed", "RequestInTheFuture"}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AllAccessDisabled"}
_THROTTLED = {
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_WRONG_REGION = {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
_NOT_FOUND_CODES = {"ValidationException", "ResourceNotFound", "ResourceNotFoundException"}
_NOT_FOUND_TEXTS = ("could not find", "requested resource not found", "does not exist")
_EXISTS_TEXTS = ("cannot create already existing", "must be unique", "already exists")

_QUOTA = re.compile(r"service limit '([^']+)'")

_KILLED = "exit code: 137"
"""The end of the reason of a job whose container got SIGKILL, as Linux sends it if the memory is used up."""

_PERMISSIONS = {
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
}
"""The actions of operations of another name (Service Authorization Reference)."""

_NO_CREDENTIALS = (
    botocore_errors.NoCredentialsError,
    botocore_errors.PartialCredentialsError,
    botocore_errors.CredentialRetrievalError,
    botocore_errors.TokenRetrievalError,
    botocore_errors.SSOError,
    botocore_errors.ProfileNotFound,
    botocore_errors.RefreshWithMFAUnsupportedError,
)
_NO_REGION = (
    botocore_errors.NoRegionError,
    botocore_errors.UnknownRegionError,
    botocore_errors.InvalidRegionError,
)
_NETWORK = (
    botocore_errors.ConnectionError,
    botocore_errors.HTTPClientError,
    botocore_errors.ResponseStreamingError,
    botocore_errors.IncompleteReadError,
)


def answer(error: BaseException) -> tuple[str, str, int]:
    """Return the code, message and HTTP status of a refusal by AWS; ``"", "", 0`` for any other error."""
    response = getattr(error, "response", None)
    if not isinstance(response, Mapping):
        return "", "", 0
    refusal: Mapping[str, Any] = response.get("Error", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return str(refusal.get("Code", "")), str(refusal.get("Message", "")), int(status)


def is_not_found(error: BaseException) -> bool:
    """Return whether SageMaker or CloudWatch reports that a resource does not exist, by code and text together.

    ``ValidationException`` is also the answer to a malformed call, so the code proves nothing.
    """
    code, message, _ = answer(error)
    return code in _NOT_FOUND_CODES and any(text in message.lower() for text in _NOT_FOUND_TEXTS)


def is_already_there(error: BaseException) -> bool:
    """Return whether a create was refused because the name is taken, by code and text together."""
    code, message, _ = answer(error)
    return code in {"ResourceInUse", "ValidationException"} and any(text in message.lower() for text in _EXISTS_TEXTS)


def is_unassumable(error: BaseException) -> bool:
    """Return whether SageMaker cannot assume the execution role, which for a minute is also true of a new role."""
    code, message, _ = answer(error)
    return code == "ValidationException" and "could not assume role" in message.lower()


def is_denial(error: AsteroidError) -> bool:
    """Return whether AWS denied an action, which no repetition changes."""
    return error.context.get("code") in _DENIED


def translate(error: BaseException, doing: str, *, service: str) -> AsteroidError | None:
    """Return the expected failure for an exception of a call, or None for a bug.

    Args:
        error: the exception.
        doing: the action, as words that follow "while", such as ``creating training job x``.
        service: the service's name in permissions, such as ``s3``.

    Returns:
        CredentialsError for credentials that are missing, wrong or expired; ConfigError for a missing region or
        a malformed argument; AwsError for every other refusal and for a network that fails; DataError for a full
        disk or too many open files.
    """
    if isinstance(error, AsteroidError):
        return error
    if isinstance(error, botocore_errors.ClientError):
        return _translate_refusal(error, doing, service)
    if isinstance(error, botocore_errors.BotoCoreError):
        return _translate_local(error, doing)
    return refused_by_system(error)  # of a file that is sent or received, or of the emulator's state


def expected(error: Exception, doing: str) -> AsteroidError:
    """Return the failure for any exception of a call, also for one that no branch expects.

    For work that must continue with the next resource, such as a teardown.
    """
    _LOGGER.debug("failed while %s", doing, exc_info=error)
    return translate(error, doing, service="sagemaker") or AwsError(
        f"{type(error).__name__} while {doing}: {' '.join(str(error).split()) or 'no reason is given'}", hint=RESUME
    )


def after_failure(reason: str, *, instance_type: str) -> str:
    """Return the hint for a job or an endpoint that failed.

    Args:
        reason: SageMaker's ``FailureReason``.
        instance_type: the key of the configuration that has its instance type.
    """
    if "compute capacity" in reason:
        return f"AWS is short of such instances. Wait, or set '{instance_type}' to another type. {RESUME}"
    if _KILLED in reason.lower():
        return f"It probably had too little memory. Set '{instance_type}' to a larger type. {RESUME}"
    return f"Correct the cause. {RESUME}"


@contextmanager
def aws_call(doing: str, *, service: str = "sagemaker") -> Iterator[None]:
    """Translate exceptions of botocore inside the block, see `translate`; a bug keeps its traceback."""
    try:
        yield
    except Exception as error:
        translated = translate(error, doing, service=service)
        if translated is None or translated is error:
            raise
        raise translated from error


def _translate_refusal(error: botocore_errors.ClientError, doing: str, service: str) -> AsteroidError:
    """Return the failure for a refusal by AWS."""
    code, message, status = answer(error)
    facts = {"code": code, "operation": error.operation_name}
    if code == UNREADABLE:
        return AwsError(
            f"AWS's answer to {error.operation_name} cannot be read: {message}, while {doing}.", hint=RESUME, **facts
        )
    if code in _EXPIRED:
        return CredentialsError(
            f"The AWS credentials expired while {doing}.",
            hint=f"Sign in again (for example 'aws sso login'). {RESUME}",
            **facts,
        )
    if code in _CLOCK_SKEW:
        return CredentialsError(
            f"AWS refused the request's time while {doing}: {message}", hint="Set this machine's clock.", **facts
        )
    if code in _BAD_CREDENTIALS:
        return CredentialsError(
            f"AWS does not accept the credentials ({code}) while {doing}: {message}",
            hint="Check AWS_PROFILE and the access keys: 'aws sts get-caller-identity'. "
            "A region that the account has not enabled gives the same answer.",
            **facts,
        )
    if code in _DENIED or (code == "403" and status == 403):
        denied = denial(message, action=_permission(error.operation_name, service))
        facts["action"] = denied.action
        return AwsError(f"AWS denied {denied.action} while {doing}{_reason(message)}.", hint=denied.hint, **facts)
    if code in _THROTTLED or status == 429:
        return AwsError(f"AWS kept throttling ({code}) while {doing}.", hint=f"Wait a minute. {RESUME}", **facts)
    if code in _WRONG_REGION or status == 301:
        return AwsError(
            f"The bucket is in another region than the configured one, found while {doing}{_reason(message)}.",
            hint="Set 'region' to the bucket's region, or choose another bucket.",
            **facts,
        )
    if code == "ResourceLimitExceeded":
        return AwsError(
            f"The account's quota does not allow it, while {doing}: {message}",
            hint=_quota_hint(message),
            **facts,
        )
    if is_unassumable(error):
        return AwsError(
            f"SageMaker cannot use the role while {doing}{_reason(message)}.",
            hint="Check 'role_arn': the role must exist, and its trust policy must allow sagemaker.amazonaws.com. "
            "asteroid-ll iam setup --dry-run   prints the commands that create it.",
            **facts,
        )
    if status >= 500:
        return AwsError(f"AWS failed ({code or status}) while {doing}{_reason(message)}.", hint=RESUME, **facts)
    return AwsError(
        f"AWS refused ({code}) while {doing}{_reason(message) or ' and gave no reason'}.",
        hint="Correct the cause, or choose another value in the configuration; then run the same command again.",
        **facts,
    )


def _translate_local(error: botocore_errors.BotoCoreError, doing: str) -> AsteroidError:
    """Return the failure for a problem on this machine: credentials, configuration or the network."""
    if isinstance(error, _NO_CREDENTIALS):
        return CredentialsError(
            f"There are no usable AWS credentials while {doing}: {error}",
            hint="Set AWS_PROFILE, or sign in ('aws sso login', 'aws configure'). No account? Set 'target: emulator'.",
        )
    if isinstance(error, _NO_REGION):
        return ConfigError(
            f"There is no such AWS region, found while {doing}: {error}", hint="Set 'region', for example us-east-1."
        )
    if isinstance(error, botocore_errors.ParamValidationError):
        return ConfigError(
            f"AWS cannot take these values while {doing}: {' '.join(str(error).split())}",
            hint="Correct the value in the configuration: 'asteroid-ll config show'.",
        )
    if isinstance(error, _NETWORK):
        return AwsError(f"The connection to AWS failed while {doing}: {error}", hint=f"Check the network. {RESUME}")
    return AwsError(f"{type(error).__name__} while {doing}: {error}", hint=RESUME)


def _permission(operation: str, service: str) -> str:
    """Return the permission for an operation, such as ``sagemaker:CreateEndpoint``."""
    return f"{service}:{_PERMISSIONS.get(operation, operation)}"


def _quota_hint(message: str) -> str:
    """Return how to ask for more of the quota that AWS's message names."""
    named = _QUOTA.search(message)
    if named is None:
        return "Ask for more in the Service Quotas console, or choose another instance type."
    query = f"Quotas[?QuotaName=='{named[1]}'].[QuotaCode,Value]"
    return (
        "Choose another instance type, or ask for more. This prints the quota's code for "
        "'aws service-quotas request-service-quota-increase':   "
        f'aws service-quotas list-service-quotas --service-code sagemaker --query "{query}"'
    )


def _reason(message: str) -> str:
    """Return AWS's message as the end of a sentence without a full stop; empty for none and for a document."""
    is_text = message not in {"", "Forbidden", "Moved Permanently"} and not message.lstrip().startswith("<")
    return f": {message.rstrip('.')}" if is_text else ""
