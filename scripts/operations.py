"""Print the operations of the emulator in Markdown, from its services' tables: a section per service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from asteroid_ll.emulator.iam.operations import SERVICE as IAM
from asteroid_ll.emulator.logs import SERVICE as LOGS
from asteroid_ll.emulator.prices import SERVICE as PRICES
from asteroid_ll.emulator.quotas import SERVICE as QUOTAS
from asteroid_ll.emulator.s3 import service as _s3  # noqa: F401 - its import fills the table
from asteroid_ll.emulator.s3.call import OPERATIONS as S3
from asteroid_ll.emulator.sagemaker import runtime
from asteroid_ll.emulator.sagemaker.service import SERVICE as SAGEMAKER
from asteroid_ll.emulator.sts import SERVICE as STS

TITLES = {
    "SageMaker": SAGEMAKER,
    "CloudWatch Logs": LOGS,
    "IAM": IAM,
    "STS": STS,
    "Service Quotas": QUOTAS,
    "Price List": PRICES,
}


def section(title: str, operations: Iterable[str], missing: Mapping[str, str]) -> str:
    """Return the names of a service's operations, and a line for each gap with the operations that have it."""
    lines = [f"## {title}", "", ", ".join(f"`{name}`" for name in sorted(operations)), ""]
    for gap in sorted(set(filter(None, missing.values()))):
        names = ", ".join(f"`{name}`" for name in sorted(missing) if missing[name] == gap)
        lines.append(f"- {names}: {gap}")
    return "\n".join(lines).rstrip()


def main() -> None:
    """Print all sections."""
    s3 = {operation.name: operation.missing for operation in S3.values()}
    sections = [section("S3", s3, s3), section("SageMaker Runtime", runtime.OPERATIONS, runtime.MISSING)]
    sections += [section(title, service.operations, service.missing) for title, service in TITLES.items()]
    print("\n\n".join(sections))


if __name__ == "__main__":
    main()
