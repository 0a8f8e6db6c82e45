"""What the name of an instance type tells about the machine."""

from __future__ import annotations

_LOCAL_STORAGE = ("g5", "g6", "i3", "i4", "i7", "p5", "p6", "trn")
"""Families with local NVMe storage whose names lack AWS's letter ``d`` for it (EC2 user guide, "Instance store")."""


def has_local_storage(instance_type: str) -> bool:
    """Return whether a type such as ``ml.m5d.large`` has local NVMe storage in place of an EBS volume.

    The machine encrypts such storage itself, so SageMaker refuses a KMS key for it (API reference, ``ResourceConfig``).
    """
    family = instance_type.split(".")[1]
    return "d" in family or family.startswith(_LOCAL_STORAGE)
