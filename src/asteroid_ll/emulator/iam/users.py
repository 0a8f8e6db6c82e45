"""IAM: users and their access keys."""

from __future__ import annotations

from asteroid_ll.emulator.iam.call import Answer, IamCall, conflict, exists, limit_exceeded, no_entity, summary
from asteroid_ll.emulator.iam.roles import refuse_policies
from asteroid_ll.emulator.iam.store import USER, AccessKey, Credentials, new_secret, unique_id
from asteroid_ll.emulator.iam.tags import new_tags

_MOST_KEYS = 2
"""AWS's quota of access keys per user."""


def create(call: IamCall) -> Answer:
    """CreateUser."""
    name, boundary = call.params["UserName"], call.boundary()
    if call.identities.by_name(USER, call.partition, name) is not None:
        raise exists(f"User with name {name} already exists.")
    user = call.identities.new(
        USER,
        call.partition,
        name,
        path=call.params.get("Path", "/"),
        tags=new_tags(call, USER),
        boundary=boundary,
        inline={},
        attached=[],
    )
    call.identities.save(user)
    return {"User": summary(user)}


def get(call: IamCall) -> Answer:
    """GetUser; without a name, the user who sends it."""
    return {"User": summary(call.holder(USER))}


def delete(call: IamCall) -> Answer:
    """DeleteUser."""
    user = call.holder(USER)
    refuse_policies(user)
    if call.identities.keys_of(user.arn):
        raise conflict("Cannot delete entity, must delete access keys first.")
    call.identities.delete(user)
    return {}


def create_key(call: IamCall) -> Answer:
    """CreateAccessKey. The secret is in this answer only."""
    user = call.holder(USER)
    if len(call.identities.keys_of(user.arn)) >= _MOST_KEYS:
        raise limit_exceeded(f"Cannot exceed quota for AccessKeysPerUser: {_MOST_KEYS}")
    key = AccessKey(id=unique_id("AKIA", length=16), owner_arn=user.arn, created_s=call.now_s)
    credentials = Credentials(new_secret())
    call.identities.save_key(key, credentials)
    return {"AccessKey": {**_described(call, key), "SecretAccessKey": credentials.secret}}


def list_keys(call: IamCall) -> Answer:
    """ListAccessKeys."""
    keys = call.identities.keys_of(call.holder(USER).arn)
    return call.page("AccessKeyMetadata", [_described(call, key) for key in keys])


def delete_key(call: IamCall) -> Answer:
    """DeleteAccessKey."""
    name = call.params["AccessKeyId"]
    if name not in {key.id for key in call.identities.keys_of(call.holder(USER).arn)}:
        raise no_entity(f"The Access Key with id {name} cannot be found.")
    call.identities.delete_key(name)
    return {}


def _described(call: IamCall, key: AccessKey) -> Answer:
    return {"UserName": call.user_name(), "AccessKeyId": key.id, "Status": "Active", "CreateDate": key.created_s}
