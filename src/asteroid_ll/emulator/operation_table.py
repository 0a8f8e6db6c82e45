"""The table of every operation that the emulator has, for ``docs/emulator-operations.md``.

What an operation lacks is written beside it in its service's table. S3's parameters that are refused by name come from
the names that the operation understands, and botocore's model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import botocore
from botocore.loaders import Loader
from botocore.model import ServiceModel

from asteroid_ll.emulator.cloudwatch.service import SERVICE as CLOUDWATCH
from asteroid_ll.emulator.iam.operations import SERVICE as IAM
from asteroid_ll.emulator.logs.service import SERVICE as LOGS
from asteroid_ll.emulator.pricing.service import SERVICE as PRICING
from asteroid_ll.emulator.s3 import service as _s3  # noqa: F401 - its import fills the table
from asteroid_ll.emulator.s3.operations import COMMON_HEADERS, COMMON_QUERY, OPERATIONS, Operation
from asteroid_ll.emulator.sagemaker import runtime
from asteroid_ll.emulator.sagemaker.service import SERVICE as SAGEMAKER
from asteroid_ll.emulator.servicequotas.service import SERVICE as QUOTAS
from asteroid_ll.emulator.sts import SERVICE as STS

_MOST_NAMES = 60
"""A service with more refused operations has their number alone."""

_FAMILIES = ("CopySourceSSECustomer", "SSECustomer", "ObjectLock", "Grant")
"""Parameters that go together are written as one, such as ``SSECustomer*``."""


@dataclass(frozen=True)
class ServiceTable:
    """A service's operations.

    Attributes:
        title: the service's full name.
        missing: what each operation lacks, by AWS's name; empty if nothing.
        refused: the other operations of botocore's model, except deprecated ones.
        refusal: the error code of their refusal.
    """

    title: str
    missing: Mapping[str, str]
    refused: tuple[str, ...]
    refusal: str


def tables() -> Iterator[ServiceTable]:
    """Yield the tables of all services."""
    loader = Loader()
    s3 = _model(loader, "s3")
    yield _table(s3, _missing_in_s3(s3), refusal="NotImplemented")
    invoke = {name: runtime.MISSING.get(name, "") for name in runtime.OPERATIONS}
    for service in (SAGEMAKER, LOGS, CLOUDWATCH, QUOTAS, PRICING):
        missing = {name: service.missing.get(name, "") for name in service.operations}
        yield _table(_model(loader, service.name), missing, refusal="UnknownOperationException")
        if service is SAGEMAKER:
            yield _table(_model(loader, "sagemaker-runtime"), invoke, refusal="UnknownOperationException")
    for query in (IAM, STS):
        missing = {name: query.missing.get(name, "") for name in query.operations}
        yield _table(_model(loader, query.name), missing, refusal="InvalidAction")


def dump_markdown() -> str:
    """Return the tables in Markdown: the numbers of all services, then a section per service."""
    every = list(tables())
    lines = [
        "## All services",
        "",
        f"| service | operations of botocore {botocore.__version__} | supported | partly | refused |",
        "|---|---|---|---|---|",
    ]
    for table in every:
        partly = sum(map(bool, table.missing.values()))
        counts = (len(table.missing) + len(table.refused), len(table.missing) - partly, partly, len(table.refused))
        lines.append(f"| {table.title} | {' | '.join(map(str, counts))} |")
    for table in every:
        lines += ["", f"## {table.title}", "", "| operation | supported | missing |", "|---|---|---|"]
        lines += [row(name, missing) for name, missing in sorted(table.missing.items())]
        if table.refused:
            lines += ["", _refusals(table)]
    return "\n".join(lines) + "\n"


def row(name: str, missing: str) -> str:
    """Return an operation's row."""
    return f"| `{name}` | {'partly' if missing else 'yes'} | {missing} |"


def _refusals(table: ServiceTable) -> str:
    names = f": {', '.join(f'`{name}`' for name in table.refused)}." if len(table.refused) <= _MOST_NAMES else "."
    return f"Refused with `{table.refusal}`: {len(table.refused)} operations{names}"


def _model(loader: Loader, name: str) -> ServiceModel:
    return ServiceModel(loader.load_service_model(name, "service-2"), name)


def _table(model: ServiceModel, missing: Mapping[str, str], *, refusal: str) -> ServiceTable:
    others = (name for name in model.operation_names if name not in missing)
    refused = tuple(sorted(name for name in others if not model.operation_model(name).deprecated))
    return ServiceTable(model.metadata["serviceFullName"], missing, refused, refusal)


def _missing_in_s3(model: ServiceModel) -> dict[str, str]:
    missing = {}
    for route, operation in OPERATIONS.items():
        members = [f"`{name}`" for name in _refused_members(model, route, operation)]
        missing[operation.name] = "; ".join(filter(None, [operation.missing, ", ".join(members)]))
    return missing


def _refused_members(model: ServiceModel, route: str, operation: Operation) -> list[str]:
    """Return the parameters that S3 has and the operation refuses by name, because it has no such header or query."""
    shape = model.operation_model(operation.name).input_shape
    known = {"header": operation.headers | COMMON_HEADERS, "querystring": operation.query | COMMON_QUERY}
    names = []
    for member, part in ({} if shape is None else shape.members).items():
        location = part.serialization.get("location", "")
        sent = part.serialization.get("name", member)
        name = sent.lower() if location == "header" else sent
        is_refused = location in known and name not in known[location] and f"?{name}" not in route
        if is_refused and (location == "querystring" or name.startswith("x-amz-")):
            family = next((family for family in _FAMILIES if member.startswith(family)), "")
            names.append(f"{family}*" if family else member)
    return sorted(set(names))
