"""Amazon's command line as far as the documentation uses it, by botocore's models."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore import xform_name
from botocore.exceptions import ClientError

SERVICES = {"s3api": "s3", "service-quotas": "service-quotas"}


def value_of(shape: Any, words: list[str]) -> Any:
    """Return an option's value: JSON, shorthand ``A=1,B=2``, a file's text, a list of words, or a scalar."""
    text = words[0].removeprefix("file://")
    if text != words[0]:
        text = Path(text).read_text()
    if shape.type_name == "list" and not text.startswith("["):
        return [value_of(shape.member, [word]) for word in words]
    if shape.type_name in {"list", "map", "structure"}:
        if text[:1] in "[{":
            return json.loads(text)
        pairs = dict(pair.split("=") for pair in text.split(","))
        return {name: value_of(shape.members[name], [value]) for name, value in pairs.items()}
    if shape.type_name == "boolean":
        return text == "true"
    return {"integer": int, "long": int, "double": float, "float": float}.get(shape.type_name, str)(text)


def options_of(words: list[str]) -> dict[str, list[str]]:
    """Return the words after each option."""
    options: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            options[word.removeprefix("--")] = found = []
        else:
            found.append(word)
    return options


def main(service: str, command: str, *words: str) -> int:
    """Send the request that the command line would send, and print the answer as JSON, or the member of --query."""
    options = options_of(list(words))
    region = options.pop("region", [None])[0]
    query, _ = options.pop("query", [""])[0], options.pop("output", None)
    client = boto3.client(SERVICES.get(service, service), region_name=region)
    operation = next(name for name in client.meta.service_model.operation_names if xform_name(name, "-") == command)
    shape = client.meta.service_model.operation_model(operation).input_shape
    members = {xform_name(name, "-"): name for name in shape.members} if shape else {}
    params = {
        members[name]: value_of(shape.members[members[name]], found or ["true"]) for name, found in options.items()
    }
    try:
        answer = getattr(client, xform_name(operation))(**params)
    except ClientError as error:
        print(f"\n{error}", file=sys.stderr)
        return 254
    del answer["ResponseMetadata"]
    print(answer[query] if query else json.dumps(answer, default=str, indent=4))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
