"""IAM: the table of its operations."""

from __future__ import annotations

from asteroid_ll.emulator.iam import holders, roles
from asteroid_ll.emulator.iam.call import IamCall
from asteroid_ll.emulator.iam.store import ROLE, USER
from asteroid_ll.emulator.query_protocol import QueryService

SERVICE = QueryService[IamCall](
    "iam",
    operations={
        "CreateRole": roles.create,
        "GetRole": roles.get,
        "ListRoles": roles.list_all,
        "DeleteRole": roles.delete,
        "UpdateAssumeRolePolicy": roles.update_trust,
        **holders.operations(ROLE),
        **holders.operations(USER),
    },
)
