"""The credentials that a configuration names: a profile, and a role that is assumed again before its session ends."""

import time

import pytest

from asteroid_ll.aws.credentials import Access, assume, new_session, session_name
from asteroid_ll.emulator.transport.messages import Response
from asteroid_ll.errors import CredentialsError

ROLE = "arn:aws:iam::111122223333:role/data-team"


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """AWS settings with two profiles, and keys in the environment."""
    path = tmp_path / "credentials"
    path.write_text(
        "[default]\naws_access_key_id = first\naws_secret_access_key = x\n"
        "[work]\naws_access_key_id = second\naws_secret_access_key = x\n",
        "utf-8",
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def key_of(access):
    return new_session(access, region="us-east-1").get_credentials().access_key


def test_a_profile_goes_before_the_keys_of_the_environment(settings):
    settings.setenv("AWS_ACCESS_KEY_ID", "outside")
    settings.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert key_of(Access()) == "outside"
    assert key_of(Access(profile="work")) == "second"


def test_a_profile_that_does_not_exist_is_refused_with_those_that_do(settings):
    with pytest.raises(CredentialsError, match="There is no profile wrok") as caught:
        new_session(Access(profile="wrok"), region="us-east-1")
    assert caught.value.hint == "These exist: default, work."


def test_without_any_profile_the_hint_makes_one(settings, tmp_path):
    settings.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(CredentialsError) as caught:
        new_session(Access(profile="work"), region="us-east-1")
    assert "aws configure" in caught.value.hint


def test_a_role_needs_credentials_to_assume_it_with(settings, tmp_path):
    settings.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    settings.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(CredentialsError, match=f"There are no AWS credentials to assume {ROLE} with"):
        new_session(Access(assume_role=ROLE), region="us-east-1")


def assumed(seconds):
    """The answer of AssumeRole, for a session that lasts so long from now."""
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    body = (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
        f"<Expiration>{ends}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>x:y</AssumedRoleId>"
        "<Arn>arn:aws:sts::111122223333:assumed-role/data-team/y</Arn></AssumedRoleUser></AssumeRoleResult>"
        "</AssumeRoleResponse>"
    )
    return Response(200, {"Content-Type": "text/xml"}, body.encode())


@pytest.mark.parametrize(("lasts_s", "n_assumed"), [(3_600, 1), (60, 3)])
def test_a_role_is_assumed_at_the_first_request_and_again_shortly_before_its_session_ends(
    aws, script, lasts_s, n_assumed
):
    script.on("AssumeRole", assumed(lasts_s))
    script.on("ListModels", {"Models": []})
    access = Access(assume_role=ROLE, external_id="rocks/7", session_name="asteroid-ll-x")
    assume(aws._session, access, region="eu-west-1")
    assert script.calls == []
    for _ in range(3):
        aws.sagemaker.list_models()
    asked = [body for name, body in script.calls if name == "AssumeRole"]
    assert len(asked) == n_assumed
    assert asked[0] == {"RoleArn": ROLE, "RoleSessionName": "asteroid-ll-x", "ExternalId": "rocks/7"}


def test_the_name_of_a_session_has_only_what_sts_accepts():
    assert session_name("asteroid-ll-my runs/é-0123abcd") == "asteroid-ll-my-runs---0123abcd"
    assert session_name("x" * 70 + "-0123abcd").endswith("x-0123abcd")
    assert len(session_name("x" * 70)) == 64
