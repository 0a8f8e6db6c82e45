"""IAM: OpenID Connect identity providers, such as GitHub's."""

from __future__ import annotations

from urllib.parse import urlsplit

from asteroid_ll.emulator.iam.call import Answer, IamCall, exists
from asteroid_ll.emulator.iam.store import PROVIDER
from asteroid_ll.emulator.iam.tags import new_tags
from asteroid_ll.emulator.transport.messages import ApiError


def create(call: IamCall) -> Answer:
    """CreateOpenIDConnectProvider."""
    url = urlsplit(call.params["Url"])
    if url.scheme != "https" or not url.netloc:
        raise ApiError("ValidationError", "Invalid Open ID Connect Provider URL")
    name = f"{url.netloc}{url.path}".rstrip("/")
    if call.identities.by_name(PROVIDER, call.partition, name) is not None:
        raise exists(f"Provider with url https://{name} already exists.")
    provider = call.identities.new(
        PROVIDER,
        call.partition,
        name,
        clients=call.params.get("ClientIDList", []),
        thumbprints=call.params.get("ThumbprintList", []),
        tags=new_tags(call, PROVIDER),
    )
    call.identities.save(provider)
    return {"OpenIDConnectProviderArn": provider.arn, "Tags": provider.body["tags"]}


def get(call: IamCall) -> Answer:
    """GetOpenIDConnectProvider. As on AWS, its URL has no scheme."""
    provider = call.provider()
    return {
        "Url": provider.name,
        "ClientIDList": provider.body["clients"],
        "ThumbprintList": provider.body["thumbprints"],
        "CreateDate": provider.created_s,
        "Tags": provider.body["tags"],
    }


def list_all(call: IamCall) -> Answer:
    """ListOpenIDConnectProviders."""
    providers = call.identities.find(PROVIDER, call.partition)
    return {"OpenIDConnectProviderList": [{"Arn": provider.arn} for provider in providers]}
