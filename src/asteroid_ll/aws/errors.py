"""What botocore raises, turned into one sentence and the next command.

Which branch of the error tree (and so which exit code) an answer belongs to is decided here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from asteroid_ll.errors import AsteroidError, AwsError, ConfigError, CredentialsError
from asteroid_ll.run.atomic import refused_by_system

RESUME = "Run the same command again: it continues where it stopped."

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


def answer(error: BaseException) -> tuple[str, str, int]:
    """What a refusal said: AWS's code, its message and the HTTP status (``"", "", 0`` for anything else)."""
    response = getattr(error, "response", None)
    if not isinstance(response, Mapping):
        return "", "", 0
    said: Mapping[str, Any] = response.get("Error", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return str(said.get("Code", "")), str(said.get("Message", "")), int(status)


def broken_body_errors() -> tuple[type[Exception], ...]:
    """What botocore raises for a body that breaks off, or is not what was sent, while it is read."""
    from botocore import exceptions as botocore_errors

    return (
        botocore_errors.ResponseStreamingError,
        botocore_errors.IncompleteReadError,
        botocore_errors.ReadTimeoutError,
        botocore_errors.FlexibleChecksumError,
    )


def is_not_found(error: BaseException) -> bool:
    """Whether SageMaker or CloudWatch said that a resource does not exist: by code and by text, never by code alone.

    ``ValidationException`` is also the answer to a malformed call, so the code proves nothing.
    """
    code, message, _ = answer(error)
    return code in _NOT_FOUND_CODES and any(text in message.lower() for text in _NOT_FOUND_TEXTS)


def is_already_there(error: BaseException) -> bool:
    """Whether a create was refused because the name is taken, by code and by text."""
    code, message, _ = answer(error)
    return code in {"ResourceInUse", "ValidationException"} and any(text in message.lower() for text in _EXISTS_TEXTS)


def action_of(error: BaseException, service: str = "") -> str:
    """The refused operation as AWS's permissions spell it, such as ``sagemaker:CreateEndpoint``."""
    operation = str(getattr(error, "operation_name", "")) or "an operation"
    named = {"HeadBucket": "ListBucket", "ListObjectsV2": "ListBucket", "HeadObject": "GetObject"}
    return f"{service}:{named.get(operation, operation)}" if service else operation


def translate(error: BaseException, doing: str, *, service: str = "") -> AsteroidError | None:
    """The expected failure that an exception of a call stands for, or None for a bug.

    Args:
        error: what was raised.
        doing: the attempt in words that follow "while", such as ``creating training job x``.
        service: the service's name in permissions, such as ``s3``.

    Returns:
        CredentialsError for credentials that are missing, wrong or expired; ConfigError for a missing region or
        a malformed argument; AwsError for every other refusal and for a network that fails; DataError for a disk
        or a process that is full.
    """
    from botocore import exceptions as botocore_errors
    from botocore.parsers import ResponseParserError

    if isinstance(error, AsteroidError):
        return error
    if isinstance(error, ResponseParserError):
        return AwsError(f"AWS's answer was cut off or garbled while {doing}.", hint=RESUME)
    if isinstance(error, botocore_errors.ClientError):
        return _translate_answer(error, doing, service)
    if isinstance(error, botocore_errors.BotoCoreError):
        return _translate_local(error, doing)
    return refused_by_system(error)  # of a file that is sent or received, or of the emulator's own


@contextmanager
def aws_call(doing: str, *, service: str = "sagemaker") -> Iterator[None]:
    """Translate what botocore raises inside; anything else (a bug) passes with its traceback.

    Args:
        doing: the attempt, in words that follow "while".
        service: the service's name in permissions.
    """
    try:
        yield
    except Exception as error:
        translated = translate(error, doing, service=service)
        if translated is None or translated is error:
            raise
        raise translated from error


def _translate_answer(error: BaseException, doing: str, service: str) -> AsteroidError:
    """A refusal by AWS."""
    code, message, status = answer(error)
    facts = {"code": code, "operation": str(getattr(error, "operation_name", ""))}
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
            hint="Check AWS_PROFILE and the access keys: 'aws sts get-caller-identity'.",
            **facts,
        )
    if code in _DENIED or (code == "403" and status == 403):
        action = action_of(error, service)
        return AwsError(
            f"AWS denied {action} while {doing}{_said(message)}.",
            hint=f"Allow {action} in the caller's IAM policy, then run the same command again.",
            **facts,
        )
    if code in _THROTTLED or status == 429:
        return AwsError(f"AWS kept throttling ({code}) while {doing}.", hint=f"Wait a minute. {RESUME}", **facts)
    if code in _WRONG_REGION or status == 301:
        return AwsError(
            f"The bucket is in another region than the one configured, found while {doing}{_said(message)}.",
            hint="Set 'region' to the bucket's region, or choose another bucket.",
            **facts,
        )
    if code == "ResourceLimitExceeded":
        return AwsError(
            f"The account's quota does not allow it, while {doing}: {message}",
            hint="Ask for more in the Service Quotas console, or choose another instance type.",
            **facts,
        )
    if status >= 500:
        return AwsError(f"AWS failed ({code or status}) while {doing}{_said(message)}.", hint=RESUME, **facts)
    return AwsError(
        f"AWS refused ({code}) while {doing}{_said(message) or ' and gave no reason'}.",
        hint="Mend what it says, or choose another value in the configuration; then run the same command again.",
        **facts,
    )


def _translate_local(error: BaseException, doing: str) -> AsteroidError:
    """A failure on this side of the wire: credentials, configuration or the network."""
    from botocore import exceptions as botocore_errors

    without_credentials = (
        botocore_errors.NoCredentialsError,
        botocore_errors.PartialCredentialsError,
        botocore_errors.CredentialRetrievalError,
        botocore_errors.TokenRetrievalError,
        botocore_errors.SSOError,
        botocore_errors.ProfileNotFound,
        botocore_errors.RefreshWithMFAUnsupportedError,
    )
    if isinstance(error, without_credentials):
        return CredentialsError(
            f"There are no usable AWS credentials while {doing}: {error}",
            hint="Set AWS_PROFILE, or sign in ('aws sso login', 'aws configure'). No account? Set 'target: emulator'.",
        )
    if isinstance(
        error, botocore_errors.NoRegionError | botocore_errors.UnknownRegionError | botocore_errors.InvalidRegionError
    ):
        return ConfigError(
            f"There is no such AWS region, found while {doing}: {error}", hint="Set 'region', for example us-east-1."
        )
    if isinstance(error, botocore_errors.ParamValidationError):
        return ConfigError(
            f"AWS cannot take these values while {doing}: {' '.join(str(error).split())}",
            hint="Mend the value in the configuration: 'asteroid-ll config show'.",
        )
    network = (
        botocore_errors.ConnectionError,
        botocore_errors.HTTPClientError,
        botocore_errors.ResponseStreamingError,
        botocore_errors.IncompleteReadError,
    )
    if isinstance(error, network):
        return AwsError(f"The connection to AWS failed while {doing}: {error}", hint=f"Check the network. {RESUME}")
    return AwsError(f"{type(error).__name__} while {doing}: {error}", hint=RESUME)


def _said(message: str) -> str:
    """AWS's own words as the tail of a sentence without a full stop; nothing where it gave none."""
    return f": {message.rstrip('.')}" if message and message not in {"Forbidden", "Moved Permanently"} else ""
