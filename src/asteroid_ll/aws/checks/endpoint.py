"""The check that an address which is not AWS's has a SageMaker that trains, and buckets."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from asteroid_ll.aws.answers import UNREADABLE
from asteroid_ll.aws.errors import answer
from asteroid_ll.errors import AwsError

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

_MALFORMED_NAME = "asteroid-ll-"
"""AWS refuses the name of a job that ends in a hyphen. An emulator that trains nothing looks for such a job."""


def require_sagemaker(aws: Aws) -> None:
    """Refuse an emulator or a server that has no SageMaker, or one that only pretends to train, or a mere companion.

    It sends one request, or two if S3 has the same address, and only if the address is not AWS's own
    (``AWS_ENDPOINT_URL``). If nobody answers, or with an error of the server or the credentials, the next request
    reports it.

    Raises:
        AwsError: there is no such SageMaker; with the command that serves one. Or the buckets are elsewhere; with the
            variable that leads to them.
    """
    url = aws.sagemaker.meta.endpoint_url
    if "amazonaws." in (urlsplit(url).hostname or ""):
        return
    try:
        aws.sagemaker.describe_training_job(TrainingJobName=_MALFORMED_NAME)
    except Exception as error:
        code, message, status = answer(error)
        if "failed to satisfy constraint" in message:
            if aws.s3.meta.endpoint_url == url:
                _require_buckets(aws)
            return
        # 501 is the one error of a server that means a service which does not exist.
        if code == UNREADABLE or not 400 <= status <= 501 or status in (401, 403, 429, 500):
            return
    quoted_url = shlex.quote(url)
    companion = f"asteroid-ll emulator serve --port 4599 --s3-endpoint {quoted_url}"
    raise AwsError(
        f"The server at {url} has no SageMaker that trains models.",
        hint=f"{companion}   serves one beside it. Paste the variables that it prints, and run the same command again.",
        companion=companion,
    )


def _require_buckets(aws: Aws) -> None:
    """Refuse the companion of another emulator, which says where the buckets are."""
    try:
        aws.s3.list_buckets()
    except Exception as error:
        code, message, status = answer(error)
        other = re.search(r"https?://\S+", message)
        if other and (code, status) == ("UnknownOperationException", 501):
            variable = f"export AWS_ENDPOINT_URL_S3={shlex.quote(other[0])}"
            hint = f"{variable}   and the other variables that it printed. Then run the same command again."
            raise AwsError(message, hint=hint, companion=variable) from error
