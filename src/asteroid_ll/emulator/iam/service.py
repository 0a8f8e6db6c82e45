"""IAM: the table of its operations."""

from __future__ import annotations

from asteroid_ll.emulator.iam import holders, policies, providers, roles, simulation, tags, users
from asteroid_ll.emulator.iam.call import IamCall
from asteroid_ll.emulator.iam.store import ROLE, USER
from asteroid_ll.emulator.query_protocol import QUERY
from asteroid_ll.emulator.service import Service

SERVICE = Service[IamCall](
    "iam",
    QUERY,
    invalid_code="ValidationError",
    operations={
        "CreateRole": roles.create,
        "GetRole": roles.get,
        "ListRoles": roles.list_all,
        "DeleteRole": roles.delete,
        "UpdateAssumeRolePolicy": roles.update_trust,
        **holders.operations(ROLE),
        **holders.operations(USER),
        **tags.operations(),
        "CreatePolicy": policies.create,
        "GetPolicy": policies.get,
        "DeletePolicy": policies.delete,
        "CreatePolicyVersion": policies.create_version,
        "GetPolicyVersion": policies.get_version,
        "ListPolicyVersions": policies.list_versions,
        "DeletePolicyVersion": policies.delete_version,
        "CreateUser": users.create,
        "GetUser": users.get,
        "DeleteUser": users.delete,
        "CreateAccessKey": users.create_key,
        "ListAccessKeys": users.list_keys,
        "DeleteAccessKey": users.delete_key,
        "CreateOpenIDConnectProvider": providers.create,
        "GetOpenIDConnectProvider": providers.get,
        "ListOpenIDConnectProviders": providers.list_all,
        "SimulatePrincipalPolicy": simulation.simulate,
    },
    missing={
        "SimulatePrincipalPolicy": "`PolicyInputList`, `PermissionsBoundaryPolicyInputList`, `PolicyExclusionList`, "
        "`ResourcePolicy`; matched statements",
    },
)
