"""Identity providers, such as GitHub's."""

URL = "https://token.actions.githubusercontent.com"
ARN = "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com"


def test_a_provider_is_read_back_without_its_scheme_and_listed(iam):
    created = iam.create_open_id_connect_provider(Url=URL, ClientIDList=["sts.amazonaws.com"])
    assert created["OpenIDConnectProviderArn"] == ARN
    provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=ARN)
    assert (provider["Url"], provider["ClientIDList"]) == (URL.removeprefix("https://"), ["sts.amazonaws.com"])
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": ARN}]


def test_a_provider_that_exists_is_refused(iam, refused):
    iam.create_open_id_connect_provider(Url=URL)
    assert refused(iam.create_open_id_connect_provider, Url=f"{URL}/") == (
        "EntityAlreadyExists",
        f"Provider with url {URL} already exists.",
    )


def test_a_provider_without_https_and_one_that_does_not_exist_are_refused(iam, refused):
    assert refused(iam.create_open_id_connect_provider, Url="http://example.com") == (
        "ValidationError",
        "Invalid Open ID Connect Provider URL",
    )
    assert refused(iam.get_open_id_connect_provider, OpenIDConnectProviderArn=ARN) == (
        "NoSuchEntity",
        f"OpenIDConnect Provider not found for arn {ARN}",
    )
