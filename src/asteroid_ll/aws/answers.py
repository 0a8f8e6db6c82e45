"""The decoder of AWS's answers: an answer is readable and complete, or it is marked as unreadable.

botocore takes much for an answer that is none. It reads a web page, an empty body or a list of the wrong type as a
description without members, and raises exceptions of its own for other damage. Only what passes here is indexed
elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

UNREADABLE = "UnreadableAnswer"
"""The code of an unreadable answer; its message is the reason."""

SET_ASIDE = 500
"""The status of an unreadable answer in its metadata, which differs from the status that came with it."""

_NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "CompleteMultipartUpload": ("ETag",),
        "CreateMultipartUpload": ("UploadId",),
        "DescribeEndpoint": ("EndpointConfigName",),
        "DescribeLogGroups": ("logGroups",),
        "DescribeLogStreams": ("logStreams",),
        "DescribeTrainingJob": ("ResourceConfig",),
        "GetCallerIdentity": ("Account",),
        "GetLogEvents": ("events", "nextForwardToken"),
        "GetObject": ("ETag",),
        "HeadObject": ("ContentLength", "ETag"),
        "ListMultipartUploads": ("Bucket",),
        "ListObjectsV2": ("Name",),
        "ListTags": ("Tags",),
        "PutObject": ("ETag",),
        "UploadPart": ("ETag",),
    }
)
"""Members that AWS always sends and that botocore's models do not require."""

_OMITTED = frozenset({"ModelArtifacts"})
"""Members that a model requires and AWS omits: a job that has not completed has no artifacts."""

_TYPES: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {
        "blob": (str, bytes),
        "boolean": (bool,),
        "double": (int, float),
        "float": (int, float),
        "integer": (int,),
        "list": (list,),
        "long": (int,),
        "map": (dict,),
        "string": (str,),
        "structure": (dict,),
        "timestamp": (int, float, str, datetime),
    }
)
"""The values of each type of a model, in JSON and after botocore's parser."""


class CheckedParsers:
    """botocore's component ``response_parser_factory``, whose parsers check every answer.

    Args:
        factory: botocore's factory.
    """

    def __init__(self, factory: Any) -> None:
        self._factory = factory

    def set_parser_defaults(self, **defaults: Any) -> None:
        """Pass the defaults on to botocore's factory."""
        self._factory.set_parser_defaults(**defaults)

    def create_parser(self, protocol_name: str) -> CheckedParser:
        """Return a parser for a protocol, such as ``json``."""
        return CheckedParser(self._factory.create_parser(protocol_name), is_json=protocol_name.endswith("json"))


class CheckedParser:
    """A parser of botocore that returns an error with the code `UNREADABLE` for what it cannot read.

    Args:
        parser: botocore's parser.
        is_json: the bodies are JSON, otherwise XML.
    """

    def __init__(self, parser: Any, *, is_json: bool) -> None:
        self._parser = parser
        self._is_json = is_json

    def parse(self, response: Mapping[str, Any], shape: Any) -> dict[str, Any]:
        """Return the members of an answer, or the error."""
        try:
            problem = _problem_with_body(response, shape) if self._is_json else ""
            parsed: dict[str, Any] = {} if problem else self._parser.parse(response, shape)
            if not problem and response["status_code"] < 300:
                operation = response.get("context", {}).get("operation_name", "")
                problem = _problem_with_members(response, parsed, shape, operation)
        except Exception as error:  # of any type: the body is not under our control
            problem = f"it is damaged ({type(error).__name__})"
        if not problem:
            return parsed
        if hasattr(response["body"], "close"):
            response["body"].close()
        return {
            "Error": {"Code": UNREADABLE, "Message": problem},
            "ResponseMetadata": {"HTTPStatusCode": SET_ASIDE, "HTTPHeaders": {}},
        }


def _problem_with_body(response: Mapping[str, Any], shape: Any) -> str:
    """Return the problem with a JSON body, empty if there is none."""
    body, status = response["body"], response["status_code"]
    if not isinstance(body, bytes) or status >= 500:
        return ""  # a stream is read by its receiver, and botocore repeats a call after a server's error
    if status >= 300 and "json" not in response["headers"].get("Content-Type", ""):
        return ""  # a refusal by its status alone
    if not body:
        return "it is empty" if status < 300 and shape is not None and shape.members else ""
    try:
        document = json.loads(body)
    except ValueError:
        return "it is not JSON"
    if not isinstance(document, dict):
        return "it is not a JSON object"
    return _mismatch(shape, document, "it") if status < 300 and shape is not None else ""


def _problem_with_members(response: Mapping[str, Any], parsed: Mapping[str, Any], shape: Any, operation: str) -> str:
    """Return the problem with a parsed answer, empty if there is none."""
    # moto declares an empty answer as HTML.
    if "html" in response["headers"].get("Content-Type", "") and response["headers"].get("Content-Length") != "0":
        return "it is a web page"
    if shape is None:
        return ""
    if operation == "HeadBucket" and not any(name.lower().startswith("x-amz") for name in response["headers"]):
        return "it is not from S3"  # it has neither a body nor a member that is always sent
    missing = [name for name in (*shape.required_members, *_NEEDED.get(operation, ())) if parsed.get(name) is None]
    missing = [name for name in missing if name not in _OMITTED]
    for name, member in shape.members.items():
        if member.type_name == "list" and member.member.type_name == "structure":
            for item in parsed.get(name, ()):
                missing += [inner for inner in member.member.required_members if item.get(inner) is None]
    return f"it has no {missing[0]}" if missing else ""


def _mismatch(shape: Any, value: object, name: str) -> str:
    """Return the first member of a JSON value whose type is not the model's, empty if there is none."""
    types = _TYPES.get(shape.type_name, (object,))
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        return f"{name} is of the wrong type"
    pairs: list[tuple[Any, object, str]] = []
    if isinstance(value, dict) and shape.type_name == "structure":
        members = ((member.serialization.get("name", key), member) for key, member in shape.members.items())
        pairs = [(member, value.get(key), key) for key, member in members]
    elif isinstance(value, dict) and shape.type_name == "map":
        pairs = [(shape.value, item, f"{name}.{key}") for key, item in value.items()]
    elif isinstance(value, list):
        pairs = [(shape.member, item, f"an item of {name}") for item in value]
    problems = (_mismatch(member, item, key) for member, item, key in pairs if item is not None)
    return next(filter(None, problems), "")
