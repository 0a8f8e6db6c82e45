"""Does what a printed command of Amazon's command line does, if its words fit botocore's model."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

from botocore import xform_name
from botocore.validate import validate_parameters

_CLIENTS = {"s3api": "s3"}


def paste(command: str, client_of: Callable[[str, str], Any]) -> None:
    """Send the request of a command.

    Args:
        command: one line.
        client_of: returns the client of a service in a region.
    """
    program, service, operation, *words = shlex.split(command)
    assert program == "aws"
    options = dict(zip(words[::2], words[1::2], strict=True))
    client = client_of(_CLIENTS.get(service, service), options.pop("--region"))
    name = next(name for name in client.meta.service_model.operation_names if xform_name(name, "-") == operation)
    shape = client.meta.service_model.operation_model(name).input_shape
    members = {f"--{xform_name(member, '-')}": member for member in shape.members}
    params = {members[option]: _typed(shape.members[members[option]], text) for option, text in options.items()}
    validate_parameters(params, shape)
    getattr(client, xform_name(name))(**params)


def _typed(shape: Any, text: str) -> Any:
    """Return the value of an option, which for a structure is in the command line's shorthand."""
    if shape.type_name == "structure":
        pairs = (pair.split("=") for pair in text.split(","))
        return {name: {"true": True, "false": False}[value] for name, value in pairs}
    return float(text) if shape.type_name in ("double", "float") else text
